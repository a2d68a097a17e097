// SPDX-License-Identifier: Apache-2.0
// The names that scripts of packetdrill's dialect know: constants of Linux, system calls and their
// structures, what %{ }% can ask of a socket, and ICMP messages.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tcproctor::conformance {

// SO_REUSEADDR, MSG_FASTOPEN, EPOLLIN, EAGAIN …: the value Linux gives it.
std::optional<int64_t> foreign_constant(std::string_view name);
// A name the user of a script may define, and its usual value: TFO_COOKIE, CODE. It depends on the
// version of IP. Empty: no such name.
std::string foreign_definition(std::string_view name, bool ipv6);
// "EAGAIN" for 11, else the number.
std::string errno_name(int64_t error);

struct ForeignCall {
  std::string_view name;
  size_t arguments;  // 0: fcntl and ioctl, which take 2 or 3
};
const ForeignCall* find_foreign_call(std::string_view name);
std::string foreign_call_names();

// The members of a structure in braces, in order; what may be left out is in brackets:
// "msg_name msg_iov msg_flags [msg_control]".
std::span<const std::string_view> foreign_structures();

// A field of Linux's struct tcp_info (TCP_INFO), or of the array of SO_MEMINFO.
struct SocketField {
  std::string_view name;
  bool memory;  // of SO_MEMINFO
  size_t offset;
  size_t octets;
  uint32_t shift;  // bits within the octets
  uint32_t bits;   // 0: all
};
const SocketField* find_socket_field(std::string_view name);
// Constants only %{ }% knows: TCP_ESTABLISHED, TCP_CA_Open, TCPI_OPT_SACK.
std::optional<int64_t> code_constant(std::string_view name);

// "unreachable host_unreachable" -> the name in flags.h, "unreachable host". Empty: unknown.
std::string_view own_icmp_name(std::string_view foreign);

}  // namespace tcproctor::conformance
