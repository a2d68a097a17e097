// SPDX-License-Identifier: Apache-2.0
// What the kernel end observes: states, status, events.
#include <algorithm>
#include <array>
#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "server/end/capabilities.h"
#include "server/end/kernel_end.h"
#include "server/end/translate.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

// What a half-open connection costs the kernel: a request_sock_TCP as /proc/slabinfo of Linux 6.18
// gives it.
constexpr uint32_t kKernelRequestBytes = 320;
constexpr absl::Duration kAlarmInterval = absl::Milliseconds(50);
// Up to so many connections a half-open one is followed from its first segment on.
constexpr size_t kMaxFollowed = 64;

v1::TimerKind timer_kind(KernelTimer timer) {
  switch (timer) {
    case KernelTimer::kNone:
      return v1::TIMER_KIND_UNSPECIFIED;
    case KernelTimer::kRetransmission:
      return v1::TIMER_KIND_RETRANSMISSION;
    case KernelTimer::kKeepalive:
      return v1::TIMER_KIND_KEEPALIVE;
    case KernelTimer::kTimeWait:
      return v1::TIMER_KIND_TIME_WAIT;
    case KernelTimer::kPersist:
      return v1::TIMER_KIND_PERSIST;
  }
  return v1::TIMER_KIND_UNSPECIFIED;
}

// A half-open entry retries its SYN,ACK after 1, 2, 4 … s: how long it has existed follows from how
// often it did and when it will again.
absl::Duration age_of_half_open(const DiagnosedSocket& socket) {
  const uint32_t retries = std::min(socket.retransmits, 10U);
  const absl::Duration until_next = absl::Seconds((1U << (retries + 1)) - 1);
  return std::max(absl::ZeroDuration(), until_next - absl::Milliseconds(socket.expires_ms));
}

bool peer_fin_seen(tcp::State state) {
  return state == tcp::State::kCloseWait || state == tcp::State::kClosing ||
         state == tcp::State::kLastAck || state == tcp::State::kTimeWait;
}

void fill_from_tcp_info(const TcpInfo& info, v1::ConnectionStatus& status) {
  status.set_timestamps((info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0);
  status.set_sack_permitted((info.tcpi_options & TCPI_OPT_SACK) != 0);
  if ((info.tcpi_options & TCPI_OPT_WSCALE) != 0) {
    status.set_send_window_shift(info.tcpi_snd_wscale);
    status.set_receive_window_shift(info.tcpi_rcv_wscale);
  }
  status.set_snd_wnd(info.tcpi_snd_wnd);
  if (info.tcpi_rcv_wnd != 0) status.set_rcv_wnd(info.tcpi_rcv_wnd);
  status.set_send_mss(info.tcpi_snd_mss);
  status.set_receive_mss(info.tcpi_advmss);
  *status.mutable_srtt() = to_proto(std::chrono::microseconds(info.tcpi_rtt));
  *status.mutable_rttvar() = to_proto(std::chrono::microseconds(info.tcpi_rttvar));
  *status.mutable_rto() = to_proto(std::chrono::microseconds(info.tcpi_rto));
  status.set_cwnd_bytes(info.tcpi_snd_cwnd * info.tcpi_snd_mss);
  // The kernel counts in segments and has "infinite" as 2^31 - 1.
  const uint64_t ssthresh = uint64_t{info.tcpi_snd_ssthresh} * info.tcpi_snd_mss;
  status.set_ssthresh_bytes(static_cast<uint32_t>(std::min<uint64_t>(ssthresh, UINT32_MAX)));
  status.set_retransmissions(info.tcpi_retransmits);
  status.set_total_retransmissions(info.tcpi_total_retrans);
  status.set_keepalive_probes_sent(info.tcpi_probes);
}

v1::RecoveryState recovery_state(uint8_t tcpi_ca_state) {
  constexpr std::array<v1::RecoveryState, 5> kStates = {
      v1::RECOVERY_STATE_OPEN, v1::RECOVERY_STATE_DISORDER, v1::RECOVERY_STATE_CWR,
      v1::RECOVERY_STATE_RECOVERY, v1::RECOVERY_STATE_LOSS};
  return tcpi_ca_state < kStates.size() ? kStates[tcpi_ca_state] : v1::RECOVERY_STATE_UNSPECIFIED;
}

void fill_recovery(const TcpInfo& info, v1::LossRecovery& recovery) {
  const uint32_t mss = info.tcpi_snd_mss;
  const uint32_t left = info.tcpi_sacked + info.tcpi_lost;
  recovery.set_state(recovery_state(info.tcpi_ca_state));
  recovery.set_pipe_bytes(
      (info.tcpi_unacked - std::min(left, info.tcpi_unacked) + info.tcpi_retrans) * mss);
  recovery.set_sacked_bytes(info.tcpi_sacked * mss);
  recovery.set_lost_bytes(info.tcpi_lost * mss);
  recovery.set_retransmission_out_bytes(info.tcpi_retrans * mss);
  recovery.set_delivered_bytes(info.tcpi_bytes_acked);
  recovery.set_retransmitted_bytes(info.tcpi_bytes_retrans);
  recovery.set_dsacks_received(info.tcpi_dsack_dups);
  recovery.set_reordering_seen(info.tcpi_reord_seen != 0);
  if (info.length >= offsetof(TcpInfoLayout, tcpi_total_rto_recoveries)) {  // 6.7+
    recovery.set_timeouts(info.tcpi_total_rto);
  }
}

// tcpi_options, which the C library's header does not name all.
constexpr uint8_t kEcnNegotiated = 8;
constexpr uint8_t kSynDataTaken = 32;

void fill_path(const TcpInfo& info, v1::ConnectionStatus& status) {
  status.mutable_ecn()->set_negotiated((info.tcpi_options & kEcnNegotiated) != 0);
  status.mutable_ecn()->set_marked_delivered(info.tcpi_delivered_ce);
  if (info.tcpi_pmtu != 0) status.mutable_path_mtu()->set_mtu(info.tcpi_pmtu);
  if ((info.tcpi_options & kSynDataTaken) != 0) status.mutable_fast_open()->set_data_taken(true);
  constexpr uint32_t kNone = UINT32_MAX;
  if (info.tcpi_min_rtt != 0 && info.tcpi_min_rtt != kNone) {
    *status.mutable_min_rtt() = server::to_proto(std::chrono::microseconds(info.tcpi_min_rtt));
  }
}

}  // namespace

v1::EndInfo KernelEnd::info() const {
  v1::EndInfo info;
  info.set_kind(v1::END_KIND_KERNEL);
  for (const std::string& prefix : config_.prefixes) info.add_addresses(prefix);
  info.set_mac(config_.mac);
  for (std::string_view capability : kernel_capabilities()) {
    info.add_capabilities(std::string(capability));
  }
  info.set_namespace_path(ns_->path());
  info.set_namespace_inode(ns_->inode());
  info.set_user_namespace_path(config_.user_namespace_path);
  info.set_interface(config_.interface);
  return info;
}

std::optional<DiagnosedSocket> KernelEnd::diagnose(const Connection& connection) {
  absl::StatusOr<std::optional<DiagnosedSocket>> found =
      diag_->find(connection.pair.local, connection.pair.remote);
  if (!found.ok() || !*found) return std::nullopt;
  // TIME-WAIT (and FIN-WAIT-2 of an orphan) is another kernel object than its connection; anything
  // else must be ours. A half-open one has had its cookie from the beginning.
  const bool small = (*found)->inode == 0 && (*found)->state != tcp::State::kSynReceived;
  const bool same = connection.cookie == 0 || (*found)->cookie == connection.cookie ||
                    (*found)->state == tcp::State::kTimeWait || small;
  return same ? *found : std::nullopt;
}

tcp::State KernelEnd::listener_state(const Connection& connection) {
  const std::optional<DiagnosedSocket> found = diagnose(connection);
  return found ? found->state : tcp::State::kClosed;
}

tcp::State KernelEnd::state_of(Connection& connection) {
  tcp::State state = tcp::State::kClosed;
  if (connection.socket) state = connection.socket->state();
  // A socket reads CLOSED when its connection has gone to TIME-WAIT; and half-open, unaccepted and
  // released connections have no socket.
  if (state == tcp::State::kClosed && !connection.listener) {
    if (std::optional<DiagnosedSocket> found = diagnose(connection)) state = found->state;
  }
  return state;
}

void KernelEnd::note_error(Connection& connection) {
  if (!connection.socket || connection.listener) return;
  if (connection.last_error != tcp::Outcome::kOk) return;
  connection.last_error = connection.socket->error().outcome;
}

v1::HalfOpen KernelEnd::half_open(const Connection& listener) {
  v1::HalfOpen summary;
  absl::StatusOr<std::vector<DiagnosedSocket>> sockets = diag_->dump();
  if (!sockets.ok()) return summary;
  absl::Duration oldest;
  absl::flat_hash_set<packet::IpAddress> sources;
  for (const DiagnosedSocket& socket : *sockets) {
    if (!socket.embryonic() || socket.local.port != listener.pair.local.port) continue;
    summary.set_count(summary.count() + 1);
    sources.insert(socket.remote.address);
    oldest = std::max(oldest, age_of_half_open(socket));
  }
  summary.set_distinct_sources(static_cast<uint32_t>(sources.size()));
  *summary.mutable_oldest_age() = to_proto(absl::ToChronoNanoseconds(oldest));
  summary.set_bytes_per_entry(kKernelRequestBytes);
  return summary;
}

void KernelEnd::fill_from_diagnosis(const DiagnosedSocket& socket,
                                    v1::ConnectionStatus& status) const {
  if (status.state() == v1::TCP_STATE_LISTEN) {
    status.set_backlog_used(socket.receive_queue);
    return;
  }
  status.set_receive_queue_bytes(socket.receive_queue);
  status.set_send_queue_bytes(socket.send_queue);
  if (socket.timer != KernelTimer::kNone) {
    v1::Timer* timer = status.add_timers();
    timer->set_kind(timer_kind(socket.timer));
    *timer->mutable_remaining() = to_proto(std::chrono::milliseconds(socket.expires_ms));
  }
  if (socket.info.length != 0) {
    fill_from_tcp_info(socket.info, status);
    fill_recovery(socket.info, *status.mutable_recovery());
    v1::CongestionState& congestion = *status.mutable_congestion();
    congestion.set_algorithm(socket.congestion_control);
    congestion.set_phase(congestion_phase(
        status.recovery().state(), socket.info.tcpi_snd_cwnd < socket.info.tcpi_snd_ssthresh));
    fill_path(socket.info, status);
    status.mutable_authentication()->set_kind(socket.has_md5_key ? v1::AUTHENTICATION_KIND_MD5
                                                                 : v1::AUTHENTICATION_KIND_NONE);
  } else {
    status.set_retransmissions(socket.retransmits);
  }
}

absl::StatusOr<v1::ConnectionStatus> KernelEnd::status(uint64_t id) {
  absl::StatusOr<Connection*> found = lookup(id);
  if (!found.ok()) return found.status();
  Connection& connection = **found;
  const tcp::State state = state_of(connection);
  if (state == tcp::State::kClosed) note_error(connection);
  v1::ConnectionStatus status;
  status.set_connection(id);
  status.set_end(config_.side);
  status.set_state(to_proto(state));
  *status.mutable_pair() = to_proto(connection.pair);
  status.set_incarnation(connection.incarnation);
  status.set_passive(connection.passive);
  status.set_released(connection.released);
  status.set_listener(connection.listener_id);
  status.set_last_error(to_proto(connection.last_error));
  if (state == tcp::State::kClosed) return status;
  if (!connection.listener) status.set_end_of_stream(peer_fin_seen(state));
  if (std::optional<DiagnosedSocket> socket = diagnose(connection)) {
    fill_from_diagnosis(*socket, status);
  }
  if (connection.listener) *status.mutable_half_open() = half_open(connection);
  return status;
}

std::vector<v1::ConnectionStatus> KernelEnd::list(uint64_t closed_after) {
  // Connections nobody has named yet (half open, TIME-WAIT) get their id here.
  if (absl::StatusOr<std::vector<DiagnosedSocket>> sockets = diag_->dump(); sockets.ok()) {
    for (const DiagnosedSocket& socket : *sockets) {
      if (socket.state == tcp::State::kListen || !concerns(socket)) continue;
      find(to_proto(packet::FourTuple{socket.local, socket.remote}), 0);
    }
  }
  std::vector<v1::ConnectionStatus> all;
  for (const auto& [id, connection] : connections_) {
    absl::StatusOr<v1::ConnectionStatus> one = status(id);
    if (!one.ok()) continue;
    if (one->state() == v1::TCP_STATE_CLOSED && id <= closed_after) continue;
    all.push_back(*std::move(one));
  }
  return all;
}

std::optional<uint64_t> KernelEnd::find(const v1::FourTuple& wanted, uint32_t incarnation) {
  absl::StatusOr<packet::FourTuple> pair = from_proto(wanted, "pair");
  if (!pair.ok()) return std::nullopt;
  std::optional<DiagnosedSocket> live;
  if (absl::StatusOr<std::optional<DiagnosedSocket>> found = diag_->find(pair->local, pair->remote);
      found.ok() && *found && concerns(**found)) {
    live = *found;
  }
  Connection* newest = nullptr;
  for (auto& [id, connection] : connections_) {
    if (connection.listener || connection.pair != *pair) continue;
    if (connection.incarnation == incarnation) return id;
    newest = &connection;
  }
  if (incarnation != 0) return std::nullopt;
  const bool known = newest != nullptr && (!live || live->cookie == newest->cookie ||
                                           live->state == tcp::State::kTimeWait);
  if (known) return newest->id;
  if (!live) return newest == nullptr ? std::nullopt : std::optional(newest->id);
  Connection& connection = add(*pair, true);
  connection.cookie = live->cookie;
  connection.seen_state = live->state;
  if (live->embryonic()) {
    // It was born of the listener that is there (RFC 9293 §3.10.7.2).
    connection.listener_id = listener_of(pair->local);
    if (connection.listener_id != 0) {
      connection.seen_state = tcp::State::kListen;
      note_change(connection, live->state);
    }
  }
  return connection.id;
}

uint64_t KernelEnd::listener_of(const packet::SocketAddress& local) const {
  for (const auto& [id, connection] : connections_) {
    if (!connection.listener || !connection.socket) continue;
    const packet::SocketAddress& at = connection.pair.local;
    if (at.port != local.port) continue;
    if (at.address.is_unspecified() || at.address == local.address) return id;
  }
  return 0;
}

v1::TcpState KernelEnd::observe(const v1::FourTuple& wanted) {
  absl::StatusOr<packet::FourTuple> pair = from_proto(wanted, "pair");
  if (!pair.ok()) return v1::TCP_STATE_UNSPECIFIED;
  absl::StatusOr<std::optional<DiagnosedSocket>> found = diag_->find(pair->local, pair->remote);
  // Each segment is an occasion to see a state that does not last until the next poll. What a flood
  // leaves behind is counted, not followed.
  const bool embryonic = found.ok() && *found && (*found)->embryonic();
  if (embryonic && connections_.size() < kMaxFollowed) find(wanted, 0);
  for (auto& [id, connection] : connections_) {
    if (!connection.listener && connection.pair == *pair) follow_state(connection);
  }
  if (!found.ok() || !*found) return v1::TCP_STATE_UNSPECIFIED;
  return to_proto((*found)->state);
}

v1::ConnectionEvent& KernelEnd::push_event(const Connection& connection) {
  v1::ConnectionEvent& event = events_.emplace_back();
  *event.mutable_time() = to_proto(absl::ToChronoNanoseconds(now_()));
  event.set_end(config_.side);
  event.set_connection(connection.id);
  event.set_listener(connection.listener_id);
  return event;
}

void KernelEnd::note_change(Connection& connection, tcp::State to) {
  v1::StateChange* change = push_event(connection).mutable_state_change();
  change->set_from(to_proto(connection.seen_state));
  change->set_to(to_proto(to));
  change->set_cause("observed");
  connection.seen_state = to;
}

// Tells a change of state since it was looked at last.
tcp::State KernelEnd::follow_state(Connection& connection) {
  const bool idle = !connection.socket && connection.seen_state == tcp::State::kClosed;
  if (idle) return tcp::State::kClosed;
  const tcp::State state = connection.listener ? listener_state(connection) : state_of(connection);
  if (state == connection.seen_state) return state;
  // A half-open connection that went is LISTEN again where its listener is left (RFC 9293 §3.5.3).
  const bool returns = state == tcp::State::kClosed && !connection.socket &&
                       connection.seen_state == tcp::State::kSynReceived &&
                       connection.listener_id != 0 && listener_of(connection.pair.local) != 0;
  note_change(connection, returns ? tcp::State::kListen : state);
  connection.seen_state = state;
  return state;
}

void KernelEnd::refresh_listener(Connection& connection) {
  std::optional<DiagnosedSocket> socket = diagnose(connection);
  if (!socket) return;
  if (socket->receive_queue > 0 && !connection.acceptable_told) {
    connection.acceptable_told = true;
    push_event(connection).set_acceptable(true);
  }
  // A dump under a flood is long: not at every poll.
  if (now_() - connection.alarm_checked < kAlarmInterval) return;
  connection.alarm_checked = now_();
  const v1::HalfOpen summary = half_open(connection);
  const bool alarm = summary.count() >= config_.half_open_alarm &&
                     summary.distinct_sources() >= summary.count() / 2;
  if (alarm && !connection.alarm_told) {
    *push_event(connection).mutable_half_open_alarm() = summary;
  }
  connection.alarm_told = alarm;
}

void KernelEnd::refresh_connection(Connection& connection) {
  const tcp::State state = follow_state(connection);
  if (state == tcp::State::kClosed) note_error(connection);
  if (connection.last_error != tcp::Outcome::kOk && !connection.error_told) {
    connection.error_told = true;
    if (connection.last_error != tcp::Outcome::kConnectionAborted) {
      push_event(connection).set_error(to_proto(connection.last_error));
    }
  }
  if (connection.urgent_pending) {
    connection.urgent_pending = false;
    push_event(connection).set_urgent(true);
  }
  if (!connection.socket) return;
  while (std::optional<IcmpError> icmp = connection.socket->soft_error()) {
    v1::IcmpReport* report = push_event(connection).mutable_soft_error();
    report->set_type(icmp->type);
    report->set_code(icmp->code);
  }
}

void KernelEnd::refresh() {
  for (auto& [id, connection] : connections_) {
    if (connection.listener) {
      if (connection.socket) refresh_listener(connection);
    } else if (connection.socket || connection.seen_state != tcp::State::kClosed) {
      refresh_connection(connection);
    }
  }
}

bool KernelEnd::next_event(v1::ConnectionEvent& event) {
  if (events_.empty()) refresh();
  if (events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

}  // namespace tcproctor::server
