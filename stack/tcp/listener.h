// SPDX-License-Identifier: Apache-2.0
// A passive OPEN: SEGMENT ARRIVES in LISTEN (RFC 9293 §3.10.7.2) and in SYN-RECEIVED for those
// connections that are still small entries (syn_cache.h, RFC 4987 §3.5), with SYN cookies when
// their table is full (RFC 4987 §3.6).
//
// The host gives it every segment for its socket that matches no connection and no TIME-WAIT in its
// tables. An entry becomes a Connection, with the id it had from its SYN on, when a segment or the
// user needs one:
//  - an acceptable ACK: the Connection processes that very segment, data and FIN included;
//  - a SYN that carries data or FIN: from the start, so that they are kept (EM-LISTEN-SEG-10..12),
//    while fewer than kMaxFullHalfOpen such connections are half open; beyond, data on a SYN is
//    dropped and only the SYN acknowledged, so that the peer sends it again;
//  - a SYN with a good cookie of TCP Fast Open (RFC 7413): at once ready for ACCEPT;
//  - SEND or CLOSE on the entry: promote().
//
// A peer for which the options hold keys must sign: its SYN is verified before anything else and
// its connection is a full one from the start (at most kMaxFullHalfOpen half open; beyond, the SYN
// is dropped), since neither entry nor cookie has room for what signing takes. What else it sends
// to the listener is answered only where the answer can be signed.
//
// Overflow: when `backlog` connections wait for ACCEPT, a SYN is not answered and the last ACK of a
// handshake is ignored (the entry stays and its SYN,ACK is sent again until syn_timeout), so a peer
// that waits is served as soon as there is room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "stack/packet/address.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/event.h"
#include "stack/tcp/fast_open.h"
#include "stack/tcp/segment_out.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/shared_options.h"
#include "stack/tcp/siphash.h"
#include "stack/tcp/status.h"
#include "stack/tcp/syn_cache.h"
#include "stack/tcp/syn_cookie.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

struct ListenerConfig {
  uint64_t id = 0;              // of the listener, for its own events
  uint64_t* next_id = nullptr;  // ids of embryonic connections: post-incremented; not null
  packet::SocketAddress local;  // address unspecified: any of the host's
  std::optional<packet::SocketAddress> remote;  // only this peer may connect
  uint32_t backlog = 128;                       // connections waiting for ACCEPT, at least 1
  uint32_t mtu = 1500;
  ReassemblyBudget* reassembly = nullptr;  // the host's, as in ConnectionConfig
  const Settings* settings = nullptr;      // not null, outlives the listener
  SharedOptions options;                   // inherited by its connections
  Secret secret;                           // for ISNs, timestamps, cookies and the table's hash
  bool trace = false;
};

struct ListenerEvent {
  uint64_t id = 0;  // the listener's own, or that of an embryonic connection
  Event event;
};

// A new connection, to be entered into the host's table under its id and tuple. When its state is
// SYN-RECEIVED the host calls on_established() once it leaves it, or on_gone() if it ends before.
// When it is already ESTABLISHED or later, on_established() was done.
struct Promoted {
  uint64_t id = 0;
  std::unique_ptr<Connection> connection;
};

class Listener {
 public:
  // Why a connection comes out of LISTEN that no entry of the SYN cache stood for.
  static constexpr std::string_view kOfCookie = "RFC 4987 §3.6: ACK of a SYN cookie";

  static constexpr uint32_t kMaxFullHalfOpen = 64;

  explicit Listener(const ListenerConfig& config);

  // A segment to this socket without a connection. `iss_above`: it is the SYN that ended a
  // TIME-WAIT (TimeWait::Action::kReopen); the new ISS lies after that number. At most one
  // connection comes out.
  std::optional<Promoted> on_segment(Instant now, const packet::TcpSegment& segment,
                                     std::optional<SeqNum> iss_above = std::nullopt);
  // Would a SYN from this peer be answered? Ask before a TIME-WAIT is given up for it.
  bool takes(const packet::SocketAddress& remote) const;

  // The user acts on an embryonic connection: nothing if `id` is none (any more).
  std::optional<Promoted> promote(Instant now, uint64_t id);
  // ABORT on an embryonic connection: RST, and it is gone. False if `id` is none.
  bool abort(Instant now, uint64_t id);
  std::optional<Status> status(Instant now, uint64_t id) const;  // of an embryonic connection
  std::vector<uint64_t> embryonic() const;                       // their ids, ascending
  Status status(Instant now) const;                              // of the listener: LISTEN

  // An ICMP error that quotes this socket and may be about an embryonic connection's SYN,ACK.
  void on_icmp(Instant now, const packet::FourTuple& tuple, const IcmpError& error);

  // ACCEPT: the oldest connection that is established; nothing when there is none.
  std::optional<uint64_t> accept();
  bool waits_for_accept(uint64_t id) const {
    return std::ranges::find(accept_queue_, id) != accept_queue_.end();
  }
  size_t waiting_for_accept() const { return accept_queue_.size(); }
  // For one more that waits for ACCEPT.
  bool has_room() const { return accept_queue_.size() < config_.backlog; }
  const std::deque<uint64_t>& accept_queue() const { return accept_queue_; }
  // A promoted connection left SYN-RECEIVED for ESTABLISHED (or beyond). False: it was ready for
  // ACCEPT since its SYN (Fast Open).
  bool on_established(Instant now, uint64_t id);
  // A promoted connection ended; before ACCEPT it leaves the queue, half open it frees its place.
  // A connection that was reset while it waits for ACCEPT may stay in the queue: then do not call.
  void on_gone(uint64_t id);

  // OPEN active on a listener, or SEND with a specified remote (EM-LISTEN-OPEN-01, SEND-01): may
  // it? kOk: the host forgets the listener and opens a Connection under the same id with these
  // options. `remote`: given by the call, else the listener's own; kRemoteUnspecified when neither.
  Outcome can_become_active(const std::optional<packet::SocketAddress>& remote) const;

  const ListenerConfig& config() const { return config_; }
  absl::Status set_options(const ConnectionOptions& options);

  std::optional<Instant> next_deadline() const;
  void on_deadline(Instant now);
  [[nodiscard]] bool next_segment(Instant now, SegmentOut& out);
  [[nodiscard]] bool next_event(ListenerEvent& event);

  // Half-open connections, small and full ones (S001-syn-1).
  struct HalfOpen {
    uint32_t count = 0;
    Duration oldest_age{0};
    uint32_t distinct_sources = 0;  // addresses
    uint64_t cookies_sent = 0;
    uint64_t cookies_accepted = 0;
    uint64_t dropped = 0;  // SYNs not answered
    uint32_t bytes_per_entry = 0;
  };
  HalfOpen half_open(Instant now) const;

 private:
  std::optional<Promoted> segment_arrives_listen(Instant now, const packet::TcpSegment& segment,
                                                 std::optional<SeqNum> iss_above);
  std::optional<Promoted> segment_arrives_syn_received(Instant now, SynCache::Slot slot,
                                                       const packet::TcpSegment& segment);
  std::optional<Promoted> accept_syn(Instant now, const packet::TcpSegment& segment,
                                     std::optional<SeqNum> iss_above);
  std::optional<Promoted> ack_of_cookie(Instant now, const packet::TcpSegment& segment);
  std::optional<Promoted> promote_and_process(Instant now, SynCache::Slot slot,
                                              const packet::TcpSegment& segment);
  std::string_view check_signature(const packet::TcpSegment& segment) const;
  bool has_keys_for(const packet::IpAddress& peer) const;
  // What is known of the SYN,ACK when its connection is made.
  enum class SynAck { kNotSent, kSent, kInCookie };  // kInCookie: sent, nobody knows when
  Promoted make_connection(Instant now, const SynEntry& entry, SynAck syn_ack,
                           const packet::TcpSegment* syn = nullptr);
  void send_cookie(Instant now, const packet::TcpSegment& segment);
  bool cookie_is_good(Instant now, const packet::TcpSegment& segment) const;
  bool takes_fast_open() const {
    return config_.options->fast_open &&
           fast_open_pending_.size() < config_.options->fast_open_limit;
  }
  void queue_for_accept(Instant now, uint64_t id);
  size_t half_open_count() const {
    return cache_.size() + full_half_open_.size() + fast_open_pending_.size();
  }
  void send_syn_ack(Instant now, const SynEntry& entry,
                    std::optional<FastOpenCookie> cookie = std::nullopt);
  void send_ack(Instant now, const SynEntry& entry);
  void send_reset(const packet::FourTuple& tuple, SeqNum seq, const SynEntry& entry, Instant now);
  void reply(const packet::FourTuple& tuple, SeqNum seq, SeqNum ack, uint16_t flags,
             const packet::SynOptions& options);
  std::optional<packet::TimestampsOption> timestamps_for(Instant now, const SynEntry& entry) const;
  void queue_reply(SegmentOut segment);
  void remove_entry(Instant now, SynCache::Slot slot, State to, std::string_view cause,
                    Outcome outcome);
  bool may_challenge(SynEntry& entry) const;
  void count_half_open(Instant now);
  Duration time_until_next_syn_ack(uint32_t retransmissions) const;
  void emit(uint64_t id, Event event);
  void drop(Instant now, std::string_view cause);
  uint32_t distinct_sources() const;
  SeqNum choose_iss(Instant now, const packet::FourTuple& tuple,
                    std::optional<SeqNum> iss_above) const;
  packet::FourTuple tuple_of(const SynEntry& entry) const;
  uint16_t syn_window() const;
  uint16_t announced_mss(packet::IpFamily family) const;
  uint8_t window_shift() const;

  ListenerConfig config_;
  SynCache cache_;
  SynCookie cookies_;
  std::deque<uint64_t> accept_queue_;
  FastOpenCookies fast_open_cookies_;
  std::vector<uint64_t> fast_open_pending_;  // ids of those taken by cookie, in SYN-RECEIVED
  std::vector<uint64_t> full_half_open_;     // ids of full connections in SYN-RECEIVED
  std::deque<SegmentOut> replies_;
  std::deque<ListenerEvent> events_;
  uint64_t cookies_sent_ = 0;
  uint64_t cookies_accepted_ = 0;
  uint64_t dropped_ = 0;
  uint64_t signature_failures_ = 0;
  std::optional<Instant> last_cookie_;  // cookies are believed only for a while after the last one
  bool alarmed_ = false;
};

}  // namespace tcproctor::tcp
