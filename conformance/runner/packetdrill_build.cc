// SPDX-License-Identifier: Apache-2.0
// System calls of a script as requests to the Sockets service.
#include <algorithm>
#include <utility>

#include "conformance/runner/packetdrill_stage.h"
#include "conformance/runner/packetdrill_values.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr int32_t kAfInet = 2, kAfInet6 = 10;
constexpr uint32_t kMaxControl = 4096;

bool is_null(const Expression& buffer) {
  return buffer.kind == Expression::Kind::kWord && buffer.text == "NULL";
}

v1::SocketAddress peer_of(const v1::Session& session) {
  v1::SocketAddress peer;
  const std::string& prefix = session.a().addresses(0);
  peer.set_address(prefix.substr(0, prefix.find('/')));
  peer.set_port(PacketdrillStage::kPort);
  return peer;
}

}  // namespace

std::string PacketdrillStage::definition(const std::string& name) const {
  for (const ScriptFlag& flag : script_.flags) {
    const auto [defined, value] = split_once(flag.value, '=');
    if (flag.name == "define" && defined == name) return value;
  }
  // What differs between sockets of IPv6 over IPv4 and over IPv6 is on the wire.
  const bool socket_names = name.starts_with("CMSG_");
  return foreign_definition(name, head_.ipv6 || (mapped_ && socket_names));
}

int64_t PacketdrillStage::number(const Expression& expression) const {
  switch (expression.kind) {
    case Expression::Kind::kNumber:
      return expression.number;
    case Expression::Kind::kWord: {
      const std::string defined = definition(expression.text);
      const auto constant = foreign_constant(defined.empty() ? expression.text : defined);
      if (!constant.has_value()) throw Unbuildable{cat("unknown name ", expression.text)};
      return *constant;
    }
    case Expression::Kind::kOr: {
      int64_t bits = 0;
      for (const Expression& item : expression.items) bits |= number(item);
      return bits;
    }
    default:
      throw Unbuildable{cat("expected a number where ", print_expression(expression), " stands")};
  }
}

int PacketdrillStage::descriptor(const Expression& expression) {
  const auto found = descriptors_.find(number(expression));
  return found == descriptors_.end() ? -1 : found->second;
}

PacketdrillStage::Socket* PacketdrillStage::socket_of(const Expression& expression) {
  const int real = descriptor(expression);
  // The newest: descriptors are used again.
  for (auto socket = sockets_.rbegin(); real >= 0 && socket != sockets_.rend(); ++socket) {
    if (socket->descriptor == real) return &*socket;
  }
  return nullptr;
}

// connect() and what connects on the way. The address is always the script's peer.
void PacketdrillStage::connects(Prepared& prepared) {
  Socket* socket = prepared.socket;
  if (socket == nullptr) return;
  if (socket->state == Socket::State::kDissolved) {
    // It connects anew: from another port, with other numbers.
    const int descriptor = socket->descriptor;
    reset(*socket, Socket::State::kNew);
    socket->descriptor = descriptor;
  }
  if (socket->state != Socket::State::kNew) return;
  socket->state = Socket::State::kConnecting;
  socket->flow.side(v1::END_B).address.set_port(0);
}

void PacketdrillStage::hand_over(Prepared& prepared, size_t size) {
  if (prepared.socket != nullptr) {
    prepared.octets = prepared.socket->flow.next_octets(v1::END_B, size);
  } else {
    prepared.octets.assign(size, '\0');
  }
}

// read, recv, recvfrom, write, send, sendto.
void PacketdrillStage::build_transfer(const SystemCall& call, Prepared& prepared) {
  const std::string& name = call.name;
  const int fd = descriptor(argument(call, 0));
  const Expression& buffer = argument(call, 1);
  size_t size = 0;
  if (buffer.kind == Expression::Kind::kList) {
    for (const Expression& part : buffer.items)
      size += static_cast<size_t>(number(part.items.at(1)));
  } else {
    size = static_cast<size_t>(number(argument(call, 2)));
  }
  if (name.starts_with("re")) {
    v1::SocketRead& read = *prepared.request.mutable_read();
    read.set_fd(fd);
    read.set_size(static_cast<uint32_t>(size));
    if (call.arguments.size() > 3) read.set_flags(static_cast<int32_t>(number(argument(call, 3))));
    read.set_null_buffer(is_null(buffer));
    prepared.judge = &PacketdrillStage::judge_read;
    return;
  }
  v1::SocketWrite& write = *prepared.request.mutable_write();
  write.set_fd(fd);
  if (is_null(buffer)) {
    write.set_null_size(static_cast<uint32_t>(size));
  } else {
    hand_over(prepared, size);
    write.set_data(prepared.octets);
  }
  if (call.arguments.size() > 3) write.set_flags(static_cast<int32_t>(number(argument(call, 3))));
  if (name != "sendto") return;
  const Expression& to = argument(call, 4);
  if (to.kind == Expression::Kind::kWord && number(to) == 0) {
    write.set_unspecified_family(true);
    return;
  }
  *write.mutable_address() = peer_of(session());
  connects(prepared);
}

// recvmsg, sendmsg.
void PacketdrillStage::build_message(const SystemCall& call, Prepared& prepared) {
  const int fd = descriptor(argument(call, 0));
  const Expression& message = argument(call, 1);
  const auto flags = static_cast<int32_t>(number(argument(call, 2)));
  const Expression* buffers = member(message, "msg_iov");
  if (buffers == nullptr) throw Unbuildable{"a message without msg_iov"};
  const auto size_of = [&](const Expression& buffer) {
    if (buffer.items.size() != 2) throw Unbuildable{"a buffer of a message is {..., SIZE}"};
    return static_cast<size_t>(number(buffer.items[1]));
  };
  if (call.name == "recvmsg") {
    v1::SocketReceiveMessage& receive = *prepared.request.mutable_receive_message();
    receive.set_fd(fd);
    receive.set_flags(flags);
    receive.set_control_size(kMaxControl);
    for (const Expression& buffer : buffers->items) {
      receive.add_buffers(static_cast<uint32_t>(size_of(buffer)));
    }
    prepared.judge = &PacketdrillStage::judge_message;
    return;
  }
  v1::SocketSendMessage& send = *prepared.request.mutable_send_message();
  send.set_fd(fd);
  send.set_flags(flags);
  size_t total = 0;
  for (const Expression& buffer : buffers->items) total += size_of(buffer);
  hand_over(prepared, total);
  size_t offset = 0;
  for (const Expression& buffer : buffers->items) {
    send.add_buffers(prepared.octets.substr(offset, size_of(buffer)));
    offset += size_of(buffer);
  }
  if (const Expression* control = member(message, "msg_control"); control != nullptr) {
    for (const Expression& one : control->items) {
      v1::ControlMessage& out = *send.add_control();
      out.set_level(static_cast<int32_t>(number(*member(one, "cmsg_level"))));
      out.set_type(static_cast<int32_t>(number(*member(one, "cmsg_type"))));
      out.set_data(little_endian(number(*member(one, "cmsg_data")), 4));
    }
  }
  if ((flags & static_cast<int32_t>(*foreign_constant("MSG_FASTOPEN"))) == 0) return;
  *send.mutable_address() = peer_of(session());
  connects(prepared);
}

// setsockopt, getsockopt.
void PacketdrillStage::build_option(const SystemCall& call, Prepared& prepared) {
  const int fd = descriptor(argument(call, 0));
  const auto level = static_cast<int32_t>(number(argument(call, 1)));
  const auto option = static_cast<int32_t>(number(argument(call, 2)));
  const Expression& value = argument(call, 3);
  if (call.name == "getsockopt") {
    v1::SocketGetOption& get = *prepared.request.mutable_get_option();
    get.set_fd(fd);
    get.set_level(level);
    get.set_option(option);
    const Expression& length = argument(call, 4);
    const bool listed = length.kind == Expression::Kind::kList && !length.items.empty();
    get.set_length(static_cast<uint32_t>(number(listed ? length.items[0] : length)));
    prepared.judge = &PacketdrillStage::judge_option;
    return;
  }
  v1::SocketSetOption& set = *prepared.request.mutable_set_option();
  set.set_fd(fd);
  set.set_level(level);
  set.set_option(option);
  const auto length = static_cast<uint32_t>(number(argument(call, 4)));
  switch (value.kind) {
    case Expression::Kind::kList:
      for (const Expression& item : value.items) {
        append(*set.mutable_value(),
               little_endian(number(item), std::min<size_t>(4, std::max<uint32_t>(length, 1))));
      }
      break;
    case Expression::Kind::kText:
      set.set_value(unescaped(value.text));
      break;
    case Expression::Kind::kStruct:
      for (const Expression& item : value.items) {
        append(*set.mutable_value(),
               little_endian(number(item), value.items[0].member == "sec" ? 8 : 4));
      }
      break;
    default:
      set.set_value(little_endian(number(value), 4));
  }
  set.set_length(length);
}

// poll, epoll_create, epoll_ctl, epoll_wait.
void PacketdrillStage::build_wait(const SystemCall& call, Prepared& prepared) {
  if (call.name == "poll") {
    v1::SocketPoll& poll = *prepared.request.mutable_poll();
    for (const Expression& one : argument(call, 0).items) {
      const Expression* fd = member(one, "fd");
      const Expression* events = member(one, "events");
      if (fd == nullptr || events == nullptr) throw Unbuildable{"poll() takes {fd=, events=}"};
      poll.add_descriptors()->set_fd(descriptor(*fd));
      poll.mutable_descriptors()->rbegin()->set_events(static_cast<uint32_t>(number(*events)));
    }
    poll.set_timeout_ms(static_cast<int32_t>(number(argument(call, 2))));
    prepared.judge = &PacketdrillStage::judge_poll;
  } else if (call.name == "epoll_create") {
    prepared.request.mutable_epoll_create()->set_size(
        static_cast<int32_t>(number(argument(call, 0))));
    prepared.makes_descriptor = true;
  } else if (call.name == "epoll_ctl") {
    v1::EpollControl& control = *prepared.request.mutable_epoll_control();
    control.set_fd(descriptor(argument(call, 0)));
    control.set_operation(static_cast<int32_t>(number(argument(call, 1))));
    control.set_target(descriptor(argument(call, 2)));
    const Expression& event = argument(call, 3);
    if (event.items.size() != 2) throw Unbuildable{"epoll_ctl() takes {events=, fd=}"};
    control.set_events(static_cast<uint32_t>(number(event.items[0])));
    control.set_data(static_cast<uint64_t>(number(event.items[1])));
  } else {
    v1::EpollWait& wait = *prepared.request.mutable_epoll_wait();
    wait.set_fd(descriptor(argument(call, 0)));
    wait.set_max_events(static_cast<int32_t>(number(argument(call, 2))));
    wait.set_timeout_ms(static_cast<int32_t>(number(argument(call, 3))));
    prepared.judge = &PacketdrillStage::judge_epoll;
  }
}

// open, pipe, splice, sendfile.
void PacketdrillStage::build_file(const SystemCall& call, Prepared& prepared) {
  if (call.name == "open") {
    const std::string name = unescaped(argument(call, 0).text);
    const auto file = files_.find(name);
    if (file == files_.end())
      throw Unbuildable{cat("host-shell: nothing has made the file ", name)};
    prepared.request.mutable_scratch_file()->set_octets(file->second);
    prepared.makes_descriptor = true;
  } else if (call.name == "pipe") {
    prepared.request.mutable_pipe();
  } else if (call.name == "splice") {
    v1::SpliceCall& splice = *prepared.request.mutable_splice();
    splice.set_from(descriptor(argument(call, 0)));
    splice.set_to(descriptor(argument(call, 2)));
    splice.set_length(static_cast<uint32_t>(number(argument(call, 4))));
    splice.set_flags(static_cast<uint32_t>(number(argument(call, 5))));
    Socket* to = socket_of(argument(call, 2));
    if (to != nullptr) to->payload_known = false;
  } else {
    v1::SendFileCall& send = *prepared.request.mutable_send_file();
    send.set_to(descriptor(argument(call, 0)));
    send.set_from(descriptor(argument(call, 1)));
    const Expression& offset = argument(call, 2);
    if (offset.kind == Expression::Kind::kList && !offset.items.empty()) {
      send.set_offset(number(offset.items[0]));
    }
    send.set_count(static_cast<uint32_t>(number(argument(call, 3))));
    prepared.octets.assign(send.count(), '\0');
  }
}

absl::StatusOr<PacketdrillStage::Prepared> PacketdrillStage::build(const SystemCall& call) {
  Prepared prepared;
  v1::SocketCallRequest& request = prepared.request;
  const std::string& name = call.name;
  try {
    const bool on_descriptor = name != "socket" && name != "open" && name != "pipe" &&
                               name != "poll" && name != "epoll_create";
    const int fd = on_descriptor ? descriptor(argument(call, 0)) : -1;
    if (on_descriptor) prepared.socket = socket_of(argument(call, 0));
    if (name == "socket") {
      v1::SocketCreate& create = *request.mutable_socket();
      create.set_domain(mapped_ || head_.ipv6 ? kAfInet6 : kAfInet);
      create.set_type(static_cast<int32_t>(number(argument(call, 1))));
      create.set_protocol(static_cast<int32_t>(number(argument(call, 2))));
      create.set_congestion_control(congestion_control_);
      prepared.makes_descriptor = true;
    } else if (name == "bind") {
      request.mutable_bind()->set_fd(fd);
      request.mutable_bind()->mutable_address()->set_port(PacketdrillStage::kPort);
    } else if (name == "listen") {
      request.mutable_listen()->set_fd(fd);
      request.mutable_listen()->set_backlog(static_cast<int32_t>(number(argument(call, 1))));
    } else if (name == "accept") {
      request.mutable_accept()->set_fd(fd);
      prepared.makes_descriptor = true;
    } else if (name == "connect") {
      request.mutable_connect()->set_fd(fd);
      if (argument(call, 1).kind == Expression::Kind::kWord && number(argument(call, 1)) == 0) {
        request.mutable_connect()->set_unspecified_family(true);
      } else {
        *request.mutable_connect()->mutable_address() = peer_of(session());
        connects(prepared);
      }
    } else if (name == "close") {
      request.mutable_close()->set_fd(fd);
    } else if (name == "shutdown") {
      request.mutable_shutdown()->set_fd(fd);
      request.mutable_shutdown()->set_how(static_cast<int32_t>(number(argument(call, 1))));
    } else if (name == "fcntl") {
      request.mutable_control()->set_fd(fd);
      request.mutable_control()->set_command(static_cast<int32_t>(number(argument(call, 1))));
      if (call.arguments.size() > 2) {
        request.mutable_control()->set_argument(number(argument(call, 2)));
      }
    } else if (name == "ioctl") {
      request.mutable_ioctl()->set_fd(fd);
      request.mutable_ioctl()->set_request(static_cast<uint32_t>(number(argument(call, 1))));
      prepared.judge = &PacketdrillStage::judge_ioctl;
    } else if (name.ends_with("sockopt")) {
      build_option(call, prepared);
    } else if (name.ends_with("msg")) {
      build_message(call, prepared);
    } else if (name == "poll" || name.starts_with("epoll")) {
      build_wait(call, prepared);
    } else if (name == "open" || name == "pipe" || name == "splice" || name == "sendfile") {
      build_file(call, prepared);
    } else {
      build_transfer(call, prepared);
    }
  } catch (const Unbuildable& unbuildable) {
    return absl::UnimplementedError(unbuildable.why);
  }
  return prepared;
}

}  // namespace tcproctor::conformance
