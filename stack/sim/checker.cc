// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/checker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/tcp_flags.h"
#include "stack/tcp/buffer_tuning.h"
#include "stack/tcp/listener.h"

namespace tcproctor::sim {
namespace {

using host::ConnectionId;
using tcp::SeqNum;
using tcp::State;
using tcp::Status;
using namespace std::chrono_literals;

// Frames of one host in answer to one event: windows and buffers in worlds are far smaller.
constexpr uint32_t kMostFrames = 4000;
// Pure ACKs a host may send in a second beyond one for each segment it got: challenges and answers
// to segments outside the window are limited to 10 a second each (RFC 5961 §7), for each TCB.
constexpr int64_t kAckAllowance = 60;
constexpr int64_t kAckAllowancePerTcb = 25;
// Half-open entries by the hundred are looked at now and then only.
constexpr uint32_t kRareCheck = 64;

constexpr size_t number(State from, State to) {
  return static_cast<size_t>(from) * 11 + static_cast<size_t>(to);
}

bool is_pure_ack(const WireView& view) {
  constexpr uint16_t kOthers = packet::kSyn | packet::kFin | packet::kRst;
  return view.is_tcp() && view.payload_size() == 0 && (view.flags & kOthers) == 0;
}

// Figure 5 of RFC 9293 §3.3.2 with its notes, and what §3.10 adds: every state may end in CLOSED,
// LISTEN may turn active, SYN-RECEIVED goes back to LISTEN, a queued CLOSE and a FIN with the ACK
// of the SYN leave SYN-RECEIVED by ESTABLISHED.
Edges lawful_edges() {
  Edges edges;
  const auto add = [&](State from, std::initializer_list<State> targets) {
    for (const State to : targets) edges.set(number(from, to));
  };
  using enum State;
  add(kClosed, {kListen, kSynSent});
  add(kListen, {kSynSent, kSynReceived, kClosed});
  add(kSynSent, {kSynReceived, kEstablished, kClosed});
  add(kSynReceived, {kEstablished, kFinWait1, kListen, kClosed});
  add(kEstablished, {kFinWait1, kCloseWait, kClosed});
  add(kFinWait1, {kFinWait2, kClosing, kClosed});
  add(kFinWait2, {kTimeWait, kClosed});
  add(kCloseWait, {kLastAck, kClosed});
  add(kClosing, {kTimeWait, kClosed});
  add(kLastAck, {kClosed});
  add(kTimeWait, {kClosed});
  return edges;
}

}  // namespace

std::string describe(const Status& status) {
  const auto timer = [](const char* name, const std::optional<tcp::Duration>& left) {
    return left ? absl::StrCat(" ", name, "=", *left / 1us, "us") : std::string();
  };
  return absl::StrCat(
      std::string(to_string(status.state)), " ", status.local.to_string(), " > ",
      status.remote.to_string(), " iss=", status.iss, " una=+", status.snd_una - status.iss,
      " nxt=+", status.snd_nxt - status.iss, " wnd=", status.snd_wnd, " irs=", status.irs,
      " rcv_nxt=+", status.rcv_nxt - status.irs, " rcv_wnd=", status.rcv_wnd,
      " sndq=", status.send_queue_bytes, " rcvq=", status.receive_queue_bytes,
      " ooo=", status.reassembly_bytes, " cwnd=", status.cwnd, " ssthresh=", status.ssthresh,
      " rtx=", status.total_retransmissions, " rto=", status.rto / 1ms, "ms",
      " mss=", status.send_mss, timer("rtx_timer", status.retransmission_timer),
      timer("persist", status.persist_timer), timer("delack", status.delayed_ack_timer),
      timer("user", status.user_timer), timer("keepalive", status.keepalive_timer),
      timer("2msl", status.time_wait_timer));
}

bool Checker::is_edge(State from, State to) {
  static const Edges kLawful = lawful_edges();
  return kLawful.test(number(from, to));
}

void Checker::violate(std::string what) {
  if (violation_.empty()) violation_ = std::move(what);
}

template <typename... Parts>
void Checker::expect(bool holds, const Parts&... parts) {
  if (holds) [[likely]]
    return;
  violate(absl::StrCat(parts..., "; host ", about_.host, " connection ", about_.id, " ",
                       std::string(about_.cause)));
}

void Checker::host_starts(size_t host, const host::Host& stack, const tcp::Settings& settings) {
  hosts_[host] = Watched{.stack = &stack, .settings = &settings, .credit = kAckAllowance};
}

// ---------------------------------------------------------------------------------------- events

void Checker::on_event(size_t host, const host::HostEvent& event) {
  Watched& watched = hosts_[host];
  if (event.event.kind != tcp::Event::Kind::kStateChange) return;
  ++state_changes_;
  ++progress_;
  const State from = event.event.from;
  const State to = event.event.to;
  about_ = {.host = host, .id = event.id, .cause = event.event.cause};
  edges_.set(number(from, to));
  expect(is_edge(from, to), "no edge of the state diagram: ", std::string(to_string(from)), " -> ",
         std::string(to_string(to)));
  const auto it = watched.tcbs.find(event.id);
  const State before = it == watched.tcbs.end() ? State::kClosed : it->second.state;
  // One that a listener bears comes out of its LISTEN.
  const bool born = it == watched.tcbs.end() && from == State::kListen && event.listener != 0;
  expect(born || before == from, "leaves ", std::string(to_string(from)), " although it was in ",
         std::string(to_string(before)));
  const bool gone =
      to == State::kClosed || (to == State::kListen && (born || from != State::kClosed));
  if (gone) {
    if (it != watched.tcbs.end()) watched.tcbs.erase(it);
  } else {
    Tracked& tracked = watched.tcbs[event.id];
    tracked.state = to;
    tracked.of_cookie |= event.event.cause == tcp::Listener::kOfCookie;
  }
}

void Checker::on_frame_in(size_t host, const WireView& view) {
  if (!is_pure_ack(view))
    hosts_[host].credit += 1 + static_cast<int64_t>(view.payload_size() / 500);
}

void Checker::on_frame_out(size_t host, const WireView& view) {
  Watched& watched = hosts_[host];
  ++watched.frames_out;
  if (is_pure_ack(view)) --watched.credit;
  if (view.is_tcp() && (view.flags & packet::kAck) != 0) {
    watched.acked[{view.destination, view.ports}] = SeqNum(view.acknowledgment);
  }
}

void Checker::after_deadline(size_t host, tcp::Instant now) {
  Watched& watched = hosts_[host];
  watched.credit += static_cast<int64_t>(watched.tcbs.size());
  after_event(host, now);
  const auto next = watched.stack->next_deadline();
  about_ = {.host = host};
  expect(!next || *next > now, "a deadline lies in the past after on_deadline");
}

void Checker::after_event(size_t host, tcp::Instant now) {
  Watched& watched = hosts_[host];
  about_ = {.host = host};
  expect(watched.frames_out <= kMostFrames, "never stops sending: ", watched.frames_out,
         " frames in answer to one event");
  watched.frames_out = 0;
  const auto tcbs = static_cast<int64_t>(watched.tcbs.size());
  // Two that disagree about a connection answer each other as fast as RFC 5961 §7 lets them.
  const int64_t each =
      std::max<int64_t>(kAckAllowancePerTcb, 2 * int64_t{watched.settings->challenge_ack_limit});
  expect(watched.credit > -each * (tcbs + 1), "ACK storm: more pure ACKs than anything asked for");
  if (now - watched.credit_since >= 1s) {
    watched.credit_since = now;
    watched.credit = kAckAllowance;
  }
  const bool rare = ++watched.events % kRareCheck == 0;
  if (rare) check_listing(host, now);
  const bool crowd = watched.tcbs.size() > 16;
  for (auto& [id, tracked] : watched.tcbs) {
    const bool sleeps = tracked.state == State::kSynReceived || tracked.state == State::kTimeWait;
    if (crowd && sleeps && !rare) continue;
    check(host, id, tracked, now);
    if (violated()) return;
  }
}

// ------------------------------------------------------------------------------------------ TCBs

void Checker::learn_options(size_t host, ConnectionId id, Tracked& tracked) {
  const auto options = hosts_[host].stack->options(id);
  if (!options.ok()) return;
  const tcp::Settings& settings = *hosts_[host].settings;
  const auto raise = [](uint32_t& to, uint32_t bytes) { to = std::max(to, bytes); };
  raise(tracked.send_buffer, tcp::initial_send_buffer(*options, settings));
  raise(tracked.send_buffer_limit, tcp::largest_send_buffer(*options, settings));
  raise(tracked.receive_buffer, tcp::initial_receive_buffer(*options, settings));
  raise(tracked.receive_buffer_limit, tcp::largest_receive_buffer(*options, settings));
}

void Checker::options_changed(tcp::Instant now, size_t host, ConnectionId id) {
  const auto it = hosts_[host].tcbs.find(id);
  if (it == hosts_[host].tcbs.end()) return;
  Tracked& tracked = it->second;
  learn_options(host, id, tracked);
  // What this turn's SENDs made of a buffer that grows.
  if (const auto status = hosts_[host].stack->status(now, id); status.ok()) {
    tracked.send_buffer = std::max(tracked.send_buffer, status->send_buffer_bytes);
    tracked.receive_buffer = std::max(tracked.receive_buffer, status->receive_buffer_bytes);
  }
}

void Checker::check(size_t host, ConnectionId id, Tracked& tracked, tcp::Instant now) {
  Watched& watched = hosts_[host];
  const auto status = watched.stack->status(now, id);
  about_ = {.host = host, .id = id};
  expect(status.ok(), "is unknown although it is ", std::string(to_string(tracked.state)));
  if (!status.ok()) return;
  const size_t before = violation_.size();
  expect(status->state == tracked.state, "is ", std::string(to_string(status->state)),
         " but its last event said ", std::string(to_string(tracked.state)));
  if (status->state == State::kListen) {
    const host::HalfOpenSummary half_open = watched.stack->half_open(now, id);
    // kMaxFullHalfOpen connections may be half open beside the entries.
    expect(half_open.count <= watched.settings->syn_cache_size + 64, "SYN cache holds ",
           half_open.count);
  } else {
    if (!tracked.full || tracked.last.state != status->state) learn_options(host, id, tracked);
    check_timers(tracked, *status, watched, now);
    if (status->state != State::kTimeWait) {
      check_order(tracked, *status);
      tracked.send_buffer = std::max(tracked.send_buffer, status->send_buffer_bytes);
      tracked.receive_buffer = std::max(tracked.receive_buffer, status->receive_buffer_bytes);
      check_memory(tracked, *status);
      check_acked(tracked, *status, watched, now);
      const SeqNum edge = SeqNum(status->rcv_nxt) + status->rcv_wnd;
      const bool same =
          tracked.full && tracked.last.irs == status->irs && tracked.last.state != State::kSynSent;
      tracked.edge = same ? tcp::later_of(tracked.edge, edge) : edge;
      if (!forged_) {
        const bool sent = tracked.full && tracked.last.snd_nxt != status->snd_nxt;
        check_against_peer(host, *status, sent);
      }
    }
  }
  if (tracked.full &&
      (tracked.last.snd_una != status->snd_una || tracked.last.rcv_nxt != status->rcv_nxt ||
       tracked.last.receive_queue_bytes != status->receive_queue_bytes)) {
    ++progress_;
  }
  tracked.last = *status;
  tracked.last_at = now;
  tracked.full = true;
  if (violation_.size() != before) {
    absl::StrAppend(&violation_, "\n  ", describe(*status));
  }
}

// RFC 9293 §3.3.1, §3.4: what only moves one way.
void Checker::check_order(const Tracked& tracked, const Status& now_is) {
  const SeqNum una(now_is.snd_una);
  const SeqNum nxt(now_is.snd_nxt);
  expect(una.at_or_before(nxt), "SND.UNA is after SND.NXT");
  expect(SeqNum(now_is.iss).at_or_before(una) || nxt - SeqNum(now_is.iss) > (1u << 30),
         "SND.UNA is before ISS");
  expect(now_is.snd_nxt - now_is.snd_una <= now_is.send_queue_bytes + 2u,
         "in flight is what is not queued");
  // An entry of the SYN cache has no RTO and no cwnd yet.
  expect(now_is.cwnd >= 1 || now_is.rto == 0ns, "cwnd is 0");
  expect(now_is.send_mss >= 1, "Eff.snd.MSS is 0");
  if (!tracked.full || tracked.last.state == State::kListen) return;
  const Status& was = tracked.last;
  expect(una.at_or_after(SeqNum(was.snd_una)), "SND.UNA went back from +", was.snd_una - was.iss);
  // What our SYN carried and was not taken counts as never sent (RFC 7413).
  expect(was.snd_una == was.iss || nxt.at_or_after(SeqNum(was.snd_nxt)), "SND.NXT went back from +",
         was.snd_nxt - was.iss);
  expect(now_is.iss == was.iss, "ISS changed");
  if (was.state == State::kSynSent || now_is.state == State::kSynSent) return;
  expect(now_is.irs == was.irs, "IRS changed");
  expect(SeqNum(now_is.rcv_nxt).at_or_after(SeqNum(was.rcv_nxt)), "RCV.NXT went back from +",
         was.rcv_nxt - was.irs);
  // What is held behind a gap is not given up again (RFC2018-8-2): it leaves by being in order.
  expect(now_is.reassembly_bytes >= was.reassembly_bytes ||
             was.reassembly_bytes - now_is.reassembly_bytes <= now_is.rcv_nxt - was.rcv_nxt,
         "forgets ", was.reassembly_bytes - now_is.reassembly_bytes, " octets held behind a gap");
  // RFC9293-SHLD-14.
  const SeqNum edge = SeqNum(now_is.rcv_nxt) + now_is.rcv_wnd;
  expect(edge.at_or_after(tracked.edge), "the right edge of the window moved left by ",
         tracked.edge - edge);
}

// Queues keep to the buffers the user set. The window may be an eighth larger than the buffer where
// a window scale cannot say it exactly (stack/tcp/transmit.cc, advertise_window).
void Checker::check_memory(const Tracked& tracked, const Status& now_is) {
  expect(tracked.send_buffer <= tracked.send_buffer_limit, "send buffer grew to ",
         tracked.send_buffer, " of at most ", tracked.send_buffer_limit);
  expect(tracked.receive_buffer <= tracked.receive_buffer_limit, "receive buffer grew to ",
         tracked.receive_buffer, " of at most ", tracked.receive_buffer_limit);
  const uint64_t receive = uint64_t{tracked.receive_buffer} + tracked.receive_buffer / 8 + 1;
  expect(now_is.send_queue_bytes <= tracked.send_buffer, "send queue of ", now_is.send_queue_bytes,
         " in a buffer of ", tracked.send_buffer);
  expect(uint64_t{now_is.receive_queue_bytes} + now_is.reassembly_bytes <= receive,
         "receive queues of ", now_is.receive_queue_bytes, " and ", now_is.reassembly_bytes,
         " in a buffer of ", tracked.receive_buffer);
  expect(now_is.state == State::kSynSent ||
             uint64_t{now_is.receive_queue_bytes} + now_is.rcv_wnd <= receive,
         "window and queue promise more than the buffer of ", tracked.receive_buffer);
}

// What is outstanding or owed has a timer, and the host knows of it.
void Checker::check_timers(const Tracked& tracked, const Status& now_is, const Watched& watched,
                           tcp::Instant now) {
  const bool resend = now_is.retransmission_timer || now_is.persist_timer;
  const bool outstanding = now_is.snd_nxt != now_is.snd_una || now_is.send_queue_bytes != 0;
  switch (now_is.state) {
    case State::kTimeWait:
      expect(now_is.time_wait_timer.has_value(), "TIME-WAIT has no timer");
      // RFC9293-MUST-13. It began after the last look.
      expect(!tracked.full || tracked.last.state == State::kTimeWait ||
                 (now_is.time_wait_timer <= 2 * watched.settings->msl &&
                  now_is.time_wait_timer >= 2 * watched.settings->msl - (now - tracked.last_at)),
             "TIME-WAIT does not begin with 2 MSL");
      break;
    case State::kSynSent:
    case State::kSynReceived:
      expect(resend, "no timer for the SYN");
      expect(now_is.user_timer.has_value(), "no R2 for the SYN");
      break;
    case State::kFinWait1:
    case State::kClosing:
    case State::kLastAck:
      expect(resend, "no timer for the FIN that is owed");
      break;
    default:
      expect(resend || !outstanding, "no timer for what is outstanding");
      break;
  }
  expect(!outstanding || now_is.state == State::kTimeWait || now_is.user_timer.has_value(),
         "no R2 for what is outstanding");
  expect(!now_is.retransmission_timer || *now_is.retransmission_timer <= watched.settings->max_rto,
         "retransmission timer beyond the upper bound of the RTO");
  // RFC9293-MUST-40
  expect(!now_is.delayed_ack_timer || *now_is.delayed_ack_timer < 500ms,
         "a delayed ACK waits for half a second or more");
  // RFC6298-5.5-1
  const bool timed_out = tracked.full && tracked.last.rto > 0ns &&
                         now_is.retransmissions > tracked.last.retransmissions;
  expect(!timed_out || now_is.rto >= std::min(2 * tracked.last.rto, watched.settings->max_rto),
         "the RTO was not backed off: it was ", tracked.last.rto / 1us, " us");
  const auto next = watched.stack->next_deadline();
  // A half-open entry that was served late waits a millisecond (Listener::on_deadline).
  const tcp::Duration slack = now_is.state == State::kSynReceived ? 1ms : 0ms;
  for (const auto& left :
       {now_is.retransmission_timer, now_is.persist_timer, now_is.keepalive_timer,
        now_is.time_wait_timer, now_is.delayed_ack_timer, now_is.user_timer}) {
    expect(!left || (next && *next <= now + *left + slack), "the host does not know of a timer in ",
           left.value_or(0ns) / 1us, " us");
  }
}

// RFC9293-MUST-40: what came is acknowledged within half a second.
void Checker::check_acked(Tracked& tracked, const Status& now_is, const Watched& watched,
                          tcp::Instant now) {
  const uint32_t ports = uint32_t{now_is.local.port} << 16 | now_is.remote.port;
  const uint32_t remote = packet::load_be32(now_is.remote.address.bytes().last<4>().data());
  const auto acked = watched.acked.find({remote, ports});
  const bool owes = is_synchronized(now_is.state) && acked != watched.acked.end() &&
                    SeqNum(now_is.rcv_nxt).after(acked->second);
  if (!owes) {
    tracked.owes_ack.reset();
  } else if (!tracked.owes_ack) {
    tracked.owes_ack = now;
  }
  const bool about_to = now_is.delayed_ack_timer == tcp::Duration{0};  // its deadline comes next
  expect(!owes || about_to || now - *tracked.owes_ack <= 500ms,
         "what came is not acknowledged in time");
}

// What one end knows of the other is what the other did.
void Checker::check_against_peer(size_t host, const Status& mine, bool sent) {
  if (!is_synchronized(mine.state)) return;
  for (size_t other = 0; other < hosts_.size(); ++other) {
    if (other == host) continue;
    for (const auto& [id, tracked] : hosts_[other].tcbs) {
      const Status& theirs = tracked.last;
      if (!tracked.full || theirs.iss != mine.irs || theirs.irs != mine.iss ||
          theirs.local != mine.remote || theirs.remote != mine.local ||
          theirs.state == State::kTimeWait) {
        continue;
      }
      // What is left of a segment on its way makes a second connection of a SYN cookie, which knows
      // nothing of what the first one did.
      if (tracked.of_cookie) continue;
      expect(SeqNum(mine.snd_una).at_or_before(SeqNum(theirs.rcv_nxt)),
             "SND.UNA is beyond what the peer received (+", theirs.rcv_nxt - theirs.irs, ")");
      // What a SYN carried was sent, although it counts as unsent when the SYN,ACK did not take it.
      const uint32_t in_syn = theirs.fast_open ? theirs.fast_open->data_in_syn : 0;
      expect(SeqNum(mine.rcv_nxt)
                 .at_or_before(later_of(SeqNum(theirs.snd_nxt), SeqNum(theirs.iss) + 1 + in_syn)),
             "RCV.NXT is beyond what the peer sent (+", theirs.snd_nxt - theirs.iss, ")");
      // One octet more is a probe of a closed window (RFC 9293 §3.8.6.1). A window that came with
      // an older ACK than SND.UNA is counted from SND.UNA all the same (§3.10.7.4 fifth): then it
      // may be too much.
      expect(!sent || mine.snd_wl2 != mine.snd_una ||
                 SeqNum(mine.snd_nxt).at_or_before(tracked.edge + (mine.snd_wnd == 0 ? 1u : 0u)),
             "sent beyond the window of the peer by ", SeqNum(mine.snd_nxt) - tracked.edge);
      return;
    }
  }
}

void Checker::check_listing(size_t host, tcp::Instant now) {
  const Watched& watched = hosts_[host];
  size_t open = 0;
  for (const ConnectionId id : watched.stack->list()) {
    const auto status = watched.stack->status(now, id);
    about_ = {.host = host, .id = id};
    expect(status.ok(), "listed, but unknown");
    if (!status.ok() || status->state == State::kClosed) continue;
    ++open;
    expect(watched.tcbs.contains(id), "listed as ", std::string(to_string(status->state)),
           " but no event told of it");
  }
  about_ = {.host = host};
  expect(open == watched.tcbs.size(), "lists ", open, " TCBs, by events there are ",
         watched.tcbs.size());
}

void Checker::at_end(size_t host, tcp::Instant now) {
  check_listing(host, now);
  for (const auto& [id, tracked] : hosts_[host].tcbs) {
    about_ = {.host = host, .id = id};
    expect(false, "is left at the end: ", describe(tracked.last));
  }
}

}  // namespace tcproctor::sim
