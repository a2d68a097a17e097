// SPDX-License-Identifier: Apache-2.0
// Host + link + clock: carries frames in and out, keeps the host's one timer, hands its events on.
// The only user of a host needs nothing else than to call kick() after its own calls.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "stack/host/host.h"
#include "stack/link/link.h"
#include "stack/run/event_loop.h"
#include "stack/run/scheduler.h"
#include "stack/tcp/time.h"

namespace tcproctor::link {

// Not thread-safe: everything happens on the session's loop. Host, link, scheduler and loop must
// outlive it.
class HostLoop {
 public:
  // `loop` may be null for a link without descriptor.
  HostLoop(host::Host& host, Link& link, run::Scheduler& scheduler, run::EventLoop* loop);
  // Stops.
  ~HostLoop();
  HostLoop(const HostLoop&) = delete;
  HostLoop& operator=(const HostLoop&) = delete;

  // Begins to serve the link. INVALID_ARGUMENT: the link has a descriptor that cannot be watched,
  // or no loop was given for it.
  absl::Status start();
  void stop();

  // To be called after calls to the host: what they made it send leaves, and its events come,
  // before the loop sleeps again (on a virtual clock: as a task at the present moment). Cheap to
  // repeat.
  void kick();

  // Each event of the host, in order. The callback may call the host; no kick() is needed then.
  void set_on_event(absl::AnyInvocable<void(const host::HostEvent&)> callback) {
    on_event_ = std::move(callback);
  }
  // The device is gone; nothing is served any more.
  void set_on_link_lost(absl::AnyInvocable<void(const absl::Status&)> callback) {
    on_link_lost_ = std::move(callback);
  }

  tcp::Instant now() const { return scheduler_.now(); }

 private:
  void on_ready(run::Readiness ready);
  void read_soon();
  void read_link();
  void pump();
  bool pull_frames();
  bool deliver_events();
  void arm_timer();
  void watch_writable(bool wanted);
  void lose_link(const absl::Status& status);

  host::Host& host_;
  Link& link_;
  run::Scheduler& scheduler_;
  run::EventLoop* const loop_;

  bool running_ = false;
  bool watching_writable_ = false;
  std::optional<run::TimerId> soon_;     // a scheduled pump
  std::optional<run::TimerId> reading_;  // a scheduled read_link() of a link without descriptor
  std::optional<run::TimerId> timer_;    // wakes the host at timer_time_
  tcp::Instant timer_time_{};
  std::vector<ReceivedFrame> frames_;
  absl::AnyInvocable<void(const host::HostEvent&)> on_event_;
  absl::AnyInvocable<void(const absl::Status&)> on_link_lost_;
};

}  // namespace tcproctor::link
