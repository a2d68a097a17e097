// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/segments.h"

#include "conformance/script/fields.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// RFC 7413 §4.1.1.
constexpr uint32_t kFastOpenKind = 34;
constexpr size_t kMaxCookie = 16;
// RFC 7413 appendix A: TCP Fast Open as an experiment.
constexpr uint32_t kExperimentalKind = 254;
constexpr std::string_view kFastOpenNumber = "\xf9\x89";
// draft-ietf-tcpm-accurate-ecn: the first counter is that of ECT(0), or of ECT(1).
constexpr uint32_t kAccEcnOrder0 = 172;
constexpr uint32_t kAccEcnOrder1 = 174;

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

void add_range(v1::SegmentPattern& pattern, v1::SegmentField field, uint32_t min, uint32_t max) {
  v1::FieldRange* range = pattern.add_ranges();
  range->set_field(field);
  range->set_min(min);
  range->set_max(max);
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

// Timestamps: what `last` stands for is the newest value of that end.
uint32_t timestamp(bool relative, int64_t number, const std::optional<uint32_t>& last) {
  const auto value = static_cast<uint32_t>(number);
  return relative ? last.value_or(0) + value : value;
}

class OptionBuilder {
 public:
  OptionBuilder(const Flow& flow, v1::End from, v1::SegmentPattern* pattern)
      : flow_(flow), from_(from), pattern_(pattern) {}

  void build(const Options& options, v1::TcpHeader& tcp) {
    flags_ = tcp.flags();
    if (options.mode == Options::Mode::kOctets) tcp.set_raw_options(options.octets);
    for (const Option& option : options.list) one(option, *tcp.add_options());
    if (pattern_ == nullptr) return;
    switch (options.mode) {
      case Options::Mode::kNone:
        pattern_->set_option_match(v1::OPTION_MATCH_NONE);
        break;
      case Options::Mode::kExact:
        pattern_->set_option_match(v1::OPTION_MATCH_EXACT);
        break;
      case Options::Mode::kSet:
        pattern_->set_option_match(v1::OPTION_MATCH_SET);
        break;
      case Options::Mode::kContains:
        pattern_->set_option_match(v1::OPTION_MATCH_CONTAINS);
        break;
      default:
        break;
    }
  }

 private:
  void one(const Option& option, v1::TcpOption& out) {
    switch (option.kind) {
      case Option::Kind::kEnd:
        out.set_end_of_options(true);
        break;
      case Option::Kind::kNop:
        out.set_no_operation(true);
        break;
      case Option::Kind::kSackPermitted:
        out.set_sack_permitted(true);
        break;
      case Option::Kind::kMss:
        mss(option.number, *out.mutable_mss());
        break;
      case Option::Kind::kWindowScale:
        out.mutable_window_scale();
        if (!option.number.any) {
          out.mutable_window_scale()->set_shift(static_cast<uint32_t>(option.number.value));
        }
        break;
      case Option::Kind::kSack:
        sack(option, *out.mutable_sack());
        break;
      case Option::Kind::kTimestamps:
        timestamps(option, *out.mutable_timestamps());
        break;
      case Option::Kind::kUserTimeout:
        user_timeout(option, *out.mutable_user_timeout());
        break;
      case Option::Kind::kFastOpen:
        if (option.number.any) {
          out.set_any_fast_open_cookie(true);
          break;
        }
        // A cookie that is too long can be sent, but is none.
        if (option.data.size() <= kMaxCookie) {
          out.set_fast_open_cookie(option.data);
        } else {
          out.mutable_other()->set_kind(kFastOpenKind);
          out.mutable_other()->set_data(option.data);
        }
        break;
      case Option::Kind::kFastOpenExperimental:
        out.mutable_other()->set_kind(kExperimentalKind);
        out.mutable_other()->set_data(cat(kFastOpenNumber, option.data));
        break;
      case Option::Kind::kMd5:
        if (option.key.empty()) {
          out.set_md5_digest(option.data);
        } else {
          out.mutable_md5_signature()->set_key(option.key);
        }
        break;
      case Option::Kind::kAo:
        ao(option, *out.mutable_ao_signature());
        break;
      case Option::Kind::kAccEcn:
        accurate_ecn(option, *out.mutable_other());
        break;
      case Option::Kind::kRaw:
        out.mutable_other()->set_kind(option.raw_kind);
        out.mutable_other()->set_data(option.data);
        if (option.raw_length.has_value()) out.mutable_other()->set_length(*option.raw_length);
        break;
    }
  }

  void mss(const Number& number, v1::MaximumSegmentSize& out) {
    if (number.max.has_value() && pattern_ != nullptr) {
      add_range(*pattern_, v1::SEGMENT_FIELD_MSS, static_cast<uint32_t>(number.value),
                static_cast<uint32_t>(*number.max));
    } else if (!number.any) {
      out.set_octets(static_cast<uint32_t>(number.value));
    }
  }

  // A SACK block speaks of the octets of the other end.
  void sack(const Option& option, v1::SackBlocks& out) {
    for (const auto& [left, right] : option.blocks) {
      v1::SackBlocks::Block* block = out.add_blocks();
      block->set_left(flow_.absolute(other(from_), left));
      block->set_right(flow_.absolute(other(from_), right));
    }
  }

  void timestamps(const Option& option, v1::Timestamps& out) {
    // Of the end that sends an awaited segment the newest may be this very one.
    const FlowSide& sender = flow_.side(from_);
    const auto& sent = pattern_ == nullptr ? sender.last_timestamp : sender.taken_timestamp;
    const auto& received = flow_.side(other(from_)).last_timestamp;
    if (const auto value =
            timestamp_or_range(option.value, sent, v1::SEGMENT_FIELD_TIMESTAMP_VALUE)) {
      out.set_value(*value);
    }
    if (const auto echo =
            timestamp_or_range(option.echo, received, v1::SEGMENT_FIELD_TIMESTAMP_ECHO_REPLY)) {
      out.set_echo_reply(*echo);
    }
  }

  // Nothing where it is left open, or goes into the ranges of the pattern.
  std::optional<uint32_t> timestamp_or_range(const TimestampNumber& number,
                                             const std::optional<uint32_t>& last,
                                             v1::SegmentField field) {
    if (number.any) return std::nullopt;
    const uint32_t value = timestamp(number.last, number.value, last);
    if (!number.max.has_value() || pattern_ == nullptr) return value;
    add_range(*pattern_, field, value, timestamp(number.last, *number.max, last));
    return std::nullopt;
  }

  // RFC 5925 §5.2: the traffic key is made with both ISNs; a SYN has its own, and the first one
  // none of the peer.
  void ao(const Option& option, v1::AoSignature& out) {
    if (!option.key_id.any) out.set_key_id(static_cast<uint32_t>(option.key_id.value));
    if (!option.rnext_key_id.any) {
      out.set_rnext_key_id(static_cast<uint32_t>(option.rnext_key_id.value));
    }
    out.set_key(option.key);
    out.set_algorithm(option.cmac ? v1::AO_ALGORITHM_AES_CMAC : v1::AO_ALGORITHM_HMAC_SHA1);
    out.set_options_uncovered(option.bare);
    out.set_sequence_number_extension(option.extension);
    if ((flags_ & kSyn) == 0) out.set_source_isn(flow_.isn(from_));
    if ((flags_ & (kSyn | kAck)) != kSyn) out.set_destination_isn(flow_.isn(other(from_)));
  }

  // The order of the counters is told by the kind.
  static void accurate_ecn(const Option& option, v1::RawOption& out) {
    out.set_kind(option.counters.front().first == "e0b" ? kAccEcnOrder0 : kAccEcnOrder1);
    std::string data;
    for (const auto& [name, value] : option.counters) {
      for (const int shift : {16, 8, 0}) data += static_cast<char>(value >> shift & 0xff);
    }
    out.set_data(data);
  }

  static void user_timeout(const Option& option, v1::UserTimeout& out) {
    const int64_t seconds = absl::ToInt64Seconds(option.timeout);
    const bool minutes = seconds > 32767;
    out.set_minutes(minutes);
    out.set_timeout(static_cast<uint32_t>(minutes ? seconds / 60 : seconds));
  }

  const Flow& flow_;
  v1::End from_;
  v1::SegmentPattern* pattern_;
  uint32_t flags_ = 0;
};

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
  OptionBuilder(flow, from, nullptr).build(packet.options, tcp);
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
  OptionBuilder(flow, from, &pattern).build(packet.options, tcp);
  return payload_pattern(flow, from, packet, pattern);
}

std::string relative_text(const Flow* flow, v1::End end, uint32_t sequence) {
  if (flow == nullptr || !flow->side(end).isn.has_value()) return cat("@", sequence);
  return cat(flow->relative(end, sequence));
}

absl::Status resolve_cookie(const Flows& flows, Option& option) {
  if (!option.last) return absl::OkStatus();
  if (flows.newest_cookie().empty()) {
    return absl::FailedPreconditionError("FO last: the examined end has given no cookie yet");
  }
  option.data = flows.newest_cookie();
  option.last = false;
  return absl::OkStatus();
}

absl::Status resolve_timestamp(Flows& flows, v1::End end, TimestampNumber& number) {
  if (number.flow.empty()) return absl::OkStatus();
  const Flow* flow = flows.find(number.flow);
  if (flow == nullptr) {
    return absl::NotFoundError(cat("last(", number.flow, "): there is no such flow yet"));
  }
  const std::optional<uint32_t>& last = flow->side(end).last_timestamp;
  number.value = timestamp(true, number.value, last);
  if (number.max.has_value()) number.max = timestamp(true, *number.max, last);
  number.last = false;
  number.flow.clear();
  return absl::OkStatus();
}

Number literal(uint32_t value) {
  Number number;
  number.value = value;
  return number;
}

Option logged_option(const v1::TcpOption& option) {
  Option out;
  if (option.has_mss()) {
    out.kind = Option::Kind::kMss;
    out.number = literal(option.mss().octets());
  } else if (option.has_window_scale()) {
    out.kind = Option::Kind::kWindowScale;
    out.number = literal(option.window_scale().shift());
  } else if (option.has_timestamps()) {
    out.kind = Option::Kind::kTimestamps;
    out.value.value = option.timestamps().value();
    out.echo.value = option.timestamps().echo_reply();
  } else if (option.sack_permitted()) {
    out.kind = Option::Kind::kSackPermitted;
  } else if (option.end_of_options()) {
    out.kind = Option::Kind::kEnd;
  } else if (option.no_operation()) {
    out.kind = Option::Kind::kNop;
  } else if (option.has_sack()) {
    out.kind = Option::Kind::kSack;
    for (const v1::SackBlocks::Block& block : option.sack().blocks()) {
      out.blocks.emplace_back(literal(block.left()), literal(block.right()));
      out.blocks.back().first.absolute = out.blocks.back().second.absolute = true;
    }
  } else if (option.has_user_timeout()) {
    out.kind = Option::Kind::kUserTimeout;
    out.timeout =
        absl::Seconds(option.user_timeout().timeout()) * (option.user_timeout().minutes() ? 60 : 1);
  } else if (option.option_case() == v1::TcpOption::kFastOpenCookie) {
    out.kind = Option::Kind::kFastOpen;
    out.data = option.fast_open_cookie();
  } else if (option.option_case() == v1::TcpOption::kMd5Digest) {
    out.kind = Option::Kind::kMd5;
    out.data = option.md5_digest();
  } else {
    out.kind = Option::Kind::kRaw;
    out.raw_kind = option.other().kind();
    out.data = option.other().data();
  }
  return out;
}

// SACK blocks count the octets of the end that they are sent to.
void make_relative(const Flow* flow, v1::End counted, Option& option) {
  if (flow == nullptr || !flow->side(counted).isn.has_value()) return;
  for (auto& [left, right] : option.blocks) {
    for (Number* number : {&left, &right}) {
      number->value = flow->relative(counted, static_cast<uint32_t>(number->value));
      number->absolute = false;
    }
  }
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

absl::StatusOr<Packet> resolved(Flows& flows, v1::End from, Packet packet) {
  auto* tcp = std::get_if<TcpPacket>(&packet.body);
  if (tcp == nullptr) return packet;
  for (Option& option : tcp->options.list) {
    absl::Status status = resolve_cookie(flows, option);
    status.Update(resolve_timestamp(flows, from, option.value));
    status.Update(resolve_timestamp(flows, other(from), option.echo));
    if (!status.ok()) return status;
  }
  return packet;
}

void build_options(const Flow& flow, v1::End from, const Options& options, v1::TcpHeader& tcp) {
  OptionBuilder(flow, from, nullptr).build(options, tcp);
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

SegmentText segment_text(const Flow* flow, const v1::LogEntry& entry) {
  const v1::Segment& segment = entry.segment();
  SegmentText out;
  if (segment.has_icmp()) {
    out.other = cat("icmp ", segment.icmp().type(), "/", segment.icmp().code());
  } else if (!segment.has_tcp()) {
    out.other = cat("a packet of ", entry.raw().size(), " octets");
  }
  if (!segment.has_tcp()) return out;
  const v1::TcpHeader& tcp = segment.tcp();
  out.tcp = true;
  out.flags = flag_names(tcp.flags());
  out.length = static_cast<uint32_t>(segment.payload().size());
  out.sequence = relative_text(flow, entry.from(), tcp.sequence_number());
  if ((tcp.flags() & kAck) != 0) {
    out.acknowledgment = relative_text(flow, other(entry.from()), tcp.acknowledgment_number());
  }
  out.window = tcp.window();
  TcpPacket options;
  for (const v1::TcpOption& option : tcp.options()) {
    options.options.list.push_back(logged_option(option));
    make_relative(flow, other(entry.from()), options.options.list.back());
  }
  if (!options.options.list.empty()) {
    options.options.mode = Options::Mode::kExact;
    out.options = print_options(options.options);
  }
  if (!entry.malformed().empty()) {
    out.flaw = cat("malformed: ", entry.malformed());
  } else if (!entry.transport_checksum_valid()) {
    out.flaw = "wrong checksum";
  }
  return out;
}

std::string describe_segment(const Flow* flow, const v1::LogEntry& entry) {
  return script_form(segment_text(flow, entry));
}

}  // namespace tcproctor::conformance
