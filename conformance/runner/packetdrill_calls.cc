// SPDX-License-Identifier: Apache-2.0
// System calls: made through the Sockets service, and judged by what the script says they return.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "conformance/runner/packetdrill_stage.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr int32_t kAfInet = 2, kAfInet6 = 10;
constexpr uint32_t kMaxControl = 4096;
// How long a call that the script takes for one that returns at once may last.
constexpr absl::Duration kAtOnce = absl::Seconds(3);
// So long a blocking call is waited for, that it has begun before the script goes on.
constexpr absl::Duration kBegins = absl::Microseconds(300);

// A call that cannot be built: the script asks for what is not there.
struct Unbuildable {
  std::string why;
};

const Expression& argument(const SystemCall& call, size_t index) {
  return call.arguments.at(index);
}

const Expression* member(const Expression& structure, std::string_view name) {
  for (const Expression& item : structure.items) {
    if (item.member == name) return &item;
  }
  return nullptr;
}

std::string little_endian(int64_t value, size_t octets) {
  std::string out;
  for (size_t i = 0; i < octets; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

int64_t from_little_endian(std::string_view octets) {
  uint64_t value = 0;
  for (size_t i = std::min<size_t>(octets.size(), 8); i > 0; --i) {
    value = value << 8 | static_cast<uint8_t>(octets[i - 1]);
  }
  return octets.size() == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
}

// What a backslash means in a text.
std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == '0' ? '\0' : c;
  }
  return out;
}

v1::SocketAddress peer_of(const v1::Session& session) {
  v1::SocketAddress peer;
  const std::string& prefix = session.a().addresses(0);
  peer.set_address(prefix.substr(0, prefix.find('/')));
  peer.set_port(PacketdrillStage::kPort);
  return peer;
}

std::string differs(std::string_view what, int64_t expected, int64_t came) {
  return expected == came ? "" : cat(what, ": expected ", expected, ", got ", came);
}

std::string bits_differ(std::string_view what, int64_t expected, int64_t came) {
  return expected == came
             ? ""
             : absl::StrFormat("%s: expected %#x, got %#x", std::string(what), expected, came);
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

// --- building ---

// connect() and what connects on the way. The address is always the script's peer.
void PacketdrillStage::connects(Prepared& prepared) {
  Socket* socket = prepared.socket;
  if (socket == nullptr || socket->state != Socket::State::kNew) return;
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
    prepared.judge = &PacketdrillStage::judge_read;
    return;
  }
  v1::SocketWrite& write = *prepared.request.mutable_write();
  write.set_fd(fd);
  if (buffer.kind == Expression::Kind::kWord && buffer.text == "NULL") {
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

// --- judging ---

std::string PacketdrillStage::judge_option(const SystemCall& call,
                                           const v1::SocketCallResponse& response) {
  const Expression& value = argument(call, 3);
  if (value.kind == Expression::Kind::kText) {
    const std::string expected = unescaped(value.text);
    return response.data().substr(0, expected.size()) == expected
               ? ""
               : cat("value: expected ", quoted(expected), ", got ", quoted(response.data()));
  }
  if (value.kind == Expression::Kind::kStruct) {
    std::string expected;
    for (const Expression& item : value.items) append(expected, little_endian(number(item), 4));
    return response.data() == expected ? "" : cat("value: got ", to_hex(response.data()));
  }
  if (value.kind != Expression::Kind::kList || value.items.empty() ||
      value.items[0].kind == Expression::Kind::kEllipsis) {
    return "";
  }
  const int64_t came = from_little_endian(response.data());
  const int64_t expected = number(value.items[0]);
  // [0xffffffff] is -1.
  return differs("value", static_cast<int32_t>(expected), static_cast<int32_t>(came));
}

std::string PacketdrillStage::judge_ioctl(const SystemCall& call,
                                          const v1::SocketCallResponse& response) {
  const Expression& value = argument(call, 2);
  if (value.kind != Expression::Kind::kList || value.items.empty()) return "";
  return differs("value", number(value.items[0]), response.value());
}

std::string PacketdrillStage::judge_poll(const SystemCall& call,
                                         const v1::SocketCallResponse& response) {
  const std::vector<Expression>& expected = argument(call, 0).items;
  for (size_t i = 0; i < expected.size() && i < static_cast<size_t>(response.polled_size()); ++i) {
    const Expression* revents = member(expected[i], "revents");
    std::string wrong = bits_differ("revents", revents == nullptr ? 0 : number(*revents),
                                    response.polled(static_cast<int>(i)).revents());
    if (!wrong.empty()) return wrong;
  }
  return "";
}

// The script tells the first event only.
std::string PacketdrillStage::judge_epoll(const SystemCall& call,
                                          const v1::SocketCallResponse& response) {
  const Expression& expected = argument(call, 1);
  if (expected.items.size() != 2 || response.events().empty()) return "";
  const v1::EpollEvent& came = response.events(0);
  std::string wrong = bits_differ("events", number(expected.items[0]), came.events());
  if (!wrong.empty()) return wrong;
  return differs("data", number(expected.items[1]), static_cast<int64_t>(came.data()));
}

std::string PacketdrillStage::judge_control(const Expression& expected,
                                            const v1::ControlMessage& came) {
  std::string wrong = differs("cmsg_level", number(*member(expected, "cmsg_level")), came.level());
  if (wrong.empty()) {
    wrong = differs("cmsg_type", number(*member(expected, "cmsg_type")), came.type());
  }
  if (!wrong.empty()) return wrong;
  const Expression& data = *member(expected, "cmsg_data");
  if (data.kind != Expression::Kind::kStruct) {
    return differs("cmsg_data", number(data), from_little_endian(came.data().substr(0, 4)));
  }
  if (member(data, "scm_sec") != nullptr) {
    if (came.data().size() < 16 || !wall_.has_value()) return "cmsg_data: no time stamp";
    const absl::Duration at = absl::Seconds(from_little_endian(came.data().substr(0, 8))) +
                              absl::Nanoseconds(from_little_endian(came.data().substr(8, 8))) -
                              *wall_ - start_;
    const absl::Duration wanted = absl::Seconds(number(*member(data, "scm_sec"))) +
                                  absl::Nanoseconds(number(*member(data, "scm_nsec")));
    const absl::Duration tolerance = std::max(tolerance_, kRelativeTolerance * wanted);
    return absl::AbsDuration(at - wanted) <= tolerance
               ? ""
               : cat("time stamp: expected ", print_seconds(wanted), " s, got ", print_seconds(at));
  }
  // struct sock_extended_err
  static constexpr std::pair<std::string_view, std::pair<size_t, size_t>> kFields[] = {
      {"ee_errno", {0, 4}}, {"ee_origin", {4, 1}}, {"ee_type", {5, 1}},
      {"ee_code", {6, 1}},  {"ee_info", {8, 4}},   {"ee_data", {12, 4}}};
  if (came.data().size() < 16) return "cmsg_data: too short for an extended error";
  for (const auto& [name, place] : kFields) {
    const Expression* wanted = member(data, name);
    if (wanted == nullptr) return "cmsg_data: unknown structure";
    wrong = differs(
        name, static_cast<int32_t>(number(*wanted)),
        static_cast<int32_t>(from_little_endian(came.data().substr(place.first, place.second))));
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string PacketdrillStage::judge_message(const SystemCall& call,
                                            const v1::SocketCallResponse& response) {
  const Expression& message = argument(call, 1);
  std::string wrong =
      bits_differ("msg_flags", number(*member(message, "msg_flags")), response.message_flags());
  if (!wrong.empty()) return wrong;
  const Expression* control = member(message, "msg_control");
  const size_t expected = control == nullptr ? 0 : control->items.size();
  if (expected > static_cast<size_t>(response.control_size())) {
    return cat("msg_control: expected ", expected, ", got ", response.control_size());
  }
  for (size_t i = 0; i < expected; ++i) {
    wrong = judge_control(control->items[i], response.control(static_cast<int>(i)));
    if (!wrong.empty()) return cat("msg_control ", i + 1, ": ", wrong);
  }
  return judge_read(call, response);
}

// Octets that were read must be those that the script sent, in order.
std::string PacketdrillStage::judge_read(const SystemCall& call,
                                         const v1::SocketCallResponse& response) {
  Socket* socket = socket_of(argument(call, 0));
  if (socket == nullptr || response.data().empty()) return "";
  const int64_t flags = call.name == "recvmsg"      ? number(argument(call, 2))
                        : call.arguments.size() > 3 ? number(argument(call, 3))
                                                    : 0;
  const int64_t special = *foreign_constant("MSG_PEEK") | *foreign_constant("MSG_OOB") |
                          *foreign_constant("MSG_ERRQUEUE") | *foreign_constant("MSG_TRUNC");
  FlowSide& reader = socket->flow.side(v1::END_B);
  if ((flags & special) != 0 || !socket->in_line) return "";
  const absl::StatusOr<std::string> sent =
      socket->flow.octets(v1::END_A, reader.received, response.data().size());
  const int64_t place = std::exchange(
      reader.received, reader.received + static_cast<int64_t>(response.data().size()));
  if (!sent.ok() || *sent == response.data()) return "";
  return cat("the octets read from place ", place, " on are not those that were sent");
}

Result PacketdrillStage::judge(const SystemCall& call, Prepared& prepared,
                               const v1::SocketCallResponse& response) {
  effects(call, prepared, response);
  const auto wrong = [&](std::string what) {
    const std::string came = response.error() == 0
                                 ? cat(response.result())
                                 : cat(response.result(), " ", response.error_name());
    return violation(cat(call.name, "() has come to another end"), {print_system_call(call)}, came,
                     0, {std::move(what)});
  };
  try {
    const int64_t expected = number(call.result);
    const bool any = prepared.makes_descriptor && expected >= 0;
    if (any ? response.result() < 0 : response.result() != expected) {
      return wrong(cat("result: expected ", expected, ", got ", response.result(),
                       response.error() == 0 ? "" : cat(" ", response.error_name())));
    }
    if (!call.error.empty() && *foreign_constant(call.error) != response.error()) {
      return wrong(cat("errno: expected ", call.error, ", got ", response.error_name()));
    }
    if (prepared.judge != nullptr && response.error() == 0) {
      std::string difference = (this->*prepared.judge)(call, response);
      if (!difference.empty()) return wrong(std::move(difference));
    }
  } catch (const Unbuildable& unbuildable) {
    return missing(unbuildable.why);
  }
  return {};
}

// What a call changes in the script's book-keeping.
void PacketdrillStage::effects(const SystemCall& call, Prepared& prepared,
                               const v1::SocketCallResponse& response) {
  Socket* const socket = prepared.socket;
  if (response.error() != 0) return;
  const auto made = static_cast<int>(response.result());
  if (prepared.makes_descriptor && call.result.kind == Expression::Kind::kNumber) {
    descriptors_[call.result.number] = made;
  }
  if (call.name == "socket") {
    add_socket(Socket::State::kNew).descriptor = made;
  } else if (call.name == "accept") {
    for (Socket& candidate : sockets_) {
      const bool waits = candidate.descriptor < 0 && candidate.state == Socket::State::kSynReceived;
      if (waits && candidate.flow.side(v1::END_A).address.port() == response.address().port()) {
        candidate.descriptor = made;
      }
    }
  } else if (call.name == "listen" && socket != nullptr) {
    socket->state = Socket::State::kListening;
  } else if (call.name == "pipe" && response.descriptors_size() == 2) {
    const std::vector<Expression>& names = call.arguments[0].items;
    for (size_t i = 0; i < names.size() && i < 2; ++i) {
      descriptors_[names[i].number] = response.descriptors(static_cast<int>(i));
    }
  } else if (call.name == "close") {
    descriptors_.erase(call.arguments[0].number);
  } else if (prepared.request.has_connect() && prepared.request.connect().unspecified_family() &&
             socket != nullptr) {
    // Dissolved: it may connect anew, with another ISN.
    const int descriptor = socket->descriptor;
    *socket = Socket();
    Socket& fresh = add_socket(Socket::State::kNew);
    fresh.descriptor = descriptor;
  } else if (!prepared.octets.empty() && socket != nullptr && response.result() > 0) {
    socket->flow.side(v1::END_B).sent.append(
        prepared.octets.substr(0, static_cast<size_t>(response.result())));
  }
}

// --- making ---

Result PacketdrillStage::call(const Statement& statement, const SystemCall& call) {
  // One that blocks is awaited before the next is made, as there is one thread for them.
  Result settled = settle(statement.time.ends.has_value());
  if (settled.has_value()) return settled;
  absl::StatusOr<Prepared> prepared = build(call);
  if (!prepared.ok()) return refused(prepared.status());
  LadderItem item;
  item.kind = LadderItem::Kind::kCall;
  item.end = v1::END_B;
  item.text = cat(call.name, "(",
                  call.arguments.empty() ? "" : print_expression(call.arguments.front()), ")");
  ladder_.push_back(std::move(item));
  if (statement.time.ends.has_value()) {
    return start_blocking(statement, call, *std::move(prepared));
  }
  v1::Command command;
  *command.mutable_socket_call() = prepared->request;
  const uint64_t operation = drive_->send(std::move(command));
  const absl::StatusOr<bool> ended = drive_->run_until_finished(operation, kAtOnce);
  if (!ended.ok()) return refused(ended.status());
  if (!*ended) {
    const absl::Status given_up = drive_->cancel(operation);
    if (!given_up.ok()) return refused(given_up);
    return violation(cat(call.name, "() does not return"), {print_system_call(call)},
                     cat("nothing for ", print_duration(kAtOnce)));
  }
  const absl::StatusOr<v1::Report> report = drive_->finish(operation);
  if (!report.ok()) return refused(report.status());
  return judge(call, *prepared, report->socket_call());
}

Result PacketdrillStage::start_blocking(const Statement& statement, const SystemCall& call,
                                        Prepared prepared) {
  Pending pending;
  v1::Command command;
  *command.mutable_socket_call() = prepared.request;
  pending.operation = drive_->send(std::move(command));
  pending.call = call;
  pending.position = statement.position;
  pending.began = moment_of(statement).earliest;
  pending.ends = pending.began - statement.time.at + *statement.time.ends;
  // What it may hand over can be on the wire before it returns.
  if (prepared.socket != nullptr) prepared.socket->flow.side(v1::END_B).sent += prepared.octets;
  pending.prepared = std::move(prepared);
  const absl::StatusOr<bool> ended = drive_->run_until_finished(pending.operation, kBegins);
  if (!ended.ok()) return refused(ended.status());
  pending_ = std::move(pending);
  return {};
}

// Judges a blocking call that has ended. `wait`: lets it end first.
Result PacketdrillStage::settle(bool wait) {
  if (!pending_.has_value()) return {};
  const absl::Duration tolerance =
      std::max(tolerance_, kRelativeTolerance * (pending_->ends - pending_->began));
  absl::StatusOr<bool> ended = drive_->finished(pending_->operation);
  const bool overdue = drive_->now() > pending_->ends + tolerance;
  if (ended.ok() && !*ended && (wait || overdue)) {
    const absl::Duration left = pending_->ends + 2 * tolerance - drive_->now();
    ended = drive_->run_until_finished(pending_->operation, std::max(left, absl::ZeroDuration()));
    if (ended.ok() && !*ended) {
      const Pending late = *std::exchange(pending_, std::nullopt);
      const absl::Status given_up = drive_->cancel(late.operation);
      if (!given_up.ok()) return refused(given_up);
      return violation(cat(late.call.name, "() has not ended"), {print_system_call(late.call)},
                       cat("it goes on at ", print_seconds(drive_->now() - start_), " s"));
    }
  }
  if (!ended.ok()) return refused(ended.status());
  if (!*ended) return {};
  Pending done = *std::exchange(pending_, std::nullopt);
  const absl::StatusOr<v1::Report> report = drive_->finish(done.operation);
  if (!report.ok()) return refused(report.status());
  if (done.prepared.socket != nullptr && !done.prepared.octets.empty()) {
    std::string& sent = done.prepared.socket->flow.side(v1::END_B).sent;
    sent.resize(sent.size() - done.prepared.octets.size());
  }
  Result result = judge(done.call, done.prepared, report->socket_call());
  if (result.has_value()) return result;
  const absl::Duration at = from_proto(report->now());
  if (absl::AbsDuration(at - done.ends) <= tolerance) return {};
  Problem problem = violation(cat(done.call.name, "() ended at another time"),
                              {cat("at ", print_seconds(done.ends - start_), " s, within ",
                                   print_seconds(tolerance), " s")},
                              cat("at ", print_seconds(at - start_), " s"));
  problem.missed_by = absl::AbsDuration(at - done.ends);
  return problem;
}

}  // namespace tcproctor::conformance
