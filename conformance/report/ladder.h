// SPDX-License-Identifier: Apache-2.0
// A case as a ladder, the way the RFC draws it: a state column for each end, the segments between.
//
//    A (kernel)                                               B (stack)
//  1. SYN-SENT      --> <SEQ=0><CTL=SYN>                  -->   SYN-RECEIVED
//
// A state is printed only where it was observed; what a script claims of a scripted end stands in
// brackets, and nothing stands where nobody knows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tcproctor/v1/segment.pb.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::conformance {

// What happened, in order.
struct LadderItem {
  enum class Kind {
    kClause,    // text: its name
    kCall,      // a user call at `end`
    kNote,      // text
    kTime,      // text: how long the script let time pass
    kSegment,   // entry and text
    kReleased,  // the held segment `number` was delivered
    kDropped,   // the held segment `number` was dropped
    kState,     // `end` was observed in `state`
    kClaim,     // the script says that `end` is in `state`
  };
  Kind kind = Kind::kNote;
  v1::End end = v1::END_UNSPECIFIED;  // kSegment: in whose name it travels
  std::string flow;                   // empty: the flow "main"
  std::string text;                   // kSegment: "<SEQ=0><CTL=SYN>"; empty: of no flow
  v1::TcpState state = v1::TCP_STATE_UNSPECIFIED;
  uint64_t number = 0;  // kSegment, kReleased, kDropped
  v1::Origin origin = v1::ORIGIN_UNSPECIFIED;
  v1::Fate fate = v1::FATE_UNSPECIFIED;  // when it was logged
  bool forged = false;                   // injected in the name of an end that has a TCP
  v1::TcpState state_a = v1::TCP_STATE_UNSPECIFIED;  // observed when the segment was logged
  v1::TcpState state_b = v1::TCP_STATE_UNSPECIFIED;
};

// `a` and `b`: what the ends are, e.g. "kernel", "scripted".
std::string render_ladder(const std::vector<LadderItem>& items, const std::string& a,
                          const std::string& b);

}  // namespace tcproctor::conformance
