// SPDX-License-Identifier: Apache-2.0
#include "server/end/kernel_sockets.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <thread>
#include <utility>

namespace tcproctor::server {
namespace {

constexpr int kFirstDescriptor = 3;

// Ends a blocking call with EINTR. Nothing else in the daemon uses it.
int interruption() {
  static const int kSignal = [] {
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGRTMIN + 3, &action, nullptr);
    return SIGRTMIN + 3;
  }();
  return kSignal;
}

class KernelOperation final : public SocketOperation {
 public:
  KernelOperation(const v1::SocketCallRequest& request, std::shared_ptr<NetworkNamespace> ns,
                  std::shared_ptr<DescriptorTable> descriptors, std::function<void()> on_end)
      : ns_(std::move(ns)),
        descriptors_(std::move(descriptors)),
        on_end_(std::move(on_end)),
        thread_([this, request] { run(request); }) {}

  ~KernelOperation() override {
    interrupt();
    thread_.join();
  }

  std::optional<v1::SocketCallResponse> poll() override {
    if (!done_.load(std::memory_order_acquire)) return std::nullopt;
    return std::move(response_);
  }

 private:
  void run(const v1::SocketCallRequest& request) {
    response_ = make_socket_call(request, *ns_, *descriptors_);
    {
      const std::lock_guard lock(mutex_);
      done_.store(true, std::memory_order_release);
    }
    ended_.notify_all();
    on_end_();
  }

  // Again and again: the thread may be on its way into the call.
  void interrupt() {
    const int signal = interruption();
    std::unique_lock lock(mutex_);
    while (!done_.load(std::memory_order_acquire)) {
      ::pthread_kill(thread_.native_handle(), signal);
      ended_.wait_for(lock, std::chrono::milliseconds(1));
    }
  }

  const std::shared_ptr<NetworkNamespace> ns_;
  const std::shared_ptr<DescriptorTable> descriptors_;
  const std::function<void()> on_end_;
  v1::SocketCallResponse response_;
  std::atomic<bool> done_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::thread thread_;
};

}  // namespace

int DescriptorTable::add(UniqueFd fd) {
  const std::lock_guard lock(mutex_);
  int number = kFirstDescriptor;
  while (entries_.contains(number)) ++number;
  entries_[number].fd = std::make_shared<const UniqueFd>(std::move(fd));
  return number;
}

std::shared_ptr<const UniqueFd> DescriptorTable::find(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  return found == entries_.end() ? nullptr : found->second.fd;
}

std::shared_ptr<const UniqueFd> DescriptorTable::take(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return nullptr;
  std::shared_ptr<const UniqueFd> fd = std::move(found->second.fd);
  entries_.erase(found);
  return fd;
}

void DescriptorTable::keep_linger(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  if (found != entries_.end()) found->second.own_linger = true;
}

bool DescriptorTable::keeps_linger(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  return found != entries_.end() && found->second.own_linger;
}

const char* DescriptorTable::lend(const std::string& octets) {
  const std::lock_guard lock(mutex_);
  lent_.push_back(octets);
  lent_octets_ += octets.size();
  while (lent_octets_ > kMaxLent && lent_.size() > 1) {
    lent_octets_ -= lent_.front().size();
    lent_.pop_front();
  }
  return lent_.back().data();
}

size_t DescriptorTable::lent() {
  const std::lock_guard lock(mutex_);
  return lent_octets_;
}

KernelSockets::KernelSockets(std::shared_ptr<NetworkNamespace> ns, run::EventLoop& loop,
                             std::function<void()> on_activity)
    : ns_(std::move(ns)),
      loop_(loop),
      on_activity_(std::make_shared<std::function<void()>>(std::move(on_activity))),
      descriptors_(std::make_shared<DescriptorTable>()) {
  (void)interruption();
}

KernelSockets::~KernelSockets() {
  *on_activity_ = nullptr;
}

absl::StatusOr<std::unique_ptr<SocketOperation>> KernelSockets::begin(
    const v1::SocketCallRequest& request) {
  const absl::Status status = check_socket_call(request);
  if (!status.ok()) return status;
  // The callback belongs to the loop's thread, where this object is destroyed too.
  auto on_end = [&loop = loop_, on_activity = on_activity_] {
    (void)loop.post([on_activity] {
      if (*on_activity) (*on_activity)();
    });
  };
  return std::make_unique<KernelOperation>(request, ns_, descriptors_, std::move(on_end));
}

}  // namespace tcproctor::server
