// SPDX-License-Identifier: Apache-2.0
// Which edges of the state diagram (RFC 9293 §3.3.2, Figure 5) a run took, on which TCP.
#pragma once

#include <cstdint>
#include <map>
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
};

// Every edge of the diagram, in its order, those with no case too.
std::vector<EdgeCoverage> fsm_coverage(const RunReport& report);

// The diagram as text: states, edges, and for each TCP of the run how many results took the edge.
std::string console_fsm(const RunReport& report);

}  // namespace tcproctor::conformance
