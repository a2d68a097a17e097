// SPDX-License-Identifier: Apache-2.0
// Of packetdrill's dialect: arguments and results of system calls as values, and what is asked of
// packets again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "conformance/script/ast.h"
#include "conformance/script/flags.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::conformance {

// A call that cannot be built: the script asks for what is not there.
struct Unbuildable {
  std::string why;
};

const Expression& argument(const SystemCall& call, size_t index);
// {fd=3}: by name; null: there is none of that name.
const Expression* member(const Expression& structure, std::string_view name);

std::string little_endian(int64_t value, size_t octets);
int64_t from_little_endian(std::string_view octets);

// What the backslashes in a text mean: \n \t \r \0 \xHH, else the character itself.
std::string unescaped(const std::string& text);

inline constexpr uint32_t kUrg = 0x20;
inline constexpr uint32_t kCwr = 0x80;

inline bool is_syn(const TcpPacket& packet) {
  return (packet.flags & kSyn) != 0;
}
inline uint32_t payload_length(const v1::LogEntry& entry) {
  return static_cast<uint32_t>(entry.segment().payload().size());
}

}  // namespace tcproctor::conformance
