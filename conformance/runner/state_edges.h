// SPDX-License-Identifier: Apache-2.0
// Which edges of the state diagram the ends of a session took, from what they reported.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "conformance/runner/result.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::conformance {

// `changes`: events that are changes of state, in order. `pairs`: the sockets of connections by
// their id, in any form that is the same for the same sockets of the same end; listeners and
// connections that were never listed have none. `tcp`: whose end it is.
//
// Besides the changes themselves there are edges that the diagram draws for what two of them show:
//  * FIN-WAIT-1 to TIME-WAIT, where one segment led through FIN-WAIT-2 (StateEdge::through);
//  * TIME-WAIT to SYN-RECEIVED, where a new incarnation became half open while the old one was in
//    TIME-WAIT, and back, where it went and left the old one in TIME-WAIT (RFC9293-MAY-2).
std::vector<StateEdge> state_edges(const std::vector<v1::ConnectionEvent>& changes,
                                   const std::map<uint64_t, std::string>& pairs,
                                   const std::function<std::string(v1::End)>& tcp);

}  // namespace tcproctor::conformance
