// SPDX-License-Identifier: Apache-2.0
// Everything a user can set: once for a stack (Settings), and for one connection
// (ConnectionOptions). Defaults are the RFCs' and the seeds'.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

class KeyRing;  // authentication/keys.h

using namespace std::chrono_literals;  // NOLINT: durations below read as the RFC writes them

enum class CongestionAlgorithm : uint8_t {
  kReno,   // RFC 5681, 6582
  kCubic,  // RFC 9438
};

// How much may be sent before the first ACK.
enum class InitialWindow : uint8_t {
  kRfc5681,  // 2 to 4 segments, about 4 KB (RFC 5681 §3.1, RFC 3390)
  kRfc6928,  // 10 segments, about 14600 octets (RFC 6928)
};

// Explicit Congestion Notification (RFC 3168).
enum class EcnUse : uint8_t {
  kOff,      // neither asked for nor granted
  kAccept,   // granted to a peer that asks, not asked for
  kRequest,  // asked for as well
};

// Packetization-layer path-MTU discovery (RFC 4821), beside that by ICMP.
enum class MtuProbing : uint8_t {
  kOff,
  kBlackHole,  // begins when segments time out again and again, as where no ICMP message comes back
  kAlways,     // begins with segments that pass nearly everywhere, and probes upwards
};

// Options of one connection; a connection accepted by a listener inherits the listener's.
struct ConnectionOptions {
  bool no_delay = false;  // true switches the Nagle algorithm off (MUST-17)

  // Keep-alive (RFC 9293 §3.8.4). Off unless asked for (MUST-25); interval >= 2 h (MUST-28); the
  // probe spacing and count are the seeds' (S001-keepalive).
  bool keepalive = false;
  Duration keepalive_idle = 2h;
  Duration keepalive_interval = 75s;
  uint32_t keepalive_probes = 10;

  // R2 as a time (MUST-20, MUST-21): how long data or a FIN may stay unacknowledged. SHLD-11: at
  // least 100 s; the RFC's user timeout default is 5 minutes.
  Duration user_timeout = 5min;
  // ADV_UTO of RFC 5482: set, it is told to the peer in the User Timeout Option, and the peer's
  // wish is heard; not set, the option is neither sent nor heeded (ENABLED is false). 1 s to 32,767
  // min.
  std::optional<Duration> advertised_user_timeout;
  // CHANGEABLE of RFC 5482: the peer's option may alter the user timeout. False where the user has
  // set one (RFC5482-3-1).
  bool user_timeout_changeable = true;
  // R2 for SYN and SYN,ACK, from the first on (MUST-23: at least 3 minutes).
  Duration syn_timeout = 3min;

  // Path-MTU discovery (RFC 1191, RFC 8201). Without it IPv4 packets may be fragmented on their way
  // (DF is clear) and IPv6 packets stay within 1,280 octets.
  bool path_mtu_discovery = true;
  // In force only with path_mtu_discovery. The default is what RFC 4821 §7.2 calls conservative:
  // the discovery by ICMP works as ever, and the search begins only where it has failed. With
  // kAlways a path that carries full segments from the start begins with smaller ones.
  MtuProbing mtu_probing = MtuProbing::kBlackHole;

  uint8_t dscp = 0;  // 0..63 (MUST-48)
  uint8_t ttl = 64;  // hop limit, 1..255 (MUST-49)

  // 1..1 GiB; the receive buffer bounds the advertised window. Not set: as large as the path and
  // the user's pace ask for, between Settings::initial_buffer_bytes and its limits. The window
  // scale of the SYN is chosen for the limit.
  std::optional<uint32_t> send_buffer_bytes;
  std::optional<uint32_t> receive_buffer_bytes;

  // MSS to announce; nothing means from the MTU (MUST-67). 1..65535.
  std::optional<uint16_t> mss;
  bool window_scale = true;    // offer RFC 7323 window scale
  bool timestamps = true;      // offer RFC 7323 timestamps
  bool sack_permitted = true;  // announce SACK-permitted (RFC 2018)
  // TCP Fast Open (RFC 7413). Active: asks for a cookie, and sends data in the SYN when it has one.
  // Passive: gives cookies and takes data in SYNs. Off unless asked for (RFC7413-2-1): the data of
  // a SYN may be delivered twice.
  bool fast_open = false;
  // Passive: connections taken by their SYN's cookie whose handshake is not done; beyond that SYNs
  // are treated as if they had no cookie (RFC7413-4.2-2). 1..65535.
  uint32_t fast_open_limit = 16;
  // Delay of a delayed ACK (MUST-40: below 0.5 s); 0 switches delayed ACK off.
  Duration delayed_ack = 40ms;
  // May be changed at any time: the new algorithm goes on with the window of the old one.
  CongestionAlgorithm congestion_control = CongestionAlgorithm::kCubic;
  // The following are in force from the handshake on, or not at all.
  bool hystart = true;  // CUBIC's first slow start is HyStart++ (RFC 9406), not RFC 5681's
  // Also bounds the window after an idle time (RFC 5681 §4.1).
  InitialWindow initial_window = InitialWindow::kRfc6928;
  // Slow start counts up to two segments for an ACK (RFC 3465, L = 2), not one (RFC 5681).
  bool appropriate_byte_counting = false;
  EcnUse ecn = EcnUse::kAccept;
  // Deliver ICMP soft errors to the user (SHLD-20 lets him switch it off).
  bool report_soft_errors = true;

  // TCP-MD5 and TCP-AO: segments of peers that have a key here are signed and must be signed; null
  // for none. A listener's holds for its connections, by their remote address. Whether a connection
  // is signed, and by which of the two, is settled before its SYN.
  std::shared_ptr<const KeyRing> keys;
  // TCP-AO (RFC5925-7.1-1): sign with the MKT of this SendID, ask for that of this RecvID. Nothing:
  // the first at the beginning, as it is later.
  std::optional<uint8_t> ao_current_key;
  std::optional<uint8_t> ao_rnext_key;

  bool operator==(const ConnectionOptions&) const = default;
};

// Settings of a whole stack.
struct Settings {
  // RFC 9293 §3.6.1: TIME-WAIT lasts 2 MSL; MSL is 2 minutes by default.
  Duration msl = 2min;
  // RFC 6298: initial RTO 1 s, lower bound 1 s (2.4), upper bound >= 60 s (2.5).
  Duration initial_rto = 1s;
  Duration min_rto = 1s;
  Duration max_rto = 240s;
  // RFC 5961 §7: at most this many challenge ACKs per connection in each interval; 0 = no limit.
  uint32_t challenge_ack_limit = 10;
  Duration challenge_ack_interval = 1s;
  bool syn_cookies = true;         // RFC 4987: when the SYN cache is full
  uint32_t syn_cache_size = 1024;  // half-open entries per listener
  // A sign of an attack (S001-syn-1): this many half-open entries from at least half as many
  // sources.
  uint32_t half_open_alarm = 256;
  // FIN-WAIT-2 of a connection its user has released (an orphan) ends after this.
  Duration orphan_fin_wait_2 = 60s;
  // Loss recovery of connections with SACK: by time and with tail loss probes (RFC 8985), else by
  // counting (RFC 6675).
  bool rack_tlp = true;
  bool frto = true;  // detect spurious timeouts (RFC 5682)
  // Buffers whose size the user left open begin with this and grow to these limits at most; they
  // stay as they are when the limit is no larger. 4096 to 1 GiB; limits 0 to 1 GiB.
  uint32_t initial_buffer_bytes = 262144;
  uint32_t send_buffer_limit_bytes = 4 << 20;
  uint32_t receive_buffer_limit_bytes = 6 << 20;
  bool rfc1337 = false;  // ignore RST in TIME-WAIT
  bool rfc6191 = true;   // SHLD-4: a SYN with a newer timestamp may end TIME-WAIT
  // Segments with MD5 or TCP-AO of a peer without a key: dropped, or taken as if the option were
  // unknown (RFC5925-7.3-3: the default).
  bool refuse_unexpected_signatures = false;
  // Octets that all connections of the host together may hold out of order, gaps included; beyond
  // it what comes out of order is dropped and has to be sent again. 0: none is held.
  uint64_t reassembly_limit_bytes = 64u << 20;
  bool hard_icmp_aborts = false;  // SHLD-26 in synchronized states; RFC 5927 treats them as soft
  // L_LIMIT and U_LIMIT of RFC 5482 (RFC5482-3-5; 3.1-3: at least 100 s): between them lies what a
  // peer's User Timeout Option can bring about.
  Duration user_timeout_lower_limit = 100s;
  Duration user_timeout_upper_limit = 1h;
  Duration quiet_time{0};            // RFC 9293 §3.4.3: no segment of ours before this after start
  uint16_t ephemeral_first = 49152;  // RFC 6056
  uint16_t ephemeral_last = 65535;
  ConnectionOptions defaults;
};

// INVALID_ARGUMENT names the first field that is out of range and the range.
absl::Status validate(const ConnectionOptions& options);
absl::Status validate(const Settings& settings);

}  // namespace tcproctor::tcp
