// SPDX-License-Identifier: Apache-2.0
// The one process with CAP_SYS_ADMIN. It takes that capability to make a network namespace and to
// enter one, and it takes entering one to open something there; it takes CAP_NET_ADMIN and
// CAP_NET_RAW to use what was opened. So the daemon forks a broker before it has threads, gives the
// capability up for good, and is sent descriptors (SCM_RIGHTS):
//
//   daemon: gRPC, stack, sessions                      broker: five threads
//   CAP_NET_ADMIN, CAP_NET_RAW                         CAP_SYS_ADMIN as well
//   holds the namespaces            -- request -->     keeps nothing: enters the namespace
//                             task, namespace, socket  that comes with the request, opens,
//   binds, connects, sends netlink  <-- reply --       leaves, sends, closes its copies
//   requests, writes to the files    descriptors
//
// Requests are of fixed size (broker_tasks.h); each brings the socket its reply goes to, so that
// any number of them may be under way and none waits for another's reply. The reply socket's end of
// file says that the broker has closed its copies: a descriptor the daemon closes is then closed.
//
// The broker ends with the daemon, however that ends, and ignores the signals that ask the daemon
// to end. If it dies itself, whatever needs it says so: UNAVAILABLE. A process that has started no
// broker (tests, tools) does the same tasks itself, each on a short-lived thread.
//
// Measured (kernel 6.18, 2 cores): a socket 38 us, where a thread of one's own takes 33 us; a
// namespace 0.6 ms either way.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/host/broker_tasks.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {

// Forks the broker of this process. Before there are threads and before the first namespace is
// made; at most once. The broker keeps CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and
// CAP_NET_BIND_SERVICE as far as this process has them.
absl::Status start_namespace_broker();

// UNAVAILABLE: the broker was started and has ended.
absl::Status namespace_broker_status();

struct BrokerOpened {
  UniqueFd fd;
  int error = 0;  // errno where it could not be opened
};

// What was asked for, each opened or not. `descriptor`: see BrokerTask; -1 for none.
// UNAVAILABLE: the broker has ended. Otherwise as perform() says it.
absl::StatusOr<std::vector<BrokerOpened>> ask_broker(const BrokerRequest& request, int descriptor);

// bind(2) with the right to every port that this process had when it started; 0 or errno.
int bind_socket(int fd, const sockaddr* address, socklen_t length);

}  // namespace tcproctor::server
