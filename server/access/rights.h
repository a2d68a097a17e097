// SPDX-License-Identifier: Apache-2.0
// What a client that shows a certificate may do: its rule, checked, with every default filled in.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/access/client_rules.pb.h"
#include "server/access/segment_rate.h"
#include "stack/packet/prefix.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::server {

// As in client_rules.proto.
struct Quota {
  uint32_t sessions = 16;
  uint32_t connections = 1024;
  uint64_t bytes = uint64_t{256} << 20;
  uint32_t segments_per_second = 10'000;
  uint64_t log_bytes = uint64_t{64} << 20;
};

// Thread-safe: nothing changes but the segments counted.
class Rights {
 public:
  // INVALID_ARGUMENT names the field.
  static absl::StatusOr<std::shared_ptr<const Rights>> create(const access::ClientRule& rule);

  const std::string& name() const { return name_; }
  const Quota& quota() const { return quota_; }
  SegmentRate& segment_rate() const { return segment_rate_; }

  // PERMISSION_DENIED names what is missing in the rule; `field`: of the request that wants it.
  absl::Status check_target(v1::EndKind kind, absl::string_view field) const;
  absl::Status check_interface(const std::string& name, absl::string_view field) const;
  absl::Status check_address(const packet::IpAddress& address, absl::string_view field) const;
  absl::Status check_prefix(const packet::IpPrefix& prefix, absl::string_view field) const;

  // What a call over a quota is answered with.
  absl::Status exhausted(absl::string_view quota, absl::string_view what) const;

 private:
  explicit Rights(const Quota& quota) : quota_(quota), segment_rate_(quota.segments_per_second) {}
  absl::Status denied(absl::string_view field, absl::string_view what) const;

  std::string name_;
  std::set<v1::EndKind> targets_;
  std::set<std::string> interfaces_;
  std::vector<packet::IpPrefix> prefixes_;
  const Quota quota_;
  mutable SegmentRate segment_rate_;
};

}  // namespace tcproctor::server
