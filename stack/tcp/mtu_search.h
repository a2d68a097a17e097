// SPDX-License-Identifier: Apache-2.0
// Packetization-layer path-MTU discovery (RFC 4821): finds what a path carries without any message
// from it, by sending a segment of data that is larger than the others and seeing whether it
// arrives. One per connection, and only while there is something to find out. All sizes are octets
// of a whole IP packet. eff_pmtu, what ordinary segments keep to, is PathMtu::mtu().
#pragma once

#include <algorithm>
#include <cstdint>

#include "stack/packet/address.h"
#include "stack/tcp/path_mtu.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class MtuSearch {
 public:
  // eff_pmtu of a connection that searches from its beginning: RFC 4821 §7.2 calls it safe for
  // nearly all tunnels.
  static constexpr uint32_t kFirstMtu = 1400;
  // RFC4821-7.3-1: at least 5 minutes; the RFC recommends 10.
  static constexpr Duration kReprobe = std::chrono::minutes(10);
  // A range as narrow as this is not worth another probe.
  static constexpr uint32_t kNarrow = 8;

  // search_low before anything is known (RFC4821-7.2-1).
  static constexpr uint32_t first_low(packet::IpFamily family) {
    return family == packet::IpFamily::kV4 ? 1024 : 1280;
  }

  MtuSearch(packet::IpFamily family, uint32_t eff_pmtu)
      : least_(static_cast<uint16_t>(least_path_mtu(family))),
        first_low_(static_cast<uint16_t>(first_low(family))),
        low_(static_cast<uint16_t>(std::min(eff_pmtu, first_low(family)))) {}

  // The size to probe now, above eff_pmtu; 0: none. `ceiling`: the largest packet that the link and
  // the peer's MSS allow.
  uint32_t size_to_probe(Instant now, uint32_t eff_pmtu, uint32_t ceiling);
  // The probe of `size` went out as [begin, end).
  void on_probe_sent(SeqNum begin, SeqNum end, uint32_t size);
  bool probing() const { return probe_size_ != 0; }
  SeqNum probe_begin() const { return probe_begin_; }
  SeqNum probe_end() const { return probe_end_; }

  // The probe arrived. Returns eff_pmtu.
  uint32_t on_probe_acked(Instant now);
  // Nothing but the probe was lost. None follows before `next` (RFC4821-4-3).
  void on_probe_lost(Instant now, uint32_t eff_pmtu, Instant next);
  // Whether it arrived cannot be told (RFC 4821 §7.6.4): the same again, not before `next`.
  void on_inconclusive(Instant next);
  // A message of a router about the probe: it will be lost, and what comes next is no larger.
  void on_too_big(uint32_t claimed);

  // The retransmission timer expired again and again for the same segment (RFC 4821 §7.7): the
  // eff_pmtu to go on with.
  uint32_t on_full_stop(Instant now, uint32_t eff_pmtu, uint32_t ceiling);
  // eff_pmtu was set to `mtu` otherwise: by ICMP, or by another connection to the same host.
  void on_mtu_set(Instant now, uint32_t mtu, bool lower);
  // What is known is old: all of the range is open again.
  void restart(Instant now);

  uint32_t low() const { return low_; }
  uint32_t high() const { return high_; }
  uint32_t probes_sent() const { return probes_sent_; }
  uint32_t probes_lost() const { return probes_lost_; }

 private:
  void open_range(uint32_t ceiling);
  void wait_if_converged(Instant now, uint32_t eff_pmtu);
  bool converged(uint32_t eff_pmtu) const {
    return high_ < std::max<uint32_t>(low_, eff_pmtu) + kNarrow;
  }

  uint16_t least_;
  uint16_t first_low_;
  uint16_t low_;             // search_low: expected to arrive
  uint16_t high_ = 0;        // search_high: nothing larger is worth a probe; 0: not known yet
  uint16_t probe_size_ = 0;  // 0: none is on its way
  bool whole_ = true;        // no probe of this range was lost yet
  SeqNum probe_begin_;
  SeqNum probe_end_;
  uint32_t probes_sent_ = 0;
  uint32_t probes_lost_ = 0;
  Instant next_{};
};

}  // namespace tcproctor::tcp
