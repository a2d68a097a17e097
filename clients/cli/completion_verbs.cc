// SPDX-License-Identifier: Apache-2.0
// completion
#include <limits>

#include "clients/cli/completion.h"
#include "clients/cli/completion_scripts.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"

namespace tcproctor::cli {
namespace {

class CompletionVerb : public Verb {
 public:
  CompletionVerb()
      : Verb({.name = "completion",
              .operands = "bash|zsh|words [WORD…]",
              .summary = "Prints what makes a shell complete this command",
              .help = "Verbs, flags, what a flag can be, cases, states, and the sessions and\n"
                      "connections of the daemon. words is what the shells ask: what may stand as\n"
                      "the last of the WORDs behind --, each with its meaning behind a tab.\n\n"
                      "  source <(tcproctor completion bash)          # in ~/.bashrc\n"
                      "  source <(tcproctor completion zsh)           # in ~/.zshrc, after "
                      "compinit\n"
                      "  tcproctor completion zsh > ~/.zfunc/_tcproctor\n"
                      "  tcproctor completion words -- session cr\n",
              .min_operands = 1,
              .max_operands = std::numeric_limits<size_t>::max(),
              .has_json = false}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    if (operands[0] == "words") return words(context, {operands.begin() + 1, operands.end()});
    if (operands.size() > 1 || (operands[0] != "bash" && operands[0] != "zsh"))
      return absl::InvalidArgumentError("want bash or zsh, or words -- WORD…");
    context.text() << (operands[0] == "bash" ? kBashCompletion : kZshCompletion);
    return kExitOk;
  }

 private:
  static int words(Context& context, const std::vector<std::string>& typed) {
    const Completion found = complete(context, typed);
    for (const Completion::Word& word : found.words)
      context.text() << word.text << "\t" << word.meaning << "\n";
    if (found.files == Completion::Files::kFiles) context.text() << ":files\n";
    if (found.files == Completion::Files::kFolders) context.text() << ":folders\n";
    return kExitOk;
  }
};

}  // namespace

void add_completion_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<CompletionVerb>());
}

}  // namespace tcproctor::cli
