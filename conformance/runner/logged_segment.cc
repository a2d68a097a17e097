// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/logged_segment.h"

#include "conformance/script/ast.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

std::string relative_text(const Flow* flow, v1::End end, uint32_t sequence) {
  if (flow == nullptr || !flow->side(end).isn.has_value()) return cat("@", sequence);
  return cat(flow->relative(end, sequence));
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
