// SPDX-License-Identifier: Apache-2.0
#include "server/session/plan.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/end/stack_options.h"
#include "server/session/lease.h"
#include "server/session/request_book.h"
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

// The end's own, where the request gives none.
std::vector<host::InterfaceAddress> default_addresses(const SessionPlan& plan, const EndPlan& end,
                                                      const Place& place) {
  if (end.kind == v1::END_KIND_REMOTE) return {};
  if (plan.on_interface()) {
    const bool machines = end.kind == v1::END_KIND_KERNEL || plan.shares_addresses();
    return machines ? place.own_addresses : place.addresses;
  }
  const uint8_t last = end.side == v1::END_A ? 1 : 2;
  std::vector<host::InterfaceAddress> addresses;
  addresses.push_back({packet::IpAddress::v4(192, 0, 2, last), 24});
  if (plan.mtu >= kMinMtuV6) {
    addresses.push_back({*packet::IpAddress::parse(last == 1 ? "2001:db8::1" : "2001:db8::2"), 64});
  }
  return addresses;
}

// The machine's own addresses are its kernel's, and of nobody else.
absl::Status check_owner(const SessionPlan& plan, const EndPlan& end,
                         const packet::IpAddress& address, absl::string_view field,
                         const Place& place) {
  const bool own = std::any_of(place.own_addresses.begin(), place.own_addresses.end(),
                               [&](const auto& entry) { return entry.address == address; });
  const bool machines = end.kind == v1::END_KIND_KERNEL ||
                        (end.kind == v1::END_KIND_STACK && plan.shares_addresses());
  if (own == machines) return absl::OkStatus();
  if (!own) {
    return invalid(field, absl::StrCat(address.to_string(), " is none of this machine's on ",
                                       place.interface, ", so its kernel does not have it"));
  }
  return invalid(field, absl::StrCat(address.to_string(), " is this machine's own, and its kernel ",
                                     "would answer; it must be free on the link"));
}

absl::Status read_addresses(const v1::EndSpec& spec, absl::string_view name,
                            const SessionPlan& plan, const Place& place, EndPlan& end) {
  const std::string field = absl::StrCat(name, ".addresses");
  if (spec.addresses_size() > kMaxAddresses) {
    return invalid(field,
                   absl::StrCat(spec.addresses_size(), " are too many, at most ", kMaxAddresses));
  }
  const bool remote = end.kind == v1::END_KIND_REMOTE;
  for (const std::string& text : spec.addresses()) {
    const absl::StatusOr<host::InterfaceAddress> address =
        parse_interface_address(text, field, !remote);
    if (!address.ok()) return address.status();
    end.addresses.push_back(*address);
  }
  if (end.addresses.empty()) end.addresses = default_addresses(plan, end, place);
  if (end.addresses.empty() && !remote) {
    return invalid(field, end.kind == v1::END_KIND_KERNEL
                              ? absl::StrCat("interface ", place.interface, " has none")
                              : "must name one that is free on the link; tcproctord's flag "
                                "--interface-addresses sets what is taken by itself");
  }
  for (const host::InterfaceAddress& entry : end.addresses) {
    if (entry.address.is_v6() && plan.mtu < kMinMtuV6) {
      return invalid("wire.mtu",
                     absl::StrCat(plan.mtu, " is below ", kMinMtuV6, ", which IPv6 needs (", name,
                                  " has ", to_text(entry), ")"));
    }
    if (plan.on_interface()) {
      const absl::Status status = check_owner(plan, end, entry.address, field, place);
      if (!status.ok()) return status;
    }
    end.address_texts.push_back(to_text(entry));
  }
  if (plan.on_interface() && !remote) {
    end.mac = end.kind == v1::END_KIND_KERNEL ? place.mac
                                              : own_mac(place.mac, end.addresses.front().address);
  }
  return absl::OkStatus();
}

absl::Status read_end(const v1::EndSpec& spec, absl::string_view name, const SessionPlan& session,
                      const Place& place, EndPlan& plan) {
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
    case v1::EndSpec::kRemote:
      plan.kind = v1::END_KIND_REMOTE;
      if (!session.on_interface()) {
        status = invalid(name, "a remote end is reached through wire.link LINK_KIND_INTERFACE");
      }
      break;
    case v1::EndSpec::KIND_NOT_SET:
      return invalid(name, "kind is not set; it must be stack, kernel, scripted or remote");
  }
  if (!status.ok()) return status;
  return read_addresses(spec, name, session, place, plan);
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
  const EndPlan* const remote = plan.a.kind == v1::END_KIND_REMOTE   ? &plan.a
                                : plan.b.kind == v1::END_KIND_REMOTE ? &plan.b
                                                                     : nullptr;
  if (remote != nullptr) {
    const v1::EndKind here = plan.peer(remote->side).kind;
    const absl::string_view name = remote == &plan.a ? "a" : "b";
    if (here == v1::END_KIND_REMOTE) {
      return invalid("b", "both ends are remote, so there is nothing to do here");
    }
    if (remote->addresses.empty() && here == v1::END_KIND_SCRIPTED) {
      return invalid(absl::StrCat(name, ".addresses"),
                     "the address of the remote end is needed, so that its packets can be told");
    }
    // Whoever it is.
    if (remote->addresses.empty()) return absl::OkStatus();
  } else if (plan.on_interface()) {
    return invalid("b", "on LINK_KIND_INTERFACE one end is remote");
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

absl::Status read_gateways(const v1::InterfaceLink& link, const Place& place, SessionPlan& plan) {
  std::vector<packet::IpAddress> gateways =
      link.gateways().empty() ? place.gateways : decltype(place.gateways)();
  for (const std::string& text : link.gateways()) {
    const auto gateway = parse_interface_address(text, "wire.interface.gateways", false);
    if (!gateway.ok()) return gateway.status();
    gateways.push_back(gateway->address);
  }
  for (const packet::IpAddress& gateway : gateways) {
    std::optional<packet::IpAddress>& known = gateway.is_v4() ? plan.gateway_v4 : plan.gateway_v6;
    if (known) {
      return invalid("wire.interface.gateways",
                     absl::StrCat(known->to_string(), " and ", gateway.to_string(),
                                  " are of one family; at most one of each"));
    }
    known = gateway;
  }
  return absl::OkStatus();
}

absl::Status read_interface(const v1::WireSpec& wire, const Place& place, SessionPlan& plan) {
  if (place.interface.empty()) {
    return absl::FailedPreconditionError(
        "wire.link: this daemon was given no interface of the machine (tcproctord --interface)");
  }
  if (!wire.interface().name().empty() && wire.interface().name() != place.interface) {
    return absl::FailedPreconditionError(
        absl::StrCat("wire.interface.name: sessions of this daemon may use ", place.interface,
                     ", not ", wire.interface().name()));
  }
  static std::atomic<uint64_t> owners = 0;
  plan.owner = ++owners;
  plan.interface = place.interface;
  if (!wire.has_mtu()) plan.mtu = place.mtu;
  if (plan.mtu > place.mtu) {
    return invalid("wire.mtu",
                   absl::StrCat(plan.mtu, " is above ", place.mtu, ", that of ", place.interface));
  }
  if (wire.offloads()) {
    return invalid("wire.offloads", "an interface that the machine has is left as it is");
  }
  if (wire.interface().has_shared_ports()) {
    const v1::PortRange& ports = wire.interface().shared_ports();
    if (ports.first() < 1 || ports.first() > ports.last() || ports.last() > 65535) {
      return invalid(
          "wire.interface.shared_ports",
          absl::StrCat(ports.first(), " to ", ports.last(), " is no range of ports; 1..65535"));
    }
    plan.shared_first_port = static_cast<uint16_t>(ports.first());
    plan.shared_last_port = static_cast<uint16_t>(ports.last());
  }
  return read_gateways(wire.interface(), place, plan);
}

// Active OPENs choose among the ports that the end has.
absl::Status share_ports(SessionPlan& plan) {
  for (EndPlan* end : {&plan.a, &plan.b}) {
    if (end->kind != v1::END_KIND_STACK) continue;
    end->settings.ephemeral_first = plan.shared_first_port;
    end->settings.ephemeral_last = plan.shared_last_port;
    return absl::OkStatus();
  }
  return invalid("wire.interface.shared_ports", "is for a stack end");
}

absl::Status read_wire(const v1::WireSpec& wire, const Place& place, SessionPlan& plan) {
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
  if (plan.on_interface()) return read_interface(wire, place, plan);
  if (wire.has_interface()) return invalid("wire.interface", "belongs to LINK_KIND_INTERFACE");
  return absl::OkStatus();
}

uint64_t draw_seed() {
  std::random_device device;
  const uint64_t seed = static_cast<uint64_t>(device()) << 32 | device();
  return seed == 0 ? 1 : seed;
}

}  // namespace

absl::StatusOr<SessionPlan> plan_session(const v1::CreateSessionRequest& request,
                                         const Place& place) {
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
  if (status.ok()) status = read_wire(request.wire(), place, plan);
  if (status.ok()) status = read_end(request.a(), "a", plan, place, plan.a);
  if (status.ok()) status = read_end(request.b(), "b", plan, place, plan.b);
  if (status.ok()) status = check_pair(plan);
  if (status.ok()) status = check_link(plan);
  if (status.ok() && plan.shares_addresses()) status = share_ports(plan);
  if (!status.ok()) return status;
  if (request.label().size() > kMaxLabel) {
    return invalid(
        "label", absl::StrCat(request.label().size(), " octets are too many, at most ", kMaxLabel));
  }
  status = check_request_id(request.request_id());
  if (!status.ok()) return status;
  // No switch between a TCP and other machines: what it sends leaves as it is.
  if (plan.on_interface()) {
    plan.direct = plan.a.kind != v1::END_KIND_SCRIPTED && plan.b.kind != v1::END_KIND_SCRIPTED;
    plan.offloads = false;
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
