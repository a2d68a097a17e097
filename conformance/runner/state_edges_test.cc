// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/state_edges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/script/names.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::ElementsAre;

v1::ConnectionEvent change(uint64_t connection, std::string_view from, std::string_view to,
                           uint64_t step = 0) {
  v1::ConnectionEvent event;
  event.set_end(v1::END_B);
  event.set_connection(connection);
  event.mutable_state_change()->set_from(*parse_state(from));
  event.mutable_state_change()->set_to(*parse_state(to));
  event.mutable_state_change()->set_step(step);
  return event;
}

std::vector<std::string> edges(const std::vector<v1::ConnectionEvent>& changes,
                               const std::map<uint64_t, std::string>& pairs = {}) {
  std::vector<std::string> out;
  for (const StateEdge& edge : state_edges(changes, pairs, [](v1::End) { return "kernel"; })) {
    EXPECT_EQ(edge.tcp, "kernel");
    out.push_back(
        cat(state_name(edge.from), " to ", state_name(edge.to), edge.through ? " through" : ""));
  }
  return out;
}

TEST(StateEdges, AreTheChanges) {
  EXPECT_THAT(edges({change(1, "CLOSED", "LISTEN"), change(2, "LISTEN", "SYN-RECEIVED")}),
              ElementsAre("CLOSED to LISTEN", "LISTEN to SYN-RECEIVED"));
}

TEST(StateEdges, ThroughFinWait2IsOneStepOnly) {
  EXPECT_THAT(
      edges({change(1, "FIN-WAIT-1", "FIN-WAIT-2", 7), change(1, "FIN-WAIT-2", "TIME-WAIT", 7)}),
      ElementsAre("FIN-WAIT-1 to FIN-WAIT-2", "FIN-WAIT-2 to TIME-WAIT",
                  "FIN-WAIT-1 to TIME-WAIT through"));
  for (const uint64_t step : {0, 8}) {
    EXPECT_THAT(edges({change(1, "FIN-WAIT-1", "FIN-WAIT-2", step == 0 ? 0 : 7),
                       change(1, "FIN-WAIT-2", "TIME-WAIT", step)}),
                ElementsAre("FIN-WAIT-1 to FIN-WAIT-2", "FIN-WAIT-2 to TIME-WAIT"));
  }
  // The same step of another connection.
  EXPECT_THAT(
      edges({change(1, "FIN-WAIT-1", "FIN-WAIT-2", 7), change(2, "FIN-WAIT-2", "TIME-WAIT", 7)}),
      ElementsAre("FIN-WAIT-1 to FIN-WAIT-2", "FIN-WAIT-2 to TIME-WAIT"));
}

TEST(StateEdges, ANewIncarnationOutOfTimeWait) {
  const std::vector<v1::ConnectionEvent> changes = {change(1, "FIN-WAIT-2", "TIME-WAIT"),
                                                    change(2, "LISTEN", "SYN-RECEIVED"),
                                                    change(2, "SYN-RECEIVED", "LISTEN")};
  EXPECT_THAT(
      edges(changes, {{1, "B x"}, {2, "B x"}}),
      ElementsAre("FIN-WAIT-2 to TIME-WAIT", "LISTEN to SYN-RECEIVED", "TIME-WAIT to SYN-RECEIVED",
                  "SYN-RECEIVED to LISTEN", "SYN-RECEIVED to TIME-WAIT"));
  // Other sockets, or sockets that nobody saw.
  EXPECT_THAT(
      edges(changes, {{1, "B x"}, {2, "B y"}}),
      ElementsAre("FIN-WAIT-2 to TIME-WAIT", "LISTEN to SYN-RECEIVED", "SYN-RECEIVED to LISTEN"));
  EXPECT_EQ(edges(changes).size(), 3u);
  // TIME-WAIT was over before.
  EXPECT_THAT(edges({change(1, "TIME-WAIT", "CLOSED"), change(2, "LISTEN", "SYN-RECEIVED")},
                    {{1, "B x"}, {2, "B x"}}),
              ElementsAre("TIME-WAIT to CLOSED", "LISTEN to SYN-RECEIVED"));
}

}  // namespace
}  // namespace tcproctor::conformance
