// SPDX-License-Identifier: Apache-2.0
// How long the end of a daemon takes: what idles is ended at once, what runs may come to its end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include <grpcpp/generic/generic_stub.h>

#include "server/host/unique_fd.h"
#include "server/service/service_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

class ShutdownTest : public ::testing::Test {
 protected:
  ShutdownTest() {
    std::string name = ::testing::TempDir() + "tcproctor-XXXXXX";
    folder_ = mkdtemp(name.data());
    const std::string address = "unix:" + folder_ + "/d.sock";
    daemon_ = *Daemon::start({.listen = {*parse_listen_address(address)}});
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // else a stream's window grows to megabytes
    channel_ = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    stubs_ = std::make_unique<Stubs>(channel_);
  }
  ~ShutdownTest() override {
    daemon_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::chrono::milliseconds time_to_end() {
    const Clock::time_point start = Clock::now();
    daemon_->shut_down();
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
  }

  // Well below the grace, for a busy machine.
  static constexpr std::chrono::milliseconds kAtOnce = Daemon::kShutdownGrace / 2;

  std::string folder_;
  std::unique_ptr<Daemon> daemon_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stubs> stubs_;
};

// A program that holds a channel and does something else meanwhile: nobody there answers HTTP/2's
// PING, with which gRPC asks whether the client has seen that the server goes away.
TEST_F(ShutdownTest, DoesNotWaitForAClientThatIdles) {
  const UniqueFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = folder_ + "/d.sock";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  // The preface of a connection and empty SETTINGS, RFC 9113 §3.4.
  const std::string preface =
      std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9);
  ASSERT_EQ(write(client.get(), preface.data(), preface.size()),
            static_cast<ssize_t>(preface.size()));
  char settings[64];
  ASSERT_GT(read(client.get(), settings, sizeof settings), 0);  // those of the server
  EXPECT_LT(time_to_end(), kAtOnce);
}

TEST_F(ShutdownTest, EndsIdleStreamsAtOnceAndSaysWhy) {
  const std::string id = stubs_->create(memory_pair()).id();
  Call watch_call;
  v1::WatchRequest watch;
  watch.set_session(id);
  const auto events = stubs_->endpoint->Watch(&watch_call, watch);
  Call log_call;
  v1::LogRequest log;
  log.set_session(id);
  log.set_follow(true);
  const auto entries = stubs_->wire->Log(&log_call, log);
  Call drive_call;
  const auto drive = stubs_->drive->Drive(&drive_call);
  v1::Command attach;
  attach.set_operation(1);
  attach.mutable_attach()->set_session(id);
  ASSERT_TRUE(drive->Write(attach));
  v1::Report report;
  ASSERT_TRUE(drive->Read(&report));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until all have begun

  EXPECT_LT(time_to_end(), kAtOnce);
  v1::ConnectionEvent event;
  v1::LogEntry entry;
  EXPECT_FALSE(events->Read(&event));
  EXPECT_FALSE(entries->Read(&entry));
  EXPECT_FALSE(drive->Read(&report));
  for (const grpc::Status& status : {events->Finish(), entries->Finish(), drive->Finish()}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(status.error_message(), HasSubstr("the daemon is shutting down"));
  }
}

// gRPC's own streams know nothing of the daemon's end.
TEST_F(ShutdownTest, DoesNotWaitForAHealthWatch) {
  grpc::GenericStub stub(channel_);
  Call call;
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&call, "/grpc.health.v1.Health/Watch", &queue);
  const auto step = [&queue](const std::function<void()>& begin) {
    begin();
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  grpc::ByteBuffer health;
  grpc::Status status;
  EXPECT_TRUE(step([&] { stream->StartCall(&call); }));
  const grpc::Slice everything;  // an empty question
  EXPECT_TRUE(step([&] { stream->WriteLast(grpc::ByteBuffer(&everything, 1), {}, &call); }));
  EXPECT_TRUE(step([&] { stream->Read(&health, &call); }));
  EXPECT_LT(time_to_end(), kAtOnce);
  while (step([&] { stream->Read(&health, &call); })) {
  }
  EXPECT_TRUE(step([&] { stream->Finish(&status, &call); }));
  EXPECT_FALSE(status.ok());
  queue.Shutdown();
}

// A reader of a log that is longer than what a stream takes at once.
class SlowReaderTest : public ShutdownTest {
 protected:
  SlowReaderTest() {
    const std::string id = stubs_->create(memory_pair()).id();
    const uint64_t listener = stubs_->listen(id, v1::END_B, 80).connection();
    stubs_->serve(id, listener, v1::SERVICE_KIND_SINK);
    const uint64_t a = stubs_->connect(id, v1::END_A, "192.0.2.2", 80).connection();
    stubs_->serve(id, a, v1::SERVICE_KIND_SOURCE, 1'000'000);
    EXPECT_EQ(stubs_->traffic(id, listener).flows_size(), 1);
    v1::LogRequest log;
    log.set_session(id);
    entries_ = stubs_->wire->Log(&call_, log);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // until the stream is full
  }

  Call call_;
  std::unique_ptr<grpc::ClientReader<v1::LogEntry>> entries_;
};

TEST_F(SlowReaderTest, GetsWhatWaitsForHim) {
  std::chrono::milliseconds took{};
  std::thread ender([&] { took = time_to_end(); });
  std::this_thread::sleep_for(Daemon::kShutdownGrace / 4);
  int read = 0;
  for (v1::LogEntry entry; entries_->Read(&entry);) ++read;
  const grpc::Status status = entries_->Finish();
  ender.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("the daemon is shutting down"));
  EXPECT_GE(read, 64);
  EXPECT_GE(took, Daemon::kShutdownGrace / 8);
}

TEST_F(SlowReaderTest, WhoNeverReadsGetsTheGraceAndNoMore) {
  const std::chrono::milliseconds took = time_to_end();
  EXPECT_GE(took, Daemon::kShutdownGrace);
  EXPECT_LT(took, 3 * Daemon::kShutdownGrace);
}

}  // namespace
}  // namespace tcproctor::server
