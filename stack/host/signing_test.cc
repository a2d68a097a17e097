// SPDX-License-Identifier: Apache-2.0
// Signed connections between two hosts: TCP-MD5 (RFC 2385) and TCP-AO (RFC 5925).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "stack/host/host_test_util.h"
#include "stack/packet/icmp.h"
#include "stack/tcp/authentication/keys.h"

namespace tcproctor::host {
namespace signing_test {

using namespace std::chrono_literals;
using tcp::AoAlgorithm;
using tcp::AuthenticationKind;
using tcp::KeyRing;
using tcp::MasterKeyTuple;
using tcp::Outcome;
using tcp::PeerKeys;
using tcp::State;
using testing::HasSubstr;

struct Variant {
  const char* name;
  bool md5;
  AoAlgorithm algorithm = AoAlgorithm::kHmacSha1;
  bool covers_options = true;
  bool v6 = false;
};

class SigningTest : public testing::TestWithParam<Variant> {
 protected:
  SigningTest() : pair_(traced(config_a()), traced(config_b())) {}

  static HostConfig traced(HostConfig config) {
    config.trace = true;
    config.segmentation_offload = config.checksum_offload = true;  // must not be used for them
    return config;
  }

  packet::IpAddress address(bool b) const {
    if (GetParam().v6) return ip(b ? "2001:db8::2" : "2001:db8::1");
    return ip(b ? "192.0.2.2" : "192.0.2.1");
  }

  // Keys of one end for its peer.
  std::shared_ptr<const KeyRing> ring(bool of_b, const std::string& key,
                                      const std::string& second = "") const {
    PeerKeys keys{.peer = address(!of_b),
                  .prefix_length = static_cast<uint8_t>(GetParam().v6 ? 128 : 32)};
    if (GetParam().md5) {
      keys.md5 = key;
    } else {
      const auto mkt = [&](uint8_t a, uint8_t b, const std::string& master) {
        return MasterKeyTuple{.send_id = of_b ? b : a,
                              .recv_id = of_b ? a : b,
                              .algorithm = GetParam().algorithm,
                              .covers_options = GetParam().covers_options,
                              .key = master};
      };
      keys.ao = {mkt(10, 20, key)};
      if (!second.empty()) keys.ao.push_back(mkt(11, 21, second));
    }
    return std::make_shared<KeyRing>(std::vector<PeerKeys>{keys});
  }

  // The listener on B and the active OPEN of A, with these keys; what follows is up to the test.
  void open(std::shared_ptr<const KeyRing> a_ring, std::shared_ptr<const KeyRing> b_ring) {
    tcp::ConnectionOptions options;
    options.keys = std::move(b_ring);
    const packet::IpAddress any = packet::IpAddress::any(address(true).family());
    const OpenResult passive = pair_.b->open(pair_.now, {.local = {any, 179}, .options = options});
    ASSERT_EQ(passive.outcome, Outcome::kOk);
    pair_.listener = passive.id;
    options.keys = std::move(a_ring);
    const OpenResult active =
        pair_.a->open(pair_.now, {.active = true,
                                  .local = {any, 0},
                                  .remote = packet::SocketAddress{address(true), 179},
                                  .options = options});
    ASSERT_EQ(active.outcome, Outcome::kOk) << to_string(active.outcome);
    pair_.a_id = active.id;
    pair_.pump();
  }

  void connect() {
    ASSERT_NO_FATAL_FAILURE(open(ring(false, "secret"), ring(true, "secret")));
    pair_.run_for(10s);  // the handshake may have to overcome losses
    const OpenResult accepted = pair_.b->accept(pair_.now, pair_.listener);
    ASSERT_EQ(accepted.outcome, Outcome::kOk);
    pair_.b_id = accepted.id;
    ASSERT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kEstablished);
  }

  static bool is_tcp(const Frame& frame) {
    return frame.bytes[12] == 0x08 ? frame.bytes[13] == 0 && frame.bytes[23] == 6
                                   : frame.bytes[12] == 0x86 && frame.bytes[20] == 6;
  }

  // Checks that every segment is signed and fits; loses some.
  void watch(double loss = 0) {
    pair_.tap = [this, loss](bool, const Frame& frame) {
      if (!is_tcp(frame)) return true;
      packet::TcpSegment segment;
      EXPECT_EQ(parse_tcp_packet(ip_of(frame), packet::ChecksumPolicy::kTrusted, segment),
                packet::ParseResult::kOk);
      EXPECT_EQ(GetParam().md5 ? segment.options.md5.size() : segment.options.authentication.size(),
                GetParam().md5 ? 16u : 14u)
          << packet::describe_segment(segment.header, segment.options.raw, segment.payload.size());
      EXPECT_EQ(frame.meta.gso_size, 0) << "a super-segment cannot be signed";
      EXPECT_LE(frame.bytes.size(), 1514u);
      if (segment.has(packet::kRst)) ++resets_;
      ++segments_;
      return std::uniform_real_distribution<double>(0, 1)(random_) >= loss;
    };
  }

  void transfer(Host& from, ConnectionId from_id, Host& to, ConnectionId to_id, size_t size) {
    std::vector<uint8_t> data(size);
    for (uint8_t& byte : data) byte = static_cast<uint8_t>(random_());
    std::vector<uint8_t> got;
    std::vector<uint8_t> buffer(65536);
    size_t sent = 0;
    for (int round = 0; round < 200000 && got.size() < size; ++round) {
      sent += from.send(pair_.now, from_id, std::span(data).subspan(sent), true, false).accepted;
      pair_.run_for(2ms);
      const ReceiveResult result = to.receive(pair_.now, to_id, buffer);
      got.insert(got.end(), buffer.begin(), buffer.begin() + static_cast<long>(result.received));
    }
    EXPECT_TRUE(got == data);
  }

  tcp::Status status(Host& host, ConnectionId id) { return *host.status(pair_.now, id); }

  std::vector<std::string> drops_at_b() const {
    std::vector<std::string> causes;
    for (const HostEvent& event : pair_.events_b) {
      if (event.event.kind == tcp::Event::Kind::kDropped) causes.emplace_back(event.event.cause);
    }
    return causes;
  }

  // A segment of A's connection as somebody else would forge it: everything right, no signature.
  void inject_at_b(uint16_t flags, uint32_t payload_size) {
    const tcp::Status at_b = status(*pair_.b, pair_.b_id);
    std::vector<uint8_t> payload(payload_size, 'x');
    Crafted crafted{.ip = {.source = at_b.remote.address, .destination = at_b.local.address},
                    .header = {.source_port = at_b.remote.port,
                               .destination_port = at_b.local.port,
                               .sequence_number = at_b.rcv_nxt,
                               .acknowledgment_number = at_b.snd_nxt,
                               .flags = flags,
                               .window = 1000},
                    .payload = payload};
    pair_.b->on_frame(pair_.now,
                      with_ethernet(crafted.frame(), kMacB, kMacA,
                                    GetParam().v6 ? packet::kEtherTypeIpv6 : packet::kEtherTypeIpv4)
                          .bytes,
                      {});
    pair_.pump();
  }

  HostPair pair_;
  std::mt19937 random_{7};
  int segments_ = 0;
  int resets_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    All, SigningTest,
    testing::Values(Variant{"md5", true}, Variant{"md5_v6", true, {}, true, true},
                    Variant{"ao_sha1", false}, Variant{"ao_sha1_v6", false, {}, true, true},
                    Variant{"ao_sha1_without_options", false, AoAlgorithm::kHmacSha1, false},
                    Variant{"ao_cmac", false, AoAlgorithm::kAesCmac},
                    Variant{"ao_cmac_v6", false, AoAlgorithm::kAesCmac, true, true}),
    [](const auto& variant) { return variant.param.name; });

// RFC2385-2-1, RFC2385-4.3-1, RFC5925-7.4-1: handshake, data both ways with losses, close.
TEST_P(SigningTest, EverySegmentIsSigned) {
  watch(0.03);
  ASSERT_NO_FATAL_FAILURE(connect());
  transfer(*pair_.a, pair_.a_id, *pair_.b, pair_.b_id, 300'000);
  transfer(*pair_.b, pair_.b_id, *pair_.a, pair_.a_id, 100'000);
  EXPECT_EQ(status(*pair_.a, pair_.a_id).authentication,
            GetParam().md5 ? AuthenticationKind::kMd5 : AuthenticationKind::kAo);
  EXPECT_GT(status(*pair_.a, pair_.a_id).total_retransmissions, 0u);
  EXPECT_EQ(pair_.a->release(pair_.now, pair_.a_id), Outcome::kOk);
  pair_.run_for(20s);
  EXPECT_EQ(pair_.b->release(pair_.now, pair_.b_id), Outcome::kOk);
  pair_.run_for(20s);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kTimeWait);
  pair_.run_for(5min);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kClosed);
  EXPECT_EQ(pair_.state(*pair_.b, pair_.b_id), State::kClosed);
  EXPECT_GT(segments_, 250);
}

TEST_P(SigningTest, ResetIsSignedAndBelieved) {
  watch();
  ASSERT_NO_FATAL_FAILURE(connect());
  EXPECT_EQ(pair_.a->abort(pair_.now, pair_.a_id), Outcome::kOk);
  pair_.pump();
  EXPECT_EQ(resets_, 1);
  EXPECT_EQ(status(*pair_.b, pair_.b_id).last_error, Outcome::kConnectionReset);
}

// RFC2385-2-2, 2-3; RFC5925-7.3-2: silence, until the SYN is given up.
TEST_P(SigningTest, WrongKeyIsMetWithSilence) {
  int from_b = 0;
  pair_.tap = [&](bool from_a, const Frame& frame) {
    if (!from_a && is_tcp(frame)) ++from_b;
    return true;
  };
  ASSERT_NO_FATAL_FAILURE(open(ring(false, "secret"), ring(true, "other")));
  pair_.run_for(4min);
  EXPECT_EQ(from_b, 0);
  EXPECT_EQ(status(*pair_.a, pair_.a_id).last_error, Outcome::kTimedOut);
  EXPECT_GE(status(*pair_.b, pair_.listener).signature_failures, 5u);
  EXPECT_THAT(drops_at_b(), testing::Each(HasSubstr("wrong")));
}

TEST_P(SigningTest, MissingSignatureIsMetWithSilence) {
  int from_b = 0;
  pair_.tap = [&](bool from_a, const Frame& frame) {
    if (!from_a && is_tcp(frame)) ++from_b;
    return true;
  };
  ASSERT_NO_FATAL_FAILURE(open(nullptr, ring(true, "secret")));
  pair_.run_for(10s);
  EXPECT_EQ(from_b, 0);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kSynSent);
  EXPECT_THAT(drops_at_b(), testing::Each(HasSubstr(" no ")));
}

// RFC2385-2-4; and RFC5925-7.3-3: a host without a key takes the SYN as if the option were unknown.
TEST_P(SigningTest, UnsignedSynAckIsIgnored) {
  ASSERT_NO_FATAL_FAILURE(open(ring(false, "secret"), nullptr));
  pair_.run_for(10s);
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kSynSent);
  EXPECT_GE(status(*pair_.a, pair_.a_id).signature_failures, 1u);
  EXPECT_EQ(pair_.b->half_open(pair_.now, pair_.listener).count, 1u);
}

// RFC5925-7.3-3, the other setting.
TEST_P(SigningTest, UnexpectedSignatureCanBeRefused) {
  HostConfig strict = traced(config_b());
  strict.tcp.refuse_unexpected_signatures = true;
  pair_.b = make_host(strict);
  ASSERT_NO_FATAL_FAILURE(open(ring(false, "secret"), nullptr));
  pair_.run_for(10s);
  EXPECT_EQ(pair_.b->half_open(pair_.now, pair_.listener).count, 0u);
  EXPECT_GE(status(*pair_.b, pair_.listener).signature_failures, 1u);
}

// RFC2385-4.1-1, RFC5925-7.3-1, 7.5-1: exactly right but for the signature.
TEST_P(SigningTest, ForgedSegmentsTouchNothing) {
  ASSERT_NO_FATAL_FAILURE(connect());
  const tcp::Status before = status(*pair_.b, pair_.b_id);
  const size_t frames = pair_.b->counters().frames_sent;
  for (const int flags : {int{packet::kRst}, int{packet::kAck}, int{packet::kSyn},
                          packet::kRst | packet::kAck, packet::kFin | packet::kAck}) {
    inject_at_b(static_cast<uint16_t>(flags), flags == packet::kAck ? 100 : 0);
  }
  const tcp::Status after = status(*pair_.b, pair_.b_id);
  EXPECT_EQ(after.state, State::kEstablished);
  EXPECT_EQ(after.rcv_nxt, before.rcv_nxt);
  EXPECT_EQ(after.snd_wnd, before.snd_wnd);
  EXPECT_EQ(after.signature_failures, before.signature_failures + 5);
  EXPECT_EQ(pair_.b->counters().frames_sent, frames) << "nothing is answered";
  EXPECT_EQ(drops_at_b().size(), 5u);
}

// The small TIME-WAIT has no keys: such a connection stays whole, and its ACK of a FIN that comes
// again is signed.
TEST_P(SigningTest, TimeWaitAnswersSigned) {
  ASSERT_NO_FATAL_FAILURE(connect());
  EXPECT_EQ(pair_.a->release(pair_.now, pair_.a_id), Outcome::kOk);
  pair_.pump();
  bool lose = true;  // the last ACK
  pair_.tap = [&](bool from_a, const Frame& frame) { return !(from_a && is_tcp(frame) && lose); };
  EXPECT_EQ(pair_.b->release(pair_.now, pair_.b_id), Outcome::kOk);
  pair_.pump();
  ASSERT_EQ(pair_.state(*pair_.a, pair_.a_id), State::kTimeWait);
  ASSERT_EQ(pair_.state(*pair_.b, pair_.b_id), State::kLastAck);
  lose = false;
  pair_.run_for(10s);
  EXPECT_EQ(pair_.state(*pair_.b, pair_.b_id), State::kClosed);
}

TEST_P(SigningTest, KeyChangesWhileDataFlows) {
  if (GetParam().md5) GTEST_SKIP() << "TCP-MD5 has no key ids";
  ASSERT_NO_FATAL_FAILURE(connect());
  tcp::ConnectionOptions a_options = *pair_.a->options(pair_.a_id);
  tcp::ConnectionOptions b_options = *pair_.b->options(pair_.b_id);
  a_options.keys = ring(false, "secret", "next");
  b_options.keys = ring(true, "secret", "next");
  ASSERT_TRUE(pair_.a->set_options(pair_.now, pair_.a_id, a_options).ok());
  ASSERT_TRUE(pair_.b->set_options(pair_.now, pair_.b_id, b_options).ok());
  transfer(*pair_.a, pair_.a_id, *pair_.b, pair_.b_id, 20'000);
  EXPECT_EQ(status(*pair_.a, pair_.a_id).ao_key_ids->current_key, 10);
  b_options.ao_rnext_key = 11;  // B wants A to go over
  ASSERT_TRUE(pair_.b->set_options(pair_.now, pair_.b_id, b_options).ok());
  transfer(*pair_.a, pair_.a_id, *pair_.b, pair_.b_id, 20'000);
  EXPECT_EQ(status(*pair_.a, pair_.a_id).ao_key_ids->current_key, 11);
  EXPECT_EQ(status(*pair_.b, pair_.b_id).ao_key_ids->received_key_id, 11);
  EXPECT_EQ(status(*pair_.b, pair_.b_id).ao_key_ids->current_key, 20) << "A asked for nothing";
  // What the user asked for once is not asked for again with every other option.
  a_options.no_delay = true;
  ASSERT_TRUE(pair_.a->set_options(pair_.now, pair_.a_id, a_options).ok());
  EXPECT_EQ(status(*pair_.a, pair_.a_id).ao_key_ids->current_key, 11);
  EXPECT_EQ(status(*pair_.a, pair_.a_id).signature_failures, 0u);
}

TEST_P(SigningTest, ConnectionThatBeganSignedStaysSigned) {
  ASSERT_NO_FATAL_FAILURE(connect());
  tcp::ConnectionOptions options = *pair_.a->options(pair_.a_id);
  options.keys = nullptr;
  EXPECT_FALSE(pair_.a->set_options(pair_.now, pair_.a_id, options).ok());
}

// RFC5925-7.8-1.
TEST_P(SigningTest, HardIcmpErrorIsIgnoredWithAo) {
  HostConfig config = traced(config_a());
  config.tcp.hard_icmp_aborts = true;
  pair_.a = make_host(config);
  ASSERT_NO_FATAL_FAILURE(connect());
  const tcp::Status at_a = status(*pair_.a, pair_.a_id);
  const packet::TcpPacketParts quoted = {
      .ip = {.source = at_a.local.address, .destination = at_a.remote.address},
      .header = {.source_port = at_a.local.port,
                 .destination_port = at_a.remote.port,
                 .sequence_number = at_a.snd_nxt}};
  std::vector<uint8_t> body(packet::tcp_packet_size(quoted));
  ASSERT_NE(packet::build_tcp_packet(quoted, body), 0u);
  // Protocol unreachable, or administratively prohibited.
  const packet::IcmpFields message = {.type = static_cast<uint8_t>(GetParam().v6 ? 1 : 3),
                                      .code = static_cast<uint8_t>(GetParam().v6 ? 1 : 2),
                                      .body = body};
  Frame packet{.bytes = std::vector<uint8_t>(1500)};
  packet.bytes.resize(packet::build_icmp_packet(
      {.source = at_a.remote.address, .destination = at_a.local.address}, message, packet.bytes));
  pair_.a->on_frame(pair_.now,
                    with_ethernet(packet, kMacA, kMacB,
                                  GetParam().v6 ? packet::kEtherTypeIpv6 : packet::kEtherTypeIpv4)
                        .bytes,
                    {});
  EXPECT_EQ(pair_.state(*pair_.a, pair_.a_id),
            GetParam().md5 ? State::kClosed : State::kEstablished);
}

}  // namespace signing_test
}  // namespace tcproctor::host
