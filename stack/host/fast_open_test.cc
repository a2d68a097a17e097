// SPDX-License-Identifier: Apache-2.0
// TCP Fast Open (RFC 7413) between two hosts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/host/host_test_util.h"

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;
using tcp::Outcome;
using tcp::State;

class FastOpenTest : public testing::Test {
 protected:
  FastOpenTest() {
    options_.fast_open = true;
    const OpenResult passive =
        pair_.b->open(pair_.now, {.local = {ip("0.0.0.0"), 80}, .options = options_});
    EXPECT_EQ(passive.outcome, Outcome::kOk);
    pair_.listener = passive.id;
  }

  OpenResult open(size_t octets) {
    const std::vector<uint8_t> data(octets, 'x');
    return pair_.a->open(pair_.now, {.active = true,
                                     .remote = packet::SocketAddress{ip("192.0.2.2"), 80},
                                     .options = options_,
                                     .data = data});
  }

  // The first connection asks for the cookie.
  void get_cookie() {
    open(0);
    pair_.pump();
    ASSERT_EQ(pair_.b->accept(pair_.now, pair_.listener).outcome, Outcome::kOk);
  }

  size_t received(ConnectionId id) {
    std::vector<uint8_t> buffer(65536);
    return pair_.b->receive(pair_.now, id, buffer).received;
  }

  HostPair pair_;
  tcp::ConnectionOptions options_;
};

TEST_F(FastOpenTest, SecondOpenCarriesDataThatIsThereBeforeTheHandshakeIsDone) {
  get_cookie();
  const OpenResult second = open(100);
  EXPECT_EQ(second.accepted, 100u);
  // Only the SYN gets through.
  pair_.tap = [&](bool from_a, const Frame&) { return from_a; };
  pair_.pump();
  const OpenResult accepted = pair_.b->accept(pair_.now, pair_.listener);
  ASSERT_EQ(accepted.outcome, Outcome::kOk);
  EXPECT_EQ(pair_.state(*pair_.b, accepted.id), State::kSynReceived);
  EXPECT_EQ(received(accepted.id), 100u);
  pair_.tap = nullptr;
  pair_.run_for(3s);
  EXPECT_EQ(pair_.state(*pair_.b, accepted.id), State::kEstablished);
  EXPECT_EQ(pair_.state(*pair_.a, second.id), State::kEstablished);
  EXPECT_EQ(received(accepted.id), 0u) << "once is enough";
  EXPECT_EQ(pair_.b->accept(pair_.now, pair_.listener).outcome, Outcome::kWouldBlock);
  EXPECT_TRUE(
      pair_.a->status(pair_.now, second.id)->fast_open.value_or(tcp::FastOpenReport{}).data_taken);
  EXPECT_TRUE(pair_.b->status(pair_.now, accepted.id)
                  ->fast_open.value_or(tcp::FastOpenReport{})
                  .data_taken);
}

// RFC7413-4.1.3.1-1: a path that swallows SYNs with data costs one timeout, once.
TEST_F(FastOpenTest, PathThatSwallowsItIsRemembered) {
  get_cookie();
  int swallowed = 0;
  pair_.tap = [&](bool from_a, const Frame& frame) {
    if (!from_a || frame.bytes[13] != 0) return true;
    const packet::TcpSegment segment = tcp_of(frame);
    const bool lost = segment.has(packet::kSyn) && !segment.payload.empty();
    swallowed += lost ? 1 : 0;
    return !lost;
  };
  for (int i = 0; i < 2; ++i) {
    open(100);
    pair_.run_for(5s);
    const OpenResult accepted = pair_.b->accept(pair_.now, pair_.listener);
    ASSERT_EQ(accepted.outcome, Outcome::kOk);
    EXPECT_EQ(received(accepted.id), 100u);
  }
  EXPECT_EQ(swallowed, 1);
  pair_.run_for(6min);
  open(100);
  pair_.pump();
  EXPECT_EQ(swallowed, 2) << "RFC7413-4.1.3.1-2: for a time";
}

// Data given to OPEN without Fast Open follows the handshake.
TEST_F(FastOpenTest, DataOfOpenWithoutIt) {
  options_.fast_open = false;
  const OpenResult first = open(100);
  EXPECT_EQ(first.accepted, 100u);
  pair_.pump();
  const OpenResult accepted = pair_.b->accept(pair_.now, pair_.listener);
  EXPECT_EQ(received(accepted.id), 100u);
  EXPECT_FALSE(
      pair_.a->status(pair_.now, first.id)->fast_open.value_or(tcp::FastOpenReport{}).data_taken);
}

// Closing the listener takes what was not accepted with it; what was accepted stays.
TEST_F(FastOpenTest, ListenerClosesWhileOneIsPending) {
  get_cookie();
  pair_.tap = [&](bool from_a, const Frame&) { return from_a; };
  open(10);
  pair_.pump();
  const ConnectionId taken = pair_.b->accept(pair_.now, pair_.listener).id;
  open(10);
  pair_.pump();
  EXPECT_EQ(pair_.b->close(pair_.now, pair_.listener), Outcome::kOk);
  pair_.pump();
  EXPECT_EQ(received(taken), 10u);
  EXPECT_EQ(pair_.state(*pair_.b, taken), State::kSynReceived);
  pair_.tap = nullptr;
  pair_.run_for(3s);
  EXPECT_EQ(pair_.state(*pair_.b, taken), State::kEstablished);
}

}  // namespace
}  // namespace tcproctor::host
