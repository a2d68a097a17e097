// SPDX-License-Identifier: Apache-2.0
// JSON as the reports have it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {

// In quotes.
inline std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          append(out, "\\u00", to_hex(std::string_view(&c, 1)));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

// Writes JSON in order, indented by two blanks, one member or element a line.
class JsonWriter {
 public:
  void open(char bracket) {
    out_ += bracket;
    first_ = true;
    ++depth_;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) newline();
    out_ += bracket;
    first_ = false;
  }
  void element() {
    if (!first_) out_ += ',';
    first_ = false;
    newline();
  }
  void key(std::string_view name) {
    element();
    append(out_, json_string(name), ": ");
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    out_ += json_string(value);
  }
  void number(std::string_view name, uint64_t value) {
    key(name);
    append(out_, value);
  }
  void seconds(std::string_view name, double value) {
    key(name);
    out_ += absl::StrFormat("%.6f", value);
  }
  void boolean(std::string_view name, bool value) {
    key(name);
    out_ += value ? "true" : "false";
  }
  void texts(std::string_view name, const std::vector<std::string>& values) {
    key(name);
    append(out_, "[",
           join(values, ", ",
                [](std::string& out, const std::string& value) { out += json_string(value); }),
           "]");
  }
  std::string finish() { return std::move(out_) + "\n"; }

 private:
  void newline() {
    out_ += '\n';
    out_.append(static_cast<size_t>(depth_) * 2, ' ');
  }

  std::string out_;
  int depth_ = 0;
  bool first_ = true;
};

}  // namespace tcproctor::conformance
