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
  proto.set_cwnd_bytes(status.cwnd);
  proto.set_ssthresh_bytes(status.ssthresh);
  proto.set_retransmissions(status.retransmissions);
  proto.set_total_retransmissions(status.total_retransmissions);
  proto.set_keepalive_probes_sent(status.keepalive_probes_sent);
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

bool event_to_proto(const tcp::Event& event, v1::ConnectionEvent& proto) {
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
      proto.set_dropped(std::string(event.cause));
      return true;
    case tcp::Event::Kind::kReadable:
    case tcp::Event::Kind::kWritable:
      return false;
  }
  return false;
}

}  // namespace tcproctor::server
