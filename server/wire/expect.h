// SPDX-License-Identifier: Apache-2.0
// Wire.Expect as an operation that is polled: the next segment of an end matches a pattern, or
// silence for a time. Read from the log by a cursor, so nothing falls between two calls.
//
// What is looked at: TCP and ICMP segments that the end itself sent (ORIGIN_END), whatever became
// of them. A segment that reached the wire after the deadline does not count, however late poll()
// is.
//
// Default cursor: each end has one, which moves to the entry that an Expect for that end MATCHED
// (NEXT and SKIP). A mismatch and SILENCE leave it where it was, so that what came may be compared
// with something else; ExpectResponse.cursor of a mismatch is the segment that did not match, for
// those who want to go on behind it. SKIP that timed out shows the last segment it skipped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/wire/log.h"
#include "server/wire/matcher.h"
#include "stack/tcp/time.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

// The default cursors of both ends.
struct ExpectCursors {
  uint64_t a = 0;
  uint64_t b = 0;
  uint64_t& of(v1::End end) { return end == v1::END_A ? a : b; }
};

// What is needed of an ExpectRequest once it has been validated.
struct ExpectPlan {
  v1::End from = v1::END_UNSPECIFIED;
  v1::ExpectMode mode = v1::EXPECT_MODE_NEXT;
  std::optional<Matcher> matcher;  // nothing: any segment
  std::optional<uint64_t> after;   // nothing: the default cursor as it is when first polled
  std::optional<tcp::Instant> deadline;
};

class Expectation {
 public:
  // `capture_drops` as in WireHooks; may be empty.
  Expectation(std::shared_ptr<const WireLog> log, std::shared_ptr<ExpectCursors> cursors,
              ExpectPlan plan, std::function<uint64_t()> capture_drops);

  // Records judged in one poll, so that a long log leaves the loop its turns.
  static constexpr int kRecordsPerPoll = 2048;

  // Nothing: still waiting; ask again after activity of the wire, and at deadline(), and soon when
  // more_now(): the answer, even the deadline's, comes after all that is in the log. A status:
  // DATA_LOSS, when what should have been read was dropped from the log or lost by the capture.
  // Must not be called again after it answered.
  std::optional<absl::StatusOr<v1::ExpectResponse>> poll(tcp::Instant now);

  // The last poll() stopped before the end of the log.
  bool more_now() const { return more_now_; }

  // When poll() will answer at the latest; nothing: the RPC's deadline bounds it.
  std::optional<tcp::Instant> deadline() const { return plan_.deadline; }

  // The answer for an operation that is given up.
  v1::ExpectResponse cancelled() const;

 private:
  std::optional<v1::ExpectResponse> judge(const LogRecord& record);
  v1::ExpectResponse at_deadline() const;
  // `number`: the segment it is about, 0 for none.
  v1::ExpectResponse with_entry(v1::ExpectResponse::Result result, uint64_t number,
                                const std::vector<std::string>& differences) const;

  const std::shared_ptr<const WireLog> log_;
  const std::shared_ptr<ExpectCursors> cursors_;
  const ExpectPlan plan_;
  const std::function<uint64_t()> capture_drops_;
  std::optional<uint64_t> start_;  // the cursor it began with
  uint64_t position_ = 0;          // records up to this one were judged
  bool more_now_ = false;
  // SKIP: the last segment that did not match, evidence for a timeout.
  uint64_t skipped_ = 0;
  std::vector<std::string> skipped_differences_;
};

}  // namespace tcproctor::server
