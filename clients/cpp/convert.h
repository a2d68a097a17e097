// SPDX-License-Identifier: Apache-2.0
// Between the wire's types and Abseil's.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tcproctor::client {

// Nanosecond resolution; an infinite duration becomes 100 years (3,155,760,000 s), the longest the
// daemon takes.
google::protobuf::Duration to_proto(absl::Duration duration);
absl::Duration from_proto(const google::protobuf::Duration& duration);

// Same canonical code, same message. OK becomes OK.
absl::Status to_status(const grpc::Status& status);

}  // namespace tcproctor::client
