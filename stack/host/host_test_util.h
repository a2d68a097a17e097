// SPDX-License-Identifier: Apache-2.0
// For tests: two hosts on a perfect wire under virtual time, and a host that is fed crafted
// packets.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "stack/host/host.h"
#include "stack/packet/describe.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/ip.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::host {

inline packet::IpAddress ip(const char* text) {
  return *packet::IpAddress::parse(text);
}

inline constexpr packet::MacAddress kMacA{{2, 0, 0, 0, 0, 1}};
inline constexpr packet::MacAddress kMacB{{2, 0, 0, 0, 0, 2}};

inline std::unique_ptr<Host> make_host(HostConfig config) {
  auto host = Host::create(std::move(config));
  EXPECT_TRUE(host.ok()) << host.status();
  return *std::move(host);
}

inline HostConfig config_a(LinkLayer layer = LinkLayer::kEthernet) {
  HostConfig config;
  config.addresses = {{ip("192.0.2.1"), 24}, {ip("2001:db8::1"), 64}};
  config.link_layer = layer;
  config.mac = kMacA;
  config.seed = 1;
  return config;
}

inline HostConfig config_b(LinkLayer layer = LinkLayer::kEthernet) {
  HostConfig config = config_a(layer);
  config.addresses = {{ip("192.0.2.2"), 24}, {ip("2001:db8::2"), 64}};
  config.mac = kMacB;
  config.seed = 2;
  return config;
}

struct Frame {
  std::vector<uint8_t> bytes;
  FrameMeta meta;
};

// Everything `host` wants to send now.
inline std::vector<Frame> pull_all(Host& host, tcp::Instant now) {
  std::vector<uint8_t> buffer(65600);
  std::vector<Frame> frames;
  FrameMeta meta;
  while (const size_t length = host.next_frame(now, buffer, meta)) {
    frames.push_back({{buffer.begin(), buffer.begin() + static_cast<long>(length)}, meta});
    if (frames.size() > 100000) {
      ADD_FAILURE() << "the host never stops sending";
      break;
    }
  }
  return frames;
}

inline std::span<const uint8_t> ip_of(const Frame& frame, LinkLayer layer = LinkLayer::kEthernet) {
  return std::span(frame.bytes).subspan(layer == LinkLayer::kEthernet ? 14 : 0);
}

// The TCP segment in `frame`; fails the test when it is none or unsound.
inline packet::TcpSegment tcp_of(const Frame& frame, LinkLayer layer = LinkLayer::kEthernet) {
  packet::TcpSegment segment;
  const auto result =
      packet::parse_tcp_packet(ip_of(frame, layer), packet::ChecksumPolicy::kVerify, segment);
  EXPECT_EQ(result, packet::ParseResult::kOk) << to_string(result);
  return segment;
}

// Two hosts, A and B, and the wire between them.
class HostPair {
 public:
  HostPair() : HostPair(config_a(), config_b()) {}
  HostPair(HostConfig a_config, HostConfig b_config)
      : layer(a_config.link_layer),
        a(make_host(std::move(a_config))),
        b(make_host(std::move(b_config))) {}

  // Carries frames until both are silent.
  void pump() {
    for (int round = 0; round < 100000; ++round) {
      const bool moved = carry(*a, *b, true) | carry(*b, *a, false);
      drain(*a, events_a);
      drain(*b, events_b);
      if (!moved) return;
    }
    ADD_FAILURE() << "the hosts never fall silent";
  }

  // Lets time pass, timers fire and frames travel (in no time).
  void run_for(tcp::Duration duration) {
    const tcp::Instant until = now + duration;
    pump();
    for (;;) {
      std::optional<tcp::Instant> next;
      for (Host* host : {a.get(), b.get()}) {
        const auto deadline = host->next_deadline();
        if (deadline && (!next || *deadline < *next)) next = deadline;
      }
      if (!next || *next > until) break;
      now = std::max(now, *next);
      a->on_deadline(now);
      b->on_deadline(now);
      pump();
    }
    now = until;
  }

  tcp::State state(Host& host, ConnectionId id) {
    const auto status = host.status(now, id);
    EXPECT_TRUE(status.ok()) << status.status();
    return status.ok() ? status->state : tcp::State::kClosed;
  }

  // A listener on B and an active connection from A to it, ESTABLISHED on both; ids in a_id, b_id.
  void connect(const packet::IpAddress& b_address, uint16_t port = 80, uint16_t a_port = 0) {
    if (listener == 0) {
      const OpenResult passive =
          b->open(now, {.local = {packet::IpAddress::any(b_address.family()), port}});
      ASSERT_EQ(passive.outcome, tcp::Outcome::kOk);
      listener = passive.id;
    }
    const OpenResult active =
        a->open(now, {.active = true,
                      .local = {packet::IpAddress::any(b_address.family()), a_port},
                      .remote = packet::SocketAddress{b_address, port}});
    ASSERT_EQ(active.outcome, tcp::Outcome::kOk) << to_string(active.outcome);
    a_id = active.id;
    pump();
    const OpenResult accepted = b->accept(now, listener);
    ASSERT_EQ(accepted.outcome, tcp::Outcome::kOk) << to_string(accepted.outcome);
    b_id = accepted.id;
    EXPECT_EQ(state(*a, a_id), tcp::State::kEstablished);
    EXPECT_EQ(state(*b, b_id), tcp::State::kEstablished);
  }

  const LinkLayer layer;
  std::unique_ptr<Host> a;
  std::unique_ptr<Host> b;
  tcp::Instant now{std::chrono::seconds(1)};
  std::vector<HostEvent> events_a;
  std::vector<HostEvent> events_b;
  // Sees every frame; false loses it.
  std::function<bool(bool from_a, const Frame& frame)> tap;
  ConnectionId listener = 0;
  ConnectionId a_id = 0;
  ConnectionId b_id = 0;

 private:
  static void drain(Host& host, std::vector<HostEvent>& events) {
    HostEvent event;
    while (host.next_event(event)) events.push_back(event);
  }

  bool carry(Host& from, Host& to, bool from_a) {
    const std::vector<Frame> frames = pull_all(from, now);
    for (const Frame& frame : frames) {
      FrameMeta meta = frame.meta;
      meta.checksum_trusted = meta.checksum_partial;
      if (!tap || tap(from_a, frame)) to.on_frame(now, frame.bytes, meta);
    }
    return !frames.empty();
  }
};

// A crafted TCP packet for the raw-IP host B.
struct Crafted {
  packet::IpFields ip = {.source = packet::IpAddress::v4(192, 0, 2, 1),
                         .destination = packet::IpAddress::v4(192, 0, 2, 2)};
  packet::TcpHeader header = {.source_port = 1025, .destination_port = 80, .window = 65535};
  std::vector<uint8_t> payload = {};
  std::vector<uint8_t> options = {};  // a multiple of 4

  Frame frame() const {
    const packet::TcpPacketParts parts = {
        .ip = ip, .header = header, .options = options, .payload = payload};
    Frame out{.bytes = std::vector<uint8_t>(packet::tcp_packet_size(parts))};
    EXPECT_EQ(packet::build_tcp_packet(parts, out.bytes), out.bytes.size());
    return out;
  }
};

inline Frame with_ethernet(const Frame& packet, const packet::MacAddress& destination,
                           const packet::MacAddress& source, uint16_t ether_type) {
  Frame out{.bytes = std::vector<uint8_t>(14)};
  EXPECT_EQ(packet::write_ethernet({destination, source, ether_type}, out.bytes), 14u);
  out.bytes.insert(out.bytes.end(), packet.bytes.begin(), packet.bytes.end());
  return out;
}

}  // namespace tcproctor::host
