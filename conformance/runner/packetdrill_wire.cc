// SPDX-License-Identifier: Apache-2.0
// Packets: which socket they belong to, the script's numbers and those on the wire, what is sent
// and what is awaited.
#include <algorithm>
#include <utility>

#include "conformance/runner/logged_segment.h"
#include "conformance/runner/packetdrill_stage.h"
#include "conformance/runner/packetdrill_values.h"
#include "conformance/runner/segments.h"
#include "conformance/script/flags.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// How much longer than needed a packet is waited for, so that one that is late can be told from one
// that does not come.
constexpr absl::Duration kGrace = absl::Milliseconds(500);
// So long nothing comes behind the last line, where that is looked at.
constexpr absl::Duration kSilence = absl::Milliseconds(100);
// What fits into a packet of Ethernet's size with every option that there is room for.
constexpr size_t kMostPayload = 1400;
// For an outbound packet at any time.
constexpr absl::Duration kAnyTime = absl::Minutes(1);

v1::SocketAddress address(std::string_view text, uint32_t port) {
  v1::SocketAddress made;
  made.set_address(std::string(text.substr(0, text.find('/'))));
  made.set_port(port);
  return made;
}

}  // namespace

PacketdrillStage::Socket& PacketdrillStage::add_socket(Socket::State state) {
  Socket& socket = sockets_.emplace_back();
  reset(socket, state);
  under_test_ = &socket;
  return socket;
}

void PacketdrillStage::reset(Socket& socket, Socket::State state) const {
  socket = Socket();
  socket.state = state;
  socket.flow.name = "main";
  FlowSide& remote = socket.flow.side(v1::END_A);
  FlowSide& local = socket.flow.side(v1::END_B);
  remote.address = address(session().a().addresses(0), kPort);
  local.address = address(session().b().addresses(0), kPort);
  remote.scripted = true;
  local.cursor = cursor_;
}

// What a SYN from an unknown port may be too: a retransmission of another socket's.
bool PacketdrillStage::is_of_another(const Socket& socket, const v1::LogEntry& entry) const {
  return std::any_of(sockets_.begin(), sockets_.end(), [&](const Socket& other) {
    const FlowSide& local = other.flow.side(v1::END_B);
    return &other != &socket && local.isn.has_value() && other.flow.owns(entry);
  });
}

// The packet with the numbers that build_segment() counts from: of a SYN they are the script's own,
// of all others they are relative already.
absl::StatusOr<Packet> PacketdrillStage::to_wire(Socket& socket, const Packet& packet) {
  Packet wire = packet;
  if (auto* icmp = std::get_if<IcmpPacket>(&wire.body)) {
    const auto [kind, code] = split_once(icmp->name, ' ');
    const std::string defined = definition(code);
    icmp->name = std::string(own_icmp_name(defined.empty() ? icmp->name : cat(kind, " ", defined)));
    // packetdrill quotes by number, counted from the ISN.
    if (!icmp->quoted_sequence.has_value()) icmp->quoted_sequence = Number{};
    return wire;
  }
  auto& tcp = std::get<TcpPacket>(wire.body);
  if (is_syn(tcp)) {
    tcp.sequence.value -= socket.script_isn_a;
    if (tcp.acknowledgment.has_value()) tcp.acknowledgment->value -= socket.script_isn_b;
  }
  for (Option& option : tcp.options.list) {
    if (!option.symbol.empty()) option.data = from_hex(definition(option.symbol));
    if (option.kind != Option::Kind::kTimestamps || (tcp.flags & kAck) == 0) continue;
    const auto echoed = static_cast<uint32_t>(option.echo.value);
    const auto known = socket.timestamps.find(echoed);
    if (known != socket.timestamps.end()) {
      option.echo.value = known->second;
    } else if (socket.first_timestamp.has_value() && has_flag("tcp_ts_ecr_scaled")) {
      option.echo.value = static_cast<uint32_t>(echoed - socket.first_timestamp->first +
                                                socket.first_timestamp->second);
    } else {
      return absl::InvalidArgumentError(
          cat("no outbound packet had TS val ", echoed, ", which this one echoes"));
    }
  }
  return wire;
}

Result PacketdrillStage::inject(const Packet& packet) {
  const auto* tcp = std::get_if<TcpPacket>(&packet.body);
  using State = Socket::State;
  if (tcp != nullptr && (under_test_ == nullptr || under_test_->state == State::kListening)) {
    Socket& socket = add_socket(State::kSynReceived);
    socket.flow.side(v1::END_A).address.set_port(next_port_++);
    socket.script_isn_a = static_cast<uint32_t>(tcp->sequence.value);
    socket.flow.side(v1::END_A).isn = socket.script_isn_a;
  }
  if (under_test_ == nullptr) return broken("no socket that the packet could belong to");
  Socket& socket = *under_test_;
  if (tcp != nullptr && is_syn(*tcp) && socket.state == State::kSynSent) {
    // The ISN of the script's server. A simultaneous open has it too.
    socket.script_isn_a = static_cast<uint32_t>(tcp->sequence.value);
    socket.flow.side(v1::END_A).isn = socket.script_isn_a;
    if ((tcp->flags & kAck) != 0) socket.state = State::kOther;
  }
  if (tcp != nullptr && (tcp->flags & kUrg) != 0) socket.in_line = false;
  absl::StatusOr<Packet> wire = to_wire(socket, packet);
  if (!wire.ok()) return broken(std::string(wire.status().message()));
  absl::StatusOr<v1::Segment> segment = build_segment(socket.flow, v1::END_A, *wire, 0);
  if (!segment.ok()) return broken(std::string(segment.status().message()));
  v1::Command command;
  command.mutable_inject()->set_session(session().id());
  command.mutable_inject()->set_from(v1::END_A);
  add_to_train(*std::move(segment), *command.mutable_inject());
  spare_acks_ += static_cast<uint32_t>(command.inject().train_size()) - 1;
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  return report.ok() ? Result() : Result(refused(report.status()));
}

// Linux takes any size from such a device, with --mss as segments of that size that were received
// together. To another TCP goes what its link carries.
void PacketdrillStage::add_to_train(v1::Segment segment, v1::InjectRequest& request) const {
  const uint32_t mss = flag_number("mss", 0);
  const size_t length = segment.payload().size();
  if (linux_layout()) {
    if (mss > 0 && segment.has_tcp() && length > mss) request.add_train()->set_gso_size(mss);
    if (request.train().empty()) request.add_train();
    *request.mutable_train()->rbegin()->mutable_segment() = std::move(segment);
    return;
  }
  const size_t most = mss > 0 ? std::min<size_t>(mss, kMostPayload) : kMostPayload;
  const uint32_t flags = segment.tcp().flags();
  size_t offset = 0;
  do {
    v1::Segment& part = *request.add_train()->mutable_segment();
    part = segment;
    if (!segment.has_tcp() || length <= most) return;
    const bool last = offset + most >= length;
    part.set_payload(segment.payload().substr(offset, most));
    part.mutable_tcp()->set_sequence_number(segment.tcp().sequence_number() +
                                            static_cast<uint32_t>(offset));
    uint32_t kept = last ? flags : flags & ~(kFin | kPsh);
    if (offset > 0) kept &= ~kCwr;
    part.mutable_tcp()->set_flags(kept);
    offset += most;
  } while (offset < length);
}

// The next segment of the socket under test; what others send is passed over.
absl::StatusOr<std::optional<v1::LogEntry>> PacketdrillStage::next_segment(
    Socket& socket, absl::Duration deadline) {
  v1::Command command;
  v1::ExpectRequest& request = *command.mutable_expect();
  request.set_session(session().id());
  request.set_from(v1::END_B);
  request.set_mode(v1::EXPECT_MODE_SKIP);
  request.set_after(cursor_);
  to_proto(std::max(deadline - drive_->now(), absl::ZeroDuration()), *request.mutable_timeout());
  v1::SegmentPattern& pattern = *request.mutable_pattern();
  pattern = flow_pattern(socket.flow, v1::END_B);
  if (socket.state == Socket::State::kSynSent && !socket.flow.side(v1::END_B).isn.has_value()) {
    // The port of a socket that connects is known from its SYN.
    pattern.mutable_fields()->mutable_tcp()->clear_source_port();
    pattern.mutable_fields()->mutable_tcp()->set_flags(kSyn);
    pattern.set_flags_mask(kSyn);
  }
  absl::StatusOr<v1::Report> report = drive_->call(command);
  while (report.ok() && report->expect().result() == v1::ExpectResponse::RESULT_MATCHED) {
    cursor_ = report->expect().entry().number();
    if (!is_of_another(socket, report->expect().entry())) return report->expect().entry();
    command.mutable_expect()->set_after(cursor_);
    to_proto(std::max(deadline - drive_->now(), absl::ZeroDuration()),
             *command.mutable_expect()->mutable_timeout());
    report = drive_->call(command);
  }
  if (!report.ok()) return report.status();
  return std::nullopt;
}

std::string PacketdrillStage::describe(const Socket& socket,
                                       const std::vector<v1::LogEntry>& parts) {
  return join(parts, ", ", [&](std::string& out, const v1::LogEntry& part) {
    append(out, describe_segment(&socket.flow, part));
  });
}

Problem PacketdrillStage::mismatch(const Packet& packet, Socket& socket,
                                   const std::vector<v1::LogEntry>& parts,
                                   std::vector<std::string> differences) {
  Problem problem =
      violation("another packet came than expected", {print_foreign_packet(packet)},
                describe(socket, parts), parts.back().number(), std::move(differences));
  problem.came_at = from_proto(parts.back().time());
  return problem;
}

Result PacketdrillStage::check_time(const Moment& moment, const v1::LogEntry& entry) {
  if (!moment.tolerance.has_value()) return {};
  const absl::Duration time = from_proto(entry.time());
  const bool early = time < moment.earliest - *moment.tolerance;
  if (!early && time <= moment.latest + *moment.tolerance) return {};
  const auto relative = [&](absl::Duration at) { return print_seconds(at - start_); };
  Problem problem =
      violation(early ? "the packet came too early" : "the packet came too late",
                {cat("at ", relative(moment.earliest),
                     moment.latest > moment.earliest ? cat("~", relative(moment.latest)) : "",
                     " s, within ", print_seconds(*moment.tolerance), " s")},
                cat("at ", relative(time), " s"), entry.number());
  problem.missed_by = early ? moment.earliest - time : time - moment.latest;
  return problem;
}

// An ACK of one of the pieces that a packet was cut into, while another packet is awaited.
bool PacketdrillStage::passes_over(const v1::LogEntry& entry) {
  constexpr uint32_t kOther = kSyn | kFin | kRst | kPsh | kUrg;
  const uint32_t flags = entry.segment().tcp().flags();
  if (spare_acks_ == 0 || payload_length(entry) > 0 || (flags & kOther) != 0) return false;
  --spare_acks_;
  return true;
}

// What a SYN tells of the socket's own side.
void PacketdrillStage::note_awaited_syn(Socket& socket, const TcpPacket& packet) {
  if (!is_syn(packet)) return;
  const bool opens = (packet.flags & kAck) == 0;
  const bool first = opens ? socket.state == Socket::State::kConnecting
                           : !socket.flow.side(v1::END_B).isn.has_value();
  if (!first) return;
  if (opens) socket.state = Socket::State::kSynSent;
  socket.script_isn_b = static_cast<uint32_t>(packet.sequence.value);
}

// Successive segments until they are as long as the packet. A problem: they did not come.
Result PacketdrillStage::collect(Socket& socket, const Packet& packet, absl::Duration deadline,
                                 std::vector<v1::LogEntry>& parts) {
  FlowSide& local = socket.flow.side(v1::END_B);
  const uint32_t wanted = std::get<TcpPacket>(packet.body).length.value_or(0);
  uint32_t got = 0;
  do {
    const absl::StatusOr<std::optional<v1::LogEntry>> entry = next_segment(socket, deadline);
    if (!entry.ok()) return refused(entry.status());
    if (!entry->has_value()) {
      return violation(parts.empty() ? "no packet came" : "the rest of the packet did not come",
                       {print_foreign_packet(packet)},
                       cat("nothing until ", print_seconds(deadline - start_), " s",
                           parts.empty() ? "" : ", after ", describe(socket, parts)));
    }
    const v1::LogEntry& segment = **entry;
    if (wanted > 0 && parts.empty() && passes_over(segment)) continue;
    const v1::TcpHeader& header = segment.segment().tcp();
    if ((header.flags() & kSyn) != 0 && !local.isn.has_value()) {
      local.isn = header.sequence_number();
      local.address.set_port(header.source_port());
    }
    parts.push_back(segment);
    got += payload_length(segment);
    now_ = std::max(now_, from_proto(segment.time()));
  } while (parts.empty() || (got < wanted && !has_flag("strict_segments") &&
                             (parts.back().segment().tcp().flags() & kRst) == 0));
  return {};
}

Result PacketdrillStage::expect(const Statement& statement, const Packet& packet) {
  const auto* tcp = std::get_if<TcpPacket>(&packet.body);
  if (tcp == nullptr) return missing("awaiting ICMP messages");
  if (under_test_ == nullptr) return broken("no socket that the packet could come from");
  Socket& socket = *under_test_;
  note_awaited_syn(socket, *tcp);
  const Moment moment = moment_of(statement);
  const absl::Duration deadline = moment.tolerance.has_value()
                                      ? moment.latest + *moment.tolerance + kGrace
                                      : drive_->now() + kAnyTime;
  Result passed_over;
  while (true) {
    std::vector<v1::LogEntry> parts;
    Result lacking = collect(socket, packet, deadline, parts);
    if (lacking.has_value()) return passed_over.has_value() ? passed_over : lacking;
    std::vector<std::string> wrong = differences(socket, packet, parts);
    if (wrong.empty()) return check_time(moment, parts.back());
    Problem problem = mismatch(packet, socket, parts, std::move(wrong));
    if (parts.size() > 1 || !passes_over(parts.front())) return problem;
    passed_over = std::move(problem);
  }
}

// Behind the last line.
Result PacketdrillStage::silence() {
  if (under_test_ == nullptr) return {};
  const absl::Duration end = drive_->now() + kSilence;
  absl::StatusOr<std::optional<v1::LogEntry>> entry = next_segment(*under_test_, end);
  while (entry.ok() && entry->has_value() && passes_over(**entry)) {
    entry = next_segment(*under_test_, end);
  }
  if (!entry.ok()) return refused(entry.status());
  if (!entry->has_value()) return {};
  Problem problem =
      violation("a packet that no line awaits", {cat("nothing for ", print_duration(kSilence))},
                describe_segment(&under_test_->flow, **entry), (*entry)->number());
  problem.came_at = from_proto((*entry)->time());
  return problem;
}

}  // namespace tcproctor::conformance
