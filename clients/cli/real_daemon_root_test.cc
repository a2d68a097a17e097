// SPDX-License-Identifier: Apache-2.0
// The README's examples against the real daemon, our stack and the kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/ascii.h"
#include "clients/cli/private_daemon.h"
#include "clients/cli/run_testing.h"

namespace tcproctor::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class RealDaemon : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = PrivateDaemon::start(TCPROCTORD);
    ASSERT_TRUE(started.ok()) << started.status();
    daemon_ = started->release();
  }
  static void TearDownTestSuite() { delete daemon_; }

  // What the command printed, without the line feed at its end; fails the test unless it exits so.
  std::string run(const std::vector<std::string>& words, int expected = kExitOk) {
    std::vector<std::string> all = {"--address", daemon_->address()};
    all.insert(all.end(), words.begin(), words.end());
    const Printed printed = run_words(all);
    EXPECT_EQ(printed.exit, expected) << testing::PrintToString(words) << "\n" << printed.err;
    err_ = printed.err;
    return std::string(absl::StripTrailingAsciiWhitespace(printed.out));
  }

  static PrivateDaemon* daemon_;
  std::string err_;
};

PrivateDaemon* RealDaemon::daemon_ = nullptr;

// A life of a connection between two ends, by the command alone.
void live(const std::function<std::string(const std::vector<std::string>&)>& run,
          const std::string& session) {
  const std::string listener = run({"open", session, "--end", "B", "--local", ":80"});
  const std::string a =
      run({"open", session, "--end", "A", "--to", ":80", "--wait", "--timeout", "5s"});
  const std::string b = run({"accept", session, listener, "--timeout", "5s"});
  EXPECT_EQ(run({"send", session, a, "hello"}), "5");
  EXPECT_EQ(run({"receive", session, b, "--timeout", "5s"}), "hello");
  EXPECT_THAT(run({"status", session}), ContainsRegex("A  ESTABLISHED .*\n.*LISTEN"));
  EXPECT_EQ(run({"close", session, a}), "OK");
  EXPECT_THAT(run({"status", session, b, "--wait", "CLOSE-WAIT", "--timeout", "5s"}),
              HasSubstr("CLOSE-WAIT"));
  EXPECT_EQ(run({"receive", session, b, "--timeout", "5s"}), "");
  EXPECT_EQ(run({"close", session, b}), "OK");
  EXPECT_THAT(run({"status", session, a, "--wait", "TIME-WAIT", "--timeout", "5s"}),
              HasSubstr("TIME-WAIT"));
  EXPECT_THAT(run({"capture", session}), StartsWith("    1 "));
  EXPECT_THAT(run({"capture", session, "-w", "-"}), StartsWith("\x4d\x3c\xb2\xa1"));
  run({"session", "delete", session});
}

TEST_F(RealDaemon, ALifeBetweenOurStackAndTheKernel) {
  live([this](const auto& words) { return run(words); },
       run({"session", "create", "--a", "stack", "--b", "kernel"}));
}

TEST_F(RealDaemon, ALifeInMemory) {
  live([this](const auto& words) { return run(words); },
       run({"session", "create", "--b", "stack", "--link", "memory"}));
}

TEST_F(RealDaemon, CraftedSegments) {
  const std::string session = run({"session", "create", "--a", "scripted", "--b", "kernel"});
  run({"open", session, "--end", "B", "--local", ":80"});
  EXPECT_EQ(run({"inject", session, "--from", "A", "--sport", "4000", "--dport", "80", "--flags",
                 "S", "--seq", "100", "--mss", "1460"}),
            "1");
  EXPECT_THAT(run({"status", session, "B/192.0.2.2:80-192.0.2.1:4000", "--wait", "SYN-RECEIVED",
                   "--timeout", "5s"}),
              HasSubstr("SYN-RECEIVED"));
  run({"inject", session, "--from", "A", "--flags", "S", "--sport", "70000"}, kExitError);
  EXPECT_THAT(err_, HasSubstr("source_port"));
  run({"session", "delete", session});
}

TEST_F(RealDaemon, ProgramsTalkToAByteService) {
  const std::string session =
      run({"session", "create", "--a", "stack", "--b", "kernel", "--lease", "1m"});
  const std::string listener = run({"open", session, "--end", "A", "--local", ":7"});
  run({"serve", session, listener, "source", "--bytes", "100000"});
  // curl sends a request and takes what comes for an answer without a header (HTTP/0.9).
  run({"session", "exec", session, "--end", "B", "--", "curl", "-s", "--max-time", "20",
       "--http0.9", "-o", "/dev/null", "http://192.0.2.1:7/"});
  EXPECT_THAT(run({"serve", session, listener}), HasSubstr("sent 100000 sha256 "));
  run({"session", "delete", session});
}

TEST_F(RealDaemon, Calls) {
  EXPECT_THAT(run({"call"}), HasSubstr("tcproctor.v1.Endpoint\n"));
  EXPECT_THAT(run({"call", "Sessions/GetServerInfo"}), HasSubstr("\"api\": \"tcproctor.v1\""));
  run({"call", "Sessions/GetSession", R"({"session":"none"})"}, kExitError);
  EXPECT_THAT(err_, HasSubstr("[NOT_FOUND]"));
}

TEST_F(RealDaemon, Misuse) {
  run({"session", "get", "none"}, kExitError);
  EXPECT_THAT(err_, HasSubstr("[NOT_FOUND]"));
  run({"session", "create", "--a", "kernel", "--link", "memory"}, kExitError);
  run({"session", "create", "--lease", "2h"}, kExitError);
  EXPECT_THAT(err_, HasSubstr("lease"));
}

TEST_F(RealDaemon, Health) {
  EXPECT_EQ(run({"health"}), "serving");
  EXPECT_EQ(run({"health", "--address", "unix:/nonexistent/socket"}, kExitError), "");
}

}  // namespace
}  // namespace tcproctor::cli
