// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/completion.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace tcproctor::cli {
namespace {

// What may follow a flag, by the word that stands for its value in the help; "" for what cannot be
// guessed.
std::string choices_of(const FlagSet::Flag& flag) {
  if (flag.value == "END") return "A B";
  if (flag.value == "KIND") return "stack kernel scripted";
  if (flag.value == "FORM") return "table json";
  if (flag.value == "LINK") return "veth tun memory";
  if (flag.value == "CLOCK") return "real virtual";
  return "";
}

// The words that may come second after `first`: "create list get …" after "session".
std::vector<std::string> second_words(const VerbFlags& verbs, const std::string& first) {
  std::vector<std::string> words;
  for (const auto& [info, flags] : verbs) {
    if (absl::StartsWith(info->name, first + " "))
      words.push_back(info->name.substr(first.size() + 1));
  }
  return words;
}

// The first words, each once.
std::vector<std::string> first_words(const VerbFlags& verbs) {
  std::vector<std::string> words = {"help"};
  std::set<std::string> seen;
  for (const auto& [info, flags] : verbs) {
    const std::string word = info->name.substr(0, info->name.find(' '));
    if (seen.insert(word).second) words.push_back(word);
  }
  return words;
}

// What is given to the shell in single quotes.
std::string quoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// A choice of `operands` as "[sink|source|echo]" writes it; empty if there is none.
std::string operand_words(const VerbInfo& info) {
  for (const absl::string_view word : absl::StrSplit(info.operands, ' ')) {
    if (!absl::StrContains(word, '|')) continue;
    return absl::StrReplaceAll(word, {{"[", ""}, {"]", ""}, {"|", " "}});
  }
  return "";
}

constexpr char kBashEnd[] = R"(
_tcproctor() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  local first=${COMP_WORDS[1]} second=${COMP_WORDS[2]} verb choices i
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "$(_tcproctor_words '')" -- "$word"))
    return
  fi
  if [[ $first == help ]];
then first = $second second = $ {
  COMP_WORDS[3]
}
if ((COMP_CWORD == 2))
  ;
then COMPREPLY = ($(compgen - W "$(_tcproctor_words '')" --"$word")) elif ((COMP_CWORD == 3));
then COMPREPLY = ($(compgen - W "$(_tcproctor_words " $first ")" --"$word"))
                     fi return fi if ((COMP_CWORD == 2)) &&
                 [[-n $(_tcproctor_words "$first")]];
then COMPREPLY = ($(compgen - W "$(_tcproctor_words " $first ")" --"$word")) return fi verb =
    $first i = 2 if[[-n $(_tcproctor_words "$first")]];
then verb = "$first $second" i = 3;
fi if [[$word == -*]];
then COMPREPLY = ($(compgen - W "$(_tcproctor_flags " $verb ")" --"$word")) return fi if
    [[$before == -*]]&& choices = $(_tcproctor_values "$verb $before");
then if [[$choices == FILE]];
then COMPREPLY = ($(compgen - f-- "$word")) else COMPREPLY = ($(compgen - W "$choices" --"$word"))
    fi return fi choices = $(_tcproctor_operands "$verb") if ((COMP_CWORD == i)) &&
                           [[" $choices " == *' SESSION ' * ]];
then choices =
    "${choices/SESSION/} $(tcproctor session list 2>/dev/null | awk '{print $1}')" fi choices =
        ${choices / SESSION / } COMPREPLY = ($(compgen - W "$choices" --"$word"))
}
complete -F _tcproctor tcproctor
)";

// One function of the script: what it prints for each first argument.
std::string bash_table(const std::string& name,
                       const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string text = absl::StrCat("\n", name, "() {\n  case $1 in\n");
  for (const auto& [key, value] : rows)
    absl::StrAppend(&text, "    ", quoted(key), ") echo ", quoted(value), " ;;\n");
  return absl::StrCat(text, "    *) return 1 ;;\n  esac\n}\n");
}

// In the brackets of an _arguments specification.
std::string zsh_text(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"[", "\\["}, {"]", "\\]"}, {":", "\\:"}});
}

std::string zsh_action(const FlagSet::Flag& flag) {
  if (flag.value == "FILE" || flag.value == "FOLDER") return "_files";
  const std::string choices = choices_of(flag);
  return choices.empty() ? " " : absl::StrCat("(", choices, ")");
}

std::string zsh_case(const VerbInfo& info, const FlagSet& flags) {
  std::string text = absl::StrCat("    ", quoted(info.name), ")\n      _arguments -s");
  for (const FlagSet::Flag& flag : flags.flags()) {
    std::string spec = absl::StrCat(FlagSet::written(flag), "[", zsh_text(flag.help), "]");
    if (!flag.is_bool) absl::StrAppend(&spec, ":", flag.value, ":", zsh_action(flag));
    absl::StrAppend(&text, " \\\n        ", quoted(spec));
  }
  if (absl::StartsWith(info.operands, "SESSION"))
    absl::StrAppend(&text, " \\\n        ", quoted("1:session:_tcproctor_sessions"));
  const std::string words = operand_words(info);
  absl::StrAppend(&text, " \\\n        ",
                  quoted(absl::StrCat("*:operand:", words.empty() ? "_files" : "(" + words + ")")));
  return text + "\n      ;;\n";
}

std::string zsh_list(const std::string& name, const VerbFlags& verbs, const std::string& first) {
  std::string text = absl::StrCat("      ", name, "=(");
  std::set<std::string> seen;
  for (const auto& [info, flags] : verbs) {
    std::string word = info->name;
    if (!first.empty()) {
      if (!absl::StartsWith(word, first + " ")) continue;
      word = word.substr(first.size() + 1);
    }
    const bool group = absl::StrContains(word, ' ');
    if (group) word = word.substr(0, word.find(' '));
    if (!seen.insert(word).second) continue;
    const std::string summary =
        group ? absl::StrJoin(second_words(verbs, word), ", ") : info->summary;
    absl::StrAppend(&text, "\n        ", quoted(absl::StrCat(word, ":", zsh_text(summary))));
  }
  return text + ")\n";
}

}  // namespace

std::string bash_completion(const VerbFlags& verbs) {
  std::vector<std::pair<std::string, std::string>> words, flag_rows, values, operands;
  words.emplace_back("", absl::StrJoin(first_words(verbs), " "));
  for (const std::string& first : first_words(verbs)) {
    const std::vector<std::string> second = second_words(verbs, first);
    if (!second.empty()) words.emplace_back(first, absl::StrJoin(second, " "));
  }
  for (const auto& [info, flags] : verbs) {
    std::string all;
    for (const FlagSet::Flag& flag : flags.flags()) {
      absl::StrAppend(&all, all.empty() ? "" : " ", FlagSet::written(flag));
      if (flag.is_bool) continue;
      const bool file = flag.value == "FILE" || flag.value == "FOLDER";
      values.emplace_back(absl::StrCat(info->name, " ", FlagSet::written(flag)),
                          file ? "FILE" : choices_of(flag));
    }
    flag_rows.emplace_back(info->name, all);
    std::string choices = operand_words(*info);
    if (absl::StartsWith(info->operands, "SESSION")) choices += " SESSION";
    operands.emplace_back(info->name, choices);
  }
  return absl::StrCat("# bash completion for tcproctor, made by `tcproctor completion bash`\n",
                      bash_table("_tcproctor_words", words),
                      bash_table("_tcproctor_flags", flag_rows),
                      bash_table("_tcproctor_values", values),
                      bash_table("_tcproctor_operands", operands), kBashEnd);
}

std::string zsh_completion(const VerbFlags& verbs) {
  std::string text =
      "#compdef tcproctor\n# zsh completion for tcproctor, made by `tcproctor completion zsh`\n\n"
      "_tcproctor_sessions() {\n"
      "  local -a sessions\n"
      "  sessions=(${(f)\"$(tcproctor session list 2>/dev/null | awk '{print $1}')\"})\n"
      "  compadd -a sessions\n"
      "}\n\n"
      "_tcproctor() {\n"
      "  local -a choices\n"
      "  if (( CURRENT == 2 )); then\n" +
      zsh_list("choices", verbs, "") +
      "      choices+=('help:explains a verb')\n"
      "      _describe verb choices\n"
      "      return\n"
      "  fi\n"
      "  if [[ $words[2] == help ]]; then\n"
      "    shift words\n"
      "    (( CURRENT-- ))\n"
      "    (( CURRENT < 4 )) && _tcproctor\n"
      "    return\n"
      "  fi\n"
      "  local verb=$words[2]\n";
  for (const std::string& first : first_words(verbs)) {
    if (second_words(verbs, first).empty()) continue;
    absl::StrAppend(&text, "  if [[ $verb == ", first,
                    " ]]; then\n"
                    "    if (( CURRENT == 3 )); then\n",
                    zsh_list("choices", verbs, first),
                    "      _describe verb choices\n"
                    "      return\n"
                    "    fi\n"
                    "    verb=\"$verb $words[3]\"\n"
                    "    shift words\n"
                    "    (( CURRENT-- ))\n"
                    "  fi\n");
  }
  absl::StrAppend(&text, "  shift words\n  (( CURRENT-- ))\n  case $verb in\n");
  for (const auto& [info, flags] : verbs) absl::StrAppend(&text, zsh_case(*info, flags));
  absl::StrAppend(&text,
                  "  esac\n}\n\n"
                  "if [[ $funcstack[1] == _tcproctor ]]; then\n"
                  "  _tcproctor \"$@\"\n"
                  "else\n"
                  "  compdef _tcproctor tcproctor\n"
                  "fi\n");
  return text;
}

}  // namespace tcproctor::cli
