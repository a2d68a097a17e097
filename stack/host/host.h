// SPDX-License-Identifier: Apache-2.0
// What surrounds TCP on a host: demultiplexing, ports, ARP and ND, ICMP. Sans-IO like the core:
// frames go in, frames are pulled out, time is an argument. Not thread-safe: a host lives on one
// loop.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stack/host/counters.h"
#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"
#include "stack/tcp/event.h"
#include "stack/tcp/outcome.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/state.h"
#include "stack/tcp/status.h"
#include "stack/tcp/time.h"

namespace tcproctor::host {

// Names a connection or a listener of one Host; never reused, 0 is none.
using ConnectionId = uint64_t;

struct InterfaceAddress {
  packet::IpAddress address;
  uint8_t prefix_length = 24;
};

struct Neighbour {
  packet::IpAddress address;
  packet::MacAddress mac;
};

enum class LinkLayer : uint8_t { kEthernet, kRawIp };

struct HostConfig {
  std::vector<InterfaceAddress> addresses;  // at least one
  LinkLayer link_layer = LinkLayer::kEthernet;
  packet::MacAddress mac;             // own address on Ethernet
  uint32_t mtu = 1500;                // octets of an IP packet; 68 (v4) / 1280 (v6) .. 65535
  std::vector<Neighbour> neighbours;  // known without ARP or ND
  std::optional<packet::IpAddress> gateway_v4;  // for destinations off the prefix
  std::optional<packet::IpAddress> gateway_v6;
  tcp::Settings tcp;
  uint64_t seed = 0;  // source of every random choice: ISN secret, ports, hash secret
  bool segmentation_offload = false;  // the link takes super-segments (vnet header)
  bool checksum_offload = false;  // the link finishes checksums; needed for segmentation_offload
  // The trace's events (see tcp::Event::Kind), with kDropped also for segments that a bad checksum
  // or the like keeps from TCP, and for those to no connection.
  bool trace = false;
};

// What travels with a frame beside its bytes.
struct FrameMeta {
  bool checksum_trusted = false;  // received: the link vouches for the checksum (vnet header)
  // Only the pseudo-header sum is in the checksum field of TCP. To send: the link finishes it.
  // Received: the sender's offload left it so; the data is sound (checksum_trusted is set as well).
  bool checksum_partial = false;
  uint16_t checksum_start = 0;  // octets from the frame's start to the TCP header (if partial)
  uint16_t gso_size = 0;        // payload octets per segment of a super-segment; 0 = none
};

struct OpenParameters {
  bool active = false;
  // Port 0 and an unspecified address mean: choose one (active) / any (passive, address only).
  packet::SocketAddress local;
  // Optional for a passive OPEN ("unspecified remote socket"); required for an active one.
  std::optional<packet::SocketAddress> remote;
  uint32_t backlog = 128;  // passive: completed connections waiting for ACCEPT, 1..65535
  tcp::ConnectionOptions options;
  // Active: the first octets to send, as if by SEND right after OPEN; with options.fast_open and a
  // cookie of the server they go with the SYN (RFC 7413). As many are taken as fit the send buffer.
  std::span<const uint8_t> data;
};

// Outcomes of OPEN besides kOk:
//  kRemoteUnspecified: active without a remote socket, or its port is 0.
//  kInvalidRemote: broadcast, multicast, unspecified, loopback or own address (MUST-46).
//  kInvalidLocal: not an address of this host, or of another family than the remote's.
//  kUnreachable: no address of the remote's family, or off all prefixes and no gateway.
//  kAddressInUse: a listener holds the local socket.
//  kConnectionExists: the socket pair is in use.  kSocketPairInTimeWait: … in TIME-WAIT.
//  kInsufficientResources: no free local port towards this remote; or options that tcp::validate()
//  refuses (ask it first, it gives the reason).
//  kQuietTime: active, within Settings::quiet_time of the host's first call.
struct OpenResult {
  tcp::Outcome outcome = tcp::Outcome::kOk;
  ConnectionId id = 0;  // valid when outcome is kOk
  size_t accepted = 0;  // octets of OpenParameters::data
};

using SendResult = tcp::SendResult;
using ReceiveResult = tcp::ReceiveResult;

// What was dropped, as a user would look for it in a capture.
struct DroppedSegment {
  packet::FourTuple pair;  // local is ours
  bool icmp = false;       // an ICMP message that quotes a segment of ours
  uint32_t sequence_number = 0, acknowledgment_number = 0;
  uint16_t flags = 0;
  uint32_t length = 0;  // octets of text
};

struct HostEvent {
  ConnectionId id = 0;        // 0: of no connection
  ConnectionId listener = 0;  // for connections born of a listener
  tcp::Event event;
  uint64_t step = 0;  // the same for all that one segment, call or timer made one TCB tell; from 1
  std::optional<DroppedSegment> dropped;  // kDropped
};

// Half-open connections of a listener (S001-syn-1).
struct HalfOpenSummary {
  uint32_t count = 0;
  tcp::Duration oldest_age{0};
  uint32_t distinct_sources = 0;
  uint64_t cookies_sent = 0;  // SYN,ACKs sent as cookies since start
  uint64_t cookies_accepted = 0;
  uint64_t dropped = 0;  // SYNs not answered
  uint32_t bytes_per_entry = 0;
};

class Host {
 public:
  // INVALID_ARGUMENT names the field that is wrong.
  static absl::StatusOr<std::unique_ptr<Host>> create(HostConfig config);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // --- network side ---
  // Takes one received frame (Ethernet or IP, as configured). Never fails: what is malformed is
  // counted and dropped.
  void on_frame(tcp::Instant now, std::span<const uint8_t> frame, const FrameMeta& meta);
  // Pulls the next frame to send into `buffer` (>= 65,550 octets), returns its length; 0 = nothing
  // to send now.
  size_t next_frame(tcp::Instant now, std::span<uint8_t> buffer, FrameMeta& meta);
  // When on_deadline must be called next; nothing = no timer runs.
  std::optional<tcp::Instant> next_deadline() const;
  void on_deadline(tcp::Instant now);

  // --- user/TCP interface, RFC 9293 §3.9.1; none of them waits ---
  OpenResult open(tcp::Instant now, const OpenParameters& parameters);
  // OPEN active on a listener (LISTEN -> SYN-SENT, EM-LISTEN-OPEN-01).
  tcp::Outcome open_active(tcp::Instant now, ConnectionId listener,
                           const packet::SocketAddress& remote);
  // Next established connection of a listener; id 0 with kWouldBlock when there is none.
  OpenResult accept(tcp::Instant now, ConnectionId listener);
  SendResult send(tcp::Instant now, ConnectionId id, std::span<const uint8_t> data, bool push,
                  bool urgent);
  ReceiveResult receive(tcp::Instant now, ConnectionId id, std::span<uint8_t> buffer);
  // CLOSE: send FIN after queued data and go on receiving.
  tcp::Outcome close(tcp::Instant now, ConnectionId id);
  // Gives the connection up as close(2) does: CLOSE; unread or later data is answered with RST
  // (SHLD-3); the id is forgotten by its user but stays listed until CLOSED.
  tcp::Outcome release(tcp::Instant now, ConnectionId id);
  tcp::Outcome abort(tcp::Instant now, ConnectionId id);
  // NOT_FOUND when no such id was ever given out or it is forgotten; a CLOSED connection stays
  // readable for a while (the last 1,024 are kept, but not half-open ones that never became more
  // than a small entry of the SYN cache). RECEIVE still gives what was unread of the last 64 of
  // them.
  absl::StatusOr<tcp::Status> status(tcp::Instant now, ConnectionId id) const;
  std::vector<ConnectionId> list() const;  // listeners, embryonic, all states, just-CLOSED
  absl::StatusOr<tcp::ConnectionOptions> options(ConnectionId id) const;
  // Options that only matter before the SYN (mss, window_scale, …) are refused afterwards:
  // FAILED_PRECONDITION names them.
  absl::Status set_options(tcp::Instant now, ConnectionId id,
                           const tcp::ConnectionOptions& options);
  HalfOpenSummary half_open(tcp::Instant now, ConnectionId listener) const;

  // Pulls the next event (state changes, errors, urgent data, alarms), in order. Of more than
  // 65,536 that nobody pulled the newest are lost.
  bool next_event(HostEvent& event);

  // What was received, dropped and why, since create().
  const HostCounters& counters() const;

 private:
  class Impl;
  explicit Host(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tcproctor::host
