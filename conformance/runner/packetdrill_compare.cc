// SPDX-License-Identifier: Apache-2.0
// What makes an outbound packet right. The payload and the checksums are looked at too, which
// packetdrill does not.
#include <algorithm>
#include <utility>

#include "conformance/runner/packetdrill_stage.h"
#include "conformance/runner/packetdrill_values.h"
#include "conformance/runner/segment_options.h"
#include "conformance/script/flags.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

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

}  // namespace

// Successive segments stand for one of their whole length: the sequence number and CWR of the
// first, everything else of the last.
std::vector<std::string> PacketdrillStage::differences(Socket& socket, const Packet& packet,
                                                       const std::vector<v1::LogEntry>& parts) {
  std::vector<std::string> differences;
  const auto& tcp = std::get<TcpPacket>(packet.body);
  std::string octets;
  for (const v1::LogEntry& part : parts) octets += part.segment().payload();
  compare_parts(socket, parts, differences);
  compare_header(socket, tcp, parts, octets.size(), differences);
  compare_options(socket, tcp, parts.back().segment().tcp(), differences);
  compare_ip(socket, packet, parts.back().segment(), differences);
  if (!octets.empty() && socket.payload_known) {
    compare_payload(socket, is_syn(tcp), parts, octets, differences);
  }
  return differences;
}

// In between they must be alike and of the same length, and each must be whole.
void PacketdrillStage::compare_parts(const Socket& socket, const std::vector<v1::LogEntry>& parts,
                                     std::vector<std::string>& differences) const {
  const v1::TcpHeader& last = parts.back().segment().tcp();
  uint32_t next = parts.front().segment().tcp().sequence_number();
  for (const v1::LogEntry& part : parts) {
    const v1::TcpHeader& header = part.segment().tcp();
    if (header.sequence_number() != next) {
      differences.push_back(cat("a segment begins at ",
                                socket.flow.relative(v1::END_B, header.sequence_number()),
                                " where ", socket.flow.relative(v1::END_B, next), " is next"));
    }
    next = header.sequence_number() + payload_length(part);
    if (!part.malformed().empty()) differences.push_back(cat("malformed: ", part.malformed()));
    const bool sums = options_.foreign.checksums;
    if (sums && !part.ip_checksum_valid()) differences.emplace_back("a wrong IP checksum");
    if (sums && part.malformed().empty() && !part.transport_checksum_valid()) {
      differences.emplace_back("a wrong TCP checksum");
    }
    constexpr uint32_t kMayDiffer = kFin | kPsh | kCwr;
    if (((header.flags() ^ last.flags()) & ~kMayDiffer) != 0) {
      differences.emplace_back("segments of one packet have different flags");
    }
    if (&part != &parts.back() && payload_length(part) != payload_length(parts.front())) {
      differences.push_back(cat("segments of one packet have ", payload_length(parts.front()),
                                " and ", payload_length(part), " octets"));
    }
  }
}

void PacketdrillStage::compare_header(const Socket& socket, const TcpPacket& packet,
                                      const std::vector<v1::LogEntry>& parts, size_t length,
                                      std::vector<std::string>& differences) const {
  const v1::TcpHeader& first = parts.front().segment().tcp();
  const v1::TcpHeader& last = parts.back().segment().tcp();
  const Flow& flow = socket.flow;
  const bool syn = is_syn(packet);
  const auto check = [&](std::string_view what, int64_t expected, int64_t came) {
    if (expected != came) {
      differences.push_back(cat(what, ": expected ", expected, ", got ", came));
    }
  };
  check("length", packet.length.value_or(0), static_cast<int64_t>(length));
  const uint32_t flags = (last.flags() & ~kCwr) | (first.flags() & kCwr);
  // Where else PSH is set is a TCP's own affair.
  const uint32_t compared = linux_layout() ? ~0U : ~kPsh;
  if ((flags & compared) != (packet.flags & compared)) {
    differences.push_back(
        cat("flags: expected ", flag_letters(packet.flags), ", got ", flag_letters(flags)));
  }
  const int64_t own = syn ? socket.script_isn_b : 0;
  check("sequence number", packet.sequence.value,
        flow.relative(v1::END_B, first.sequence_number()) + own);
  if ((packet.flags & kAck) != 0 && (last.flags() & kAck) != 0) {
    // packetdrill counts the number of a SYN's ACK as the wire has it.
    check("ack", packet.acknowledgment.has_value() ? packet.acknowledgment->value : 0,
          syn ? static_cast<int64_t>(last.acknowledgment_number())
              : flow.relative(v1::END_A, last.acknowledgment_number()));
  }
  // How much a TCP buffers is its own affair too, but not whether anything may be sent.
  const bool window_counts =
      packet.window.has_value() &&
      (linux_layout() || (packet.window->value == 0) != (last.window() == 0));
  if (window_counts) check("win", packet.window->value, last.window());
  check("urg", packet.urgent.has_value() ? packet.urgent->value : 0, last.urgent_pointer());
}

// Against what was handed over, and PSH where it ends.
void PacketdrillStage::compare_payload(const Socket& socket, bool syn,
                                       const std::vector<v1::LogEntry>& parts,
                                       const std::string& octets,
                                       std::vector<std::string>& differences) const {
  const Flow& flow = socket.flow;
  const int64_t place =
      flow.relative(v1::END_B, parts.front().segment().tcp().sequence_number()) - (syn ? 0 : 1);
  const bool handed_over = static_cast<int64_t>(flow.side(v1::END_B).sent.size()) ==
                           place + static_cast<int64_t>(octets.size());
  if (!linux_layout() && !syn && handed_over &&
      (parts.back().segment().tcp().flags() & kPsh) == 0) {
    differences.emplace_back(
        "flags: no PSH on the last of what was handed over (RFC 9293 MUST-60)");
  }
  if (!options_.foreign.payload || place < 0) return;
  const absl::StatusOr<std::string> sent = flow.octets(v1::END_B, place, octets.size());
  if (!sent.ok()) {
    differences.push_back(cat("payload: ", std::string(sent.status().message())));
  } else if (*sent != octets) {
    const auto wrong = std::mismatch(sent->begin(), sent->end(), octets.begin()).first;
    differences.push_back(cat("payload: octet ", place + (wrong - sent->begin()),
                              " of the stream is not what was handed over"));
  }
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

}  // namespace tcproctor::conformance
