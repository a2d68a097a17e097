// SPDX-License-Identifier: Apache-2.0
#include "server/session/environment.h"

#include <sys/utsname.h>

#include <array>
#include <fstream>
#include <thread>

#include "server/host/offload.h"
#include "server/host/sysctl.h"

namespace tcproctor::server {
namespace {

// Settings that change what a kernel's TCP sends, accepts or answers.
constexpr std::array kTelling = {
    "net.core.somaxconn",
    "net.ipv4.ip_default_ttl",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_autocorking",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_early_retrans",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv4.tcp_recovery",
    "net.ipv4.tcp_retries1",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_slow_start_after_idle",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
};

std::string first_line(const char* file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

void describe_machine(v1::Environment& environment) {
  utsname name{};
  if (::uname(&name) == 0) {
    environment.set_kernel_release(name.release);
    environment.set_machine(name.machine);
  }
  environment.set_processors(std::thread::hardware_concurrency());
  environment.set_clock_source(
      first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
  environment.set_load(first_line("/proc/loadavg"));
}

absl::Status read_settings(const Surroundings::EndPlace& place, v1::EndEnvironment& out) {
  if (place.ns == nullptr) return absl::OkStatus();
  for (const Sysctl& setting : place.given) (*out.mutable_given())[setting.name] = setting.value;
  std::vector<std::string> names(kTelling.begin(), kTelling.end());
  for (const Sysctl& setting : place.given) names.push_back(setting.name);
  const absl::StatusOr<std::vector<absl::StatusOr<std::string>>> values =
      read_sysctls(*place.ns, names);
  if (!values.ok()) return values.status();
  absl::Status status;
  for (size_t i = 0; i < names.size(); ++i) {
    const absl::StatusOr<std::string>& value = (*values)[i];
    if (value.ok()) (*out.mutable_settings())[names[i]] = *value;
    // This kernel may have no such setting.
    if (!absl::IsNotFound(value.status())) status.Update(value.status());
  }
  return status;
}

absl::Status read_offloads(const Surroundings::EndPlace& place, v1::EndEnvironment& out) {
  out.set_offloads_wanted(place.offloads_wanted);
  for (const Surroundings::Device& device : place.devices) {
    const absl::StatusOr<std::vector<std::string>> on = offloads_on(*device.ns, device.interface);
    if (!on.ok()) return on.status();
    for (const std::string& name : *on) out.add_offloads_on(device.interface + " " + name);
  }
  return absl::OkStatus();
}

}  // namespace

Surroundings surroundings_of(const SessionPlan& plan, const Plant& plant) {
  Surroundings out;
  out.virtual_clock = plan.virtual_clock();
  for (const EndPlan* end : {&plan.a, &plan.b}) {
    // What a remote end stands on is asked of its own daemon. A scripted one stands on nothing, but
    // on an interface of the machine.
    if (end->kind == v1::END_KIND_REMOTE) continue;
    if (end->kind == v1::END_KIND_SCRIPTED && !plan.on_interface()) continue;
    const EndPlant& mine = end->side == v1::END_A ? plant.a : plant.b;
    Surroundings::EndPlace& place = out.ends.emplace_back();
    place.side = end->side;
    place.offloads_wanted = plan.offloads || (plan.direct && !plan.on_interface());
    if (end->kind == v1::END_KIND_KERNEL) {
      place.ns = mine.ns;
      place.given = kernel_target_defaults();
      for (const Sysctl& setting : end->sysctls) {
        std::erase_if(place.given, [&](const Sysctl& s) { return s.name == setting.name; });
        place.given.push_back(setting);
      }
    }
    if (mine.ns != nullptr && !mine.interface.empty()) {
      place.devices.push_back({mine.ns, mine.interface});
    }
    if (plant.wire_ns != nullptr) {
      place.devices.push_back({plant.wire_ns, wire_leg_name(end->side)});
    }
  }
  return out;
}

absl::StatusOr<v1::Environment> look_around(const Surroundings& surroundings) {
  v1::Environment environment;
  describe_machine(environment);
  environment.set_clock(surroundings.virtual_clock ? v1::CLOCK_VIRTUAL : v1::CLOCK_REAL);
  environment.set_captured(surroundings.captured);
  environment.set_lost(surroundings.lost);
  for (const Surroundings::EndPlace& place : surroundings.ends) {
    v1::EndEnvironment& end = *environment.add_ends();
    end.set_end(place.side);
    absl::Status status = read_settings(place, end);
    if (status.ok()) status = read_offloads(place, end);
    if (!status.ok()) return status;
  }
  return environment;
}

}  // namespace tcproctor::server
