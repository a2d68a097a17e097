// SPDX-License-Identifier: Apache-2.0
// A host without a link: what a segment costs from the frame to the user and back, and what many
// connections beside it cost.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "stack/host/host.h"

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Host> make_host(uint8_t number, bool offload) {
  HostConfig config;
  config.addresses = {{packet::IpAddress::v4(10, 0, 0, number), 8}};
  config.link_layer = LinkLayer::kRawIp;
  config.seed = number;
  config.checksum_offload = config.segmentation_offload = offload;
  return std::move(Host::create(config)).value();
}

// Two hosts whose frames travel in no time.
class Wire {
 public:
  explicit Wire(bool offload) : a_(make_host(1, offload)), b_(make_host(2, offload)) {
    OpenParameters open = {.local = {packet::IpAddress(), 80}, .backlog = 65535};
    listener_ = b_->open(now, open).id;
  }

  // A's id of a connection to B's listener.
  ConnectionId connect() {
    const packet::SocketAddress to = {packet::IpAddress::v4(10, 0, 0, 2), 80};
    const ConnectionId id = a_->open(now, {.active = true, .remote = to}).id;
    pump();
    peer = b_->accept(now, listener_).id;
    return id;
  }

  void pump() {
    HostEvent event;
    while (carry(*a_, *b_) | carry(*b_, *a_)) {
    }
    while (a_->next_event(event) || b_->next_event(event)) {
    }
  }

  Host& a() { return *a_; }
  Host& b() { return *b_; }
  tcp::Instant now{1s};
  ConnectionId peer = 0;

 private:
  bool carry(Host& from, Host& to) {
    FrameMeta meta;
    bool any = false;
    while (const size_t length = from.next_frame(now, frame_, meta)) {
      any = true;
      meta.checksum_trusted = meta.checksum_partial;
      to.on_frame(now, std::span(frame_).first(length), meta);
    }
    return any;
  }

  std::unique_ptr<Host> a_, b_;
  ConnectionId listener_ = 0;
  std::vector<uint8_t> frame_ = std::vector<uint8_t>(65600);
};

// Both ends' work for each octet, three copies among it: into the send buffer, into the frame, and
// out of the receive buffer.
void bulk(benchmark::State& state) {
  Wire wire(state.range(0) != 0);
  const ConnectionId id = wire.connect();
  std::vector<uint8_t> data(65536);
  int64_t bytes = 0;
  for (auto _ : state) {
    (void)wire.a().send(wire.now, id, data, false, false);
    wire.pump();
    while (const size_t got = wire.b().receive(wire.now, wire.peer, data).received) {
      bytes += static_cast<int64_t>(got);
    }
    wire.now += 10us;
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(bulk)->ArgName("offload")->Arg(0)->Arg(1);

// One octet to a random one of many connections, and its way through the tables, timers and queues
// of both hosts.
void one_of_many(benchmark::State& state) {
  Wire wire(false);
  std::vector<std::pair<ConnectionId, ConnectionId>> ids;
  for (int64_t i = 0; i < state.range(0); ++i) {
    const ConnectionId id = wire.connect();
    ids.emplace_back(id, wire.peer);
  }
  std::mt19937 random(1);
  std::ranges::shuffle(ids, random);
  const std::vector<uint8_t> octet(1);
  std::vector<uint8_t> buffer(16);
  size_t next = 0;
  for (auto _ : state) {
    const auto [id, peer] = ids[next++ % ids.size()];
    (void)wire.a().send(wire.now, id, octet, true, false);
    wire.pump();
    (void)wire.b().receive(wire.now, peer, buffer);
    wire.now += 1us;
    if (const auto deadline = wire.b().next_deadline(); deadline && *deadline <= wire.now) {
      wire.b().on_deadline(wire.now);
    }
  }
}
BENCHMARK(one_of_many)->ArgName("connections")->Arg(1)->Arg(1000)->Arg(10'000);

}  // namespace
}  // namespace tcproctor::host
