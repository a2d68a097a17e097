// SPDX-License-Identifier: Apache-2.0
// Closing the window of the examined end with octets.
#include <algorithm>

#include "conformance/runner/logged_segment.h"
#include "conformance/runner/segments.h"
#include "conformance/runner/stage.h"
#include "conformance/runner/target.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr uint32_t kSegmentOctets = 1000;

// As long as its buffer has room a TCP opens the window again.
constexpr int kMaxRounds = 400;

}  // namespace

// Octets up to the right edge of the window, in one train of segments; the FIN, if there is one,
// takes the last number.
Result Stage::fill_once(Flow& flow, v1::End from, const FillStatement& fill) {
  const uint32_t start = flow.variable(Variable::kRcvNxt);
  const uint32_t window = flow.variable(Variable::kRcvWnd);
  const uint32_t octets = fill.fin ? window - 1 : window;
  v1::Command command;
  v1::InjectRequest& request = *command.mutable_inject();
  request.set_session(session().id());
  request.set_from(from);
  for (uint32_t sent = 0; sent == 0 || sent < octets; sent += kSegmentOctets) {
    TcpPacket packet;
    packet.sequence.absolute = true;
    packet.sequence.value = start + sent;
    packet.length = std::min(octets - sent, kSegmentOctets);
    const bool last = sent + *packet.length == octets;
    packet.flags = kAck | (last ? kPsh : 0) | (last && fill.fin ? kFin : 0);
    packet.window.emplace().value = 65535;
    packet.acknowledgment = fill.acknowledgment;
    if (!fill.acknowledgment.has_value()) {
      packet.acknowledgment.emplace().variables = {Variable::kSndNxt};
    }
    const absl::StatusOr<v1::Segment> segment = build_segment(flow, from, {{}, packet, {}}, 0);
    if (!segment.ok()) return broken(std::string(segment.status().message()));
    *request.add_train()->mutable_segment() = *segment;
  }
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  return report.ok() ? Result() : Result(refused(report.status()));
}

// Waits until everything up to the edge is acknowledged, or refused by a closed window.
Result Stage::acknowledged(Flow& flow, v1::End from, uint32_t edge) {
  const v1::End examined = other(from);
  Result wrong;
  const absl::StatusOr<bool> done = poll([&]() -> absl::StatusOr<bool> {
    Result observed = observe();
    if (observed.has_value()) return absl::InternalError(observed->reason);
    for (const v1::LogEntry& entry : entries_) {
      if (entry.number() <= flow.side(examined).cursor || entry.from() != examined ||
          entry.origin() != v1::ORIGIN_END || !flow.owns(entry)) {
        continue;
      }
      consume(flow, examined, entry, line_);
      const auto beyond =
          static_cast<int32_t>(entry.segment().tcp().acknowledgment_number() - edge);
      if (beyond > 0 && !wrong.has_value()) {
        wrong = violation(cat("end ", end_name(examined), " acknowledged octets beyond its window"),
                          {cat("at most ack ", flow.relative(from, edge))},
                          describe_segment(&flow, entry), entry.number());
      }
    }
    return wrong.has_value() || flow.variable(Variable::kRcvNxt) == edge ||
           flow.variable(Variable::kRcvWnd) == 0;
  });
  if (!done.ok()) return refused(done.status());
  if (*done) return wrong;
  return violation(cat("end ", end_name(examined), " does not acknowledge what fills its window"),
                   {cat("ack ", flow.relative(from, edge))},
                   cat("ack ", flow.relative(from, flow.variable(Variable::kRcvNxt))));
}

Result Stage::fill(const Statement& statement, const FillStatement& fill) {
  Flow& on = flow_of(statement);
  const v1::End from = other(examined_end(head_));
  for (int round = 0; round < kMaxRounds; ++round) {
    const uint32_t window = on.variable(Variable::kRcvWnd);
    if (window == 0) return {};
    const uint32_t edge = on.variable(Variable::kRcvNxt) + window;
    Result result = fill_once(on, from, fill);
    if (!result.has_value()) result = acknowledged(on, from, edge);
    event_time_ = drive_->now();
    if (result.has_value()) return result;
    if (fill.fin) break;
  }
  if (on.variable(Variable::kRcvWnd) == 0) return {};
  return violation("the window does not close", {"win 0"},
                   cat("win ", on.variable(Variable::kRcvWnd)));
}

}  // namespace tcproctor::conformance
