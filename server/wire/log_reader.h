// SPDX-License-Identifier: Apache-2.0
// A cursor into the log: Wire.Log and Drive's ReadLog.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "server/wire/log.h"
#include "server/wire/matcher.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

class LogReader {
 public:
  LogReader(std::shared_ptr<const WireLog> log, uint64_t after, v1::End from,
            std::optional<Matcher> matcher);

  // The next entry that matches, into `entry`. False: none there now; with LogRequest.follow ask
  // again after activity. Never waits, and looks at no more than some thousand records at a time:
  // see more_now(). DATA_LOSS: entries after the cursor were dropped before they were read.
  absl::StatusOr<bool> next(v1::LogEntry& entry);

  // True when next() said false only to give the loop a turn.
  bool more_now() const { return log_->last() > cursor_; }

  uint64_t cursor() const { return cursor_; }

 private:
  const std::shared_ptr<const WireLog> log_;
  uint64_t cursor_;
  const v1::End from_;
  const std::optional<Matcher> matcher_;
};

}  // namespace tcproctor::server
