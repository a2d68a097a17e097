// SPDX-License-Identifier: Apache-2.0
#include "stack/link/host_loop.h"

#include <utility>

namespace tcproctor::link {
namespace {

// A busy link must not keep the other sessions of its loop waiting: after this many batches in, or
// frames out, they get their turn.
constexpr int kMaxBatches = 4;
constexpr int kMaxFramesOut = 256;

}  // namespace

HostLoop::HostLoop(host::Host& host, Link& link, run::Scheduler& scheduler, run::EventLoop* loop)
    : host_(host), link_(link), scheduler_(scheduler), loop_(loop) {}

HostLoop::~HostLoop() {
  stop();
}

absl::Status HostLoop::start() {
  if (running_) return absl::OkStatus();
  if (link_.fd() < 0) {
    link_.set_on_ready([this] { read_soon(); });
  } else {
    if (loop_ == nullptr) {
      return absl::InvalidArgumentError(
          "host loop: the link has a descriptor, so an event loop is needed");
    }
    absl::Status status = loop_->watch(link_.fd(), {.readable = true},
                                       [this](run::Readiness ready) { on_ready(ready); });
    if (!status.ok()) return status;
  }
  running_ = true;
  kick();
  return absl::OkStatus();
}

void HostLoop::stop() {
  if (!running_) return;
  running_ = false;
  watching_writable_ = false;
  if (link_.fd() < 0) {
    link_.set_on_ready(nullptr);
  } else {
    loop_->unwatch(link_.fd());
  }
  for (std::optional<run::TimerId>* id : {&soon_, &reading_, &timer_}) {
    if (*id) scheduler_.cancel(**id);
    id->reset();
  }
}

void HostLoop::kick() {
  if (!running_ || soon_) return;
  soon_ = scheduler_.schedule(scheduler_.now(), [this] {
    soon_.reset();
    pump();
  });
}

void HostLoop::read_soon() {
  if (reading_) return;
  reading_ = scheduler_.schedule(scheduler_.now(), [this] {
    reading_.reset();
    read_link();
  });
}

void HostLoop::on_ready(run::Readiness ready) {
  if (ready.writable) watch_writable(false);
  if (ready.readable || ready.error) {
    read_link();
  } else {
    pump();
  }
}

void HostLoop::read_link() {
  // The whole burst goes in before anything is pulled out, so that it is acknowledged once
  // (RFC9293-MUST-58, MUST-59).
  for (int batch = 0; batch < kMaxBatches; ++batch) {
    const absl::Status status = link_.receive(frames_);
    if (!status.ok()) return lose_link(status);
    if (frames_.empty()) break;
    const tcp::Instant now = scheduler_.now();
    for (const ReceivedFrame& frame : frames_) host_.on_frame(now, frame.bytes, frame.meta);
  }
  // Without a descriptor nobody reminds us of what was left.
  if (link_.fd() < 0 && !frames_.empty()) read_soon();
  pump();
}

void HostLoop::pump() {
  const std::optional<tcp::Instant> deadline = host_.next_deadline();
  if (deadline && *deadline <= scheduler_.now()) host_.on_deadline(scheduler_.now());
  bool more = pull_frames();
  // Callbacks may have called the host, which may have more to send now.
  while (running_ && deliver_events()) more = pull_frames();
  if (!running_) return;
  if (more) kick();
  arm_timer();
}

// True when frames may be left although the link has room.
bool HostLoop::pull_frames() {
  const tcp::Instant now = scheduler_.now();
  bool full = false;
  int count = 0;
  for (; count < kMaxFramesOut; ++count) {
    const std::span<uint8_t> buffer = link_.send_buffer();
    full = buffer.empty();
    if (full) break;
    host::FrameMeta meta;
    const size_t length = host_.next_frame(now, buffer, meta);
    if (length == 0) break;
    // A frame the link refuses is lost, as on any wire.
    full = absl::IsResourceExhausted(link_.send(buffer.first(length), meta));
    if (full) break;
  }
  if (absl::IsResourceExhausted(link_.flush())) full = true;
  if (full) watch_writable(true);
  return !full && count == kMaxFramesOut;
}

bool HostLoop::deliver_events() {
  bool any = false;
  host::HostEvent event;
  while (running_ && host_.next_event(event)) {
    any = true;
    if (on_event_) on_event_(event);
  }
  return any;
}

void HostLoop::arm_timer() {
  const std::optional<tcp::Instant> deadline = host_.next_deadline();
  // A timer that is too early is left alone: acknowledgments move the retransmission deadline all
  // the time, and waking once too often is cheaper than moving the timer each time.
  if (!deadline || (timer_ && timer_time_ <= *deadline)) return;
  if (timer_) scheduler_.cancel(*timer_);
  timer_time_ = *deadline;
  timer_ = scheduler_.schedule(timer_time_, [this] {
    timer_.reset();
    pump();
  });
}

void HostLoop::watch_writable(bool wanted) {
  // A link without descriptor tells of room by itself.
  if (link_.fd() < 0 || watching_writable_ == wanted || !running_) return;
  watching_writable_ = wanted;
  // Cannot fail for a descriptor that is being watched.
  loop_->change_watch(link_.fd(), {.readable = true, .writable = wanted}).IgnoreError();
}

void HostLoop::lose_link(const absl::Status& status) {
  stop();
  if (on_link_lost_) on_link_lost_(status);
}

}  // namespace tcproctor::link
