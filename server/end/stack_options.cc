// SPDX-License-Identifier: Apache-2.0
#include "server/end/stack_options.h"

#include "absl/strings/str_cat.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kMaxBuffer = uint32_t{1} << 30;

absl::Status read_number(bool present, uint32_t value, const char* field, uint32_t min,
                         uint32_t max) {
  if (!present || (value >= min && value <= max)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("options.", field, ": ", value, " is outside ", min, "..", max));
}

struct DurationField {
  bool present;
  const google::protobuf::Duration& proto;
  const char* field;
  tcp::Duration min;
  tcp::Duration max;
  tcp::Duration& out;
};

absl::Status read_durations(const v1::ConnectionOptions& request, tcp::ConnectionOptions& options) {
  using std::chrono::milliseconds;
  const DurationField fields[] = {
      {request.has_keepalive_idle(), request.keepalive_idle(), "keepalive_idle", milliseconds(1),
       kMaxRequestTime, options.keepalive_idle},
      {request.has_keepalive_interval(), request.keepalive_interval(), "keepalive_interval",
       milliseconds(1), kMaxRequestTime, options.keepalive_interval},
      {request.has_user_timeout(), request.user_timeout(), "user_timeout", milliseconds(1),
       kMaxRequestTime, options.user_timeout},
      {request.has_syn_timeout(), request.syn_timeout(), "syn_timeout", milliseconds(1),
       kMaxRequestTime, options.syn_timeout},
      // RFC9293-MUST-40: below 0.5 s.
      {request.has_delayed_ack(), request.delayed_ack(), "delayed_ack", milliseconds(0),
       milliseconds(499), options.delayed_ack},
  };
  for (const DurationField& field : fields) {
    if (!field.present) continue;
    const absl::StatusOr<tcp::Duration> duration = duration_from_proto(
        field.proto, absl::StrCat("options.", field.field), field.min, field.max);
    if (!duration.ok()) return duration.status();
    field.out = *duration;
  }
  return absl::OkStatus();
}

absl::Status check_numbers(const v1::ConnectionOptions& request) {
  const absl::Status checks[] = {
      read_number(request.has_keepalive_probes(), request.keepalive_probes(), "keepalive_probes", 1,
                  1000),
      read_number(request.has_dscp(), request.dscp(), "dscp", 0, 63),
      read_number(request.has_ttl(), request.ttl(), "ttl", 1, 255),
      read_number(request.has_send_buffer_bytes(), request.send_buffer_bytes(), "send_buffer_bytes",
                  1, kMaxBuffer),
      read_number(request.has_receive_buffer_bytes(), request.receive_buffer_bytes(),
                  "receive_buffer_bytes", 1, kMaxBuffer),
      read_number(request.has_mss(), request.mss(), "mss", 1, 65535),
  };
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  if (request.has_reuse_address() && !request.reuse_address()) {
    return absl::UnimplementedError(
        "options.reuse_address: our stack always lets a listener use a port that has connections "
        "in TIME-WAIT; leave it out");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status merge_options(const v1::ConnectionOptions& request, tcp::ConnectionOptions& options) {
  absl::Status status = check_numbers(request);
  if (!status.ok()) return status;
  tcp::ConnectionOptions merged = options;
  status = read_durations(request, merged);
  if (!status.ok()) return status;
  if (request.has_no_delay()) merged.no_delay = request.no_delay();
  if (request.has_keepalive()) merged.keepalive = request.keepalive();
  if (request.has_keepalive_probes()) merged.keepalive_probes = request.keepalive_probes();
  if (request.has_dscp()) merged.dscp = static_cast<uint8_t>(request.dscp());
  if (request.has_ttl()) merged.ttl = static_cast<uint8_t>(request.ttl());
  if (request.has_send_buffer_bytes()) merged.send_buffer_bytes = request.send_buffer_bytes();
  if (request.has_receive_buffer_bytes()) {
    merged.receive_buffer_bytes = request.receive_buffer_bytes();
  }
  if (request.has_mss()) merged.mss = static_cast<uint16_t>(request.mss());
  if (request.has_window_scale()) merged.window_scale = request.window_scale();
  if (request.has_timestamps()) merged.timestamps = request.timestamps();
  if (request.has_sack_permitted()) merged.sack_permitted = request.sack_permitted();
  if (request.has_report_soft_errors()) merged.report_soft_errors = request.report_soft_errors();
  options = merged;
  return absl::OkStatus();
}

v1::ConnectionOptions options_to_proto(const tcp::ConnectionOptions& options) {
  v1::ConnectionOptions proto;
  proto.set_no_delay(options.no_delay);
  proto.set_keepalive(options.keepalive);
  *proto.mutable_keepalive_idle() = to_proto(options.keepalive_idle);
  *proto.mutable_keepalive_interval() = to_proto(options.keepalive_interval);
  proto.set_keepalive_probes(options.keepalive_probes);
  *proto.mutable_user_timeout() = to_proto(options.user_timeout);
  *proto.mutable_syn_timeout() = to_proto(options.syn_timeout);
  proto.set_dscp(options.dscp);
  proto.set_ttl(options.ttl);
  if (options.send_buffer_bytes) proto.set_send_buffer_bytes(*options.send_buffer_bytes);
  if (options.receive_buffer_bytes) {
    proto.set_receive_buffer_bytes(*options.receive_buffer_bytes);
  }
  if (options.mss) proto.set_mss(*options.mss);
  proto.set_window_scale(options.window_scale);
  proto.set_timestamps(options.timestamps);
  proto.set_sack_permitted(options.sack_permitted);
  *proto.mutable_delayed_ack() = to_proto(options.delayed_ack);
  proto.set_report_soft_errors(options.report_soft_errors);
  proto.set_reuse_address(true);
  return proto;
}

}  // namespace tcproctor::server
