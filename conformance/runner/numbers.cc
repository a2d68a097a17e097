// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/numbers.h"

#include "conformance/runner/seed.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// What only grows, modulo 2^32.
void advance(std::optional<uint32_t>& number, uint32_t to) {
  if (!number.has_value() || static_cast<int32_t>(to - *number) > 0) number = to;
}

void learn_variables(FlowSide& side, const FlowSide& peer, const v1::Segment& segment) {
  const v1::TcpHeader& tcp = segment.tcp();
  if ((tcp.flags() & kRst) != 0) return;
  const bool syn = (tcp.flags() & kSyn) != 0;
  const auto length = static_cast<uint32_t>(segment.payload().size()) + (syn ? 1 : 0) +
                      ((tcp.flags() & kFin) != 0 ? 1 : 0);
  advance(side.snd_nxt, tcp.sequence_number() + length);
  if ((tcp.flags() & kAck) == 0) return;
  const bool scaled = !syn && side.window_shift.has_value() && peer.window_shift.has_value();
  const uint32_t shift = scaled ? std::min(*side.window_shift, 14U) : 0;
  advance(side.rcv_nxt, tcp.acknowledgment_number());
  // The newest offer counts: a window may shrink.
  side.rcv_edge = tcp.acknowledgment_number() + (tcp.window() << shift);
}

}  // namespace

char stream_octet(v1::End end, int64_t place) {
  const uint64_t word = mix(static_cast<uint64_t>(place >> 3) * 2 + (end == v1::END_A ? 0 : 1));
  return static_cast<char>(word >> (8 * (place & 7)));
}

std::string source_address(const v1::Segment& segment) {
  return segment.has_ipv6() ? segment.ipv6().source() : segment.ipv4().source();
}

std::string destination_address(const v1::Segment& segment) {
  return segment.has_ipv6() ? segment.ipv6().destination() : segment.ipv4().destination();
}

uint32_t Flow::absolute(v1::End end, const Number& number) const {
  auto value = static_cast<uint32_t>(number.value);
  for (const Variable one : number.variables) value += variable(one);
  return number.absolute || !number.variables.empty() ? value : isn(end) + value;
}

uint32_t Flow::variable(Variable variable) const {
  const FlowSide& real = side(side(v1::END_A).scripted ? v1::END_B : v1::END_A);
  switch (variable) {
    case Variable::kSndNxt:
      return real.snd_nxt.value_or(0);
    case Variable::kRcvNxt:
      return real.rcv_nxt.value_or(0);
    case Variable::kRcvWnd:
      break;
  }
  return real.rcv_edge.value_or(0) - real.rcv_nxt.value_or(0);
}

int64_t Flow::relative(v1::End end, uint32_t sequence) const {
  // An unknown ISN is 0 and the number is shown as it is, never as a negative one.
  if (!side(end).isn.has_value()) return sequence;
  return static_cast<int32_t>(sequence - isn(end));
}

absl::StatusOr<std::string> Flow::octets(v1::End end, int64_t place, size_t length) const {
  const FlowSide& sender = side(end);
  std::string out;
  out.reserve(length);
  if (!sender.scripted) {
    if (place < 0 || static_cast<size_t>(place) + length > sender.sent.size()) {
      return absl::OutOfRangeError(
          cat("the case speaks of octets ", place + 1, " to ", place + static_cast<int64_t>(length),
              " of end ", end_name(end), " but SEND handed ", sender.sent.size(), " over"));
    }
    return sender.sent.substr(static_cast<size_t>(place), length);
  }
  for (size_t i = 0; i < length; ++i) {
    const int64_t at = place + static_cast<int64_t>(i);
    const auto found = sender.crafted.find(at);
    out += found != sender.crafted.end() ? found->second : stream_octet(end, at);
  }
  return out;
}

std::string Flow::next_octets(v1::End end, size_t length) const {
  std::string out;
  const auto start = static_cast<int64_t>(side(end).sent.size());
  for (size_t i = 0; i < length; ++i) {
    out += stream_octet(end, start + static_cast<int64_t>(i));
  }
  return out;
}

bool Flow::owns(const v1::LogEntry& entry) const {
  if (!entry.segment().has_tcp()) return false;
  const FlowSide& from = side(entry.from());
  const FlowSide& to = side(other(entry.from()));
  const v1::TcpHeader& tcp = entry.segment().tcp();
  return tcp.source_port() == from.address.port() && tcp.destination_port() == to.address.port() &&
         source_address(entry.segment()) == from.address.address() &&
         destination_address(entry.segment()) == to.address.address();
}

bool Flow::owns(const v1::ConnectionStatus& status) const {
  const FlowSide& mine = side(status.end());
  const FlowSide& peer = side(other(status.end()));
  return status.pair().local().port() == mine.address.port() &&
         status.pair().remote().port() == peer.address.port() &&
         status.pair().remote().address() == peer.address.address();
}

Flow& Flows::define(const std::string& name, const v1::SocketAddress& a, const v1::SocketAddress& b,
                    bool a_scripted, bool b_scripted, uint64_t log_position) {
  Flow& flow = flows_[name];
  flow = Flow{};
  flow.name = name;
  flow.side(v1::END_A).address = a;
  flow.side(v1::END_B).address = b;
  flow.side(v1::END_A).scripted = a_scripted;
  flow.side(v1::END_B).scripted = b_scripted;
  for (const v1::End end : kEnds) forget(flow, end, log_position);
  return flow;
}

Flow* Flows::find(const std::string& name) {
  const auto found = flows_.find(name);
  return found == flows_.end() ? nullptr : &found->second;
}

Flow* Flows::owner(const v1::LogEntry& entry) {
  for (auto& [name, flow] : flows_) {
    if (flow.owns(entry)) return &flow;
  }
  return nullptr;
}

Flow* Flows::owner(const v1::FourTuple& pair, v1::End end) {
  v1::ConnectionStatus status;
  *status.mutable_pair() = pair;
  status.set_end(end);
  for (auto& [name, flow] : flows_) {
    if (flow.owns(status)) return &flow;
  }
  return nullptr;
}

std::vector<Flow*> Flows::all() {
  std::vector<Flow*> out;
  for (auto& [name, flow] : flows_) out.push_back(&flow);
  return out;
}

void Flows::forget(Flow& flow, v1::End end, uint64_t log_position) {
  FlowSide& side = flow.side(end);
  ++side.incarnation;
  side.isn.reset();
  side.forgotten_up_to = log_position;
  side.sent.clear();
  side.crafted.clear();
  side.last_timestamp.reset();
  side.taken_timestamp.reset();
  side.snd_nxt.reset();
  side.rcv_nxt.reset();
  side.rcv_edge.reset();
  side.window_shift.reset();
  // What the other user has read of it is of the old stream.
  flow.side(other(end)).received = 0;
  if (!side.scripted) return;
  const auto fixed = fixed_.find(end);
  side.isn = fixed != fixed_.end()
                 ? fixed->second
                 : static_cast<uint32_t>(derive_seed(
                       seed_, cat(flow.name, "/", end_name(end), "/", side.incarnation)));
}

void Flows::learn(const v1::LogEntry& entry) {
  Flow* flow = owner(entry);
  if (flow == nullptr) return;
  FlowSide& side = flow->side(entry.from());
  const v1::TcpHeader& tcp = entry.segment().tcp();
  if (entry.number() <= side.forgotten_up_to) return;
  const bool own = entry.origin() == v1::ORIGIN_END;
  if (own && !side.isn.has_value() && (tcp.flags() & kSyn) != 0) side.isn = tcp.sequence_number();
  for (const v1::TcpOption& option : tcp.options()) {
    if (own && !option.fast_open_cookie().empty()) newest_cookie_ = option.fast_open_cookie();
    if (option.has_timestamps()) side.last_timestamp = option.timestamps().value();
    if (option.has_window_scale() && (tcp.flags() & kSyn) != 0) {
      side.window_shift = option.window_scale().shift();
    }
  }
}

void Flow::take(const v1::LogEntry& entry) {
  for (const v1::TcpOption& option : entry.segment().tcp().options()) {
    if (option.has_timestamps()) {
      side(entry.from()).taken_timestamp = option.timestamps().value();
    }
  }
  learn_variables(side(entry.from()), side(other(entry.from())), entry.segment());
}

}  // namespace tcproctor::conformance
