// SPDX-License-Identifier: Apache-2.0
// The two ends of a session and the wire between them, on one clock. A session that is reset gets a
// fresh bench.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/end/end.h"
#include "server/serve/serving.h"
#include "server/session/environment.h"
#include "server/session/plan.h"
#include "server/session/plant.h"
#include "server/wire/port.h"
#include "server/wire/wire.h"
#include "stack/run/event_loop.h"
#include "stack/run/scheduler.h"

namespace tcproctor::server {

// Not thread-safe: lives on its session's loop.
class Bench {
 public:
  // `id_base`: connection ids of the session lie above it. `on_activity`: something that waits may
  // be satisfiable; it is called from within the ends' and the wire's work and must only schedule.
  static absl::StatusOr<std::unique_ptr<Bench>> assemble(const SessionPlan& plan, Plant plant,
                                                         run::EventLoop& loop, uint64_t id_base,
                                                         std::function<void()> on_activity);
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  // Ends everything that lives on the loop and returns the rest (sockets, devices, namespaces),
  // whose destruction takes the kernel's time and belongs on a worker thread. Call at most once.
  absl::AnyInvocable<void()> dismantle();

  End& end(v1::End side) { return side == v1::END_A ? *a_ : *b_; }
  // What the session finds on the machine; look_around() on a worker thread does the looking.
  Surroundings surroundings(const SessionPlan& plan) const;
  // Null when the ends are joined directly.
  Wire* wire() { return wire_.get(); }
  Serving& serving() { return serving_; }
  run::Scheduler& scheduler() { return *scheduler_; }
  // Null on a real clock.
  run::VirtualScheduler* virtual_scheduler() { return virtual_scheduler_; }
  tcp::Instant now() const { return scheduler_->now(); }
  // A device that is gone makes the session useless; OK while all are there.
  const absl::Status& link_status() const { return link_status_; }

 private:
  Bench(const SessionPlan& plan, Plant plant, run::EventLoop& loop,
        std::function<void()> on_activity);
  absl::Status make_end(const SessionPlan& plan, v1::End side, uint64_t id_base,
                        std::unique_ptr<End>& end);
  absl::StatusOr<std::unique_ptr<End>> make_stack_end(const SessionPlan& plan, const EndPlan& mine,
                                                      uint64_t id_base);
  absl::StatusOr<std::unique_ptr<End>> make_kernel_end(const SessionPlan& plan, const EndPlan& mine,
                                                       uint64_t id_base);
  // Frames that the captures of both sides have lost.
  uint64_t capture_drops() const;
  void make_wire(const SessionPlan& plan);
  absl::Status start_ports(const SessionPlan& plan);
  absl::Status start_port(const SessionPlan& plan, v1::End side, std::unique_ptr<Port>& port);

  run::EventLoop& loop_;
  const std::function<void()> on_activity_;
  std::unique_ptr<run::Scheduler> scheduler_;
  run::VirtualScheduler* virtual_scheduler_ = nullptr;
  Plant plant_;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<Port> port_a_;
  std::unique_ptr<Port> port_b_;
  std::unique_ptr<End> a_;
  std::unique_ptr<End> b_;
  Serving serving_;
  absl::Status link_status_;
};

}  // namespace tcproctor::server
