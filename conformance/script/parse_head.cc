// SPDX-License-Identifier: Apache-2.0
// The metadata at the head of a case: lines `//: key: value`.
#include <functional>
#include <map>

#include "conformance/script/names.h"
#include "conformance/script/parameters.h"
#include "conformance/script/parse_context.h"
#include "conformance/script/parser.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

std::vector<std::string> list_of(std::string_view value) {
  std::vector<std::string> out;
  for (const std::string& item : split(value, ',')) {
    if (!trim(item).empty()) out.emplace_back(trim(item));
  }
  return out;
}

class HeadParser {
 public:
  explicit HeadParser(std::vector<Diagnostic>& diagnostics) : diagnostics_(diagnostics) {}

  Head parse(std::string_view source, int& last_head_line);

 private:
  void line(std::string_view text, int number);
  void set(const std::string& key, std::string_view value, Position key_at, Position at);
  void setting(std::string_view target, std::string_view value, Position at);
  void isn(std::string_view value, Position at);
  void addresses(std::string_view value, Position at);
  void duration(std::string_view value, Position at, absl::Duration& out);
  bool yes_or_no(std::string_view value, Position at);
  void one_of(std::string_view value, Position at, std::initializer_list<const char*> allowed);
  void error(Position at, std::string message) { diagnostics_.push_back({at, std::move(message)}); }

  Head head_;
  std::map<std::string, int> seen_;
  std::vector<Diagnostic>& diagnostics_;
};

Head HeadParser::parse(std::string_view source, int& last_head_line) {
  int number = 0;
  for (const std::string& text : split(source, '\n')) {
    ++number;
    if (!trim(text).starts_with(kHeadMark)) continue;
    last_head_line = number;
    line(text, number);
  }
  for (const char* required : {"id", "title"}) {
    if (seen_.count(required) == 0) {
      error({1, 1}, cat("the head lacks \"//: ", required, ": …\""));
    }
  }
  if (head_.targets.empty()) head_.targets = all_targets();
  return std::move(head_);
}

void HeadParser::line(std::string_view text, int number) {
  const size_t mark = text.find(kHeadMark);
  const size_t key_at = text.find_first_not_of(" \t\r", mark + kHeadMark.size());
  if (key_at == std::string_view::npos) return;
  const size_t colon = text.find(':', key_at);
  const Position at{number, static_cast<int>(key_at) + 1};
  if (colon == std::string_view::npos) {
    error(at, "expected \"key: value\" after \"//:\"");
    return;
  }
  const std::string key(trim(text.substr(key_at, colon - key_at)));
  const size_t value_at = std::min(text.find_first_not_of(" \t\r", colon + 1), text.size());
  const std::string_view value = trim(text.substr(value_at));
  const Position value_position{number, static_cast<int>(value_at) + 1};
  if (value.empty()) {
    error(value_position, cat("\"", key, "\" needs a value"));
    return;
  }
  if (key.starts_with("for ")) return;  // expand_parameters() has read it
  const bool repeats = key == "set" || key.starts_with("set ") || key == "covers" || key == "isn" ||
                       key == "addresses";
  if (seen_.count(key) != 0 && !repeats) {
    error(at, cat("\"", key, "\" was given in line ", seen_[key], " already"));
    return;
  }
  seen_[key] = number;
  if (key == "set" || key.starts_with("set ")) {
    const std::string target(trim(std::string_view(key).substr(3)));
    if (!target.empty() && !is_target(target)) {
      error(at, cat("unknown target \"", target, "\": one of ", join(all_targets(), ", ")));
      return;
    }
    setting(target, value, value_position);
    return;
  }
  set(key, value, at, value_position);
}

void HeadParser::one_of(std::string_view value, Position at,
                        std::initializer_list<const char*> allowed) {
  for (const char* candidate : allowed) {
    if (value == candidate) return;
  }
  error(at, cat("\"", value, "\" is not one of ", join(allowed, ", ")));
}

bool HeadParser::yes_or_no(std::string_view value, Position at) {
  one_of(value, at, {"yes", "no"});
  return value == "yes";
}

void HeadParser::duration(std::string_view value, Position at, absl::Duration& out) {
  const auto parsed = parse_duration(value);
  if (parsed.has_value()) {
    out = *parsed;
  } else {
    error(at, cat("\"", value, "\" is not a time such as 50ms"));
  }
}

void HeadParser::setting(std::string_view target, std::string_view value, Position at) {
  const size_t equals = value.find('=');
  if (equals == std::string_view::npos) {
    error(at, "expected \"set: KEY = VALUE\"");
    return;
  }
  head_.settings.push_back({at, std::string(target), std::string(trim(value.substr(0, equals))),
                            std::string(trim(value.substr(equals + 1)))});
}

void HeadParser::isn(std::string_view value, Position at) {
  for (const std::string& item : list_of(value)) {
    const std::vector<std::string> parts = split(item, '=');
    const auto end = parse_end(parts.empty() ? "" : trim(std::string_view(parts[0])));
    uint32_t number = 0;
    if (parts.size() != 2 || !end.has_value() || !parse_number(trim(parts[1]), number)) {
      error(at, "expected \"isn: A = N\" with N from 0 to 4294967295");
      return;
    }
    head_.isn[*end] = number;
  }
}

void HeadParser::addresses(std::string_view value, Position at) {
  for (const std::string& item : list_of(value)) {
    const auto [name, address] = split_once(item, ' ');
    const auto end = parse_end(name);
    if (!end.has_value() || address.find('/') == std::string::npos) {
      error(at, "expected \"addresses: A ADDRESS/PREFIX, B ADDRESS/PREFIX\"");
      return;
    }
    head_.addresses[*end].emplace_back(trim(address));
  }
}

void HeadParser::set(const std::string& key, std::string_view value, Position key_at, Position at) {
  const auto text = [&](std::string& out) { out = std::string(value); };
  const auto list = [&](std::vector<std::string>& out) {
    for (std::string& item : list_of(value)) out.push_back(std::move(item));
  };
  if (key == "id") {
    text(head_.id);
    if (value.find_first_of(" \t,/*?") != std::string_view::npos) {
      error(at, "an id has no blanks and none of , / * ?");
    }
  } else if (key == "title") {
    text(head_.title);
  } else if (key == "rule") {
    text(head_.rule);
  } else if (key == "covers") {
    head_.covers_nothing = value == "nothing";
    if (!head_.covers_nothing) list(head_.covers);
  } else if (key == "requires") {
    list(head_.needs);
  } else if (key == "level") {
    one_of(value, at, {"must", "should", "may"});
    text(head_.level);
  } else if (key == "examines") {
    one_of(value, at, {"A", "B", "both"});
    head_.examines = value == "A" ? Examines::kA : value == "both" ? Examines::kBoth : Examines::kB;
  } else if (key == "targets") {
    list(head_.targets);
    for (const std::string& target : head_.targets) {
      if (!is_target(target)) {
        error(at, cat("unknown target \"", target, "\": one of ", join(all_targets(), ", ")));
      }
    }
  } else if (key == "isn") {
    isn(value, at);
  } else if (key == "addresses") {
    addresses(value, at);
  } else if (key == "family") {
    one_of(value, at, {"ipv4", "ipv6"});
    head_.ipv6 = value == "ipv6";
  } else if (key == "tolerance") {
    duration(value, at, head_.tolerance);
  } else if (key == "patience") {
    duration(value, at, head_.patience);
  } else if (key == "slow") {
    head_.slow = yes_or_no(value, at);
  } else {
    error(key_at, cat("unknown key \"", key,
                      "\": one of id, title, rule, covers, level, examines, targets, "
                      "requires, set, isn, addresses, family, for, tolerance, patience, slow"));
  }
}

}  // namespace

Head parse_head(std::string_view source, std::vector<Diagnostic>& diagnostics,
                int& last_head_line) {
  return HeadParser(diagnostics).parse(source, last_head_line);
}

}  // namespace tcproctor::conformance
