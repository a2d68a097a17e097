// SPDX-License-Identifier: Apache-2.0
// How a session's methods wait. For the session's own sources only.
#pragma once

#include <utility>

#include "server/session/session.h"

namespace tcproctor::server {

template <class Response>
class Session::WaitingCall final : public Operation {
 public:
  WaitingCall(std::optional<tcp::Instant> deadline, Step<Response> step, Done<Response> done)
      : deadline_(deadline), step_(std::move(step)), done_(std::move(done)) {}

  bool poll() override {
    std::optional<absl::StatusOr<Response>> answer = step_(Moment::kActivity);
    if (!answer) return false;
    done_(*std::move(answer));
    return true;
  }
  bool expire() override {
    std::optional<absl::StatusOr<Response>> answer = step_(Moment::kDeadline);
    if (!answer) return false;
    done_(*std::move(answer));
    return true;
  }
  void give_up(const absl::Status& why) override {
    if (absl::IsCancelled(why)) {
      done_(*step_(Moment::kCancelled));
    } else {
      done_(why);
    }
  }
  std::optional<tcp::Instant> deadline() const override { return deadline_; }

 private:
  const std::optional<tcp::Instant> deadline_;
  Step<Response> step_;
  Done<Response> done_;
};

template <class Response>
OperationId Session::wait_for(std::optional<tcp::Instant> deadline, Step<Response> step,
                              Done<Response> done) {
  std::optional<absl::StatusOr<Response>> answer = step(Moment::kActivity);
  if (!answer && deadline && *deadline <= now()) answer = step(Moment::kDeadline);
  if (answer) {
    done(*std::move(answer));
    return 0;
  }
  const OperationId id = operations_.add(
      std::make_unique<WaitingCall<Response>>(deadline, std::move(step), std::move(done)));
  arm_deadline();
  arm_poll();
  return id;
}

}  // namespace tcproctor::server
