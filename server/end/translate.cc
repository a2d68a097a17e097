// SPDX-License-Identifier: Apache-2.0
#include "server/end/translate.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace tcproctor::server {

// The proto's enums have the order of the stack's, after UNSPECIFIED = 0; translate_test holds
// that.
v1::Outcome to_proto(tcp::Outcome outcome) {
  static constexpr v1::Outcome kOutcomes[] = {
      v1::OUTCOME_OK,
      v1::OUTCOME_WOULD_BLOCK,
      v1::OUTCOME_END_OF_STREAM,
      v1::OUTCOME_CONNECTION_RESET,
      v1::OUTCOME_CONNECTION_REFUSED,
      v1::OUTCOME_CONNECTION_ABORTED,
      v1::OUTCOME_TIMED_OUT,
      v1::OUTCOME_UNREACHABLE,
      v1::OUTCOME_CONNECTION_CLOSING,
      v1::OUTCOME_CONNECTION_DOES_NOT_EXIST,
      v1::OUTCOME_CONNECTION_EXISTS,
      v1::OUTCOME_REMOTE_UNSPECIFIED,
      v1::OUTCOME_INSUFFICIENT_RESOURCES,
      v1::OUTCOME_INVALID_REMOTE,
      v1::OUTCOME_INVALID_LOCAL,
      v1::OUTCOME_ADDRESS_IN_USE,
      v1::OUTCOME_SOCKET_PAIR_IN_TIME_WAIT,
      v1::OUTCOME_QUIET_TIME,
  };
  static_assert(std::size(kOutcomes) == tcp::kOutcomeNames.size());
  return kOutcomes[static_cast<size_t>(outcome)];
}

v1::TcpState to_proto(tcp::State state) {
  static_assert(v1::TCP_STATE_TIME_WAIT == tcp::kStateNames.size());
  return static_cast<v1::TcpState>(static_cast<int>(state) + v1::TCP_STATE_CLOSED);
}

v1::SocketAddress to_proto(const packet::SocketAddress& socket) {
  v1::SocketAddress proto;
  if (!socket.address.is_unspecified()) proto.set_address(socket.address.to_string());
  proto.set_port(socket.port);
  return proto;
}

v1::FourTuple to_proto(const packet::FourTuple& pair) {
  v1::FourTuple proto;
  *proto.mutable_local() = to_proto(pair.local);
  *proto.mutable_remote() = to_proto(pair.remote);
  return proto;
}

v1::CongestionPhase congestion_phase(v1::RecoveryState recovery, bool slow_start) {
  if (recovery == v1::RECOVERY_STATE_RECOVERY) return v1::CONGESTION_PHASE_RECOVERY;
  if (recovery == v1::RECOVERY_STATE_LOSS) return v1::CONGESTION_PHASE_LOSS;
  return slow_start ? v1::CONGESTION_PHASE_SLOW_START : v1::CONGESTION_PHASE_AVOIDANCE;
}

absl::StatusOr<packet::SocketAddress> from_proto(const v1::SocketAddress& socket,
                                                 std::string_view field, packet::IpFamily family) {
  if (socket.port() > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(field), ".port: ", socket.port(), " is out of range; 0..65535"));
  }
  packet::SocketAddress result;
  result.port = static_cast<uint16_t>(socket.port());
  if (socket.address().empty()) {
    result.address = packet::IpAddress::any(family);
    return result;
  }
  absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(socket.address());
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(field), ".address: \"", socket.address(),
                     "\" is no IP address; write it like 192.0.2.1 or 2001:db8::1"));
  }
  result.address = *address;
  return result;
}

absl::StatusOr<packet::FourTuple> from_proto(const v1::FourTuple& pair, std::string_view field) {
  absl::StatusOr<packet::SocketAddress> local =
      from_proto(pair.local(), absl::StrCat(std::string(field), ".local"));
  if (!local.ok()) return local.status();
  absl::StatusOr<packet::SocketAddress> remote =
      from_proto(pair.remote(), absl::StrCat(std::string(field), ".remote"),
                 local->address.is_v4() ? packet::IpFamily::kV4 : packet::IpFamily::kV6);
  if (!remote.ok()) return remote.status();
  return packet::FourTuple{*local, *remote};
}

}  // namespace tcproctor::server
