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

}  // namespace

std::vector<EdgeCoverage> fsm_coverage(const RunReport& report) {
  std::map<std::pair<int, int>, std::map<std::string, uint32_t>> taken;
  for (const CaseOutcome& result : report.results) {
    std::set<std::pair<std::string, std::pair<int, int>>> here;  // once for each result
    for (const CasePart& part : result.parts) {
      for (const StateEdge& edge : part.edges) here.insert({edge.tcp, {edge.from, edge.to}});
    }
    for (const auto& [tcp, edge] : here) ++taken[edge][tcp];
  }
  std::vector<EdgeCoverage> coverage;
  for (const Edge& edge : kEdges) {
    coverage.push_back({edge.from, edge.to, edge.cause, taken[{edge.from, edge.to}]});
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
  for (const std::string& tcp : tcps) out += absl::StrFormat("%14s", tcp);
  out += '\n';
  std::map<std::string, uint32_t> covered;
  for (const EdgeCoverage& edge : coverage) {
    out += absl::StrFormat("%-13s-> %-13s%-29s", state_name(edge.from), state_name(edge.to),
                           std::string(edge.cause));
    for (const std::string& tcp : tcps) {
      const auto found = edge.cases.find(tcp);
      const bool taken = found != edge.cases.end();
      covered[tcp] += taken ? 1 : 0;
      out += absl::StrFormat("%14s", taken ? cat(found->second) : std::string("-"));
    }
    out += '\n';
  }
  out += absl::StrFormat("%-58s", "taken");
  for (const std::string& tcp : tcps) {
    out += absl::StrFormat("%14s", cat(covered[tcp], " of ", coverage.size()));
  }
  return out + "\n\n";
}

}  // namespace tcproctor::conformance
