// SPDX-License-Identifier: Apache-2.0
// Small helpers for text over std::string_view: Debian's Abseil has a string_view of its own that
// does not convert from it.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tcproctor::conformance {

inline void append_one(std::string& out, std::string_view text) {
  out.append(text);
}
inline void append_one(std::string& out, char c) {
  out.push_back(c);
}
template <typename T>
requires(std::integral<T> && !std::same_as<T, char> &&
         !std::same_as<T, bool>) void append_one(std::string& out, T number) {
  out.append(std::to_string(number));
}

template <typename... Args>
void append(std::string& out, const Args&... args) {
  (append_one(out, args), ...);
}

template <typename... Args>
std::string cat(const Args&... args) {
  std::string out;
  append(out, args...);
  return out;
}

// `format(out, element)` appends one element.
template <typename Container, typename Format>
std::string join(const Container& container, std::string_view separator, const Format& format) {
  std::string out;
  bool first = true;
  for (const auto& element : container) {
    if (!first) out.append(separator);
    first = false;
    format(out, element);
  }
  return out;
}

template <typename Container>
std::string join(const Container& container, std::string_view separator) {
  return join(container, separator,
              [](std::string& out, const auto& element) { append(out, element); });
}

inline std::string_view trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Empty pieces are kept; "" gives one empty piece.
inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  while (true) {
    const size_t end = text.find(separator);
    pieces.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

// The text before and after the first separator; `second` is empty if there is none.
inline std::pair<std::string, std::string> split_once(std::string_view text, char separator) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return {std::string(text), ""};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

// All of the text must be a number that fits.
template <typename T>
bool parse_number(std::string_view text, T& out, int base = 10) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, out, base);
  return error == std::errc() && stopped == end;
}

inline bool parse_number(std::string_view text, double& out) {
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stopped == end;
}

inline bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
inline bool is_letter(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
inline bool is_decimal(char c) {
  return c >= '0' && c <= '9';
}

std::string to_hex(std::string_view octets);
// The text must be pairs of hexadecimal digits.
std::string from_hex(std::string_view digits);

}  // namespace tcproctor::conformance
