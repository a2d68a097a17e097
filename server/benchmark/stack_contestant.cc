// SPDX-License-Identifier: Apache-2.0
// Our TCP as the daemon runs it: a Host on a link, driven by an event loop.
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/benchmark/contestant.h"
#include "stack/link/host_loop.h"
#include "stack/link/packet_socket.h"
#include "stack/link/tun_link.h"
#include "stack/run/event_loop.h"
#include "stack/run/scheduler.h"

namespace tcproctor::server::benchmark {
namespace {

class StackServer {
 public:
  StackServer(host::Host& host, link::HostLoop& loop) : host_(host), loop_(loop) {
    loop_.set_on_event([this](const host::HostEvent& event) { on_event(event); });
  }

  absl::Status open_ports() {
    for (const uint16_t port : kPorts) {
      host::OpenParameters open = {.local = {*packet::IpAddress::parse(kContestantAddress), port},
                                   .backlog = kBacklog};
      open.options.no_delay = true;
      const host::OpenResult result = host_.open(loop_.now(), open);
      if (result.outcome != tcp::Outcome::kOk) return absl::InternalError("OPEN failed");
      ports_[result.id] = port;
    }
    return absl::OkStatus();
  }

 private:
  void on_event(const host::HostEvent& event) {
    using Kind = tcp::Event::Kind;
    if (event.event.kind == Kind::kAcceptable) {
      for (;;) {
        const host::OpenResult accepted = host_.accept(loop_.now(), event.id);
        if (accepted.outcome != tcp::Outcome::kOk) return;
        const uint16_t port = ports_.at(event.id);
        connections_[accepted.id] = port;
        serve(accepted.id, port);
      }
    }
    const auto it = connections_.find(event.id);
    if (it == connections_.end()) return;
    if (event.event.kind == Kind::kReadable || event.event.kind == Kind::kWritable) {
      serve(event.id, it->second);
    } else if (event.event.to == tcp::State::kClosed) {
      connections_.erase(it);
    }
  }

  void serve(host::ConnectionId id, uint16_t port) {
    if (port == kChargenPort) {
      while (host_.send(loop_.now(), id, buffer_, false, false).accepted == buffer_.size()) {
      }
      return;
    }
    for (;;) {
      const tcp::ReceiveResult got = host_.receive(loop_.now(), id, buffer_);
      if (got.outcome == tcp::Outcome::kEndOfStream) {
        connections_.erase(id);
        host_.release(loop_.now(), id);
        return;
      }
      if (got.received == 0) return;
      if (port == kEchoPort) {
        host_.send(loop_.now(), id, std::span(buffer_).first(got.received), true, false);
      }
    }
  }

  host::Host& host_;
  link::HostLoop& loop_;
  absl::flat_hash_map<host::ConnectionId, uint16_t> ports_;  // of listeners
  absl::flat_hash_map<host::ConnectionId, uint16_t> connections_;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(kChunk);
};

absl::StatusOr<std::unique_ptr<link::Link>> open_link(const Place& place) {
  if (place.tun_fd >= 0) return link::TunLink::adopt(place.tun_fd);
  return link::PacketSocket::open(place.interface, {.vnet_header = place.vnet_header});
}

}  // namespace

absl::Status serve_stack(Place place, absl::FunctionRef<void()> ready) {
  absl::StatusOr<std::unique_ptr<link::Link>> link = open_link(place);
  if (!link.ok()) return link.status();
  host::HostConfig config;
  config.addresses = {{*packet::IpAddress::parse(kContestantAddress), 24}};
  config.link_layer = (*link)->layer();
  config.checksum_offload = config.segmentation_offload = place.vnet_header;
  config.mac = place.mac;
  config.seed = 1;
  if (config.link_layer == host::LinkLayer::kEthernet) {
    config.neighbours = {{*packet::IpAddress::parse(kPeerAddress), place.peer_mac}};
  }
  absl::StatusOr<std::unique_ptr<host::Host>> host = host::Host::create(std::move(config));
  if (!host.ok()) return host.status();
  absl::StatusOr<std::unique_ptr<run::EventLoop>> loop = run::EventLoop::create();
  if (!loop.ok()) return loop.status();
  (*loop)->set_busy_poll(place.busy_poll);
  run::RealScheduler scheduler(**loop);
  link::HostLoop host_loop(**host, **link, scheduler, loop->get());
  StackServer server(**host, host_loop);
  if (absl::Status status = server.open_ports(); !status.ok()) return status;
  if (absl::Status status = host_loop.start(); !status.ok()) return status;
  ready();
  (*loop)->run();
  return absl::OkStatus();
}

}  // namespace tcproctor::server::benchmark
