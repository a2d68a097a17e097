// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/flag_set.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace tcproctor::cli {
namespace {

// What stands behind the word of a flag that takes several values.
constexpr absl::string_view kSeveral = ",...";
// From here on the help of a flag is on the next line.
constexpr size_t kWidest = 32;

// Where the lines of the help end.
constexpr size_t kColumns = 100;

// In lines that begin at column `indent`; the first is there already.
std::string wrapped(const std::string& text, size_t indent) {
  std::string lines;
  size_t column = indent;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (column > indent && column + 1 + word.size() > kColumns) {
      absl::StrAppend(&lines, "\n", std::string(indent, ' '));
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    absl::StrAppend(&lines, word);
    column += word.size();
  }
  return lines;
}

std::string with_dashes(absl::string_view name) {
  return absl::StrCat(name.size() == 1 ? "-" : "--", name);
}

// OK: `value` is what the word of its flag allows.
absl::Status check_alternatives(const FlagSet::Flag& flag, const std::string& value) {
  const std::vector<std::string> allowed = alternatives(flag.value);
  if (allowed.empty()) return absl::OkStatus();
  std::vector<std::string> given = {value};
  if (absl::EndsWith(flag.value, kSeveral)) given = absl::StrSplit(value, ',', absl::SkipEmpty());
  for (const std::string& word : given) {
    if (std::find(allowed.begin(), allowed.end(), word) != allowed.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        flag.written(), "=", value, ": want ",
        absl::StrJoin(allowed.begin(), allowed.end() - 1, ", "), " or ", allowed.back()));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<std::string> alternatives(absl::string_view word) {
  absl::ConsumeSuffix(&word, kSeveral);
  if (absl::ConsumePrefix(&word, "[")) absl::ConsumeSuffix(&word, "]");
  if (!absl::StrContains(word, '|')) return {};
  return absl::StrSplit(word, '|');
}

std::string FlagSet::Flag::written() const {
  return with_dashes(name);
}

const FlagSet::Flag* FlagSet::find(absl::string_view name) const {
  const auto flag =
      std::find_if(flags_.begin(), flags_.end(), [name](const Flag& f) { return f.name == name; });
  return flag == flags_.end() ? nullptr : &*flag;
}

const FlagSet::Flag* FlagSet::named_by(absl::string_view word) const {
  if (!absl::ConsumePrefix(&word, "--") && !absl::ConsumePrefix(&word, "-")) return nullptr;
  return find(word.substr(0, word.find('=')));
}

size_t FlagSet::words_taken(absl::string_view word) const {
  const Flag* const flag = named_by(word);
  if (flag == nullptr || flag->is_bool) return 0;
  return absl::StrContains(word, '=') ? 1 : 2;
}

absl::Status FlagSet::unknown(absl::string_view name) const {
  std::string message = absl::StrCat("no flag ", with_dashes(name), " here");
  for (const Flag& flag : flags_) {
    if (name.size() > 1 && (absl::StartsWith(flag.name, name) || absl::StartsWith(name, flag.name)))
      absl::StrAppend(&message, "; did you mean ", flag.written(), "?");
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
            absl::StrCat(flag->written(), " needs a value: ", flag->value));
      }
      value = arguments[++i];
    }
    if (absl::Status status = check_alternatives(*flag, *value); !status.ok()) return status;
    std::string error;
    if (!flag->set(*value, &error)) {
      return absl::InvalidArgumentError(absl::StrCat(flag->written(), "=", *value, ": not a ",
                                                     flag->is_bool ? "truth value" : flag->value,
                                                     error.empty() ? "" : ": ", error));
    }
  }
  return operands;
}

std::string FlagSet::describe() const {
  size_t width = 0;
  const auto left = [](const Flag& flag) {
    return absl::StrCat(flag.written(), flag.value.empty() ? "" : " ", flag.value);
  };
  for (const Flag& flag : flags_) {
    if (left(flag).size() < kWidest) width = std::max(width, left(flag).size());
  }
  std::string text;
  for (const Flag& flag : flags_) {
    std::string start = left(flag);
    if (start.size() > width) absl::StrAppend(&start, "\n", std::string(width + 2, ' '));
    start.resize(std::max(start.size(), width), ' ');
    absl::StrAppend(&text, "  ", start, "  ", wrapped(flag.help, width + 4), "\n");
  }
  return text;
}

}  // namespace tcproctor::cli
