// SPDX-License-Identifier: Apache-2.0
// What a system call came to, judged by what the script says it returns.
#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "conformance/runner/packetdrill_stage.h"
#include "conformance/runner/packetdrill_values.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

std::string differs(std::string_view what, int64_t expected, int64_t came) {
  return expected == came ? "" : cat(what, ": expected ", expected, ", got ", came);
}

std::string bits_differ(std::string_view what, int64_t expected, int64_t came) {
  return expected == came
             ? ""
             : absl::StrFormat("%s: expected %#x, got %#x", std::string(what), expected, came);
}

}  // namespace

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
  if (socket == nullptr || response.data().empty() || !options_.foreign.payload) return "";
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

}  // namespace tcproctor::conformance
