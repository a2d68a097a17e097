// SPDX-License-Identifier: Apache-2.0
// Which edges of the state diagram (RFC 9293 §3.3.2, Figure 5) a run took, on which TCP.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/runner/result.h"

namespace tcproctor::conformance {

struct EdgeCoverage {
  v1::TcpState from = v1::TCP_STATE_UNSPECIFIED;
  v1::TcpState to = v1::TCP_STATE_UNSPECIFIED;
  std::string_view cause;                 // as the figure and the text name it
  std::map<std::string, uint32_t> cases;  // by TCP: how many results took it
  // TCPs that took it only by way of the state between, within one segment, as the text of
  // §3.10.7.4 has it.
  std::set<std::string> through;
  // By TCP: why it cannot take it, as the ledger says. Only where no result took it.
  std::map<std::string, std::string> not_supported;
};

// Every edge of the diagram, in its order, those with no case too. An edge is not supported where
// the ledger names the SKIP of a clause that is called after it ("LISTEN to SYN-SENT by OPEN").
std::vector<EdgeCoverage> fsm_coverage(const RunReport& report);

// The diagram as text: states, edges, and for each TCP of the run how many results took the edge,
// or that it is not supported.
std::string console_fsm(const RunReport& report);

}  // namespace tcproctor::conformance
