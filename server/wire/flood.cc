// SPDX-License-Identifier: Apache-2.0
#include "server/wire/flood.h"

#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/wire/octets.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::server {
namespace {

using packet::IpAddress;
using packet::IpFamily;
using packet::IpPrefix;

constexpr absl::string_view kDefaultPrefixV4 = "198.18.0.0/15";       // RFC 2544
constexpr absl::string_view kDefaultPrefixV6 = "2001:db8:ffff::/48";  // RFC 3849
constexpr uint32_t kLowestPort = 1024;
constexpr size_t kIpv4SourceOffset = 12;
constexpr size_t kIpv6SourceOffset = 8;
constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;

absl::StatusOr<IpPrefix> read_prefix(absl::string_view text, IpFamily family) {
  absl::StatusOr<IpPrefix> prefix = IpPrefix::parse(std::string_view(text.data(), text.size()));
  if (!prefix.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("flood.source_prefix: ", prefix.status().message()));
  }
  if (prefix->network.family() != family) {
    return absl::InvalidArgumentError(absl::StrCat("flood.source_prefix: \"", text, "\" must be ",
                                                   family == IpFamily::kV4 ? "IPv4" : "IPv6",
                                                   " like flood.segment"));
  }
  return prefix;
}

// The first `length` bits of `network`, the others as in `random`.
void mix_address(std::span<const uint8_t> network, uint8_t length,
                 const std::array<uint8_t, 16>& random, uint8_t* out) {
  for (size_t i = 0; i < network.size(); ++i) {
    const int kept = std::max(0, std::min(8, length - static_cast<int>(i) * 8));
    const auto mask = static_cast<uint8_t>(0xFF00 >> kept);
    out[i] = static_cast<uint8_t>((network[i] & mask) | (random[i] & ~mask));
  }
}

absl::Status check(const v1::Flood& flood) {
  if (flood.count() == 0 || flood.count() > kMaxFlood) {
    return absl::InvalidArgumentError(
        absl::StrCat("flood.count: ", flood.count(), " is outside 1..", kMaxFlood));
  }
  if (!flood.segment().has_tcp()) {
    return absl::InvalidArgumentError(
        "flood.segment.tcp: is required, the flood draws its source port");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FloodGenerator> FloodGenerator::create(const v1::Flood& flood,
                                                      const CraftContext& context,
                                                      uint64_t default_seed) {
  if (absl::Status status = check(flood); !status.ok()) return status;
  absl::StatusOr<Crafted> crafted = craft(flood.segment(), context, "flood.segment");
  if (!crafted.ok()) return crafted.status();
  const bool v4 = crafted->family == IpFamily::kV4;
  absl::string_view text = flood.source_prefix();
  if (text.empty()) text = v4 ? kDefaultPrefixV4 : kDefaultPrefixV6;
  const absl::StatusOr<IpPrefix> prefix = read_prefix(text, crafted->family);
  if (!prefix.ok()) return prefix.status();
  FloodGenerator generator;
  generator.template_ = *std::move(crafted);
  generator.sources_ = *prefix;
  generator.count_ = flood.count();
  generator.rate_ = flood.rate();
  generator.unlogged_ = flood.unlogged();
  generator.random_ = Random(flood.seed() != 0 ? flood.seed() : default_seed);
  return generator;
}

tcp::Duration FloodGenerator::next_offset() const {
  if (rate_ == 0) return tcp::Duration::zero();
  // Whole seconds apart, so that 10^7 segments at 1 a second do not overflow.
  const uint64_t rest = sent_ % rate_ * kNanosecondsPerSecond / rate_;
  return tcp::Duration(static_cast<int64_t>(sent_ / rate_ * kNanosecondsPerSecond + rest));
}

std::span<const uint8_t> FloodGenerator::next() {
  ++sent_;
  auto* const octets = reinterpret_cast<uint8_t*>(template_.packet.data());
  const std::span<uint8_t> packet(octets, template_.packet.size());
  const bool v4 = template_.family == IpFamily::kV4;
  std::array<uint8_t, 16> random;
  const uint64_t low = random_.next();
  const uint64_t high = random_.next();
  std::memcpy(random.data(), &low, 8);
  std::memcpy(random.data() + 8, &high, 8);
  uint8_t* const source = octets + (v4 ? kIpv4SourceOffset : kIpv6SourceOffset);
  mix_address(sources_.network.bytes(), sources_.length, random, source);

  const std::span<uint8_t> segment = packet.subspan(template_.ip_header_bytes);
  const uint64_t port = kLowestPort + random_.below(65536 - kLowestPort);
  packet::store_be16(segment.data(), static_cast<uint16_t>(port));
  if (template_.ip_checksum_computed) {
    packet::store_be16(octets + kIpv4ChecksumOffset, 0);
    packet::store_be16(octets + kIpv4ChecksumOffset,
                       packet::internet_checksum(packet.first(template_.ip_header_bytes)));
  }
  if (template_.transport_checksum_computed) {
    const auto address = [&](const uint8_t* at) {
      return v4 ? IpAddress::v4_bytes(std::span<const uint8_t, 4>(at, 4))
                : IpAddress::v6_bytes(std::span<const uint8_t, 16>(at, 16));
    };
    packet::store_be16(segment.data() + kTcpChecksumOffset, 0);
    packet::store_be16(segment.data() + kTcpChecksumOffset,
                       packet::transport_checksum(address(source), address(source + (v4 ? 4 : 16)),
                                                  packet::kProtocolTcp, segment));
  }
  return packet;
}

}  // namespace tcproctor::server
