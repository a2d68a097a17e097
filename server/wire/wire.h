// SPDX-License-Identifier: Apache-2.0
// The wire between a session's ends: a switch in user space. It logs every packet with a number and
// a time, holds and releases them, injects, loses, delays, duplicates, reorders and corrupts by a
// seed, and answers what was seen. Without I/O: packets come in by on_packet() and leave by a hook.
//
// Order of things for a packet of an end: impairments (loss, corruption) are drawn, it is logged, a
// Hold that wants it keeps it; else it is delivered, or delayed first. What Hold released is
// delivered at once and unimpaired. Injected packets are neither held nor impaired.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "server/wire/delay_line.h"
#include "server/wire/expect.h"
#include "server/wire/hold.h"
#include "server/wire/impair.h"
#include "server/wire/inject.h"
#include "server/wire/log.h"
#include "server/wire/log_reader.h"
#include "server/wire/packet_meta.h"
#include "server/wire/pcap_writer.h"
#include "stack/packet/address.h"
#include "stack/run/scheduler.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

struct WireEnd {
  // Nothing is delivered to it: what is sent to it has FATE_TO_SCRIPT.
  bool scripted = false;
  // Defaults of crafted segments; in order of preference within a family.
  std::vector<packet::IpAddress> addresses;
};

struct WireConfig {
  WireEnd a;
  WireEnd b;
  uint64_t log_bytes = uint64_t{64} << 20;  // WireSpec.log_bytes
  uint64_t seed = 0;                        // of the session
  // So many entries carry observed states: asking an end may be expensive.
  uint64_t observed_entries = 2000;
};

struct WireHooks {
  // Hands a packet to an end that is not scripted. Called from within the wire's calls and timers;
  // on_packet() may be called from within it. The octets live as long as the call.
  std::function<void(v1::End to, std::span<const uint8_t> packet, const PacketMeta&)> deliver;
  // State of an end's connection; `pair` is as that end names it (local = its own). Optional.
  std::function<v1::TcpState(v1::End end, const packet::FourTuple& pair)> observe;
  // Something that waits may be satisfiable: a packet was logged, a train is done. Optional. It is
  // called for every packet, from within the wire: take note, and poll later.
  std::function<void()> activity;
  // CLOCK_REALTIME now, for packets that come without the kernel's stamp. Absent: virtual clock.
  std::function<int64_t()> wall_time_ns;
  // Frames the capture has lost so far, of all ports. From the first one on Expect answers
  // DATA_LOSS: a lossy capture is an error of the environment, not of the examined end. Optional.
  std::function<uint64_t()> capture_drops;
};

// Not thread-safe: lives on its session's loop. Requests' `session` is not looked at. Handles it
// gives out may outlive it.
class Wire {
 public:
  Wire(WireConfig config, run::Scheduler& scheduler, WireHooks hooks);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // A packet that the end `from` (A or B) sent: a whole IP packet without link header or padding.
  // Malformed ones are welcome.
  void on_packet(v1::End from, std::span<const uint8_t> packet, const PacketMeta& meta);

  // The calls of the service. INVALID_ARGUMENT names the field; nothing was done then.
  // `check` is asked before anything is sent.
  absl::StatusOr<std::unique_ptr<Injection>> inject(const v1::InjectRequest& request,
                                                    const InjectionCheck& check = nullptr);
  absl::Status hold(const v1::HoldRequest& request);
  absl::StatusOr<v1::ReleaseHeldResponse> release(const v1::ReleaseHeldRequest& request);
  absl::StatusOr<std::unique_ptr<Expectation>> expect(const v1::ExpectRequest& request);
  absl::Status impair(const v1::ImpairRequest& request);
  absl::StatusOr<std::unique_ptr<LogReader>> read_log(const v1::LogRequest& request) const;
  absl::StatusOr<std::unique_ptr<PcapWriter>> pcap(const v1::PcapRequest& request) const;

  const WireLog& log() const { return *log_; }
  // Packets on their way (delay, jitter, reordering), and kept by Hold.
  size_t in_flight() const { return delay_line_.size(); }
  size_t held() const { return holder_.size(); }
  // Trains and floods still playing.
  size_t playing() const;
  // Packets injected so far; those of unlogged floods among them.
  uint64_t injected() const { return injected_; }
  uint64_t unlogged() const { return unlogged_; }

 private:
  // How a packet of an end goes on its way.
  struct Passage {
    v1::End from;
    v1::Origin origin;
    bool corrupted;
    tcp::Instant due;
  };

  uint64_t append(v1::End from, v1::Origin origin, v1::Fate fate, std::span<const uint8_t> packet,
                  const PacketMeta& meta, bool corrupted);
  void observe(LogRecord& record) const;
  // Logs the packet, and delivers, holds or delays it.
  void forward(const Passage& passage, std::span<const uint8_t> packet, const PacketMeta& meta);
  // Delivers what was held or delayed.
  void hand_on(const HeldPacket& packet);
  void deliver(v1::End to, std::span<const uint8_t> packet, const PacketMeta& meta);
  v1::Fate fate_on_arrival(v1::End from) const;
  uint64_t send_injected(v1::End from, std::span<const uint8_t> packet, const PacketMeta& meta,
                         bool unlogged);
  void activity();

  CraftContext craft_context(v1::End from);
  std::span<const uint8_t> logged(uint64_t number) const;
  // Of what a request leaves to us; follows from the session's seed.
  uint64_t next_seed();
  absl::StatusOr<std::optional<Matcher>> compile(bool present,
                                                 const v1::SegmentPattern& pattern) const;
  absl::StatusOr<std::vector<PlannedPacket>> plan_train(const v1::InjectRequest& request);

  const WireEnd& end(v1::End which) const { return which == v1::END_A ? config_.a : config_.b; }
  std::optional<Impairer>& impairer_of(v1::End from) {
    return from == v1::END_A ? impair_a_ : impair_b_;
  }

  const WireConfig config_;
  run::Scheduler& scheduler_;
  const std::shared_ptr<const WireHooks> hooks_;
  const std::shared_ptr<WireLog> log_;
  const std::shared_ptr<ExpectCursors> cursors_;
  Holder holder_;
  std::optional<Impairer> impair_a_;
  std::optional<Impairer> impair_b_;
  DelayLine delay_line_;
  std::vector<std::shared_ptr<Player>> players_;
  uint64_t injected_ = 0;
  uint64_t unlogged_ = 0;
  uint16_t identification_ = 0;
  uint64_t draws_ = 0;        // default seeds handed out
  tcp::Instant last_time_{};  // of the log
};

}  // namespace tcproctor::server
