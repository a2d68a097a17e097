// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"

namespace tcproctor::cli {
namespace {

constexpr char kOverview[] =
    "tcproctor: drive a TCP from afar and examine it against the RFCs\n"
    "\n"
    "usage: tcproctor VERB [FLAG…] [OPERAND…]      tcproctor help VERB\n"
    "\n";

constexpr char kExitStatus[] =
    "\n"
    "Exit status: 0 done; 1 the protocol said no (refused, reset, nothing came in time), for run "
    "a\n"
    "violation, for diff a difference, for check a file that is wrong; 2 run was inconclusive; 3\n"
    "misuse, no daemon, or the harness broke. session exec has the program's.\n";

std::string help_of(const VerbInfo& info, const FlagSet& flags) {
  return absl::StrCat("usage: tcproctor ", info.name, " [FLAG…] ", info.operands, "\n\n",
                      info.summary, ".\n", info.help, "\n", flags.describe());
}

void define_common(Context& context, FlagSet& flags, bool json, bool& help) {
  flags.add("address", context.address_flag(), "ADDRESS",
            "the daemon: unix:PATH or HOST:PORT; default the local daemon's socket (run, "
            "explain and shell: a daemon of their own)");
  flags.add("tls-ca", &context.tls_flags()->ca, "FILE",
            "mutual TLS, to a daemon on another machine: PEM file with its CA");
  flags.add("tls-cert", &context.tls_flags()->cert, "FILE", "PEM file with our certificate");
  flags.add("tls-key", &context.tls_flags()->key, "FILE", "PEM file with the key of that");
  if (json) {
    flags.add("json", context.json_flag(), "FILE",
              "the response (run: the report) in protobuf's JSON, streams an object per line; - = "
              "standard output, which then holds nothing else");
    flags.add("output", context.output_flag(), "table|json",
              "text for people, the default, or the same as --json -");
  }
  flags.add("help", &help, "", "what the verb does, with examples");
}

std::string overview(Context& context, const VerbList& verbs) {
  std::string text = kOverview;
  for (const auto& verb : verbs) {
    std::string name = verb->info().name;
    name.resize(std::max<size_t>(name.size(), 16), ' ');
    absl::StrAppend(&text, "  ", name, " ", verb->info().summary, "\n");
  }
  bool help = false;
  return absl::StrCat(
      text, "\nFlags of every verb (fmt, shell and completion have no --json and --output):\n",
      common_flags(context, help).describe(), kExitStatus);
}

// The flags of every verb may stand before it as well: takes them off the front, with their values.
std::vector<std::string> take_leading_flags(Context& context, std::vector<std::string>& words) {
  bool help = false;
  const FlagSet common = common_flags(context, help);
  size_t count = 0;
  while (count < words.size()) {
    const size_t taken = common.words_taken(words[count]);
    if (taken == 0) break;
    count += taken;
  }
  const auto end = words.begin() + static_cast<std::ptrdiff_t>(std::min(count, words.size()));
  std::vector<std::string> flags(words.begin(), end);
  words.erase(words.begin(), end);
  return flags;
}

std::string no_such_verb(const VerbList& verbs, const std::string& word) {
  std::string message = absl::StrCat("no verb \"", word, "\"");
  for (const auto& verb : verbs) {
    if (absl::StartsWith(verb->info().name, word))
      absl::StrAppend(&message, "; there is \"", verb->info().name, "\"");
  }
  return absl::StrCat(message, "; tcproctor help lists them all");
}

absl::StatusOr<int> run_verb(Context& context, Verb& verb, const std::vector<std::string>& words) {
  bool help = false;
  const FlagSet flags = flags_of(context, verb, help);
  absl::StatusOr<std::vector<std::string>> operands = flags.parse(words);
  if (!operands.ok()) return operands.status();
  if (help) {
    context.text() << help_of(verb.info(), flags);
    return kExitOk;
  }
  absl::Status status = check_operands(verb.info(), *operands);
  if (status.ok()) status = context.open_json();
  if (!status.ok()) return status;
  return verb.run(context, *operands);
}

}  // namespace

FlagSet common_flags(Context& context, bool& help) {
  FlagSet flags;
  define_common(context, flags, /*json=*/true, help);
  return flags;
}

FlagSet flags_of(Context& context, Verb& verb, bool& help) {
  FlagSet flags;
  verb.define(flags);
  define_common(context, flags, verb.info().has_json, help);
  return flags;
}

Verb* find_verb(const VerbList& verbs, std::vector<std::string>& words) {
  for (const size_t count : {size_t{2}, size_t{1}}) {
    if (words.size() < count) continue;
    const std::string name = count == 2 ? absl::StrCat(words[0], " ", words[1]) : words[0];
    for (const auto& verb : verbs) {
      if (verb->info().name != name) continue;
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
      return verb.get();
    }
  }
  return nullptr;
}

absl::Status check_operands(const VerbInfo& info, const std::vector<std::string>& operands) {
  if (operands.size() < info.min_operands) {
    return absl::InvalidArgumentError(
        absl::StrCat("too few operands; usage: tcproctor ", info.name, " ", info.operands));
  }
  if (operands.size() > info.max_operands) {
    return absl::InvalidArgumentError(absl::StrCat("\"", operands[info.max_operands],
                                                   "\" is one operand too many; usage: tcproctor ",
                                                   info.name, " ", info.operands));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> end_of_following(Context& context, const absl::Status& status) {
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  if (!status.ok()) context.err() << status.message() << "\n";
  return kExitOk;
}

VerbList make_verbs() {
  VerbList verbs;
  for (const auto add :
       {add_run_verbs,       add_list_verbs,    add_compare_verbs, add_script_verbs,
        add_mutant_verbs,    add_session_verbs, add_exec_verbs,    add_open_verbs,
        add_transfer_verbs,  add_close_verbs,   add_status_verbs,  add_watch_verbs,
        add_inject_verbs,    add_capture_verbs, add_serve_verbs,   add_forward_verbs,
        add_shell_verbs,     add_call_verbs,    add_health_verbs,  add_version_verbs,
        add_completion_verbs}) {
    add(verbs);
  }
  return verbs;
}

int run_command(Context& context, const std::vector<std::string>& arguments) {
  const VerbList verbs = make_verbs();
  std::vector<std::string> words = arguments;
  const std::vector<std::string> leading = take_leading_flags(context, words);
  if (words.empty()) {
    context.err() << overview(context, verbs);
    return kExitError;
  }
  const bool wants_help = words[0] == "help" || words[0] == "--help" || words[0] == "-h";
  if (wants_help) words.erase(words.begin());
  if (wants_help && words.empty()) {
    context.text() << overview(context, verbs);
    return kExitOk;
  }
  const std::string first = words[0];
  Verb* verb = find_verb(verbs, words);
  if (!verb) {
    context.err() << "tcproctor: " << no_such_verb(verbs, first) << "\n";
    return kExitError;
  }
  if (wants_help) words = {"--help"};
  words.insert(words.begin(), leading.begin(), leading.end());
  const absl::StatusOr<int> exit = run_verb(context, *verb, words);
  context.text().flush();
  if (exit.ok()) return *exit;
  context.err() << "tcproctor " << verb->info().name << ": " << exit.status().message();
  // Our own complaints explain themselves; the daemon's canonical code says what kind it is.
  if (!absl::IsInvalidArgument(exit.status()))
    context.err() << " [" << absl::StatusCodeToString(exit.status().code()) << "]";
  context.err() << "\n";
  return kExitError;
}

}  // namespace tcproctor::cli
