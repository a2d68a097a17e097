// SPDX-License-Identifier: Apache-2.0
// The inside of a Host. Where to look:
//   ingress.cc     frames in: Ethernet, ARP, ND, IP, ICMP, TCP to its connection
//   egress.cc      frames out: the host's own answers, then what connections want sent
//   lifecycle.cc   what follows every call of a TCB: events, timers, birth, TIME-WAIT, death
//   user_calls.cc  RFC 9293 §3.9.1
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "stack/host/address_book.h"
#include "stack/host/connection_table.h"
#include "stack/host/counters.h"
#include "stack/host/deadline_heap.h"
#include "stack/host/fast_open_cache.h"
#include "stack/host/fifo.h"
#include "stack/host/host.h"
#include "stack/host/neighbours.h"
#include "stack/host/path_mtu_table.h"
#include "stack/host/ports.h"
#include "stack/packet/arp.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/nd.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/segment_out.h"

namespace tcproctor::host {

class Host::Impl {
 public:
  explicit Impl(HostConfig config);

  // ingress.cc
  void on_frame(tcp::Instant now, std::span<const uint8_t> frame, const FrameMeta& meta);

  // egress.cc
  size_t next_frame(tcp::Instant now, std::span<uint8_t> buffer, FrameMeta& meta);

  // lifecycle.cc
  std::optional<tcp::Instant> next_deadline() const;
  void on_deadline(tcp::Instant now);
  bool next_event(HostEvent& event);

  // user_calls.cc
  OpenResult open(tcp::Instant now, const OpenParameters& parameters);
  tcp::Outcome open_active(tcp::Instant now, ConnectionId listener,
                           const packet::SocketAddress& remote);
  OpenResult accept(tcp::Instant now, ConnectionId listener);
  SendResult send(tcp::Instant now, ConnectionId id, std::span<const uint8_t> data, bool push,
                  bool urgent);
  ReceiveResult receive(tcp::Instant now, ConnectionId id, std::span<uint8_t> buffer);
  tcp::Outcome close(tcp::Instant now, ConnectionId id);
  tcp::Outcome release(tcp::Instant now, ConnectionId id);
  tcp::Outcome abort(tcp::Instant now, ConnectionId id);
  absl::StatusOr<tcp::Status> status(tcp::Instant now, ConnectionId id) const;
  std::vector<ConnectionId> list() const;
  absl::StatusOr<tcp::ConnectionOptions> options(ConnectionId id) const;
  absl::Status set_options(tcp::Instant now, ConnectionId id,
                           const tcp::ConnectionOptions& options);
  HalfOpenSummary half_open(tcp::Instant now, ConnectionId listener) const;

  const HostCounters& counters() const { return counters_; }

 private:
  using Index = ConnectionTable::Index;

  // ingress.cc
  void on_arp(tcp::Instant now, std::span<const uint8_t> bytes);
  void on_ip(tcp::Instant now, std::span<const uint8_t> packet, const FrameMeta& meta,
             const packet::EthernetHeader* ethernet);
  void on_icmp(tcp::Instant now, const packet::IpPacket& ip,
               const packet::EthernetHeader* ethernet);
  void on_neighbour_message(const packet::IpPacket& ip, const packet::EthernetHeader* ethernet);
  void on_echo_request(const packet::IpPacket& ip, const packet::IcmpMessage& request);
  void on_icmp_error(tcp::Instant now, const packet::IcmpMessage& message);
  void on_tcp(tcp::Instant now, const packet::IpPacket& ip, bool checksum_trusted);
  void segment_arrives(tcp::Instant now, const packet::TcpSegment& segment);
  void segment_to_time_wait(tcp::Instant now, Index index, const packet::TcpSegment& segment);
  void segment_to_listener(tcp::Instant now, Index index, const packet::TcpSegment& segment,
                           std::optional<tcp::SeqNum> iss_above);
  void learn(const packet::IpAddress& address, const packet::MacAddress& mac, bool create);
  void count(Drop drop) { ++counters_.drops[static_cast<size_t>(drop)]; }
  // Within Settings::quiet_time of the first call. The first call to ask starts the time.
  bool is_quiet(tcp::Instant now);

  // egress.cc
  // A packet or frame of the host itself, ready but for what is said.
  struct OwnFrame {
    std::vector<uint8_t> bytes;  // complete, Ethernet header included
    FrameMeta meta;
  };
  struct OwnPacket {
    packet::IpAddress destination;
    std::vector<uint8_t> bytes;  // an IP packet: the next hop is still to be found
  };
  using Own = std::variant<tcp::SegmentOut, OwnPacket, OwnFrame>;
  void queue_own(Own own);
  void ask_for(const packet::IpAddress& neighbour);
  size_t emit_own(tcp::Instant now, const Own& own, std::span<uint8_t> buffer, FrameMeta& meta);
  size_t emit_segment(tcp::Instant now, const tcp::SegmentOut& segment, std::span<uint8_t> buffer,
                      FrameMeta& meta);
  size_t frame_ip(tcp::Instant now, const packet::IpAddress& destination, size_t ip_bytes,
                  std::span<uint8_t> buffer, FrameMeta& meta);
  bool pull(tcp::Instant now, Index index, tcp::SegmentOut& segment);
  uint16_t next_identification(const packet::IpAddress& destination, size_t packets);
  size_t link_header() const {
    return config_.link_layer == LinkLayer::kEthernet ? packet::kEthernetHeaderBytes : 0;
  }

  // lifecycle.cc
  // To be called after every call of the TCB in `index`.
  void settle(tcp::Instant now, Index index);
  // Sets the timer of a TCB to the earliest of its own.
  void set_deadline(Index index);
  void settle_connection(tcp::Instant now, Index index);
  void settle_listener(tcp::Instant now, Index index);
  void settle_time_wait(tcp::Instant now, Index index);
  void drain_connection(Index index);
  // `later`: takes kAcceptable, which must follow the events of the connection it speaks of.
  void drain_listener(Index index, std::vector<HostEvent>* later = nullptr);
  void follow_reopening(const tcp::ListenerEvent& event);
  void ask_for_room(Slot& slot);
  void tell_listener(tcp::Instant now, Index index);
  // It has nothing more to send: a dead one is buried, a TIME-WAIT shrinks.
  void sent_everything(tcp::Instant now, Index index);
  void make_ready(Index index);
  void take_news(tcp::Instant now, Index index);
  void spread_path_mtu(tcp::Instant now, const packet::IpAddress& remote,
                       const std::optional<tcp::PathMtuNews>& news);
  void bury(Index index, tcp::Status status);
  void end_time_wait(tcp::Instant now, Index index, std::string_view cause);
  Index adopt(tcp::Instant now, Index listener, tcp::Promoted promoted);
  void close_listener(tcp::Instant now, Index index, std::string_view cause);
  void forget_embryonic(const Slot& listener, tcp::Instant now, std::string_view cause);
  void abandon_unaccepted(tcp::Instant now, ConnectionId listener);
  void stop_reopening(Index time_wait);
  void emit(HostEvent event);
  void trace_drop(tcp::Instant now, std::string_view cause);
  tcp::Status status_of(tcp::Instant now, const Slot& slot) const;

  // user_calls.cc
  OpenResult open_listener(tcp::Instant now, const OpenParameters& parameters);
  OpenResult open_connection(tcp::Instant now, const OpenParameters& parameters);
  tcp::Outcome check_remote(const std::optional<packet::SocketAddress>& remote) const;
  tcp::Outcome resolve_local(packet::SocketAddress& local,
                             const packet::SocketAddress& remote) const;
  tcp::Outcome check_pair(const packet::FourTuple& pair) const;
  tcp::Outcome become_active(tcp::Instant now, Index index,
                             const std::optional<packet::SocketAddress>& remote);
  tcp::SharedOptions shared(const tcp::ConnectionOptions& options);
  tcp::ConnectionConfig connection_config(tcp::Instant now, const packet::FourTuple& tuple,
                                          const tcp::SharedOptions& options) const;
  // The slot of `id`, an embryonic connection being made a full one for it.
  std::optional<Index> find_or_promote(tcp::Instant now, ConnectionId id);
  const Slot* listener_of_embryonic(tcp::Instant now, ConnectionId id) const;
  tcp::Outcome closed_outcome(ConnectionId id) const;

  const HostConfig config_;
  const AddressBook addresses_;
  const tcp::Secret secret_;  // of ISNs, timestamps and cookies
  HostCounters counters_;
  std::optional<tcp::Instant> started_;

  NeighbourTable neighbours_;
  PathMtuTable path_mtus_;
  FastOpenCache fast_open_;
  PortChooser ports_;
  const SecretHash identification_hash_;
  std::array<uint16_t, 256> identifications_{};

  // Outlives the table's connections. Only connections change it, those of const calls as well.
  mutable tcp::ReassemblyBudget reassembly_;
  ConnectionTable table_;
  ConnectionId next_id_ = 1;
  tcp::SharedOptions opened_last_;
  DeadlineHeap<tcp::Instant> deadlines_;
  // May have something to send, first come first served. An entry whose id is not its slot's is
  // stale.
  struct Ready {
    Index index = 0;
    ConnectionId id = 0;
  };
  Fifo<Ready> ready_;
  Fifo<Own> own_;
  Fifo<HostEvent> events_;
  uint64_t step_ = 1;                       // counts settle(): what a TCB tells at once
  std::optional<DroppedSegment> arriving_;  // with trace: what is being looked at

  // TIME-WAITs whose pair a listener is judging a SYN for, with the id of that embryonic connection
  // (0 until it is known, and for a cookie). Few at any time.
  struct Reopening {
    Index time_wait;
    ConnectionId embryonic;
  };
  std::vector<Reopening> reopening_;
  bool judging_reopening_ = false;  // the listener has the SYN for reopening_.back() right now

  // Scratch space, kept to spare allocations.
  std::vector<WaitingFrame> released_;
  std::vector<packet::IpAddress> ask_again_;
  std::vector<packet::IpAddress> aged_paths_;
  std::vector<Ready> due_;
};

}  // namespace tcproctor::host
