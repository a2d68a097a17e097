// SPDX-License-Identifier: Apache-2.0
// A case as a ladder, the way the RFC draws it: a state column for each end, the segments between.
//
//    A (kernel)                                               B (stack)
//  1. SYN-SENT      --> <SEQ=0><CTL=SYN>                  -->   SYN-RECEIVED
//
// A state is printed only where it was observed; what a script claims of a scripted end stands in
// brackets, and nothing stands where nobody knows.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "conformance/report/segment_text.h"
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
  std::string text;                   // not of kSegment
  SegmentText segment;                // kSegment
  bool of_no_flow = false;            // kSegment: neither a flow of the case nor ICMP
  absl::Duration time;                // session time
  int line = 0;                       // of the script, that made it or that it answers; 0 = none
  v1::TcpState state = v1::TCP_STATE_UNSPECIFIED;
  uint64_t number = 0;  // kSegment, kReleased, kDropped
  v1::Origin origin = v1::ORIGIN_UNSPECIFIED;
  v1::Fate fate = v1::FATE_UNSPECIFIED;  // when it was logged
  bool forged = false;                   // injected in the name of an end that has a TCP
  v1::TcpState state_a = v1::TCP_STATE_UNSPECIFIED;  // observed when the segment was logged
  v1::TcpState state_b = v1::TCP_STATE_UNSPECIFIED;
};

// A row of the ladder. Clauses, notes and the like have no states.
struct LadderRow {
  enum class Kind {
    kClause,     // text: its name
    kNote,       // text
    kTime,       // text: how long the script let time pass
    kStrangers,  // text: so many segments of no flow of the case
    kCall,       // text: a user call at `end`
    kStates,     // what was observed, without a segment
    kSegment,    // `end` sent `segment`
    kArrival,    // a segment that was held arrives, or is lost after all
    kLeftOut,    // text: so many segments of `end` like those around it (condense.h)
  };
  enum class Way {
    kArrives,
    kStays,  // held or delayed
    kLost,
  };
  Kind kind = Kind::kNote;
  std::string text;
  std::string flow;  // empty: "main"
  v1::End end = v1::END_UNSPECIFIED;
  std::array<std::string, 2> states;  // of A and B; empty where nobody knows
  SegmentText segment;                // kSegment, kArrival
  uint64_t number = 0;                // kSegment, kArrival: of the segment in the capture
  Way way = Way::kArrives;            // kSegment, kArrival
  bool forged = false;                // injected in the name of an end that has a TCP
  bool duplicate = false;             // made by the wire
  absl::Duration time;                // session time
  int line = 0;                       // of the script, that made it or that it answers; 0 = none
};

// "segment", "clause" and so on, as the JSON of a run has them.
std::string_view row_kind_name(LadderRow::Kind kind);
std::string_view way_name(LadderRow::Way way);
std::optional<LadderRow::Kind> parse_row_kind(std::string_view name);
std::optional<LadderRow::Way> parse_way(std::string_view name);

std::vector<LadderRow> ladder_rows(const std::vector<LadderItem>& items);

// `a` and `b`: what the ends are, e.g. "kernel", "scripted".
std::string render_ladder(const std::vector<LadderRow>& rows, const std::string& a,
                          const std::string& b);

}  // namespace tcproctor::conformance
