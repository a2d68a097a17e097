// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/flag_set.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tcproctor::cli {
namespace {

std::string with_dashes(absl::string_view name) {
  return absl::StrCat(name.size() == 1 ? "-" : "--", name);
}

}  // namespace

const FlagSet::Flag* FlagSet::find(absl::string_view name) const {
  const auto flag =
      std::find_if(flags_.begin(), flags_.end(), [name](const Flag& f) { return f.name == name; });
  return flag == flags_.end() ? nullptr : &*flag;
}

size_t FlagSet::words_taken(absl::string_view word) const {
  if (!absl::ConsumePrefix(&word, "--")) return 0;
  const size_t equals = word.find('=');
  const Flag* const flag = find(word.substr(0, equals));
  if (flag == nullptr || flag->is_bool) return 0;
  return equals == absl::string_view::npos ? 2 : 1;
}

absl::Status FlagSet::unknown(absl::string_view name) const {
  std::string message = absl::StrCat("no flag ", with_dashes(name), " here");
  for (const Flag& flag : flags_) {
    if (name.size() > 1 && (absl::StartsWith(flag.name, name) || absl::StartsWith(name, flag.name)))
      absl::StrAppend(&message, "; did you mean ", with_dashes(flag.name), "?");
  }
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<std::vector<std::string>> FlagSet::parse(
    const std::vector<std::string>& arguments) const {
  std::vector<std::string> operands;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view word = arguments[i];
    if (word == "--") {
      operands.insert(operands.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                      arguments.end());
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      operands.emplace_back(word);
      continue;
    }
    word.remove_prefix(absl::StartsWith(word, "--") ? 2 : 1);
    const size_t equals = word.find('=');
    const absl::string_view name = word.substr(0, equals);
    std::optional<std::string> value;
    if (equals != absl::string_view::npos) value = std::string(word.substr(equals + 1));

    const Flag* flag = find(name);
    if (!flag && !value && absl::StartsWith(name, "no")) {
      flag = find(name.substr(2));
      if (flag && flag->is_bool)
        value = "false";
      else
        flag = nullptr;
    }
    if (!flag) return unknown(name);
    if (!value && flag->is_bool) value = "true";
    if (!value) {
      if (i + 1 == arguments.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat(with_dashes(flag->name), " needs a value: ", flag->value));
      }
      value = arguments[++i];
    }
    std::string error;
    if (!flag->set(*value, &error)) {
      return absl::InvalidArgumentError(absl::StrCat(
          with_dashes(flag->name), "=", *value, ": not a ",
          flag->is_bool ? "truth value" : flag->value, error.empty() ? "" : ": ", error));
    }
  }
  return operands;
}

std::string FlagSet::describe() const {
  size_t width = 0;
  const auto left = [](const Flag& flag) {
    return absl::StrCat(with_dashes(flag.name), flag.value.empty() ? "" : " ", flag.value);
  };
  for (const Flag& flag : flags_) width = std::max(width, left(flag).size());
  std::string text;
  for (const Flag& flag : flags_) {
    std::string start = left(flag);
    start.resize(width, ' ');
    absl::StrAppend(&text, "  ", start, "  ", flag.help, "\n");
  }
  return text;
}

}  // namespace tcproctor::cli
