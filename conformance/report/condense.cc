// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/condense.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "conformance/report/gzip.h"
#include "conformance/report/pcap_file.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using Numbers = std::set<uint64_t>;

// Of a run of segments this many are kept at its beginning and at its end, and a run is shortened
// if more than one of it goes.
constexpr size_t kKept = 3;
constexpr size_t kLongRun = 2 * kKept + 2;

// Octets of payload that the capture of a case that passed has of a segment.
constexpr size_t kPayloadOctets = 16;

bool keeps_everything(v1::Verdict verdict) {
  return verdict != v1::VERDICT_PASS && verdict != v1::VERDICT_SKIP && verdict != v1::VERDICT_XFAIL;
}

// The segments that the failures of a session name.
Numbers evidence_of(const CaseOutcome& result, size_t part) {
  Numbers numbers;
  for (const ClauseOutcome& clause : result.clauses) {
    if (clause.failure.part == part + 1) numbers.insert(clause.failure.packet);
  }
  return numbers;
}

// Whether two rows differ in nothing but numbers and time.
bool is_alike(const LadderRow& a, const LadderRow& b) {
  const SegmentText& x = a.segment;
  const SegmentText& y = b.segment;
  return a.kind == LadderRow::Kind::kSegment && a.kind == b.kind && a.flow == b.flow &&
         a.end == b.end && a.states == b.states && a.way == b.way && a.forged == b.forged &&
         a.duplicate == b.duplicate && a.line == b.line && x.flags == y.flags &&
         x.length == y.length && x.other == y.other && x.flaw == y.flaw;
}

LadderRow left_out_row(const LadderRow& first, size_t count) {
  LadderRow row;
  row.kind = LadderRow::Kind::kLeftOut;
  row.text = cat(count, " segments left out");
  row.flow = first.flow;
  row.end = first.end;
  row.time = first.time;
  row.line = first.line;
  return row;
}

// The rows without the middle of long runs, whose numbers are added to `left_out`.
std::vector<LadderRow> shortened(std::vector<LadderRow> rows, const Numbers& evidence,
                                 Numbers& left_out) {
  std::vector<LadderRow> out;
  for (size_t begin = 0, end = 0; begin < rows.size(); begin = end) {
    const auto goes_on = [&] {
      return end < rows.size() && is_alike(rows[begin], rows[end]) &&
             evidence.count(rows[end].number) == 0;
    };
    for (end = begin + 1; evidence.count(rows[begin].number) == 0 && goes_on();) ++end;
    for (size_t i = begin; i < end; ++i) {
      const bool kept = end - begin < kLongRun || i < begin + kKept || i >= end - kKept;
      if (i == begin + kKept && !kept) {
        out.push_back(left_out_row(rows[i], end - begin - 2 * kKept));
      }
      if (!kept) left_out.insert(rows[i].number);
      if (kept) out.push_back(std::move(rows[i]));
    }
  }
  return out;
}

// Segments that no row shows, one after the other: those between its beginning and its end.
void leave_out_strangers(const CasePart& part, const Numbers& evidence, Numbers& left_out) {
  Numbers shown = evidence;
  for (const LadderRow& row : part.rows) shown.insert(row.number);
  std::vector<uint64_t> run;
  const auto end_run = [&] {
    for (size_t i = kKept; run.size() >= kLongRun && i < run.size() - kKept; ++i) {
      left_out.insert(run[i]);
    }
    run.clear();
  };
  for (const v1::LogEntry& entry : part.segments) {
    if (left_out.count(entry.number()) != 0) continue;
    if (shown.count(entry.number()) != 0) {
      end_run();
    } else {
      run.push_back(entry.number());
    }
  }
  end_run();
}

void shorten(CasePart& part, const Numbers& evidence) {
  Numbers left_out;
  part.rows = shortened(std::move(part.rows), evidence, left_out);
  leave_out_strangers(part, evidence, left_out);
  std::erase_if(part.segments,
                [&](const v1::LogEntry& entry) { return left_out.count(entry.number()) != 0; });
  part.left_out = static_cast<uint32_t>(left_out.size());
}

// The sessions one after the other in one pcap, and nothing for none: they have much in common, and
// so it is half as large as each packed alone.
void pack(CaseOutcome& result, bool whole) {
  std::ostringstream octets;
  PcapFile pcap(octets);
  bool any = false;
  for (CasePart& part : result.parts) {
    part.captured = static_cast<uint32_t>(part.segments.size());
    for (v1::LogEntry& entry : part.segments) {
      const size_t payload = std::min(entry.segment().payload().size(), entry.raw().size());
      const size_t headers = entry.raw().size() - payload;
      entry.clear_wall_time();  // the ladder is in session time
      pcap.append(entry, whole ? entry.raw().size() : headers + kPayloadOctets);
      any = true;
    }
    part.segments.clear();
  }
  if (any) result.capture = gzip(octets.str());
}

}  // namespace

void condense(RunReport& report) {
  std::set<std::string> whole;  // the cases of which everything is kept
  for (const CaseOutcome& result : report.results) {
    if (keeps_everything(result.verdict)) whole.insert(result.id);
  }
  for (CaseOutcome& result : report.results) {
    if (!result.capture.empty()) continue;  // it was read from a report
    const bool all = whole.count(result.id) != 0;
    for (size_t i = 0; i < result.parts.size() && !all; ++i) {
      shorten(result.parts[i], evidence_of(result, i));
    }
    pack(result, all);
  }
}

}  // namespace tcproctor::conformance
