// SPDX-License-Identifier: Apache-2.0
// How the kernel's way of writing things becomes ours: states, TCP_INFO, socket addresses. Shared
// by InetDiag and KernelSocket.
#pragma once

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/tcp/state.h"

namespace tcproctor::server {

// The kernel's struct tcp_info as of 6.18, with its names and layout; the C library's ends in the
// middle and the headers of Debian 12 at tcpi_snd_wnd. Times in microseconds unless said, windows
// and ssthresh in segments or octets as the kernel has them. Sequence numbers are not in it. What
// the running kernel does not fill is zero.
struct TcpInfoLayout {
  uint8_t tcpi_state, tcpi_ca_state, tcpi_retransmits, tcpi_probes, tcpi_backoff;
  uint8_t tcpi_options;  // TCPI_OPT_*
  uint8_t tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4;
  uint8_t tcpi_delivery_rate_app_limited : 1, tcpi_fastopen_client_fail : 2;
  uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss;
  uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;  // segments
  uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv;  // ms
  uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar;
  uint32_t tcpi_snd_ssthresh, tcpi_snd_cwnd, tcpi_advmss, tcpi_reordering;
  uint32_t tcpi_rcv_rtt, tcpi_rcv_space, tcpi_total_retrans;
  uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate;  // octets per second
  uint64_t tcpi_bytes_acked, tcpi_bytes_received;   // octets
  uint32_t tcpi_segs_out, tcpi_segs_in;
  uint32_t tcpi_notsent_bytes, tcpi_min_rtt, tcpi_data_segs_in, tcpi_data_segs_out;
  uint64_t tcpi_delivery_rate, tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited;
  uint32_t tcpi_delivered, tcpi_delivered_ce;
  uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
  uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack;
  uint32_t tcpi_snd_wnd;  // peer's window, octets, scaled
  uint32_t tcpi_rcv_wnd;  // window last announced, octets, scaled (6.2+)
  uint32_t tcpi_rehash;
  uint16_t tcpi_total_rto, tcpi_total_rto_recoveries;  // 6.7+
  uint32_t tcpi_total_rto_time;                        // ms
};
static_assert(sizeof(TcpInfoLayout) == 248);

struct TcpInfo : TcpInfoLayout {
  uint32_t length = 0;  // octets the kernel gave; 0 = none at all (TIME-WAIT, SYN-RECEIVED)
};

// From the kernel's octets: a shorter structure (older kernel) leaves zeroes, a longer one is cut.
TcpInfo tcp_info_from(std::span<const uint8_t> bytes);

// Linux numbers 1..12 (net/tcp_states.h) to the eleven states; NEW_SYN_RECV is SYN-RECEIVED, BOUND
// (13) and whatever comes later is CLOSED.
tcp::State state_from_linux(uint8_t number);

// An address of 16 octets; an IPv4-mapped one (::ffff:a.b.c.d) becomes IPv4.
packet::IpAddress unmapped(std::span<const uint8_t, 16> bytes);

// From sockaddr_in or sockaddr_in6, IPv4-mapped ones as IPv4; any other family is 0.0.0.0:0.
packet::SocketAddress from_sockaddr(const sockaddr_storage& address);
// Fills `out` for a socket of `family` (AF_INET or AF_INET6; IPv4 is mapped for the latter) and
// returns the length; 0 when an IPv6 address is given for AF_INET.
socklen_t to_sockaddr(const packet::SocketAddress& address, int family, sockaddr_storage& out);

}  // namespace tcproctor::server
