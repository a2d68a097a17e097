// SPDX-License-Identifier: Apache-2.0
// What STATUS answers (RFC 9293 §3.9.1.6): the TCB in the RFC's own variables.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "stack/packet/address.h"
#include "stack/tcp/authentication/authenticator.h"
#include "stack/tcp/ecn.h"
#include "stack/tcp/outcome.h"
#include "stack/tcp/state.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

// Where loss recovery stands.
enum class RecoveryPhase : uint8_t {
  kOpen,      // nothing is out of the ordinary
  kDisorder,  // duplicate ACKs or SACKs, no loss found
  kRecovery,  // fast recovery
  kLoss,      // after a retransmission timeout
};

// Proportional Rate Reduction (RFC 6937), of a recovery that goes on.
struct RateReduction {
  uint32_t flight = 0;     // RecoverFS, octets
  uint64_t delivered = 0;  // prr_delivered
  uint64_t sent = 0;       // prr_out
};

// Fast Open (RFC 7413) of a connection that takes part in it.
struct FastOpenReport {
  bool cookie_requested = false, cookie_sent = false;  // by our SYN
  uint32_t data_in_syn = 0;                            // octets our SYN carried
  bool data_taken = false;  // data of the SYN, ours or the peer's, was acknowledged with it
  bool failed = false;      // not long ago to this peer: the SYN went without
};

struct Status {
  State state = State::kClosed;
  bool passive = false;  // SYN-RECEIVED came from LISTEN (MUST-11)
  bool released = false;
  packet::SocketAddress local;
  packet::SocketAddress remote;                      // unspecified for a listener
  Outcome last_error = Outcome::kOk;                 // why it is CLOSED
  uint8_t soft_error_type = 0, soft_error_code = 0;  // last ICMP soft error; 0/0 none
  bool end_of_stream = false;                        // the peer's FIN was processed

  // Absolute sequence numbers, as on the wire.
  uint32_t iss = 0, irs = 0;
  uint32_t snd_una = 0, snd_nxt = 0, snd_up = 0, snd_wl1 = 0, snd_wl2 = 0;
  uint32_t snd_wnd = 0, max_snd_wnd = 0;  // octets, already scaled
  uint32_t rcv_nxt = 0, rcv_wnd = 0, rcv_up = 0;
  uint8_t snd_wind_shift = 0, rcv_wind_shift = 0;
  bool timestamps = false, sack_permitted = false;
  std::optional<FastOpenReport> fast_open;
  uint16_t send_mss = 0, receive_mss = 0;  // Eff.snd.MSS and the MSS we announced
  Duration user_timeout{0};                // in force: the user's or, by RFC 5482, the agreed one
  uint32_t path_mtu = 0;                   // octets of an IP packet that the path is held to carry
  // The search of RFC 4821; search_low 0: there was nothing to search for so far.
  uint32_t mtu_search_low = 0, mtu_search_high = 0;
  uint32_t mtu_probes_sent = 0, mtu_probes_lost = 0;

  uint32_t send_queue_bytes = 0;     // unacknowledged and unsent
  uint32_t receive_queue_bytes = 0;  // in order, not yet read
  uint32_t reassembly_bytes = 0;     // out of order
  // How much the two buffers may hold just now: what the user said, or what they have grown to.
  uint32_t send_buffer_bytes = 0, receive_buffer_bytes = 0;

  Duration srtt{0}, rttvar{0}, rto{0};
  Duration min_rtt{0};                  // the shortest round trip seen; 0 none
  uint32_t cwnd = 0, ssthresh = 0;      // octets; ssthresh 0xFFFFFFFF: none yet
  std::string_view congestion_control;  // "cubic", "reno"
  uint32_t w_max = 0;                   // CUBIC: cwnd at the last congestion event; 0 none
  bool slow_start = false;              // cwnd < ssthresh
  bool css = false;                     // Conservative Slow Start of HyStart++ (RFC 9406)
  uint64_t delivered_bytes = 0;         // octets of data the peer has acknowledged
  bool ecn_agreed = false;              // in the handshake (RFC 3168 §6.1.1)
  Ecn::Counters ecn;
  uint32_t retransmissions = 0;  // in a row, of the segment at SND.UNA
  uint64_t total_retransmissions = 0;
  uint64_t retransmitted_bytes = 0;  // octets of data
  uint32_t timeouts = 0;             // of the retransmission timer
  uint32_t recoveries = 0;           // fast recoveries begun

  // Loss recovery, in octets. The pipe is what is thought to be on its way (RFC 6675 §4).
  RecoveryPhase recovery_phase = RecoveryPhase::kOpen;
  uint32_t pipe_bytes = 0, sacked_bytes = 0, lost_bytes = 0, retransmission_out_bytes = 0;
  // RACK-TLP (RFC 8985); 0 without it.
  Duration reorder_window{0};
  bool reordering_seen = false;
  uint32_t tail_loss_probes = 0;
  uint32_t dsacks_received = 0;
  // Recoveries found needless, and undone: by D-SACK; timeouts, by F-RTO (RFC 5682).
  uint32_t spurious_recoveries = 0, spurious_timeouts = 0;
  std::optional<RateReduction> rate_reduction;

  // Time left on each running timer; the orphan timer is that of FIN-WAIT-2 without a user.
  std::optional<Duration> retransmission_timer, persist_timer, keepalive_timer, time_wait_timer,
      delayed_ack_timer, user_timer, tail_loss_probe_timer, reordering_timer, orphan_timer;
  uint32_t keepalive_probes_sent = 0;
  uint32_t challenge_acks_sent = 0, challenge_acks_throttled = 0;  // RFC 5961 §7
  AuthenticationKind authentication = AuthenticationKind::kNone;
  std::optional<AoKeyIds> ao_key_ids;  // with TCP-AO
  uint64_t signature_failures = 0;     // segments dropped because of their signature or its lack
  uint32_t backlog_used = 0;           // listener: established, waiting for ACCEPT
};

}  // namespace tcproctor::tcp
