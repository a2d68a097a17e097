// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/segments.h"

#include "conformance/runner/segment_options.h"
#include "conformance/script/fields.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool is_v6(const Flow& flow) {
  return flow.side(v1::END_A).address.address().find(':') != std::string::npos;
}

Message& ip_header(v1::Segment& segment, bool v6) {
  if (v6) return *segment.mutable_ipv6();
  return *segment.mutable_ipv4();
}

void set_addresses(const Flow& flow, v1::End from, v1::Segment& segment) {
  const std::string& source = flow.side(from).address.address();
  const std::string& destination = flow.side(other(from)).address.address();
  if (is_v6(flow)) {
    segment.mutable_ipv6()->set_source(source);
    segment.mutable_ipv6()->set_destination(destination);
  } else {
    segment.mutable_ipv4()->set_source(source);
    segment.mutable_ipv4()->set_destination(destination);
  }
}

void set_ports(const Flow& flow, v1::End from, v1::TcpHeader& tcp) {
  tcp.set_source_port(flow.side(from).address.port());
  tcp.set_destination_port(flow.side(other(from)).address.port());
}

absl::Status set_scalar(Message& message, const std::string& name, const RawField& field) {
  if (!field.text.empty()) {
    const FieldDescriptor* descriptor = message.GetDescriptor()->FindFieldByName(name);
    message.GetReflection()->SetString(&message, descriptor, field.text);
    return absl::OkStatus();
  }
  int64_t value = field.number.value;
  // IPv6 counts without its header of 40 octets.
  if (name == "payload_length") value -= 40;
  return set_field(message, name, cat(value));
}

v1::SegmentField range_field(std::string_view key) {
  if (key == "ttl") return v1::SEGMENT_FIELD_TTL;
  if (key == "window") return v1::SEGMENT_FIELD_WINDOW;
  return v1::SEGMENT_FIELD_URGENT_POINTER;
}

// `pattern` is null for a segment to be sent, which has no ranges.
absl::Status set_fields(const std::vector<RawField>& fields, bool v6, v1::Segment& segment,
                        v1::SegmentPattern* pattern) {
  for (const RawField& field : fields) {
    const FieldName& name = *find_field(field.key);
    if (pattern != nullptr && field.number.max.has_value()) {
      add_range(*pattern, range_field(field.key), static_cast<uint32_t>(field.number.value),
                static_cast<uint32_t>(*field.number.max));
      continue;
    }
    if (field.number.any) continue;
    const bool tcp = name.message == "tcp";
    const std::string proto_name(v6 ? name.v6 : name.v4);
    if (proto_name.empty()) {
      return absl::InvalidArgumentError(
          cat(v6 ? "IPv6" : "IPv4", " has no field \"", field.key, "\""));
    }
    Message& header = tcp ? static_cast<Message&>(*segment.mutable_tcp()) : ip_header(segment, v6);
    const absl::Status status = set_scalar(header, proto_name, field);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// Place in the stream of the first octet after that sequence number: the SYN takes one number.
int64_t place_of(const Flow& flow, v1::End from, const TcpPacket& packet) {
  const int64_t relative =
      packet.sequence.absolute || !packet.sequence.variables.empty()
          ? static_cast<int32_t>(flow.absolute(from, packet.sequence) - flow.isn(from))
          : packet.sequence.value;
  return relative - ((packet.flags & kSyn) != 0 ? 0 : 1);
}

void note_crafted(Flow& flow, v1::End from, int64_t place, const std::string& payload) {
  for (size_t i = 0; i < payload.size(); ++i) {
    // The first octet that was sent for a place is the one the receiver may have taken.
    flow.side(from).crafted.emplace(place + static_cast<int64_t>(i), payload[i]);
  }
}

absl::Status build_tcp(Flow& flow, v1::End from, const TcpPacket& packet, v1::Segment& segment) {
  v1::TcpHeader& tcp = *segment.mutable_tcp();
  set_ports(flow, from, tcp);
  tcp.set_sequence_number(flow.absolute(from, packet.sequence));
  tcp.set_flags(packet.flags);
  if (packet.acknowledgment.has_value()) {
    tcp.set_acknowledgment_number(flow.absolute(other(from), *packet.acknowledgment));
  }
  if (packet.window.has_value()) tcp.set_window(static_cast<uint32_t>(packet.window->value));
  if (packet.urgent.has_value()) {
    tcp.set_urgent_pointer(static_cast<uint32_t>(packet.urgent->value));
  }
  build_options(flow, from, packet.options, tcp);
  const int64_t place = place_of(flow, from, packet);
  if (packet.payload.has_value()) {
    note_crafted(flow, from, place, *packet.payload);
    segment.set_payload(*packet.payload);
  } else if (packet.length.value_or(0) > 0) {
    FlowSide forged = flow.side(from);
    if (forged.scripted) {
      absl::StatusOr<std::string> octets = flow.octets(from, place, *packet.length);
      if (!octets.ok()) return octets.status();
      segment.set_payload(*std::move(octets));
    } else {
      // In the name of a real end: octets that its user never sent.
      std::string octets;
      for (uint32_t i = 0; i < *packet.length; ++i) octets += stream_octet(from, place + i);
      segment.set_payload(octets);
    }
  }
  return absl::OkStatus();
}

absl::Status icmp_kind(const IcmpPacket& packet, bool v6, v1::IcmpMessage& icmp) {
  if (packet.name.empty()) {
    icmp.set_type(packet.type);
    icmp.set_code(packet.code);
    return absl::OkStatus();
  }
  const IcmpName& name = *find_icmp(packet.name);
  const int type = v6 ? name.type6 : name.type4;
  if (type < 0) {
    return absl::InvalidArgumentError(cat("ICMPv6 has no message \"", packet.name, "\""));
  }
  icmp.set_type(static_cast<uint32_t>(type));
  icmp.set_code(static_cast<uint32_t>(v6 ? name.code6 : name.code4));
  return absl::OkStatus();
}

absl::Status build_icmp(const Flow& flow, v1::End from, const IcmpPacket& packet, uint64_t quoted,
                        v1::Segment& segment) {
  v1::IcmpMessage& icmp = *segment.mutable_icmp();
  const absl::Status status = icmp_kind(packet, is_v6(flow), icmp);
  if (!status.ok()) return status;
  if (packet.mtu.has_value()) icmp.set_mtu(*packet.mtu);
  if (packet.pointer.has_value()) icmp.set_pointer(*packet.pointer);
  if (packet.quoted_octets.has_value()) icmp.set_quoted_octets(*packet.quoted_octets);
  if (!packet.quoted_sequence.has_value()) {
    if (quoted == 0) {
      return absl::InvalidArgumentError("there is no segment of the examined end to quote yet");
    }
    icmp.set_quoted_number(quoted);
    return absl::OkStatus();
  }
  // It quotes a segment that travelled the other way.
  v1::Segment& quotation = *icmp.mutable_quoted_segment();
  set_addresses(flow, other(from), quotation);
  set_ports(flow, other(from), *quotation.mutable_tcp());
  quotation.mutable_tcp()->set_sequence_number(flow.absolute(other(from), *packet.quoted_sequence));
  quotation.mutable_tcp()->set_flags(kAck);
  return absl::OkStatus();
}

absl::Status payload_pattern(const Flow& flow, v1::End from, const TcpPacket& packet,
                             v1::SegmentPattern& pattern) {
  if (packet.payload.has_value()) {
    pattern.mutable_fields()->set_payload(*packet.payload);
    return absl::OkStatus();
  }
  if (!packet.length.has_value()) return absl::OkStatus();
  const int64_t place = place_of(flow, from, packet);
  // Before the start of the stream there is nothing to compare with (a probe of SND.UNA-1).
  if (*packet.length == 0 || packet.sequence.any || place < 0) {
    pattern.set_payload_length(*packet.length);
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> octets = flow.octets(from, place, *packet.length);
  if (!octets.ok()) return octets.status();
  pattern.mutable_fields()->set_payload(*std::move(octets));
  return absl::OkStatus();
}

void number_pattern(const Flow& flow, v1::End owner, const Number& number, v1::SegmentField field,
                    v1::SegmentPattern& pattern) {
  if (number.any) return;
  const uint32_t min = flow.absolute(owner, number);
  Number top = number;
  top.value = number.max.value_or(number.value);
  const uint32_t max = flow.absolute(owner, top);
  if (min != max) {
    add_range(pattern, field, min, max);
  } else if (field == v1::SEGMENT_FIELD_SEQUENCE_NUMBER) {
    pattern.mutable_fields()->mutable_tcp()->set_sequence_number(min);
  } else {
    pattern.mutable_fields()->mutable_tcp()->set_acknowledgment_number(min);
  }
}

absl::Status tcp_pattern(const Flow& flow, v1::End from, const TcpPacket& packet,
                         v1::SegmentPattern& pattern) {
  v1::TcpHeader& tcp = *pattern.mutable_fields()->mutable_tcp();
  set_ports(flow, from, tcp);
  tcp.set_flags(packet.flags & packet.flags_mask);
  if (packet.flags_mask != 0x1ff) pattern.set_flags_mask(packet.flags_mask);
  // The first SYN of a real end tells its ISN; until then there is nothing to compare with.
  const bool tells_isn = (packet.flags & kSyn) != 0 && !flow.side(from).isn.has_value();
  if (packet.has_sequence && (packet.sequence.absolute || !tells_isn)) {
    number_pattern(flow, from, packet.sequence, v1::SEGMENT_FIELD_SEQUENCE_NUMBER, pattern);
  }
  if (packet.acknowledgment.has_value()) {
    number_pattern(flow, other(from), *packet.acknowledgment,
                   v1::SEGMENT_FIELD_ACKNOWLEDGMENT_NUMBER, pattern);
  }
  const auto plain = [&](const std::optional<Number>& number, v1::SegmentField field) {
    if (!number.has_value() || number->any) return false;
    if (!number->max.has_value()) return true;
    add_range(pattern, field, static_cast<uint32_t>(number->value),
              static_cast<uint32_t>(*number->max));
    return false;
  };
  if (plain(packet.window, v1::SEGMENT_FIELD_WINDOW)) {
    tcp.set_window(static_cast<uint32_t>(packet.window->value));
  }
  if (plain(packet.urgent, v1::SEGMENT_FIELD_URGENT_POINTER)) {
    tcp.set_urgent_pointer(static_cast<uint32_t>(packet.urgent->value));
  }
  build_options(flow, from, packet.options, tcp, &pattern);
  return payload_pattern(flow, from, packet, pattern);
}

}  // namespace

absl::StatusOr<v1::Segment> build_segment(Flow& flow, v1::End from, const Packet& packet,
                                          uint64_t quoted) {
  v1::Segment segment;
  if (const auto* octets = std::get_if<OctetPacket>(&packet.body)) {
    segment.set_raw(octets->octets);
    return segment;
  }
  set_addresses(flow, from, segment);
  const auto* tcp = std::get_if<TcpPacket>(&packet.body);
  const absl::Status built =
      tcp != nullptr ? build_tcp(flow, from, *tcp, segment)
                     : build_icmp(flow, from, std::get<IcmpPacket>(packet.body), quoted, segment);
  if (!built.ok()) return built;
  const absl::Status status = set_fields(packet.fields, is_v6(flow), segment, nullptr);
  if (!status.ok()) return status;
  return segment;
}

absl::StatusOr<v1::SegmentPattern> build_pattern(const Flow& flow, v1::End from,
                                                 const Packet& packet) {
  v1::SegmentPattern pattern;
  if (std::holds_alternative<AnyPacket>(packet.body)) {
    pattern.set_checksums_valid(false);
    return pattern;
  }
  set_addresses(flow, from, *pattern.mutable_fields());
  const auto* tcp = std::get_if<TcpPacket>(&packet.body);
  if (tcp != nullptr) {
    const absl::Status status = tcp_pattern(flow, from, *tcp, pattern);
    if (!status.ok()) return status;
  } else {
    const auto& icmp = std::get<IcmpPacket>(packet.body);
    v1::IcmpMessage& message = *pattern.mutable_fields()->mutable_icmp();
    const absl::Status status = icmp_kind(icmp, is_v6(flow), message);
    if (!status.ok()) return status;
    if (icmp.mtu.has_value()) message.set_mtu(*icmp.mtu);
  }
  const absl::Status status =
      set_fields(packet.fields, is_v6(flow), *pattern.mutable_fields(), &pattern);
  if (!status.ok()) return status;
  return pattern;
}

v1::SegmentPattern flow_pattern(const Flow& flow, v1::End from) {
  v1::SegmentPattern pattern;
  set_addresses(flow, from, *pattern.mutable_fields());
  set_ports(flow, from, *pattern.mutable_fields()->mutable_tcp());
  pattern.set_checksums_valid(false);
  return pattern;
}

std::string field_difference(const std::vector<RawField>& fields, const v1::LogEntry& entry) {
  const v1::Segment& segment = entry.segment();
  const bool v6 = segment.has_ipv6();
  for (const RawField& field : fields) {
    const FieldName& name = *find_field(field.key);
    v1::Segment wanted;
    const absl::Status status = set_fields({field}, v6, wanted, nullptr);
    if (!status.ok()) return std::string(status.message());
    const bool tcp = name.message == "tcp";
    const Message& want = tcp  ? static_cast<const Message&>(wanted.tcp())
                          : v6 ? static_cast<const Message&>(wanted.ipv6())
                               : static_cast<const Message&>(wanted.ipv4());
    const Message& got = tcp  ? static_cast<const Message&>(segment.tcp())
                         : v6 ? static_cast<const Message&>(segment.ipv6())
                              : static_cast<const Message&>(segment.ipv4());
    const FieldDescriptor* descriptor =
        want.GetDescriptor()->FindFieldByName(std::string(v6 ? name.v6 : name.v4));
    const auto text = [&](const Message& message) -> std::string {
      const google::protobuf::Reflection* reflection = message.GetReflection();
      if (!reflection->HasField(message, descriptor)) return "none";
      if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
        return cat(reflection->GetUInt32(message, descriptor));
      }
      if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_BOOL) {
        return reflection->GetBool(message, descriptor) ? "1" : "0";
      }
      const std::string octets = reflection->GetString(message, descriptor);
      return name.kind == FieldKind::kOctets ? to_hex(octets) : octets;
    };
    if (field.key == "raw_options") {
      // The log has options decoded; their octets are in the packet.
      const size_t ip = v6 ? 40 : static_cast<size_t>(segment.ipv4().header_length()) * 4;
      const size_t end = ip + static_cast<size_t>(segment.tcp().data_offset()) * 4;
      const std::string octets = ip + 20 <= end && end <= entry.raw().size()
                                     ? entry.raw().substr(ip + 20, end - ip - 20)
                                     : "";
      if (octets != field.text) {
        return cat("raw_options: expected ", to_hex(field.text), ", got ", to_hex(octets));
      }
    } else if (text(want) != text(got)) {
      return cat(field.key, ": expected ", text(want), ", got ", text(got));
    }
  }
  return "";
}

}  // namespace tcproctor::conformance
