// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/pcap_file.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace tcproctor::conformance {
namespace {

constexpr uint32_t kMagicNanoseconds = 0xa1b23c4d;
constexpr uint32_t kVersion = 4U << 16 | 2U;  // two 16-bit fields: major 2, minor 4
constexpr uint32_t kSnapLength = 65535;
constexpr uint32_t kLinkTypeRaw = 101;

}  // namespace

PcapFile::PcapFile(std::ostream& out) : out_(out) {
  for (const uint32_t word : {kMagicNanoseconds, kVersion, 0U, 0U, kSnapLength, kLinkTypeRaw})
    put32(word);
  out_.flush();
}

void PcapFile::append(const v1::LogEntry& entry, size_t octets) {
  const bool wall = entry.has_wall_time();
  const size_t captured = std::min(octets, entry.raw().size());
  put32(static_cast<uint32_t>(wall ? entry.wall_time().seconds() : entry.time().seconds()));
  put32(static_cast<uint32_t>(wall ? entry.wall_time().nanos() : entry.time().nanos()));
  put32(static_cast<uint32_t>(captured));
  put32(static_cast<uint32_t>(entry.raw().size()));
  out_.write(entry.raw().data(), static_cast<std::streamsize>(captured));
  out_.flush();
}

void PcapFile::put32(uint32_t value) {
  const std::array<char, 4> octets = {static_cast<char>(value), static_cast<char>(value >> 8),
                                      static_cast<char>(value >> 16),
                                      static_cast<char>(value >> 24)};
  out_.write(octets.data(), octets.size());
}

}  // namespace tcproctor::conformance
