// SPDX-License-Identifier: Apache-2.0
// One TCP socket of the host kernel, for the kernel end of a session: every call returns at once
// and says in the RFC's words (tcp::Outcome) how it went.
//
// What errno becomes:
//   EAGAIN, EINPROGRESS, EALREADY            kWouldBlock
//   ECONNRESET; EPIPE after a reset          kConnectionReset (in SYN-SENT of crossed SYNs too)
//   ECONNREFUSED                             kConnectionRefused
//   ETIMEDOUT                                kTimedOut (user timeout, R2, keep-alive)
//   EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN, ENOPROTOOPT, EOPNOTSUPP, EPROTO, ENONET, EACCES
//                                            kUnreachable (made from ICMP, or no route)
//   ECONNABORTED                             kConnectionAborted (destroyed through InetDiag)
//   EPIPE after our own CLOSE                kConnectionClosing
//   ENOTCONN                                 kConnectionDoesNotExist
//   EISCONN                                  kConnectionExists
//   EADDRINUSE                               kAddressInUse; see bind()
//   EADDRNOTAVAIL on bind                    kInvalidLocal
//   EADDRNOTAVAIL on connect                 kAddressInUse; see connect()
//   any error of connect() at once           kInvalidRemote, when the address is the limited
//                                            broadcast or multicast
//   ENOBUFS, ENOMEM, EMFILE, ENFILE          kInsufficientResources
//
// SO_LINGER {1, 0} is armed from birth until release(): when the daemon dies, close sends RST and
// no orphan keeps the namespace alive (measured 45.6 s without, 0.5 s with).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/host/kernel_tcp.h"
#include "server/host/namespace.h"
#include "server/host/unique_fd.h"
#include "stack/packet/address.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/outcome.h"

namespace tcproctor::server {

enum class SocketFamily : uint8_t {
  kIpv4,
  kIpv6,  // IPv6 only
  kDual,  // for a passive OPEN on any address: takes IPv4 too; addresses are given as IPv4
};

// What happened, with errno kept for messages. `error` is 0 unless the kernel reported one.
struct SocketResult {
  tcp::Outcome outcome = tcp::Outcome::kOk;
  int error = 0;
  bool ok() const { return outcome == tcp::Outcome::kOk; }
};

struct TransferResult {
  tcp::Outcome outcome = tcp::Outcome::kOk;  // kWouldBlock: nothing now; kEndOfStream: recv only
  int error = 0;
  size_t bytes = 0;
  // receive: the next octet to be read is the last one of the urgent data. The kernel never reads
  // across that mark in one call.
  bool at_urgent_mark = false;
};

// Options of one socket; what is absent is left as it is (set) or not known (get). Buffer sizes are
// what the user asks for: the kernel doubles them for its own book-keeping and get gives the
// double.
struct SocketOptions {
  std::optional<bool> no_delay;                      // TCP_NODELAY
  std::optional<bool> keepalive;                     // SO_KEEPALIVE
  std::optional<absl::Duration> keepalive_idle;      // TCP_KEEPIDLE, 1..32767 s, whole seconds
  std::optional<absl::Duration> keepalive_interval;  // TCP_KEEPINTVL, 1..32767 s, whole seconds
  std::optional<uint32_t> keepalive_probes;          // TCP_KEEPCNT, 1..127
  std::optional<absl::Duration> user_timeout;        // TCP_USER_TIMEOUT, whole ms; 0 = none
  std::optional<uint32_t> syn_retries;               // TCP_SYNCNT, 1..127 (SYN only)
  std::optional<uint32_t> mss;                       // TCP_MAXSEG, 88..32767, before the SYN
  std::optional<uint32_t> window_clamp;              // TCP_WINDOW_CLAMP, octets
  std::optional<uint32_t> send_buffer_bytes;         // SO_SNDBUFFORCE, else SO_SNDBUF
  std::optional<uint32_t> receive_buffer_bytes;      // as above; before the SYN for scaling
  std::optional<uint8_t> tos;                        // IP_TOS / IPV6_TCLASS, ECN bits are TCP's
  std::optional<uint8_t> ttl;                        // IP_TTL / IPV6_UNICAST_HOPS, 1..255
  std::optional<absl::Duration> fin_wait_2;          // TCP_LINGER2, whole seconds; < 0: RST at once
  std::optional<bool> reuse_address;                 // SO_REUSEADDR
  std::optional<bool> urgent_in_line;                // SO_OOBINLINE
  std::optional<bool> quick_ack;                     // TCP_QUICKACK (not lasting, see tcp(7))
  std::optional<bool> receive_soft_errors;           // IP_RECVERR / IPV6_RECVERR: see soft_error()
  std::optional<std::string> congestion_control;     // TCP_CONGESTION; born "cubic"
  // TCP_FASTOPEN of a listener: connections taken by their cookie before the handshake; 0 = off.
  std::optional<uint32_t> fast_open_queue;
  std::optional<bool> path_mtu_discovery;  // IP_MTU_DISCOVER: WANT or DONT
  // TCP_MD5SIG_EXT; those of the socket's IP version, instead of the ones set before. Never got.
  std::optional<std::vector<tcp::PeerKeys>> md5_keys;
};

// An ICMP error the kernel passed on (only with receive_soft_errors).
struct IcmpError {
  // Known in SYN-SENT only, where the error ends the connection: a synchronized connection lives on
  // and its kernel keeps nothing but errno (0/0 then; echo reply is no error).
  uint8_t type = 0, code = 0;
  int error = 0;      // errno the kernel made of it
  uint32_t info = 0;  // MTU for "fragmentation needed" / "packet too big"
};

class KernelSocket {
 public:
  // A fresh socket inside `ns`: non-blocking, linger armed, congestion control cubic (where the
  // kernel has it), urgent data in line.
  static absl::StatusOr<KernelSocket> create(const NetworkNamespace& ns, SocketFamily family);

  KernelSocket(KernelSocket&&) = default;
  KernelSocket& operator=(KernelSocket&&) = default;
  // Aborts the connection unless it was released.
  ~KernelSocket() = default;

  // For epoll. Watch with epoll_events(), which is edge-triggered: a connection shut in both
  // directions reports EPOLLHUP for ever and would spin a level-triggered loop. To serve it from a
  // level-triggered loop put all sockets of an end into one epoll descriptor and watch that. Not
  // all state changes make an event (FIN-WAIT-1 to FIN-WAIT-2 does not): InetDiag shows them.
  int fd() const { return fd_.get(); }
  static uint32_t epoll_events();

  SocketFamily family() const { return family_; }
  uint64_t cookie() const { return cookie_; }  // equals DiagnosedSocket::cookie
  // Unspecified when there is none (yet).
  packet::SocketAddress local() const { return local_; }
  packet::SocketAddress remote() const { return remote_; }  // also after the connection's end

  // Port 0: chosen by connect() or listen(), so local() has none before. An unspecified address is
  // any. The kernel says EADDRINUSE alike when the port is held by a listener, by a connection, or
  // only by TIME-WAIT (where reuse_address would let it through): InetDiag tells which.
  SocketResult bind(const packet::SocketAddress& local);
  // backlog 1..65535, clipped by net.core.somaxconn.
  SocketResult listen(uint32_t backlog);
  // Sends SYN; kWouldBlock is the normal answer: the socket becomes writable when it is decided,
  // then ask connect_result(). EADDRNOTAVAIL is what the kernel says alike for a socket pair that
  // is in use, for one in TIME-WAIT and when no port is left: InetDiag::find tells which. With
  // timestamps on, a socket bound to the port takes a pair in TIME-WAIT over (RFC 6191 in spirit)
  // when both had reuse_address. The unspecified address is no error to Linux: it connects to the
  // host itself.
  SocketResult connect(const packet::SocketAddress& remote);
  // The same with Fast Open (RFC 7413): the SYN asks for a cookie or, when the namespace has one of
  // that peer, carries it and as much of `data` as fits; the octets taken are told.
  TransferResult connect(const packet::SocketAddress& remote, std::span<const uint8_t> data);
  // kWouldBlock while SYN-SENT or SYN-RECEIVED, kOk when established, else why it failed.
  SocketResult connect_result();

  struct Accepted;
  // kWouldBlock when nobody waits. The new socket has its linger armed and inherits the listener's
  // options.
  Accepted accept();

  // Takes what fits. `urgent`: the last octet is marked urgent (MSG_OOB; RFC 6093: pointer to the
  // octet after it). The kernel reports once what ended a connection; this class repeats it.
  TransferResult send(std::span<const uint8_t> data, bool urgent);
  // kEndOfStream after the peer's FIN; kWouldBlock when there is nothing.
  TransferResult receive(std::span<uint8_t> buffer);
  // True when the next octet to be read is the one at the urgent mark (SIOCATMARK).
  bool at_urgent_mark() const;
  // Octets received and not read (SIOCINQ); sent and not acknowledged or not sent yet (SIOCOUTQ).
  uint32_t receive_queue() const;
  uint32_t send_queue() const;

  // CLOSE: FIN after queued data, goes on receiving (shutdown(SHUT_WR)). A connection still in
  // SYN-SENT is given up silently. kConnectionClosing when it was called before. It has no effect
  // on a listener: release() that.
  SocketResult close();
  // Gives the connection up as close(2) does, linger disarmed: FIN after queued data in the
  // background, RST when there is unread data. The object is empty afterwards. An orphan in
  // FIN-WAIT-1, CLOSING or LAST-ACK keeps its namespace alive until it is answered or given up
  // (about 100 s): end a session with InetDiag::destroy_all.
  void release();
  // ABORT: RST in SYN-RECEIVED, ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2 and CLOSE-WAIT; nothing is sent
  // in LISTEN, SYN-SENT, CLOSING, LAST-ACK. A TIME-WAIT stays (InetDiag::destroy ends it). The
  // object is empty afterwards.
  void abort();

  // INVALID_ARGUMENT or FAILED_PRECONDITION names the option, what the kernel said and the range.
  absl::Status set_options(const SocketOptions& options);
  SocketOptions options() const;
  // TCP_INFO. Its tcpi_state is Linux's numbering: see state().
  absl::StatusOr<TcpInfo> info() const;
  // From TCP_INFO. A connection that has gone to TIME-WAIT reads CLOSED here: InetDiag knows
  // better.
  tcp::State state() const;
  // Why the connection ended, kOk while it has not ended by an error. Clears the kernel's pending
  // error and remembers it.
  SocketResult error();
  // Next ICMP error, if receive_soft_errors is on. It does not disturb send() and receive().
  std::optional<IcmpError> soft_error();

 private:
  KernelSocket(UniqueFd fd, SocketFamily family);
  int address_family() const;
  void note_addresses();
  bool take_soft_error(int error);
  SocketResult connecting(const packet::SocketAddress& remote, int error);
  absl::Status set_md5_keys(const std::vector<tcp::PeerKeys>& keys);
  absl::Status set_md5_key(const tcp::PeerKeys& peer, const std::string& key);
  SocketResult failure(int error);

  UniqueFd fd_;
  SocketFamily family_ = SocketFamily::kIpv4;
  uint64_t cookie_ = 0;
  packet::SocketAddress local_, remote_;     // kept: the kernel forgets them with the connection
  bool closed_ = false;                      // our CLOSE was called
  std::vector<tcp::PeerKeys> signed_peers_;  // those that have an MD5 key here, without the key
  std::optional<IcmpError> soft_error_;      // seen by another call, not asked for yet
  int error_ = 0;                            // what ended the connection; the kernel tells it once
};

struct KernelSocket::Accepted {
  SocketResult result;
  std::optional<KernelSocket> socket;  // set when result is kOk
};

}  // namespace tcproctor::server
