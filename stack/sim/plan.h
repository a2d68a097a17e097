// SPDX-License-Identifier: Apache-2.0
// What happens in a world: hosts, connections, what their users do, what the network does. Swarm:
// each world takes a random few of the features there are, so that rare combinations occur and
// common ones do not hide each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stack/host/host.h"
#include "stack/sim/choices.h"
#include "stack/sim/network.h"

namespace tcproctor::sim {

// The user of one end of a connection.
struct UserPlan {
  uint64_t bytes = 0;  // to send
  uint32_t write_chunk = 8192;
  tcp::Duration write_interval{0};  // 0: as fast as the send buffer takes it
  bool push = false;
  uint32_t urgent = 0;      // chance of a chunk to be urgent, in thousandths
  bool send_early = false;  // before ESTABLISHED
  uint32_t read_chunk = 65536;
  tcp::Duration read_interval{0};  // 0: when it is told that there is something
  tcp::Duration poll{0};           // not 0: it does not listen to events but looks this often
  bool close_last = false;         // CLOSE only after the peer's end of stream
  tcp::Duration close_delay{0};
  bool release = true;                     // gives the connection up when it is done
  std::optional<uint64_t> gives_up_after;  // octets sent and received: ABORT or release
  bool gives_up_by_release = false;
  bool changes_options = false;  // in mid-connection
};

enum class FlowKind : uint8_t {
  kClientServer,
  kSimultaneous,         // both OPEN active at the same moment
  kListenerTurnsActive,  // the client was a listener first (EM-LISTEN-OPEN-01)
};

struct FlowPlan {
  FlowKind kind = FlowKind::kClientServer;
  size_t hosts[2] = {0, 1};  // client, server
  bool v6 = false;
  uint16_t server_port = 80;  // of a listener, or of a simultaneous open
  uint16_t client_port = 0;
  tcp::Duration start{0};
  std::optional<size_t> follows;  // starts (`start` later) when that flow is over: same sockets
  UserPlan users[2];
  tcp::ConnectionOptions options;  // of the client; of both in a simultaneous open
};

struct ListenerPlan {
  size_t host = 1;
  uint16_t port = 80;
  uint32_t backlog = 128;
  tcp::Duration accept_delay{0};
  tcp::ConnectionOptions options;
};

struct HostPlan {
  uint32_t mtu = 1500;
  bool segmentation_offload = false;
  bool checksum_offload = false;
  bool trace = false;  // tells of every segment that is dropped
  tcp::Settings settings;
};

// Something that befalls the world at a moment.
struct Mishap {
  enum class Kind : uint8_t {
    kConditions,  // of the path from → to
    kVanish,      // all in flight from `from` vanish
    kReboot,      // of host `from`
    kSynFlood,    // `count` SYNs from nowhere to `port` of host `to`
    kForgery,     // `count` blind RSTs, SYNs, data segments and ICMP errors at live connections
  };
  tcp::Duration at{0};
  Kind kind = Kind::kConditions;
  size_t from = 0;
  size_t to = 1;
  Conditions conditions;
  uint32_t count = 0;
  uint16_t port = 0;
};

struct WorldPlan {
  host::LinkLayer layer = host::LinkLayer::kRawIp;
  bool keep_super_segments = false;
  tcp::Duration coalesce{0};  // frames that arrive within this come together
  std::vector<HostPlan> hosts;
  std::vector<ListenerPlan> listeners;
  std::vector<FlowPlan> flows;
  std::vector<Mishap> mishaps;       // in no order
  tcp::Duration fair_weather_at{0};  // from then on the network is good
  // Something a connection need not survive is planned.
  bool users_may_lose = false;
  std::string features;  // names, for a human
};

WorldPlan draw_plan(Choices& choices);

}  // namespace tcproctor::sim
