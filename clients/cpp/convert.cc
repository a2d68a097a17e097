// SPDX-License-Identifier: Apache-2.0
#include "clients/cpp/convert.h"

#include <algorithm>
#include <cstdint>

namespace tcproctor::client {

google::protobuf::Duration to_proto(absl::Duration duration) {
  constexpr int64_t kMaxSeconds = 3'155'760'000;
  duration = std::clamp(duration, absl::Seconds(-kMaxSeconds), absl::Seconds(kMaxSeconds));
  absl::Duration rest;
  const int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &rest);
  google::protobuf::Duration proto;
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  return proto;
}

absl::Duration from_proto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Status to_status(const grpc::Status& status) {
  // Both enumerations are the canonical codes.
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

}  // namespace tcproctor::client
