// SPDX-License-Identifier: Apache-2.0
// How packets get from the world to the wire and back: one port for each end that has a device. An
// Ethernet port over AF_PACKET on the wire's leg of a veth pair, an IP port over TUN or over memory
// (link::MemoryLink). A port strips and adds Ethernet headers, filters noise and finishes
// checksums that the end's offloads left open, so that the wire sees IP packets as they are meant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "server/wire/packet_meta.h"
#include "stack/link/link.h"
#include "stack/packet/ethernet.h"
#include "stack/run/event_loop.h"
#include "stack/run/scheduler.h"

namespace tcproctor::server {

// Both addresses are those that frames towards the end carry. The wire is no bridge: it puts them
// on itself, whatever the other end's frames had.
struct EthernetAddresses {
  packet::MacAddress end;   // of the end behind this port: destination of what we send
  packet::MacAddress peer;  // of the other end, as this end's neighbour table knows it: source
};

struct PortCounters {
  NoiseCounters noise;
  // Frames the kernel dropped before we read them, or that were longer than any buffer. Evidence is
  // missing: an environment error.
  uint64_t capture_drops = 0;
  // Packets the device would not take, or that found our queue full.
  uint64_t send_drops = 0;
};

class Port {
 public:
  using PacketCallback = std::function<void(std::span<const uint8_t> packet, const PacketMeta&)>;
  using LostCallback = std::function<void(const absl::Status&)>;

  // Octets that wait for a device that is busy; beyond it packets are dropped and counted.
  static constexpr size_t kMaxBacklogBytes = size_t{64} << 20;

  // `addresses` must be there for an Ethernet link and is not used for raw IP. `loop` may be null
  // for a link without descriptor. Scheduler and loop must outlive the port.
  Port(std::unique_ptr<link::Link> link, std::optional<EthernetAddresses> addresses,
       run::Scheduler& scheduler, run::EventLoop* loop);
  // Stops.
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // Begins to read. `on_packet` gets each IP packet the end sent (the octets live as long as the
  // call); `on_lost` is called once when the device is gone. INVALID_ARGUMENT: the link has a
  // descriptor and no loop was given, or it cannot be watched, or an Ethernet link has no
  // addresses.
  absl::Status start(PacketCallback on_packet, LostCallback on_lost);
  void stop();

  // Sends one IP packet towards the end. It leaves before the loop sleeps again, together with the
  // others of this turn.
  void send(std::span<const uint8_t> packet, const PacketMeta& meta);

  // Asks the kernel, so not for every packet.
  PortCounters counters();

 private:
  struct Waiting {
    std::vector<uint8_t> frame;
    host::FrameMeta meta;
  };

  void on_ready(run::Readiness ready);
  void read_soon();
  void read();
  void take(const link::ReceivedFrame& frame);
  bool strip_ethernet(std::span<const uint8_t>& bytes, packet::IpFamily& family);
  bool is_noise(std::span<const uint8_t> packet);
  void transmit(std::span<const uint8_t> frame, const host::FrameMeta& meta);
  void keep(std::vector<uint8_t> frame, const host::FrameMeta& meta);
  void flush();
  void request_flush();
  void watch_writable(bool wanted);
  void lose(const absl::Status& status);

  const std::unique_ptr<link::Link> link_;
  const std::optional<EthernetAddresses> addresses_;
  run::Scheduler& scheduler_;
  run::EventLoop* const loop_;
  PacketCallback on_packet_;
  LostCallback on_lost_;
  bool running_ = false;
  bool watching_writable_ = false;
  std::optional<run::TimerId> flush_timer_;
  std::optional<run::TimerId> read_timer_;
  std::vector<link::ReceivedFrame> frames_;
  std::vector<uint8_t> scratch_;  // a packet whose checksum must be finished before it is shown
  std::deque<Waiting> backlog_;
  size_t backlog_bytes_ = 0;
  NoiseCounters noise_;
  uint64_t send_drops_ = 0;
};

}  // namespace tcproctor::server
