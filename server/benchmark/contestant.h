// SPDX-License-Identifier: Apache-2.0
// A TCP that is measured: a server that offers four services, each on a port of its own, to a peer
// that is always the kernel. The peer does all measuring, so that a contestant is nothing but a TCP
// and the least program on top of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "stack/packet/ethernet.h"

namespace tcproctor::server::benchmark {

inline constexpr char kPeerAddress[] = "192.0.2.1";  // /24
inline constexpr char kContestantAddress[] = "192.0.2.2";

inline constexpr uint16_t kEchoPort = 7;      // sends back what comes
inline constexpr uint16_t kDiscardPort = 9;   // reads and forgets
inline constexpr uint16_t kChargenPort = 19;  // sends as much as it may
inline constexpr uint16_t kClosePort = 80;    // closes when the peer has
inline constexpr std::array kPorts = {kEchoPort, kDiscardPort, kChargenPort, kClosePort};

// What each program reads or writes with one call at most.
inline constexpr size_t kChunk = 256 * 1024;
inline constexpr int kBacklog = 1024;

// The contestant's end of the wire. The calling thread is in the namespace of the interface.
struct Place {
  std::string interface;   // of a veth pair; empty for TUN
  packet::MacAddress mac;  // of that interface
  packet::MacAddress peer_mac;
  int tun_fd = -1;           // taken over
  bool vnet_header = false;  // super-segments and unfinished checksums both ways
  bool busy_poll = false;    // never sleeps
};

// Serves until the process is killed, having called `ready` once when the ports are open. Returns
// only when it cannot begin.
using Serve = absl::Status(Place place, absl::FunctionRef<void()> ready);
Serve serve_kernel;  // its address is on the interface
Serve serve_stack;
Serve serve_lwip;  // ignores vnet_header: one packet for each call

}  // namespace tcproctor::server::benchmark
