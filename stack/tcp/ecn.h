// SPDX-License-Identifier: Apache-2.0
// Explicit Congestion Notification of one connection (RFC 3168 §6.1, with RFC 8311's updates): what
// was agreed, what is echoed to the peer and what its echoes ask of us.
#pragma once

#include <cstdint>

#include "stack/packet/tcp_header.h"
#include "stack/tcp/sequence.h"

namespace tcproctor::tcp {

// Codepoints of the IP header's ECN field (RFC 3168 §5).
inline constexpr uint8_t kNotEct = 0;
inline constexpr uint8_t kEct0 = 2;  // RFC3168-5-1, RFC8311-4.2-1, 4.2-2: never ECT(1)
inline constexpr uint8_t kCe = 3;

// RFC3168-6.1.1-1, 6.1.1-2, 6.1.1-9. The former NS bit is ignored (RFC8311-3-1).
inline bool is_ecn_setup_syn(const packet::TcpSegment& syn) {
  return syn.has(packet::kEce) && syn.has(packet::kCwr);
}
inline bool is_ecn_setup_syn_ack(const packet::TcpSegment& syn_ack) {
  return syn_ack.has(packet::kEce) && !syn_ack.has(packet::kCwr);
}

class Ecn {
 public:
  struct Counters {
    uint32_t ce_received = 0;        // segments with data that came marked
    uint32_t echoes_received = 0;    // ACKs with ECE
    uint32_t windows_reduced = 0;    // reactions to them
    uint32_t segments_with_ect = 0;  // sent; a super-segment is one
  };

  // Both sides agreed: set by the handshake.
  bool agreed() const { return agreed_; }
  void agree(bool agreed) { agreed_ = agreed; }

  // --- receiving data (RFC 3168 §6.1.3)
  // A segment with text arrived in the window. True: an ACK is due at once.
  bool on_text(const packet::TcpSegment& segment) {
    if (!agreed_) return false;
    if (segment.has(packet::kCwr)) echo_ = false;  // RFC3168-6.1.3-3
    if (segment.ecn != kCe) return false;
    ++counters_.ce_received;
    const bool first = !echo_;
    echo_ = unanswered_ = true;
    return first;
  }
  // ECE of an ACK that goes out now. RFC3168-6.1.3-1; 6.1.3-2: if any segment it covers was marked.
  uint16_t flags_of_ack() const {
    return agreed_ && (echo_ || unanswered_) ? packet::kEce : uint16_t{0};
  }
  void note_ack_sent() { unanswered_ = false; }

  // --- sending data (RFC 3168 §6.1.2)
  bool has_echo(const packet::TcpSegment& ack) const { return agreed_ && ack.has(packet::kEce); }
  // An acceptable ACK with ECE. True: it is about data sent after the last reduction, so the window
  // is to be reduced now (RFC3168-6.1.2-1, 6.1.2-3).
  bool on_echo(SeqNum ack) {
    ++counters_.echoes_received;
    return !reduced_ || ack.after(reduced_at_);
  }
  // The window was reduced, by an echo or by a loss: CWR is owed (RFC3168-6.1.2-5).
  void note_reduction(SeqNum snd_nxt, bool by_echo) {
    if (!agreed_) return;
    if (by_echo) ++counters_.windows_reduced;
    by_echo_ = by_echo;
    reduced_ = cwr_pending_ = true;
    reduced_at_ = snd_nxt;
  }
  // An echo has reduced the window since the data at `una` was sent: its loss costs no more.
  bool echo_reduced_since(SeqNum una) const {
    return reduced_ && by_echo_ && una.before(reduced_at_);
  }
  bool cwr_pending() const { return cwr_pending_; }
  // New data goes out: its codepoint, and CWR on the first after a reduction.
  uint8_t codepoint_of_new_data() {
    if (!agreed_) return kNotEct;
    ++counters_.segments_with_ect;
    return kEct0;
  }
  uint16_t flags_of_new_data() {
    if (!cwr_pending_) return 0;
    cwr_pending_ = false;
    return packet::kCwr;
  }
  // Keeps the comparisons of on_echo() within half the sequence space.
  void forget_before(SeqNum una) {
    if (reduced_ && una.after(reduced_at_)) reduced_ = false;
  }

  // RFC3168-6.1.2-4 at a window of one segment: new data waits for the retransmission timer.
  bool held() const { return held_; }
  void hold(bool held) { held_ = held; }

  const Counters& counters() const { return counters_; }

 private:
  Counters counters_;
  SeqNum reduced_at_;  // SND.NXT at the last reduction, while reduced_
  bool agreed_ = false;
  bool echo_ = false;        // until CWR comes
  bool unanswered_ = false;  // a marked segment is not yet acknowledged
  bool reduced_ = false;
  bool by_echo_ = false;
  bool cwr_pending_ = false;
  bool held_ = false;
};

}  // namespace tcproctor::tcp
