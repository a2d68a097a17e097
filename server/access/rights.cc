// SPDX-License-Identifier: Apache-2.0
#include "server/access/rights.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace tcproctor::server {
namespace {

Quota quota_of(const access::Quota& given) {
  Quota quota;
  if (given.has_sessions()) quota.sessions = given.sessions();
  if (given.has_connections()) quota.connections = given.connections();
  if (given.has_bytes()) quota.bytes = given.bytes();
  if (given.has_segments_per_second()) quota.segments_per_second = given.segments_per_second();
  if (given.has_log_bytes()) quota.log_bytes = given.log_bytes();
  return quota;
}

// The targets of a rule are named as the kinds of ends are.
constexpr char kKindPrefix[] = "END_KIND_";

}  // namespace

absl::StatusOr<std::shared_ptr<const Rights>> Rights::create(const access::ClientRule& rule) {
  if (rule.name().empty()) {
    return absl::InvalidArgumentError("client.name: must be a name in the client's certificate");
  }
  const auto wrong = [&rule](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("client \"", rule.name(), "\": ", what));
  };
  const std::shared_ptr<Rights> rights(new Rights(quota_of(rule.quota())));
  rights->name_ = rule.name();
  for (const int target : rule.targets()) {
    v1::EndKind kind = v1::END_KIND_UNSPECIFIED;
    if (!v1::EndKind_Parse(kKindPrefix + access::ClientRule::Target_Name(target), &kind)) {
      return wrong("targets: want STACK, KERNEL or SCRIPTED");
    }
    rights->targets_.insert(kind);
  }
  for (const std::string& interface : rule.interfaces()) {
    if (interface.empty()) return wrong("interfaces: one has no name");
    rights->interfaces_.insert(interface);
  }
  for (const std::string& text : rule.prefixes()) {
    const absl::StatusOr<packet::IpPrefix> prefix = packet::IpPrefix::parse(text);
    if (!prefix.ok()) return wrong(absl::StrCat("prefixes: ", prefix.status().message()));
    rights->prefixes_.push_back(*prefix);
  }
  return rights;
}

absl::Status Rights::denied(absl::string_view field, absl::string_view what) const {
  return absl::PermissionDeniedError(
      absl::StrCat(field, ": the rule for client \"", name_, "\" does not have ", what));
}

absl::Status Rights::check_target(v1::EndKind kind, absl::string_view field) const {
  if (targets_.contains(kind)) return absl::OkStatus();
  return denied(field,
                absl::StrCat("targets: ", absl::StripPrefix(v1::EndKind_Name(kind), kKindPrefix)));
}

absl::Status Rights::check_interface(const std::string& name, absl::string_view field) const {
  if (interfaces_.contains(name)) return absl::OkStatus();
  return denied(field, absl::StrCat("interfaces: \"", name, "\""));
}

absl::Status Rights::check_address(const packet::IpAddress& address,
                                   absl::string_view field) const {
  const bool allowed = std::ranges::any_of(
      prefixes_, [&](const packet::IpPrefix& prefix) { return prefix.contains(address); });
  if (allowed) return absl::OkStatus();
  return denied(field, absl::StrCat("prefixes that hold ", address.to_string()));
}

absl::Status Rights::check_prefix(const packet::IpPrefix& wanted, absl::string_view field) const {
  const bool allowed = std::ranges::any_of(
      prefixes_, [&](const packet::IpPrefix& prefix) { return prefix.contains(wanted); });
  if (allowed) return absl::OkStatus();
  return denied(field, absl::StrCat("prefixes that hold ", wanted.to_string()));
}

absl::Status Rights::exhausted(absl::string_view quota, absl::string_view what) const {
  return absl::ResourceExhaustedError(
      absl::StrCat(quota, ": ", what, " (quota.", quota, " of client \"", name_, "\")"));
}

}  // namespace tcproctor::server
