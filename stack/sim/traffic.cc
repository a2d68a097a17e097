// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/traffic.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::sim {
namespace {

using host::ConnectionId;
using packet::IpAddress;
using packet::SocketAddress;
using tcp::Duration;
using tcp::Instant;
using tcp::Outcome;
using namespace std::chrono_literals;

constexpr size_t kLargestChunk = 65536;

std::string name(Outcome outcome) {
  return std::string(to_string(outcome));
}

}  // namespace

Traffic::Traffic(const WorldPlan& plan, Choices& choices, Checker& checker,
                 std::vector<Network::Attached> addresses)
    : plan_(plan),
      choices_(choices),
      checker_(checker),
      addresses_(std::move(addresses)),
      content_(choices.bits()),
      stacks_(plan.hosts.size()),
      flows_(plan.flows.size()),
      listeners_(plan.listeners.size()),
      scratch_(kLargestChunk),
      expected_(kLargestChunk) {
  for (size_t i = 0; i < flows_.size(); ++i) {
    for (int end = 0; end < 2; ++end) {
      flows_[i].ends[end].host = plan.flows[i].hosts[end];
      if (plan.flows[i].users[end].gives_up_after) flows_[i].may_fail = true;
    }
    // A SYN below the numbers of the TIME-WAIT it meets draws an ACK. Signed, that is not believed,
    // no RST follows, and the TIME-WAIT outlives the SYN's R2.
    if (plan.flows[i].follows && plan.flows[i].options.keys != nullptr) flows_[i].may_fail = true;
    if (!plan.flows[i].follows) schedule(Instant{} + plan.flows[i].start, Action::Kind::kStart, i);
  }
}

void Traffic::host_starts(Instant now, size_t host, host::Host& stack) {
  const bool again = stacks_[host] != nullptr;
  stacks_[host] = &stack;
  for (size_t i = 0; i < flows_.size(); ++i) {
    Flow& flow = flows_[i];
    const bool over = flow_over(flow);
    for (End& end : flow.ends) {
      if (end.host != host || end.id == 0) continue;
      end.before_reboot = true;
      if (!end.over()) end.lost = true;
    }
    // Where segments are signed, what its earlier self left at a peer answers nothing to the OPEN
    // of the same pair: that ends with R2.
    const bool silent = plan_.flows[i].options.keys != nullptr;
    const bool here = flow.ends[0].host == host || flow.ends[1].host == host;
    // The last words of a flow that is over may be unheard.
    if (again && here && (flow.started || silent)) flow.may_fail = true;
    if (!again || !flow.started || over) continue;
    for (End& end : flow.ends) {
      // Even of one that was finished what was not acknowledged yet is lost.
      const End& peer = &end == &flow.ends[0] ? flow.ends[1] : flow.ends[0];
      if (end.host == host && (end.id != 0 || peer.established)) end.lost = true;
    }
  }
  for (size_t i = 0; i < listeners_.size(); ++i) {
    const ListenerPlan& plan = plan_.listeners[i];
    if (plan.host != host) continue;
    const host::OpenResult result = stack.open(
        now, {.local = {IpAddress{}, plan.port}, .backlog = plan.backlog, .options = plan.options});
    if (result.outcome != Outcome::kOk) checker_.violate("no listener: " + name(result.outcome));
    listeners_[i].id = result.id;
  }
}

// --------------------------------------------------------------------------------------- actions

void Traffic::schedule(Instant at, Action::Kind kind, size_t index, int end) {
  actions_.push({.at = at, .order = order_++, .kind = kind, .index = index, .end = end});
}

std::optional<Instant> Traffic::next_action() const {
  if (actions_.empty()) return std::nullopt;
  return actions_.top().at;
}

void Traffic::wake_at(Instant at, size_t index, int end) {
  End& who = flows_[index].ends[end];
  if (who.wakes <= at) return;
  who.wakes = at;
  schedule(at, Action::Kind::kAct, index, end);
}

void Traffic::act(Instant now, bool network_is_empty) {
  while (!actions_.empty() && actions_.top().at <= now) {
    const Action action = actions_.top();
    actions_.pop();
    perform(now, action, network_is_empty);
  }
  while (!awake_.empty() && !checker_.violated()) {
    const auto [index, end] = awake_.back();
    awake_.pop_back();
    flows_[index].ends[end].awake = false;
    act(now, index, end);
  }
}

void Traffic::perform(Instant now, const Action& action, bool network_is_empty) {
  if (abandoned_) return;
  switch (action.kind) {
    case Action::Kind::kStart:
      return start(now, action.index, network_is_empty);
    case Action::Kind::kAccept:
      listeners_[action.index].accepts = false;
      return accept(now, action.index);
    case Action::Kind::kAct: {
      End& who = flows_[action.index].ends[action.end];
      if (who.wakes != action.at) return;  // an earlier one took its place
      who.wakes = kNever;
      return act(now, action.index, action.end);
    }
  }
}

void Traffic::on_event(size_t host, const host::HostEvent& event) {
  using Kind = tcp::Event::Kind;
  const tcp::Event& what = event.event;
  if (what.kind == Kind::kAcceptable) {
    for (size_t i = 0; i < listeners_.size(); ++i) {
      if (plan_.listeners[i].host != host || listeners_[i].id != event.id) continue;
      if (std::exchange(listeners_[i].accepts, true)) continue;
      schedule(what.time + plan_.listeners[i].accept_delay, Action::Kind::kAccept, i);
    }
    return;
  }
  for (size_t i = 0; i < flows_.size(); ++i) {
    for (int end = 0; end < 2; ++end) {
      End& who = flows_[i].ends[end];
      if (who.host != host || who.id != event.id || who.before_reboot || who.failed()) continue;
      if (who.finished) {
        if (what.kind == Kind::kError) fail(i, end, what.outcome, "event after the end");
        continue;
      }
      if (what.kind == Kind::kStateChange && is_synchronized(what.to)) who.established = true;
      if (what.kind == Kind::kError) fail(i, end, what.outcome, "event");
      const bool listens = plan_.flows[i].users[end].poll.count() == 0;
      if (listens && !who.awake && what.kind != Kind::kDropped) {
        who.awake = true;
        awake_.emplace_back(i, end);
      }
    }
  }
}

// ------------------------------------------------------------------------------------------ opens

void Traffic::start(Instant now, size_t index, bool network_is_empty) {
  const FlowPlan& plan = plan_.flows[index];
  Flow& flow = flows_[index];
  if (plan.follows) {
    // Old duplicates are told from new segments by timestamps, or there are none.
    const bool safe = plan.options.timestamps &&
                      std::ranges::all_of(plan_.listeners, [](const ListenerPlan& listener) {
                        return listener.options.timestamps;
                      });
    if (!safe && !network_is_empty) {
      return schedule(now + 50ms, Action::Kind::kStart, index);
    }
  }
  if (!open(now, index, 0)) return schedule(now + 1s, Action::Kind::kStart, index);
  flow.started = true;
  if (plan.kind == FlowKind::kSimultaneous && !open(now, index, 1)) {
    checker_.violate("a simultaneous OPEN was refused");
  }
}

// False: not now.
bool Traffic::open(Instant now, size_t index, int end) {
  const FlowPlan& plan = plan_.flows[index];
  Flow& flow = flows_[index];
  End& who = flow.ends[end];
  const auto address = [&](size_t host) {
    return plan.v6 ? addresses_[host].v6 : addresses_[host].v4;
  };
  SocketAddress local = {IpAddress::any(address(who.host).family()), plan.client_port};
  SocketAddress remote = {address(plan.hosts[1]), plan.server_port};
  if (end == 1) {
    local.port = plan.server_port;
    remote = {address(plan.hosts[0]), plan.client_port};
  }
  host::OpenResult result;
  if (plan.kind == FlowKind::kListenerTurnsActive) {
    local.address = address(who.host);
    result = stack(who.host).open(now, {.local = local, .options = plan.options});
    if (result.outcome == Outcome::kOk) {
      result.outcome = stack(who.host).open_active(now, result.id, remote);
    }
  } else {
    result = stack(who.host).open(
        now, {.active = true, .local = local, .remote = remote, .options = plan.options});
  }
  if (result.outcome == Outcome::kSocketPairInTimeWait ||
      result.outcome == Outcome::kConnectionExists) {
    if (plan.follows) return false;
  }
  if (result.outcome != Outcome::kOk) {
    checker_.violate(absl::StrCat("OPEN of flow ", index, ": ", name(result.outcome)));
    return true;
  }
  who.id = result.id;
  const auto status = stack(who.host).status(now, who.id);
  if (!status.ok()) {
    checker_.violate("OPEN gave an unknown id");
    return true;
  }
  if (end == 0) {
    flow.tuple = {status->local, status->remote};
    flow.iss = status->iss;
  }
  wake_at(now, index, end);
  return true;
}

void Traffic::accept(Instant now, size_t index) {
  const size_t host = plan_.listeners[index].host;
  for (;;) {
    const host::OpenResult result = stack(host).accept(now, listeners_[index].id);
    if (result.outcome == Outcome::kWouldBlock) return;
    if (result.outcome != Outcome::kOk) {
      return checker_.violate("ACCEPT: " + name(result.outcome));
    }
    if (!take(now, index, result.id)) {
      return checker_.violate(absl::StrCat("ACCEPT gave connection ", result.id, " of host ", host,
                                           " which nobody opened"));
    }
  }
}

// Whose is this connection? The client's ISS tells incarnations of the same sockets apart.
bool Traffic::take(Instant now, size_t listener, ConnectionId id) {
  const size_t host = plan_.listeners[listener].host;
  const auto status = stack(host).status(now, id);
  if (!status.ok()) return false;
  for (size_t i = 0; i < flows_.size(); ++i) {
    Flow& flow = flows_[i];
    if (!flow.started || plan_.flows[i].kind == FlowKind::kSimultaneous) continue;
    if (flow.ends[1].host != host ||
        flow.tuple != packet::FourTuple{status->remote, status->local}) {
      continue;
    }
    // A TIME-WAIT in its small form no longer knows the ISS.
    if (flow.iss != status->irs) continue;
    if (flow.ends[1].id != 0) {
      // The SYN came twice, and its Fast Open cookie was good twice (RFC 7413 §2.1); or what was
      // still on its way was good for a SYN cookie again.
      const End& first = flow.ends[1];
      const auto was = stack(host).status(now, first.id);
      const bool gone = first.over() || (was.ok() && was->state == tcp::State::kClosed);
      if (!gone && !plan_.listeners[listener].options.fast_open) return false;
      (void)stack(host).abort(now, id);
      return true;
    }
    flow.ends[1].id = id;
    flow.ends[1].established = true;
    act(now, i, 1);
    return true;
  }
  return false;
}

// ------------------------------------------------------------------------------- one user's turn

void Traffic::act(Instant now, size_t index, int end) {
  const UserPlan& plan = plan_.flows[index].users[end];
  End& who = flows_[index].ends[end];
  if (who.id == 0 || who.over()) return;
  if (plan.poll.count() != 0) wake_at(now + plan.poll, index, end);
  if (plan.gives_up_after && who.established &&
      who.submitted + who.received >= *plan.gives_up_after) {
    return give_up(now, index, end);
  }
  write(now, index, end);
  if (!who.over()) read(now, index, end);
  if (!who.over()) maybe_close(now, index, end);
  if (!who.over() && plan.changes_options && who.established &&
      who.received + who.submitted > 1000) {
    change_options(now, index, end);
  }
  if (who.closed && who.end_of_stream && !who.over()) finish(now, index, end);
}

void Traffic::write(Instant now, size_t index, int end) {
  const UserPlan& plan = plan_.flows[index].users[end];
  End& who = flows_[index].ends[end];
  if (!who.established && !plan.send_early) return;
  while (who.submitted < plan.bytes) {
    if (now < who.may_write) return wake_at(who.may_write, index, end);
    const size_t size =
        std::min<uint64_t>({plan.write_chunk, plan.bytes - who.submitted, kLargestChunk});
    const auto chunk = std::span(scratch_).first(size);
    write_content(key(index, end), who.submitted, chunk);
    const bool urgent = choices_.permille(plan.urgent);
    const host::SendResult result = stack(who.host).send(now, who.id, chunk, plan.push, urgent);
    if (result.outcome == Outcome::kWouldBlock) return;
    if (result.outcome != Outcome::kOk) return fail(index, end, result.outcome, "SEND");
    if (result.accepted > size) return checker_.violate("SEND took more than it was given");
    who.submitted += result.accepted;
    if (urgent && result.accepted == size) who.urgent_end = who.submitted;
    who.may_write = now + plan.write_interval;
    if (result.accepted < size) return;
  }
}

void Traffic::read(Instant now, size_t index, int end) {
  const UserPlan& plan = plan_.flows[index].users[end];
  Flow& flow = flows_[index];
  End& who = flow.ends[end];
  while (!who.end_of_stream) {
    if (now < who.may_read) return wake_at(who.may_read, index, end);
    const auto buffer = std::span(scratch_).first(std::min<size_t>(plan.read_chunk, kLargestChunk));
    const host::ReceiveResult result = stack(who.host).receive(now, who.id, buffer);
    if (result.outcome == Outcome::kWouldBlock) return;
    if (result.outcome == Outcome::kEndOfStream) return reach_end_of_stream(index, end);
    if (result.outcome != Outcome::kOk) return fail(index, end, result.outcome, "RECEIVE");
    verify(flow, index, end, buffer.first(result.received));
    if (checker_.violated()) return;
    if (result.urgent && flow.ends[1 - end].urgent_end <= who.received) {
      return checker_.violate(
          absl::StrCat("flow ", index, " end ", end, " reads urgent data where none was sent"));
    }
    who.received += result.received;
    bytes_delivered_ += result.received;
    who.may_read = now + plan.read_interval;
  }
}

void Traffic::verify(const Flow& flow, size_t index, int end, std::span<const uint8_t> octets) {
  const End& who = flow.ends[end];
  const auto about = [&] {
    return absl::StrCat("flow ", index, " end ", end, " (host ", who.host, " connection ", who.id,
                        ") at ", who.received, ": ");
  };
  if (octets.empty()) return checker_.violate(about() + "RECEIVE gave nothing, and said OK");
  if (who.received + octets.size() > flow.ends[1 - end].submitted) {
    return checker_.violate(about() + absl::StrCat("got ", octets.size(), " octets but only ",
                                                   flow.ends[1 - end].submitted, " were sent"));
  }
  const auto expected = std::span(expected_).first(octets.size());
  write_content(key(index, 1 - end), who.received, expected);
  const auto wrong = std::ranges::mismatch(octets, expected);
  if (wrong.in1 != octets.end()) {
    checker_.violate(about() + absl::StrCat("octet ", wrong.in1 - octets.begin(), " of ",
                                            octets.size(), " is wrong"));
  }
}

void Traffic::reach_end_of_stream(size_t index, int end) {
  End& who = flows_[index].ends[end];
  const End& peer = flows_[index].ends[1 - end];
  who.end_of_stream = true;
  if (!(peer.closed || peer.lost) || who.received != peer.submitted) {
    checker_.violate(absl::StrCat("flow ", index, " end ", end, ": end of stream at ", who.received,
                                  " of ", peer.submitted, " octets",
                                  peer.closed ? "" : ", the peer has not closed"));
  }
}

void Traffic::give_up(Instant now, size_t index, int end) {
  End& who = flows_[index].ends[end];
  const bool release = plan_.flows[index].users[end].gives_up_by_release;
  who.lost = true;
  const Outcome outcome =
      release ? stack(who.host).release(now, who.id) : stack(who.host).abort(now, who.id);
  if (outcome != Outcome::kOk && release) {
    checker_.violate("release: " + name(outcome));
  }
}

void Traffic::change_options(Instant now, size_t index, int end) {
  End& who = flows_[index].ends[end];
  if (std::exchange(who.options_changed, true)) return;
  checker_.options_changed(now, who.host, who.id);
  auto options = stack(who.host).options(who.id);
  if (!options.ok()) return;
  options->no_delay = !options->no_delay;
  // Not tiny: what is left to send was measured by the buffers of the start.
  options->send_buffer_bytes = static_cast<uint32_t>(10'000 + choices_.scale(300'000));
  options->receive_buffer_bytes = static_cast<uint32_t>(10'000 + choices_.scale(300'000));
  options->congestion_control = choices_.pick<tcp::CongestionAlgorithm>(
      {tcp::CongestionAlgorithm::kReno, tcp::CongestionAlgorithm::kCubic});
  const absl::Status status = stack(who.host).set_options(now, who.id, *options);
  if (!status.ok()) checker_.violate("set_options: " + std::string(status.message()));
  checker_.options_changed(now, who.host, who.id);
}

void Traffic::maybe_close(Instant now, size_t index, int end) {
  const UserPlan& plan = plan_.flows[index].users[end];
  End& who = flows_[index].ends[end];
  if (who.closed || who.submitted != plan.bytes) return;
  // CLOSE before ESTABLISHED would delete an embryonic connection (§3.10.4).
  if (!who.established || (plan.close_last && !who.end_of_stream)) return;
  if (plan.close_delay.count() != 0 && !who.close_is_scheduled) {
    who.close_is_scheduled = true;
    who.may_write = now + plan.close_delay;
  }
  if (now < who.may_write) return wake_at(who.may_write, index, end);
  const Outcome outcome = stack(who.host).close(now, who.id);
  who.closed = true;
  if (outcome != Outcome::kOk) fail(index, end, outcome, "CLOSE");
}

void Traffic::finish(Instant now, size_t index, int end) {
  End& who = flows_[index].ends[end];
  who.finished = true;
  if (plan_.flows[index].users[end].release) {
    const Outcome outcome = stack(who.host).release(now, who.id);
    if (outcome != Outcome::kOk) checker_.violate("release at the end: " + name(outcome));
  }
  if (!flows_[index].ends[1 - end].finished) return;
  ++connections_done_;
  for (size_t i = 0; i < flows_.size(); ++i) {
    if (plan_.flows[i].follows == index) {
      schedule(now + plan_.flows[i].start, Action::Kind::kStart, i);
    }
  }
}

void Traffic::fail(size_t index, int end, Outcome outcome, std::string_view during) {
  Flow& flow = flows_[index];
  End& who = flow.ends[end];
  if (who.failed()) return;
  who.error = outcome;
  if (flow.may_fail || plan_.users_may_lose) {
    flow.may_fail = true;
    return;
  }
  checker_.violate(absl::StrCat("flow ", index, " end ", end, " (host ", who.host, " connection ",
                                who.id, ") failed without reason: ", name(outcome), " in ",
                                std::string(during), " after ", who.submitted, " octets out, ",
                                who.received, " in"));
}

// ---------------------------------------------------------------------------------------- the end

bool Traffic::end_over(const Flow& flow, int end) const {
  // One that was never born, or whose peer is gone, may wait for ever.
  return flow.ends[end].over() || flow.ends[1 - end].failed();
}

bool Traffic::flow_over(const Flow& flow) const {
  return end_over(flow, 0) && end_over(flow, 1);
}

bool Traffic::over() const {
  for (size_t i = 0; i < flows_.size(); ++i) {
    const Flow& flow = flows_[i];
    if (plan_.flows[i].follows && !flow.started) {
      // It never will, or it is about to.
      const Flow& before = flows_[*plan_.flows[i].follows];
      if (before.ends[0].finished && before.ends[1].finished) return false;
      continue;
    }
    if (!flow.started || !flow_over(flow)) return false;
  }
  return true;
}

bool Traffic::settled() const {
  return std::ranges::all_of(flows_, [](const Flow& flow) {
    return std::ranges::all_of(flow.ends, [](const End& end) { return end.over() || end.id == 0; });
  });
}

void Traffic::abandon(Instant now) {
  abandoned_ = true;
  for (Flow& flow : flows_) {
    for (End& end : flow.ends) {
      if (end.id == 0 || end.over()) continue;
      end.lost = true;
      (void)stack(end.host).abort(now, end.id);
    }
  }
  for (size_t i = 0; i < listeners_.size(); ++i) {
    const Outcome outcome = stack(plan_.listeners[i].host).close(now, listeners_[i].id);
    if (outcome != Outcome::kOk) checker_.violate("CLOSE of a listener: " + name(outcome));
  }
}

std::optional<Traffic::Victim> Traffic::victim() {
  std::vector<Victim> victims;
  for (const Flow& flow : flows_) {
    if (!flow.ends[0].established || !flow.ends[1].established) continue;
    victims.push_back({.host = flow.ends[0].host, .id = flow.ends[0].id, .tuple = flow.tuple});
    victims.push_back(
        {.host = flow.ends[1].host, .id = flow.ends[1].id, .tuple = flow.tuple.reversed()});
  }
  if (victims.empty()) return std::nullopt;
  return victims[choices_.below(victims.size())];
}

std::string Traffic::describe(Instant now) const {
  std::string text;
  for (size_t i = 0; i < flows_.size(); ++i) {
    for (int end = 0; end < 2; ++end) {
      const End& who = flows_[i].ends[end];
      absl::StrAppend(&text, "  flow ", i, " end ", end, " host ", who.host, " connection ", who.id,
                      ": out ", who.submitted, "/", plan_.flows[i].users[end].bytes, " in ",
                      who.received, who.closed ? " closed" : "",
                      who.end_of_stream ? " end-of-stream" : "", who.finished ? " finished" : "",
                      who.lost ? " lost" : "", who.error ? " " + name(*who.error) : "");
      if (who.id != 0 && !who.over()) {
        const auto status = stacks_[who.host]->status(now, who.id);
        if (status.ok()) absl::StrAppend(&text, "; ", sim::describe(*status));
      }
      absl::StrAppend(&text, "\n");
    }
  }
  return text;
}

}  // namespace tcproctor::sim
