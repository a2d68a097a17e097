// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/settings.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/user_timeout_option.h"

namespace tcproctor::tcp {
namespace {

absl::Status wrong(absl::string_view field, absl::string_view range) {
  return absl::InvalidArgumentError(absl::StrCat(field, " is out of range: it must be ", range));
}

constexpr uint32_t kLargestBuffer = 1u << 30;
constexpr Duration kLongest = 24h * 365;

}  // namespace

absl::Status validate(const ConnectionOptions& options) {
  if (options.dscp > 63) return wrong("dscp", "0..63");
  if (options.ttl == 0) return wrong("ttl", "1..255");
  const auto is_size = [](std::optional<uint32_t> bytes) {
    return !bytes.has_value() || (*bytes != 0 && *bytes <= kLargestBuffer);
  };
  if (!is_size(options.send_buffer_bytes)) {
    return wrong("send_buffer_bytes", "1..1073741824, or not set");
  }
  if (!is_size(options.receive_buffer_bytes)) {
    return wrong("receive_buffer_bytes", "1..1073741824, or not set");
  }
  if (options.fast_open_limit == 0 || options.fast_open_limit > 65535) {
    return wrong("fast_open_limit", "1..65535");
  }
  if (options.mss == 0) return wrong("mss", "1..65535, or not set");
  if (options.delayed_ack < 0s || options.delayed_ack >= 500ms) {
    return wrong("delayed_ack", "at least 0 and below 500 ms (RFC 9293 MUST-40)");
  }
  const auto positive = [](Duration value) { return value > 0s && value <= kLongest; };
  if (!positive(options.user_timeout)) return wrong("user_timeout", "above 0, at most one year");
  if (options.advertised_user_timeout.has_value() &&
      (*options.advertised_user_timeout < 1s ||
       *options.advertised_user_timeout > kLongestUserTimeout)) {
    return wrong("advertised_user_timeout", "1 s to 32767 min, or not set (RFC 5482)");
  }
  if (!positive(options.syn_timeout)) return wrong("syn_timeout", "above 0, at most one year");
  if (!positive(options.keepalive_idle))
    return wrong("keepalive_idle", "above 0, at most one year");
  if (!positive(options.keepalive_interval)) {
    return wrong("keepalive_interval", "above 0, at most one year");
  }
  if (options.keepalive_probes == 0) return wrong("keepalive_probes", "at least 1");
  if (options.keys != nullptr) return options.keys->validate();
  return absl::OkStatus();
}

absl::Status validate(const Settings& settings) {
  const auto positive = [](Duration value) { return value > 0s && value <= kLongest; };
  if (settings.msl < 0s || settings.msl > kLongest) return wrong("msl", "0 to one year");
  if (!positive(settings.initial_rto)) return wrong("initial_rto", "above 0, at most one year");
  if (!positive(settings.min_rto)) return wrong("min_rto", "above 0, at most one year");
  if (settings.max_rto < settings.min_rto || settings.max_rto > kLongest) {
    return wrong("max_rto", "at least min_rto, at most one year");
  }
  if (settings.challenge_ack_interval < 0s) return wrong("challenge_ack_interval", "at least 0");
  if (settings.orphan_fin_wait_2 < 0s || settings.orphan_fin_wait_2 > kLongest) {
    return wrong("orphan_fin_wait_2", "0 to one year");
  }
  if (settings.initial_buffer_bytes < 4096 || settings.initial_buffer_bytes > kLargestBuffer) {
    return wrong("initial_buffer_bytes", "4096..1073741824");
  }
  if (settings.send_buffer_limit_bytes > kLargestBuffer) {
    return wrong("send_buffer_limit_bytes", "0..1073741824");
  }
  if (settings.receive_buffer_limit_bytes > kLargestBuffer) {
    return wrong("receive_buffer_limit_bytes", "0..1073741824");
  }
  if (!positive(settings.user_timeout_lower_limit)) {
    return wrong("user_timeout_lower_limit", "above 0, at most one year");
  }
  if (settings.user_timeout_upper_limit < settings.user_timeout_lower_limit ||
      settings.user_timeout_upper_limit > kLongest) {
    return wrong("user_timeout_upper_limit", "at least the lower limit, at most one year");
  }
  if (settings.quiet_time < 0s || settings.quiet_time > kLongest) {
    return wrong("quiet_time", "0 to one year");
  }
  if (settings.ephemeral_first == 0 || settings.ephemeral_last < settings.ephemeral_first) {
    return wrong("ephemeral_first", "1..ephemeral_last");
  }
  return validate(settings.defaults);
}

}  // namespace tcproctor::tcp
