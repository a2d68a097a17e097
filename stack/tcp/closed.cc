// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/closed.h"

#include <algorithm>

namespace tcproctor::tcp {

bool reset_for(const packet::TcpSegment& segment, SegmentOut& out) {
  if (segment.has(packet::kRst)) return false;  // EM-CLOSED-SEG-01, RFC9293-3.5.2-L2
  out = SegmentOut{};
  out.tuple = segment.four_tuple();
  out.header.source_port = segment.header.destination_port;
  out.header.destination_port = segment.header.source_port;
  if (segment.has(packet::kAck)) {  // EM-CLOSED-SEG-08..12
    out.header.sequence_number = segment.header.acknowledgment_number;
    out.header.flags = packet::kRst;
  } else {  // EM-CLOSED-SEG-02..07
    out.header.acknowledgment_number = segment.header.sequence_number + segment.sequence_length();
    out.header.flags = packet::kRst | packet::kAck;
  }
  if (segment.options.timestamps.has_value()) {  // RFC7323-5.2-3
    packet::OptionWriter writer;
    packet::write_segment_options(
        packet::TimestampsOption{.value = 0, .echo_reply = segment.options.timestamps->value}, {},
        writer);
    const auto bytes = writer.finish();
    std::ranges::copy(bytes, out.option_bytes.begin());
    out.option_size = static_cast<uint8_t>(bytes.size());
  }
  return true;
}

}  // namespace tcproctor::tcp
