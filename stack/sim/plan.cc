// SPDX-License-Identifier: Apache-2.0
#include "stack/sim/plan.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "stack/tcp/authentication/keys.h"

namespace tcproctor::sim {
namespace {

using tcp::Duration;
using namespace std::chrono_literals;

// Roughly how many full segments a stream may take: worlds are to be cheap, and many.
constexpr uint64_t kSegments = 250;
constexpr uint64_t kMostBytes = 300'000;

class Draw {
 public:
  explicit Draw(Choices& choices) : choices_(choices) {}

  WorldPlan world() {
    if (feature("ethernet", 150)) plan_.layer = host::LinkLayer::kEthernet;
    if (feature("coalesce", 250)) plan_.coalesce = choices_.between(10us, 3ms);
    plan_.fair_weather_at = choices_.between(200ms, 40s);
    hosts();
    base_conditions();
    draw_mishaps();
    flows();
    whole_host_mishaps();
    return std::move(plan_);
  }

 private:
  bool feature(std::string_view name, uint32_t permille) {
    if (!choices_.permille(permille)) return false;
    absl::StrAppend(&plan_.features, plan_.features.empty() ? "" : " ", std::string(name));
    return true;
  }

  void hosts() {
    const size_t count = feature("three-hosts", 150) ? 3 : 2;
    const bool offload = feature("offload", 250);
    const bool small_mtu = feature("link-mtu", 250);
    const bool settings = feature("settings", 300);
    const bool trace = feature("trace", 300);
    const bool tuning = feature("tuning", 300);
    plan_.keep_super_segments = offload && choices_.one_in(2);
    any_v6_ = feature("ipv6", 300);
    draw_keys();
    for (size_t i = 0; i < count; ++i) {
      HostPlan& host = plan_.hosts.emplace_back();
      if (offload) {
        host.checksum_offload = true;
        host.segmentation_offload = !choices_.one_in(3);
      }
      // Hosts carry both families, and IPv6 wants 1,280.
      if (small_mtu) host.mtu = choices_.pick<uint32_t>({9000, 1280, 1281, 1492, 4000});
      host.trace = trace;
      if (settings) host.settings = stack_settings();
      if (tuning) {  // so small that streams of this length make them grow
        host.settings.initial_buffer_bytes = choices_.pick<uint32_t>({4096, 20'000, 65'536});
        host.settings.send_buffer_limit_bytes = choices_.pick<uint32_t>({100'000, 0, 4 << 20});
        host.settings.receive_buffer_limit_bytes = choices_.pick<uint32_t>({100'000, 0, 6 << 20});
      }
      // A cookie is believed for a while only.
      if (host.settings.syn_cache_size < 1024) plan_.users_may_lose = true;
    }
    // What arrives must fit the receiver's link: one MTU for all, where super-segments are whole.
    if (small_mtu) {
      for (HostPlan& host : plan_.hosts) host.mtu = plan_.hosts[0].mtu;
    }
  }

  // All sign with the same key, or none does.
  void draw_keys() {
    const bool md5 = feature("md5", 60);
    if (!md5 && !feature("ao", 60)) return;
    std::vector<tcp::PeerKeys> peers;
    for (const packet::IpFamily family : {packet::IpFamily::kV4, packet::IpFamily::kV6}) {
      tcp::PeerKeys& keys = peers.emplace_back();
      keys.peer = packet::IpAddress::any(family);
      keys.prefix_length = 0;
      if (md5) {
        keys.md5 = "md5 key";
      } else {
        keys.ao = {{.send_id = 1,
                    .recv_id = 1,
                    .algorithm = choices_.pick<tcp::AoAlgorithm>(
                        {tcp::AoAlgorithm::kHmacSha1, tcp::AoAlgorithm::kAesCmac}),
                    .covers_options = !choices_.one_in(3),
                    .key = "master key"}};
      }
    }
    keys_ = std::make_shared<tcp::KeyRing>(std::move(peers));
  }

  tcp::Settings stack_settings() {
    tcp::Settings settings;
    settings.msl = choices_.pick<Duration>({120s, 30s, 10s});
    settings.min_rto = choices_.pick<Duration>({1s, 200ms, 20ms});
    settings.initial_rto = std::max(settings.min_rto, choices_.pick<Duration>({1s, 3s}));
    settings.max_rto = choices_.pick<Duration>({240s, 60s});
    settings.challenge_ack_limit = choices_.pick<uint32_t>({10, 1, 100});
    settings.syn_cookies = !choices_.one_in(4);
    settings.syn_cache_size = choices_.pick<uint32_t>({1024, 1, 8});
    settings.reassembly_limit_bytes = choices_.pick<uint64_t>({64u << 20, 20'000, 0});
    settings.rfc1337 = choices_.one_in(3);
    settings.rfc6191 = !choices_.one_in(4);
    settings.rack_tlp = !choices_.one_in(3);
    settings.frto = !choices_.one_in(3);
    return settings;
  }

  void base_conditions() {
    base_.delay = choices_.pick<Duration>({1ms, 20us, 10ms, 50ms, 150ms});
    base_.delay = base_.delay * static_cast<int64_t>(choices_.between(5, 20)) / 10;
    if (feature("loss", 350)) base_.loss = choices_.pick<uint32_t>({1, 10, 30, 100, 300});
    if (feature("duplicate", 250)) base_.duplicate = choices_.pick<uint32_t>({1, 20, 200});
    if (feature("corrupt", 200)) base_.corrupt = choices_.pick<uint32_t>({1, 20, 100});
    if (feature("jitter", 250)) base_.jitter = choices_.between(0ns, base_.delay * 2);
    if (feature("reorder", 300)) {
      base_.reorder = choices_.pick<uint32_t>({5, 50, 300});
      base_.reorder_by = choices_.between(10us, choices_.pick<Duration>({5ms, 200ms, 2s}));
    }
    if (feature("bottleneck", 250)) {
      base_.bytes_per_second = choices_.pick<uint64_t>({10'000'000, 1'000'000, 100'000, 20'000});
      base_.queue_bytes = choices_.pick<uint32_t>({20'000, 5'000, 100'000});
      base_.marks = choices_.one_in(2);
    }
    for (size_t from = 0; from < plan_.hosts.size(); ++from) {
      for (size_t to = 0; to < plan_.hosts.size(); ++to) {
        Mishap& start = plan_.mishaps.emplace_back();
        start = {.from = from, .to = to, .conditions = base_};
        // One way may be worse than the other.
        if (choices_.one_in(4)) start.conditions.loss = start.conditions.corrupt = 0;
      }
    }
  }

  Duration bad_moment() { return choices_.between(0ns, plan_.fair_weather_at); }

  Mishap& mishap(Mishap::Kind kind) {
    Mishap& mishap = plan_.mishaps.emplace_back();
    mishap.kind = kind;
    mishap.at = bad_moment();
    mishap.from = choices_.below(plan_.hosts.size());
    mishap.to = (mishap.from + 1) % plan_.hosts.size();
    mishap.conditions = base_;
    return mishap;
  }

  void draw_mishaps() {
    const auto times = [&] { return choices_.between(1, 4); };
    if (feature("outage", 200)) {
      for (uint64_t i = times(); i != 0; --i) {
        Mishap& begins = mishap(Mishap::Kind::kConditions);
        begins.conditions.outage = true;
        begins.conditions.tell_unreachable = choices_.one_in(2);
        Mishap ends = begins;
        ends.conditions.outage = false;
        ends.at += choices_.between(10ms, choices_.pick<Duration>({100ms, 3s, 20s}));
        plan_.mishaps.push_back(ends);
      }
    }
    if (feature("path-reset", 250)) {  // and the new route is of another length
      for (uint64_t i = times(); i != 0; --i) {
        Mishap& all = mishap(Mishap::Kind::kVanish);
        Mishap route = all;
        route.kind = Mishap::Kind::kConditions;
        route.conditions.delay = choices_.between(20us, 400ms);
        plan_.mishaps.push_back(route);
      }
    }
    if (feature("path-mtu", 200)) {
      for (uint64_t i = times(); i != 0; --i) {
        Mishap& narrow = mishap(Mishap::Kind::kConditions);
        narrow.conditions.mtu = static_cast<uint32_t>(choices_.between(any_v6_ ? 1280 : 296, 1499));
        narrow.conditions.tell_too_big = choices_.one_in(2);
        Mishap wide = narrow;
        wide.conditions.mtu = base_.mtu;
        wide.at += choices_.between(10ms, choices_.pick<Duration>({10s, 100s}));
        plan_.mishaps.push_back(wide);
      }
    }
    forgery_ = feature("forgery", 150);
    if (forgery_) {
      for (uint64_t i = times(); i != 0; --i) {
        mishap(Mishap::Kind::kForgery).count = static_cast<uint32_t>(choices_.between(1, 40));
      }
    }
  }

  // --- connections

  tcp::ConnectionOptions options() {
    tcp::ConnectionOptions options;
    if (options_vary_) {
      options.window_scale = !choices_.one_in(3);
      options.timestamps = !choices_.one_in(3);
      options.sack_permitted = !choices_.one_in(3);
      options.no_delay = choices_.one_in(3);
      options.delayed_ack = choices_.pick<Duration>({40ms, 0ms, 1ms, 499ms});
      options.dscp = static_cast<uint8_t>(choices_.below(64));
      options.ttl = choices_.pick<uint8_t>({64, 255, 1});
      options.congestion_control = choices_.pick<tcp::CongestionAlgorithm>(
          {tcp::CongestionAlgorithm::kCubic, tcp::CongestionAlgorithm::kReno});
      options.hystart = !choices_.one_in(3);
      options.initial_window = choices_.pick<tcp::InitialWindow>(
          {tcp::InitialWindow::kRfc6928, tcp::InitialWindow::kRfc5681});
      options.appropriate_byte_counting = choices_.one_in(3);
      options.ecn = choices_.pick<tcp::EcnUse>(
          {tcp::EcnUse::kRequest, tcp::EcnUse::kAccept, tcp::EcnUse::kOff});
      options.path_mtu_discovery = !choices_.one_in(4);
      options.report_soft_errors = !choices_.one_in(4);
    }
    if (mtu_probing_) {
      options.mtu_probing = choices_.pick<tcp::MtuProbing>(
          {tcp::MtuProbing::kAlways, tcp::MtuProbing::kBlackHole, tcp::MtuProbing::kOff});
    }
    if (congestion_) {
      options.congestion_control = choices_.pick<tcp::CongestionAlgorithm>(
          {tcp::CongestionAlgorithm::kCubic, tcp::CongestionAlgorithm::kReno});
      options.initial_window = choices_.pick<tcp::InitialWindow>(
          {tcp::InitialWindow::kRfc6928, tcp::InitialWindow::kRfc5681});
      options.hystart = !choices_.one_in(3);
      options.appropriate_byte_counting = choices_.one_in(3);
    }
    if (small_mss_) {
      options.mss = choices_.pick<uint16_t>({536, 1, 20, 100, 1000, 1460, 8960, 65535});
    }
    if (small_buffers_) {
      options.send_buffer_bytes = choices_.pick<uint32_t>({20'000, 1, 50, 3'000, 65'536});
      options.receive_buffer_bytes = choices_.pick<uint32_t>({20'000, 1, 2, 50, 3'000, 65'536});
    }
    if (keepalive_) {
      options.keepalive = true;
      options.keepalive_idle = choices_.pick<Duration>({30s, 1s, 2h});
      options.keepalive_interval = choices_.pick<Duration>({75s, 20s});
    }
    if (user_timeout_option_ && !choices_.one_in(3)) {
      options.advertised_user_timeout = choices_.pick<Duration>({300s, 1s, 120s, 3h});
    }
    options.fast_open = fast_open_ && !choices_.one_in(4);
    options.keys = keys_;
    if (impatient_) options.user_timeout = choices_.pick<Duration>({30s, 2s, 120s});
    return options;
  }

  // Octets that a stream from `from` to `to` can move in about kSegments segments.
  uint64_t bytes(const tcp::ConnectionOptions& from, const tcp::ConnectionOptions& to) {
    const uint32_t mtu = plan_.hosts[0].mtu;
    const uint64_t overhead = 60u + (from.timestamps && to.timestamps ? 12u : 0u);
    uint64_t segment = std::min<uint64_t>(mtu - overhead, to.mss.value_or(65535));
    if (to.mss && *to.mss < 100) segment = std::max<uint64_t>(1, segment > 12 ? segment - 12 : 1);
    segment = std::min<uint64_t>({segment, (to.receive_buffer_bytes.value_or(kMostBytes) + 1) / 2,
                                  (from.send_buffer_bytes.value_or(kMostBytes) + 1) / 2});
    return choices_.scale(std::min(kMostBytes, segment * kSegments));
  }

  UserPlan user() {
    UserPlan user;
    if (slow_writer_ && choices_.one_in(2)) {
      user.write_interval = choices_.between(100us, 300ms);
    }
    if (slow_writer_ || choices_.one_in(3)) {
      user.write_chunk = static_cast<uint32_t>(choices_.scale(20'000));
    }
    if (slow_reader_ && choices_.one_in(2)) {
      user.read_interval = choices_.between(1ms, choices_.pick<Duration>({50ms, 3s, 90s}));
    }
    if (slow_reader_) user.read_chunk = static_cast<uint32_t>(choices_.scale(40'000));
    if (polls_ && choices_.one_in(2)) {
      user.poll = std::max<Duration>(choices_.between(1ms, 500ms), user.read_interval / 4);
    }
    user.push = choices_.one_in(3);
    if (urgent_) user.urgent = choices_.pick<uint32_t>({10, 200, 1000});
    user.send_early = (early_ || fast_open_) && choices_.one_in(2);
    user.close_last = half_close_ && choices_.one_in(2);
    if (half_close_) user.close_delay = choices_.between(0ns, 5s);
    user.release = !choices_.one_in(4);
    user.changes_options = set_options_ && choices_.one_in(2);
    return user;
  }

  void flow(FlowKind kind) {
    FlowPlan flow;
    flow.kind = kind;
    flow.hosts[0] = choices_.below(plan_.hosts.size());
    flow.hosts[1] =
        (flow.hosts[0] + choices_.between(1, plan_.hosts.size() - 1)) % plan_.hosts.size();
    flow.v6 = any_v6_ && !choices_.one_in(3);
    flow.start = choices_.between(0ns, choices_.pick<Duration>({1ms, 500ms, 20s}));
    flow.options = options();
    const auto number = static_cast<uint16_t>(plan_.flows.size());
    flow.client_port = static_cast<uint16_t>(
        kind == FlowKind::kClientServer && choices_.one_in(2) ? 0 : 2000 + number);
    tcp::ConnectionOptions server = flow.options;
    if (kind == FlowKind::kSimultaneous) {
      flow.server_port = static_cast<uint16_t>(3000 + number);
    } else {
      server = listener(flow);
    }
    for (int end = 0; end < 2; ++end) {
      UserPlan& own = flow.users[end] = user();
      const uint64_t most = end == 0 ? bytes(flow.options, server) : bytes(server, flow.options);
      own.bytes = choices_.one_in(6) ? 0 : most;
      if (own.write_interval.count() == 0) continue;
      own.bytes = std::min<uint64_t>(own.bytes, 200ull * own.write_chunk);
    }
    for (int end = 0; end < 2; ++end) {
      const UserPlan& reader = flow.users[end];
      if (reader.read_interval.count() == 0) continue;
      const uint64_t reads = reader.read_interval > 200ms ? 40 : 300;
      uint64_t& sent = flow.users[1 - end].bytes;
      sent = std::min<uint64_t>(sent, reads * reader.read_chunk);
    }
    // Two that wait for each other's end would do so for ever.
    if (flow.users[0].close_last) flow.users[1].close_last = false;
    // The acknowledgment of a SYN cookie is not repeated: a client that only listens would wait.
    if (flow.users[0].bytes == 0) flow.users[0].close_last = false;
    if (gives_up_ && choices_.one_in(2)) {
      UserPlan& loser = flow.users[choices_.below(2)];
      loser.gives_up_after = choices_.below(flow.users[0].bytes + flow.users[1].bytes + 1);
      loser.gives_up_by_release = choices_.one_in(2);
    }
    plan_.flows.push_back(flow);
    if (reuse_) reuse(flow);
  }

  // The same sockets again, as soon as the last connection of them is over.
  void reuse(FlowPlan flow) {
    if (flow.kind != FlowKind::kClientServer || flow.client_port == 0) return;
    for (uint64_t i = choices_.between(1, 2); i != 0; --i) {
      flow.follows = plan_.flows.size() - 1;
      flow.start = choices_.between(0ns, choices_.pick<Duration>({1ms, 1s, 60s}));
      plan_.flows.push_back(flow);
    }
  }

  // Options of the listener that serves `flow`; one of its own mostly.
  tcp::ConnectionOptions listener(FlowPlan& flow) {
    if (!plan_.listeners.empty() && choices_.one_in(3)) {
      const ListenerPlan& shared = plan_.listeners.back();
      if (shared.host != flow.hosts[0]) {
        flow.hosts[1] = shared.host;
        flow.server_port = shared.port;
        return shared.options;
      }
    }
    ListenerPlan plan;
    plan.host = flow.hosts[1];
    plan.port = flow.server_port = static_cast<uint16_t>(80 + plan_.listeners.size());
    plan.options = options();
    if (small_backlog_) {
      plan.backlog = static_cast<uint32_t>(choices_.between(1, 2));
      plan.accept_delay = choices_.between(0ns, 5s);
    }
    plan_.listeners.push_back(plan);
    return plan.options;
  }

  void flows() {
    options_vary_ = feature("options", 400);
    congestion_ = feature("congestion", 400);
    small_mss_ = feature("mss", 200);
    small_buffers_ = feature("buffers", 250);
    keepalive_ = feature("keepalive", 150);
    impatient_ = feature("user-timeout", 80);
    slow_writer_ = feature("slow-writer", 250);
    slow_reader_ = feature("slow-reader", 250);
    polls_ = feature("polls", 200);
    urgent_ = feature("urgent", 200);
    early_ = feature("early", 250);
    half_close_ = feature("half-close", 300);
    gives_up_ = feature("gives-up", 200);
    small_backlog_ = feature("backlog", 150);
    flood_ = feature("flood", 100);
    reuse_ = feature("reuse", 150);
    set_options_ = feature("set-options", 100);
    mtu_probing_ = feature("mtu-probing", 250);
    user_timeout_option_ = feature("user-timeout-option", 100);
    fast_open_ = feature("fast-open", 150);
    const bool simultaneous = feature("simultaneous", 150);
    const bool turns = feature("listener-turns-active", 100);
    for (uint64_t i = choices_.pick<uint64_t>({1, 1, 2, 3}); i != 0; --i) {
      if (simultaneous && choices_.one_in(2)) {
        flow(FlowKind::kSimultaneous);
      } else if (turns && choices_.one_in(2)) {
        flow(FlowKind::kListenerTurnsActive);
      } else {
        flow(FlowKind::kClientServer);
      }
    }
  }

  void whole_host_mishaps() {
    if (flood_ && !plan_.listeners.empty()) {
      for (uint64_t i = choices_.between(1, 3); i != 0; --i) {
        const ListenerPlan& target = plan_.listeners[choices_.below(plan_.listeners.size())];
        Mishap& flood = mishap(Mishap::Kind::kSynFlood);
        flood.to = target.host;
        flood.port = target.port;
        flood.count = static_cast<uint32_t>(choices_.scale(300));
      }
      // A handshake that the flood delays for minutes fails lawfully.
      plan_.users_may_lose = true;
    }
    if (feature("reboot", 100)) {
      Mishap& reboot = mishap(Mishap::Kind::kReboot);
      reboot.at = std::min(reboot.at, choices_.between(1ms, 3s));
    }
    plan_.users_may_lose = plan_.users_may_lose || impatient_ || keepalive_;
    // A TIME-WAIT that neither yields to a SYN nor dies by the RST that its answer causes outlasts
    // the R2 of the new SYN.
    for (const HostPlan& host : plan_.hosts) {
      if (reuse_ && host.settings.rfc1337) plan_.users_may_lose = true;
    }
    // A forged SYN towards SYN-SENT begins a simultaneous open: who knows the sockets can do that.
    if (reuse_ && forgery_) plan_.users_may_lose = true;
  }

  Choices& choices_;
  WorldPlan plan_;
  Conditions base_;
  bool any_v6_ = false;
  bool options_vary_ = false, congestion_ = false, small_mss_ = false, small_buffers_ = false,
       keepalive_ = false, impatient_ = false, slow_writer_ = false, slow_reader_ = false,
       polls_ = false, urgent_ = false, early_ = false, half_close_ = false, gives_up_ = false,
       small_backlog_ = false, mtu_probing_ = false, flood_ = false, reuse_ = false,
       set_options_ = false, forgery_ = false, user_timeout_option_ = false, fast_open_ = false;
  std::shared_ptr<const tcp::KeyRing> keys_;
};

}  // namespace

WorldPlan draw_plan(Choices& choices) {
  return Draw(choices).world();
}

}  // namespace tcproctor::sim
