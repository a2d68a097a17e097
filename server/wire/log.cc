// SPDX-License-Identifier: Apache-2.0
#include "server/wire/log.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/time_proto.h"
#include "server/wire/decode.h"
#include "stack/packet/ip.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::server {
namespace {

// TCP, ICMP or ICMPv6, malformed or not. Parses only where IPv6 extension headers stand between.
bool is_examined(std::span<const uint8_t> packet) {
  if (packet.empty()) return false;
  const int version = packet[0] >> 4;
  if (version == 4 && packet.size() >= 20) {
    return packet[9] == packet::kProtocolTcp || packet[9] == packet::kProtocolIcmp;
  }
  if (version != 6 || packet.size() < 40) return false;
  uint8_t protocol = packet[6];
  if (protocol != packet::kProtocolTcp && protocol != packet::kProtocolIcmpV6) {
    packet::IpPacket ip;
    if (packet::parse_ip(packet, ip) != packet::ParseResult::kOk) return false;
    protocol = ip.protocol;
  }
  return protocol == packet::kProtocolTcp || protocol == packet::kProtocolIcmpV6;
}

}  // namespace

uint64_t WireLog::append(const LogRecord& record) {
  bytes_ += record.packet.size();
  const std::span<const uint8_t> stored = store(record.packet);
  LogRecord& kept = records_.emplace_back(record);
  kept.number = last();
  kept.packet = stored;
  kept.examined = is_examined(stored);
  while (bytes_ > budget_ && records_.size() > 1) drop_oldest();
  return kept.number;
}

std::span<const uint8_t> WireLog::store(std::span<const uint8_t> packet) {
  if (blocks_.empty() || blocks_.back().size - blocks_.back().used < packet.size()) {
    Block& block = blocks_.emplace_back();
    block.size = std::max(kBlockBytes, packet.size());
    const bool reuse = spare_ != nullptr && block.size == kBlockBytes;
    block.octets =
        reuse ? std::move(spare_) : std::make_unique_for_overwrite<uint8_t[]>(block.size);
  }
  Block& block = blocks_.back();
  uint8_t* const to = block.octets.get() + block.used;
  if (!packet.empty()) std::memcpy(to, packet.data(), packet.size());
  block.used += packet.size();
  ++block.records;
  return {to, packet.size()};
}

void WireLog::drop_oldest() {
  bytes_ -= records_.front().packet.size();
  records_.pop_front();
  ++first_;
  Block& block = blocks_.front();
  if (--block.records > 0 || blocks_.size() == 1) return;
  if (block.size == kBlockBytes) spare_ = std::move(block.octets);
  blocks_.pop_front();
}

void WireLog::set_fate(uint64_t number, v1::Fate fate) {
  if (number < first_ || number > last()) return;
  records_[number - first_].fate = fate;
}

const LogRecord* WireLog::find(uint64_t number) const {
  if (number < first_ || number > last()) return nullptr;
  return &records_[number - first_];
}

absl::Status WireLog::check_readable(uint64_t after) const {
  if (after + 1 >= first_) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("log: segments ", after + 1, "..", first_ - 1, " were dropped, it keeps ",
                   budget_, " octets (WireSpec.log_bytes); the oldest one kept is ", first_));
}

void fill_log_entry(const LogRecord& record, v1::LogEntry& entry) {
  Decoded decoded;
  decode(record.packet, decoded);
  entry.Clear();
  entry.set_number(record.number);
  *entry.mutable_time() = to_proto(record.time);
  if (record.wall_time_ns != 0) {
    *entry.mutable_wall_time() = wall_time_to_proto(record.wall_time_ns);
  }
  entry.set_from(record.from);
  entry.set_origin(record.origin);
  entry.set_fate(record.fate);
  entry.mutable_segment()->Swap(&decoded.segment);
  entry.set_raw(record.packet.data(), record.packet.size());
  entry.set_ip_checksum_valid(decoded.ip_checksum_valid);
  entry.set_transport_checksum_valid(decoded.transport_checksum_valid);
  entry.set_malformed(decoded.malformed);
  entry.set_corrupted(record.corrupted);
  entry.set_state_a(record.state_a);
  entry.set_state_b(record.state_b);
}

}  // namespace tcproctor::server
