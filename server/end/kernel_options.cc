// SPDX-License-Identifier: Apache-2.0
#include "server/end/kernel_options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kLinearIntervals = 5;
constexpr uint32_t kMaxRetries = 127;
constexpr uint32_t kMaxExponent = 7;  // TCP_RTO_MAX is 120 s: 2^7 s is cut to that
constexpr absl::Duration kMaxInterval = absl::Seconds(120);

google::protobuf::Duration proto_of(absl::Duration duration) {
  return to_proto(absl::ToChronoNanoseconds(duration));
}

// The kernel has ranges of its own, which are checked when the option is set.
absl::Status read_duration(bool present, const google::protobuf::Duration& proto,
                           std::string_view option, std::optional<absl::Duration>& out) {
  if (!present) return absl::OkStatus();
  const absl::StatusOr<tcp::Duration> duration =
      duration_from_proto(proto, absl::StrCat("options.", std::string(option)));
  if (duration.ok()) out = absl::FromChrono(*duration);
  return duration.status();
}

absl::Status read_durations(const v1::ConnectionOptions& options, SocketOptions& result) {
  std::optional<absl::Duration> syn_timeout;
  std::optional<absl::Duration> delayed_ack;
  const absl::Status checks[] = {
      read_duration(options.has_keepalive_idle(), options.keepalive_idle(), "keepalive_idle",
                    result.keepalive_idle),
      read_duration(options.has_keepalive_interval(), options.keepalive_interval(),
                    "keepalive_interval", result.keepalive_interval),
      read_duration(options.has_user_timeout(), options.user_timeout(), "user_timeout",
                    result.user_timeout),
      read_duration(options.has_syn_timeout(), options.syn_timeout(), "syn_timeout", syn_timeout),
      read_duration(options.has_delayed_ack(), options.delayed_ack(), "delayed_ack", delayed_ack),
  };
  for (const absl::Status& status : checks) {
    if (!status.ok()) return status;
  }
  if (syn_timeout) result.syn_retries = syn_retries_for(*syn_timeout);
  if (!delayed_ack) return absl::OkStatus();
  if (*delayed_ack != absl::ZeroDuration()) {
    return absl::UnimplementedError(
        "options.delayed_ack: the kernel chooses the delay itself; only 0 (off) can be set");
  }
  result.quick_ack = true;
  return absl::OkStatus();
}

absl::Status sysctl_only(std::string_view option, std::string_view sysctl) {
  return absl::UnimplementedError(absl::StrCat(
      "options.", std::string(option), ": the kernel has it for a whole namespace only; set ",
      std::string(sysctl), " in the end's KernelEnd.sysctls"));
}

absl::Status out_of_range(std::string_view option, uint64_t value, std::string_view range) {
  return absl::InvalidArgumentError(absl::StrCat("options.", std::string(option), ": ", value,
                                                 " is out of range; ", std::string(range)));
}

absl::Status check_possible(const v1::ConnectionOptions& options) {
  if (options.has_window_scale()) return sysctl_only("window_scale", "net.ipv4.tcp_window_scaling");
  if (options.has_timestamps()) return sysctl_only("timestamps", "net.ipv4.tcp_timestamps");
  if (options.has_sack_permitted()) return sysctl_only("sack_permitted", "net.ipv4.tcp_sack");
  if (options.has_dscp() && options.dscp() > 63) {
    return out_of_range("dscp", options.dscp(), "0..63");
  }
  if (options.has_ttl() && (options.ttl() == 0 || options.ttl() > 255)) {
    return out_of_range("ttl", options.ttl(), "1..255");
  }
  return absl::OkStatus();
}

absl::Duration syn_interval(uint32_t index) {
  if (index < kLinearIntervals) return absl::Seconds(1);
  const uint32_t exponent = std::min(index - kLinearIntervals + 1, kMaxExponent);
  return std::min(absl::Seconds(1U << exponent), kMaxInterval);
}

}  // namespace

absl::Duration syn_timeout_of(uint32_t retries) {
  absl::Duration total;
  for (uint32_t index = 0; index <= retries; ++index) total += syn_interval(index);
  return total;
}

uint32_t syn_retries_for(absl::Duration timeout) {
  uint32_t retries = 1;
  while (retries < kMaxRetries && syn_timeout_of(retries) < timeout) ++retries;
  return retries;
}

absl::StatusOr<SocketOptions> socket_options_from_proto(const v1::ConnectionOptions& options) {
  if (absl::Status status = check_possible(options); !status.ok()) return status;
  SocketOptions result;
  if (absl::Status status = read_durations(options, result); !status.ok()) return status;
  if (options.has_no_delay()) result.no_delay = options.no_delay();
  if (options.has_keepalive()) result.keepalive = options.keepalive();
  if (options.has_keepalive_probes()) result.keepalive_probes = options.keepalive_probes();
  if (options.has_dscp()) result.tos = static_cast<uint8_t>(options.dscp() << 2);
  if (options.has_ttl()) result.ttl = static_cast<uint8_t>(options.ttl());
  if (options.has_send_buffer_bytes()) result.send_buffer_bytes = options.send_buffer_bytes();
  if (options.has_receive_buffer_bytes()) {
    result.receive_buffer_bytes = options.receive_buffer_bytes();
  }
  if (options.has_mss()) result.mss = options.mss();
  if (options.has_report_soft_errors()) result.receive_soft_errors = options.report_soft_errors();
  if (options.has_reuse_address()) result.reuse_address = options.reuse_address();
  return result;
}

v1::ConnectionOptions socket_options_to_proto(const SocketOptions& options) {
  v1::ConnectionOptions proto;
  if (options.no_delay) proto.set_no_delay(*options.no_delay);
  if (options.keepalive) proto.set_keepalive(*options.keepalive);
  if (options.keepalive_idle) {
    *proto.mutable_keepalive_idle() = proto_of(*options.keepalive_idle);
  }
  if (options.keepalive_interval) {
    *proto.mutable_keepalive_interval() = proto_of(*options.keepalive_interval);
  }
  if (options.keepalive_probes) proto.set_keepalive_probes(*options.keepalive_probes);
  if (options.user_timeout) *proto.mutable_user_timeout() = proto_of(*options.user_timeout);
  if (options.syn_retries) {
    *proto.mutable_syn_timeout() = proto_of(syn_timeout_of(*options.syn_retries));
  }
  if (options.tos) proto.set_dscp(*options.tos >> 2);
  if (options.ttl) proto.set_ttl(*options.ttl);
  if (options.send_buffer_bytes) proto.set_send_buffer_bytes(*options.send_buffer_bytes);
  if (options.receive_buffer_bytes) proto.set_receive_buffer_bytes(*options.receive_buffer_bytes);
  if (options.mss) proto.set_mss(*options.mss);
  if (options.receive_soft_errors) proto.set_report_soft_errors(*options.receive_soft_errors);
  if (options.reuse_address) proto.set_reuse_address(*options.reuse_address);
  return proto;
}

}  // namespace tcproctor::server
