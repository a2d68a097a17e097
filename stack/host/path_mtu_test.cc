// SPDX-License-Identifier: Apache-2.0
// Path-MTU discovery of a host: a router between A and B, played by the tap, that carries no packet
// above its MTU and says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/host/host_test_util.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;
using tcp::Outcome;

class PathMtuTest : public testing::Test {
 protected:
  PathMtuTest() {
    pair_.tap = [this](bool from_a, const Frame& frame) { return !from_a || forward(frame); };
  }

  bool forward(const Frame& frame) {
    const std::span<const uint8_t> packet = ip_of(frame);
    const uint8_t protocol = packet[0] >> 4 == 4 ? packet[9] : packet[6];
    if (protocol != packet::kProtocolTcp) return true;
    largest_ = std::max(largest_, packet.size());
    if (packet.size() <= router_mtu_) return true;
    ++too_big_;
    if (silent_) return false;
    const bool v4 = packet[0] >> 4 == 4;
    Frame error{.bytes = std::vector<uint8_t>(1400)};
    const packet::IpFamily family = v4 ? packet::IpFamily::kV4 : packet::IpFamily::kV6;
    error.bytes.resize(packet::build_icmp_packet(
        {.source = ip(v4 ? "192.0.2.254" : "2001:db8::fe"),
         .destination = ip(v4 ? "192.0.2.1" : "2001:db8::1")},
        {.type = v4 ? packet::kIcmpDestinationUnreachable : packet::kIcmpV6PacketTooBig,
         .code = v4 ? packet::kIcmpFragmentationNeeded : uint8_t{0},
         .rest =
             packet::icmp_rest_of_mtu(family, static_cast<uint32_t>(names_mtu_ ? router_mtu_ : 0)),
         .body = packet::icmp_quotation(family, packet)},
        error.bytes));
    errors_.push_back(
        with_ethernet(error, kMacA, kMacB, v4 ? packet::kEtherTypeIpv4 : packet::kEtherTypeIpv6));
    return false;
  }

  void pump() {
    do {
      pair_.pump();
      for (const Frame& error : std::exchange(errors_, {})) {
        pair_.a->on_frame(pair_.now, error.bytes, {});
      }
      pair_.pump();
    } while (!errors_.empty());
  }

  // Carries `octets` from A to B.
  void transfer(size_t octets) {
    const std::vector<uint8_t> data(octets, 'x');
    ASSERT_EQ(pair_.a->send(pair_.now, pair_.a_id, data, true, false).accepted, octets);
    std::vector<uint8_t> buffer(65536);
    size_t received = 0;
    for (int i = 0; i < 100 && received < octets; ++i) {
      pump();
      received += pair_.b->receive(pair_.now, pair_.b_id, buffer).received;
      pair_.run_for(50ms);
    }
    EXPECT_EQ(received, octets);
  }

  uint32_t path_mtu(ConnectionId id) { return pair_.a->status(pair_.now, id)->path_mtu; }

  HostPair pair_;
  size_t router_mtu_ = 1000;
  bool names_mtu_ = true;
  bool silent_ = false;
  size_t largest_ = 0;
  int too_big_ = 0;
  std::vector<Frame> errors_;
};

// RFC1191-3-1, 3-2, RFC8201-4-2, 5.4-3: it converges after one message, and no wider segment
// follows.
TEST_F(PathMtuTest, ConvergesInOneRoundTrip) {
  for (const char* const to : {"192.0.2.2", "2001:db8::2"}) {
    SCOPED_TRACE(to);
    router_mtu_ = *to == '2' ? 1300 : 1000;
    pair_.listener = 0;
    pair_.connect(ip(to), *to == '2' ? 81 : 80);
    too_big_ = 0;
    const tcp::Instant before = pair_.now;
    transfer(20000);
    EXPECT_LT(pair_.now - before, 900ms) << "no retransmission timeout";
    EXPECT_LE(too_big_, 10) << "what was in flight";
    EXPECT_EQ(path_mtu(pair_.a_id), router_mtu_);
    largest_ = 0;
    transfer(20000);
    EXPECT_EQ(largest_, router_mtu_);
  }
}

// RFC8201-4-1.
TEST_F(PathMtuTest, Ipv6NeverBelow1280) {
  router_mtu_ = 1279;
  pair_.connect(ip("2001:db8::2"));
  ASSERT_EQ(pair_.a->send(pair_.now, pair_.a_id, std::vector<uint8_t>(5000), true, false).outcome,
            Outcome::kOk);
  pump();
  EXPECT_GT(too_big_, 0);
  EXPECT_EQ(path_mtu(pair_.a_id), 1500u);
}

// RFC 1191 §6.4: others to the same destination learn of it, and new ones begin with it; not
// others.
TEST_F(PathMtuTest, OneFindsItForAllToTheSameDestination) {
  pair_.connect(ip("2001:db8::2"), 80);
  const ConnectionId other_family = pair_.a_id;
  pair_.listener = 0;
  pair_.connect(ip("192.0.2.2"), 81);
  const ConnectionId first = pair_.a_id;
  pair_.connect(ip("192.0.2.2"), 81);
  transfer(5000);
  EXPECT_EQ(path_mtu(first), 1000u);
  EXPECT_EQ(path_mtu(other_family), 1500u);
  pair_.connect(ip("192.0.2.2"), 81);
  EXPECT_EQ(path_mtu(pair_.a_id), 1000u);
  EXPECT_EQ(pair_.a->status(pair_.now, pair_.a_id)->receive_mss, 1460u) << "RFC1191-3.1-1";
  too_big_ = 0;
  transfer(5000);
  EXPECT_EQ(too_big_, 0);
}

// A passive connection begins with it as well.
TEST_F(PathMtuTest, PassiveConnectionBeginsWithIt) {
  pair_.connect(ip("192.0.2.2"));
  transfer(5000);
  const OpenResult listener = pair_.a->open(pair_.now, {.local = {ip("192.0.2.1"), 90}});
  pair_.b->open(pair_.now, {.active = true, .remote = packet::SocketAddress{ip("192.0.2.1"), 90}});
  pump();
  const OpenResult accepted = pair_.a->accept(pair_.now, listener.id);
  ASSERT_EQ(accepted.outcome, Outcome::kOk);
  EXPECT_EQ(path_mtu(accepted.id), 1000u);
}

// RFC 1191 §6.3, RFC1191-3-5, RFC8201-4-5: after ten minutes the path may have become wider.
TEST_F(PathMtuTest, AgesAfterTenMinutes) {
  pair_.connect(ip("192.0.2.2"));
  transfer(5000);
  router_mtu_ = 1500;
  largest_ = 0;
  pair_.run_for(9min);
  transfer(5000);
  EXPECT_EQ(largest_, 1000u);
  pair_.run_for(1min);
  EXPECT_EQ(path_mtu(pair_.a_id), 1500u);
  transfer(5000);
  EXPECT_EQ(largest_, 1500u);
}

// RFC4821-7.7-1: a router that drops without a word. Others to the same destination, and those that
// come later, learn of it.
TEST_F(PathMtuTest, BlackHoleIsFoundWithoutAMessage) {
  silent_ = true;
  router_mtu_ = 1200;
  pair_.connect(ip("192.0.2.2"));
  const ConnectionId other = pair_.a_id;
  pair_.connect(ip("192.0.2.2"));
  ASSERT_EQ(pair_.a->send(pair_.now, pair_.a_id, std::vector<uint8_t>(20000), true, false).outcome,
            Outcome::kOk);
  pair_.run_for(6s);
  EXPECT_EQ(path_mtu(pair_.a_id), 1500u);
  pair_.run_for(4s);
  EXPECT_EQ(pair_.b->status(pair_.now, pair_.b_id)->receive_queue_bytes, 20000u);
  EXPECT_GE(path_mtu(pair_.a_id), 1024u);
  EXPECT_LE(path_mtu(pair_.a_id), 1200u);
  EXPECT_LE(path_mtu(other), 1200u);
  pair_.connect(ip("192.0.2.2"));
  EXPECT_LE(path_mtu(pair_.a_id), 1200u);
  too_big_ = 0;
  pair_.run_for(10min);  // what is known ages, but nobody falls into the hole again: one probes
  transfer(60000);
  EXPECT_LE(too_big_, 8);
  EXPECT_LE(path_mtu(pair_.a_id), 1200u);
  router_mtu_ = 1500;
  pair_.run_for(11min);
  transfer(60000);
  EXPECT_EQ(path_mtu(pair_.a_id), 1500u);
}

// RFC1191-3-6.
TEST_F(PathMtuTest, RouterThatNamesNoMtu) {
  names_mtu_ = false;
  router_mtu_ = 800;
  pair_.connect(ip("192.0.2.2"));
  transfer(10000);
  EXPECT_EQ(path_mtu(pair_.a_id), 508u);
}

// RFC1191-3-7: DF is what makes routers speak; without discovery they fragment.
TEST_F(PathMtuTest, DontFragmentBit) {
  for (const bool discovery : {true, false}) {
    tcp::ConnectionOptions options;
    options.path_mtu_discovery = discovery;
    std::vector<bool> seen;
    pair_.tap = [&](bool from_a, const Frame& frame) {
      if (frame.bytes[13] != 0x06) seen.push_back((ip_of(frame)[6] & 0x40) != 0);
      return !from_a || frame.bytes[13] == 0x06;
    };
    pair_.a->open(
        pair_.now,
        {.active = true, .remote = packet::SocketAddress{ip("192.0.2.2"), 80}, .options = options});
    pair_.pump();
    EXPECT_THAT(seen, testing::ElementsAre(discovery));
  }
}

}  // namespace
}  // namespace tcproctor::host
