// SPDX-License-Identifier: Apache-2.0
// SEGMENT ARRIVES for a segment that belongs to no connection (RFC 9293 §3.10.7.1, §3.5.2 group 1).
#pragma once

#include "stack/packet/tcp_header.h"
#include "stack/tcp/segment_out.h"

namespace tcproctor::tcp {

// Makes the reset that answers `segment`; false when nothing is to be sent because the segment is a
// reset itself (RFC9293-3.5.2-L2). A segment with timestamps is answered with TSval 0 and TSecr its
// TSval (RFC7323-5.2-3). TTL and DSCP are defaults; the host may set others.
[[nodiscard]] bool reset_for(const packet::TcpSegment& segment, SegmentOut& out);

}  // namespace tcproctor::tcp
