// SPDX-License-Identifier: Apache-2.0
#include "server/session/bench.h"

#include <chrono>
#include <utility>
#include <vector>

#include "server/end/kernel_end.h"
#include "server/end/scripted_end.h"
#include "server/end/stack_end.h"
#include "server/end/translate.h"
#include "server/host/user_namespace.h"

namespace tcproctor::server {
namespace {

// Uses of the session's seed.
enum SeedPurpose : uint64_t { kSeedEndA = 1, kSeedEndB = 2, kSeedWire = 3 };

// Connection ids of end A are even, those of end B odd.
constexpr uint64_t kIdStride = 2;

uint64_t end_id_base(uint64_t id_base, v1::End side) {
  return id_base + (side == v1::END_B ? 1 : 0);
}

std::vector<packet::IpAddress> addresses_of(const EndPlan& end) {
  std::vector<packet::IpAddress> addresses;
  for (const host::InterfaceAddress& entry : end.addresses) addresses.push_back(entry.address);
  return addresses;
}

int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

host::HostConfig host_config(const SessionPlan& plan, const EndPlan& mine, const link::Link& link) {
  const EndPlan& peer = plan.peer(mine.side);
  host::HostConfig config;
  config.addresses = mine.addresses;
  config.link_layer = link.layer();
  config.mac = mine.mac;
  config.mtu = plan.mtu;
  config.tcp = mine.settings;
  config.trace = mine.trace;
  config.seed = derive_seed(plan.seed, mine.side == v1::END_A ? kSeedEndA : kSeedEndB);
  config.segmentation_offload = plan.offloads;
  config.checksum_offload = plan.offloads;
  config.gateway_v4 = plan.gateway_v4;
  config.gateway_v6 = plan.gateway_v6;
  // On an interface of the machine neighbours are asked for.
  if (plan.on_interface()) return config;
  for (const host::InterfaceAddress& remote : peer.addresses) {
    config.neighbours.push_back({remote.address, peer.mac});
    std::optional<packet::IpAddress>& gateway =
        remote.address.is_v4() ? config.gateway_v4 : config.gateway_v6;
    if (!gateway) gateway = remote.address;
  }
  return config;
}

}  // namespace

Bench::Bench(const SessionPlan& plan, Plant plant, run::EventLoop& loop,
             std::function<void()> on_activity)
    : loop_(loop), on_activity_(std::move(on_activity)), plant_(std::move(plant)) {
  if (plan.virtual_clock()) {
    auto scheduler = std::make_unique<run::VirtualScheduler>();
    virtual_scheduler_ = scheduler.get();
    scheduler_ = std::move(scheduler);
  } else {
    scheduler_ = std::make_unique<run::RealScheduler>(loop);
  }
}

Bench::~Bench() {
  dismantle()();
}

absl::StatusOr<std::unique_ptr<Bench>> Bench::assemble(const SessionPlan& plan, Plant plant,
                                                       run::EventLoop& loop, uint64_t id_base,
                                                       std::function<void()> on_activity) {
  std::unique_ptr<Bench> bench(new Bench(plan, std::move(plant), loop, std::move(on_activity)));
  absl::Status status = bench->make_end(plan, v1::END_A, id_base, bench->a_);
  if (status.ok()) status = bench->make_end(plan, v1::END_B, id_base, bench->b_);
  if (status.ok() && !plan.direct) {
    bench->make_wire(plan);
    status = bench->start_ports(plan);
  }
  if (!status.ok()) return status;
  return bench;
}

absl::AnyInvocable<void()> Bench::dismantle() {
  if (port_a_) port_a_->stop();
  if (port_b_) port_b_->stop();
  serving_ = Serving();
  a_.reset();
  b_.reset();
  wire_.reset();
  struct Rest {
    std::unique_ptr<Port> port_a;
    std::unique_ptr<Port> port_b;
    Plant plant;
  };
  return [rest = Rest{std::move(port_a_), std::move(port_b_), std::move(plant_)}]() mutable {
    // Devices before the namespaces they are in.
    rest.port_a.reset();
    rest.port_b.reset();
    give_back(std::move(rest.plant));
  };
}

absl::Status Bench::make_end(const SessionPlan& plan, v1::End side, uint64_t id_base,
                             std::unique_ptr<End>& end) {
  const EndPlan& mine = plan.end(side);
  absl::StatusOr<std::unique_ptr<End>> made;
  switch (mine.kind) {
    case v1::END_KIND_STACK:
      made = make_stack_end(plan, mine, id_base);
      break;
    case v1::END_KIND_KERNEL:
      made = make_kernel_end(plan, mine, id_base);
      break;
    default:
      made = std::make_unique<ScriptedEnd>(side, mine.kind, addresses_of(mine), mine.address_texts);
      break;
  }
  if (!made.ok()) return made.status();
  end = *std::move(made);
  end->set_on_activity(on_activity_);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<End>> Bench::make_stack_end(const SessionPlan& plan,
                                                           const EndPlan& mine, uint64_t id_base) {
  EndPlant& plant = plant_.end(mine.side);
  StackEndConfig config;
  config.side = mine.side;
  config.host = host_config(plan, mine, *plant.end_link);
  config.address_texts = mine.address_texts;
  config.virtual_clock = plan.virtual_clock();
  config.interface = plant.interface;
  if (plant.ns && !plan.on_interface()) {
    config.namespace_path = plant.ns->path();
    config.namespace_inode = plant.ns->inode();
    config.user_namespace_path = user_namespace_path();
  }
  config.id_base = end_id_base(id_base, mine.side);
  config.id_stride = kIdStride;
  config.mutant = mine.mutant;
  config.first_port = plan.shared_first_port;
  config.last_port = plan.shared_last_port;
  return StackEnd::create(std::move(config), *plant.end_link, *scheduler_, &loop_);
}

absl::StatusOr<std::unique_ptr<End>> Bench::make_kernel_end(const SessionPlan& plan,
                                                            const EndPlan& mine, uint64_t id_base) {
  EndPlant& plant = plant_.end(mine.side);
  KernelEndConfig config;
  config.side = mine.side;
  config.prefixes = mine.address_texts;
  config.addresses = mine.addresses;
  config.interface = plant.interface;
  if (plan.link != v1::LINK_KIND_TUN) config.mac = mine.mac.to_string();
  config.of_the_machine = plan.on_interface();
  for (const host::InterfaceAddress& remote : plan.peer(mine.side).addresses) {
    config.peers.push_back(remote.address);
  }
  config.user_namespace_path = user_namespace_path();
  uint64_t next = end_id_base(id_base, mine.side);
  return KernelEnd::create(
      plant.ns, loop_, std::move(config), [next]() mutable { return next += kIdStride; },
      [this] { return absl::FromChrono(now().time_since_epoch()); });
}

uint64_t Bench::capture_drops() const {
  uint64_t drops = 0;
  for (const std::unique_ptr<Port>* port : {&port_a_, &port_b_}) {
    if (*port) drops += (*port)->counters().capture_drops;
  }
  return drops;
}

Surroundings Bench::surroundings(const SessionPlan& plan) const {
  Surroundings out = surroundings_of(plan, plant_);
  if (wire_) out.captured = wire_->log().last();
  out.lost = capture_drops();
  return out;
}

void Bench::make_wire(const SessionPlan& plan) {
  WireConfig config;
  config.a = {plan.a.kind == v1::END_KIND_SCRIPTED, addresses_of(plan.a)};
  config.b = {plan.b.kind == v1::END_KIND_SCRIPTED, addresses_of(plan.b)};
  config.log_bytes = plan.log_bytes;
  config.seed = derive_seed(plan.seed, kSeedWire);
  WireHooks hooks;
  hooks.deliver = [this](v1::End to, std::span<const uint8_t> packet, const PacketMeta& meta) {
    (to == v1::END_A ? port_a_ : port_b_)->send(packet, meta);
  };
  hooks.observe = [this](v1::End side, const packet::FourTuple& pair) {
    return end(side).observe(to_proto(pair));
  };
  hooks.activity = on_activity_;
  if (!plan.virtual_clock()) hooks.wall_time_ns = wall_clock_ns;
  hooks.capture_drops = [this] { return capture_drops(); };
  wire_ = std::make_unique<Wire>(std::move(config), *scheduler_, std::move(hooks));
}

absl::Status Bench::start_ports(const SessionPlan& plan) {
  const absl::Status status = start_port(plan, v1::END_A, port_a_);
  return status.ok() ? start_port(plan, v1::END_B, port_b_) : status;
}

absl::Status Bench::start_port(const SessionPlan& plan, v1::End side, std::unique_ptr<Port>& port) {
  std::unique_ptr<link::Link> link = std::move(plant_.end(side).wire_link);
  if (link == nullptr) return absl::OkStatus();  // scripted
  std::optional<EthernetAddresses> addresses;
  if (link->layer() == host::LinkLayer::kEthernet) {
    addresses = EthernetAddresses{.end = plan.end(side).mac, .peer = plan.peer(side).mac};
  }
  port = std::make_unique<Port>(std::move(link), addresses, *scheduler_, &loop_);
  return port->start([this, side](std::span<const uint8_t> packet,
                                  const PacketMeta& meta) { wire_->on_packet(side, packet, meta); },
                     [this](const absl::Status& lost) {
                       link_status_ = lost;
                       on_activity_();
                     });
}

}  // namespace tcproctor::server
