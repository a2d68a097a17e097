// SPDX-License-Identifier: Apache-2.0
// Two hosts back to back: the life of connections, seen from outside.
#include "stack/host/host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "stack/host/host_test_util.h"

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;
using packet::IpAddress;
using packet::SocketAddress;
using tcp::Outcome;
using tcp::State;
using testing::Contains;

std::vector<uint8_t> pattern(size_t size) {
  std::vector<uint8_t> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(i * 31 + i / 251);
  return bytes;
}

// Moves `data` from one end to the other, reading as it comes.
std::vector<uint8_t> transfer(HostPair& pair, Host& from, ConnectionId from_id, Host& to,
                              ConnectionId to_id, const std::vector<uint8_t>& data) {
  std::vector<uint8_t> received;
  std::vector<uint8_t> buffer(100000);
  size_t sent = 0;
  for (int round = 0; round < 100000 && received.size() < data.size(); ++round) {
    sent += from.send(pair.now, from_id, std::span(data).subspan(sent), true, false).accepted;
    pair.run_for(1ms);
    const ReceiveResult got = to.receive(pair.now, to_id, buffer);
    received.insert(received.end(), buffer.begin(),
                    buffer.begin() + static_cast<long>(got.received));
  }
  return received;
}

struct Variant {
  LinkLayer layer;
  const char* b_address;
  bool offload;
};

class HostPairTest : public testing::TestWithParam<Variant> {
 protected:
  static HostConfig with(HostConfig config) {
    config.checksum_offload = GetParam().offload;
    config.segmentation_offload = GetParam().offload;
    return config;
  }
  HostPair pair_{with(config_a(GetParam().layer)), with(config_b(GetParam().layer))};
  const IpAddress b_address_ = ip(GetParam().b_address);
};

INSTANTIATE_TEST_SUITE_P(All, HostPairTest,
                         testing::Values(Variant{LinkLayer::kEthernet, "192.0.2.2", false},
                                         Variant{LinkLayer::kEthernet, "2001:db8::2", false},
                                         Variant{LinkLayer::kRawIp, "192.0.2.2", false},
                                         Variant{LinkLayer::kRawIp, "2001:db8::2", false},
                                         Variant{LinkLayer::kEthernet, "192.0.2.2", true},
                                         Variant{LinkLayer::kRawIp, "2001:db8::2", true}));

TEST_P(HostPairTest, HandshakeDataBothWaysAndClose) {
  pair_.connect(b_address_);
  const std::vector<uint8_t> data = pattern(1'000'000);
  EXPECT_TRUE(transfer(pair_, *pair_.a, pair_.a_id, *pair_.b, pair_.b_id, data) == data);
  EXPECT_TRUE(transfer(pair_, *pair_.b, pair_.b_id, *pair_.a, pair_.a_id, data) == data);

  EXPECT_EQ(pair_.a->close(pair_.now, pair_.a_id), Outcome::kOk);
  pair_.run_for(1s);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kFinWait2);
  EXPECT_EQ(pair_.state(*pair_.b, pair_.b_id), State::kCloseWait);
  std::array<uint8_t, 1> byte{};
  EXPECT_EQ(pair_.b->receive(pair_.now, pair_.b_id, byte).outcome, Outcome::kEndOfStream);
  EXPECT_EQ(pair_.b->close(pair_.now, pair_.b_id), Outcome::kOk);
  pair_.run_for(1s);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kTimeWait);
  EXPECT_EQ(pair_.state(*pair_.b, pair_.b_id), State::kClosed);
  EXPECT_THAT(pair_.b->list(), Contains(pair_.b_id));
  // 2 MSL with the RFC's MSL.
  pair_.run_for(4min - 2s);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kTimeWait);
  pair_.run_for(2s);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kClosed);
}

TEST_P(HostPairTest, SuperSegmentsOnlyWithOffload) {
  pair_.connect(b_address_);
  size_t longest = 0;
  bool gso = false;
  pair_.tap = [&](bool, const Frame& frame) {
    longest = std::max(longest, frame.bytes.size());
    gso |= frame.meta.gso_size != 0;
    EXPECT_EQ(frame.meta.checksum_partial, GetParam().offload);
    return true;
  };
  const std::vector<uint8_t> data = pattern(1'000'000);
  EXPECT_TRUE(transfer(pair_, *pair_.a, pair_.a_id, *pair_.b, pair_.b_id, data) == data);
  EXPECT_EQ(gso, GetParam().offload);
  if (GetParam().offload) {
    EXPECT_GT(longest, 20000u);
  } else {
    EXPECT_LE(longest, 1514u);
  }
}

TEST_P(HostPairTest, SameSeedSameFrames) {
  const auto run = [&] {
    HostPair pair(with(config_a(GetParam().layer)), with(config_b(GetParam().layer)));
    std::vector<std::vector<uint8_t>> frames;
    pair.tap = [&](bool, const Frame& frame) {
      frames.push_back(frame.bytes);
      return true;
    };
    pair.connect(b_address_);
    transfer(pair, *pair.a, pair.a_id, *pair.b, pair.b_id, pattern(50'000));
    pair.a->close(pair.now, pair.a_id);
    pair.b->close(pair.now, pair.b_id);
    pair.run_for(5min);
    return frames;
  };
  const auto first = run();
  EXPECT_GT(first.size(), 10u);
  EXPECT_EQ(first, run());
}

TEST(HostTest, EventsTellTheLadder) {
  HostPair pair;
  pair.connect(ip("192.0.2.2"));
  pair.a->close(pair.now, pair.a_id);
  pair.run_for(1s);
  pair.b->close(pair.now, pair.b_id);
  pair.run_for(5min);
  const auto states = [](const std::vector<HostEvent>& events, ConnectionId id) {
    std::string text;
    for (const HostEvent& event : events) {
      if (event.id == id && event.event.kind == tcp::Event::Kind::kStateChange) {
        text += std::string(to_string(event.event.to)) + " ";
      }
    }
    return text;
  };
  EXPECT_EQ(states(pair.events_a, pair.a_id),
            "SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT CLOSED ");
  EXPECT_EQ(states(pair.events_b, pair.b_id),
            "SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED ");
  // The listener says that there is something to ACCEPT after the connection is ESTABLISHED.
  std::vector<std::pair<ConnectionId, tcp::Event::Kind>> order;
  for (const HostEvent& event : pair.events_b) {
    if (event.event.kind == tcp::Event::Kind::kAcceptable ||
        event.event.to == State::kEstablished) {
      order.emplace_back(event.id, event.event.kind);
    }
  }
  ASSERT_GE(order.size(), 2u);
  EXPECT_EQ(order[0].first, pair.b_id);
  EXPECT_EQ(order[1].first, pair.listener);
}

TEST(HostTest, TimeWaitRefusesTheSamePairWithItsOwnError) {
  HostPair pair;
  pair.connect(ip("192.0.2.2"), 80, 50000);
  pair.a->close(pair.now, pair.a_id);
  pair.run_for(1s);
  pair.b->close(pair.now, pair.b_id);
  pair.run_for(1s);
  ASSERT_EQ(pair.state(*pair.a, pair.a_id), State::kTimeWait);
  OpenParameters again = {.active = true,
                          .local = {ip("192.0.2.1"), 50000},
                          .remote = SocketAddress{ip("192.0.2.2"), 80}};
  EXPECT_EQ(pair.a->open(pair.now, again).outcome, Outcome::kSocketPairInTimeWait);
  // Another pair with the same local port is another connection.
  again.remote->port = 81;
  EXPECT_EQ(pair.a->open(pair.now, again).outcome, Outcome::kOk);
  // Listening on the port alone is allowed.
  EXPECT_EQ(pair.a->open(pair.now, {.local = {ip("192.0.2.1"), 50000}}).outcome, Outcome::kOk);
  again.remote->port = 82;
  EXPECT_EQ(pair.a->open(pair.now, again).outcome, Outcome::kAddressInUse);
}

TEST(HostTest, TimeWaitOfAReleasedConnectionIsSmallAndLastsAsLong) {
  HostPair pair;
  pair.connect(ip("192.0.2.2"), 80, 50000);
  EXPECT_EQ(pair.a->release(pair.now, pair.a_id), Outcome::kOk);
  pair.run_for(1s);
  pair.b->close(pair.now, pair.b_id);
  pair.run_for(1s);
  const auto status = pair.a->status(pair.now, pair.a_id);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->state, State::kTimeWait);
  EXPECT_TRUE(status->released);
  ASSERT_TRUE(status->time_wait_timer.has_value());
  EXPECT_EQ(status->local, (SocketAddress{ip("192.0.2.1"), 50000}));
  // It cannot be used, but it can be waited out.
  EXPECT_EQ(pair.a->send(pair.now, pair.a_id, pattern(1), false, false).outcome,
            Outcome::kConnectionClosing);
  pair.run_for(*status->time_wait_timer - 1ms);
  EXPECT_EQ(pair.state(*pair.a, pair.a_id), State::kTimeWait);
  pair.run_for(1ms);
  EXPECT_EQ(pair.state(*pair.a, pair.a_id), State::kClosed);
  EXPECT_EQ(pair.events_a.back().event.from, State::kTimeWait);
  EXPECT_EQ(pair.events_a.back().event.to, State::kClosed);
}

// RFC 6191: B closed first and is in TIME-WAIT; A connects again from the same port.
TEST(HostTest, NewIncarnationOutOfTimeWait) {
  for (const bool released : {false, true}) {
    SCOPED_TRACE(released);
    HostPair pair;
    pair.connect(ip("192.0.2.2"), 80, 50000);
    const ConnectionId old = pair.b_id;
    if (released) {
      pair.b->release(pair.now, old);
    } else {
      pair.b->close(pair.now, old);
    }
    pair.run_for(1s);
    pair.a->close(pair.now, pair.a_id);
    pair.run_for(10s);
    ASSERT_EQ(pair.state(*pair.b, old), State::kTimeWait);
    ASSERT_EQ(pair.state(*pair.a, pair.a_id), State::kClosed);
    pair.connect(ip("192.0.2.2"), 80, 50000);
    EXPECT_NE(pair.b_id, old);
    EXPECT_EQ(pair.state(*pair.b, old), State::kClosed);
  }
}

// EM-TIME-WAIT-REOPEN-01, RFC9293-MAY-2: the SYN that ended the TIME-WAIT was an old duplicate, as
// the peer's RST shows; the TIME-WAIT comes back.
TEST(HostTest, TimeWaitComesBackWhenTheSynWasAnOldDuplicate) {
  for (const bool released : {false, true}) {
    SCOPED_TRACE(released);
    HostPair pair(config_a(LinkLayer::kRawIp), config_b(LinkLayer::kRawIp));
    pair.listener = pair.b->open(pair.now, {.local = {ip("0.0.0.0"), 80}}).id;
    OpenParameters open = {.active = true,
                           .local = {ip("192.0.2.1"), 50000},
                           .remote = SocketAddress{ip("192.0.2.2"), 80}};
    open.options.timestamps = false;
    pair.a_id = pair.a->open(pair.now, open).id;
    pair.pump();
    pair.b_id = pair.b->accept(pair.now, pair.listener).id;
    if (released) {
      pair.b->release(pair.now, pair.b_id);
    } else {
      pair.b->close(pair.now, pair.b_id);
    }
    pair.pump();
    pair.a->close(pair.now, pair.a_id);
    pair.pump();
    const auto time_wait = pair.b->status(pair.now, pair.b_id);
    ASSERT_TRUE(time_wait.ok());
    ASSERT_EQ(time_wait->state, State::kTimeWait);

    Crafted segment;
    segment.header.source_port = 50000;
    segment.header.flags = packet::kSyn;
    segment.header.sequence_number = time_wait->rcv_nxt + 1000;
    pair.b->on_frame(pair.now, segment.frame().bytes, {});
    const auto answer = pull_all(*pair.b, pair.now);
    ASSERT_EQ(answer.size(), 1u);
    const packet::TcpSegment syn_ack = tcp_of(answer[0], LinkLayer::kRawIp);
    ASSERT_EQ(syn_ack.header.flags, packet::kSyn | packet::kAck);
    // The new ISS lies above what the old incarnation used.
    EXPECT_LT(syn_ack.header.sequence_number - time_wait->snd_nxt, 0x80000000u);
    EXPECT_EQ(pair.b->half_open(pair.now, pair.listener).count, 1u);

    segment.header.flags = packet::kRst;
    segment.header.sequence_number = syn_ack.header.acknowledgment_number;
    pair.b->on_frame(pair.now, segment.frame().bytes, {});
    EXPECT_EQ(pair.b->half_open(pair.now, pair.listener).count, 0u);
    EXPECT_EQ(pair.state(*pair.b, pair.b_id), State::kTimeWait);
    // It answers as before: a repeated FIN is acknowledged.
    segment.header.flags = packet::kFin | packet::kAck;
    segment.header.sequence_number = time_wait->rcv_nxt - 1;
    segment.header.acknowledgment_number = time_wait->snd_nxt;
    pair.b->on_frame(pair.now, segment.frame().bytes, {});
    const auto again = pull_all(*pair.b, pair.now);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(tcp_of(again[0], LinkLayer::kRawIp).header.flags, packet::kAck);
  }
}

TEST(HostTest, PortsRunOutAndComeBack) {
  HostConfig config = config_a();
  config.tcp.ephemeral_first = 50000;
  config.tcp.ephemeral_last = 50009;
  HostPair pair(config, config_b());
  std::set<uint16_t> ports;
  std::vector<ConnectionId> ids;
  const OpenParameters open = {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 80}};
  for (int i = 0; i < 10; ++i) {
    const OpenResult result = pair.a->open(pair.now, open);
    ASSERT_EQ(result.outcome, Outcome::kOk);
    ids.push_back(result.id);
    ports.insert(pair.a->status(pair.now, result.id)->local.port);
  }
  EXPECT_EQ(ports.size(), 10u);
  EXPECT_EQ(pair.a->open(pair.now, open).outcome, Outcome::kInsufficientResources);
  // Another destination has all ports to itself.
  OpenParameters other = open;
  other.remote->port = 81;
  EXPECT_EQ(pair.a->open(pair.now, other).outcome, Outcome::kOk);
  EXPECT_EQ(pair.a->abort(pair.now, ids[0]), Outcome::kOk);
  EXPECT_EQ(pair.a->open(pair.now, open).outcome, Outcome::kOk);
}

TEST(HostTest, OpenRefusesWhatCannotBe) {
  HostPair pair;
  const auto active = [&](const char* local, std::optional<SocketAddress> remote) {
    return pair.a->open(pair.now, {.active = true, .local = {ip(local), 0}, .remote = remote})
        .outcome;
  };
  EXPECT_EQ(active("0.0.0.0", std::nullopt), Outcome::kRemoteUnspecified);
  EXPECT_EQ(active("0.0.0.0", SocketAddress{ip("192.0.2.2"), 0}), Outcome::kRemoteUnspecified);
  for (const char* bad : {"255.255.255.255", "192.0.2.255", "224.0.0.1", "0.0.0.0", "ff02::1",
                          "::", "127.0.0.1", "192.0.2.1"}) {
    EXPECT_EQ(active("0.0.0.0", SocketAddress{ip(bad), 80}), Outcome::kInvalidRemote) << bad;
  }
  EXPECT_EQ(active("192.0.2.77", SocketAddress{ip("192.0.2.2"), 80}), Outcome::kInvalidLocal);
  EXPECT_EQ(active("2001:db8::1", SocketAddress{ip("192.0.2.2"), 80}), Outcome::kInvalidLocal);
  EXPECT_EQ(active("0.0.0.0", SocketAddress{ip("203.0.113.1"), 80}), Outcome::kUnreachable);
  EXPECT_TRUE(pull_all(*pair.a, pair.now).empty()) << "nothing may be sent";

  const auto passive = [&](const char* local, uint16_t port) {
    return pair.a->open(pair.now, {.local = {ip(local), port}}).outcome;
  };
  EXPECT_EQ(passive("192.0.2.77", 80), Outcome::kInvalidLocal);
  EXPECT_EQ(passive("0.0.0.0", 80), Outcome::kOk);
  EXPECT_EQ(passive("0.0.0.0", 80), Outcome::kAddressInUse);
  EXPECT_EQ(passive("192.0.2.1", 80), Outcome::kOk);
  EXPECT_EQ(passive("192.0.2.1", 80), Outcome::kAddressInUse);
  EXPECT_EQ(passive("::", 80), Outcome::kOk);
}

TEST(HostTest, BadOptionsAreRefused) {
  HostPair pair;
  OpenParameters open = {.local = {ip("192.0.2.1"), 80}};
  open.options.dscp = 64;
  EXPECT_EQ(pair.a->open(pair.now, open).outcome, Outcome::kInsufficientResources);
}

// MUST-41, MUST-42: a listener on the port of an existing connection, half open or not.
TEST(HostTest, ListenBesideAConnectionOnTheSamePort) {
  HostPair pair;
  pair.connect(ip("192.0.2.2"), 80, 50000);
  EXPECT_EQ(pair.a->open(pair.now, {.local = {ip("192.0.2.1"), 50000}}).outcome, Outcome::kOk);
  const std::vector<uint8_t> data = pattern(10'000);
  EXPECT_TRUE(transfer(pair, *pair.a, pair.a_id, *pair.b, pair.b_id, data) == data);
  const OpenResult back =
      pair.b->open(pair.now, {.active = true, .remote = SocketAddress{ip("192.0.2.1"), 50000}});
  EXPECT_EQ(back.outcome, Outcome::kOk);
  pair.pump();
  EXPECT_EQ(pair.state(*pair.b, back.id), State::kEstablished);
}

TEST(HostTest, MostSpecificListenerGetsTheConnection) {
  HostPair pair;
  const ConnectionId any = pair.b->open(pair.now, {.local = {ip("0.0.0.0"), 80}}).id;
  const ConnectionId address = pair.b->open(pair.now, {.local = {ip("192.0.2.2"), 80}}).id;
  const ConnectionId peer = pair.b
                                ->open(pair.now, {.local = {ip("0.0.0.0"), 80},
                                                  .remote = SocketAddress{ip("192.0.2.1"), 50000}})
                                .id;
  const auto connect_from = [&](uint16_t port) {
    pair.a->open(pair.now, {.active = true,
                            .local = {ip("192.0.2.1"), port},
                            .remote = SocketAddress{ip("192.0.2.2"), 80}});
    pair.pump();
  };
  connect_from(50000);
  EXPECT_EQ(pair.b->accept(pair.now, peer).outcome, Outcome::kOk);
  connect_from(50001);
  EXPECT_EQ(pair.b->accept(pair.now, address).outcome, Outcome::kOk);
  EXPECT_EQ(pair.b->close(pair.now, address), Outcome::kOk);
  connect_from(50002);
  EXPECT_EQ(pair.b->accept(pair.now, any).outcome, Outcome::kOk);
}

TEST(HostTest, ConnectToNobodyIsRefusedAndAbortIsSeenAsReset) {
  HostPair pair;
  const OpenResult open =
      pair.a->open(pair.now, {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 81}});
  pair.pump();
  auto status = pair.a->status(pair.now, open.id);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->state, State::kClosed);
  EXPECT_EQ(status->last_error, Outcome::kConnectionRefused);
  EXPECT_EQ(pair.b->counters().resets_for_closed, 1u);
  EXPECT_EQ(pair.a->send(pair.now, open.id, {}, false, false).outcome, Outcome::kConnectionRefused);

  pair.connect(ip("192.0.2.2"));
  EXPECT_EQ(pair.a->abort(pair.now, pair.a_id), Outcome::kOk);
  pair.pump();
  status = pair.b->status(pair.now, pair.b_id);
  ASSERT_TRUE(status.ok());
  EXPECT_EQ(status->last_error, Outcome::kConnectionReset);
  std::array<uint8_t, 10> buffer{};
  EXPECT_EQ(pair.b->receive(pair.now, pair.b_id, buffer).outcome, Outcome::kConnectionReset);
}

TEST(HostTest, UnreadDataOutlivesTheConnection) {
  HostPair pair;
  pair.connect(ip("192.0.2.2"));
  const std::vector<uint8_t> data = pattern(1000);
  pair.a->send(pair.now, pair.a_id, data, true, false);
  pair.a->close(pair.now, pair.a_id);
  pair.run_for(1s);
  pair.b->close(pair.now, pair.b_id);
  pair.run_for(1s);
  ASSERT_EQ(pair.state(*pair.b, pair.b_id), State::kClosed);
  std::vector<uint8_t> buffer(600);
  EXPECT_EQ(pair.b->receive(pair.now, pair.b_id, buffer).received, 600u);
  EXPECT_TRUE(std::equal(buffer.begin(), buffer.end(), data.begin()));
  EXPECT_EQ(pair.b->receive(pair.now, pair.b_id, buffer).received, 400u);
  EXPECT_EQ(pair.b->receive(pair.now, pair.b_id, buffer).outcome, Outcome::kEndOfStream);
}

TEST(HostTest, ClosingAListenerResetsWhatNobodyAccepted) {
  HostPair pair;
  const ConnectionId listener = pair.b->open(pair.now, {.local = {ip("0.0.0.0"), 80}}).id;
  const ConnectionId open =
      pair.a->open(pair.now, {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 80}}).id;
  pair.pump();
  ASSERT_EQ(pair.state(*pair.a, open), State::kEstablished);
  EXPECT_EQ(pair.b->close(pair.now, listener), Outcome::kOk);
  pair.pump();
  EXPECT_EQ(pair.a->status(pair.now, open)->last_error, Outcome::kConnectionReset);
  EXPECT_EQ(pair.state(*pair.b, listener), State::kClosed);
  EXPECT_EQ(pair.b->accept(pair.now, listener).outcome, Outcome::kConnectionDoesNotExist);
}

TEST(HostTest, ListenerBecomesActiveUnderTheSameId) {
  HostPair pair;
  const ConnectionId waiting = pair.b->open(pair.now, {.local = {ip("192.0.2.2"), 80}}).id;
  const ConnectionId id = pair.a->open(pair.now, {.local = {ip("192.0.2.1"), 50000}}).id;
  EXPECT_EQ(pair.a->send(pair.now, id, pattern(3), false, false).outcome,
            Outcome::kRemoteUnspecified);
  EXPECT_EQ(pair.a->open_active(pair.now, id, {ip("192.0.2.2"), 80}), Outcome::kOk);
  pair.pump();
  EXPECT_EQ(pair.state(*pair.a, id), State::kEstablished);
  EXPECT_EQ(pair.b->accept(pair.now, waiting).outcome, Outcome::kOk);
  EXPECT_EQ(pair.a->open_active(pair.now, id, {ip("192.0.2.2"), 80}), Outcome::kConnectionExists);
  const auto first = std::ranges::find_if(
      pair.events_a, [&](const HostEvent& event) { return event.event.to == State::kSynSent; });
  ASSERT_NE(first, pair.events_a.end());
  EXPECT_EQ(first->event.from, State::kListen);
}

TEST(HostTest, SendOnAListenerWithASpecifiedRemoteConnects) {
  HostPair pair;
  const ConnectionId waiting = pair.b->open(pair.now, {.local = {ip("192.0.2.2"), 80}}).id;
  const ConnectionId id = pair.a
                              ->open(pair.now, {.local = {ip("192.0.2.1"), 50000},
                                                .remote = SocketAddress{ip("192.0.2.2"), 80}})
                              .id;
  EXPECT_EQ(pair.a->send(pair.now, id, pattern(3), true, false).accepted, 3u);
  pair.pump();
  const OpenResult accepted = pair.b->accept(pair.now, waiting);
  ASSERT_EQ(accepted.outcome, Outcome::kOk);
  std::array<uint8_t, 10> buffer{};
  EXPECT_EQ(pair.b->receive(pair.now, accepted.id, buffer).received, 3u);
}

TEST(HostTest, SimultaneousOpen) {
  HostPair pair;
  const auto open = [&](Host& host, const char* local, uint16_t from, const char* remote,
                        uint16_t to) {
    return host.open(
        pair.now,
        {.active = true, .local = {ip(local), from}, .remote = SocketAddress{ip(remote), to}});
  };
  const OpenResult a = open(*pair.a, "192.0.2.1", 8888, "192.0.2.2", 7777);
  const OpenResult b = open(*pair.b, "192.0.2.2", 7777, "192.0.2.1", 8888);
  pair.run_for(1s);
  EXPECT_EQ(pair.state(*pair.a, a.id), State::kEstablished);
  EXPECT_EQ(pair.state(*pair.b, b.id), State::kEstablished);
}

TEST(HostTest, EmbryonicConnectionIsListedAndCanBeUsed) {
  HostPair pair;
  const ConnectionId listener = pair.b->open(pair.now, {.local = {ip("0.0.0.0"), 80}}).id;
  pair.a->open(pair.now, {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 80}});
  // Only the SYN gets through.
  pair.tap = [&](bool from_a, const Frame& frame) {
    return frame.bytes[12] == 0x08 && frame.bytes[13] == 0x06 ? true : from_a;
  };
  pair.pump();
  const std::vector<ConnectionId> ids = pair.b->list();
  ASSERT_EQ(ids.size(), 2u);
  const ConnectionId embryonic = ids[1];
  EXPECT_EQ(pair.state(*pair.b, embryonic), State::kSynReceived);
  EXPECT_EQ(pair.b->half_open(pair.now, listener).count, 1u);
  std::array<uint8_t, 4> buffer{};
  EXPECT_EQ(pair.b->receive(pair.now, embryonic, buffer).outcome, Outcome::kWouldBlock);
  // CLOSE before ESTABLISHED: EM-SYN-RECEIVED-CLOSE-01.
  EXPECT_EQ(pair.b->close(pair.now, embryonic), Outcome::kOk);
  EXPECT_EQ(pair.state(*pair.b, embryonic), State::kFinWait1);
}

TEST(HostTest, ClosedHistoryIsBounded) {
  HostPair pair;
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 1100; ++i) {
    const OpenResult open =
        pair.a->open(pair.now, {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 81}});
    ids.push_back(open.id);
    pair.a->abort(pair.now, open.id);
    pair.pump();
  }
  EXPECT_EQ(pair.a->list().size(), 1024u);
  EXPECT_EQ(pair.a->status(pair.now, ids.front()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(pair.a->status(pair.now, ids.back()).ok());
}

TEST(HostTest, UnknownIdsHarmNobody) {
  HostPair pair;
  std::array<uint8_t, 4> buffer{};
  EXPECT_EQ(pair.a->send(pair.now, 99, buffer, false, false).outcome,
            Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(pair.a->receive(pair.now, 99, buffer).outcome, Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(pair.a->close(pair.now, 99), Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(pair.a->release(pair.now, 0), Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(pair.a->abort(pair.now, 99), Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(pair.a->accept(pair.now, 99).outcome, Outcome::kConnectionDoesNotExist);
  EXPECT_FALSE(pair.a->status(pair.now, 99).ok());
  EXPECT_FALSE(pair.a->options(99).ok());
  EXPECT_FALSE(pair.a->set_options(pair.now, 99, {}).ok());
  EXPECT_EQ(pair.a->half_open(pair.now, 99).count, 0u);
}

// The probe timer starts when the connection is asked for a segment and has none to give: the host
// must hear of it although no call follows.
TEST(HostTest, ZeroWindowIsProbedThoughNothingElseHappens) {
  HostPair pair;
  pair.connect(ip("192.0.2.2"));
  const std::vector<uint8_t> data(262144);
  std::vector<uint8_t> buffer(data.size());
  size_t sent = 0;
  for (int round = 0; round < 100 && sent < 400000; ++round) {
    sent += pair.a->send(pair.now, pair.a_id, data, false, false).accepted;
    pair.run_for(1s);
  }
  const auto full = pair.a->status(pair.now, pair.a_id);
  ASSERT_TRUE(full.ok());
  ASSERT_EQ(full->snd_wnd, 0u);
  ASSERT_NE(full->send_queue_bytes, 0u);
  // The window update is lost: only a probe finds the window open.
  pair.tap = [](bool from_a, const Frame&) { return from_a; };
  while (pair.b->receive(pair.now, pair.b_id, buffer).received != 0) pair.pump();
  pair.tap = nullptr;
  pair.run_for(300s);
  const auto after = pair.a->status(pair.now, pair.a_id);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->state, State::kEstablished);
  EXPECT_EQ(after->send_queue_bytes, 0u);
}

TEST(HostTest, QuietTime) {
  HostConfig config = config_a();
  config.tcp.quiet_time = 2min;
  HostPair pair(config, config_b());
  const OpenParameters open = {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 80}};
  EXPECT_EQ(pair.a->open(pair.now, open).outcome, Outcome::kQuietTime);
  // Segments are neither taken nor answered.
  pair.b->open(pair.now, {.active = true, .remote = SocketAddress{ip("192.0.2.1"), 80}});
  int from_a = 0;
  pair.tap = [&](bool is_from_a, const Frame& frame) {
    const bool arp = frame.bytes[12] == 0x08 && frame.bytes[13] == 0x06;
    from_a += is_from_a && !arp;
    return true;
  };
  pair.run_for(1min);
  EXPECT_EQ(from_a, 0);
  EXPECT_GT(pair.a->counters().dropped(Drop::kQuietTime), 0u);
  pair.run_for(1min);
  EXPECT_EQ(pair.a->open(pair.now, open).outcome, Outcome::kOk);
}

TEST(HostTest, DscpAndTtlOfTheConnection) {
  HostPair pair;
  OpenParameters open = {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 80}};
  open.options.dscp = 46;
  open.options.ttl = 7;
  pair.a->open(pair.now, open);
  int seen = 0;
  pair.tap = [&](bool from_a, const Frame& frame) {
    if (!from_a || frame.bytes[13] != 0) return true;
    EXPECT_EQ(tcp_of(frame).dscp, 46);
    EXPECT_EQ(tcp_of(frame).ttl, 7);
    ++seen;
    return true;
  };
  pair.pump();
  EXPECT_GT(seen, 0);
}

// RFC 3168 on the wire: ECT(0) on data alone, a mark set on the way comes back as ECE and is
// answered by CWR.
TEST(HostTest, EcnMarksTravelBothWays) {
  HostPair pair;
  pair.listener = pair.b->open(pair.now, {.local = {IpAddress::any(packet::IpFamily::kV6), 80}}).id;
  OpenParameters open = {.active = true, .remote = SocketAddress{ip("2001:db8::2"), 80}};
  open.options.ecn = tcp::EcnUse::kRequest;
  bool marked = false;
  int with_ect = 0;
  int echoes = 0;
  int cwr = 0;
  pair.tap = [&](bool from_a, const Frame& frame) {
    packet::TcpSegment segment;
    if (packet::parse_tcp_packet(ip_of(frame), packet::ChecksumPolicy::kVerify, segment) !=
        packet::ParseResult::kOk) {
      return true;  // neighbour discovery
    }
    EXPECT_EQ(segment.ecn, segment.payload.empty() ? tcp::kNotEct : tcp::kEct0);
    with_ect += segment.ecn != 0;
    if (segment.has(packet::kSyn)) return true;
    echoes += !from_a && segment.has(packet::kEce);
    cwr += from_a && segment.has(packet::kCwr);
    if (!from_a || marked || segment.payload.empty()) return true;
    marked = true;
    Frame ce = frame;
    ce.bytes[14 + 1] |= 0x30;  // the low bits of the traffic class
    pair.b->on_frame(pair.now, ce.bytes, ce.meta);
    return false;
  };
  pair.a_id = pair.a->open(pair.now, open).id;
  pair.pump();
  pair.b_id = pair.b->accept(pair.now, pair.listener).id;
  const std::vector<uint8_t> data = pattern(200'000);
  EXPECT_TRUE(transfer(pair, *pair.a, pair.a_id, *pair.b, pair.b_id, data) == data);
  EXPECT_GT(with_ect, 100);
  EXPECT_GE(echoes, 1);
  EXPECT_EQ(cwr, 1);
  EXPECT_EQ(pair.a->status(pair.now, pair.a_id)->ecn.windows_reduced, 1u);
  EXPECT_EQ(pair.b->status(pair.now, pair.b_id)->ecn.ce_received, 1u);
}

TEST(HostTest, ImpossibleConfigurationsAreNamed) {
  const auto refused = [](HostConfig config, const char* field) {
    const auto host = Host::create(std::move(config));
    ASSERT_FALSE(host.ok()) << field;
    EXPECT_EQ(host.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(host.status().ToString().find(field), std::string::npos) << host.status();
  };
  HostConfig config = config_a();
  config.mtu = 1279;
  refused(config, "mtu");
  config = config_a();
  config.mac = {};
  refused(config, "mac");
  config = config_a();
  config.tcp.ephemeral_first = 0;
  refused(config, "ephemeral_first");
  config = config_a();
  config.segmentation_offload = true;
  refused(config, "checksum_offload");
  config = config_a();
  config.neighbours = {{ip("192.0.2.9"), packet::MacAddress::broadcast()}};
  refused(config, "neighbours");
  config = config_a();
  config.tcp.defaults.dscp = 64;
  refused(config, "dscp");
}

}  // namespace
}  // namespace tcproctor::host
