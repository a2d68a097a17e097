// SPDX-License-Identifier: Apache-2.0
#include "server/end/socket_facade.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace tcproctor::server {
namespace {

using Options = v1::ConnectionOptions;
using Response = v1::SocketCallResponse;

constexpr int kFirstDescriptor = 3;
constexpr int64_t kDelayedAckMs = 40;
constexpr unsigned long kSiocOutq = 0x5411;

void set_seconds(google::protobuf::Duration* to, int64_t value) {
  to->set_seconds(value);
  to->set_nanos(0);
}
void set_milliseconds(google::protobuf::Duration* to, int64_t value) {
  to->set_seconds(value / 1000);
  to->set_nanos(static_cast<int32_t>(value % 1000) * 1'000'000);
}

// The table: what an option of a socket is here. Null `set`: taken, and means nothing here.
struct OptionRow {
  int level, option;
  void (*set)(Options& options, int64_t value);
  int64_t (*get)(const Options& options);
};
constexpr OptionRow kOptions[] = {
    {SOL_SOCKET, SO_REUSEADDR, [](Options& o, int64_t v) { o.set_reuse_address(v != 0); },
     [](const Options& o) -> int64_t { return o.reuse_address(); }},
    {SOL_SOCKET, SO_KEEPALIVE, [](Options& o, int64_t v) { o.set_keepalive(v != 0); },
     [](const Options& o) -> int64_t { return o.keepalive(); }},
    {SOL_SOCKET, SO_SNDBUF,
     [](Options& o, int64_t v) { o.set_send_buffer_bytes(static_cast<uint32_t>(v)); },
     [](const Options& o) -> int64_t { return o.send_buffer_bytes(); }},
    {SOL_SOCKET, SO_RCVBUF,
     [](Options& o, int64_t v) { o.set_receive_buffer_bytes(static_cast<uint32_t>(v)); },
     [](const Options& o) -> int64_t { return o.receive_buffer_bytes(); }},
    {IPPROTO_TCP, TCP_NODELAY, [](Options& o, int64_t v) { o.set_no_delay(v != 0); },
     [](const Options& o) -> int64_t { return o.no_delay(); }},
    {IPPROTO_TCP, TCP_MAXSEG, [](Options& o, int64_t v) { o.set_mss(static_cast<uint32_t>(v)); },
     [](const Options& o) -> int64_t { return o.mss(); }},
    {IPPROTO_TCP, TCP_KEEPIDLE,
     [](Options& o, int64_t v) { set_seconds(o.mutable_keepalive_idle(), v); },
     [](const Options& o) -> int64_t { return o.keepalive_idle().seconds(); }},
    {IPPROTO_TCP, TCP_KEEPINTVL,
     [](Options& o, int64_t v) { set_seconds(o.mutable_keepalive_interval(), v); },
     [](const Options& o) -> int64_t { return o.keepalive_interval().seconds(); }},
    {IPPROTO_TCP, TCP_KEEPCNT,
     [](Options& o, int64_t v) { o.set_keepalive_probes(static_cast<uint32_t>(v)); },
     [](const Options& o) -> int64_t { return o.keepalive_probes(); }},
    {IPPROTO_TCP, TCP_USER_TIMEOUT,
     [](Options& o, int64_t v) { set_milliseconds(o.mutable_user_timeout(), v); },
     [](const Options& o) -> int64_t { return o.user_timeout().seconds() * 1000; }},
    {IPPROTO_TCP, TCP_QUICKACK,
     [](Options& o, int64_t v) {
       set_milliseconds(o.mutable_delayed_ack(), v != 0 ? 0 : kDelayedAckMs);
     },
     [](const Options& o) -> int64_t {
       return o.has_delayed_ack() && o.delayed_ack().seconds() == 0 && o.delayed_ack().nanos() == 0;
     }},
    {IPPROTO_IP, IP_TTL, [](Options& o, int64_t v) { o.set_ttl(static_cast<uint32_t>(v)); },
     [](const Options& o) -> int64_t { return o.ttl(); }},
    {IPPROTO_IP, IP_TOS, [](Options& o, int64_t v) { o.set_dscp(static_cast<uint32_t>(v) >> 2); },
     [](const Options& o) -> int64_t { return int64_t{o.dscp()} << 2; }},
};

// What a setting of Linux's network is here. Null: only this value means the same. Of three values
// (least, first and most of a buffer) the middle one counts.
struct SettingRow {
  const char* name;
  void (*set)(Options& options, int64_t value);
  int64_t only;
};
constexpr SettingRow kSettings[] = {
    {"net.ipv4.tcp_timestamps", [](Options& o, int64_t v) { o.set_timestamps(v != 0); }, 0},
    {"net.ipv4.tcp_sack", [](Options& o, int64_t v) { o.set_sack_permitted(v != 0); }, 0},
    {"net.ipv4.tcp_window_scaling", [](Options& o, int64_t v) { o.set_window_scale(v != 0); }, 0},
    {"net.ipv4.tcp_rmem",
     [](Options& o, int64_t v) { o.set_receive_buffer_bytes(static_cast<uint32_t>(v)); }, 0},
    {"net.ipv4.tcp_wmem",
     [](Options& o, int64_t v) { o.set_send_buffer_bytes(static_cast<uint32_t>(v)); }, 0},
    {"net.ipv4.tcp_ecn",
     [](Options& o, int64_t v) {
       o.set_ecn(v == 0 ? v1::ECN_USE_OFF : v == 1 ? v1::ECN_USE_REQUEST : v1::ECN_USE_ACCEPT);
     },
     0},
    {"net.ipv4.tcp_dsack", nullptr, 1},
    {"net.ipv4.tcp_syncookies", nullptr, 1},
    {"net.ipv4.tcp_invalid_ratelimit", nullptr, 0},
};

const OptionRow* find_option(int level, int option) {
  for (const OptionRow& row : kOptions) {
    if (row.level == level && row.option == option) return &row;
  }
  return nullptr;
}

int errno_of(v1::Outcome outcome) {
  switch (outcome) {
    case v1::OUTCOME_OK:
    case v1::OUTCOME_END_OF_STREAM:
      return 0;
    case v1::OUTCOME_WOULD_BLOCK:
      return EAGAIN;
    case v1::OUTCOME_CONNECTION_RESET:
      return ECONNRESET;
    case v1::OUTCOME_CONNECTION_REFUSED:
      return ECONNREFUSED;
    case v1::OUTCOME_CONNECTION_ABORTED:
      return ECONNABORTED;
    case v1::OUTCOME_TIMED_OUT:
      return ETIMEDOUT;
    case v1::OUTCOME_UNREACHABLE:
    case v1::OUTCOME_INVALID_REMOTE:
      return EHOSTUNREACH;
    case v1::OUTCOME_CONNECTION_CLOSING:
      return EPIPE;
    case v1::OUTCOME_CONNECTION_EXISTS:
      return EISCONN;
    case v1::OUTCOME_INSUFFICIENT_RESOURCES:
      return ENOBUFS;
    case v1::OUTCOME_INVALID_LOCAL:
      return EADDRNOTAVAIL;
    case v1::OUTCOME_ADDRESS_IN_USE:
    case v1::OUTCOME_SOCKET_PAIR_IN_TIME_WAIT:
    case v1::OUTCOME_QUIET_TIME:
      return EADDRINUSE;
    default:
      return ENOTCONN;
  }
}

Response returned(int64_t result) {
  Response response;
  response.set_result(result);
  return response;
}

int64_t number_in(const std::string& octets) {
  int32_t value = 0;
  if (octets.size() == 1) return static_cast<uint8_t>(octets[0]);
  if (octets.size() >= sizeof value) std::memcpy(&value, octets.data(), sizeof value);
  return value;
}

absl::Status not_here(std::string_view what) {
  return absl::UnimplementedError(
      absl::StrCat("this end has no ", std::string(what), " among its socket calls"));
}

}  // namespace

class SocketFacade::Operation final : public SocketOperation {
 public:
  Operation(SocketFacade& facade, v1::SocketCallRequest request)
      : facade_(facade), request_(std::move(request)) {}
  std::optional<Response> poll() override {
    return facade_.step(request_, done_, std::exchange(first_, false));
  }

 private:
  SocketFacade& facade_;
  const v1::SocketCallRequest request_;
  size_t done_ = 0;
  bool first_ = true;
};

absl::StatusOr<std::unique_ptr<SocketOperation>> SocketFacade::begin(
    const v1::SocketCallRequest& request) {
  using Request = v1::SocketCallRequest;
  switch (request.call_case()) {
    case Request::CALL_NOT_SET:
      return absl::InvalidArgumentError("call: none is given, or an unknown one");
    case Request::kRead:
      if ((request.read().flags() & ~MSG_DONTWAIT) != 0 || request.read().null_buffer()) {
        return not_here("recv() with flags or without a buffer");
      }
      break;
    case Request::kWrite:
      if ((request.write().flags() & ~(MSG_DONTWAIT | MSG_OOB | MSG_NOSIGNAL)) != 0 ||
          request.write().has_address() || request.write().has_null_size()) {
        return not_here("send() with such flags, an address or without a buffer");
      }
      break;
    case Request::kConnect:
      if (request.connect().unspecified_family()) return not_here("connect() to AF_UNSPEC");
      break;
    case Request::kIoctl:
      if (request.ioctl().request() != FIONREAD && request.ioctl().request() != kSiocOutq) {
        return not_here("such ioctl()");
      }
      break;
    case Request::kGetOption:
      if (request.get_option().level() == SOL_SOCKET && request.get_option().option() == SO_ERROR) {
        break;
      }
      if (find_option(request.get_option().level(), request.get_option().option()) == nullptr) {
        return not_here("such getsockopt()");
      }
      break;
    case Request::kSetOption: {
      const v1::SocketSetOption& set = request.set_option();
      const bool linger = set.level() == SOL_SOCKET && set.option() == SO_LINGER;
      if (!linger && find_option(set.level(), set.option()) == nullptr) {
        return not_here("such setsockopt()");
      }
      break;
    }
    case Request::kSocket:
    case Request::kBind:
    case Request::kListen:
    case Request::kAccept:
    case Request::kClose:
    case Request::kShutdown:
    case Request::kControl:
    case Request::kSetting:
      break;
    default:
      return not_here("such call");
  }
  return std::make_unique<Operation>(*this, request);
}

int SocketFacade::add(Descriptor descriptor) {
  int fd = kFirstDescriptor;
  while (descriptors_.contains(fd)) ++fd;
  descriptors_[fd] = std::move(descriptor);
  return fd;
}

SocketFacade::Answer SocketFacade::step(const v1::SocketCallRequest& request, size_t& done,
                                        bool first) {
  using Request = v1::SocketCallRequest;
  int fd = -1;
  switch (request.call_case()) {
    case Request::kSocket:
      return socket(request.socket());
    case Request::kSetting:
      return setting(request.setting());
    case Request::kClose:
      return close(request.close().fd());
    case Request::kBind:
      fd = request.bind().fd();
      break;
    case Request::kListen:
      fd = request.listen().fd();
      break;
    case Request::kAccept:
      fd = request.accept().fd();
      break;
    case Request::kConnect:
      fd = request.connect().fd();
      break;
    case Request::kRead:
      fd = request.read().fd();
      break;
    case Request::kWrite:
      fd = request.write().fd();
      break;
    case Request::kShutdown:
      fd = request.shutdown().fd();
      break;
    case Request::kControl:
      fd = request.control().fd();
      break;
    case Request::kIoctl:
      fd = request.ioctl().fd();
      break;
    case Request::kSetOption:
      fd = request.set_option().fd();
      break;
    case Request::kGetOption:
      fd = request.get_option().fd();
      break;
    default:
      return socket_error(ENOSYS);
  }
  const auto found = descriptors_.find(fd);
  if (found == descriptors_.end()) return socket_error(EBADF);
  Descriptor& descriptor = found->second;
  switch (request.call_case()) {
    case Request::kBind:
      descriptor.local = request.bind().address();
      return returned(0);
    case Request::kListen:
      return listen(descriptor, request.listen());
    case Request::kAccept:
      return accept(descriptor, request.accept());
    case Request::kConnect:
      return connect(descriptor, request.connect(), first);
    case Request::kRead:
      return read(descriptor, request.read());
    case Request::kWrite:
      return write(descriptor, request.write(), done);
    case Request::kShutdown:
      return shutdown(descriptor, request.shutdown().how());
    case Request::kControl:
      return control(descriptor, request.control());
    case Request::kIoctl:
      return ioctl(descriptor, request.ioctl());
    case Request::kSetOption:
      return set_option(descriptor, request.set_option());
    default:
      return get_option(descriptor, request.get_option());
  }
}

Response SocketFacade::socket(const v1::SocketCreate& call) {
  if ((call.type() & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) {
    return socket_error(EPROTONOSUPPORT);
  }
  Descriptor made;
  made.non_blocking = (call.type() & SOCK_NONBLOCK) != 0;
  made.options = defaults_;
  return returned(add(std::move(made)));
}

Response SocketFacade::listen(Descriptor& socket, const v1::SocketListen& call) {
  if (socket.listening) return returned(0);
  v1::OpenRequest open;
  *open.mutable_local() = socket.local;
  // As Linux counts: one more than it says.
  open.set_backlog(static_cast<uint32_t>(std::max(call.backlog(), 0)) + 1);
  *open.mutable_options() = socket.options;
  const absl::StatusOr<v1::OpenResponse> opened = end_.open(open);
  if (!opened.ok()) return socket_error(EINVAL);
  if (opened->outcome() != v1::OUTCOME_OK) return socket_error(errno_of(opened->outcome()));
  socket.connection = opened->connection();
  socket.listening = true;
  return returned(0);
}

SocketFacade::Answer SocketFacade::accept(Descriptor& socket, const v1::SocketAccept& call) {
  if (!socket.listening) return socket_error(EINVAL);
  const absl::StatusOr<v1::AcceptResponse> accepted = end_.accept(socket.connection);
  if (!accepted.ok()) return socket_error(EINVAL);
  if (accepted->outcome() == v1::OUTCOME_WOULD_BLOCK && !socket.non_blocking) return std::nullopt;
  if (accepted->outcome() != v1::OUTCOME_OK) return socket_error(errno_of(accepted->outcome()));
  Descriptor made;
  made.connection = accepted->connection();
  made.non_blocking = (call.flags() & SOCK_NONBLOCK) != 0;
  made.options = socket.options;
  Response response = returned(add(std::move(made)));
  *response.mutable_address() = accepted->pair().remote();
  return response;
}

SocketFacade::Answer SocketFacade::connect(Descriptor& socket, const v1::SocketConnect& call,
                                           bool first) {
  if (socket.connection == 0) {
    v1::OpenRequest open;
    open.set_active(true);
    *open.mutable_local() = socket.local;
    *open.mutable_remote() = call.address();
    *open.mutable_options() = socket.options;
    const absl::StatusOr<v1::OpenResponse> opened = end_.open(open);
    if (!opened.ok()) return socket_error(EINVAL);
    if (opened->outcome() != v1::OUTCOME_OK) return socket_error(errno_of(opened->outcome()));
    socket.connection = opened->connection();
    socket.connecting = true;
    if (socket.non_blocking) return socket_error(EINPROGRESS);
    return std::nullopt;
  }
  if (!socket.connecting) return socket_error(EISCONN);
  const absl::StatusOr<v1::ConnectionStatus> status = end_.status(socket.connection);
  if (!status.ok()) return socket_error(EINVAL);
  switch (status->state()) {
    case v1::TCP_STATE_SYN_SENT:
    case v1::TCP_STATE_SYN_RECEIVED:
      if (first) return socket_error(EALREADY);
      return std::nullopt;
    case v1::TCP_STATE_CLOSED: {
      socket.connecting = false;
      const int error = pending_error(socket);
      return socket_error(error == 0 ? ECONNABORTED : error);
    }
    default:
      socket.connecting = false;
      return returned(0);
  }
}

int SocketFacade::pending_error(Descriptor& socket) {
  if (socket.error_told || socket.connection == 0 || socket.listening) return 0;
  const absl::StatusOr<v1::ConnectionStatus> status = end_.status(socket.connection);
  if (!status.ok() || status->state() != v1::TCP_STATE_CLOSED) return 0;
  const int error = errno_of(status->last_error());
  if (status->last_error() == v1::OUTCOME_UNSPECIFIED || error == 0) return 0;
  socket.error_told = true;
  return error;
}

SocketFacade::Answer SocketFacade::read(Descriptor& socket, const v1::SocketRead& call) {
  if (socket.connection == 0 || socket.listening) return socket_error(ENOTCONN);
  const absl::StatusOr<v1::ReceiveResponse> received =
      end_.receive(socket.connection, std::max<uint32_t>(call.size(), 1));
  if (!received.ok()) return socket_error(ENOTCONN);
  if (received->outcome() == v1::OUTCOME_OK) {
    Response response = returned(static_cast<int64_t>(received->data().size()));
    response.set_data(received->data());
    return response;
  }
  if (received->outcome() == v1::OUTCOME_END_OF_STREAM || socket.shut_for_reading) {
    return returned(0);
  }
  if (received->outcome() == v1::OUTCOME_WOULD_BLOCK) {
    if (socket.non_blocking || (call.flags() & MSG_DONTWAIT) != 0) return socket_error(EAGAIN);
    return std::nullopt;
  }
  const int error = pending_error(socket);
  return error != 0 ? socket_error(error) : returned(0);
}

SocketFacade::Answer SocketFacade::write(Descriptor& socket, const v1::SocketWrite& call,
                                         size_t& done) {
  if (socket.connection == 0 || socket.listening) return socket_error(EPIPE);
  const std::string_view rest = std::string_view(call.data()).substr(done);
  const absl::StatusOr<v1::SendResponse> sent =
      end_.send(socket.connection, rest, true, (call.flags() & MSG_OOB) != 0);
  if (!sent.ok()) return socket_error(EPIPE);
  done += sent->accepted();
  if (done == call.data().size()) return returned(static_cast<int64_t>(done));
  const bool full = sent->outcome() == v1::OUTCOME_OK || sent->outcome() == v1::OUTCOME_WOULD_BLOCK;
  if (full && !socket.non_blocking && (call.flags() & MSG_DONTWAIT) == 0) return std::nullopt;
  if (done > 0) return returned(static_cast<int64_t>(done));
  if (full) return socket_error(EAGAIN);
  const int error = pending_error(socket);
  return socket_error(error != 0 ? error : EPIPE);
}

Response SocketFacade::shutdown(Descriptor& socket, int how) {
  if (socket.connection == 0) return socket_error(ENOTCONN);
  if (how != SHUT_WR) socket.shut_for_reading = true;
  if (how == SHUT_RD) return returned(0);
  const absl::StatusOr<v1::Outcome> closed = end_.close(socket.connection);
  if (!closed.ok()) return socket_error(ENOTCONN);
  const bool again = *closed == v1::OUTCOME_CONNECTION_CLOSING;
  return *closed == v1::OUTCOME_OK || again ? returned(0) : socket_error(ENOTCONN);
}

Response SocketFacade::close(int fd) {
  const auto found = descriptors_.find(fd);
  if (found == descriptors_.end()) return socket_error(EBADF);
  const Descriptor socket = std::move(found->second);
  descriptors_.erase(found);
  if (socket.connection == 0) return returned(0);
  const absl::StatusOr<v1::Outcome> ended =
      socket.aborts ? end_.abort(socket.connection) : end_.release(socket.connection);
  return ended.ok() ? returned(0) : socket_error(EIO);
}

Response SocketFacade::control(Descriptor& socket, const v1::SocketControl& call) {
  switch (call.command()) {
    case F_GETFL:
      return returned(O_RDWR | (socket.non_blocking ? O_NONBLOCK : 0));
    case F_SETFL:
      socket.non_blocking = (call.argument() & O_NONBLOCK) != 0;
      return returned(0);
    default:
      return socket_error(EINVAL);
  }
}

Response SocketFacade::ioctl(Descriptor& socket, const v1::SocketIoctl& call) {
  if (socket.listening) return socket_error(EINVAL);
  Response response = returned(0);
  if (socket.connection == 0) return response;
  const absl::StatusOr<v1::ConnectionStatus> status = end_.status(socket.connection);
  if (!status.ok()) return socket_error(EINVAL);
  response.set_value(call.request() == FIONREAD ? status->receive_queue_bytes()
                                                : status->send_queue_bytes());
  return response;
}

Response SocketFacade::set_option(Descriptor& socket, const v1::SocketSetOption& call) {
  if (call.level() == SOL_SOCKET && call.option() == SO_LINGER) {
    linger value{};
    if (call.value().size() < sizeof value) return socket_error(EINVAL);
    std::memcpy(&value, call.value().data(), sizeof value);
    socket.aborts = value.l_onoff != 0 && value.l_linger == 0;
    return returned(0);
  }
  Options one;
  find_option(call.level(), call.option())->set(one, number_in(call.value()));
  if (socket.connection != 0 && !end_.set_options(socket.connection, one).ok()) {
    return socket_error(EINVAL);
  }
  socket.options.MergeFrom(one);
  return returned(0);
}

Response SocketFacade::get_option(Descriptor& socket, const v1::SocketGetOption& call) {
  int32_t value = 0;
  if (call.level() == SOL_SOCKET && call.option() == SO_ERROR) {
    value = pending_error(socket);
  } else {
    Options options = socket.options;
    if (socket.connection != 0) {
      const absl::StatusOr<Options> now = end_.get_options(socket.connection);
      if (now.ok()) options = *now;
    }
    value = static_cast<int32_t>(find_option(call.level(), call.option())->get(options));
  }
  Response response = returned(0);
  response.set_data(std::string(reinterpret_cast<const char*>(&value), sizeof value));
  return response;
}

Response SocketFacade::setting(const v1::SystemSetting& call) {
  for (const SettingRow& row : kSettings) {
    if (call.name() != row.name) continue;
    const std::vector<std::string> values =
        absl::StrSplit(call.value(), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t value = 0;
    if (values.size() != 1 && values.size() != 3) return socket_error(EINVAL);
    if (!absl::SimpleAtoi(values[values.size() / 2], &value)) return socket_error(EINVAL);
    if (row.set != nullptr) {
      row.set(defaults_, value);
      return returned(0);
    }
    return value == row.only ? returned(0) : socket_error(EINVAL);
  }
  return socket_error(ENOENT);
}

}  // namespace tcproctor::server
