// SPDX-License-Identifier: Apache-2.0
// `call` against a real server with reflection.
#include <gmock/gmock.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "clients/cli/run_testing.h"
#include "clients/testing/fake_daemon.h"
#include "tcproctor/v1/drive.grpc.pb.h"

namespace tcproctor::cli {
namespace {

using ::testing::HasSubstr;

// Answers each command with a report of the same number.
class EchoDrive : public v1::Drive::Service {
  grpc::Status Drive(grpc::ServerContext*,
                     grpc::ServerReaderWriter<v1::Report, v1::Command>* stream) override {
    v1::Command command;
    while (stream->Read(&command)) {
      v1::Report report;
      report.set_operation(command.operation());
      stream->Write(report);
    }
    return grpc::Status::OK;
  }
};

class CallTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { grpc::reflection::InitProtoReflectionServerBuilderPlugin(); }

  CallTest() : daemon_({&drive_}) {}

  int run(std::vector<std::string> words) {
    words.insert(words.begin(), "call");
    words.insert(words.end(), {"--address", daemon_.address()});
    Printed printed = run_words(words, input_);
    out_ = std::move(printed.out);
    err_ = std::move(printed.err);
    return printed.exit;
  }

  EchoDrive drive_;
  tcproctor::testing::FakeDaemon daemon_;
  std::string input_, out_, err_;
};

TEST_F(CallTest, ListsServicesAndMethods) {
  EXPECT_EQ(run({}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("tcproctor.v1.Endpoint\n"));
  EXPECT_THAT(out_, HasSubstr("grpc.reflection.v1alpha.ServerReflection\n"));
  EXPECT_EQ(run({"Wire"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("tcproctor.v1.Wire/Log(tcproctor.v1.LogRequest) returns (stream "
                              "tcproctor.v1.LogEntry)\n"));
  EXPECT_EQ(run({"tcproctor.v1.Sessions", "--json", "-"}), kExitOk) << err_;
  EXPECT_THAT(out_, HasSubstr("\"CreateSession\""));
}

TEST_F(CallTest, Unary) {
  v1::Session session;
  session.set_id("s1");
  session.mutable_now()->set_nanos(500'000'000);
  daemon_.sessions.create.answer(session);
  EXPECT_EQ(
      run({"Sessions/CreateSession", R"({"label":"x","lease":"1.5s","clock":"CLOCK_VIRTUAL"})"}),
      kExitOk)
      << err_;
  EXPECT_EQ(daemon_.sessions.create.last().label(), "x");
  EXPECT_EQ(daemon_.sessions.create.last().lease().nanos(), 500'000'000);
  EXPECT_EQ(daemon_.sessions.create.last().clock(), v1::CLOCK_VIRTUAL);
  EXPECT_THAT(out_, HasSubstr("\"id\": \"s1\""));
  EXPECT_THAT(out_, HasSubstr("\"now\": \"0.500s\""));
  EXPECT_EQ(run({"tcproctor.v1.Sessions/GetServerInfo"}), kExitOk) << err_;
}

TEST_F(CallTest, ServerStreamIsALinePerMessage) {
  std::vector<v1::LogEntry> entries(3);
  for (size_t i = 0; i < entries.size(); ++i) entries[i].set_number(i + 1);
  daemon_.wire.log.answer_all(entries);
  EXPECT_EQ(run({"Wire/Log", R"({"session":"s1"})"}), kExitOk) << err_;
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 3);
  EXPECT_THAT(out_, HasSubstr("\"number\":\"3\""));
}

TEST_F(CallTest, BidirectionalStream) {
  input_ = "{\"operation\":3}\n\n{\"operation\":4}\n";
  EXPECT_EQ(run({"Drive/Drive", R"({"operation":1})", R"({"operation":2})", "-"}), kExitOk) << err_;
  EXPECT_EQ(std::count(out_.begin(), out_.end(), '\n'), 4);
  EXPECT_THAT(out_, HasSubstr("\"operation\":\"4\""));
}

TEST_F(CallTest, BrokenLineCancelsTheStream) {
  input_ = "{\"operation\":3}\n{\"operation\"\n{\"operation\":4}\n";
  EXPECT_EQ(run({"Drive/Drive", "-"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("not a tcproctor.v1.Command"));
}

TEST_F(CallTest, ErrorsSayWhatWouldBeRight) {
  EXPECT_EQ(run({"Session"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("no service Session; the server has"));
  EXPECT_THAT(err_, HasSubstr("tcproctor.v1.Sessions"));
  EXPECT_EQ(run({"Sessions/Create"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("has no method Create; it has CreateSession"));
  EXPECT_EQ(run({"Sessions/GetSession", R"({"id":"x"})"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("not a tcproctor.v1.GetSessionRequest in JSON"));
  EXPECT_EQ(run({"Sessions/GetSession", "{", "{}"}), kExitError);
  EXPECT_EQ(run({"Sessions/GetSession", "{}", "{}"}), kExitError);
  EXPECT_THAT(err_, HasSubstr("takes one request, 2 were given"));
  daemon_.sessions.get.fail(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such session"));
  EXPECT_EQ(run({"Sessions/GetSession", "{}"}), kExitError);
  EXPECT_EQ(err_, "tcproctor call: no such session [NOT_FOUND]\n");
}

}  // namespace
}  // namespace tcproctor::cli
