// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/segment_options.h"

#include <optional>
#include <string_view>

#include "conformance/script/flags.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// RFC 7413 §4.1.1.
constexpr uint32_t kFastOpenKind = 34;
constexpr size_t kMaxCookie = 16;
// RFC 7413 appendix A: TCP Fast Open as an experiment.
constexpr uint32_t kExperimentalKind = 254;
constexpr std::string_view kFastOpenNumber = "\xf9\x89";
// draft-ietf-tcpm-accurate-ecn: the first counter is that of ECT(0), or of ECT(1).
constexpr uint32_t kAccEcnOrder0 = 172;
constexpr uint32_t kAccEcnOrder1 = 174;

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

}  // namespace

void add_range(v1::SegmentPattern& pattern, v1::SegmentField field, uint32_t min, uint32_t max) {
  v1::FieldRange* range = pattern.add_ranges();
  range->set_field(field);
  range->set_min(min);
  range->set_max(max);
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

void build_options(const Flow& flow, v1::End from, const Options& options, v1::TcpHeader& tcp,
                   v1::SegmentPattern* pattern) {
  OptionBuilder(flow, from, pattern).build(options, tcp);
}

}  // namespace tcproctor::conformance
