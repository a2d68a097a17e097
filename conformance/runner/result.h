// SPDX-License-Identifier: Apache-2.0
// What a run of the suite says: the outcome of each clause, of each case on each target, and of the
// whole run. Plain data; the reports (conformance/report) and the Suite service are made from it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "conformance/report/ladder.h"
#include "tcproctor/v1/suite.pb.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::conformance {

// "PASS", "FAIL", "INCONCLUSIVE", "ERROR", "SKIP", "XFAIL", "XPASS".
std::string verdict_name(v1::Verdict verdict);

// What makes a run end with 1.
inline bool is_violation(v1::Verdict verdict) {
  return verdict == v1::VERDICT_FAIL || verdict == v1::VERDICT_XPASS;
}

// Why a clause did not pass, with the evidence.
struct Failure {
  std::string requirement;               // the rule of the case, in our words
  std::string statement;                 // the script's own line
  std::string location;                  // file:line:column
  std::vector<std::string> expected;     // all lawful alternatives
  std::string came;                      // what was observed instead
  std::vector<std::string> differences;  // field by field, where a segment came
  uint64_t packet = 0;                   // number of that segment in the capture; 0 = none
  uint32_t part = 1;  // which capture of the case (a fresh clause begins a new one)
};

struct ClauseOutcome {
  std::string name;
  v1::Verdict verdict = v1::VERDICT_UNSPECIFIED;
  std::string reason;     // one or more lines; empty for PASS
  std::string reference;  // from the ledger: where the deviation is documented
  // SKIP only: the ledger, or the head of the case (slow), says that this is to be skipped. A SKIP
  // that nobody named makes the run exit with 3.
  bool skip_is_named = false;
  bool known = false;  // a violation that an earlier run had too: it turns nothing red
  Failure failure;     // meaningful unless PASS
};

// A change of state that an end went through.
struct StateEdge {
  std::string tcp;  // whose: kernel, stack or stack-virtual
  v1::TcpState from = v1::TCP_STATE_UNSPECIFIED;
  v1::TcpState to = v1::TCP_STATE_UNSPECIFIED;
  bool through = false;  // by way of the state that lies between, within one segment
};

// One session of a case: a case has more than one when clauses start fresh.
struct CasePart {
  std::vector<v1::LogEntry> segments;  // in a RunReport: none, the result has its `capture`
  std::string a, b;                    // what the ends are: kernel, stack, scripted
  std::vector<LadderRow> rows;         // of the ladder
  std::vector<StateEdge> edges;        // of real ends, in order
  std::string pcap_file;               // empty unless captures were asked for
  // In a RunReport: how many segments of this session are in `capture`, and how many are neither
  // there nor in `rows` because they are like those around them.
  uint32_t captured = 0, left_out = 0;
};

// A verdict that does not count, because the harness was late: the clauses of that session were run
// again. What counts is the last attempt.
struct Attempt {
  std::string clause;
  v1::Verdict verdict = v1::VERDICT_UNSPECIFIED;
  std::string reason;
  std::string location;  // file:line:column
  double late = 0;       // seconds, the longest lateness in that session
};

struct CaseOutcome {
  std::string id;
  std::string title;
  std::string level;
  std::vector<std::string> covers;
  std::string target;
  uint32_t repetition = 1;  // of the same case on the same target in this run
  v1::Verdict verdict = v1::VERDICT_UNSPECIFIED;
  std::string reason;
  // It was not run, for a cause that it shares with others: a complaint of the run says it once.
  bool told_by_complaint = false;
  std::vector<ClauseOutcome> clauses;
  std::vector<Attempt> attempts;  // earlier ones, in order
  std::vector<CasePart> parts;
  // In a RunReport: the segments of all sessions, one after the other, as a pcap in session time,
  // packed by gzip; empty if there are none (report/condense.h).
  std::string capture;
  std::set<std::string> mutants_passed;  // of the examined end, when they were asked for
  double seconds = 0;
  uint64_t seed = 0;
  std::string reproduce;  // a command that runs exactly this again
};

// A case as it was written: reports show its lines beside what became of them.
struct CaseSource {
  std::string file;
  std::string rule;  // the requirement in our words
  std::string text;
};

struct RunReport {
  std::vector<CaseOutcome> results;          // in the order they were run
  std::map<std::string, uint32_t> verdicts;  // how many results of each, by name
  // What makes the run red although no result says so: stale ledger entries, SKIPs nobody named,
  // a sanity case that could not be judged, nothing selected.
  std::vector<std::string> complaints;
  uint32_t known = 0;   // violations that an earlier run had too: they turn nothing red
  int exit_status = 3;  // 0 clean, 1 violation or XPASS, 2 inconclusive only, 3 harness error
  double seconds = 0;
  uint64_t seed = 0;
  std::string version;         // of the daemon
  std::string kernel_release;  // of the daemon's machine
  bool interrupted = false;    // cancelled before all cases had run
  // Of a run in parts: how many there are, and which of them this is. 0 and empty: the whole.
  uint32_t shards = 0;
  std::set<uint32_t> parts;
  // What the preflight found, by target: settings, offloads, clock, capture.
  std::map<std::string, std::map<std::string, std::string>> environment;
  std::map<std::string, CaseSource> cases;  // by id: those that have results
};

// A violation and where it shows: case, target, clause and the statement that did not hold.
using Violation = std::tuple<std::string, std::string, std::string, std::string>;
Violation violation_of(const CaseOutcome& result, const ClauseOutcome& clause);
// The case violates something, and nothing that an earlier run had not.
bool is_known(const CaseOutcome& outcome);

// The ladder as text, a state column for each end: of one session, and of all of a case.
std::string ladder_text(const CasePart& part);
std::string ladder_text(const CaseOutcome& outcome);

// For the Suite service.
v1::CaseResult to_proto(const CaseOutcome& outcome);
v1::Summary summary_proto(const RunReport& report);

}  // namespace tcproctor::conformance
