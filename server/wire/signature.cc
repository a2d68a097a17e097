// SPDX-License-Identifier: Apache-2.0
#include "server/wire/signature.h"

#include <algorithm>
#include <vector>

#include "server/end/translate.h"
#include "server/wire/tcp_option.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/authentication/mac.h"

namespace tcproctor::server {
namespace {

// Where the signature itself stands in an option of 18 or 16 octets.
constexpr size_t kMd5Offset = 2;
constexpr size_t kAoOffset = 4;

std::vector<uint8_t> md5_of(const v1::Md5Signature& md5, const tcp::Signed& segment) {
  const auto digest = tcp::Md5().digest(segment, md5.key());
  return {digest.begin(), digest.end()};
}

std::vector<uint8_t> ao_of(const v1::AoSignature& ao, const tcp::Signed& segment) {
  const tcp::AoAlgorithm algorithm = from_proto(ao.algorithm());
  const tcp::TrafficKey key = tcp::derive_traffic_key(
      algorithm, ao.key(), {segment.source, segment.header.source_port},
      {segment.destination, segment.header.destination_port},
      ao.has_source_isn() ? ao.source_isn() : segment.header.sequence_number, ao.destination_isn());
  tcp::Mac mac(algorithm, key.span());
  const auto whole =
      tcp::ao_mac(mac, segment, !ao.options_uncovered(), ao.sequence_number_extension());
  return {whole.begin(), whole.end()};
}

// A fault in what was received would stop the parser: only whole TCP packets have a signature.
std::string difference(const v1::TcpOption& wanted, const packet::TcpSegment& segment) {
  const tcp::Signed part = tcp::signed_part(segment);
  if (wanted.has_md5_signature()) {
    if (tcp::same(md5_of(wanted.md5_signature(), part), segment.options.md5)) return "";
    return segment.options.md5.empty() ? "md5: none, expected the digest for the key"
                                       : "md5: the digest is not right for the key";
  }
  if (!wanted.has_ao_signature() || wanted.ao_signature().key().empty()) return "";
  const std::span<const uint8_t> option = segment.options.authentication;
  if (option.size() < 2) return "ao: none, expected the MAC for the key";
  if (tcp::same(ao_of(wanted.ao_signature(), part), option.subspan(2))) return "";
  return "ao: the MAC is not right for the key";
}

}  // namespace

void sign(const v1::TcpHeader& header, const packet::IpAddress& source,
          const packet::IpAddress& destination, size_t option_octets, std::span<uint8_t> octets) {
  tcp::Signed segment{.source = source,
                      .destination = destination,
                      .header = {},
                      .options = {},
                      .payload = {},
                      .payload_rest = {}};
  std::span<const uint8_t> options;
  std::span<const uint8_t> payload;
  // The fixed fields are read whatever the data offset says.
  (void)packet::parse_tcp_header(octets, segment.header, options, payload);
  segment.header.checksum = 0;
  segment.options = octets.subspan(packet::kTcpMinHeaderBytes, option_octets);
  segment.payload = octets.subspan(packet::kTcpMinHeaderBytes + option_octets);
  std::string before = header.raw_options();
  for (const v1::TcpOption& option : header.options()) {
    const size_t at = packet::kTcpMinHeaderBytes + before.size();
    if (option.has_md5_signature()) {
      std::ranges::copy(md5_of(option.md5_signature(), segment), &octets[at + kMd5Offset]);
    } else if (option.has_ao_signature()) {
      std::ranges::copy(ao_of(option.ao_signature(), segment), &octets[at + kAoOffset]);
    }
    append_option(option, before);
  }
}

std::string signature_difference(const v1::TcpHeader& pattern, std::span<const uint8_t> packet) {
  const auto is_signed = [](const v1::TcpOption& option) {
    return option.has_md5_signature() || option.has_ao_signature();
  };
  if (std::ranges::none_of(pattern.options(), is_signed)) return "";
  packet::TcpSegment segment;
  if (packet::parse_tcp_packet(packet, packet::ChecksumPolicy::kTrusted, segment) !=
      packet::ParseResult::kOk) {
    return "signature: not a whole TCP packet";
  }
  for (const v1::TcpOption& option : pattern.options()) {
    std::string wrong = difference(option, segment);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace tcproctor::server
