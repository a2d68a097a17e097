// SPDX-License-Identifier: Apache-2.0
// Two hosts on a wire in memory, driven by a virtual clock.
#include "stack/link/host_loop.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "stack/link/memory_link.h"

namespace tcproctor::link {
namespace {

using namespace std::chrono_literals;

class MemoryWireTest : public testing::Test {
 protected:
  explicit MemoryWireTest(size_t capacity = 1024) {
    auto [a, b] = MemoryLink::pair(host::LinkLayer::kEthernet, capacity);
    link_a_ = std::move(a);
    link_b_ = std::move(b);
    host_a_ = make_host(1);
    host_b_ = make_host(2);
    loop_a_ = std::make_unique<HostLoop>(*host_a_, *link_a_, scheduler_, nullptr);
    loop_b_ = std::make_unique<HostLoop>(*host_b_, *link_b_, scheduler_, nullptr);
    EXPECT_TRUE(loop_a_->start().ok());
    EXPECT_TRUE(loop_b_->start().ok());
  }

  static std::unique_ptr<host::Host> make_host(uint8_t number) {
    host::HostConfig config;
    config.addresses = {{packet::IpAddress::v4(192, 0, 2, number), 24}};
    config.mac = {{2, 0, 0, 0, 0, number}};
    config.seed = number;
    auto host = host::Host::create(config);
    EXPECT_TRUE(host.ok()) << host.status();
    return *std::move(host);
  }

  host::ConnectionId connect() {
    listener_ = host_b_->open(scheduler_.now(), {.local = {packet::IpAddress(), 80}}).id;
    const auto open = host_a_->open(
        scheduler_.now(),
        {.active = true, .remote = packet::SocketAddress{packet::IpAddress::v4(192, 0, 2, 2), 80}});
    loop_a_->kick();
    return open.id;
  }

  tcp::State state(const host::Host& host, host::ConnectionId id) {
    const auto status = host.status(scheduler_.now(), id);
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->state : tcp::State::kClosed;
  }

  run::VirtualScheduler scheduler_;
  std::unique_ptr<MemoryLink> link_a_, link_b_;
  std::unique_ptr<host::Host> host_a_, host_b_;
  std::unique_ptr<HostLoop> loop_a_, loop_b_;
  host::ConnectionId listener_ = 0;
};

TEST_F(MemoryWireTest, HandshakeTakesNoTime) {
  const host::ConnectionId id = connect();
  std::vector<tcp::State> states;
  loop_a_->set_on_event([&](const host::HostEvent& event) {
    if (event.id == id && event.event.kind == tcp::Event::Kind::kStateChange) {
      states.push_back(event.event.to);
    }
  });
  while (scheduler_.run_next(scheduler_.now())) {
  }
  EXPECT_EQ(scheduler_.now(), tcp::Instant{});
  EXPECT_EQ(state(*host_a_, id), tcp::State::kEstablished);
  EXPECT_EQ(states, (std::vector<tcp::State>{tcp::State::kSynSent, tcp::State::kEstablished}));
}

// 2 h of keep-alive and 4 min of TIME-WAIT with the real defaults.
TEST_F(MemoryWireTest, RealDefaultsPassInNoTime) {
  const host::ConnectionId id = connect();
  scheduler_.run_until(tcp::Instant(1s));
  const host::OpenResult accepted = host_b_->accept(scheduler_.now(), listener_);
  ASSERT_EQ(accepted.outcome, tcp::Outcome::kOk);
  auto options = host_a_->options(id);
  ASSERT_TRUE(options.ok());
  options->keepalive = true;
  ASSERT_TRUE(host_a_->set_options(scheduler_.now(), id, *options).ok());
  loop_a_->kick();
  scheduler_.run_until(tcp::Instant(24h));
  EXPECT_EQ(state(*host_a_, id), tcp::State::kEstablished) << "the peer answers the probes";
  // The peer's power fails.
  loop_b_->stop();
  scheduler_.run_until(scheduler_.now() + 2h + 10 * 75s + 1h);
  const auto status = host_a_->status(scheduler_.now(), id);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->state, tcp::State::kClosed);
  EXPECT_EQ(status->last_error, tcp::Outcome::kTimedOut);
}

// RFC9293-MUST-58: a burst is acknowledged once, not once for every second segment of it.
TEST_F(MemoryWireTest, OneAcknowledgmentForABurst) {
  const host::ConnectionId id = connect();
  scheduler_.run_until(tcp::Instant(1s));
  const host::ConnectionId peer = host_b_->accept(scheduler_.now(), listener_).id;
  const uint64_t received_before = link_b_->counters().received;
  const uint64_t sent_before = link_b_->counters().sent;
  const std::vector<uint8_t> data(200'000);
  host_a_->send(scheduler_.now(), id, data, true, false);
  loop_a_->kick();
  scheduler_.run_until(tcp::Instant(10s));
  const auto status = host_b_->status(scheduler_.now(), peer);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->receive_queue_bytes, data.size());
  const uint64_t segments = link_b_->counters().received - received_before;
  const uint64_t acknowledgments = link_b_->counters().sent - sent_before;
  EXPECT_GE(segments, data.size() / 1460);
  EXPECT_LT(acknowledgments, segments / 5);
}

class NarrowWireTest : public MemoryWireTest {
 protected:
  NarrowWireTest() : MemoryWireTest(2) {}
};

// A wire that holds two frames: the hosts wait for room and lose nothing.
TEST_F(NarrowWireTest, FullWireHoldsTheHostBack) {
  const host::ConnectionId id = connect();
  scheduler_.run_until(tcp::Instant(1s));
  const host::ConnectionId peer = host_b_->accept(scheduler_.now(), listener_).id;
  std::vector<uint8_t> data(200'000);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i % 251);
  ASSERT_EQ(host_a_->send(scheduler_.now(), id, data, true, false).accepted, data.size());
  loop_a_->kick();
  std::vector<uint8_t> received;
  std::vector<uint8_t> buffer(10'000);
  for (int round = 0; round < 10000 && received.size() < data.size(); ++round) {
    scheduler_.run_until(scheduler_.now() + 1ms);
    const auto got = host_b_->receive(scheduler_.now(), peer, buffer);
    received.insert(received.end(), buffer.begin(),
                    buffer.begin() + static_cast<long>(got.received));
    loop_b_->kick();
  }
  EXPECT_TRUE(received == data);
  const auto status = host_a_->status(scheduler_.now(), id);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->total_retransmissions, 0u);
}

TEST_F(MemoryWireTest, StoppedLoopLeavesNothingScheduled) {
  connect();
  scheduler_.run_until(tcp::Instant(10ms));
  loop_a_->stop();
  loop_b_->stop();
  EXPECT_FALSE(scheduler_.next().has_value());
  loop_a_->kick();
  EXPECT_FALSE(scheduler_.next().has_value());
}

TEST(HostLoopStart, DescriptorNeedsALoop) {
  class FdLink final : public Link {
   public:
    host::LinkLayer layer() const override { return host::LinkLayer::kRawIp; }
    int fd() const override { return 0; }
    absl::Status receive(std::vector<ReceivedFrame>&) override { return absl::OkStatus(); }
    std::span<uint8_t> send_buffer() override { return {}; }
    absl::Status send(std::span<const uint8_t>, const host::FrameMeta&) override {
      return absl::OkStatus();
    }
    absl::Status flush() override { return absl::OkStatus(); }
    LinkCounters counters() override { return {}; }
  };
  host::HostConfig config;
  config.addresses = {{packet::IpAddress::v4(192, 0, 2, 1), 24}};
  config.link_layer = host::LinkLayer::kRawIp;
  auto host = host::Host::create(config);
  ASSERT_TRUE(host.ok());
  FdLink link;
  run::VirtualScheduler scheduler;
  HostLoop loop(**host, link, scheduler, nullptr);
  EXPECT_EQ(loop.start().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tcproctor::link
