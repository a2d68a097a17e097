// SPDX-License-Identifier: Apache-2.0
// Socket calls of the host kernel, made inside the end's namespace. Each call has a thread of its
// own while it lasts, so that one that blocks holds nobody up.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "absl/base/thread_annotations.h"
#include "server/end/sockets.h"
#include "server/host/namespace.h"
#include "server/host/unique_fd.h"
#include "stack/run/event_loop.h"

namespace tcproctor::server {

// The descriptors of one end, numbered as in a fresh process. Thread-safe.
class DescriptorTable {
 public:
  // The lowest number from 3 on that is free.
  int add(UniqueFd fd);
  // Held as long as a call uses it: closing it meanwhile takes effect when the call ends, as in a
  // process with threads. Null: no such descriptor.
  std::shared_ptr<const UniqueFd> find(int number);
  // Taken out of the table; it is closed when nobody holds it any more.
  std::shared_ptr<const UniqueFd> take(int number);
  // The socket's linger is the script's own from now on.
  void keep_linger(int number);
  bool keeps_linger(int number);
  // A copy for MSG_ZEROCOPY: the kernel sends from it later, and again when it retransmits. It
  // lives as long as the table, or until as much as kMaxLent was lent after it.
  const char* lend(const std::string& octets);

  static constexpr size_t kMaxLent = size_t{64} << 20;
  size_t lent();  // octets

 private:
  struct Entry {
    std::shared_ptr<const UniqueFd> fd;
    bool own_linger = false;
  };
  std::mutex mutex_;
  std::map<int, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> lent_ ABSL_GUARDED_BY(mutex_);
  size_t lent_octets_ ABSL_GUARDED_BY(mutex_) = 0;
};

class KernelSockets : public Sockets {
 public:
  // `on_activity` is called on the loop's thread when a call has ended. `loop` must outlive this.
  KernelSockets(std::shared_ptr<NetworkNamespace> ns, run::EventLoop& loop,
                std::function<void()> on_activity);
  ~KernelSockets() override;

  absl::StatusOr<std::unique_ptr<SocketOperation>> begin(
      const v1::SocketCallRequest& request) override;

 private:
  const std::shared_ptr<NetworkNamespace> ns_;
  run::EventLoop& loop_;
  // Shared with calls under way, which may end after this object.
  const std::shared_ptr<std::function<void()>> on_activity_;
  const std::shared_ptr<DescriptorTable> descriptors_;
};

// kernel_socket_calls.cc: makes the call and waits for its end. Any thread.
v1::SocketCallResponse make_socket_call(const v1::SocketCallRequest& request,
                                        const NetworkNamespace& ns, DescriptorTable& descriptors);
// kernel_system_calls.cc: those that are no calls of POSIX (setting, counters, queue,
// flush_metrics).
v1::SocketCallResponse make_system_call(const v1::SocketCallRequest& request,
                                        const NetworkNamespace& ns);
// What can be known to be wrong before.
absl::Status check_socket_call(const v1::SocketCallRequest& request);

}  // namespace tcproctor::server
