// SPDX-License-Identifier: Apache-2.0
// The flags of one verb. Abseil's own flags are global to a program: with them every verb would
// take the flags of all others without a word. So the table is ours, and the values are read by
// Abseil (absl::ParseFlag), so that a duration is written "1.5s" as everywhere.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/flags/marshalling.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tcproctor::cli {

class FlagSet {
 public:
  struct Flag {
    std::string name;
    std::string value;
    std::string help;
    bool is_bool;
    std::function<bool(absl::string_view, std::string*)> set;

    // How it is written: "-w", "--json".
    std::string written() const;
  };

  // `--name VALUE` or `--name=VALUE`, stored in *target; a bool is `--name`, `--noname` or
  // `--name=false`. An std::optional tells whether the flag was given. `value` is the word that
  // stands for the value in the help ("FILE"), empty for a bool; "A|B" are all that it may be, and
  // "A|B,..." some of them. A name of one letter is written with one dash.
  template <typename T>
  void add(std::string name, T* target, std::string value, std::string help) {
    flags_.push_back({std::move(name), std::move(value), std::move(help), is_bool(target),
                      [target](absl::string_view text, std::string* error) {
                        return absl::ParseFlag(text, target, error);
                      }});
  }

  // Reads the arguments and returns what is not a flag, in order. Flags may stand anywhere before
  // "--"; everything after it is an operand, and so is "-" alone. INVALID_ARGUMENT names the flag
  // and what is wrong with it.
  absl::StatusOr<std::vector<std::string>> parse(const std::vector<std::string>& arguments) const;

  // How many words a flag with a value takes that begins with `word`: 1 for `--name=VALUE`, 2 for
  // `--name`, 0 when it is none of these flags.
  size_t words_taken(absl::string_view word) const;

  // As they were added.
  const std::vector<Flag>& flags() const { return flags_; }
  // The flag that `word` is, with or without a value after "="; null if it is none of these.
  const Flag* named_by(absl::string_view word) const;

  // One line for each flag, in the order they were added.
  std::string describe() const;

 private:
  static bool is_bool(const bool*) { return true; }
  static bool is_bool(const std::optional<bool>*) { return true; }
  static bool is_bool(const void*) { return false; }

  const Flag* find(absl::string_view name) const;
  absl::Status unknown(absl::string_view name) const;

  std::vector<Flag> flags_;
};

// What a word of the help stands for, "A|B,..." or "[sink|source]": its alternatives; none for a
// word such as FILE.
std::vector<std::string> alternatives(absl::string_view word);

}  // namespace tcproctor::cli
