// SPDX-License-Identifier: Apache-2.0
// The interface of congestion control algorithms: how much may be in flight. Loss is found
// elsewhere (recovery/); the connection tells the algorithm what happened. All sizes in octets.
#pragma once

#include <cstdint>
#include <memory>

namespace tcproctor::tcp {

class CongestionControl {
 public:
  virtual ~CongestionControl() = default;

  // The handshake is done; `smss` is the sender's MSS. `handshake_loss`: our SYN or SYN,ACK was
  // sent more than once.
  virtual void start(uint32_t smss, bool handshake_loss) = 0;
  // `acked` octets were acknowledged outside recovery while `flight` were outstanding before.
  virtual void on_ack(uint32_t acked, uint32_t flight) = 0;
  // Fast retransmit: loss was inferred with `flight` outstanding.
  virtual void enter_recovery(uint32_t flight) = 0;
  virtual void duplicate_in_recovery() = 0;
  virtual void partial_ack(uint32_t acked) = 0;
  virtual void leave_recovery(uint32_t flight) = 0;
  // The retransmission timer expired; `first`: for this segment for the first time.
  virtual void on_timeout(uint32_t flight, bool first) = 0;
  // Data is to be sent after more than one RTO of silence.
  virtual void after_idle() = 0;

  virtual uint32_t cwnd() const = 0;
  virtual uint32_t ssthresh() const = 0;
};

std::unique_ptr<CongestionControl> make_reno();

}  // namespace tcproctor::tcp
