// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/parameters.h"

#include <map>

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Values of parameters by name.
using Values = std::map<std::string, std::string>;

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (const std::string& word : split(text, ' ')) {
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

// `line` is "//: KEY: VALUE" with this key, or with one that begins with it and a blank. Returns
// what follows of the key, and the value.
bool head_line(std::string_view line, std::string_view key, std::string& rest, std::string& value) {
  line = trim(line);
  if (!line.starts_with(kHeadMark)) return false;
  const auto [found, text] = split_once(line.substr(kHeadMark.size()), ':');
  const std::string_view whole = trim(std::string_view(found));
  if (whole != key && !(whole.starts_with(key) && whole.substr(key.size()).starts_with(' '))) {
    return false;
  }
  rest = std::string(trim(whole.substr(key.size())));
  value = std::string(trim(std::string_view(text)));
  return true;
}

// One line "//: for state row: ESTABLISHED 35, FIN-WAIT-1 38": a tuple of values for each name.
std::vector<Values> tuples(const std::string& names_text, const std::string& values_text, int line,
                           std::vector<Diagnostic>& diagnostics) {
  const std::vector<std::string> names = words(names_text);
  std::vector<Values> out;
  for (const std::string& name : names) {
    if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != std::string::npos) {
      diagnostics.push_back(
          {{line, 1}, cat("a parameter is of small letters, found \"", name, "\"")});
    }
  }
  if (names.empty()) diagnostics.push_back({{line, 1}, "expected \"//: for NAME: VALUE, VALUE\""});
  for (const std::string& item : split(values_text, ',')) {
    const std::vector<std::string> values = words(trim(std::string_view(item)));
    if (values.size() != names.size()) {
      diagnostics.push_back({{line, 1},
                             cat("expected ", names.size(), " value(s) for ", names_text,
                                 ", found \"", trim(std::string_view(item)), "\"")});
      return {};
    }
    Values tuple;
    for (size_t i = 0; i < names.size(); ++i) tuple[names[i]] = values[i];
    out.push_back(std::move(tuple));
  }
  return out;
}

// Every combination of one of `before` and one of `more`.
std::vector<Values> combined(const std::vector<Values>& before, const std::vector<Values>& more) {
  std::vector<Values> out;
  for (const Values& one : before) {
    for (const Values& other : more) {
      out.push_back(one);
      out.back().insert(other.begin(), other.end());
    }
  }
  return out;
}

std::string substituted(std::string_view text, const Values& values, int line,
                        std::vector<Diagnostic>& diagnostics) {
  std::string out;
  while (true) {
    const size_t at = text.find('$');
    append(out, text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
    size_t length = 0;
    while (length < text.size() && is_lower(text[length])) ++length;
    const auto value = values.find(std::string(text.substr(0, length)));
    if (value == values.end()) {
      diagnostics.push_back(
          {{line, 1}, cat("unknown parameter \"$", text.substr(0, length), "\"")});
      return out;
    }
    append(out, value->second);
    text.remove_prefix(length);
  }
}

}  // namespace

std::vector<Variant> expand_parameters(std::string_view source,
                                       std::vector<Diagnostic>& diagnostics) {
  const std::vector<std::string> lines = split(source, '\n');
  std::vector<Values> all = {{}};
  std::string rest, value;
  int number = 0;
  bool parametric = false;
  for (const std::string& line : lines) {
    ++number;
    if (head_line(line, "for", rest, value)) {
      parametric = true;
      all = combined(all, tuples(rest, value, number, diagnostics));
    } else if (head_line(line, "family", rest, value) && value.find(',') != std::string::npos) {
      all = combined(all, tuples("family", value, number, diagnostics));
    }
  }
  if (all.empty()) return {{std::string(source), ""}};
  std::vector<Variant> variants;
  for (Values& values : all) {
    Variant variant;
    const auto family = values.find("family");
    number = 0;
    for (const std::string& line : lines) {
      append(variant.source, ++number == 1 ? "" : "\n");
      if (family != values.end() && head_line(line, "family", rest, value)) {
        append(variant.source, kHeadMark, " family: ", family->second);
      } else if (head_line(line, "for", rest, value)) {
        append(variant.source, line);
      } else {
        append(variant.source, parametric ? substituted(line, values, number, diagnostics) : line);
      }
    }
    if (family != values.end() && family->second == "ipv6") variant.id_suffix = "-v6";
    variants.push_back(std::move(variant));
    if (!diagnostics.empty()) break;
  }
  return variants;
}

}  // namespace tcproctor::conformance
