// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/ipv4.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"

namespace tcproctor::packet {
namespace {

constexpr uint16_t kReservedFlag = 0x8000;
constexpr uint16_t kDontFragment = 0x4000;
constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint16_t kFragmentOffsetMask = 0x1FFF;

void read_fixed_fields(const uint8_t* bytes, Ipv4Header& header) {
  header.version = bytes[0] >> 4;
  header.header_length = bytes[0] & 0x0F;
  header.dscp = bytes[1] >> 2;
  header.ecn = bytes[1] & 0x03;
  header.total_length = load_be16(bytes + 2);
  header.identification = load_be16(bytes + 4);
  const uint16_t fragment = load_be16(bytes + 6);
  header.reserved_flag = (fragment & kReservedFlag) != 0;
  header.dont_fragment = (fragment & kDontFragment) != 0;
  header.more_fragments = (fragment & kMoreFragments) != 0;
  header.fragment_offset = fragment & kFragmentOffsetMask;
  header.ttl = bytes[8];
  header.protocol = bytes[9];
  header.checksum = load_be16(bytes + 10);
  header.source = IpAddress::v4(load_be32(bytes + 12));
  header.destination = IpAddress::v4(load_be32(bytes + 16));
}

}  // namespace

ParseResult parse_ipv4(std::span<const uint8_t> packet, Ipv4Header& header,
                       std::span<const uint8_t>& payload) {
  if (packet.size() < kIpv4MinHeaderBytes) return ParseResult::kTruncated;
  read_fixed_fields(packet.data(), header);
  header.options.clear();
  payload = {};
  if (header.version != 4) return ParseResult::kBadVersion;
  const size_t header_bytes = size_t{header.header_length} * 4;
  if (header_bytes < kIpv4MinHeaderBytes || header_bytes > packet.size()) {
    return ParseResult::kBadHeaderLength;
  }
  if (header.total_length < header_bytes || header.total_length > packet.size()) {
    return ParseResult::kBadTotalLength;
  }
  if (header_bytes > kIpv4MinHeaderBytes) {
    header.options =
        InlineBytes<40>(packet.subspan(kIpv4MinHeaderBytes, header_bytes - kIpv4MinHeaderBytes));
  }
  payload = packet.subspan(header_bytes, header.total_length - header_bytes);
  if (internet_checksum(packet.first(header_bytes)) != 0) return ParseResult::kBadIpChecksum;
  return ParseResult::kOk;
}

bool has_source_route(std::span<const uint8_t> options) {
  constexpr uint8_t kEnd = 0;
  constexpr uint8_t kNop = 1;
  constexpr uint8_t kLoose = 131;
  constexpr uint8_t kStrict = 137;
  while (!options.empty() && options[0] != kEnd) {
    if (options[0] == kLoose || options[0] == kStrict) return true;
    size_t length = 1;
    if (options[0] != kNop) {
      length = options.size() > 1 ? options[1] : 0;
      if (length < 2 || length > options.size()) return false;
    }
    options = options.subspan(length);
  }
  return false;
}

size_t write_ipv4(const Ipv4Header& header, std::span<uint8_t> out) {
  const size_t size = header.encoded_size();
  if (out.size() < size) return 0;
  uint8_t* bytes = out.data();
  bytes[0] = static_cast<uint8_t>(header.version << 4 | (header.header_length & 0x0F));
  bytes[1] = static_cast<uint8_t>(header.dscp << 2 | (header.ecn & 0x03));
  store_be16(bytes + 2, header.total_length);
  store_be16(bytes + 4, header.identification);
  store_be16(bytes + 6, static_cast<uint16_t>((header.reserved_flag ? kReservedFlag : 0) |
                                              (header.dont_fragment ? kDontFragment : 0) |
                                              (header.more_fragments ? kMoreFragments : 0) |
                                              (header.fragment_offset & kFragmentOffsetMask)));
  bytes[8] = header.ttl;
  bytes[9] = header.protocol;
  store_be16(bytes + 10, header.checksum);
  store_be32(bytes + 12, header.source.v4_value());
  store_be32(bytes + 16, header.destination.v4_value());
  if (header.options.empty()) return size;
  const std::span<const uint8_t> options = header.options.span();
  std::fill(std::copy(options.begin(), options.end(), bytes + kIpv4MinHeaderBytes), bytes + size,
            uint8_t{0});
  return size;
}

bool finish_ipv4(Ipv4Header& header, size_t payload_length) {
  const size_t size = header.encoded_size();
  if (payload_length > 0xFFFF - size) return false;
  header.version = 4;
  header.header_length = static_cast<uint8_t>(size / 4);
  header.total_length = static_cast<uint16_t>(size + payload_length);
  header.checksum = 0;
  std::array<uint8_t, kIpv4MaxHeaderBytes> bytes;
  header.checksum = internet_checksum(std::span(bytes).first(write_ipv4(header, bytes)));
  return true;
}

}  // namespace tcproctor::packet
