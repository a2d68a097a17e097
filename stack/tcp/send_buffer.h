// SPDX-License-Identifier: Apache-2.0
// Octets the user sent, from the first unacknowledged one on: the RFC's retransmission queue and
// its queue of unsent data in one, addressed by sequence number.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "stack/tcp/byte_ring.h"
#include "stack/tcp/sequence.h"

namespace tcproctor::tcp {

class SendBuffer {
 public:
  // The first octet of data will have this number (ISS+1).
  void start(SeqNum first) { begin_ = first; }

  SeqNum begin() const { return begin_; }
  SeqNum end() const { return begin_ + size_; }
  size_t size() const { return size_; }

  // Takes as many octets as fit into `limit` in all; returns how many.
  size_t append(std::span<const uint8_t> data, size_t limit) {
    const size_t count = std::min(data.size(), limit > size_ ? limit - size_ : 0);
    ring_.write(size_, data.first(count));
    size_ += static_cast<uint32_t>(count);
    return count;
  }

  // Octets [seq, seq + length), which must lie within.
  ByteRing::View view(SeqNum seq, size_t length) const {
    TCPROCTOR_CHECK(seq - begin_ + length <= size_);
    return ring_.view(seq - begin_, length);
  }

  // Forgets what lies before `una`; numbers of SYN and FIN around the data are no matter.
  void acknowledge(SeqNum una) {
    if (!una.after(begin_)) return;
    const uint32_t count = std::min(una - begin_, size_);
    ring_.consume(count);
    size_ -= count;
    begin_ += count;
  }

  void clear() {
    ring_.clear();
    begin_ = end();
    size_ = 0;
  }

 private:
  ByteRing ring_;
  SeqNum begin_;
  uint32_t size_ = 0;
};

}  // namespace tcproctor::tcp
