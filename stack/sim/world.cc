// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/world.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/packet/describe.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/check.h"

namespace tcproctor::sim {
namespace {

using packet::IpAddress;
using tcp::Duration;
using tcp::Instant;
using namespace std::chrono_literals;

constexpr uint64_t kMostWorldSteps = 4'000'000;
// Longer than R2 (5 min), the longest RTO (4 min) and the slowest reader; twice of it all.
constexpr Duration kStandstill = 30min;
// What a user waits for a peer that is gone before it gives up too.
constexpr Duration kPatience = 6min;

const IpAddress& host_v6(size_t host) {
  static const std::array<IpAddress, 3> kAddresses = {*IpAddress::parse("2001:db8::1"),
                                                      *IpAddress::parse("2001:db8::2"),
                                                      *IpAddress::parse("2001:db8::3")};
  return kAddresses[host];
}

packet::MacAddress host_mac(size_t host) {
  return {{2, 0, 0, 0, 0, static_cast<uint8_t>(host + 1)}};
}

std::vector<Network::Attached> addresses(size_t count) {
  std::vector<Network::Attached> all;
  for (size_t i = 0; i < count; ++i) {
    all.push_back({.v4 = IpAddress::v4(192, 0, 2, static_cast<uint8_t>(i + 1)), .v6 = host_v6(i)});
  }
  return all;
}

uint64_t digest_of(std::span<const uint8_t> bytes) {
  uint64_t sum = bytes.size();
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    sum = (sum ^ word) * 0x9E3779B97F4A7C15u;
    sum ^= sum >> 29;
    bytes = bytes.subspan(8);
  }
  for (const uint8_t byte : bytes) sum = (sum ^ byte) * 0x100000001B3u;
  return sum;
}

}  // namespace

World::World(Choices& choices, Trace trace, uint32_t mutant)
    : choices_(choices),
      trace_(std::move(trace)),
      plan_(draw_plan(choices)),
      network_(choices, addresses(plan_.hosts.size()), plan_.layer),
      checker_(plan_.hosts.size()),
      traffic_(plan_, choices, checker_, addresses(plan_.hosts.size())),
      planted_(mutant),
      hosts_(plan_.hosts.size()),
      configs_(plan_.hosts.size()),
      buffer_(65600) {
  network_.keep_super_segments(plan_.keep_super_segments);
  for (const Mishap& mishap : plan_.mishaps) {
    if (mishap.at <= plan_.fair_weather_at) mishaps_.push_back(mishap);
  }
  // The next one last; of those at the same moment the one that was drawn first.
  std::ranges::stable_sort(mishaps_, {}, &Mishap::at);
  std::ranges::reverse(mishaps_);
  for (size_t i = 0; i < hosts_.size(); ++i) {
    const HostPlan& plan = plan_.hosts[i];
    host::HostConfig& config = configs_[i];
    config.addresses = {{addresses(i + 1).back().v4, 24}, {host_v6(i), 64}};
    config.link_layer = plan_.layer;
    config.mac = host_mac(i);
    config.mtu = plan.mtu;
    config.tcp = plan.settings;
    config.segmentation_offload = plan.segmentation_offload;
    config.checksum_offload = plan.checksum_offload;
    config.trace = plan.trace;
    start_host(i);
  }
}

World::~World() = default;

void World::start_host(size_t host) {
  configs_[host].seed = choices_.bits();
  std::optional<mutants::Planting> planting;
  if (host == 0) planting.emplace(planted_);
  auto made = host::Host::create(configs_[host]);
  if (!made.ok()) return checker_.violate(std::string(made.status().message()));
  // The old one must live until the checker has forgotten it.
  std::unique_ptr<host::Host> before = std::exchange(hosts_[host], *std::move(made));
  checker_.host_starts(host, *hosts_[host], configs_[host].tcp);
  traffic_.host_starts(now_, host, *hosts_[host]);
}

WorldResult World::run() {
  while (!checker_.violated() && step()) {
  }
  if (!checker_.violated()) end_check();
  WorldResult result = {.violation = checker_.violation(),
                        .features = plan_.features,
                        .digest = digest_,
                        .bytes = traffic_.bytes_delivered(),
                        .connections = traffic_.connections_done(),
                        .segments = segments_,
                        .steps = steps_,
                        .state_changes = checker_.state_changes(),
                        .faults = network_.faults(),
                        .edges = checker_.edges(),
                        .time = now_.time_since_epoch()};
  if (!result.violation.empty()) {
    absl::StrAppend(&result.violation, "\n  at ", now_.time_since_epoch() / 1us,
                    " us, features: ", plan_.features, "\n", traffic_.describe(now_));
  }
  return result;
}

// The next thing that happens. False: the world is at its end.
bool World::step() {
  if (++steps_ > kMostWorldSteps) {
    checker_.violate("the world does not come to an end");
    return false;
  }
  if (!abandoned_ && traffic_.over()) {
    if (!over_since_) over_since_ = now_;
    if (traffic_.settled() || now_ - *over_since_ >= kPatience) {
      abandoned_ = true;
      mishaps_.clear();
      say(0, "over", "");
      traffic_.abandon(now_);
      settle();
      return true;
    }
  } else if (!abandoned_) {
    over_since_.reset();
  }

  constexpr size_t kNone = SIZE_MAX;
  std::optional<Instant> next;
  size_t due = kNone;
  const auto consider = [&](std::optional<Instant> at, size_t who) {
    if (!at || (next && *at >= *next)) return;
    next = at;
    due = who;
  };
  const size_t hosts = hosts_.size();
  for (size_t i = 0; i < hosts; ++i) consider(hosts_[i]->next_deadline(), i);
  consider(network_.next(), hosts);
  consider(traffic_.next_action(), hosts + 1);
  if (!mishaps_.empty()) consider(Instant{} + mishaps_.back().at, hosts + 2);
  if (!fair_) consider(Instant{} + plan_.fair_weather_at, hosts + 3);
  if (over_since_ && !abandoned_) consider(*over_since_ + kPatience, hosts + 4);
  if (!next) {
    if (abandoned_) return false;
    checker_.violate("stuck: nothing is going to happen any more");
    return false;
  }
  now_ = std::max(now_, *next);
  if (due < hosts) {
    let_time_pass(due);
  } else if (due == hosts) {
    deliver();
  } else if (due == hosts + 1) {
    traffic_.act(now_, network_.in_flight() == 0);
    settle();
  } else if (due == hosts + 2) {
    const Mishap mishap = mishaps_.back();
    mishaps_.pop_back();
    befall(mishap);
  } else if (due == hosts + 3) {
    fair_weather();
  }
  const uint64_t progress = checker_.progress() + traffic_.bytes_delivered();
  if (progress != progress_ || !fair_) {
    progress_ = progress;
    progress_at_ = now_;
  } else if (!abandoned_ && now_ - progress_at_ > kStandstill) {
    checker_.violate("stuck: nothing has moved for half an hour");
  }
  return !checker_.violated();
}

void World::let_time_pass(size_t host) {
  say(host, "deadline", "");
  hosts_[host]->on_deadline(now_);
  settle();
  if (!checker_.violated()) checker_.after_deadline(host, now_);
}

void World::deliver() {
  const Instant until = now_ + plan_.coalesce;
  const size_t to = network_.next_to();
  // Another host's packet in between ends the batch.
  while (network_.next() && *network_.next() <= until && network_.next_to() == to) {
    Network::Arrival arrival = network_.take();
    now_ = std::max(now_, arrival.at);
    say_frame(to, "<", arrival.bytes);
    checker_.on_frame_in(to, look_at(arrival.bytes, plan_.layer));
    hosts_[to]->on_frame(now_, arrival.bytes, arrival.meta);
    network_.recycle(std::move(arrival.bytes));
  }
  settle();
}

// ------------------------------------------------------------------------------- hosts and users

bool World::pull(size_t host) {
  bool any = false;
  host::FrameMeta meta;
  while (const size_t length = hosts_[host]->next_frame(now_, buffer_, meta)) {
    any = true;
    ++segments_;
    const auto frame = std::span<const uint8_t>(buffer_).first(length);
    say_frame(host, ">", frame);
    mix_in(digest_of(frame) + host);
    mix_in(static_cast<uint64_t>(now_.time_since_epoch().count()));
    checker_.on_frame_out(host, look_at(frame, plan_.layer));
    network_.send(now_, host, frame, meta);
    if (segments_ > kMostWorldSteps) {
      checker_.violate("hosts never stop sending");
      break;
    }
  }
  return any;
}

bool World::tell_events(size_t host) {
  bool any = false;
  host::HostEvent event;
  while (hosts_[host]->next_event(event)) {
    any = true;
    mix_in(event.id * 131 + static_cast<uint64_t>(event.event.kind) * 17 +
           static_cast<uint64_t>(event.event.to));
    if (trace_) {
      const bool change = event.event.kind == tcp::Event::Kind::kStateChange;
      say(host, "event",
          absl::StrCat(event.id, " kind ", static_cast<int>(event.event.kind), " ",
                       change ? absl::StrCat(std::string(to_string(event.event.from)), " -> ",
                                             std::string(to_string(event.event.to)), " ")
                              : "",
                       std::string(event.event.cause)));
    }
    checker_.on_event(host, event);
    traffic_.on_event(host, event);
  }
  return any;
}

void World::settle() {
  int rounds = 0;
  for (bool more = true; more && !checker_.violated();) {
    more = false;
    if (++rounds > 10'000) return checker_.violate("hosts and users never come to rest");
    for (size_t i = 0; i < hosts_.size(); ++i) {
      // A call must not come between a frame and the payload it points to, so frames go first.
      if (pull(i)) more = true;
      if (tell_events(i)) more = true;
    }
    traffic_.act(now_, network_.in_flight() == 0);
    // What the users just did may have given the hosts something to say.
    for (size_t i = 0; i < hosts_.size(); ++i) {
      if (tell_events(i)) more = true;
      if (pull(i)) more = true;
    }
  }
  for (size_t i = 0; i < hosts_.size() && !checker_.violated(); ++i) checker_.after_event(i, now_);
}

// --------------------------------------------------------------------------------------- mishaps

void World::befall(const Mishap& mishap) {
  say(mishap.from, "mishap", absl::StrCat(static_cast<int>(mishap.kind)));
  switch (mishap.kind) {
    case Mishap::Kind::kConditions:
      if (mishap.from != mishap.to) network_.conditions(mishap.from, mishap.to) = mishap.conditions;
      return;
    case Mishap::Kind::kVanish:
      return network_.vanish(mishap.from, std::nullopt);
    case Mishap::Kind::kReboot:
      // Old duplicates of before would be taken for new segments: that is what the quiet time of
      // §3.4.3 is for. Here they vanish.
      network_.vanish(mishap.from, std::nullopt);
      start_host(mishap.from);
      return settle();
    case Mishap::Kind::kSynFlood:
      return syn_flood(mishap);
    case Mishap::Kind::kForgery:
      return forge(mishap);
  }
}

void World::fair_weather() {
  fair_ = true;
  say(0, "fair weather", "");
  for (size_t from = 0; from < hosts_.size(); ++from) {
    for (size_t to = 0; to < hosts_.size(); ++to) {
      Conditions& now_is = network_.conditions(from, to);
      const Conditions before = now_is;
      now_is = Conditions{.delay = before.delay, .jitter = before.jitter};
      now_is.bytes_per_second = before.bytes_per_second == 0 ? 0 : 10'000'000;
    }
  }
}

void World::inject_tcp(Duration after, size_t to, const packet::TcpPacketParts& parts) {
  const size_t link = plan_.layer == host::LinkLayer::kEthernet ? packet::kEthernetHeaderBytes : 0;
  std::vector<uint8_t> frame(link + packet::tcp_packet_size(parts));
  if (link != 0) {
    const packet::EthernetHeader header = {
        .destination = host_mac(to),
        .source = {{2, 0, 0, 0, 0, 99}},
        .ether_type = parts.ip.source.is_v4() ? packet::kEtherTypeIpv4 : packet::kEtherTypeIpv6};
    TCPROCTOR_CHECK(packet::write_ethernet(header, frame) == link);
  }
  TCPROCTOR_CHECK(packet::build_tcp_packet(parts, std::span(frame).subspan(link)) != 0);
  network_.inject(now_ + after, to, frame);
}

void World::syn_flood(const Mishap& mishap) {
  const auto target = addresses(mishap.to + 1).back();
  for (uint32_t i = 0; i < mishap.count; ++i) {
    packet::TcpPacketParts parts;
    const auto source = static_cast<uint32_t>(choices_.below(1u << 16));
    parts.ip = {.source = IpAddress::v4(0xC6120000u + source), .destination = target.v4};
    parts.header = {.source_port = static_cast<uint16_t>(1024 + choices_.below(60000)),
                    .destination_port = mishap.port,
                    .sequence_number = static_cast<uint32_t>(choices_.bits()),
                    .flags = packet::kSyn,
                    .window = 1000};
    inject_tcp(choices_.between(0ns, 200ms), mishap.to, parts);
  }
}

// A blind attacker, who knows the sockets but not the numbers (RFC 5961, RFC 5927): nothing he
// does may be felt.
void World::forge(const Mishap& mishap) {
  for (uint32_t i = 0; i < mishap.count; ++i) {
    const std::optional<Traffic::Victim> victim = traffic_.victim();
    if (!victim) return;
    static constexpr std::array<uint8_t, 16> kText = {};
    packet::TcpPacketParts parts;
    parts.ip = {.source = victim->tuple.remote.address, .destination = victim->tuple.local.address};
    parts.header = {.source_port = victim->tuple.remote.port,
                    .destination_port = victim->tuple.local.port,
                    .sequence_number = static_cast<uint32_t>(choices_.bits()),
                    .acknowledgment_number = static_cast<uint32_t>(choices_.bits()),
                    .flags = choices_.pick<uint16_t>(
                        {packet::kRst, packet::kSyn, packet::kAck, packet::kAck | packet::kFin,
                         packet::kSyn | packet::kAck, packet::kRst | packet::kAck, 0}),
                    .window = static_cast<uint16_t>(choices_.below(65536))};
    parts.payload = std::span(kText).first(choices_.below(17));
    Duration after = choices_.between(0ns, 2s);
    // Half of them lie in the window, but not at its beginning (RFC 5961 §3.2, §4.2, §5.2).
    const auto status = hosts_[victim->host]->status(now_, victim->id);
    if (status.ok() && status->rcv_wnd > 1 && choices_.one_in(2)) {
      parts.header.sequence_number =
          status->rcv_nxt + static_cast<uint32_t>(choices_.between(1, status->rcv_wnd - 1));
      parts.header.acknowledgment_number = status->snd_nxt + (1u << 30);  // not sent yet
      after = 0ns;
    }
    inject_tcp(after, victim->host, parts);
  }
}

// ---------------------------------------------------------------------------------------- the end

void World::end_check() {
  for (size_t i = 0; i < hosts_.size(); ++i) checker_.at_end(i, now_);
}

void World::say(size_t host, std::string_view what, const std::string& detail) const {
  if (!trace_) return;
  trace_(absl::StrCat(now_.time_since_epoch() / 1us, " host ", host, " ", std::string(what), " ",
                      detail));
}

void World::say_frame(size_t host, std::string_view what, std::span<const uint8_t> frame) const {
  if (!trace_) return;
  const size_t link = plan_.layer == host::LinkLayer::kEthernet ? packet::kEthernetHeaderBytes : 0;
  say(host, what, packet::describe_packet(frame.subspan(std::min(link, frame.size()))));
}

WorldResult run_world(uint64_t seed, uint32_t mutant) {
  Choices choices(seed);
  WorldResult result = World(choices, nullptr, mutant).run();
  if (result.violation.empty()) return result;
  std::deque<std::string> last;
  Choices again(seed);
  const WorldResult second = World(
                                 again,
                                 [&](const std::string& line) {
                                   last.push_back(line);
                                   if (last.size() > 40) last.pop_front();
                                 },
                                 mutant)
                                 .run();
  absl::StrAppend(&result.violation, "last events",
                  second.violation.empty() ? " (of a second run that went well)" : "", ":\n");
  for (const std::string& line : last) absl::StrAppend(&result.violation, "  ", line, "\n");
  return result;
}

}  // namespace tcproctor::sim
