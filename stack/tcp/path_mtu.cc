// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/path_mtu.h"

#include <algorithm>
#include <array>

namespace tcproctor::tcp {

uint32_t plateau_below(uint32_t mtu) {
  static constexpr std::array<uint32_t, 10> kPlateaus = {32000, 17914, 8166, 4352, 2002,
                                                         1492,  1006,  508,  296,  68};
  for (const uint32_t plateau : kPlateaus) {
    if (plateau < mtu) return plateau;
  }
  return kPlateaus.back();
}

void PathMtu::set(uint32_t mtu) {
  mtu_ = static_cast<uint16_t>(mtu);
  if (pending_mtu_ >= mtu_) pending_mtu_ = 0;
}

// Of a segment that goes again in another size the ACK does not tell which one came through: the
// smaller is what is known then.
void PathMtu::on_sent(SeqNum seq, SeqNum end, uint32_t size) {
  largest_sent_ = std::max(largest_sent_, static_cast<uint16_t>(size));
  if (tracked_size_ != 0) {
    if (seq.before(tracked_end_) && end.after(tracked_seq_)) {
      tracked_size_ = std::min(tracked_size_, static_cast<uint16_t>(size));
    }
  } else if (size > largest_acked_) {
    tracked_size_ = static_cast<uint16_t>(size);
    tracked_seq_ = seq;
    tracked_end_ = end;
  }
}

void PathMtu::on_ack(SeqNum una) {
  if (tracked_size_ != 0 && una.at_or_after(tracked_end_)) {
    largest_acked_ = std::max(largest_acked_, tracked_size_);
    tracked_size_ = 0;
  }
  if (pending_mtu_ != 0 && una.after(pending_seq_)) pending_mtu_ = 0;  // progress: it was a lie
}

bool PathMtu::on_too_big(SeqNum quoted_seq, uint32_t claimed) {
  // RFC5927-7.2-1: nothing so large was ever sent, so that nobody can have found it too big.
  if (claimed >= mtu_ || claimed >= largest_sent_) return false;
  if (claimed >= largest_acked_) return true;
  if (pending_mtu_ == 0) {
    pending_mtu_ = static_cast<uint16_t>(claimed);
    pending_seq_ = quoted_seq;
  }
  return false;
}

std::optional<uint32_t> PathMtu::on_timeout() {
  if (pending_mtu_ == 0) return std::nullopt;
  const uint32_t claimed = pending_mtu_;
  pending_mtu_ = 0;
  forget_acked();
  return claimed;
}

}  // namespace tcproctor::tcp
