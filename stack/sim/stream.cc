// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/stream.h"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "stack/host/host.h"
#include "stack/packet/icmp.h"
#include "stack/packet/tcp_header.h"
#include "stack/sim/checker.h"
#include "stack/sim/choices.h"
#include "stack/sim/offload.h"

namespace tcproctor::sim {
namespace {

using host::ConnectionId;
using packet::IpAddress;
using tcp::Duration;
using tcp::Instant;
using tcp::State;
using namespace std::chrono_literals;

constexpr int kMostSteps = 1500;
constexpr size_t kMostInFlight = 200;
constexpr std::array<uint8_t, 3000> kText = {};

class Stream {
 public:
  explicit Stream(std::span<const uint8_t> bytes)
      : choices_(bytes), checker_(2, true), buffer_(65600) {
    v6_ = choices_.one_in(2);
    for (size_t i = 0; i < 2; ++i) start_host(i);
  }

  std::string run() {
    for (int i = 0; i < kMostSteps && !choices_.exhausted() && !checker_.violated(); ++i) step();
    // Whatever was done, what is left comes to rest once users give up: nothing keeps a timer for
    // ever, and nothing answers answers.
    wire_[0].clear();
    wire_[1].clear();
    for (size_t i = 0; i < 2; ++i) {
      for (const ConnectionId id : hosts_[i]->list()) (void)hosts_[i]->abort(now_, id);
    }
    settle();
    for (int i = 0; i < 3000 && !checker_.violated(); ++i) {
      if (!next_deadline()) break;
      if (i == 2999) checker_.violate("timers run on though all was aborted");
      pass_time(*next_deadline());
      wire_[0].clear();
      wire_[1].clear();
    }
    for (size_t i = 0; i < 2 && !checker_.violated(); ++i) checker_.at_end(i, now_);
    return checker_.violation();
  }

 private:
  void start_host(size_t host) {
    host::HostConfig config;
    config.addresses = {{address(host, false), 24}, {address(host, true), 64}};
    config.link_layer = host::LinkLayer::kRawIp;
    config.seed = host + 1;
    config.mtu = choices_.pick<uint32_t>({1500, 1280, 9000});
    config.tcp.syn_cache_size = choices_.pick<uint32_t>({1024, 1, 4});
    config.tcp.rfc1337 = choices_.one_in(4);
    config.trace = choices_.one_in(2);
    settings_[host] = config.tcp;
    auto made = host::Host::create(config);
    if (!made.ok()) return checker_.violate(std::string(made.status().message()));
    hosts_[host] = *std::move(made);
    checker_.host_starts(host, *hosts_[host], settings_[host]);
  }

  static IpAddress address(size_t host, bool v6) {
    static const std::array<IpAddress, 2> kV6 = {*IpAddress::parse("2001:db8::1"),
                                                 *IpAddress::parse("2001:db8::2")};
    return v6 ? kV6[host] : IpAddress::v4(192, 0, 2, static_cast<uint8_t>(host + 1));
  }

  void step() {
    const size_t host = choices_.below(2);
    switch (choices_.below(16)) {
      case 0:
      case 1:
      case 2:
        deliver(host);
        break;
      case 3:
        if (!wire_[host].empty()) wire_[host].pop_front();
        break;
      case 4:
        if (!wire_[host].empty()) wire_[host].push_back(wire_[host].front());
        break;
      case 5:
        change(host);
        break;
      case 6:
      case 7:
        make_up(host);
        break;
      case 8:
        icmp(host);
        break;
      case 9:
        open(host);
        break;
      case 10:
        pass_time(now_ + Duration(static_cast<int64_t>(choices_.below(1 << 24)) * 1000));
        break;
      case 11:
        pass_time(next_deadline().value_or(now_ + 1ms));
        break;
      default:
        call(host);
        break;
    }
    settle();
  }

  // --- the wire

  // wire_[host]: on its way to that host.
  void deliver(size_t host) {
    if (wire_[host].empty()) return;
    const std::vector<uint8_t> frame = std::move(wire_[host].front());
    wire_[host].pop_front();
    receive(host, frame);
  }

  void receive(size_t host, std::span<const uint8_t> frame) {
    checker_.on_frame_in(host, look_at(frame, host::LinkLayer::kRawIp));
    hosts_[host]->on_frame(now_, frame, {});
  }

  // An octet of the next packet behind its IP header changes, the checksum with it.
  void change(size_t host) {
    if (wire_[host].empty()) return;
    std::vector<uint8_t>& frame = wire_[host].front();
    const WireView view = look_at(frame, host::LinkLayer::kRawIp);
    if (!view.is_tcp()) return;
    const size_t at =
        view.tcp + 4 + choices_.below(std::min<size_t>(frame.size() - view.tcp - 4, 60));
    frame[at] = static_cast<uint8_t>(choices_.below(256));
    finish_checksum(frame, view);
  }

  // Near the numbers that matter, or anywhere.
  uint32_t near(uint32_t value) {
    switch (choices_.below(6)) {
      case 0:
        return value - 1;
      case 1:
        return value + 1;
      case 2:
        return value + static_cast<uint32_t>(choices_.below(65536));
      case 3:
        return value - static_cast<uint32_t>(choices_.below(256));
      default:
        return value;
    }
  }

  void make_up(size_t host) {
    const auto status = hosts_[host]->status(now_, any_id(host));
    packet::TcpPacketParts parts;
    parts.ip = {.source = address(1 - host, v6_), .destination = address(host, v6_)};
    packet::TcpHeader& header = parts.header;
    header.source_port = static_cast<uint16_t>(1000 + choices_.below(4));
    header.destination_port = static_cast<uint16_t>(80 + choices_.below(2));
    header.window = static_cast<uint16_t>(choices_.below(65536));
    header.urgent_pointer = static_cast<uint16_t>(choices_.below(1000));
    if (status.ok() && status->state != State::kListen && status->state != State::kClosed) {
      parts.ip = {.source = status->remote.address, .destination = status->local.address};
      header.source_port = status->remote.port;
      header.destination_port = status->local.port;
      header.sequence_number =
          near(choices_.one_in(3) ? status->rcv_nxt + status->rcv_wnd : status->rcv_nxt);
      header.acknowledgment_number = near(choices_.one_in(2) ? status->snd_una : status->snd_nxt);
    }
    header.flags =
        choices_.one_in(3)
            ? static_cast<uint16_t>(choices_.below(512))
            : choices_.pick<uint16_t>({packet::kAck, packet::kSyn, packet::kAck | packet::kFin,
                                       packet::kAck | packet::kUrg});
    parts.ip.ecn = static_cast<uint8_t>(choices_.below(4));
    std::array<uint8_t, 40> options{};
    parts.options = make_up_options(options);
    parts.payload = std::span(kText).first(choices_.below(choices_.pick<uint64_t>({1, 20, 3000})));
    std::vector<uint8_t> frame(packet::tcp_packet_size(parts));
    if (packet::build_tcp_packet(parts, frame) != 0) receive(host, frame);
  }

  std::span<const uint8_t> make_up_options(std::array<uint8_t, 40>& bytes) {
    if (choices_.one_in(4)) {
      const size_t size = choices_.below(11) * 4;
      for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(choices_.below(256));
      return std::span(bytes).first(size);
    }
    packet::OptionWriter writer;
    if (choices_.one_in(2)) {
      writer.timestamps({.value = static_cast<uint32_t>(choices_.below(1u << 31)),
                         .echo_reply = static_cast<uint32_t>(choices_.below(1u << 31))});
    }
    if (choices_.one_in(3)) {
      const auto left = static_cast<uint32_t>(choices_.bits());
      const std::array<packet::SackBlock, 1> block = {
          {{left, left + static_cast<uint32_t>(choices_.below(5000))}}};
      writer.sack(block);
    }
    if (choices_.one_in(3)) writer.mss(static_cast<uint16_t>(choices_.below(65536)));
    if (choices_.one_in(3)) writer.window_scale(static_cast<uint8_t>(choices_.below(256)));
    if (choices_.one_in(3)) writer.sack_permitted();
    const auto written = writer.finish();
    std::ranges::copy(written, bytes.begin());
    return std::span(bytes).first(written.size());
  }

  // An error about what this host may have sent.
  void icmp(size_t host) {
    const auto status = hosts_[host]->status(now_, any_id(host));
    if (!status.ok() || status->local.address.family() != status->remote.address.family() ||
        status->remote.port == 0) {
      return;
    }
    packet::TcpPacketParts quoted;
    quoted.ip = {.source = status->local.address, .destination = status->remote.address};
    quoted.header = {.source_port = status->local.port,
                     .destination_port = status->remote.port,
                     .sequence_number = near(status->snd_una)};
    std::vector<uint8_t> packet(packet::tcp_packet_size(quoted));
    if (packet::build_tcp_packet(quoted, packet) == 0) return;
    const bool v6 = status->local.address.is_v6();
    std::vector<uint8_t> frame(packet.size() + 100);
    const size_t length = packet::build_icmp_packet(
        {.source = address(1 - host, v6), .destination = status->local.address},
        {.type = static_cast<uint8_t>(choices_.pick<uint32_t>({3, 2, 1, 4, 11, 12})),
         .code = static_cast<uint8_t>(choices_.below(16)),
         .rest = static_cast<uint32_t>(choices_.below(2000)),
         .body = packet},
        frame);
    if (length != 0) receive(host, std::span(frame).first(length));
  }

  // --- users

  ConnectionId any_id(size_t host) {
    const std::vector<ConnectionId>& ids = ids_[host];
    return ids.empty() ? 1 : ids[ids.size() - 1 - choices_.below(std::min<size_t>(ids.size(), 6))];
  }

  tcp::ConnectionOptions options() {
    tcp::ConnectionOptions options;
    const uint64_t bits = choices_.below(256);
    options.no_delay = (bits & 1) != 0;
    options.timestamps = (bits & 2) == 0;
    options.sack_permitted = (bits & 4) == 0;
    options.window_scale = (bits & 8) == 0;
    options.keepalive = (bits & 16) != 0;
    if ((bits & 32) != 0) options.delayed_ack = 0ms;
    if ((bits & 64) != 0) {
      options.receive_buffer_bytes = static_cast<uint32_t>(choices_.scale(100'000));
      options.send_buffer_bytes = static_cast<uint32_t>(choices_.scale(100'000));
    }
    if (choices_.one_in(4)) options.congestion_control = tcp::CongestionAlgorithm::kReno;
    if ((bits & 128) != 0) options.mss = static_cast<uint16_t>(choices_.between(1, 65535));
    return options;
  }

  void open(size_t host) {
    checker_.on_call(host);
    host::OpenParameters parameters;
    parameters.options = options();
    parameters.active = choices_.one_in(2);
    parameters.local = {IpAddress::any(address(0, v6_).family()),
                        static_cast<uint16_t>(80 + choices_.below(2))};
    parameters.backlog = static_cast<uint32_t>(choices_.between(1, 3));
    if (parameters.active) {
      parameters.remote = {address(1 - host, v6_), static_cast<uint16_t>(80 + choices_.below(2))};
      parameters.local.port = static_cast<uint16_t>(choices_.pick<uint32_t>({1000, 80, 81, 1001}));
    }
    const host::OpenResult result = hosts_[host]->open(now_, parameters);
    if (result.outcome != tcp::Outcome::kOk) return;
    ids_[host].push_back(result.id);
  }

  void call(size_t host) {
    checker_.on_call(host);
    host::Host& stack = *hosts_[host];
    const ConnectionId id = any_id(host);
    switch (choices_.below(10)) {
      case 0:
      case 1:
      case 2:
        (void)stack.send(now_, id, std::span(kText).first(choices_.scale(kText.size())),
                         choices_.one_in(2), choices_.one_in(4));
        break;
      case 3:
      case 4:
        (void)stack.receive(now_, id, std::span(buffer_).first(choices_.scale(buffer_.size())));
        break;
      case 5: {
        const host::OpenResult accepted = stack.accept(now_, id);
        if (accepted.outcome == tcp::Outcome::kOk) ids_[host].push_back(accepted.id);
        break;
      }
      case 6:
        (void)stack.close(now_, id);
        break;
      case 7:
        if (choices_.one_in(3)) (void)stack.release(now_, id);
        if (choices_.one_in(5)) (void)stack.abort(now_, id);
        break;
      case 8:
        (void)stack.open_active(now_, id, {address(1 - host, v6_), 80});
        break;
      default:
        // A listener's half-open connections would take back what their SYN,ACK promised.
        if (const auto status = stack.status(now_, id);
            !status.ok() || status->state == State::kListen) {
          break;
        }
        checker_.options_changed(now_, host, id);
        (void)stack.set_options(now_, id, options());
        checker_.options_changed(now_, host, id);
        break;
    }
  }

  // --- time

  std::optional<Instant> next_deadline() const {
    std::optional<Instant> next;
    for (const auto& host : hosts_) {
      const auto deadline = host->next_deadline();
      if (deadline && (!next || *deadline < *next)) next = deadline;
    }
    return next;
  }

  void pass_time(Instant until) {
    now_ = std::max(now_, until);
    for (size_t i = 0; i < 2 && !checker_.violated(); ++i) {
      const auto deadline = hosts_[i]->next_deadline();
      if (!deadline || *deadline > now_) continue;
      hosts_[i]->on_deadline(now_);
      settle();
      if (!checker_.violated()) checker_.after_deadline(i, now_);
    }
  }

  void settle() {
    for (size_t i = 0; i < 2; ++i) {
      host::FrameMeta meta;
      host::HostEvent event;
      for (int frames = 0;; ++frames) {
        const size_t length = hosts_[i]->next_frame(now_, buffer_, meta);
        if (length == 0) break;
        const auto frame = std::span<const uint8_t>(buffer_).first(length);
        checker_.on_frame_out(i, look_at(frame, host::LinkLayer::kRawIp));
        if (wire_[1 - i].size() < kMostInFlight)
          wire_[1 - i].emplace_back(frame.begin(), frame.end());
        if (frames > 10'000) return checker_.violate("a host never stops sending");
      }
      while (hosts_[i]->next_event(event)) {
        checker_.on_event(i, event);
        const bool born = event.event.kind == tcp::Event::Kind::kStateChange &&
                          event.event.to == State::kSynReceived;
        if (born && !std::ranges::count(ids_[i], event.id)) ids_[i].push_back(event.id);
      }
    }
    for (size_t i = 0; i < 2 && !checker_.violated(); ++i) checker_.after_event(i, now_);
  }

  Choices choices_;
  Checker checker_;
  Instant now_{1s};
  bool v6_ = false;
  std::array<tcp::Settings, 2> settings_;
  std::array<std::unique_ptr<host::Host>, 2> hosts_;
  std::array<std::deque<std::vector<uint8_t>>, 2> wire_;
  std::array<std::vector<ConnectionId>, 2> ids_;
  std::vector<uint8_t> buffer_;
};

}  // namespace

std::string run_stream(std::span<const uint8_t> bytes) {
  return Stream(bytes).run();
}

}  // namespace tcproctor::sim
