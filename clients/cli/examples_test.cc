// SPDX-License-Identifier: Apache-2.0
// What the help and the README tell people to type is what the command takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "clients/cli/verb.h"
#include "clients/cli/words.h"

namespace tcproctor::cli {
namespace {

constexpr absl::string_view kName = "tcproctor ";

// Up to what a shell takes for the end of a command, outside of quotes.
absl::string_view command_at(absl::string_view text) {
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (quote != 0 || text[i] == '"' || text[i] == '\'') {
      if (quote == 0)
        quote = text[i];
      else if (text[i] == quote)
        quote = 0;
      continue;
    }
    const bool remark = text[i] == '#' && i > 0 && text[i - 1] == ' ';
    if (remark || absl::StrContains("|&;<>)\n", text[i])) return text.substr(0, i);
  }
  return text;
}

// The words behind each "tcproctor" in lines that a shell could be given.
std::vector<std::vector<std::string>> commands_in(absl::string_view lines) {
  std::vector<std::vector<std::string>> commands;
  for (size_t at = 0; (at = lines.find(kName, at)) != absl::string_view::npos; at += kName.size()) {
    const size_t line = lines.rfind('\n', at) + 1;  // npos + 1 is 0
    const absl::string_view before =
        absl::StripTrailingAsciiWhitespace(lines.substr(line, at - line));
    // Elsewhere it is an operand, or a remark.
    if (!before.empty() && !absl::StrContains("(|&;", before.back())) continue;
    const absl::string_view command = command_at(lines.substr(at + kName.size()));
    absl::StatusOr<std::vector<std::string>> words = split_words(std::string(command));
    EXPECT_TRUE(words.ok()) << command;
    if (words.ok()) commands.push_back(*std::move(words));
  }
  return commands;
}

std::string without_continuations(absl::string_view text) {
  std::string joined(text);
  for (size_t at = 0; (at = joined.find("\\\n", at)) != std::string::npos;) joined.erase(at, 2);
  return joined;
}

// The lines of a help text that are examples.
std::string examples_of(const VerbInfo& info) {
  std::string lines;
  for (const absl::string_view line : absl::StrSplit(without_continuations(info.help), '\n'))
    if (absl::StartsWith(line, "  ")) absl::StrAppend(&lines, line, "\n");
  return lines;
}

// The blocks of a page that are for a shell.
std::string blocks_of(const std::string& page) {
  std::string lines;
  bool within = false;
  for (const absl::string_view line : absl::StrSplit(without_continuations(page), '\n')) {
    if (absl::StartsWith(line, "```"))
      within = line == "```sh";
    else if (within)
      absl::StrAppend(&lines, line, "\n");
  }
  return lines;
}

// Whether the command would take them.
void check(std::vector<std::string> words) {
  SCOPED_TRACE(absl::StrJoin(words, " "));
  std::istringstream in;
  std::ostringstream out;
  Context context(in, out, out, /*colours=*/false);
  bool help = false;
  const FlagSet common = common_flags(context, help);
  std::vector<std::string> leading;
  while (!words.empty() && common.words_taken(words[0]) != 0) {
    const auto end = words.begin() + static_cast<std::ptrdiff_t>(common.words_taken(words[0]));
    leading.insert(leading.end(), words.begin(), end);
    words.erase(words.begin(), end);
  }
  const VerbList verbs = make_verbs();
  if (!words.empty() && words[0] == "help") return;
  Verb* verb = find_verb(verbs, words);
  EXPECT_NE(verb, nullptr);
  if (!verb) return;
  words.insert(words.begin(), leading.begin(), leading.end());
  const absl::StatusOr<std::vector<std::string>> operands =
      flags_of(context, *verb, help).parse(words);
  EXPECT_TRUE(operands.ok()) << operands.status();
  if (!operands.ok()) return;
  const absl::Status status = check_operands(verb->info(), *operands);
  EXPECT_TRUE(status.ok()) << status;
}

TEST(Examples, EveryVerbHasOneAndAllCanBeTyped) {
  for (const auto& verb : make_verbs()) {
    SCOPED_TRACE(verb->info().name);
    int own = 0;
    for (const std::vector<std::string>& words : commands_in(examples_of(verb->info()))) {
      own += absl::StartsWith(absl::StrJoin(words, " ") + " ", verb->info().name + " ") ? 1 : 0;
      check(words);
    }
    EXPECT_GE(own, 1);
  }
}

TEST(Examples, TheReadmesCanBeTyped) {
  std::ifstream file(README);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  const std::vector<std::vector<std::string>> commands = commands_in(blocks_of(page));
  EXPECT_GT(commands.size(), 40U);
  for (const std::vector<std::string>& words : commands) check(words);
}

}  // namespace
}  // namespace tcproctor::cli
