// SPDX-License-Identifier: Apache-2.0
#include "stack/link/vnet_header.h"

#include "stack/packet/checksum.h"

namespace tcproctor::link {
namespace {

constexpr size_t kEthernetHeader = 14;
constexpr uint8_t kProtocolTcp = 6;
constexpr size_t kTcpChecksumOffset = 16;

bool is_ipv6(std::span<const uint8_t> ip) {
  return !ip.empty() && ip[0] >> 4 == 6;
}

}  // namespace

size_t tcp_offset(std::span<const uint8_t> frame, host::LinkLayer layer) {
  const size_t ip_start = layer == host::LinkLayer::kEthernet ? kEthernetHeader : 0;
  if (frame.size() < ip_start + 20) return 0;
  if (ip_start != 0) {
    const int type = frame[12] << 8 | frame[13];
    if (type != 0x0800 && type != 0x86dd) return 0;
  }
  const std::span<const uint8_t> ip = frame.subspan(ip_start);
  size_t header = 0;
  if (ip[0] >> 4 == 4) {
    const bool fragment = (ip[6] & 0x3f) != 0 || ip[7] != 0;
    header = static_cast<size_t>(ip[0] & 0x0f) * 4;
    if (fragment || header < 20 || ip[9] != kProtocolTcp) return 0;
  } else if (is_ipv6(ip)) {
    header = 40;
    if (ip.size() < header || ip[6] != kProtocolTcp) return 0;
  } else {
    return 0;
  }
  return ip.size() < header + 20 ? 0 : ip_start + header;
}

VnetHeader make_vnet_header(std::span<const uint8_t> frame, const host::FrameMeta& meta,
                            host::LinkLayer layer) {
  VnetHeader header;
  if (meta.gso_size != 0) {
    const size_t ip_start = layer == host::LinkLayer::kEthernet ? kEthernetHeader : 0;
    const bool ipv6 = frame.size() > ip_start && is_ipv6(frame.subspan(ip_start));
    header.gso_type = ipv6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4;
    header.gso_size = meta.gso_size;
  }
  if (!meta.checksum_partial || meta.checksum_start + 20u > frame.size()) return header;
  header.flags = VnetHeader::kNeedsChecksum;
  header.checksum_start = meta.checksum_start;
  header.checksum_offset = kTcpChecksumOffset;
  if (meta.gso_size == 0) return header;
  const size_t tcp_length = static_cast<size_t>(frame[meta.checksum_start + 12u] >> 4) * 4;
  header.header_length = static_cast<uint16_t>(meta.checksum_start + tcp_length);
  return header;
}

bool finish_checksum(std::span<uint8_t> frame, size_t start, size_t offset) {
  if (start + offset + 2 > frame.size()) return false;
  const uint16_t sum = packet::internet_checksum(frame.subspan(start));
  frame[start + offset] = static_cast<uint8_t>(sum >> 8);
  frame[start + offset + 1] = static_cast<uint8_t>(sum & 0xff);
  return true;
}

bool read_vnet_header(const VnetHeader& header, std::span<uint8_t> frame, host::FrameMeta& meta) {
  meta = {};
  if ((header.flags & VnetHeader::kNeedsChecksum) != 0) {
    meta.checksum_trusted = true;
    if (header.checksum_offset == kTcpChecksumOffset) {
      if (header.checksum_start + 20u > frame.size()) return false;
      meta.checksum_partial = true;
      meta.checksum_start = header.checksum_start;
    } else if (!finish_checksum(frame, header.checksum_start, header.checksum_offset)) {
      return false;
    }
  } else if ((header.flags & VnetHeader::kDataValid) != 0) {
    meta.checksum_trusted = true;
  }
  const auto gso_type = static_cast<uint8_t>(header.gso_type & ~VnetHeader::kGsoEcn);
  if (gso_type == VnetHeader::kGsoTcp4 || gso_type == VnetHeader::kGsoTcp6) {
    meta.gso_size = header.gso_size;
  }
  return true;
}

}  // namespace tcproctor::link
