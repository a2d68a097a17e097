// SPDX-License-Identifier: Apache-2.0
#include "server/session/plan.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/end/stack_options.h"
#include "server/session/lease.h"
#include "server/time_proto.h"
#include "stack/mutants/planted.h"

namespace tcproctor::server {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr uint32_t kMinMtuV4 = 68;
constexpr uint32_t kMinMtuV6 = 1280;
constexpr uint32_t kMaxMtu = 65535;
constexpr uint64_t kMaxLogBytes = uint64_t{1} << 30;
constexpr size_t kMaxLabel = 200;
constexpr int kMaxAddresses = 16;
constexpr uint32_t kMaxSynCache = 1048576;
constexpr size_t kMaxRequestId = 200;

absl::Status invalid(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

// Sets `out` when the field is there.
absl::Status read_duration(bool present, const google::protobuf::Duration& proto,
                           absl::string_view field, tcp::Duration min, tcp::Duration max,
                           tcp::Duration& out) {
  if (!present) return absl::OkStatus();
  const absl::StatusOr<tcp::Duration> duration =
      duration_from_proto(proto, std::string(field), min, max);
  if (!duration.ok()) return duration.status();
  out = *duration;
  return absl::OkStatus();
}

absl::Status read_ports(const v1::StackEnd& spec, absl::string_view name, tcp::Settings& settings) {
  const uint32_t first =
      spec.has_ephemeral_first() ? spec.ephemeral_first() : settings.ephemeral_first;
  const uint32_t last = spec.has_ephemeral_last() ? spec.ephemeral_last() : settings.ephemeral_last;
  if (first < 1 || first > last || last > 65535) {
    return invalid(absl::StrCat(name, ".stack.ephemeral_first"),
                   absl::StrCat(first, " to ", last, " is no range of ports; 1..65535"));
  }
  settings.ephemeral_first = static_cast<uint16_t>(first);
  settings.ephemeral_last = static_cast<uint16_t>(last);
  return absl::OkStatus();
}

absl::Status read_stack(const v1::StackEnd& spec, absl::string_view name, EndPlan& plan) {
  tcp::Settings& settings = plan.settings;
  struct DurationField {
    bool present;
    const google::protobuf::Duration& proto;
    absl::string_view field;
    tcp::Duration min;
    tcp::Duration& out;
  };
  const DurationField durations[] = {
      {spec.has_msl(), spec.msl(), "msl", milliseconds(1), settings.msl},
      {spec.has_initial_rto(), spec.initial_rto(), "initial_rto", milliseconds(1),
       settings.initial_rto},
      {spec.has_min_rto(), spec.min_rto(), "min_rto", milliseconds(1), settings.min_rto},
      {spec.has_max_rto(), spec.max_rto(), "max_rto", milliseconds(1), settings.max_rto},
      {spec.has_orphan_fin_wait_2(), spec.orphan_fin_wait_2(), "orphan_fin_wait_2", milliseconds(1),
       settings.orphan_fin_wait_2},
      {spec.has_quiet_time(), spec.quiet_time(), "quiet_time", milliseconds(0),
       settings.quiet_time},
      {spec.has_challenge_ack_interval(), spec.challenge_ack_interval(), "challenge_ack_interval",
       milliseconds(1), settings.challenge_ack_interval},
      {spec.has_user_timeout_lower_limit(), spec.user_timeout_lower_limit(),
       "user_timeout_lower_limit", milliseconds(1), settings.user_timeout_lower_limit},
      {spec.has_user_timeout_upper_limit(), spec.user_timeout_upper_limit(),
       "user_timeout_upper_limit", milliseconds(1), settings.user_timeout_upper_limit},
  };
  for (const DurationField& duration : durations) {
    const absl::Status status = read_duration(duration.present, duration.proto,
                                              absl::StrCat(name, ".stack.", duration.field),
                                              duration.min, hours(1), duration.out);
    if (!status.ok()) return status;
  }
  if (settings.min_rto > settings.max_rto) {
    return invalid(absl::StrCat(name, ".stack.min_rto"), "is above max_rto");
  }
  if (settings.initial_rto > settings.max_rto) {
    return invalid(absl::StrCat(name, ".stack.initial_rto"), "is above max_rto");
  }
  if (spec.has_syn_cache_size() &&
      (spec.syn_cache_size() < 1 || spec.syn_cache_size() > kMaxSynCache)) {
    return invalid(absl::StrCat(name, ".stack.syn_cache_size"),
                   absl::StrCat(spec.syn_cache_size(), " is outside 1..", kMaxSynCache));
  }
  if (spec.has_half_open_alarm() && spec.half_open_alarm() < 1) {
    return invalid(absl::StrCat(name, ".stack.half_open_alarm"), "0 is too small, from 1 on");
  }
  if (settings.user_timeout_lower_limit > settings.user_timeout_upper_limit) {
    return invalid(absl::StrCat(name, ".stack.user_timeout_lower_limit"), "is above the upper one");
  }
  if (spec.has_challenge_ack_limit()) settings.challenge_ack_limit = spec.challenge_ack_limit();
  if (spec.has_syn_cookies()) settings.syn_cookies = spec.syn_cookies();
  if (spec.has_reassembly_limit_bytes()) {
    settings.reassembly_limit_bytes = spec.reassembly_limit_bytes();
  }
  if (spec.has_syn_cache_size()) settings.syn_cache_size = spec.syn_cache_size();
  if (spec.has_half_open_alarm()) settings.half_open_alarm = spec.half_open_alarm();
  if (spec.has_rfc1337()) settings.rfc1337 = spec.rfc1337();
  if (spec.has_rfc6191()) settings.rfc6191 = spec.rfc6191();
  if (spec.has_hard_icmp_aborts()) settings.hard_icmp_aborts = spec.hard_icmp_aborts();
  if (spec.has_rack_tlp()) settings.rack_tlp = spec.rack_tlp();
  if (spec.has_frto()) settings.frto = spec.frto();
  if (spec.has_refuse_unexpected_signatures()) {
    settings.refuse_unexpected_signatures = spec.refuse_unexpected_signatures();
  }
  plan.trace = spec.trace();
  const absl::Status status = read_ports(spec, name, settings);
  if (!status.ok()) return status;
  const absl::Status merged = merge_options(spec.defaults(), settings.defaults);
  if (!merged.ok())
    return {merged.code(), absl::StrCat(name, ".stack.defaults: ", merged.message())};
  if (spec.mutant().empty()) return absl::OkStatus();
  plan.mutant = mutants::number_of(spec.mutant());
  if (plan.mutant == 0) {
    return invalid(absl::StrCat(name, ".stack.mutant"),
                   mutants::names().empty()
                       ? "this daemon was built without mutants (preset mutants has them)"
                       : absl::StrCat("\"", spec.mutant(), "\" is no mutant"));
  }
  return absl::OkStatus();
}

absl::Status read_kernel(const v1::KernelEnd& spec, absl::string_view name, EndPlan& plan) {
  for (const auto& [sysctl, value] : spec.sysctls()) {
    if (!absl::StartsWith(sysctl, "net.")) {
      return invalid(absl::StrCat(name, ".kernel.sysctls"),
                     absl::StrCat("\"", sysctl, "\" does not begin with \"net.\""));
    }
    plan.sysctls.push_back({.name = sysctl, .value = value});
  }
  // A protobuf map has no order.
  std::sort(plan.sysctls.begin(), plan.sysctls.end(),
            [](const Sysctl& left, const Sysctl& right) { return left.name < right.name; });
  return absl::OkStatus();
}

absl::StatusOr<host::InterfaceAddress> read_address(const std::string& text,
                                                    absl::string_view field) {
  const size_t slash = text.find('/');
  uint32_t prefix = 0;
  if (slash == std::string::npos || !absl::SimpleAtoi(text.substr(slash + 1), &prefix)) {
    return invalid(field, absl::StrCat("\"", text, "\" is not of the form ADDRESS/PREFIX"));
  }
  const absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(text.substr(0, slash));
  if (!address.ok()) return invalid(field, address.status().message());
  const uint32_t bits = address->is_v4() ? 32 : 128;
  if (prefix < 1 || prefix > bits) {
    return invalid(field, absl::StrCat("prefix length ", prefix, " is outside 1..", bits));
  }
  if (address->is_unspecified() || address->is_multicast() || address->is_broadcast() ||
      address->is_loopback()) {
    return invalid(field, absl::StrCat(address->to_string(), " cannot be the address of an end"));
  }
  return host::InterfaceAddress{*address, static_cast<uint8_t>(prefix)};
}

absl::Status read_addresses(const v1::EndSpec& spec, absl::string_view name, uint32_t mtu,
                            EndPlan& plan) {
  const std::string field = absl::StrCat(name, ".addresses");
  std::vector<std::string> texts(spec.addresses().begin(), spec.addresses().end());
  if (texts.size() > kMaxAddresses) {
    return invalid(field, absl::StrCat(texts.size(), " are too many, at most ", kMaxAddresses));
  }
  if (texts.empty()) {
    const bool is_a = plan.side == v1::END_A;
    texts.push_back(is_a ? "192.0.2.1/24" : "192.0.2.2/24");
    if (mtu >= kMinMtuV6) texts.push_back(is_a ? "2001:db8::1/64" : "2001:db8::2/64");
  }
  for (const std::string& text : texts) {
    const absl::StatusOr<host::InterfaceAddress> address = read_address(text, field);
    if (!address.ok()) return address.status();
    if (address->address.is_v6() && mtu < kMinMtuV6) {
      return invalid("wire.mtu", absl::StrCat(mtu, " is below ", kMinMtuV6, ", which IPv6 needs (",
                                              name, " has ", text, ")"));
    }
    plan.addresses.push_back(*address);
    plan.address_texts.push_back(
        absl::StrCat(address->address.to_string(), "/", address->prefix_length));
  }
  return absl::OkStatus();
}

absl::Status read_end(const v1::EndSpec& spec, absl::string_view name, uint32_t mtu,
                      EndPlan& plan) {
  absl::Status status;
  switch (spec.kind_case()) {
    case v1::EndSpec::kStack:
      plan.kind = v1::END_KIND_STACK;
      status = read_stack(spec.stack(), name, plan);
      break;
    case v1::EndSpec::kKernel:
      plan.kind = v1::END_KIND_KERNEL;
      status = read_kernel(spec.kernel(), name, plan);
      break;
    case v1::EndSpec::kScripted:
      plan.kind = v1::END_KIND_SCRIPTED;
      break;
    case v1::EndSpec::KIND_NOT_SET:
      return invalid(name, "kind is not set; it must be stack, kernel or scripted");
  }
  if (!status.ok()) return status;
  return read_addresses(spec, name, mtu, plan);
}

absl::Status check_pair(const SessionPlan& plan) {
  bool common = false;
  for (const host::InterfaceAddress& a : plan.a.addresses) {
    for (const host::InterfaceAddress& b : plan.b.addresses) {
      if (a.address == b.address) {
        return invalid("b.addresses", absl::StrCat(b.address.to_string(), " is end A's"));
      }
      common = common || a.address.family() == b.address.family();
    }
  }
  if (!common) {
    return invalid("b.addresses", "the ends have no address family in common, so they cannot talk");
  }
  if (plan.a.kind == v1::END_KIND_SCRIPTED && plan.b.kind == v1::END_KIND_SCRIPTED) {
    return invalid("b", "both ends are scripted, so there is no TCP; one must be stack or kernel");
  }
  return absl::OkStatus();
}

absl::Status check_link(const SessionPlan& plan) {
  const bool kernel = plan.a.kind == v1::END_KIND_KERNEL || plan.b.kind == v1::END_KIND_KERNEL;
  const bool scripted =
      plan.a.kind == v1::END_KIND_SCRIPTED || plan.b.kind == v1::END_KIND_SCRIPTED;
  if (plan.virtual_clock() && plan.link != v1::LINK_KIND_MEMORY) {
    return invalid("wire.link", "a virtual clock needs LINK_KIND_MEMORY");
  }
  if (plan.link == v1::LINK_KIND_MEMORY && kernel) {
    return invalid("wire.link",
                   "a kernel end cannot be on LINK_KIND_MEMORY (nor have a virtual clock); use "
                   "LINK_KIND_VETH or LINK_KIND_TUN with CLOCK_REAL");
  }
  if (plan.link == v1::LINK_KIND_TUN && !kernel) {
    return invalid("wire.link",
                   "LINK_KIND_TUN needs a kernel end; without one use LINK_KIND_MEMORY or VETH");
  }
  if (plan.direct && scripted) {
    return invalid("wire.direct",
                   "a scripted end has no voice without the switch; set it to false");
  }
  if (plan.direct && plan.link == v1::LINK_KIND_TUN && plan.a.kind == plan.b.kind) {
    return invalid("wire.direct", "two kernel ends cannot share a TUN device; use LINK_KIND_VETH");
  }
  return absl::OkStatus();
}

absl::Status read_wire(const v1::WireSpec& wire, SessionPlan& plan) {
  plan.mtu = wire.has_mtu() ? wire.mtu() : 1500;
  if (plan.mtu < kMinMtuV4 || plan.mtu > kMaxMtu) {
    return invalid("wire.mtu", absl::StrCat(plan.mtu, " is outside ", kMinMtuV4, "..", kMaxMtu));
  }
  if (wire.has_log_bytes()) plan.log_bytes = wire.log_bytes();
  if (plan.log_bytes < 1 || plan.log_bytes > kMaxLogBytes) {
    return invalid("wire.log_bytes", absl::StrCat(plan.log_bytes, " is outside 1..", kMaxLogBytes));
  }
  plan.direct = wire.direct();
  plan.offloads = wire.has_offloads() ? wire.offloads() : plan.direct;
  if (!v1::LinkKind_IsValid(wire.link())) {
    return invalid("wire.link", absl::StrCat(static_cast<int>(wire.link()), " is no LinkKind"));
  }
  plan.link = wire.link();
  if (plan.link == v1::LINK_KIND_UNSPECIFIED) {
    plan.link = plan.virtual_clock() ? v1::LINK_KIND_MEMORY : v1::LINK_KIND_VETH;
  }
  return absl::OkStatus();
}

uint64_t draw_seed() {
  std::random_device device;
  const uint64_t seed = static_cast<uint64_t>(device()) << 32 | device();
  return seed == 0 ? 1 : seed;
}

}  // namespace

absl::StatusOr<SessionPlan> plan_session(const v1::CreateSessionRequest& request) {
  SessionPlan plan;
  plan.a.side = v1::END_A;
  plan.b.side = v1::END_B;
  plan.a.mac = packet::MacAddress{{0x02, 0, 0, 0, 0, 0x0A}};
  plan.b.mac = packet::MacAddress{{0x02, 0, 0, 0, 0, 0x0B}};
  if (!v1::Clock_IsValid(request.clock())) {
    return invalid("clock", absl::StrCat(static_cast<int>(request.clock()), " is no Clock"));
  }
  plan.clock = request.clock() == v1::CLOCK_UNSPECIFIED ? v1::CLOCK_REAL : request.clock();
  plan.lease = Lease::kDefault;
  absl::Status status = read_duration(request.has_lease(), request.lease(), "lease", Lease::kMin,
                                      Lease::kMax, plan.lease);
  if (status.ok()) status = read_wire(request.wire(), plan);
  if (status.ok()) status = read_end(request.a(), "a", plan.mtu, plan.a);
  if (status.ok()) status = read_end(request.b(), "b", plan.mtu, plan.b);
  if (status.ok()) status = check_pair(plan);
  if (status.ok()) status = check_link(plan);
  if (!status.ok()) return status;
  if (request.label().size() > kMaxLabel) {
    return invalid(
        "label", absl::StrCat(request.label().size(), " octets are too many, at most ", kMaxLabel));
  }
  if (request.request_id().size() > kMaxRequestId) {
    return invalid("request_id", absl::StrCat(request.request_id().size(),
                                              " octets are too many, at most ", kMaxRequestId));
  }
  plan.label = request.label();
  plan.seed = request.seed() != 0 ? request.seed() : draw_seed();
  return plan;
}

uint64_t derive_seed(uint64_t seed, uint64_t purpose) {
  // One step of splitmix64 (Steele, Lea, Flood 2014) from a state that both numbers determine.
  uint64_t z = seed + (purpose + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

}  // namespace tcproctor::server
