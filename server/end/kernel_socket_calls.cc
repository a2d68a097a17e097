// SPDX-License-Identifier: Apache-2.0
// Each socket call as the kernel makes it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/end/kernel_sockets.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kMaxBuffer = 1 << 24;
constexpr uint32_t kMaxOption = 1 << 16;
constexpr uint32_t kMaxScratch = 1 << 20;
constexpr int kMaxEvents = 1024;

const char* error_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name == nullptr ? "" : name;
}

v1::SocketCallResponse returned(int64_t result) {
  if (result < 0) return socket_error(errno);
  v1::SocketCallResponse response;
  response.set_result(result);
  return response;
}

struct Address {
  sockaddr_storage storage = {};
  socklen_t length = 0;
  sockaddr* pointer() { return reinterpret_cast<sockaddr*>(&storage); }
};

int domain_of(int fd) {
  int domain = AF_INET;
  socklen_t length = sizeof domain;
  (void)::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  return domain;
}

// As the socket wants it: IPv4 in IPv6 where it is of AF_INET6. False: no such address.
bool to_socket_address(const v1::SocketAddress& from, int domain, Address& to) {
  const auto port = htons(static_cast<uint16_t>(from.port()));
  if (domain == AF_INET) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = port;
    to.length = sizeof v4;
    return from.address().empty() ||
           ::inet_pton(AF_INET, from.address().c_str(), &v4.sin_addr) == 1;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(to.storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = port;
  to.length = sizeof v6;
  if (from.address().empty()) return true;
  const bool mapped = from.address().find(':') == std::string::npos;
  const std::string text = mapped ? "::ffff:" + from.address() : from.address();
  return ::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1;
}

void from_socket_address(const sockaddr_storage& from, v1::SocketAddress& to) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  if (from.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    to.set_port(ntohs(v4.sin_port));
  } else if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    to.set_port(ntohs(v6.sin6_port));
  }
  to.set_address(text.data());
}

// Armed: nothing is left when the daemon dies. It is disarmed by close(), unless the script set its
// own.
void set_linger(int fd, bool armed) {
  const linger value{.l_onoff = armed ? 1 : 0, .l_linger = 0};
  (void)::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value);
}

class Caller {
 public:
  Caller(const NetworkNamespace& ns, DescriptorTable& descriptors)
      : ns_(ns), descriptors_(descriptors) {}
  v1::SocketCallResponse make(const v1::SocketCallRequest& request);

 private:
  // The real descriptor, held until the call is over; -1 is what the kernel answers EBADF to.
  int real(int number) {
    held_.push_back(descriptors_.find(number));
    return held_.back() == nullptr ? -1 : held_.back()->get();
  }
  v1::SocketCallResponse added(int fd) {
    return fd < 0 ? returned(-1) : returned(descriptors_.add(UniqueFd(fd)));
  }
  v1::SocketCallResponse socket(const v1::SocketCreate& call);
  v1::SocketCallResponse bind(const v1::SocketBind& call);
  v1::SocketCallResponse accept(const v1::SocketAccept& call);
  v1::SocketCallResponse connect(const v1::SocketConnect& call);
  v1::SocketCallResponse read(const v1::SocketRead& call);
  v1::SocketCallResponse write(const v1::SocketWrite& call);
  v1::SocketCallResponse receive_message(const v1::SocketReceiveMessage& call);
  v1::SocketCallResponse send_message(const v1::SocketSendMessage& call);
  v1::SocketCallResponse close(const v1::SocketClose& call);
  v1::SocketCallResponse ioctl(const v1::SocketIoctl& call);
  v1::SocketCallResponse set_option(const v1::SocketSetOption& call);
  v1::SocketCallResponse get_option(const v1::SocketGetOption& call);
  v1::SocketCallResponse poll(const v1::SocketPoll& call);
  v1::SocketCallResponse epoll_control(const v1::EpollControl& call);
  v1::SocketCallResponse epoll_wait(const v1::EpollWait& call);
  v1::SocketCallResponse pipe();
  v1::SocketCallResponse send_file(const v1::SendFileCall& call);
  v1::SocketCallResponse scratch_file(const v1::ScratchFile& call);

  const NetworkNamespace& ns_;
  DescriptorTable& descriptors_;
  std::vector<std::shared_ptr<const UniqueFd>> held_;
};

v1::SocketCallResponse Caller::socket(const v1::SocketCreate& call) {
  int error = 0;
  absl::StatusOr<UniqueFd> opened =
      ns_.open_socket(call.domain(), call.type(), call.protocol(), &error);
  if (!opened.ok()) return socket_error(error != 0 ? error : EPERM);
  UniqueFd fd = *std::move(opened);
  const std::string& algorithm = call.congestion_control();
  if (!algorithm.empty() && ::setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, algorithm.data(),
                                         static_cast<socklen_t>(algorithm.size())) != 0) {
    return socket_error(errno);
  }
  set_linger(fd.get(), true);
  return returned(descriptors_.add(std::move(fd)));
}

v1::SocketCallResponse Caller::bind(const v1::SocketBind& call) {
  const int fd = real(call.fd());
  Address address;
  if (!to_socket_address(call.address(), domain_of(fd), address)) return socket_error(EINVAL);
  const int error = bind_socket(fd, address.pointer(), address.length);
  return error == 0 ? returned(0) : socket_error(error);
}

v1::SocketCallResponse Caller::accept(const v1::SocketAccept& call) {
  sockaddr_storage peer = {};
  socklen_t length = sizeof peer;
  const int fd = ::accept4(real(call.fd()), reinterpret_cast<sockaddr*>(&peer), &length,
                           call.flags() | SOCK_CLOEXEC);
  v1::SocketCallResponse response = added(fd);
  if (fd >= 0) from_socket_address(peer, *response.mutable_address());
  return response;
}

v1::SocketCallResponse Caller::connect(const v1::SocketConnect& call) {
  const int fd = real(call.fd());
  Address address;
  if (call.unspecified_family()) {
    address.storage.ss_family = AF_UNSPEC;
    address.length = sizeof(sockaddr_in);
  } else if (!to_socket_address(call.address(), domain_of(fd), address)) {
    return socket_error(EINVAL);
  }
  return returned(::connect(fd, address.pointer(), address.length));
}

v1::SocketCallResponse Caller::read(const v1::SocketRead& call) {
  std::string buffer(call.null_buffer() ? 0 : call.size(), '\0');
  char* const into = call.null_buffer() ? nullptr : buffer.data();
  const int fd = real(call.fd());
  const ssize_t count = call.has_flags() ? ::recv(fd, into, call.size(), call.flags())
                                         : ::read(fd, into, call.size());
  v1::SocketCallResponse response = returned(count);
  if (count >= 0) {
    buffer.resize(std::min(buffer.size(), static_cast<size_t>(count)));
    response.set_data(std::move(buffer));
  }
  return response;
}

v1::SocketCallResponse Caller::write(const v1::SocketWrite& call) {
  const int fd = real(call.fd());
  const void* data = call.has_null_size()                 ? nullptr
                     : (call.flags() & MSG_ZEROCOPY) != 0 ? descriptors_.lend(call.data())
                                                          : call.data().data();
  const size_t size = call.has_null_size() ? call.null_size() : call.data().size();
  if (!call.has_flags()) return returned(::write(fd, data, size));
  // A script's process does not die of a broken pipe either.
  const int flags = call.flags() | MSG_NOSIGNAL;
  if (!call.has_address() && !call.unspecified_family()) {
    return returned(::send(fd, data, size, flags));
  }
  Address address;
  if (call.unspecified_family()) {
    address.storage.ss_family = AF_UNSPEC;
    address.length = sizeof(sockaddr_in);
  } else if (!to_socket_address(call.address(), domain_of(fd), address)) {
    return socket_error(EINVAL);
  }
  return returned(::sendto(fd, data, size, flags, address.pointer(), address.length));
}

v1::SocketCallResponse Caller::receive_message(const v1::SocketReceiveMessage& call) {
  const uint32_t total = std::accumulate(call.buffers().begin(), call.buffers().end(), uint32_t{0});
  std::string data(total, '\0');
  std::vector<iovec> vectors;
  size_t offset = 0;
  for (const uint32_t size : call.buffers()) {
    vectors.push_back({data.data() + offset, size});
    offset += size;
  }
  // Aligned as its headers must be.
  std::vector<cmsghdr> control(call.control_size() / sizeof(cmsghdr) + 1);
  msghdr message = {};
  message.msg_iov = vectors.data();
  message.msg_iovlen = vectors.size();
  message.msg_control = call.control_size() > 0 ? control.data() : nullptr;
  message.msg_controllen = call.control_size();
  const ssize_t count = ::recvmsg(real(call.fd()), &message, call.flags());
  v1::SocketCallResponse response = returned(count);
  if (count < 0) return response;
  data.resize(std::min(data.size(), static_cast<size_t>(count)));
  response.set_data(std::move(data));
  response.set_message_flags(static_cast<uint32_t>(message.msg_flags));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    v1::ControlMessage& out = *response.add_control();
    out.set_level(header->cmsg_level);
    out.set_type(header->cmsg_type);
    out.set_data(CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
  }
  return response;
}

v1::SocketCallResponse Caller::send_message(const v1::SocketSendMessage& call) {
  const int fd = real(call.fd());
  std::vector<iovec> vectors;
  const bool lent = (call.flags() & MSG_ZEROCOPY) != 0;
  for (const std::string& buffer : call.buffers()) {
    const char* const data = lent ? descriptors_.lend(buffer) : buffer.data();
    vectors.push_back({const_cast<char*>(data), buffer.size()});
  }
  std::string control;
  for (const v1::ControlMessage& part : call.control()) {
    cmsghdr header = {};
    header.cmsg_level = part.level();
    header.cmsg_type = part.type();
    header.cmsg_len = CMSG_LEN(part.data().size());
    control.append(reinterpret_cast<const char*>(&header), sizeof header);
    control.append(part.data());
    control.resize(CMSG_ALIGN(control.size()), '\0');
  }
  msghdr message = {};
  message.msg_iov = vectors.data();
  message.msg_iovlen = vectors.size();
  message.msg_control = control.empty() ? nullptr : control.data();
  message.msg_controllen = control.size();
  Address address;
  if (call.has_address()) {
    if (!to_socket_address(call.address(), domain_of(fd), address)) return socket_error(EINVAL);
    message.msg_name = address.pointer();
    message.msg_namelen = address.length;
  }
  return returned(::sendmsg(fd, &message, call.flags() | MSG_NOSIGNAL));
}

v1::SocketCallResponse Caller::close(const v1::SocketClose& call) {
  const bool own_linger = descriptors_.keeps_linger(call.fd());
  const std::shared_ptr<const UniqueFd> fd = descriptors_.take(call.fd());
  if (fd == nullptr) return socket_error(EBADF);
  if (!own_linger) set_linger(fd->get(), false);
  return returned(0);
}

v1::SocketCallResponse Caller::ioctl(const v1::SocketIoctl& call) {
  int value = 0;
  v1::SocketCallResponse response = returned(::ioctl(real(call.fd()), call.request(), &value));
  response.set_value(value);
  return response;
}

v1::SocketCallResponse Caller::set_option(const v1::SocketSetOption& call) {
  std::string value = call.value();
  const uint32_t length = call.has_length() ? call.length() : static_cast<uint32_t>(value.size());
  value.resize(std::max<size_t>(value.size(), length), '\0');
  v1::SocketCallResponse response =
      returned(::setsockopt(real(call.fd()), call.level(), call.option(), value.data(), length));
  if (call.level() == SOL_SOCKET && call.option() == SO_LINGER && response.result() == 0) {
    descriptors_.keep_linger(call.fd());
  }
  return response;
}

v1::SocketCallResponse Caller::get_option(const v1::SocketGetOption& call) {
  std::string value(call.length(), '\0');
  socklen_t length = call.length();
  v1::SocketCallResponse response =
      returned(::getsockopt(real(call.fd()), call.level(), call.option(), value.data(), &length));
  if (response.error() != 0) return response;
  value.resize(std::min<size_t>(value.size(), length));
  response.set_data(std::move(value));
  return response;
}

v1::SocketCallResponse Caller::poll(const v1::SocketPoll& call) {
  std::vector<pollfd> descriptors;
  for (const v1::PollDescriptor& one : call.descriptors()) {
    descriptors.push_back({real(one.fd()), static_cast<int16_t>(one.events()), 0});
  }
  v1::SocketCallResponse response =
      returned(::poll(descriptors.data(), descriptors.size(), call.timeout_ms()));
  for (size_t i = 0; i < descriptors.size(); ++i) {
    v1::PollDescriptor& out = *response.add_polled();
    out = call.descriptors(static_cast<int>(i));
    out.set_revents(static_cast<uint16_t>(descriptors[i].revents));
  }
  return response;
}

v1::SocketCallResponse Caller::epoll_control(const v1::EpollControl& call) {
  epoll_event event = {};
  event.events = call.events();
  event.data.u64 = call.data();
  return returned(::epoll_ctl(real(call.fd()), call.operation(), real(call.target()), &event));
}

v1::SocketCallResponse Caller::epoll_wait(const v1::EpollWait& call) {
  std::vector<epoll_event> events(
      static_cast<size_t>(std::clamp(call.max_events(), 1, kMaxEvents)));
  const int count =
      ::epoll_wait(real(call.fd()), events.data(), call.max_events(), call.timeout_ms());
  v1::SocketCallResponse response = returned(count);
  for (int i = 0; i < count; ++i) {
    v1::EpollEvent& out = *response.add_events();
    out.set_events(events[static_cast<size_t>(i)].events);
    out.set_data(events[static_cast<size_t>(i)].data.u64);
  }
  return response;
}

v1::SocketCallResponse Caller::pipe() {
  std::array<int, 2> ends = {};
  v1::SocketCallResponse response = returned(::pipe2(ends.data(), O_CLOEXEC));
  if (response.error() != 0) return response;
  for (const int end : ends) response.add_descriptors(descriptors_.add(UniqueFd(end)));
  return response;
}

v1::SocketCallResponse Caller::send_file(const v1::SendFileCall& call) {
  off_t offset = call.offset();
  return returned(::sendfile(real(call.to()), real(call.from()),
                             call.has_offset() ? &offset : nullptr, call.count()));
}

v1::SocketCallResponse Caller::scratch_file(const v1::ScratchFile& call) {
  const int fd = ::memfd_create("tcproctor", MFD_CLOEXEC);
  if (fd >= 0 && ::ftruncate(fd, call.octets()) != 0) {
    const int error = errno;
    ::close(fd);
    return socket_error(error);
  }
  return added(fd);
}

v1::SocketCallResponse Caller::make(const v1::SocketCallRequest& request) {
  using Request = v1::SocketCallRequest;
  switch (request.call_case()) {
    case Request::kSocket:
      return socket(request.socket());
    case Request::kBind:
      return bind(request.bind());
    case Request::kListen:
      return returned(::listen(real(request.listen().fd()), request.listen().backlog()));
    case Request::kAccept:
      return accept(request.accept());
    case Request::kConnect:
      return connect(request.connect());
    case Request::kRead:
      return read(request.read());
    case Request::kWrite:
      return write(request.write());
    case Request::kReceiveMessage:
      return receive_message(request.receive_message());
    case Request::kSendMessage:
      return send_message(request.send_message());
    case Request::kClose:
      return close(request.close());
    case Request::kShutdown:
      return returned(::shutdown(real(request.shutdown().fd()), request.shutdown().how()));
    case Request::kControl:
      return returned(::fcntl(real(request.control().fd()), request.control().command(),
                              request.control().argument()));
    case Request::kIoctl:
      return ioctl(request.ioctl());
    case Request::kSetOption:
      return set_option(request.set_option());
    case Request::kGetOption:
      return get_option(request.get_option());
    case Request::kPoll:
      return poll(request.poll());
    case Request::kEpollCreate:
      // As the kernel does: the size only has to be positive.
      if (request.epoll_create().size() <= 0) return socket_error(EINVAL);
      return added(::epoll_create1(EPOLL_CLOEXEC));
    case Request::kEpollControl:
      return epoll_control(request.epoll_control());
    case Request::kEpollWait:
      return epoll_wait(request.epoll_wait());
    case Request::kPipe:
      return pipe();
    case Request::kSplice:
      return returned(::splice(real(request.splice().from()), nullptr, real(request.splice().to()),
                               nullptr, request.splice().length(), request.splice().flags()));
    case Request::kSendFile:
      return send_file(request.send_file());
    case Request::kScratchFile:
      return scratch_file(request.scratch_file());
    case Request::kSetting:
    case Request::kCounters:
    case Request::kQueue:
    case Request::kFlushMetrics:
      return make_system_call(request, ns_);
    case Request::CALL_NOT_SET:
      break;
  }
  return socket_error(ENOSYS);
}

absl::Status limited(std::string_view field, uint64_t value, uint64_t max) {
  if (value <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(field), ": ", value, " is over the limit of ", max));
}

}  // namespace

v1::SocketCallResponse socket_error(int error) {
  v1::SocketCallResponse response;
  response.set_result(-1);
  response.set_error(error);
  response.set_error_name(error_name(error));
  return response;
}

v1::SocketCallResponse make_socket_call(const v1::SocketCallRequest& request,
                                        const NetworkNamespace& ns, DescriptorTable& descriptors) {
  return Caller(ns, descriptors).make(request);
}

absl::Status check_socket_call(const v1::SocketCallRequest& request) {
  using Request = v1::SocketCallRequest;
  switch (request.call_case()) {
    case Request::CALL_NOT_SET:
      return absl::InvalidArgumentError("call: none is given, or an unknown one");
    case Request::kSocket: {
      // The capability is for TCP sockets of the end's own namespace.
      const int domain = request.socket().domain();
      if (domain != AF_INET && domain != AF_INET6) {
        return absl::InvalidArgumentError("socket.domain: must be AF_INET or AF_INET6");
      }
      return absl::OkStatus();
    }
    case Request::kRead:
      return limited("read.size", request.read().size(), kMaxBuffer);
    case Request::kReceiveMessage: {
      const auto& buffers = request.receive_message().buffers();
      const absl::Status status =
          limited("receive_message.buffers",
                  std::accumulate(buffers.begin(), buffers.end(), uint64_t{0}), kMaxBuffer);
      return status.ok() ? limited("receive_message.control_size",
                                   request.receive_message().control_size(), kMaxOption)
                         : status;
    }
    case Request::kSetOption:
      return limited("set_option.length", request.set_option().length(), kMaxOption);
    case Request::kGetOption:
      return limited("get_option.length", request.get_option().length(), kMaxOption);
    case Request::kScratchFile:
      return limited("scratch_file.octets", request.scratch_file().octets(), kMaxScratch);
    case Request::kWrite:
      if (request.write().has_null_size() && !request.write().data().empty()) {
        return absl::InvalidArgumentError("write.null_size: is for a call without data");
      }
      return absl::OkStatus();
    case Request::kControl: {
      const int command = request.control().command();
      if (command != F_GETFL && command != F_SETFL && command != F_GETFD && command != F_SETFD) {
        return absl::UnimplementedError(
            "control.command: must be F_GETFL, F_SETFL, F_GETFD or F_SETFD");
      }
      return absl::OkStatus();
    }
    default:
      return absl::OkStatus();
  }
}

}  // namespace tcproctor::server
