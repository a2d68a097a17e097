// SPDX-License-Identifier: Apache-2.0
// The wire's memory: every packet in order, append-only, within a budget of octets. Raw packets are
// kept; they are decoded when somebody reads them, so that bulk transfer through the wire costs a
// copy and no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "server/wire/packet_meta.h"
#include "stack/tcp/time.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

// One packet as it came onto the wire. Octets are owned by the log.
struct LogRecord {
  uint64_t number = 0;  // 1, 2, 3 …
  tcp::Instant time{};
  int64_t wall_time_ns = 0;  // 0: none
  std::span<const uint8_t> packet;
  v1::End from = v1::END_UNSPECIFIED;
  v1::Origin origin = v1::ORIGIN_UNSPECIFIED;
  v1::Fate fate = v1::FATE_UNSPECIFIED;
  v1::TcpState state_a = v1::TCP_STATE_UNSPECIFIED;
  v1::TcpState state_b = v1::TCP_STATE_UNSPECIFIED;
  bool corrupted = false;
  // TCP, ICMP or ICMPv6 by its IP header: what Expect looks at.
  bool examined = false;
  packet::IpFamily family = packet::IpFamily::kV4;
};

// Not thread-safe; shared by the wire and its readers on one loop.
class WireLog {
 public:
  // `budget`: octets of raw packets kept; older ones are dropped. The newest packet is always kept.
  explicit WireLog(uint64_t budget) : budget_(budget) {}
  WireLog(const WireLog&) = delete;
  WireLog& operator=(const WireLog&) = delete;

  // Copies record.packet; number and `examined` are set here. Returns the number.
  uint64_t append(const LogRecord& record);

  // What became of a segment; nothing happens when the log has dropped it.
  void set_fate(uint64_t number, v1::Fate fate);

  // Numbers of the oldest kept and of the newest record; first() > last() when the log is empty.
  uint64_t first() const { return first_; }
  uint64_t last() const { return first_ + records_.size() - 1; }

  // Null when there is none of that number. Valid until the next append().
  const LogRecord* find(uint64_t number) const;

  // DATA_LOSS when a segment after `after` was already dropped: says which and why.
  absl::Status check_readable(uint64_t after) const;

 private:
  // Packets lie one after the other in blocks, which are freed in the order in which they filled.
  struct Block {
    std::unique_ptr<uint8_t[]> octets;
    size_t size = 0;
    size_t used = 0;
    size_t records = 0;
  };
  static constexpr size_t kBlockBytes = size_t{256} << 10;

  std::span<const uint8_t> store(std::span<const uint8_t> packet);
  void drop_oldest();

  const uint64_t budget_;
  uint64_t first_ = 1;
  uint64_t bytes_ = 0;
  std::deque<LogRecord> records_;
  std::deque<Block> blocks_;
  std::unique_ptr<uint8_t[]> spare_;  // one block of kBlockBytes for reuse
};

// The record as the contract has it, decoded. `entry` is overwritten.
void fill_log_entry(const LogRecord& record, v1::LogEntry& entry);

}  // namespace tcproctor::server
