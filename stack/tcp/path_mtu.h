// SPDX-License-Identifier: Apache-2.0
// The path's MTU as one connection knows it, and how far it believes the ICMP messages that want to
// lower it (RFC 1191, RFC 8201, the two stages of RFC 5927 §7.2).
//
// A message may claim less than what was seen to arrive only when the segment it quotes is not
// acknowledged in time; otherwise anybody who guesses a sequence number could slow the connection
// down. What has not been seen to arrive yet may be too large indeed, and is believed at once. All
// sizes are octets of a whole IP packet.
#pragma once

#include <cstdint>
#include <optional>

#include "stack/packet/address.h"
#include "stack/tcp/sequence.h"

namespace tcproctor::tcp {

// RFC1191-3-3 (every IPv4 link carries that much, RFC 791 §3.2) and RFC8201-4-1.
constexpr uint32_t least_path_mtu(packet::IpFamily family) {
  return family == packet::IpFamily::kV4 ? 68 : 1280;
}

// RFC1191-3-6: what to try when an old router names no MTU: the next lower plateau of RFC 1191
// §7.1.
uint32_t plateau_below(uint32_t mtu);

// What one connection tells others to the same host.
struct PathMtuNews {
  uint32_t mtu = 0;
  bool searched = false;  // by RFC 4821, not by a message: it may well carry more

  bool operator==(const PathMtuNews&) const = default;
};

class PathMtu {
 public:
  explicit PathMtu(uint32_t mtu) : mtu_(static_cast<uint16_t>(mtu)) {}

  uint32_t mtu() const { return mtu_; }
  void set(uint32_t mtu);

  // A packet of `size` octets with the numbers [seq, end) goes out, for the first time or again.
  void on_sent(SeqNum seq, SeqNum end, uint32_t size);
  void on_ack(SeqNum una);

  // "Packet too big" about the segment `quoted_seq`, which is in flight; `claimed` is lawful for
  // the family. True: adopt it now. False: it is no decrease (RFC1191-3-4, 6.4-1, RFC8201-4-4) of
  // what was sent, or waits for on_timeout().
  bool on_too_big(SeqNum quoted_seq, uint32_t claimed);
  // The retransmission timer expired: what is to be adopted now, if a message waits.
  std::optional<uint32_t> on_timeout();
  // The path is another one: what was seen to arrive on it counts no more.
  void forget_acked() { largest_acked_ = tracked_size_ = 0; }

 private:
  uint16_t mtu_;
  uint16_t largest_sent_ = 0;
  uint16_t largest_acked_ = 0;
  uint16_t tracked_size_ = 0;  // of one packet above largest_acked_; 0: none is on its way
  uint16_t pending_mtu_ = 0;   // claimed by a message that waits; 0: none
  SeqNum tracked_seq_;
  SeqNum tracked_end_;
  SeqNum pending_seq_;
};

}  // namespace tcproctor::tcp
