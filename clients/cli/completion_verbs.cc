// SPDX-License-Identifier: Apache-2.0
// completion
#include "absl/strings/str_cat.h"
#include "clients/cli/completion.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"

namespace tcproctor::cli {
namespace {

class Completion : public Verb {
 public:
  Completion()
      : Verb({.name = "completion",
              .operands = "bash|zsh",
              .summary = "Prints what makes a shell complete this command",
              .help = "Verbs, flags and their values, and the ids of sessions.\n\n"
                      "  source <(tcproctor completion bash)          # in ~/.bashrc\n"
                      "  source <(tcproctor completion zsh)           # in ~/.zshrc, after "
                      "compinit\n"
                      "  tcproctor completion zsh > ~/.zfunc/_tcproctor\n",
              .min_operands = 1,
              .max_operands = 1}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const VerbList verbs = make_verbs();
    VerbFlags table;
    bool help = false;
    for (const auto& verb : verbs)
      table.emplace_back(&verb->info(), flags_of(context, *verb, &help));
    if (operands[0] == "bash")
      context.out() << bash_completion(table);
    else if (operands[0] == "zsh")
      context.out() << zsh_completion(table);
    else
      return absl::InvalidArgumentError(
          absl::StrCat("shell \"", operands[0], "\": want bash or zsh"));
    return kExitOk;
  }
};

}  // namespace

void add_completion_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Completion>());
}

}  // namespace tcproctor::cli
