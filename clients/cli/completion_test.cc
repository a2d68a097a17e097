// SPDX-License-Identifier: Apache-2.0
// What the shells are told; how they show it: completion_test.py.
#include "clients/cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"
#include "clients/cli/command_testing.h"

namespace tcproctor::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

class CompletionTest : public CommandTest {
 protected:
  // The words offered for the last one.
  std::vector<std::string> offered(const std::vector<std::string>& words) {
    std::istringstream in;
    std::ostringstream out;
    Context context(in, out, out, /*colours=*/false);
    found_ = complete(context, words);
    std::vector<std::string> texts;
    texts.reserve(found_.words.size());
    for (const Completion::Word& word : found_.words) texts.push_back(word.text);
    return texts;
  }

  Completion found_;
};

TEST_F(CompletionTest, EveryVerbWithItsFlags) {
  for (const auto& verb : make_verbs()) {
    const std::string& name = verb->info().name;
    SCOPED_TRACE(name);
    std::vector<std::string> words = absl::StrSplit(name, ' ');
    EXPECT_THAT(offered(words), Contains(words.back()));
    words.emplace_back("--");
    std::istringstream in;
    std::ostringstream out;
    Context context(in, out, out, /*colours=*/false);
    bool help = false;
    std::vector<std::string> flags;
    const FlagSet set = flags_of(context, *verb, help);
    for (const FlagSet::Flag& flag : set.flags())
      if (flag.name.size() > 1) flags.push_back(flag.written());
    EXPECT_THAT(offered(words), IsSupersetOf(flags));
  }
}

TEST_F(CompletionTest, FirstWords) {
  EXPECT_THAT(offered({""}), IsSupersetOf({"run", "session", "help", "completion"}));
  EXPECT_THAT(offered({}), Contains("run"));
  EXPECT_THAT(offered({"sess"}), ElementsAre("session"));
  EXPECT_EQ(found_.words[0].meaning, "create, list, get, renew, reset, delete, exec");
  EXPECT_THAT(offered({"session", "re"}), ElementsAre("renew", "reset"));
  EXPECT_THAT(offered({"frobnicate", ""}), IsEmpty());
  EXPECT_THAT(offered({"help", "wat"}), ElementsAre("watch"));
  EXPECT_THAT(offered({"help", "session", "cr"}), ElementsAre("create"));
  EXPECT_THAT(offered({"--j"}), ElementsAre("--json"));
  EXPECT_THAT(offered({"--json", "x", "vers"}), ElementsAre("version"));
}

TEST_F(CompletionTest, Values) {
  EXPECT_THAT(offered({"open", "s1", "--end", ""}), ElementsAre("A", "B"));
  EXPECT_THAT(offered({"open", "s1", "--end="}), ElementsAre("--end=A", "--end=B"));
  EXPECT_THAT(offered({"run", "--target", "kernel,stack"}),
              ElementsAre("kernel,stack", "kernel,stack-virtual"));
  EXPECT_THAT(offered({"status", "s1", "1", "--wait=LISTEN,SYN"}),
              ElementsAre("--wait=LISTEN,SYN-SENT", "--wait=LISTEN,SYN-RECEIVED"));
  EXPECT_THAT(offered({"status", "s1", "1", "--wait", "UNS"}), IsEmpty());
  EXPECT_THAT(offered({"open", "s1", "--set", "no_d"}), ElementsAre("no_delay="));
  EXPECT_THAT(offered({"serve", "s1", "1", "s"}), ElementsAre("sink", "source"));
  EXPECT_THAT(offered({"--output", "j"}), ElementsAre("json"));
  EXPECT_THAT(offered({"run", "--filter", "-S000-2.1-p"}), IsEmpty());
  EXPECT_THAT(offered({"explain", "S000-2.1-p"}), ElementsAre("S000-2.1-pair"));
  EXPECT_THAT(offered({"call", "Wire/Inj"}), ElementsAre("Wire/Inject"));
  EXPECT_THAT(offered({"call", "Suite/Run"}), ElementsAre("Suite/RunCases"));
  // Not a value: what stands before is a flag without one, or has its value.
  EXPECT_THAT(offered({"open", "s1", "--wait", "A"}), IsEmpty());
  EXPECT_THAT(offered({"open", "s1", "--end=A", "A"}), IsEmpty());
  // Behind -- nothing is a flag.
  EXPECT_THAT(offered({"session", "exec", "s1", "--", "--e"}), IsEmpty());
}

TEST_F(CompletionTest, Files) {
  offered({"session", "get", "s1", "--json", ""});
  EXPECT_EQ(found_.files, Completion::Files::kFiles);
  offered({"check", "a", "b", ""});
  EXPECT_EQ(found_.files, Completion::Files::kFiles);
  offered({"run", "--pcap", ""});
  EXPECT_EQ(found_.files, Completion::Files::kFolders);
  offered({"diff", "a", "b", "c"});
  EXPECT_EQ(found_.files, Completion::Files::kNone);
  offered({"version", ""});
  EXPECT_EQ(found_.files, Completion::Files::kNone);
}

TEST_F(CompletionTest, SessionsAndConnectionsOfTheDaemon) {
  v1::ListSessionsResponse sessions;
  *sessions.add_sessions() = session_answer();
  sessions.mutable_sessions(0)->set_label("mine");
  daemon_.sessions.list.answer(sessions);
  EXPECT_THAT(offered({"--address", daemon_.address(), "status", ""}), ElementsAre("s1"));
  EXPECT_EQ(found_.words[0].meaning, "STACK KERNEL mine");
  EXPECT_THAT(offered({"session", "delete", "s0", "--address", daemon_.address(), ""}),
              ElementsAre("s1"));
  v1::ListResponse list;
  for (const v1::TcpState state : {v1::TCP_STATE_LISTEN, v1::TCP_STATE_ESTABLISHED}) {
    v1::ConnectionStatus& status = *list.add_connections();
    status.set_connection(static_cast<uint64_t>(list.connections_size()));
    status.set_end(v1::END_B);
    status.set_state(state);
  }
  daemon_.endpoint.list.answer(list);
  EXPECT_THAT(offered({"status", "s1", "--address", daemon_.address(), ""}), ElementsAre("1", "2"));
  EXPECT_EQ(daemon_.endpoint.list.last().session(), "s1");
  EXPECT_EQ(found_.words[1].meaning, "B ESTABLISHED *:0");
  EXPECT_THAT(offered({"accept", "s1", "--address", daemon_.address(), ""}), ElementsAre("1"));
  // Without a daemon there are none, and no complaint.
  EXPECT_THAT(offered({"status", "--address", "unix:/nonexistent/socket", ""}), IsEmpty());
}

TEST_F(CompletionTest, AsTheShellsAskForIt) {
  EXPECT_EQ(run_bare({"completion", "words", "--", "session", "cr"}), kExitOk);
  EXPECT_EQ(out_, "create\tMakes a session, a wire with two ends, and prints its id\n");
  EXPECT_EQ(run_bare({"completion", "words", "--", "run", "--pcap", ""}), kExitOk);
  EXPECT_EQ(out_, ":folders\n");
  EXPECT_EQ(run_bare({"completion", "words"}), kExitOk);
  EXPECT_THAT(out_, Not(IsEmpty()));
  EXPECT_EQ(run_bare({"completion", "fish"}), kExitError);
  EXPECT_EQ(err_, "tcproctor completion: want bash or zsh, or words -- WORD…\n");
}

}  // namespace
}  // namespace tcproctor::cli
