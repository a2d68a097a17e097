// SPDX-License-Identifier: Apache-2.0
// Times of the contract to and from the session's clock. google.protobuf.Duration reaches ten
// thousand years, ours 292: what comes in is checked against a range, never cut.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "stack/tcp/time.h"

namespace tcproctor::server {

// The longest time a request may name: 100 years.
inline constexpr tcp::Duration kMaxRequestTime = std::chrono::hours(24 * 36525);

namespace internal {

inline std::string seconds_text(tcp::Duration duration) {
  return absl::StrCat(std::chrono::duration<double>(duration).count(), " s");
}

}  // namespace internal

// INVALID_ARGUMENT names `field` when the message is malformed (nanos out of range or of the other
// sign than seconds) or the time lies outside `min`..`max`.
inline absl::StatusOr<tcp::Duration> duration_from_proto(const google::protobuf::Duration& proto,
                                                         absl::string_view field,
                                                         tcp::Duration min = tcp::Duration::zero(),
                                                         tcp::Duration max = kMaxRequestTime) {
  const bool signs_differ =
      (proto.seconds() > 0 && proto.nanos() < 0) || (proto.seconds() < 0 && proto.nanos() > 0);
  if (proto.nanos() <= -1'000'000'000 || proto.nanos() >= 1'000'000'000 || signs_differ) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": malformed duration (", proto.seconds(), " s, ", proto.nanos(),
                     " ns); nanos must be below 10^9 and have the sign of seconds"));
  }
  constexpr int64_t kMaxSeconds =
      std::chrono::duration_cast<std::chrono::seconds>(tcp::Duration::max()).count() - 1;
  const bool fits = proto.seconds() <= kMaxSeconds && proto.seconds() >= -kMaxSeconds;
  const tcp::Duration duration =
      fits ? std::chrono::seconds(proto.seconds()) + tcp::Duration(proto.nanos())
           : tcp::Duration::zero();
  if (!fits || duration < min || duration > max) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": ", proto.seconds(), ".",
        absl::Dec(proto.nanos() < 0 ? -proto.nanos() : proto.nanos(), absl::kZeroPad9),
        " s is outside ", internal::seconds_text(min), " .. ", internal::seconds_text(max)));
  }
  return duration;
}

inline google::protobuf::Duration to_proto(tcp::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(duration.count() / 1'000'000'000);
  proto.set_nanos(static_cast<int32_t>(duration.count() % 1'000'000'000));
  return proto;
}

// A moment as the time since the session's beginning.
inline google::protobuf::Duration to_proto(tcp::Instant instant) {
  return to_proto(instant.time_since_epoch());
}

// CLOCK_REALTIME in nanoseconds since 1970.
inline google::protobuf::Timestamp wall_time_to_proto(int64_t nanoseconds) {
  google::protobuf::Timestamp proto;
  int64_t seconds = nanoseconds / 1'000'000'000;
  int64_t rest = nanoseconds % 1'000'000'000;
  if (rest < 0) {
    --seconds;
    rest += 1'000'000'000;
  }
  proto.set_seconds(seconds);
  proto.set_nanos(static_cast<int32_t>(rest));
  return proto;
}

}  // namespace tcproctor::server
