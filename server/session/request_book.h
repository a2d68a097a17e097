// SPDX-License-Identifier: Apache-2.0
// Calls that came with a request id: a repetition gets the answer of the first, and does nothing.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/session/operations.h"

namespace tcproctor::server {

inline constexpr size_t kMaxRequestIdOctets = 200;
// OK, or INVALID_ARGUMENT.
absl::Status check_request_id(const std::string& id);

// An id came again, with another request: INVALID_ARGUMENT.
absl::Status request_id_reused();

// A SHA-256 of the request; the same for equal requests, whatever the order of their maps.
std::string fingerprint(const google::protobuf::Message& request);

// Lives on its session's loop. An error is not remembered: the call was not carried out then, and a
// repetition is carried out anew.
class RequestBook {
 public:
  // So many calls are remembered, and so many octets of their answers; the oldest are forgotten.
  static constexpr size_t kMaxCalls = 1000;
  static constexpr size_t kMaxOctets = size_t{16} << 20;

  using Answer = absl::StatusOr<std::shared_ptr<const google::protobuf::Message>>;
  using Waiter = absl::AnyInvocable<void(const Answer&)>;

  // `waiter` gets the answer, at once if there is one. True: the call is new and must be carried
  // out, then set_operation() and answer(). INVALID_ARGUMENT: the id was used for another request;
  // RESOURCE_EXHAUSTED: kMaxCalls are under way.
  absl::StatusOr<bool> enter(const std::string& id, const google::protobuf::Message& request,
                             Waiter waiter);
  void set_operation(const std::string& id, OperationId operation);
  void answer(const std::string& id, const Answer& answer);
  // One who waits is gone. The operation to be given up, if he was the last; else 0.
  OperationId leave(const std::string& id);

  size_t size() const { return calls_.size(); }

 private:
  struct Call {
    std::string fingerprint;
    OperationId operation = 0;
    std::shared_ptr<const google::protobuf::Message> answer;  // null: under way
    size_t octets = 0;
    std::vector<Waiter> waiters;
    size_t gone = 0;  // of those who wait
  };

  void forget_oldest();

  std::map<std::string, Call> calls_;
  std::deque<std::string> answered_;  // oldest first
  size_t octets_ = 0;
};

}  // namespace tcproctor::server
