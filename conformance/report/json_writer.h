// SPDX-License-Identifier: Apache-2.0
// JSON as the reports write it: keys in a fixed order, which protobuf's JSON does not promise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "conformance/runner/result.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {

inline std::string string_value(std::string_view text) {
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

// Writes JSON in order: indented by two blanks, one member or element a line, or all in one line.
class JsonWriter {
 public:
  explicit JsonWriter(bool compact = false) : compact_(compact) {}
  void open(char bracket) {
    out_ += bracket;
    first_ = true;
    ++depth_;
    if (in_line_ > 0) ++in_line_;
  }
  // The object or list and all that is in it stand in one line.
  void open_line(char bracket) {
    open(bracket);
    if (in_line_ == 0) in_line_ = 1;
  }
  void close(char bracket) {
    --depth_;
    if (!first_) newline();
    if (in_line_ > 0) --in_line_;
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
    append(out_, string_value(name), compact_ || in_line_ > 0 ? ":" : ": ");
  }
  // The list `name`; `write(*this, item)` writes each of its elements.
  template <class Items, class Write>
  void list(std::string_view name, const Items& items, const Write& write) {
    key(name);
    open('[');
    for (const auto& item : items) write(*this, item);
    close(']');
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    out_ += string_value(value);
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
                [](std::string& out, const std::string& value) { out += string_value(value); }),
           "]");
  }
  // JSON that is written already.
  void raw(std::string_view json) { out_ += json; }
  std::string finish() { return std::move(out_) + "\n"; }

 private:
  void newline() {
    if (compact_ || in_line_ > 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(depth_) * 2, ' ');
  }

  const bool compact_;
  std::string out_;
  int depth_ = 0;
  int in_line_ = 0;  // how deep below the bracket that began the line
  bool first_ = true;
};

// The members of a run's object; json.cc.
void write_run(JsonWriter& json, const RunReport& report);

}  // namespace tcproctor::conformance
