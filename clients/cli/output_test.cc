// SPDX-License-Identifier: Apache-2.0
// The forms of what is printed: JSON for programs, colours for terminals.
#include <gmock/gmock.h>
#include <google/protobuf/struct.pb.h>

#include <fstream>

#include "absl/strings/str_join.h"
#include "clients/cli/command_testing.h"

namespace tcproctor::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

using OutputTest = CommandTest;

TEST_F(OutputTest, OutputIsTableOrJson) {
  daemon_.sessions.get.answer(session_answer());
  EXPECT_EQ(run({"session", "get", "s1", "--output", "json"}), kExitOk);
  EXPECT_EQ(json<v1::Session>().id(), "s1");
  EXPECT_EQ(run_bare({"--output=json", "--address", daemon_.address(), "session", "get", "s1"}),
            kExitOk);
  EXPECT_EQ(json<v1::Session>().id(), "s1");
  EXPECT_EQ(run({"session", "get", "s1", "--output", "table"}), kExitOk);
  EXPECT_THAT(out_, StartsWith("s1  A STACK"));
  EXPECT_EQ(run({"session", "get", "s1", "--output", "yaml"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("--output=yaml: want table or json"));
  EXPECT_EQ(run({"session", "get", "s1", "--output", "json", "--json", "file"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("say one of them"));
}

// With --output json standard output is JSON and nothing else, whatever the verb; a verb that has
// none does not know the flag.
TEST_F(OutputTest, EveryVerbHasJsonOrSaysSo) {
  daemon_.sessions.create.answer(session_answer());
  daemon_.sessions.get.answer(session_answer());
  const std::string script = ::testing::TempDir() + "/json.pkt";
  std::ofstream(script) << "0 close(3) = 0\n";
  const std::vector<std::vector<std::string>> commands = {
      {"list", "--filter", "S000-2.1"},
      {"list", "--coverage"},
      {"check", script},
      {"mutants", "--list"},
      {"session", "create"},
      {"session", "list"},
      {"session", "get", "s1"},
      {"session", "renew", "s1"},
      {"session", "reset", "s1"},
      {"session", "delete", "s1"},
      {"open", "s1", "--end", "B", "--local", ":80"},
      {"accept", "s1", "1"},
      {"send", "s1", "1", "x"},
      {"receive", "s1", "1"},
      {"close", "s1", "1"},
      {"release", "s1", "1"},
      {"abort", "s1", "1"},
      {"status", "s1"},
      {"status", "s1", "1"},
      {"status", "s1", "1", "--wait", "CLOSED"},
      {"options", "s1", "1"},
      {"inject", "s1", "--from", "A", "--flags", "S"},
      {"serve", "s1", "1", "echo"},
      {"serve", "s1", "1"},
      {"version"},
  };
  for (std::vector<std::string> words : commands) {
    SCOPED_TRACE(absl::StrJoin(words, " "));
    words.insert(words.end(), {"--output", "json"});
    // These need no daemon, or none of their own.
    const bool alone = words[0] == "list" || words[0] == "check" || words[0] == "mutants";
    const int exit = alone ? run_bare(words) : run(words);
    EXPECT_NE(exit, kExitError) << err_;
    EXPECT_THAT(out_, Not(HasSubstr("\"values\""))) << "an empty list that no one put there";
    google::protobuf::Value value;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &value).ok()) << out_;
    EXPECT_TRUE(value.has_struct_value() || value.has_list_value()) << out_;
  }
  EXPECT_EQ(run_bare({"fmt", script, "--output", "json"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no flag --output here"));
}

TEST(ShowsColours, OnATerminalUnlessTheUserWantsNone) {
  EXPECT_TRUE(shows_colours(true, "xterm", nullptr));
  EXPECT_TRUE(shows_colours(true, nullptr, nullptr));
  EXPECT_TRUE(shows_colours(true, "xterm", ""));
  EXPECT_FALSE(shows_colours(true, "xterm", "1"));
  EXPECT_FALSE(shows_colours(true, "xterm", "0"));
  EXPECT_FALSE(shows_colours(true, "dumb", nullptr));
  EXPECT_FALSE(shows_colours(false, "xterm", nullptr));
}

}  // namespace
}  // namespace tcproctor::cli
