// SPDX-License-Identifier: Apache-2.0
// What every verb of the command has: a name, its operands, its flags and its help.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/context.h"
#include "clients/cli/flag_set.h"

namespace tcproctor::cli {

// Exit statuses, the same for every verb.
inline constexpr int kExitOk = 0;
// The protocol said no (refused, reset, nothing came in time), or for `run` a violation or XPASS.
inline constexpr int kExitOutcome = 1;
inline constexpr int kExitInconclusive = 2;  // `run` only
// Misuse, no daemon, a gRPC status.
inline constexpr int kExitError = 3;

struct VerbInfo {
  std::string name;      // one word or two: "open", "session create"
  std::string operands;  // "SESSION CONNECTION [TEXT]"
  std::string summary;   // one line
  std::string help;      // more of it, and examples; ends with a line feed
  size_t min_operands = 0;
  size_t max_operands = 0;
  bool has_json = true;  // false: what it prints has no form for programs; --json is no flag of it
};

class Verb {
 public:
  explicit Verb(VerbInfo info) : info_(std::move(info)) {}
  virtual ~Verb() = default;
  const VerbInfo& info() const { return info_; }

  // Adds the verb's own flags; those of every verb (--address, --tls-ca …, --json, --output,
  // --help) come by themselves.
  virtual void define(FlagSet&) {}
  // Does it. The number of operands is within what the info says. A status that is not OK is
  // printed and becomes kExitError.
  virtual absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) = 0;

 private:
  const VerbInfo info_;
};

// How a stream that is followed to the session's end went: that the session is gone is no error
// there, as long as it existed when the stream began.
absl::StatusOr<int> end_of_following(Context& context, const absl::Status& status);

using VerbList = std::vector<std::unique_ptr<Verb>>;

// All verbs, in the order of the help.
VerbList make_verbs();

// The verb that the first one or two words name; the longer name wins. Removes those words.
Verb* find_verb(const VerbList& verbs, std::vector<std::string>& words);

// What the flags of every verb write into. `help` is set by --help.
FlagSet common_flags(Context& context, bool& help);
// All flags of a verb: its own, then those of every verb.
FlagSet flags_of(Context& context, Verb& verb, bool& help);

// INVALID_ARGUMENT: there are too few operands, or too many.
absl::Status check_operands(const VerbInfo& info, const std::vector<std::string>& operands);

// The whole command: `arguments` without the program's name. Returns the exit status.
int run_command(Context& context, const std::vector<std::string>& arguments);

}  // namespace tcproctor::cli
