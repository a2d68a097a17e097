// SPDX-License-Identifier: Apache-2.0
// What a host does with single frames: validation, ARP, ND, ping, ICMP errors, floods.
#include <gtest/gtest.h>

#include <random>

#include "stack/host/host.h"
#include "stack/host/host_test_util.h"
#include "stack/packet/arp.h"
#include "stack/packet/checksum.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/nd.h"

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;
using packet::IpAddress;
using packet::MacAddress;
using packet::SocketAddress;
using tcp::Outcome;
using tcp::State;

constexpr tcp::Instant kNow{std::chrono::seconds(1)};

// Host B on raw IP: a TCP packet in, TCP packets out.
class IngressTest : public testing::Test {
 protected:
  std::vector<Frame> give(const Frame& frame, FrameMeta meta = {}) {
    host_->on_frame(kNow, frame.bytes, meta);
    return pull_all(*host_, kNow);
  }
  void listen(uint16_t port = 80) {
    ASSERT_EQ(host_->open(kNow, {.local = {ip("0.0.0.0"), port}}).outcome, Outcome::kOk);
  }
  static Crafted syn(uint16_t from = 1025) {
    Crafted packet;
    packet.header.source_port = from;
    packet.header.sequence_number = 1000;
    packet.header.flags = packet::kSyn;
    return packet;
  }
  uint64_t dropped(Drop drop) const { return host_->counters().dropped(drop); }

  std::unique_ptr<Host> host_ = make_host(config_b(LinkLayer::kRawIp));
};

TEST_F(IngressTest, SynToNobodyIsAnsweredWithReset) {
  const auto out = give(syn().frame());
  ASSERT_EQ(out.size(), 1u);
  const packet::TcpSegment reset = tcp_of(out[0], LinkLayer::kRawIp);
  EXPECT_EQ(reset.header.flags, packet::kRst | packet::kAck);
  EXPECT_EQ(reset.header.sequence_number, 0u);
  EXPECT_EQ(reset.header.acknowledgment_number, 1001u);
  EXPECT_EQ(reset.source, ip("192.0.2.2"));
}

// RFC7323-5.2-3: a reset has a timestamp because the segment that provoked it has, negotiated or
// not. (Linux gives it none where it has no connection.)
TEST_F(IngressTest, ResetForNobodyEchoesATimestamp) {
  Crafted packet = syn();
  packet.options = {1, 1, 8, 10, 0, 0, 16, 0, 0, 0, 0, 0};
  auto out = give(packet.frame());
  ASSERT_EQ(out.size(), 1u);
  const packet::TcpSegment reset = tcp_of(out[0], LinkLayer::kRawIp);
  ASSERT_TRUE(reset.options.timestamps.has_value());
  EXPECT_EQ(reset.options.timestamps->value, 0u);
  EXPECT_EQ(reset.options.timestamps->echo_reply, 4096u);
  out = give(syn().frame());
  ASSERT_EQ(out.size(), 1u);
  EXPECT_FALSE(tcp_of(out[0], LinkLayer::kRawIp).options.timestamps.has_value());
}

TEST_F(IngressTest, SynToAListenerIsAnsweredWithSynAck) {
  listen();
  const auto out = give(syn().frame());
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(tcp_of(out[0], LinkLayer::kRawIp).header.flags, packet::kSyn | packet::kAck);
}

// RFC9293-MUST-57, MUST-63, RFC1122-3.2.1.3-1: silence, with a listener and without.
TEST_F(IngressTest, ImpossibleAddressesAreMetWithSilence) {
  for (const bool listening : {false, true}) {
    if (listening) listen();
    for (const char* source : {"0.0.0.0", "0.1.2.3", "255.255.255.255", "192.0.2.255", "224.0.0.1",
                               "127.0.0.1", "192.0.2.2"}) {
      Crafted packet = syn();
      packet.ip.source = ip(source);
      EXPECT_TRUE(give(packet.frame()).empty()) << "from " << source;
    }
    for (const char* destination : {"255.255.255.255", "192.0.2.255", "224.0.0.1", "192.0.2.3"}) {
      Crafted packet = syn();
      packet.ip.destination = ip(destination);
      EXPECT_TRUE(give(packet.frame()).empty()) << "to " << destination;
    }
    for (const char* source : {"::", "::1", "ff02::1", "2001:db8::2"}) {
      Crafted packet = syn();
      packet.ip = {.source = ip(source), .destination = ip("2001:db8::2")};
      EXPECT_TRUE(give(packet.frame()).empty()) << "from " << source;
    }
    Crafted packet = syn();
    packet.ip = {.source = ip("2001:db8::1"), .destination = ip("ff02::1")};
    EXPECT_TRUE(give(packet.frame()).empty());
  }
  EXPECT_EQ(dropped(Drop::kInvalidSource), 22u);
  EXPECT_EQ(dropped(Drop::kGroupAddress), 8u);
  EXPECT_EQ(dropped(Drop::kNotForUs), 2u);
}

TEST_F(IngressTest, ChecksumsAreVerifiedUnlessTheLinkVouches) {
  Frame frame = syn().frame();
  frame.bytes[20 + 16] ^= 1;  // TCP checksum
  EXPECT_TRUE(give(frame).empty());
  EXPECT_EQ(dropped(Drop::kBadTcpChecksum), 1u);
  EXPECT_EQ(give(frame, {.checksum_trusted = true}).size(), 1u);
  frame = syn().frame();
  frame.bytes[10] ^= 1;  // IP header checksum
  EXPECT_TRUE(give(frame, {.checksum_trusted = true}).empty());
  EXPECT_EQ(dropped(Drop::kBadIpChecksum), 1u);
}

TEST_F(IngressTest, FragmentsAreCountedAndDropped) {
  Frame frame = syn().frame();
  frame.bytes[6] = 0x20;  // more fragments
  const auto fix = [&] {
    frame.bytes[10] = frame.bytes[11] = 0;
    const uint16_t sum = packet::internet_checksum(std::span(frame.bytes).first(20));
    frame.bytes[10] = static_cast<uint8_t>(sum >> 8);
    frame.bytes[11] = static_cast<uint8_t>(sum);
  };
  fix();
  EXPECT_TRUE(give(frame).empty());
  EXPECT_EQ(dropped(Drop::kFragment), 1u);
}

Frame with_ip_options(const Frame& plain, const std::vector<uint8_t>& options) {
  packet::Ipv4Header header;
  std::span<const uint8_t> payload;
  EXPECT_EQ(packet::parse_ipv4(plain.bytes, header, payload), packet::ParseResult::kOk);
  EXPECT_TRUE(header.options.try_append(options));
  EXPECT_TRUE(packet::finish_ipv4(header, payload.size()));
  Frame frame{.bytes = std::vector<uint8_t>(header.encoded_size())};
  EXPECT_EQ(packet::write_ipv4(header, frame.bytes), frame.bytes.size());
  frame.bytes.insert(frame.bytes.end(), payload.begin(), payload.end());
  return frame;
}

// RFC9293-MUST-50: router alert, options nobody knows, and one that cannot be read.
TEST_F(IngressTest, IpOptionsAreIgnored) {
  listen();
  for (const std::vector<uint8_t>& options : {std::vector<uint8_t>{148, 4, 0, 0},
                                              {158, 4, 1, 2},
                                              {1, 1, 1, 0},
                                              {158, 0, 131, 3},
                                              {158, 40, 131, 3},
                                              {0, 131, 3, 4}}) {
    const auto out = give(with_ip_options(syn().frame(), options));
    ASSERT_EQ(out.size(), 1u);
    EXPECT_TRUE(tcp_of(out[0], LinkLayer::kRawIp).has(packet::kSyn));
    EXPECT_EQ(out[0].bytes[0], 0x45) << "none is sent";
  }
}

// RFC9293-MUST-51 to 53: source routes are refused, completed or not, loose or strict, with a
// connection or without; nothing is answered, and no connection hears of it.
TEST_F(IngressTest, SourceRoutesAreRefused) {
  listen();
  uint64_t refused = 0;
  for (const std::vector<uint8_t>& options : {std::vector<uint8_t>{131, 7, 8, 192, 0, 2, 9, 0},
                                              {137, 7, 8, 192, 0, 2, 9, 0},
                                              {131, 7, 4, 192, 0, 2, 9, 0},
                                              {1, 131, 7, 8, 192, 0, 2, 9},
                                              {131, 3, 4, 0}}) {
    EXPECT_TRUE(give(with_ip_options(syn().frame(), options)).empty());
    EXPECT_EQ(dropped(Drop::kSourceRoute), ++refused);
  }
  EXPECT_EQ(give(syn().frame()).size(), 1u);
}

// Whatever bytes arrive: no crash, no hang, and every frame is accounted for.
TEST_F(IngressTest, RandomAndTruncatedFrames) {
  constexpr uint32_t kSeed = 9293;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 random(kSeed);
  listen();
  const Frame good = syn().frame();
  for (size_t length = 0; length <= good.bytes.size(); ++length) {
    host_->on_frame(kNow, std::span(good.bytes).first(length), {});
  }
  for (int i = 0; i < 20000; ++i) {
    Frame frame = good;
    for (auto flips = random() % 8; flips > 0; --flips) {
      frame.bytes[random() % frame.bytes.size()] = static_cast<uint8_t>(random());
    }
    host_->on_frame(kNow, frame.bytes, {.checksum_trusted = random() % 2 == 0});
    if (i % 100 == 0) pull_all(*host_, kNow);
  }
}

TEST_F(IngressTest, PingIsAnswered) {
  const std::array<uint8_t, 5> body{1, 2, 3, 4, 5};
  for (const bool v6 : {false, true}) {
    const packet::IpFields fields = {.source = ip(v6 ? "2001:db8::1" : "192.0.2.1"),
                                     .destination = ip(v6 ? "2001:db8::2" : "192.0.2.2")};
    Frame request{.bytes = std::vector<uint8_t>(100)};
    request.bytes.resize(packet::build_icmp_packet(
        fields,
        {.type = v6 ? packet::kIcmpV6EchoRequest : packet::kIcmpEchoRequest,
         .rest = 0x12345678,
         .body = body},
        request.bytes));
    const auto out = give(request);
    ASSERT_EQ(out.size(), 1u);
    packet::IpPacket reply;
    ASSERT_EQ(packet::parse_ip(out[0].bytes, reply), packet::ParseResult::kOk);
    EXPECT_EQ(reply.destination, fields.source);
    packet::IcmpMessage message;
    ASSERT_EQ(packet::parse_icmp(reply, message), packet::ParseResult::kOk);
    EXPECT_TRUE(message.is_echo_reply());
    EXPECT_EQ(message.rest, 0x12345678u);
    EXPECT_TRUE(std::equal(body.begin(), body.end(), message.body.begin(), message.body.end()));
  }
}

// RFC9293-MUST-54, RFC5927-5.2-2: two connections, one error; and the quoted SEQ is judged.
TEST(IcmpErrorTest, GoesToTheConnectionItQuotesAndToNoOther) {
  HostPair pair;
  std::vector<Frame> syns;
  pair.tap = [&](bool from_a, const Frame& frame) {
    const bool is_ip = frame.bytes[12] == 0x08 && frame.bytes[13] == 0;
    if (from_a && is_ip) syns.push_back(frame);
    return !is_ip;
  };
  const auto open = [&] {
    return pair.a->open(pair.now, {.active = true, .remote = SocketAddress{ip("192.0.2.2"), 80}})
        .id;
  };
  const ConnectionId first = open();
  const ConnectionId second = open();
  pair.pump();
  ASSERT_EQ(syns.size(), 2u);
  const auto error = [&](uint8_t type, uint8_t code, std::vector<uint8_t> quoted) {
    Frame packet{.bytes = std::vector<uint8_t>(600)};
    packet.bytes.resize(
        packet::build_icmp_packet({.source = ip("192.0.2.2"), .destination = ip("192.0.2.1")},
                                  {.type = type, .code = code, .body = quoted}, packet.bytes));
    const Frame frame = with_ethernet(packet, kMacA, kMacB, packet::kEtherTypeIpv4);
    pair.a->on_frame(pair.now, frame.bytes, {});
  };
  const std::vector<uint8_t> quoted(syns[0].bytes.begin() + 14, syns[0].bytes.begin() + 14 + 28);

  error(packet::kIcmpDestinationUnreachable, packet::kIcmpHostUnreachable, quoted);
  EXPECT_EQ(pair.a->status(pair.now, first)->soft_error_code, packet::kIcmpHostUnreachable);
  EXPECT_EQ(pair.state(*pair.a, first), State::kSynSent) << "MUST-56: soft";
  EXPECT_EQ(pair.a->status(pair.now, second)->soft_error_type, 0);

  std::vector<uint8_t> other_port = quoted;
  other_port[20] ^= 0x80;
  error(packet::kIcmpDestinationUnreachable, packet::kIcmpPortUnreachable, other_port);
  EXPECT_EQ(pair.a->counters().dropped(Drop::kIcmpNoConnection), 1u);
  std::vector<uint8_t> old_sequence = quoted;
  old_sequence[24] ^= 0x40;
  error(packet::kIcmpDestinationUnreachable, packet::kIcmpPortUnreachable, old_sequence);
  EXPECT_EQ(pair.state(*pair.a, first), State::kSynSent) << "RFC 5927 §4.1";

  error(packet::kIcmpDestinationUnreachable, packet::kIcmpPortUnreachable, quoted);
  EXPECT_EQ(pair.state(*pair.a, first), State::kClosed) << "SHLD-26: hard";
  EXPECT_EQ(pair.state(*pair.a, second), State::kSynSent);
}

// --- the link ---

class EthernetTest : public testing::Test {
 protected:
  std::vector<Frame> give(const Frame& frame) {
    host_->on_frame(kNow, frame.bytes, {});
    return pull_all(*host_, kNow);
  }
  Frame arp(const packet::ArpPacket& packet, const MacAddress& destination) {
    Frame out{.bytes = std::vector<uint8_t>(packet::kArpBytes)};
    EXPECT_EQ(packet::write_arp(packet, out.bytes), packet::kArpBytes);
    return with_ethernet(out, destination, packet.sender_mac, packet::kEtherTypeArp);
  }

  std::unique_ptr<Host> host_ = make_host(config_b());
};

TEST_F(EthernetTest, AnswersArpForItsOwnAddressesOnly) {
  packet::ArpPacket request = {
      .sender_mac = kMacA, .sender_ip = ip("192.0.2.1"), .target_ip = ip("192.0.2.2")};
  const auto out = give(arp(request, MacAddress::broadcast()));
  ASSERT_EQ(out.size(), 1u);
  packet::ArpPacket reply;
  ASSERT_EQ(packet::parse_arp(std::span(out[0].bytes).subspan(14), reply),
            packet::ParseResult::kOk);
  EXPECT_EQ(reply.operation, packet::kArpReply);
  EXPECT_EQ(reply.sender_mac, kMacB);
  EXPECT_EQ(reply.target_mac, kMacA);
  request.target_ip = ip("192.0.2.3");
  EXPECT_TRUE(give(arp(request, MacAddress::broadcast())).empty());
}

// The link-level destination counts as well (RFC9293-MUST-57, RFC 1122 §3.3.6).
TEST_F(EthernetTest, LinkBroadcastAndForeignMacAreSilent) {
  Crafted packet;
  packet.header.flags = packet::kSyn;
  const auto to = [&](const MacAddress& mac) {
    return give(with_ethernet(packet.frame(), mac, kMacA, packet::kEtherTypeIpv4));
  };
  EXPECT_TRUE(to(MacAddress::broadcast()).empty());
  EXPECT_TRUE(to(MacAddress{{1, 0, 0x5e, 0, 0, 1}}).empty());
  EXPECT_TRUE(to(MacAddress{{2, 0, 0, 0, 0, 7}}).empty());
  EXPECT_EQ(host_->counters().dropped(Drop::kGroupAddress), 2u);
  EXPECT_EQ(host_->counters().dropped(Drop::kNotForUs), 1u);
  // To its own MAC: RST, behind an ARP request for the sender.
  const auto out = to(kMacB);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].bytes[13], 0x06);
}

TEST_F(EthernetTest, ResolvesAndSendsWhatWaited) {
  host_->open(kNow, {.active = true, .remote = SocketAddress{ip("192.0.2.1"), 80}});
  auto out = pull_all(*host_, kNow);
  ASSERT_EQ(out.size(), 1u);
  packet::ArpPacket request;
  ASSERT_EQ(packet::parse_arp(std::span(out[0].bytes).subspan(14), request),
            packet::ParseResult::kOk);
  EXPECT_EQ(request.target_ip, ip("192.0.2.1"));
  packet::ArpPacket reply = packet::arp_reply_to(request, kMacA);
  out = give(arp(reply, kMacB));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_TRUE(tcp_of(out[0]).has(packet::kSyn));
  EXPECT_TRUE(std::equal(kMacA.bytes.begin(), kMacA.bytes.end(), out[0].bytes.begin()));
}

TEST_F(EthernetTest, AsksAgainAndGivesUp) {
  host_->open(kNow, {.active = true, .remote = SocketAddress{ip("192.0.2.1"), 80}});
  int requests = 0;
  tcp::Instant now = kNow;
  for (int i = 0; i < 100 && now < kNow + 3500ms; ++i) {
    requests += static_cast<int>(pull_all(*host_, now).size());
    const auto next = host_->next_deadline();
    ASSERT_TRUE(next.has_value());
    now = *next;
    host_->on_deadline(now);
  }
  EXPECT_GE(requests, 3);
  EXPECT_GT(host_->counters().dropped(Drop::kNoNeighbour), 0u);
}

TEST_F(EthernetTest, OffLinkGoesToTheGateway) {
  HostConfig config = config_b();
  config.gateway_v4 = ip("192.0.2.254");
  config.neighbours = {{ip("192.0.2.254"), MacAddress{{2, 0, 0, 0, 0, 254}}}};
  host_ = make_host(config);
  EXPECT_EQ(
      host_->open(kNow, {.active = true, .remote = SocketAddress{ip("203.0.113.1"), 80}}).outcome,
      Outcome::kOk);
  const auto out = pull_all(*host_, kNow);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].bytes[5], 254);
  EXPECT_EQ(tcp_of(out[0]).destination, ip("203.0.113.1"));
}

TEST_F(EthernetTest, NeighbourSolicitationIsAnswered) {
  for (const bool duplicate_detection : {false, true}) {
    const IpAddress source = ip(duplicate_detection ? "::" : "2001:db8::1");
    packet::NeighbourMessage message = {.target = ip("2001:db8::2")};
    if (!duplicate_detection) message.link_layer = kMacA;
    const IpAddress group = packet::solicited_node_address(ip("2001:db8::2"));
    Frame packet{.bytes = std::vector<uint8_t>(128)};
    packet.bytes.resize(packet::build_neighbour_packet({.source = source, .destination = group},
                                                       message, packet.bytes));
    const auto out =
        give(with_ethernet(packet, packet::multicast_mac(group), kMacA, packet::kEtherTypeIpv6));
    ASSERT_EQ(out.size(), 1u);
    packet::IpPacket ip_packet;
    ASSERT_EQ(packet::parse_ip(ip_of(out[0]), ip_packet), packet::ParseResult::kOk);
    packet::NeighbourMessage answer;
    ASSERT_EQ(packet::parse_neighbour(ip_packet, answer), packet::ParseResult::kOk);
    EXPECT_TRUE(answer.advertisement);
    EXPECT_EQ(answer.solicited, !duplicate_detection);
    EXPECT_EQ(answer.link_layer, kMacB);
    EXPECT_EQ(ip_packet.destination, ip(duplicate_detection ? "ff02::1" : "2001:db8::1"));
  }
}

// --- floods (S001-syn-attack) ---

struct Flood {
  std::string name;
  uint32_t first_source;  // host order
};

class SynFloodTest : public testing::TestWithParam<Flood> {};

INSTANTIATE_TEST_SUITE_P(Sources, SynFloodTest,
                         testing::Values(Flood{"OffLink", 0xC6120001}, Flood{"OnLink", 0x0A000001}),
                         [](const auto& flood) { return flood.param.name; });

TEST_P(SynFloodTest, LegitimateClientsStillConnect) {
  HostConfig config = config_b();
  config.addresses.push_back({ip("10.0.255.1"), 16});
  HostPair pair(config_a(), config);
  const OpenResult listener = pair.b->open(pair.now, {.local = {ip("0.0.0.0"), 80}});
  for (uint32_t i = 0; i < 5000; ++i) {
    Crafted packet;
    packet.ip.source = IpAddress::v4(GetParam().first_source + i);
    packet.header.flags = packet::kSyn;
    packet.header.sequence_number = i * 7919;
    packet.header.source_port = static_cast<uint16_t>(1024 + i);
    const Frame frame = with_ethernet(packet.frame(), kMacB, kMacA, packet::kEtherTypeIpv4);
    pair.b->on_frame(pair.now, frame.bytes, {});
    if (i % 64 == 0) pull_all(*pair.b, pair.now);
  }
  pull_all(*pair.b, pair.now);
  const HalfOpenSummary summary = pair.b->half_open(pair.now, listener.id);
  EXPECT_EQ(summary.count, 1024u);
  EXPECT_GE(summary.distinct_sources, 1000u);
  EXPECT_GE(summary.cookies_sent, 3900u);
  EXPECT_GT(summary.bytes_per_entry, 0u);
  EXPECT_LT(summary.bytes_per_entry, 280u) << "what the seed quotes for the smallest TCB";

  // The cache is full of forgeries: this one lives by a cookie alone.
  pair.listener = listener.id;
  pair.connect(ip("192.0.2.2"));
  EXPECT_GE(pair.b->half_open(pair.now, listener.id).cookies_accepted, 1u);
  std::array<uint8_t, 3> data{1, 2, 3};
  pair.a->send(pair.now, pair.a_id, data, true, false);
  pair.pump();
  std::array<uint8_t, 10> buffer{};
  EXPECT_EQ(pair.b->receive(pair.now, pair.b_id, buffer).received, 3u);
  bool alarmed = false;
  for (const HostEvent& event : pair.events_b) {
    alarmed |= event.event.kind == tcp::Event::Kind::kHalfOpenAlarm && event.id == listener.id;
  }
  EXPECT_TRUE(alarmed);

  // The dead entries are let go (S001-syn-1).
  pair.run_for(5min);
  EXPECT_EQ(pair.b->half_open(pair.now, listener.id).count, 0u);
}

}  // namespace
}  // namespace tcproctor::host
