// SPDX-License-Identifier: Apache-2.0
// Received octets: those in order that the user has not read, and behind gaps those out of order
// (RFC9293-SHLD-31). What it stores is bounded by the window, since callers trim to it, and the
// number of separate ranges by kMaxRanges.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "stack/packet/tcp_options.h"
#include "stack/tcp/byte_ring.h"
#include "stack/tcp/reassembly_budget.h"
#include "stack/tcp/sequence.h"

namespace tcproctor::tcp {

class ReceiveBuffer {
 public:
  static constexpr size_t kMaxRanges = 128;

  // `budget`, if any, outlives the buffer.
  explicit ReceiveBuffer(ReassemblyBudget* budget = nullptr) : budget_(budget) {}
  ~ReceiveBuffer() { clear(); }
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;

  // Data begins at `first` (IRS+1).
  void start(SeqNum first);

  // The number after the last octet in order: RCV.NXT as far as data is concerned.
  SeqNum next() const { return read_ + readable_; }
  // The first octet the user has not read.
  SeqNum read_position() const { return read_; }
  size_t readable() const { return readable_; }
  size_t out_of_order() const { return out_of_order_; }
  bool has_gaps() const { return !ranges().empty(); }

  // Stores text that begins at or after next(). In order it becomes readable, with whatever follows
  // it without a gap. False, and nothing stored, when it would be one range too many, or
  // more than the host has room for.
  bool insert(SeqNum seq, std::span<const uint8_t> text);
  // Stores text without making it readable: what came with a SYN (RFC9293-3.5-L1).
  bool hold(SeqNum seq, std::span<const uint8_t> text);
  // Makes held text readable.
  void release_held();

  // Copies out at most buffer.size() octets; returns how many.
  size_t read(std::span<uint8_t> buffer);

  // Where the peer's FIN stands; the first one counts.
  void note_fin(SeqNum seq) {
    if (!fin_.has_value()) fin_ = seq;
  }
  bool fin_is_next() const { return fin_ == next(); }

  // The first part of [seq, seq + length) that is held behind a gap already (RFC2883-4.2-1). Empty:
  // none.
  packet::SackBlock first_held(SeqNum seq, size_t length) const;

  // Ranges behind gaps, the one touched last first (RFC2018-4-5, 4-7); returns how many were
  // written.
  size_t sack_blocks(std::span<packet::SackBlock> blocks) const;

  void clear();

 private:
  struct Range {
    SeqNum left;
    SeqNum right;
    uint32_t touched = 0;  // larger = later
  };

  struct Held {
    std::vector<Range> ranges;  // ascending, disjoint, not adjacent
    uint32_t touches = 0;
  };

  std::span<const Range> ranges() const {
    return held_ == nullptr ? std::span<const Range>() : held_->ranges;
  }
  void write(SeqNum seq, std::span<const uint8_t> text);
  bool add_range(SeqNum left, SeqNum right);
  void absorb();
  bool charge(SeqNum right);

  ByteRing ring_;
  SeqNum read_;
  uint32_t readable_ = 0;
  uint32_t out_of_order_ = 0;
  uint32_t charged_ = 0;  // from next() to the end of the last range: gaps take memory as well
  ReassemblyBudget* budget_;
  std::unique_ptr<Held> held_;  // null until something came out of order
  std::optional<SeqNum> fin_;
};

}  // namespace tcproctor::tcp
