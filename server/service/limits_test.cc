// SPDX-License-Identifier: Apache-2.0
// What a client that means ill, or does not read, cannot make the daemon do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "server/service/service_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;

class LimitsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Daemon> daemon_ = *Daemon::start({});
  Stubs stubs_{daemon_->in_process_channel()};
};

TEST_F(LimitsTest, ReportsThatNobodyReadsEndTheStream) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  stubs_.serve(id, listener, v1::SERVICE_KIND_SINK);
  const uint64_t a = stubs_.connect(id, v1::END_A, "192.0.2.2", 80).connection();
  stubs_.serve(id, a, v1::SERVICE_KIND_SOURCE, 1'000'000);
  ASSERT_EQ(stubs_.traffic(id, listener).flows_size(), 1);
  constexpr uint64_t kCommands = 60;
  Call call;
  const auto stream = stubs_.drive->Drive(&call);
  v1::Command command;
  command.set_operation(1);
  command.mutable_attach()->set_session(id);
  ASSERT_TRUE(stream->Write(command));
  command.mutable_read_log();  // more than 2 MB each time
  std::atomic<uint64_t> written = 1;
  std::thread writer([&] {
    while (written < kCommands) {
      command.set_operation(written + 1);
      if (!stream->Write(command)) return;
      ++written;
    }
  });
  // Within the process a write ends when the daemon reads it, which it does no more in the end.
  for (uint64_t before = 0; before != written && written < kCommands;) {
    before = written;
    std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  uint64_t answered = 0;
  for (v1::Report report; stream->Read(&report);) answered += report.has_log() ? 1 : 0;
  const grpc::Status status = stream->Finish();
  writer.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << answered;
  EXPECT_THAT(status.error_message(), HasSubstr("wait to be read"));
  EXPECT_LT(answered, kCommands);
}

TEST_F(LimitsTest, AnEndThatIsNoneIsRefused) {
  const std::string id = stubs_.create(memory_pair()).id();
  Call list_call;
  v1::ListRequest list;
  list.set_session(id);
  list.set_end(static_cast<v1::End>(7));
  v1::ListResponse connections;
  EXPECT_EQ(stubs_.endpoint->List(&list_call, list, &connections).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  Call watch_call(std::chrono::seconds(5));
  v1::WatchRequest watch;
  watch.set_session(id);
  watch.set_end(static_cast<v1::End>(7));
  const auto events = stubs_.endpoint->Watch(&watch_call, watch);
  v1::ConnectionEvent event;
  EXPECT_FALSE(events->Read(&event));
  EXPECT_EQ(events->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace tcproctor::server
