// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/fsm.h"

#include <array>
#include <set>

#include "absl/strings/str_format.h"
#include "conformance/script/names.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

struct Edge {
  v1::TcpState from;
  v1::TcpState to;
  std::string_view cause;
};

// Figure 5, with erratum 8710 and the edges that only the text of §3.10 names (resets, timeouts).
constexpr std::array<Edge, 29> kEdges = {{
    {v1::TCP_STATE_CLOSED, v1::TCP_STATE_LISTEN, "passive OPEN"},
    {v1::TCP_STATE_CLOSED, v1::TCP_STATE_SYN_SENT, "active OPEN"},
    {v1::TCP_STATE_LISTEN, v1::TCP_STATE_SYN_RECEIVED, "SYN"},
    {v1::TCP_STATE_LISTEN, v1::TCP_STATE_SYN_SENT, "SEND or active OPEN"},
    {v1::TCP_STATE_LISTEN, v1::TCP_STATE_CLOSED, "CLOSE"},
    {v1::TCP_STATE_SYN_SENT, v1::TCP_STATE_SYN_RECEIVED, "SYN"},
    {v1::TCP_STATE_SYN_SENT, v1::TCP_STATE_ESTABLISHED, "SYN,ACK"},
    {v1::TCP_STATE_SYN_SENT, v1::TCP_STATE_CLOSED, "CLOSE, RST or timeout"},
    {v1::TCP_STATE_SYN_RECEIVED, v1::TCP_STATE_ESTABLISHED, "ACK of SYN"},
    {v1::TCP_STATE_SYN_RECEIVED, v1::TCP_STATE_FIN_WAIT_1, "CLOSE"},
    {v1::TCP_STATE_SYN_RECEIVED, v1::TCP_STATE_LISTEN, "RST or SYN (passive)"},
    {v1::TCP_STATE_SYN_RECEIVED, v1::TCP_STATE_CLOSED, "RST (active) or timeout"},
    {v1::TCP_STATE_ESTABLISHED, v1::TCP_STATE_FIN_WAIT_1, "CLOSE"},
    {v1::TCP_STATE_ESTABLISHED, v1::TCP_STATE_CLOSE_WAIT, "FIN"},
    {v1::TCP_STATE_ESTABLISHED, v1::TCP_STATE_CLOSED, "RST, ABORT or timeout"},
    {v1::TCP_STATE_FIN_WAIT_1, v1::TCP_STATE_FIN_WAIT_2, "ACK of FIN"},
    {v1::TCP_STATE_FIN_WAIT_1, v1::TCP_STATE_CLOSING, "FIN"},
    {v1::TCP_STATE_FIN_WAIT_1, v1::TCP_STATE_TIME_WAIT, "FIN with ACK of FIN"},
    {v1::TCP_STATE_FIN_WAIT_1, v1::TCP_STATE_CLOSED, "RST, ABORT or timeout"},
    {v1::TCP_STATE_FIN_WAIT_2, v1::TCP_STATE_TIME_WAIT, "FIN"},
    {v1::TCP_STATE_FIN_WAIT_2, v1::TCP_STATE_CLOSED, "RST, ABORT or orphan's limit"},
    {v1::TCP_STATE_CLOSE_WAIT, v1::TCP_STATE_LAST_ACK, "CLOSE"},
    {v1::TCP_STATE_CLOSE_WAIT, v1::TCP_STATE_CLOSED, "RST, ABORT or timeout"},
    {v1::TCP_STATE_CLOSING, v1::TCP_STATE_TIME_WAIT, "ACK of FIN"},
    {v1::TCP_STATE_CLOSING, v1::TCP_STATE_CLOSED, "RST, ABORT or timeout"},
    {v1::TCP_STATE_LAST_ACK, v1::TCP_STATE_CLOSED, "ACK of FIN"},
    {v1::TCP_STATE_TIME_WAIT, v1::TCP_STATE_CLOSED, "2 MSL passed"},
    {v1::TCP_STATE_TIME_WAIT, v1::TCP_STATE_SYN_RECEIVED, "SYN (MAY-2)"},
    {v1::TCP_STATE_SYN_RECEIVED, v1::TCP_STATE_TIME_WAIT, "RST (MAY-2)"},
}};

// The reasons why the ledger names a SKIP of what would have taken the edge.
void name_unsupported(const RunReport& report, EdgeCoverage& edge) {
  const std::string name = cat(state_name(edge.from), " to ", state_name(edge.to));
  for (const CaseOutcome& result : report.results) {
    if (edge.cases.count(result.target) != 0) continue;
    for (const ClauseOutcome& clause : result.clauses) {
      const bool named = clause.verdict == v1::VERDICT_SKIP && !clause.reference.empty();
      if (named && clause.name.find(name) != std::string::npos) {
        edge.not_supported[result.target] = cat(clause.reason, ": ", clause.reference);
      }
    }
  }
}

}  // namespace

std::vector<EdgeCoverage> fsm_coverage(const RunReport& report) {
  std::vector<EdgeCoverage> coverage;
  for (const Edge& edge : kEdges) {
    EdgeCoverage& covered = coverage.emplace_back(EdgeCoverage{edge.from, edge.to, edge.cause});
    std::set<std::string> directly;
    for (const CaseOutcome& result : report.results) {
      std::set<std::string> here;  // once for each result
      for (const CasePart& part : result.parts) {
        for (const StateEdge& taken : part.edges) {
          if (taken.from != edge.from || taken.to != edge.to) continue;
          here.insert(taken.tcp);
          if (!taken.through) directly.insert(taken.tcp);
        }
      }
      for (const std::string& tcp : here) ++covered.cases[tcp];
    }
    for (const auto& [tcp, count] : covered.cases) {
      if (directly.count(tcp) == 0) covered.through.insert(tcp);
    }
    name_unsupported(report, covered);
  }
  return coverage;
}

std::string console_fsm(const RunReport& report) {
  const std::vector<EdgeCoverage> coverage = fsm_coverage(report);
  std::set<std::string> seen;
  for (const EdgeCoverage& edge : coverage) {
    for (const auto& [tcp, count] : edge.cases) seen.insert(tcp);
  }
  std::vector<std::string> tcps;
  for (const std::string& target : all_targets()) {
    if (seen.count(target) != 0) tcps.push_back(target);
  }
  std::string out = absl::StrFormat("%-58s", "edges of the state diagram, results that took them");
  for (const std::string& tcp : tcps) out += absl::StrFormat("%15s", tcp);
  out += '\n';
  std::map<std::string, uint32_t> covered, possibly;
  bool by_way = false;
  for (const EdgeCoverage& edge : coverage) {
    out += absl::StrFormat("%-13s-> %-13s%-29s", state_name(edge.from), state_name(edge.to),
                           std::string(edge.cause));
    for (const std::string& tcp : tcps) {
      const auto found = edge.cases.find(tcp);
      const bool taken = found != edge.cases.end();
      const bool possible = edge.not_supported.count(tcp) == 0;
      const bool through = edge.through.count(tcp) != 0;
      covered[tcp] += taken ? 1 : 0;
      possibly[tcp] += possible ? 1 : 0;
      by_way = by_way || through;
      out += absl::StrFormat("%15s", taken      ? cat(found->second, through ? "*" : "")
                                     : possible ? std::string("-")
                                                : std::string("not supported"));
    }
    out += '\n';
  }
  out += absl::StrFormat("%-58s", "taken");
  for (const std::string& tcp : tcps) {
    out += absl::StrFormat("%15s", cat(covered[tcp], " of ", possibly[tcp]));
  }
  out += '\n';
  if (by_way) out += "* by way of the state between, within one segment\n";
  return out + "\n";
}

}  // namespace tcproctor::conformance
