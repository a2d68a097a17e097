// SPDX-License-Identifier: Apache-2.0
#include "server/wire/wire.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/time_proto.h"
#include "server/wire/craft.h"
#include "stack/packet/icmp.h"
#include "stack/packet/ip.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/tcp_header.h"

namespace tcproctor::server {
namespace {

constexpr tcp::Duration kMaxGap = std::chrono::hours(24);
constexpr uint32_t kMaxGso = 65'535;
// A packet that seems to have waited longer for us was stamped before somebody set the clock.
constexpr tcp::Duration kMaxWait = std::chrono::seconds(30);

v1::End other(v1::End end) {
  return end == v1::END_A ? v1::END_B : v1::END_A;
}

absl::Status check_end(v1::End end) {
  if (end == v1::END_A || end == v1::END_B) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("from: ", static_cast<int>(end), " names no end; END_A or END_B is required"));
}

// The connection a packet belongs to, as its sender names it. For an ICMP error, the one it quotes.
std::optional<packet::FourTuple> connection_of(std::span<const uint8_t> octets) {
  packet::IpPacket ip;
  if (packet::parse_ip(octets, ip) != packet::ParseResult::kOk) return std::nullopt;
  if (ip.protocol == packet::kProtocolTcp && ip.payload.size() >= packet::kTcpMinHeaderBytes) {
    packet::TcpHeader header;
    std::span<const uint8_t> options;
    std::span<const uint8_t> data;
    (void)packet::parse_tcp_header(ip.payload, header, options, data);
    return packet::FourTuple{{ip.source, header.source_port},
                             {ip.destination, header.destination_port}};
  }
  packet::IcmpMessage message;
  if (packet::parse_icmp(ip, message) != packet::ParseResult::kOk || !message.quoted ||
      !message.quoted->has_ports || message.quoted->protocol != packet::kProtocolTcp) {
    return std::nullopt;
  }
  return message.quoted->four_tuple().reversed();
}

}  // namespace

Wire::Wire(WireConfig config, run::Scheduler& scheduler, WireHooks hooks)
    : config_(std::move(config)),
      scheduler_(scheduler),
      hooks_(std::make_shared<const WireHooks>(std::move(hooks))),
      log_(std::make_shared<WireLog>(config_.log_bytes)),
      cursors_(std::make_shared<ExpectCursors>()),
      delay_line_(scheduler, [this](const HeldPacket& packet) { hand_on(packet); }) {}

Wire::~Wire() {
  for (const std::shared_ptr<Player>& player : players_) player->stop();
}

void Wire::on_packet(v1::End from, std::span<const uint8_t> packet, const PacketMeta& meta) {
  std::optional<Impairer>& impairer = impairer_of(from);
  if (!impairer && !holder_.active(from)) {
    append(from, v1::ORIGIN_END, fate_on_arrival(from), packet, meta, false);
    deliver(other(from), packet, meta);
    activity();
    return;
  }
  Impairments impairments;
  impairments.due = scheduler_.now();
  if (impairer) impairments = impairer->next(packet, impairments.due);
  if (impairments.lost) {
    append(from, v1::ORIGIN_END, v1::FATE_DROPPED, packet, meta, false);
  } else {
    std::vector<uint8_t> changed;
    if (impairments.corrupt_bit || impairments.congestion_experienced) {
      changed.assign(packet.begin(), packet.end());
      packet = changed;
    }
    if (impairments.congestion_experienced) mark_congestion(changed);
    if (impairments.corrupt_bit) {
      changed[*impairments.corrupt_bit / 8] ^=
          static_cast<uint8_t>(0x80 >> *impairments.corrupt_bit % 8);
    }
    Passage passage{from, v1::ORIGIN_END, impairments.corrupt_bit.has_value(), impairments.due};
    forward(passage, packet, meta);
    passage.origin = v1::ORIGIN_DUPLICATE;
    if (impairments.duplicated) forward(passage, packet, meta);
  }
  activity();
}

void Wire::forward(const Passage& passage, std::span<const uint8_t> packet,
                   const PacketMeta& meta) {
  const auto log_as = [&](v1::Fate fate) {
    return append(passage.from, passage.origin, fate, packet, meta, passage.corrupted);
  };
  if (holder_.wants(passage.from, packet)) {
    const uint64_t number = log_as(v1::FATE_HELD);
    if (!holder_.keep(number, passage.from, packet, meta)) {
      log_->set_fate(number, v1::FATE_DROPPED);
    }
  } else if (passage.due > scheduler_.now()) {
    const uint64_t number = log_as(v1::FATE_DELAYED);
    HeldPacket on_its_way{number, passage.from, meta, {packet.begin(), packet.end()}};
    if (!delay_line_.add(passage.due, std::move(on_its_way))) {
      log_->set_fate(number, v1::FATE_DROPPED);
    }
  } else {
    log_as(fate_on_arrival(passage.from));
    deliver(other(passage.from), packet, meta);
  }
}

void Wire::hand_on(const HeldPacket& packet) {
  log_->set_fate(packet.number, fate_on_arrival(packet.from));
  deliver(other(packet.from), packet.octets, packet.meta);
  activity();
}

void Wire::deliver(v1::End to, std::span<const uint8_t> packet, const PacketMeta& meta) {
  if (!end(to).scripted) hooks_->deliver(to, packet, meta);
}

v1::Fate Wire::fate_on_arrival(v1::End from) const {
  return end(other(from)).scripted ? v1::FATE_TO_SCRIPT : v1::FATE_DELIVERED;
}

uint64_t Wire::append(v1::End from, v1::Origin origin, v1::Fate fate,
                      std::span<const uint8_t> packet, const PacketMeta& meta, bool corrupted) {
  LogRecord record;
  record.time = scheduler_.now();
  record.wall_time_ns = meta.wall_time_ns;
  if (hooks_->wall_time_ns) {
    const int64_t wall_time_ns = hooks_->wall_time_ns();
    if (record.wall_time_ns == 0) record.wall_time_ns = wall_time_ns;
    // It has waited for us since the kernel stamped it. Times grow with the numbers all the same: a
    // packet that we sent meanwhile came first.
    const std::chrono::nanoseconds waited(wall_time_ns - record.wall_time_ns);
    if (waited > tcp::Duration::zero() && waited < kMaxWait) {
      record.time = std::max(record.time - waited, last_time_);
    }
  }
  last_time_ = record.time;
  record.packet = packet;
  record.from = from;
  record.origin = origin;
  record.fate = fate;
  record.corrupted = corrupted;
  if (log_->last() < config_.observed_entries) observe(record);
  return log_->append(record);
}

void Wire::observe(LogRecord& record) const {
  if (!hooks_->observe) return;
  const std::optional<packet::FourTuple> sender = connection_of(record.packet);
  if (!sender) return;
  const packet::FourTuple receiver = sender->reversed();
  const bool from_a = record.from == v1::END_A;
  if (!config_.a.scripted) record.state_a = hooks_->observe(v1::END_A, from_a ? *sender : receiver);
  if (!config_.b.scripted) record.state_b = hooks_->observe(v1::END_B, from_a ? receiver : *sender);
}

void Wire::activity() {
  if (hooks_->activity) hooks_->activity();
}

uint64_t Wire::send_injected(v1::End from, std::span<const uint8_t> packet, const PacketMeta& meta,
                             bool unlogged) {
  uint64_t number = 0;
  ++injected_;
  if (unlogged) {
    ++unlogged_;
  } else {
    number = append(from, v1::ORIGIN_INJECTED, fate_on_arrival(from), packet, meta, false);
  }
  deliver(other(from), packet, meta);
  if (!unlogged) activity();
  return number;
}

CraftContext Wire::craft_context(v1::End from) {
  CraftContext context;
  context.source = end(from).addresses;
  context.destination = end(other(from)).addresses;
  context.identification = ++identification_;
  context.logged = [this](uint64_t number) { return logged(number); };
  return context;
}

std::span<const uint8_t> Wire::logged(uint64_t number) const {
  const LogRecord* record = log_->find(number);
  return record == nullptr ? std::span<const uint8_t>() : record->packet;
}

uint64_t Wire::next_seed() {
  ++draws_;
  return Random(config_.seed + draws_).next();
}

absl::StatusOr<std::vector<PlannedPacket>> Wire::plan_train(const v1::InjectRequest& request) {
  if (request.train_size() == 0 || request.train_size() > kMaxTrain) {
    return absl::InvalidArgumentError(absl::StrCat("train: has ", request.train_size(),
                                                   " segments; 1..", kMaxTrain,
                                                   ", or a flood, are possible"));
  }
  std::vector<PlannedPacket> train;
  train.reserve(static_cast<size_t>(request.train_size()));
  tcp::Duration offset{0};
  for (int i = 0; i < request.train_size(); ++i) {
    const v1::TimedSegment& timed = request.train(i);
    const std::string path = absl::StrCat("train[", i, "]");
    if (timed.has_gap()) {
      const absl::StatusOr<tcp::Duration> gap = duration_from_proto(
          timed.gap(), absl::StrCat(path, ".gap"), tcp::Duration::zero(), kMaxGap);
      if (!gap.ok()) return gap.status();
      offset += *gap;
    }
    absl::StatusOr<Crafted> crafted =
        craft(timed.segment(), craft_context(request.from()), absl::StrCat(path, ".segment"));
    if (!crafted.ok()) return crafted.status();
    if (timed.gso_size() > kMaxGso) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ".gso_size: ", timed.gso_size(), " is over the limit of ", kMaxGso));
    }
    const PacketMeta meta{.gso_size = static_cast<uint16_t>(timed.gso_size()),
                          .family = crafted->family};
    train.push_back({std::move(crafted->packet), meta, offset});
  }
  return train;
}

absl::StatusOr<std::unique_ptr<Injection>> Wire::inject(const v1::InjectRequest& request,
                                                        const InjectionCheck& check) {
  if (absl::Status status = check_end(request.from()); !status.ok()) return status;
  if (request.has_flood() && request.train_size() > 0) {
    return absl::InvalidArgumentError("flood: stands instead of a train: give one of them");
  }
  std::erase_if(players_, [](const std::shared_ptr<Player>& player) { return player->done(); });
  auto player = std::make_shared<Player>(
      scheduler_,
      [this, from = request.from()](std::span<const uint8_t> packet, const PacketMeta& meta,
                                    bool unlogged) {
        return send_injected(from, packet, meta, unlogged);
      },
      [this] { activity(); });
  if (request.has_flood()) {
    absl::StatusOr<FloodGenerator> flood =
        FloodGenerator::create(request.flood(), craft_context(request.from()), next_seed());
    absl::Status status = flood.status();
    if (status.ok() && check) status = check({.train = {}, .flood = &*flood});
    if (!status.ok()) return status;
    players_.push_back(player);
    player->play(*std::move(flood));
  } else {
    absl::StatusOr<std::vector<PlannedPacket>> train = plan_train(request);
    absl::Status status = train.status();
    if (status.ok() && check) status = check({.train = *train, .flood = nullptr});
    if (!status.ok()) return status;
    players_.push_back(player);
    player->play(*std::move(train));
  }
  return std::make_unique<Injection>(std::move(player), request.background());
}

size_t Wire::playing() const {
  return static_cast<size_t>(std::ranges::count_if(
      players_, [](const std::shared_ptr<Player>& player) { return !player->done(); }));
}

absl::StatusOr<std::optional<Matcher>> Wire::compile(bool present,
                                                     const v1::SegmentPattern& pattern) const {
  if (!present) return std::nullopt;
  absl::StatusOr<Matcher> matcher =
      Matcher::compile(pattern, "pattern", [this](uint64_t number) { return logged(number); });
  if (!matcher.ok()) return matcher.status();
  return *std::move(matcher);
}

absl::Status Wire::hold(const v1::HoldRequest& request) {
  if (absl::Status status = check_end(request.from()); !status.ok()) return status;
  absl::StatusOr<std::optional<Matcher>> matcher =
      compile(request.has_pattern(), request.pattern());
  if (!matcher.ok()) return matcher.status();
  if (request.has_on() && !request.on()) {
    holder_.let_pass(request.from());
  } else {
    holder_.hold(request.from(), *std::move(matcher));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ReleaseHeldResponse> Wire::release(const v1::ReleaseHeldRequest& request) {
  const std::vector<uint64_t> numbers(request.numbers().begin(), request.numbers().end());
  absl::StatusOr<std::vector<HeldPacket>> taken = holder_.take(numbers);
  if (!taken.ok()) return taken.status();
  v1::ReleaseHeldResponse response;
  for (const HeldPacket& packet : *taken) {
    response.add_numbers(packet.number);
    if (request.drop()) {
      log_->set_fate(packet.number, v1::FATE_DROPPED);
    } else {
      hand_on(packet);
    }
  }
  return response;
}

absl::StatusOr<std::unique_ptr<Expectation>> Wire::expect(const v1::ExpectRequest& request) {
  if (absl::Status status = check_end(request.from()); !status.ok()) return status;
  if (!v1::ExpectMode_IsValid(request.mode())) {
    return absl::InvalidArgumentError(
        absl::StrCat("mode: ", static_cast<int>(request.mode()), " names no mode"));
  }
  ExpectPlan plan;
  plan.from = request.from();
  if (request.mode() != v1::EXPECT_MODE_UNSPECIFIED) plan.mode = request.mode();
  if (request.has_after()) plan.after = request.after();
  absl::StatusOr<std::optional<Matcher>> matcher =
      compile(request.has_pattern(), request.pattern());
  if (!matcher.ok()) return matcher.status();
  plan.matcher = *std::move(matcher);
  if (request.has_timeout()) {
    const absl::StatusOr<tcp::Duration> timeout = duration_from_proto(request.timeout(), "timeout");
    if (!timeout.ok()) return timeout.status();
    plan.deadline = scheduler_.now() + *timeout;
  } else if (plan.mode == v1::EXPECT_MODE_SILENCE) {
    return absl::InvalidArgumentError("timeout: is required for SILENCE: how long must it last?");
  }
  // The hook dies with the wire; the expectation may not.
  const auto capture_drops = [hooks = std::weak_ptr(hooks_)]() -> uint64_t {
    const std::shared_ptr<const WireHooks> alive = hooks.lock();
    return alive && alive->capture_drops ? alive->capture_drops() : 0;
  };
  return std::make_unique<Expectation>(log_, cursors_, std::move(plan), capture_drops);
}

absl::Status Wire::impair(const v1::ImpairRequest& request) {
  if (absl::Status status = check_end(request.from()); !status.ok()) return status;
  absl::StatusOr<Impairer> impairer = Impairer::create(request, next_seed());
  if (!impairer.ok()) return impairer.status();
  std::optional<Impairer>& place = impairer_of(request.from());
  place.reset();
  if (impairer->active()) place = *std::move(impairer);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LogReader>> Wire::read_log(const v1::LogRequest& request) const {
  if (request.from() != v1::END_UNSPECIFIED) {
    if (absl::Status status = check_end(request.from()); !status.ok()) return status;
  }
  absl::StatusOr<std::optional<Matcher>> matcher =
      compile(request.has_pattern(), request.pattern());
  if (!matcher.ok()) return matcher.status();
  if (absl::Status status = log_->check_readable(request.after()); !status.ok()) return status;
  return std::make_unique<LogReader>(log_, request.after(), request.from(), *std::move(matcher));
}

absl::StatusOr<std::unique_ptr<PcapWriter>> Wire::pcap(const v1::PcapRequest& request) const {
  if (absl::Status status = log_->check_readable(request.after()); !status.ok()) return status;
  return PcapWriter::create(log_, request.after());
}

}  // namespace tcproctor::server
