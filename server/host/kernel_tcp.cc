// SPDX-License-Identifier: Apache-2.0
#include "server/host/kernel_tcp.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace tcproctor::server {

TcpInfo tcp_info_from(std::span<const uint8_t> bytes) {
  TcpInfo info{};
  std::memcpy(static_cast<TcpInfoLayout*>(&info), bytes.data(),
              std::min(bytes.size(), sizeof(TcpInfoLayout)));
  info.length = static_cast<uint32_t>(bytes.size());
  return info;
}

tcp::State state_from_linux(uint8_t number) {
  using tcp::State;
  constexpr State kStates[] = {State::kClosed,      State::kEstablished, State::kSynSent,
                               State::kSynReceived, State::kFinWait1,    State::kFinWait2,
                               State::kTimeWait,    State::kClosed,      State::kCloseWait,
                               State::kLastAck,     State::kListen,      State::kClosing,
                               State::kSynReceived};
  return number < std::size(kStates) ? kStates[number] : State::kClosed;
}

packet::IpAddress unmapped(std::span<const uint8_t, 16> bytes) {
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) {
    return packet::IpAddress::v4_bytes(bytes.last<4>());
  }
  return packet::IpAddress::v6_bytes(bytes);
}

packet::SocketAddress from_sockaddr(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    return {packet::IpAddress::v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    return {unmapped(std::span(in.sin6_addr.s6_addr)), ntohs(in.sin6_port)};
  }
  return {};
}

socklen_t to_sockaddr(const packet::SocketAddress& address, int family, sockaddr_storage& out) {
  out = {};
  const std::span<const uint8_t> bytes = address.address.bytes();
  if (family == AF_INET) {
    if (address.address.is_v6()) return 0;
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, bytes.data(), bytes.size());
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(address.port);
  if (address.address.is_v6()) {
    std::memcpy(in.sin6_addr.s6_addr, bytes.data(), bytes.size());
  } else if (!address.address.is_unspecified()) {  // 0.0.0.0 is any, and so is ::
    in.sin6_addr.s6_addr[10] = in.sin6_addr.s6_addr[11] = 0xFF;
    std::memcpy(in.sin6_addr.s6_addr + 12, bytes.data(), bytes.size());
  }
  std::memcpy(&out, &in, sizeof in);
  return sizeof in;
}

}  // namespace tcproctor::server
