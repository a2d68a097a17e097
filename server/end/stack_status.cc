// SPDX-License-Identifier: Apache-2.0
#include "server/end/stack_status.h"

#include <string>

#include "server/end/translate.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

void add_timer(const std::optional<tcp::Duration>& remaining, v1::TimerKind kind,
               v1::ConnectionStatus& proto) {
  if (!remaining) return;
  v1::Timer* const timer = proto.add_timers();
  timer->set_kind(kind);
  *timer->mutable_remaining() = to_proto(*remaining);
}

void set_sequence_variables(const tcp::Status& status, v1::ConnectionStatus& proto) {
  proto.set_iss(status.iss);
  proto.set_snd_una(status.snd_una);
  proto.set_snd_nxt(status.snd_nxt);
  proto.set_snd_wnd(status.snd_wnd);
  proto.set_snd_up(status.snd_up);
  proto.set_snd_wl1(status.snd_wl1);
  proto.set_snd_wl2(status.snd_wl2);
  proto.set_rcv_wnd(status.rcv_wnd);
  if (status.state == tcp::State::kSynSent) return;  // nothing is known of the peer yet
  proto.set_irs(status.irs);
  proto.set_rcv_nxt(status.rcv_nxt);
  proto.set_rcv_up(status.rcv_up);
}

void set_measurements(const tcp::Status& status, v1::ConnectionStatus& proto) {
  proto.set_send_window_shift(status.snd_wind_shift);
  proto.set_receive_window_shift(status.rcv_wind_shift);
  proto.set_timestamps(status.timestamps);
  proto.set_sack_permitted(status.sack_permitted);
  proto.set_send_mss(status.send_mss);
  proto.set_receive_mss(status.receive_mss);
  proto.set_send_queue_bytes(status.send_queue_bytes);
  proto.set_receive_queue_bytes(status.receive_queue_bytes);
  proto.set_reassembly_bytes(status.reassembly_bytes);
  *proto.mutable_srtt() = to_proto(status.srtt);
  *proto.mutable_rttvar() = to_proto(status.rttvar);
  *proto.mutable_rto() = to_proto(status.rto);
  if (status.min_rtt > tcp::Duration::zero()) *proto.mutable_min_rtt() = to_proto(status.min_rtt);
  *proto.mutable_user_timeout() = to_proto(status.user_timeout);
  proto.set_cwnd_bytes(status.cwnd);
  proto.set_ssthresh_bytes(status.ssthresh);
  proto.set_retransmissions(status.retransmissions);
  proto.set_total_retransmissions(status.total_retransmissions);
  proto.set_keepalive_probes_sent(status.keepalive_probes_sent);
}

v1::RecoveryState recovery_state(tcp::RecoveryPhase phase) {
  switch (phase) {
    case tcp::RecoveryPhase::kOpen:
      return v1::RECOVERY_STATE_OPEN;
    case tcp::RecoveryPhase::kDisorder:
      return v1::RECOVERY_STATE_DISORDER;
    case tcp::RecoveryPhase::kRecovery:
      return v1::RECOVERY_STATE_RECOVERY;
    case tcp::RecoveryPhase::kLoss:
      return v1::RECOVERY_STATE_LOSS;
  }
  return v1::RECOVERY_STATE_UNSPECIFIED;
}

void set_recovery(const tcp::Status& status, v1::ConnectionStatus& proto) {
  v1::LossRecovery& recovery = *proto.mutable_recovery();
  recovery.set_state(recovery_state(status.recovery_phase));
  recovery.set_pipe_bytes(status.pipe_bytes);
  recovery.set_sacked_bytes(status.sacked_bytes);
  recovery.set_lost_bytes(status.lost_bytes);
  recovery.set_retransmission_out_bytes(status.retransmission_out_bytes);
  recovery.set_delivered_bytes(status.delivered_bytes);
  recovery.set_retransmitted_bytes(status.retransmitted_bytes);
  recovery.set_recoveries(status.recoveries);
  recovery.set_timeouts(status.timeouts);
  recovery.set_spurious_recoveries(status.spurious_recoveries);
  recovery.set_spurious_timeouts(status.spurious_timeouts);
  recovery.set_dsacks_received(status.dsacks_received);
  recovery.set_reordering_seen(status.reordering_seen);
  *recovery.mutable_reordering_window() = to_proto(status.reorder_window);
  recovery.set_tail_loss_probes(status.tail_loss_probes);
  if (!status.rate_reduction) return;
  recovery.mutable_rate_reduction()->set_flight_bytes(status.rate_reduction->flight);
  recovery.mutable_rate_reduction()->set_delivered_bytes(status.rate_reduction->delivered);
  recovery.mutable_rate_reduction()->set_sent_bytes(status.rate_reduction->sent);
}

void set_congestion(const tcp::Status& status, v1::ConnectionStatus& proto) {
  v1::CongestionState& congestion = *proto.mutable_congestion();
  congestion.set_algorithm(std::string(status.congestion_control));
  congestion.set_phase(congestion_phase(proto.recovery().state(), status.slow_start));
  if (status.css && status.recovery_phase <= tcp::RecoveryPhase::kDisorder) {
    congestion.set_phase(v1::CONGESTION_PHASE_CONSERVATIVE_SLOW_START);
  }
  if (status.w_max != 0) congestion.set_w_max_bytes(status.w_max);
  v1::EcnState& ecn = *proto.mutable_ecn();
  ecn.set_negotiated(status.ecn_agreed);
  ecn.set_ce_received(status.ecn.ce_received);
  ecn.set_echoes_received(status.ecn.echoes_received);
  ecn.set_windows_reduced(status.ecn.windows_reduced);
  ecn.set_ect_sent(status.ecn.segments_with_ect);
}

void set_path(const tcp::Status& status, v1::ConnectionStatus& proto) {
  v1::PathMtuState& path_mtu = *proto.mutable_path_mtu();
  path_mtu.set_mtu(status.path_mtu);
  if (status.mtu_search_low != 0) {
    path_mtu.set_search_low(status.mtu_search_low);
    path_mtu.set_search_high(status.mtu_search_high);
    path_mtu.set_probes_sent(status.mtu_probes_sent);
    path_mtu.set_probes_lost(status.mtu_probes_lost);
  }
  if (!status.fast_open) return;
  v1::FastOpenState& fast_open = *proto.mutable_fast_open();
  fast_open.set_cookie_requested(status.fast_open->cookie_requested);
  fast_open.set_cookie_sent(status.fast_open->cookie_sent);
  fast_open.set_data_in_syn(status.fast_open->data_in_syn);
  fast_open.set_data_taken(status.fast_open->data_taken);
  fast_open.set_failed(status.fast_open->failed);
}

void set_protection(const tcp::Status& status, v1::ConnectionStatus& proto) {
  v1::Authentication& authentication = *proto.mutable_authentication();
  authentication.set_kind(to_proto<v1::AuthenticationKind>(status.authentication));
  authentication.set_failures(status.signature_failures);
  if (status.ao_key_ids) {
    authentication.set_current_key(status.ao_key_ids->current_key);
    authentication.set_rnext_key(status.ao_key_ids->rnext_key);
    authentication.set_received_key(status.ao_key_ids->received_key_id);
    authentication.set_received_rnext_key(status.ao_key_ids->received_rnext_key_id);
  }
  proto.set_challenge_acks_sent(status.challenge_acks_sent);
  proto.set_challenge_acks_throttled(status.challenge_acks_throttled);
}

void set_drop(const host::HostEvent& event, v1::Drop& drop) {
  const tcp::Cause cause = tcp::parse_cause(event.event.cause);
  drop.set_section(std::string(cause.section));
  drop.set_check(cause.check);
  drop.set_reason(std::string(cause.reason));
  if (!event.dropped) return;
  *drop.mutable_pair() = to_proto(event.dropped->pair);
  drop.set_icmp(event.dropped->icmp);
  drop.set_sequence_number(event.dropped->sequence_number);
  drop.set_acknowledgment_number(event.dropped->acknowledgment_number);
  drop.set_flags(event.dropped->flags);
  drop.set_length(event.dropped->length);
}

// The events of the trace.
void set_trace(const host::HostEvent& host_event, v1::ConnectionEvent& proto) {
  const tcp::Event& event = host_event.event;
  if (event.kind == tcp::Event::Kind::kDropped) {
    set_drop(host_event, *proto.mutable_dropped());
  } else if (event.kind == tcp::Event::Kind::kRecovery) {
    proto.mutable_recovery()->set_from(recovery_state(event.phase_before));
    proto.mutable_recovery()->set_to(recovery_state(event.phase_after));
    proto.mutable_recovery()->set_cwnd_bytes(event.cwnd);
    proto.mutable_recovery()->set_ssthresh_bytes(event.ssthresh);
  } else if (event.kind == tcp::Event::Kind::kTimeout) {
    proto.mutable_retransmission_timeout()->set_in_a_row(event.count);
    *proto.mutable_retransmission_timeout()->mutable_rto() = to_proto(event.rto);
  } else if (event.kind == tcp::Event::Kind::kSpurious) {
    proto.mutable_spurious()->set_timeout(event.count != 0);
    proto.mutable_spurious()->set_cwnd_bytes(event.cwnd);
    proto.mutable_spurious()->set_ssthresh_bytes(event.ssthresh);
  } else if (event.kind == tcp::Event::Kind::kPathMtu) {
    proto.mutable_path_mtu()->set_from(event.mtu_before);
    proto.mutable_path_mtu()->set_to(event.mtu_after);
  } else {
    proto.mutable_probe()->set_kind(to_proto<v1::ProbeKind>(event.probe));
    proto.mutable_probe()->set_in_a_row(event.count);
  }
}

}  // namespace

v1::ConnectionStatus status_to_proto(const tcp::Status& status) {
  v1::ConnectionStatus proto;
  proto.set_state(to_proto(status.state));
  *proto.mutable_pair() = to_proto(packet::FourTuple{status.local, status.remote});
  proto.set_passive(status.passive);
  proto.set_released(status.released);
  proto.set_last_error(to_proto(status.last_error));
  if (status.state == tcp::State::kListen) {
    proto.set_backlog_used(status.backlog_used);
  } else {
    proto.set_end_of_stream(status.end_of_stream);
    set_sequence_variables(status, proto);
    set_measurements(status, proto);
    set_recovery(status, proto);
    set_congestion(status, proto);
    set_path(status, proto);
    set_protection(status, proto);
  }
  if (status.soft_error_type != 0 || status.soft_error_code != 0) {
    proto.set_soft_error_type(status.soft_error_type);
    proto.set_soft_error_code(status.soft_error_code);
  }
  add_timer(status.retransmission_timer, v1::TIMER_KIND_RETRANSMISSION, proto);
  add_timer(status.persist_timer, v1::TIMER_KIND_PERSIST, proto);
  add_timer(status.keepalive_timer, v1::TIMER_KIND_KEEPALIVE, proto);
  add_timer(status.time_wait_timer, v1::TIMER_KIND_TIME_WAIT, proto);
  add_timer(status.delayed_ack_timer, v1::TIMER_KIND_DELAYED_ACK, proto);
  add_timer(status.user_timer, v1::TIMER_KIND_USER, proto);
  add_timer(status.tail_loss_probe_timer, v1::TIMER_KIND_TAIL_LOSS_PROBE, proto);
  add_timer(status.reordering_timer, v1::TIMER_KIND_REORDERING, proto);
  add_timer(status.orphan_timer, v1::TIMER_KIND_ORPHAN, proto);
  return proto;
}

v1::HalfOpen half_open_to_proto(const host::HalfOpenSummary& summary) {
  v1::HalfOpen proto;
  proto.set_count(summary.count);
  *proto.mutable_oldest_age() = to_proto(summary.oldest_age);
  proto.set_distinct_sources(summary.distinct_sources);
  proto.set_cookies_sent(summary.cookies_sent);
  proto.set_cookies_accepted(summary.cookies_accepted);
  proto.set_dropped(summary.dropped);
  proto.set_bytes_per_entry(summary.bytes_per_entry);
  return proto;
}

bool event_to_proto(const host::HostEvent& host_event, v1::ConnectionEvent& proto) {
  const tcp::Event& event = host_event.event;
  *proto.mutable_time() = to_proto(event.time);
  switch (event.kind) {
    case tcp::Event::Kind::kStateChange:
      proto.mutable_state_change()->set_from(to_proto(event.from));
      proto.mutable_state_change()->set_to(to_proto(event.to));
      proto.mutable_state_change()->set_cause(std::string(event.cause));
      return true;
    case tcp::Event::Kind::kError:
      proto.set_error(to_proto(event.outcome));
      return true;
    case tcp::Event::Kind::kSoftError:
      proto.mutable_soft_error()->set_type(event.icmp_type);
      proto.mutable_soft_error()->set_code(event.icmp_code);
      return true;
    case tcp::Event::Kind::kUrgent:
      proto.set_urgent(true);
      return true;
    case tcp::Event::Kind::kDeliveryTrouble:
      proto.set_delivery_trouble(true);
      return true;
    case tcp::Event::Kind::kAcceptable:
      proto.set_acceptable(true);
      return true;
    case tcp::Event::Kind::kHalfOpenAlarm:
      proto.mutable_half_open_alarm();
      return true;
    case tcp::Event::Kind::kDropped:
    case tcp::Event::Kind::kRecovery:
    case tcp::Event::Kind::kTimeout:
    case tcp::Event::Kind::kSpurious:
    case tcp::Event::Kind::kPathMtu:
    case tcp::Event::Kind::kProbe:
      set_trace(host_event, proto);
      return true;
    case tcp::Event::Kind::kReadable:
    case tcp::Event::Kind::kWritable:
      return false;
  }
  return false;
}

}  // namespace tcproctor::server
