// SPDX-License-Identifier: Apache-2.0
#include "server/host/namespace_broker.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/host/user_namespace.h"

namespace tcproctor::server {
namespace {

// The daemon's workers may make four namespaces at the same time; a socket does not wait for them.
constexpr int kThreads = 5;
// A task takes the kernel milliseconds; this only keeps a surprise from hanging the daemon.
constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};
// A request brings the reply socket and a namespace, a reply one descriptor for each name.
constexpr size_t kMaxDescriptors = BrokerRequest::kMaxNames;

int broker_socket = -1;  // written before any thread exists

bool send_with(int socket, const void* data, size_t bytes, std::span<const int> descriptors) {
  iovec part{.iov_base = const_cast<void*>(data), .iov_len = bytes};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(bytes);
}

// The message's length, 0 at the end of file, -1 with errno.
ssize_t receive_with(int socket, void* data, size_t bytes, std::vector<UniqueFd>& descriptors) {
  iovec part{.iov_base = data, .iov_len = bytes};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control;
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t received = 0;
  do {
    received = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return received;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
  return received;
}

// --- the broker's side ---

// One request, from its arrival to the closing of everything it brought and opened. False: the
// daemon has ended.
bool serve_one(int socket) {
  BrokerRequest request;
  std::vector<UniqueFd> brought;
  const ssize_t received = receive_with(socket, &request, sizeof request, brought);
  if (received == 0) return false;
  // Without a socket for the reply nobody can be told; its loss tells the asker.
  if (received < 0 || brought.empty()) return true;
  const UniqueFd reply_to = std::move(brought.front());
  UniqueFd descriptor;
  if (brought.size() > 1) descriptor = std::move(brought[1]);

  BrokerReply reply;
  std::vector<UniqueFd> opened;
  const bool whole = static_cast<size_t>(received) >= offsetof(BrokerRequest, names) &&
                     request.count <= BrokerRequest::kMaxNames &&
                     static_cast<size_t>(received) == request.bytes() && brought.size() <= 2;
  if (whole) {
    reply = perform(request, descriptor.get(), opened);
  } else {
    reply.refuse(absl::InvalidArgumentError("the namespace broker refuses a malformed request"));
  }
  // Where it fails this process could never have entered one.
  leave_namespace().IgnoreError();
  descriptor.reset();
  std::vector<int> numbers;
  numbers.reserve(opened.size());
  for (const UniqueFd& fd : opened) numbers.push_back(fd.get());
  // Whoever does not wait any more is not told.
  (void)send_with(reply_to.get(), &reply, sizeof reply, numbers);
  opened.clear();
  return true;
}

void serve_all(int socket) {
  while (serve_one(socket)) {
  }
  ::_exit(0);
}

// Whoever waits for the end of a file of the daemon's must not wait for the broker's end too.
void close_what_is_the_daemons(int socket) {
  constexpr int kSocket = STDERR_FILENO + 1;
  ::dup2(socket, kSocket);
  ::closefrom(kSocket + 1);
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (!nothing.valid() || ::dup2(nothing.get(), standard) < 0) ::close(standard);
  }
}

[[noreturn]] void live(int socket, pid_t daemon) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) ::signal(signal, SIG_IGN);
  ::prctl(PR_SET_NAME, "tcproctor-netns");
  close_what_is_the_daemons(socket);
  // Its socket tells it as well; this is for the moment in which it is at work.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != daemon ||
      !keep_only({CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE}).ok()) {
    ::_exit(1);
  }
  const int kept = STDERR_FILENO + 1;
  for (int i = 1; i < kThreads; ++i) {
    try {
      std::thread(serve_all, kept).detach();
    } catch (const std::system_error&) {
      break;  // fewer will do
    }
  }
  serve_all(kept);
  ::_exit(0);
}

// --- the daemon's side ---

absl::Status ended() {
  return absl::UnavailableError(
      "the daemon's namespace broker ended: nothing can be opened in network namespaces any more; "
      "start the daemon again (sessions in memory go on)");
}

absl::Status ask_over_socket(const BrokerRequest& request, int descriptor, BrokerReply& reply,
                             std::vector<UniqueFd>& opened) {
  std::array<int, 2> ends;
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::ErrnoToStatus(errno, "a socket for the namespace broker's reply");
  }
  const UniqueFd mine(ends[0]);
  UniqueFd the_brokers(ends[1]);
  ::setsockopt(mine.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  const std::array<int, 2> brought = {the_brokers.get(), descriptor};
  if (!send_with(broker_socket, &request, request.bytes(),
                 std::span(brought).first(descriptor >= 0 ? 2 : 1))) {
    if (errno == EPIPE || errno == ECONNRESET) return ended();
    return absl::ErrnoToStatus(errno, "asking the namespace broker");
  }
  the_brokers.reset();
  const ssize_t received = receive_with(mine.get(), &reply, sizeof reply, opened);
  if (received == 0 || (received < 0 && errno == ECONNRESET)) return ended();
  if (received < 0) return absl::ErrnoToStatus(errno, "waiting for the namespace broker");
  // Until it has closed its copies: their close would come after ours otherwise.
  char end = 0;
  std::vector<UniqueFd> none;
  (void)receive_with(mine.get(), &end, sizeof end, none);
  return absl::OkStatus();
}

// Threads are the unit that lives in a network namespace: a thread of its own may change it and
// die, where a pooled one would have to find its way back and would keep the namespace alive
// meanwhile.
absl::Status perform_on_own_thread(const BrokerRequest& request, int descriptor, BrokerReply& reply,
                                   std::vector<UniqueFd>& opened) {
  try {
    std::thread([&] { reply = perform(request, descriptor, opened); }).join();
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(
        absl::StrCat("no thread for work in a network namespace: ", error.what()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status namespace_broker_status() {
  if (broker_socket < 0) return absl::OkStatus();
  pollfd broker{.fd = broker_socket, .events = 0, .revents = 0};
  return ::poll(&broker, 1, 0) == 1 && (broker.revents & POLLHUP) != 0 ? ended() : absl::OkStatus();
}

absl::Status start_namespace_broker() {
  std::array<int, 2> ends;
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::ErrnoToStatus(errno, "a socket to the namespace broker");
  }
  const pid_t daemon = ::getpid();
  const pid_t broker = ::fork();
  if (broker == 0) live(ends[1], daemon);
  const int error = errno;
  ::close(ends[1]);
  if (broker < 0) {
    ::close(ends[0]);
    return absl::ErrnoToStatus(error, "starting the namespace broker (fork)");
  }
  broker_socket = ends[0];
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BrokerOpened>> ask_broker(const BrokerRequest& request, int descriptor) {
  BrokerReply reply;
  std::vector<UniqueFd> descriptors;
  absl::Status status = broker_socket >= 0
                            ? ask_over_socket(request, descriptor, reply, descriptors)
                            : perform_on_own_thread(request, descriptor, reply, descriptors);
  if (status.ok()) status = reply.status();
  if (!status.ok()) return status;
  std::vector<BrokerOpened> opened(std::min<size_t>(reply.count, reply.errors.size()));
  size_t next = 0;
  for (size_t i = 0; i < opened.size(); ++i) {
    opened[i].error = reply.errors[i];
    if (opened[i].error != 0 || request.task == BrokerTask::kBind) continue;
    // The kernel drops what exceeds the limit of descriptors.
    if (next == descriptors.size()) {
      opened[i].error = EMFILE;
    } else {
      opened[i].fd = std::move(descriptors[next++]);
    }
  }
  return opened;
}

int bind_socket(int fd, const sockaddr* address, socklen_t length) {
  if (::bind(fd, address, length) == 0) return 0;
  const int error = errno;
  if (error != EACCES || length > sizeof(sockaddr_storage)) return error;
  BrokerRequest request;
  request.task = BrokerTask::kBind;
  std::memcpy(&request.address, address, length);
  request.address_length = length;
  const absl::StatusOr<std::vector<BrokerOpened>> bound = ask_broker(request, fd);
  return bound.ok() && !bound->empty() ? bound->front().error : error;
}

}  // namespace tcproctor::server
