// SPDX-License-Identifier: Apache-2.0
// The signatures themselves: TCP-AO against every vector of RFC 9235, and what an authenticator
// does with key ids, sequence number extensions and forged options. Whole connections:
// stack/host/signing_test.cc; MD5 against the kernel: stack/link/md5_root_test.cc.
#include "stack/tcp/authentication/authenticator.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/authentication/ao_authenticator.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/authentication/mac.h"
#include "stack/tcp/authentication/rfc9235_vectors.h"

namespace tcproctor::tcp {
namespace {

using ::testing::HasSubstr;
using testing::kRfc9235Vectors;
using testing::Rfc9235Vector;

std::vector<uint8_t> from_hex(std::string_view text) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

packet::TcpSegment parse(std::span<const uint8_t> bytes) {
  packet::TcpSegment segment;
  const auto result = parse_tcp_packet(bytes, packet::ChecksumPolicy::kTrusted, segment);
  EXPECT_EQ(result, packet::ParseResult::kOk) << to_string(result);
  return segment;
}

// One end's options: the peer's address any, an MKT or more.
ConnectionOptions ao_options(std::vector<MasterKeyTuple> mkts,
                             packet::IpFamily family = packet::IpFamily::kV4) {
  ConnectionOptions options;
  options.keys = std::make_shared<KeyRing>(std::vector<PeerKeys>{
      {.peer = packet::IpAddress::any(family), .prefix_length = 0, .ao = std::move(mkts)}});
  return options;
}

class Rfc9235Test : public ::testing::TestWithParam<Rfc9235Vector> {
 protected:
  AoAlgorithm algorithm() const {
    return GetParam().aes_cmac ? AoAlgorithm::kAesCmac : AoAlgorithm::kHmacSha1;
  }
};

INSTANTIATE_TEST_SUITE_P(All, Rfc9235Test, ::testing::ValuesIn(kRfc9235Vectors),
                         [](const auto& variant) {
                           std::string name = "Section" + std::string(variant.param.section);
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

TEST_P(Rfc9235Test, TrafficKeyAndMac) {
  const std::vector<uint8_t> bytes = from_hex(GetParam().packet);
  const packet::TcpSegment segment = parse(bytes);
  const TrafficKey key =
      derive_traffic_key(algorithm(), "testvector", {segment.source, segment.header.source_port},
                         {segment.destination, segment.header.destination_port},
                         GetParam().source_isn, GetParam().destination_isn);
  EXPECT_TRUE(std::ranges::equal(key.span(), from_hex(GetParam().traffic_key)));
  Mac mac(algorithm(), key.span());
  ASSERT_EQ(segment.options.authentication.size(), 14u);
  for (int again = 0; again < 2; ++again) {  // the context is good for more than one
    EXPECT_TRUE(std::ranges::equal(ao_mac(mac, signed_part(segment), GetParam().covers_options, 0),
                                   segment.options.authentication.subspan(2)));
  }
}

// The receiver takes the segment, and no segment with one bit of it changed.
TEST_P(Rfc9235Test, ReceiverVerifies) {
  std::vector<uint8_t> bytes = from_hex(GetParam().packet);
  const packet::TcpSegment segment = parse(bytes);
  const bool from_client = segment.header.destination_port == 179;
  const ConnectionOptions options =
      ao_options({{.send_id = static_cast<uint8_t>(from_client ? 84 : 61),
                   .recv_id = static_cast<uint8_t>(from_client ? 61 : 84),
                   .algorithm = algorithm(),
                   .covers_options = GetParam().covers_options,
                   .key = "testvector"}},
                 segment.source.family());
  // Of the receiving end; in answer to a SYN its own ISN does not matter.
  const auto receiver =
      make_authenticator(options, segment.four_tuple(), SeqNum(GetParam().destination_isn));
  if (!segment.has(packet::kSyn)) receiver->set_irs(SeqNum(GetParam().source_isn));
  EXPECT_EQ(receiver->verify(segment), "");
  const size_t tcp_start = segment.source.is_v4() ? 20 : 40;
  const size_t options_start = tcp_start + 20;
  const size_t options_end = options_start + segment.options.raw.size();
  for (size_t at = tcp_start; at < bytes.size(); ++at) {
    if (at == tcp_start + 12) continue;                          // data offset: another parse
    if (at == tcp_start + 16 || at == tcp_start + 17) continue;  // checksum: not covered
    // Only the MAC where options are not covered, for the rest of them is free to change.
    if (!GetParam().covers_options && at >= options_start && at < options_end - 12) continue;
    bytes[at] ^= 0x04;
    packet::TcpSegment forged;
    (void)parse_tcp_packet(bytes, packet::ChecksumPolicy::kTrusted, forged);
    EXPECT_NE(receiver->verify(forged), "") << "octet " << at;
    bytes[at] ^= 0x04;
  }
}

// The sender makes the same segment, its TCP-AO option included.
TEST_P(Rfc9235Test, SenderSigns) {
  const std::vector<uint8_t> bytes = from_hex(GetParam().packet);
  const packet::TcpSegment segment = parse(bytes);
  const bool from_client = segment.header.destination_port == 179;
  const ConnectionOptions options =
      ao_options({{.send_id = static_cast<uint8_t>(from_client ? 61 : 84),
                   .recv_id = static_cast<uint8_t>(from_client ? 84 : 61),
                   .algorithm = algorithm(),
                   .covers_options = GetParam().covers_options,
                   .key = "testvector"}},
                 segment.source.family());
  const auto sender =
      make_authenticator(options, segment.four_tuple().reversed(), SeqNum(GetParam().source_isn));
  SegmentOut out;
  out.tuple = segment.four_tuple().reversed();
  out.header = segment.header;
  out.header.checksum = 0;
  out.payload = segment.payload;
  out.option_size = static_cast<uint8_t>(segment.options.raw.size() - 16);
  std::ranges::copy(segment.options.raw.first(out.option_size), out.option_bytes.begin());
  if (GetParam().destination_isn != 0) {
    SegmentOut early = out;
    EXPECT_FALSE(sender->sign(early)) << "without the peer's ISN";
    sender->set_irs(SeqNum(GetParam().destination_isn));
  }
  ASSERT_TRUE(sender->sign(out));
  EXPECT_TRUE(std::ranges::equal(out.options(), segment.options.raw));
}

// RFC5925-6.2-1, RFC 9187.
TEST(SequenceExtension, CountsTheTurns) {
  SequenceExtension extension;
  extension.start(SeqNum(0xFFFFFFF0));
  EXPECT_EQ(extension.of(SeqNum(0xFFFFFFFF)), 0u);
  EXPECT_EQ(extension.of(SeqNum(0)), 1u);
  extension.note(SeqNum(0xFFFFFFFF));
  extension.note(SeqNum(10));
  EXPECT_EQ(extension.of(SeqNum(0x7FFFFFFF)), 1u);
  EXPECT_EQ(extension.of(SeqNum(0xFFFFFFF5)), 0u) << "a retransmission from before the wrap";
  extension.note(SeqNum(0xFFFFFFF5));  // does not go back
  for (uint32_t step = 1; step <= 20; ++step) extension.note(SeqNum(step * 0x40000000u));
  EXPECT_EQ(extension.of(SeqNum(5)), 6u) << "1 + 20 quarters of a turn";
}

struct AoPair {
  explicit AoPair(std::vector<MasterKeyTuple> mkts = {{.send_id = 1, .recv_id = 2, .key = "k"}}) {
    std::vector<MasterKeyTuple> mirrored = mkts;
    for (MasterKeyTuple& mkt : mirrored) std::swap(mkt.send_id, mkt.recv_id);
    a_options = ao_options(std::move(mkts));
    b_options = ao_options(std::move(mirrored));
    a = make_authenticator(a_options, tuple, SeqNum(0xFFFFFFF0));
    b = make_authenticator(b_options, tuple.reversed(), SeqNum(0));
    a->set_irs(SeqNum(0));
    b->set_irs(SeqNum(0xFFFFFFF0));
  }
  SegmentOut from_a(uint32_t seq) const {
    SegmentOut out;
    out.tuple = tuple;
    out.header.sequence_number = seq;
    out.header.flags = packet::kAck;
    EXPECT_TRUE(a->sign(out));
    return out;
  }
  static packet::TcpSegment arriving(const SegmentOut& out) {
    packet::TcpSegment segment;
    segment.source = out.tuple.local.address;
    segment.destination = out.tuple.remote.address;
    segment.header = out.header;
    segment.header.data_offset = static_cast<uint8_t>(5 + out.option_size / 4);
    packet::parse_options(out.options(), segment.options);
    return segment;
  }
  std::string_view verify_at_b(const SegmentOut& out) const { return b->verify(arriving(out)); }

  packet::FourTuple tuple = {{packet::IpAddress::v4(192, 0, 2, 1), 1000},
                             {packet::IpAddress::v4(192, 0, 2, 2), 179}};
  ConnectionOptions a_options, b_options;
  std::unique_ptr<Authenticator> a, b;
};

TEST(AoAuthenticator, SignsWithTheSequenceNumberExtension) {
  AoPair pair;
  const SegmentOut before = pair.from_a(0xFFFFFFF8);
  const SegmentOut behind = pair.from_a(8);
  const TrafficKey key = derive_traffic_key(AoAlgorithm::kHmacSha1, "k", pair.tuple.local,
                                            pair.tuple.remote, 0xFFFFFFF0, 0);
  Mac mac(AoAlgorithm::kHmacSha1, key.span());
  for (const auto& [out, extension] : {std::pair(before, 0u), std::pair(behind, 1u)}) {
    const packet::TcpSegment segment = AoPair::arriving(out);
    EXPECT_TRUE(std::ranges::equal(ao_mac(mac, signed_part(segment), true, extension),
                                   segment.options.authentication.subspan(2)));
    EXPECT_EQ(pair.b->verify(segment), "");
  }
}

TEST(AoAuthenticator, RefusesWhatIsNotExactlyOneGoodOption) {
  const AoPair pair;
  const SegmentOut good = pair.from_a(0xFFFFFFF1);
  EXPECT_EQ(pair.verify_at_b(good), "");

  SegmentOut bare = good;
  bare.option_size = 0;
  EXPECT_THAT(pair.verify_at_b(bare), HasSubstr("no TCP-AO option"));

  SegmentOut twice = good;  // RFC5925-2.2-2
  std::copy_n(good.option_bytes.begin(), 16, twice.option_bytes.begin() + 16);
  twice.option_size = 32;
  EXPECT_THAT(pair.verify_at_b(twice), HasSubstr("more than one"));

  SegmentOut with_md5 = good;  // RFC5925-2.2-1
  with_md5.option_bytes[16] = 19;
  with_md5.option_bytes[17] = 18;
  with_md5.option_size = 36;
  EXPECT_THAT(pair.verify_at_b(with_md5), HasSubstr("more than one"));

  SegmentOut other_id = good;  // RFC5925-3.3-1
  other_id.option_bytes[2] = 9;
  EXPECT_THAT(pair.verify_at_b(other_id), HasSubstr("no MKT"));

  SegmentOut shorter = good;  // RFC5925-2.2-3
  shorter.option_bytes[1] = 12;
  EXPECT_THAT(pair.verify_at_b(shorter), HasSubstr("wrong length"));

  SegmentOut wrong = good;
  wrong.option_bytes[15] ^= 1;
  EXPECT_THAT(pair.verify_at_b(wrong), HasSubstr("wrong MAC"));
}

// RFC5925-7.5-2: B says it is ready for key 11/12; A goes over with its next segment.
TEST(AoAuthenticator, FollowsRnextKeyId) {
  AoPair pair(
      {{.send_id = 1, .recv_id = 2, .key = "old"}, {.send_id = 11, .recv_id = 12, .key = "new"}});
  EXPECT_EQ(pair.a->key_ids()->current_key, 1);
  ConnectionOptions wanted = pair.b_options;
  wanted.ao_rnext_key = 11;
  ASSERT_TRUE(pair.b->update(wanted).ok());

  SegmentOut from_b;
  from_b.tuple = pair.tuple.reversed();
  from_b.header.sequence_number = 1;
  from_b.header.flags = packet::kAck;
  SegmentOut forged = from_b;
  ASSERT_TRUE(pair.b->sign(from_b));
  EXPECT_EQ(from_b.option_bytes[2], 2);   // still signed with the old one
  EXPECT_EQ(from_b.option_bytes[3], 11);  // asks for the new one
  forged = from_b;
  forged.option_bytes[8] ^= 1;
  EXPECT_NE(pair.a->verify(AoPair::arriving(forged)), "");
  EXPECT_EQ(pair.a->key_ids()->current_key, 1) << "a forged one changes nothing";
  EXPECT_EQ(pair.a->verify(AoPair::arriving(from_b)), "");
  EXPECT_EQ(pair.a->key_ids()->current_key, 11);
  EXPECT_EQ(pair.a->key_ids()->received_rnext_key_id, 11);
  const SegmentOut out = pair.from_a(0xFFFFFFF1);
  EXPECT_EQ(out.option_bytes[2], 11);
  EXPECT_EQ(pair.verify_at_b(out), "");
}

// RFC5925-3.1-1, 3.1-2.
TEST(AoAuthenticator, KeysInUseDoNotChange) {
  AoPair pair({{.send_id = 0, .recv_id = 255, .key = "k"}});
  EXPECT_EQ(pair.verify_at_b(pair.from_a(0xFFFFFFF1)), "");
  const MasterKeyTuple same = {.send_id = 0, .recv_id = 255, .key = "k"};
  const MasterKeyTuple other = {.send_id = 5, .recv_id = 6, .key = "x"};
  EXPECT_TRUE(pair.a->update(ao_options({other, same})).ok());
  EXPECT_EQ(pair.a->key_ids()->current_key, 0);
  EXPECT_EQ(pair.verify_at_b(pair.from_a(0xFFFFFFF2)), "");
  EXPECT_TRUE(pair.a->update(ao_options({same})).ok()) << "it was not in use";
  EXPECT_FALSE(pair.a->update(ao_options({other})).ok());
  EXPECT_FALSE(pair.a->update(ao_options({{.send_id = 0, .recv_id = 255, .key = "y"}})).ok());
  EXPECT_FALSE(pair.a->update({}).ok());
  ConnectionOptions unknown = ao_options({same});
  unknown.ao_current_key = 7;
  EXPECT_FALSE(pair.a->update(unknown).ok());
}

TEST(KeyRing, LongestPrefix) {
  const KeyRing ring(
      {{.peer = packet::IpAddress::v4(192, 0, 2, 0), .prefix_length = 24, .md5 = "net"},
       {.peer = packet::IpAddress::v4(192, 0, 2, 7), .prefix_length = 32, .md5 = "one"}});
  EXPECT_TRUE(ring.validate().ok());
  EXPECT_EQ(ring.find(packet::IpAddress::v4(192, 0, 2, 1))->md5, "net");
  EXPECT_EQ(ring.find(packet::IpAddress::v4(192, 0, 2, 7))->md5, "one");
  EXPECT_EQ(ring.find(packet::IpAddress::v4(192, 0, 3, 7)), nullptr);
  EXPECT_EQ(ring.find(*packet::IpAddress::parse("2001:db8::1")), nullptr);
}

TEST(KeyRing, Validates) {
  const packet::IpAddress peer = packet::IpAddress::v4(192, 0, 2, 1);
  const auto error = [](std::vector<PeerKeys> peers) {
    const absl::Status status = KeyRing(std::move(peers)).validate();
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
    return std::string(status.message());
  };
  EXPECT_THAT(error({{.peer = peer, .prefix_length = 33, .md5 = "secret"}}), HasSubstr("prefix"));
  EXPECT_THAT(error({{.peer = peer}}), HasSubstr("either"));
  EXPECT_THAT(error({{.peer = peer, .md5 = "secret", .ao = {{.key = "secret"}}}}),
              HasSubstr("either"));  // RFC5925-8-1
  EXPECT_THAT(error({{.peer = peer, .md5 = std::string(81, 'x')}}), HasSubstr("80"));
  EXPECT_EQ(error({{.peer = peer, .md5 = std::string(80, 'x')}}), "");  // RFC2385-4.5-1
  EXPECT_THAT(error({{.peer = peer, .ao = {{.key = ""}}}}), HasSubstr("1..255"));
  EXPECT_THAT(error({{.peer = peer,
                      .ao = {{.send_id = 1, .recv_id = 1, .key = "secret"},
                             {.send_id = 1, .recv_id = 2, .key = "secret"}}}}),
              HasSubstr("send_id"));
  EXPECT_THAT(error({{.peer = peer,
                      .ao = {{.send_id = 1, .recv_id = 1, .key = "secret"},
                             {.send_id = 2, .recv_id = 1, .key = "secret"}}}}),
              HasSubstr("recv_id"));
  EXPECT_THAT(error({{.peer = peer, .md5 = "secret"},
                     {.peer = peer, .prefix_length = 16, .ao = {{.key = "secret"}}}}),
              HasSubstr("same peer"));
  EXPECT_THAT(error({{.peer = peer, .md5 = "secret"}, {.peer = peer, .md5 = "secret"}}),
              HasSubstr("twice"));
}

// Padding behind the other options would hide what follows it.
TEST(AppendOption, TurnsPaddingIntoNops) {
  SegmentOut out;
  packet::OptionWriter writer;
  writer.user_timeout({.value = 5});
  writer.sack_permitted();
  const auto bytes = writer.finish();
  std::ranges::copy(bytes, out.option_bytes.begin());
  out.option_size = static_cast<uint8_t>(bytes.size());
  ASSERT_EQ(out.option_size, 8);
  uint8_t* const at = append_option(out, 4);
  EXPECT_EQ(at, out.option_bytes.data() + 8);
  EXPECT_EQ(out.option_size, 12);
  EXPECT_EQ(out.option_bytes[6], 1);
  EXPECT_EQ(out.option_bytes[7], 1);
}

}  // namespace
}  // namespace tcproctor::tcp
