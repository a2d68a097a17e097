// SPDX-License-Identifier: Apache-2.0
// Calls that wait: each is asked again after every activity of its session, in the order in which
// they were made, so that a run repeats exactly.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "stack/tcp/time.h"

namespace tcproctor::server {

// Names a waiting call within its session; never 0, never reused.
using OperationId = uint64_t;

// One call that waits. Its caller is answered exactly once, by one of the three.
class Operation {
 public:
  virtual ~Operation() = default;
  // True: its time has come, the caller was answered.
  virtual bool poll() = 0;
  // The deadline passed. False: it has not yet looked at all that came before, and is asked again.
  virtual bool expire() = 0;
  // The caller or the session gives up. CANCELLED: becomes OUTCOME_CANCELLED where the answer has
  // an outcome; any other status is the answer.
  virtual void give_up(const absl::Status& why) = 0;
  // In session time.
  virtual std::optional<tcp::Instant> deadline() const = 0;
};

// Not thread-safe: lives on its session's loop. Answers given from within these calls must not call
// back into the session; they post.
class Operations {
 public:
  OperationId add(std::unique_ptr<Operation> operation);
  // True when it was waiting.
  bool cancel(OperationId id, const absl::Status& why);
  void poll_all();
  // Ends those whose deadline is at or before `now`.
  void expire(tcp::Instant now);
  void end_all(const absl::Status& why);

  bool waiting(OperationId id) const { return operations_.contains(id); }
  bool empty() const { return operations_.empty(); }
  // The earliest one.
  std::optional<tcp::Instant> next_deadline() const;

 private:
  std::map<OperationId, std::unique_ptr<Operation>> operations_;
  OperationId next_id_ = 1;
};

}  // namespace tcproctor::server
