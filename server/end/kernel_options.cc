// SPDX-License-Identifier: Apache-2.0
#include "server/end/kernel_options.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "server/end/capabilities.h"
#include "server/end/peer_keys.h"
#include "server/end/translate.h"
#include "server/time_proto.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kLinearIntervals = 5;
constexpr uint32_t kMaxRetries = 127;
constexpr uint32_t kMaxExponent = 7;  // TCP_RTO_MAX is 120 s: 2^7 s is cut to that
constexpr absl::Duration kMaxInterval = absl::Seconds(120);
constexpr uint32_t kDefaultFastOpenQueue = 16;
constexpr std::array<std::string_view, 2> kAlgorithms = {"reno", "cubic"};  // CongestionAlgorithm

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
    return kernel_lacks(kCapOptionsDelayedAck, "options.delayed_ack",
                        "it chooses the delay itself, only 0 (off) can be set");
  }
  result.quick_ack = true;
  return absl::OkStatus();
}

absl::Status sysctl_only(std::string_view capability, std::string_view option,
                         std::string_view sysctl) {
  return kernel_lacks(capability, absl::StrCat("options.", std::string(option)),
                      absl::StrCat("it has it for a whole namespace only, set ",
                                   std::string(sysctl), " in the end's KernelEnd.sysctls"));
}

absl::Status out_of_range(std::string_view option, uint64_t value, std::string_view range) {
  return absl::InvalidArgumentError(absl::StrCat("options.", std::string(option), ": ", value,
                                                 " is out of range; ", std::string(range)));
}

absl::Status check_possible(const v1::ConnectionOptions& options) {
  struct Lacking {
    bool asked;
    std::string_view capability;
    std::string_view option;
    std::string_view sysctl;  // of the whole namespace; empty: there is none
  };
  const Lacking all[] = {
      {options.has_window_scale(), kCapOptionsPerConnection, "window_scale",
       "net.ipv4.tcp_window_scaling"},
      {options.has_timestamps(), kCapOptionsPerConnection, "timestamps", "net.ipv4.tcp_timestamps"},
      {options.has_sack_permitted(), kCapOptionsPerConnection, "sack_permitted",
       "net.ipv4.tcp_sack"},
      {options.has_ecn(), kCapOptionsEcn, "ecn", "net.ipv4.tcp_ecn"},
      {options.has_mtu_probing(), kCapOptionsMtuProbing, "mtu_probing", "net.ipv4.tcp_mtu_probing"},
      {options.has_hystart(), kCapOptionsSlowStart, "hystart", ""},
      {options.has_initial_window(), kCapOptionsSlowStart, "initial_window", ""},
      {options.has_appropriate_byte_counting(), kCapOptionsSlowStart, "appropriate_byte_counting",
       ""},
      {options.has_advertised_user_timeout(), kCapOptionsUserTimeoutOption,
       "advertised_user_timeout", ""},
      {options.has_user_timeout_changeable(), kCapOptionsUserTimeoutOption,
       "user_timeout_changeable", ""},
      {options.has_ao_current_key(), kCapOptionsAo, "ao_current_key", ""},
      {options.has_ao_rnext_key(), kCapOptionsAo, "ao_rnext_key", ""},
  };
  for (const Lacking& lacking : all) {
    if (!lacking.asked) continue;
    if (!lacking.sysctl.empty()) {
      return sysctl_only(lacking.capability, lacking.option, lacking.sysctl);
    }
    return kernel_lacks(lacking.capability, absl::StrCat("options.", std::string(lacking.option)));
  }
  if (options.has_dscp() && options.dscp() > 63) {
    return out_of_range("dscp", options.dscp(), "0..63");
  }
  if (options.has_ttl() && (options.ttl() == 0 || options.ttl() > 255)) {
    return out_of_range("ttl", options.ttl(), "1..255");
  }
  return absl::OkStatus();
}

absl::Status read_congestion_control(const v1::ConnectionOptions& options, SocketOptions& result) {
  size_t algorithm = kAlgorithms.size();
  absl::Status status = enum_from_proto(
      options.congestion_control(), v1::CongestionAlgorithm_IsValid(options.congestion_control()),
      "congestion_control", algorithm);
  if (algorithm < kAlgorithms.size()) result.congestion_control = kAlgorithms[algorithm];
  return status;
}

absl::Status read_fast_open(const v1::ConnectionOptions& options, SocketOptions& result) {
  const uint32_t limit =
      options.has_fast_open_limit() ? options.fast_open_limit() : kDefaultFastOpenQueue;
  if (limit < 1 || limit > 65535) return out_of_range("fast_open_limit", limit, "1..65535");
  if (options.has_fast_open()) result.fast_open_queue = options.fast_open() ? limit : 0;
  return absl::OkStatus();
}

absl::Status read_keys(const v1::ConnectionOptions& options, SocketOptions& result) {
  if (!options.has_keys()) return absl::OkStatus();
  absl::StatusOr<std::vector<tcp::PeerKeys>> keys = peer_keys_from_proto(options.keys());
  if (!keys.ok()) return keys.status();
  for (const tcp::PeerKeys& peer : *keys) {
    if (!peer.ao.empty()) return kernel_lacks(kCapOptionsAo, "options.keys");
  }
  result.md5_keys = *std::move(keys);
  return absl::OkStatus();
}

absl::Duration syn_interval(uint32_t index) {
  if (index < kLinearIntervals) return absl::Seconds(1);
  const uint32_t exponent = std::min(index - kLinearIntervals + 1, kMaxExponent);
  return std::min(absl::Seconds(1U << exponent), kMaxInterval);
}

}  // namespace

absl::Status kernel_lacks(std::string_view capability, std::string_view what,
                          std::string_view instead) {
  return absl::UnimplementedError(
      absl::StrCat(std::string(what), ": the kernel cannot do it, it lacks the capability ",
                   std::string(capability), instead.empty() ? "" : "; ", std::string(instead)));
}

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
  absl::Status status = read_durations(options, result);
  if (status.ok()) status = read_congestion_control(options, result);
  if (status.ok()) status = read_fast_open(options, result);
  if (status.ok()) status = read_keys(options, result);
  if (!status.ok()) return status;
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
  if (options.has_path_mtu_discovery()) result.path_mtu_discovery = options.path_mtu_discovery();
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
  if (options.path_mtu_discovery) proto.set_path_mtu_discovery(*options.path_mtu_discovery);
  if (options.fast_open_queue && *options.fast_open_queue != 0) {
    proto.set_fast_open(true);
    proto.set_fast_open_limit(*options.fast_open_queue);
  }
  const auto* const algorithm =
      std::ranges::find(kAlgorithms, options.congestion_control.value_or(""));
  if (algorithm != kAlgorithms.end()) {
    const auto index = static_cast<int>(algorithm - kAlgorithms.begin());
    proto.set_congestion_control(static_cast<v1::CongestionAlgorithm>(index + 1));
  }
  return proto;
}

}  // namespace tcproctor::server
