// SPDX-License-Identifier: Apache-2.0
// What a session finds on the machine: settings, offloads, clock. For a preflight, which proves the
// environment before anything is judged in it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/host/namespace.h"
#include "server/session/plan.h"
#include "server/session/plant.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::server {

// Where to look. Holds the namespaces, so that they are there while somebody looks.
struct Surroundings {
  struct Device {
    std::shared_ptr<NetworkNamespace> ns;
    std::string interface;
  };
  struct EndPlace {
    v1::End side = v1::END_UNSPECIFIED;
    std::shared_ptr<NetworkNamespace> ns;  // of a kernel end: where its settings are
    std::vector<Sysctl> given;             // what was set there
    std::vector<Device> devices;           // the end's, and the wire's on the other side
    bool offloads_wanted = false;
  };
  std::vector<EndPlace> ends;
  bool virtual_clock = false;
  uint64_t captured = 0;  // packets in the log so far
  uint64_t lost = 0;      // frames the capture lost
};

Surroundings surroundings_of(const SessionPlan& plan, const Plant& plant);

// Takes the kernel's time: for a worker thread. INTERNAL: the kernel's own words.
absl::StatusOr<v1::Environment> look_around(const Surroundings& surroundings);

}  // namespace tcproctor::server
