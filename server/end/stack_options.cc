// SPDX-License-Identifier: Apache-2.0
#include "server/end/stack_options.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "server/end/peer_keys.h"
#include "server/end/translate.h"
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
      read_number(request.has_fast_open_limit(), request.fast_open_limit(), "fast_open_limit", 1,
                  65535),
      read_number(request.has_ao_current_key(), request.ao_current_key(), "ao_current_key", 0, 255),
      read_number(request.has_ao_rnext_key(), request.ao_rnext_key(), "ao_rnext_key", 0, 255),
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

// RFC 5482 §3.1: 1 s to 32767 min, and 0 for not at all.
absl::Status read_advertised_user_timeout(const v1::ConnectionOptions& request,
                                          tcp::ConnectionOptions& options) {
  if (!request.has_advertised_user_timeout()) return absl::OkStatus();
  const absl::StatusOr<tcp::Duration> duration =
      duration_from_proto(request.advertised_user_timeout(), "options.advertised_user_timeout",
                          std::chrono::seconds(0), std::chrono::minutes(32767));
  if (!duration.ok()) return duration.status();
  options.advertised_user_timeout.reset();
  if (*duration != tcp::Duration::zero()) options.advertised_user_timeout = *duration;
  return absl::OkStatus();
}

absl::Status read_congestion(const v1::ConnectionOptions& request,
                             tcp::ConnectionOptions& options) {
  absl::Status status = enum_from_proto(
      request.congestion_control(), v1::CongestionAlgorithm_IsValid(request.congestion_control()),
      "congestion_control", options.congestion_control);
  if (status.ok()) {
    status = enum_from_proto(request.initial_window(),
                             v1::InitialWindow_IsValid(request.initial_window()), "initial_window",
                             options.initial_window);
  }
  if (status.ok()) {
    status = enum_from_proto(request.ecn(), v1::EcnUse_IsValid(request.ecn()), "ecn", options.ecn);
  }
  if (status.ok()) {
    status = enum_from_proto(request.mtu_probing(), v1::MtuProbing_IsValid(request.mtu_probing()),
                             "mtu_probing", options.mtu_probing);
  }
  if (request.has_hystart()) options.hystart = request.hystart();
  if (request.has_appropriate_byte_counting()) {
    options.appropriate_byte_counting = request.appropriate_byte_counting();
  }
  return status;
}

absl::Status read_keys(const v1::ConnectionOptions& request, tcp::ConnectionOptions& options) {
  if (request.has_ao_current_key()) {
    options.ao_current_key = static_cast<uint8_t>(request.ao_current_key());
  }
  if (request.has_ao_rnext_key()) {
    options.ao_rnext_key = static_cast<uint8_t>(request.ao_rnext_key());
  }
  if (!request.has_keys()) return absl::OkStatus();
  absl::StatusOr<std::vector<tcp::PeerKeys>> keys = peer_keys_from_proto(request.keys());
  if (!keys.ok()) return keys.status();
  options.keys.reset();
  if (!keys->empty()) options.keys = std::make_shared<const tcp::KeyRing>(*std::move(keys));
  return absl::OkStatus();
}

}  // namespace

absl::Status merge_options(const v1::ConnectionOptions& request, tcp::ConnectionOptions& options) {
  absl::Status status = check_numbers(request);
  if (!status.ok()) return status;
  tcp::ConnectionOptions merged = options;
  status = read_durations(request, merged);
  if (status.ok()) status = read_advertised_user_timeout(request, merged);
  if (status.ok()) status = read_congestion(request, merged);
  if (status.ok()) status = read_keys(request, merged);
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
  if (request.has_fast_open()) merged.fast_open = request.fast_open();
  if (request.has_fast_open_limit()) merged.fast_open_limit = request.fast_open_limit();
  if (request.has_path_mtu_discovery()) merged.path_mtu_discovery = request.path_mtu_discovery();
  if (request.has_user_timeout()) merged.user_timeout_changeable = false;  // RFC5482-3-1
  if (request.has_user_timeout_changeable()) {
    merged.user_timeout_changeable = request.user_timeout_changeable();
  }
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
  proto.set_congestion_control(to_proto<v1::CongestionAlgorithm>(options.congestion_control));
  proto.set_hystart(options.hystart);
  proto.set_initial_window(to_proto<v1::InitialWindow>(options.initial_window));
  proto.set_appropriate_byte_counting(options.appropriate_byte_counting);
  proto.set_ecn(to_proto<v1::EcnUse>(options.ecn));
  proto.set_fast_open(options.fast_open);
  proto.set_fast_open_limit(options.fast_open_limit);
  proto.set_path_mtu_discovery(options.path_mtu_discovery);
  proto.set_mtu_probing(to_proto<v1::MtuProbing>(options.mtu_probing));
  *proto.mutable_advertised_user_timeout() =
      to_proto(options.advertised_user_timeout.value_or(tcp::Duration::zero()));
  proto.set_user_timeout_changeable(options.user_timeout_changeable);
  if (options.ao_current_key) proto.set_ao_current_key(*options.ao_current_key);
  if (options.ao_rnext_key) proto.set_ao_rnext_key(*options.ao_rnext_key);
  return proto;
}

}  // namespace tcproctor::server
