// SPDX-License-Identifier: Apache-2.0
// Packets: which socket they belong to, the script's numbers and those on the wire, and what makes
// an outbound one right. The payload and the checksums are looked at too, which packetdrill does
// not.
#include <algorithm>
#include <utility>

#include "conformance/runner/packetdrill_stage.h"
#include "conformance/runner/segments.h"
#include "conformance/script/flags.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr uint32_t kUrg = 0x20;
constexpr uint32_t kCwr = 0x80;
// How much longer than needed a packet is waited for, so that one that is late can be told from one
// that does not come.
constexpr absl::Duration kGrace = absl::Milliseconds(500);
// So long nothing comes behind the last line, where that is looked at.
constexpr absl::Duration kSilence = absl::Milliseconds(100);
// What fits into a packet of Ethernet's size with every option that there is room for.
constexpr size_t kMostPayload = 1400;
// For an outbound packet at any time.
constexpr absl::Duration kAnyTime = absl::Minutes(1);

bool is_syn(const TcpPacket& packet) {
  return (packet.flags & kSyn) != 0;
}

v1::SocketAddress address(std::string_view text, uint32_t port) {
  v1::SocketAddress made;
  made.set_address(std::string(text.substr(0, text.find('/'))));
  made.set_port(port);
  return made;
}

const RawField* field(const Packet& packet, std::string_view key) {
  for (const RawField& one : packet.fields) {
    if (one.key == key) return &one;
  }
  return nullptr;
}

const v1::Timestamps* timestamps_of(const v1::TcpHeader& tcp) {
  for (const v1::TcpOption& option : tcp.options()) {
    if (option.has_timestamps()) return &option.timestamps();
  }
  return nullptr;
}

uint32_t payload_length(const v1::LogEntry& entry) {
  return static_cast<uint32_t>(entry.segment().payload().size());
}

// What a TCP other than Linux may choose: the order, the padding, its own MSS and scale.
std::vector<v1::TcpOption> without_layout(const std::vector<v1::TcpOption>& options) {
  std::vector<v1::TcpOption> kept;
  for (v1::TcpOption option : options) {
    if (option.no_operation() || option.end_of_options()) continue;
    if (option.has_mss()) option.mutable_mss()->clear_octets();
    if (option.has_window_scale()) option.mutable_window_scale()->clear_shift();
    kept.push_back(std::move(option));
  }
  std::sort(kept.begin(), kept.end(), [](const v1::TcpOption& a, const v1::TcpOption& b) {
    return a.option_case() < b.option_case();
  });
  return kept;
}

// Options: the same, in the same order. Whether a time stamp is right is said by its echo alone,
// unless the script says how fast its clock ticks.
void compare(const std::vector<v1::TcpOption>& expected, const std::vector<v1::TcpOption>& came,
             std::vector<std::string>& differences) {
  if (expected.size() != came.size()) {
    differences.push_back(
        cat("options: expected ", expected.size(), " of them, got ", came.size()));
    return;
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    v1::TcpOption got = came[i];
    v1::TcpOption want = expected[i];
    if (want.has_timestamps() && got.has_timestamps()) {
      got.mutable_timestamps()->clear_value();
      want.mutable_timestamps()->clear_value();
    }
    if (got.has_other()) got.mutable_other()->clear_length();
    if (got.SerializeAsString() == want.SerializeAsString()) continue;
    differences.push_back(cat("option ", i + 1, ": expected ", want.ShortDebugString(), ", got ",
                              got.ShortDebugString()));
  }
}

// Compares value by value and says in the script's words what differs.
class Comparison {
 public:
  template <typename T>
  void check(std::string_view what, T expected, T came) {
    if (expected != came) {
      differences_.push_back(cat(what, ": expected ", expected, ", got ", came));
    }
  }
  void add(std::string text) { differences_.push_back(std::move(text)); }
  std::vector<std::string>& list() { return differences_; }
  std::vector<std::string> take() { return std::move(differences_); }

 private:
  std::vector<std::string> differences_;
};

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
  const size_t most = mss > 0 ? mss : kMostPayload;
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

Result PacketdrillStage::mismatch(const Packet& packet, Socket& socket,
                                  const std::vector<v1::LogEntry>& parts,
                                  std::vector<std::string> differences) {
  std::string came = join(parts, ", ", [&](std::string& out, const v1::LogEntry& entry) {
    append(out, describe_segment(&socket.flow, entry));
  });
  Problem problem = violation("another packet came than expected", {print_foreign_packet(packet)},
                              std::move(came), parts.back().number(), std::move(differences));
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

Result PacketdrillStage::expect(const Statement& statement, const Packet& packet) {
  const auto* tcp = std::get_if<TcpPacket>(&packet.body);
  if (tcp == nullptr) return missing("awaiting ICMP messages");
  if (under_test_ == nullptr) return broken("no socket that the packet could come from");
  Socket& socket = *under_test_;
  FlowSide& local = socket.flow.side(v1::END_B);
  using State = Socket::State;
  const bool opens = is_syn(*tcp) && (tcp->flags & kAck) == 0;
  if (opens && socket.state == State::kConnecting) {
    socket.state = State::kSynSent;
    socket.script_isn_b = static_cast<uint32_t>(tcp->sequence.value);
  }
  if (is_syn(*tcp) && !opens && !local.isn.has_value()) {
    socket.script_isn_b = static_cast<uint32_t>(tcp->sequence.value);
  }
  const Moment moment = moment_of(statement);
  const absl::Duration deadline = moment.tolerance.has_value()
                                      ? moment.latest + *moment.tolerance + kGrace
                                      : drive_->now() + kAnyTime;
  const uint32_t wanted = tcp->length.value_or(0);
  uint32_t got = 0;
  std::vector<v1::LogEntry> parts;
  do {
    const absl::StatusOr<std::optional<v1::LogEntry>> entry = next_segment(socket, deadline);
    if (!entry.ok()) return refused(entry.status());
    if (!entry->has_value()) {
      Problem problem =
          violation(parts.empty() ? "no packet came" : "the rest of the packet did not come",
                    {print_foreign_packet(packet)},
                    cat("nothing until ", print_seconds(deadline - start_), " s",
                        parts.empty() ? "" : ", after ",
                        join(parts, ", ", [&](std::string& out, const v1::LogEntry& part) {
                          append(out, describe_segment(&socket.flow, part));
                        })));
      return problem;
    }
    const v1::LogEntry& segment = **entry;
    const v1::TcpHeader& header = segment.segment().tcp();
    if ((header.flags() & kSyn) != 0 && !local.isn.has_value()) {
      local.isn = header.sequence_number();
      local.address.set_port(header.source_port());
    }
    parts.push_back(segment);
    got += payload_length(segment);
    now_ = std::max(now_, from_proto(segment.time()));
  } while (got < wanted && !has_flag("strict_segments") &&
           (parts.back().segment().tcp().flags() & kRst) == 0);
  std::vector<std::string> wrong = differences(socket, packet, parts);
  if (!wrong.empty()) return mismatch(packet, socket, parts, std::move(wrong));
  return check_time(moment, parts.back());
}

// Behind the last line.
Result PacketdrillStage::silence() {
  if (under_test_ == nullptr) return {};
  const absl::StatusOr<std::optional<v1::LogEntry>> entry =
      next_segment(*under_test_, drive_->now() + kSilence);
  if (!entry.ok()) return refused(entry.status());
  if (!entry->has_value()) return {};
  Problem problem =
      violation("a packet that no line awaits", {cat("nothing for ", print_duration(kSilence))},
                describe_segment(&under_test_->flow, **entry), (*entry)->number());
  problem.came_at = from_proto((*entry)->time());
  return problem;
}

void PacketdrillStage::compare_options(Socket& socket, const TcpPacket& packet,
                                       const v1::TcpHeader& came,
                                       std::vector<std::string>& differences) {
  const v1::Timestamps* actual = timestamps_of(came);
  Options options = packet.options;
  for (Option& option : options.list) {
    if (!option.symbol.empty()) option.data = from_hex(definition(option.symbol));
    // Blocks count from the other side's ISN, of a SYN too.
    if (option.kind != Option::Kind::kTimestamps || actual == nullptr) continue;
    const auto scripted = static_cast<uint32_t>(option.value.value);
    socket.timestamps[scripted] = actual->value();
    if (!socket.first_timestamp.has_value()) {
      socket.first_timestamp = {scripted, actual->value()};
    }
    const uint32_t tick = flag_number("tcp_ts_tick_usecs", 0);
    const auto off = static_cast<int32_t>(actual->value() - socket.first_timestamp->second -
                                          (scripted - socket.first_timestamp->first));
    const absl::Duration tolerance = std::max(tolerance_, kRelativeTolerance * (now_ - start_));
    if (tick > 0 && absl::AbsDuration(absl::Microseconds(tick) * off) > tolerance) {
      differences.push_back(
          cat("TS val: expected ", scripted, ", got ", static_cast<int64_t>(scripted) + off));
    }
  }
  if (options.mode == Options::Mode::kAny) return;
  v1::TcpHeader expected;
  build_options(socket.flow, v1::END_B, options, expected);
  std::vector<v1::TcpOption> wanted(expected.options().begin(), expected.options().end());
  std::vector<v1::TcpOption> got(came.options().begin(), came.options().end());
  if (!linux_layout()) {
    wanted = without_layout(wanted);
    got = without_layout(got);
  }
  compare(wanted, got, differences);
}

// What the script says of the IP header; a flow label only has to stay or to change with it.
void PacketdrillStage::compare_ip(Socket& socket, const Packet& packet, const v1::Segment& came,
                                  std::vector<std::string>& differences) {
  const bool v6 = came.has_ipv6();
  const auto check = [&](const RawField* wanted, std::string_view what, uint32_t got) {
    if (wanted == nullptr) return;
    const int64_t max = wanted->number.max.value_or(wanted->number.value);
    if (got < wanted->number.value || got > max) {
      differences.push_back(cat(what, ": expected ", wanted->number.value,
                                max > wanted->number.value ? cat("~", max) : "", ", got ", got));
    }
  };
  check(field(packet, "ecn"), "ecn", v6 ? came.ipv6().ecn() : came.ipv4().ecn());
  check(field(packet, "dscp"), "dscp", v6 ? came.ipv6().dscp() : came.ipv4().dscp());
  check(field(packet, "ttl"), "ttl", v6 ? came.ipv6().hop_limit() : came.ipv4().ttl());
  check(field(packet, "sport"), "source port", came.tcp().source_port());
  check(field(packet, "dport"), "destination port", came.tcp().destination_port());
  const RawField* label = field(packet, "flow_label");
  if (label == nullptr || !v6) return;
  const auto scripted = static_cast<uint32_t>(label->number.value);
  const uint32_t got = came.ipv6().flow_label();
  const std::pair<uint32_t, uint32_t> before =
      std::exchange(socket.flow_label, std::pair(scripted, got)).value_or(std::pair(scripted, got));
  if (got == 0) differences.emplace_back("flow label: none");
  if ((before.first == scripted) != (before.second == got)) {
    differences.push_back(before.first == scripted ? "flow label: it has changed"
                                                   : "flow label: it has not changed");
  }
}

// Successive segments stand for one of their whole length: the sequence number and CWR of the
// first, everything else of the last; in between they must be alike and of the same length.
std::vector<std::string> PacketdrillStage::differences(Socket& socket, const Packet& packet,
                                                       const std::vector<v1::LogEntry>& parts) {
  Comparison comparison;
  const auto& tcp = std::get<TcpPacket>(packet.body);
  const v1::TcpHeader& first = parts.front().segment().tcp();
  const v1::TcpHeader& last = parts.back().segment().tcp();
  const Flow& flow = socket.flow;
  const bool syn = is_syn(tcp);

  std::string octets;
  uint32_t next = first.sequence_number();
  for (const v1::LogEntry& part : parts) {
    const v1::TcpHeader& header = part.segment().tcp();
    if (header.sequence_number() != next) {
      comparison.add(cat("a segment begins at ", flow.relative(v1::END_B, header.sequence_number()),
                         " where ", flow.relative(v1::END_B, next), " is next"));
    }
    next = header.sequence_number() + payload_length(part);
    octets += part.segment().payload();
    if (!part.malformed().empty()) comparison.add(cat("malformed: ", part.malformed()));
    const bool sums = options_.foreign.checksums;
    if (sums && !part.ip_checksum_valid()) comparison.add("a wrong IP checksum");
    if (sums && part.malformed().empty() && !part.transport_checksum_valid()) {
      comparison.add("a wrong TCP checksum");
    }
    constexpr uint32_t kMayDiffer = kFin | kPsh | kCwr;
    if (((header.flags() ^ last.flags()) & ~kMayDiffer) != 0) {
      comparison.add("segments of one packet have different flags");
    }
    if (&part != &parts.back() && payload_length(part) != payload_length(parts.front())) {
      comparison.add(cat("segments of one packet have ", payload_length(parts.front()), " and ",
                         payload_length(part), " octets"));
    }
  }
  comparison.check("length", static_cast<size_t>(tcp.length.value_or(0)), octets.size());

  const uint32_t flags = (last.flags() & ~kCwr) | (first.flags() & kCwr);
  // Where else PSH is set is a TCP's own affair.
  const uint32_t compared = linux_layout() ? ~0U : ~kPsh;
  if ((flags & compared) != (tcp.flags & compared)) {
    comparison.add(cat("flags: expected ", flag_letters(tcp.flags), ", got ", flag_letters(flags)));
  }
  const int64_t own = syn ? socket.script_isn_b : 0;
  comparison.check("sequence number", tcp.sequence.value,
                   flow.relative(v1::END_B, first.sequence_number()) + own);
  if ((tcp.flags & kAck) != 0 && (last.flags() & kAck) != 0) {
    // packetdrill counts the number of a SYN's ACK as the wire has it.
    const auto came = syn ? static_cast<int64_t>(last.acknowledgment_number())
                          : flow.relative(v1::END_A, last.acknowledgment_number());
    comparison.check("ack", tcp.acknowledgment.has_value() ? tcp.acknowledgment->value : int64_t{0},
                     came);
  }
  if (tcp.window.has_value()) {
    // How much a TCP buffers is its own affair too, but not whether anything may be sent.
    if (linux_layout() || (tcp.window->value == 0) != (last.window() == 0)) {
      comparison.check("win", tcp.window->value, static_cast<int64_t>(last.window()));
    }
  }
  comparison.check("urg", tcp.urgent.has_value() ? tcp.urgent->value : int64_t{0},
                   static_cast<int64_t>(last.urgent_pointer()));
  compare_options(socket, tcp, last, comparison.list());
  compare_ip(socket, packet, parts.back().segment(), comparison.list());

  const int64_t place = flow.relative(v1::END_B, first.sequence_number()) - (syn ? 0 : 1);
  const bool handed_over = static_cast<int64_t>(flow.side(v1::END_B).sent.size()) ==
                           place + static_cast<int64_t>(octets.size());
  if (!linux_layout() && !octets.empty() && !syn && socket.payload_known && handed_over &&
      (flags & kPsh) == 0) {
    comparison.add("flags: no PSH on the last of what was handed over (RFC 9293 MUST-60)");
  }
  if (options_.foreign.payload && !octets.empty() && socket.payload_known && place >= 0) {
    const absl::StatusOr<std::string> sent = flow.octets(v1::END_B, place, octets.size());
    if (!sent.ok()) {
      comparison.add(cat("payload: ", std::string(sent.status().message())));
    } else if (*sent != octets) {
      const auto wrong = std::mismatch(sent->begin(), sent->end(), octets.begin()).first;
      comparison.add(cat("payload: octet ", place + (wrong - sent->begin()),
                         " of the stream is not what was handed over"));
    }
  }
  return comparison.take();
}

}  // namespace tcproctor::conformance
