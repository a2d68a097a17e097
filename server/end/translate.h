// SPDX-License-Identifier: Apache-2.0
// Between the Endpoint service's messages and the stack's types: one place for all ends.
#pragma once

#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "stack/packet/address.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/outcome.h"
#include "stack/tcp/state.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

v1::Outcome to_proto(tcp::Outcome outcome);
v1::TcpState to_proto(tcp::State state);
v1::SocketAddress to_proto(const packet::SocketAddress& socket);
v1::FourTuple to_proto(const packet::FourTuple& pair);

// An enum of the stack whose values have the order of the proto's after UNSPECIFIED;
// translate_test holds that.
template <typename Proto, typename Value>
requires std::is_enum_v<Value> Proto to_proto(Value value) {
  return static_cast<Proto>(static_cast<int>(value) + 1);
}
// The way back; UNSPECIFIED leaves `out` as it is. INVALID_ARGUMENT: not `valid`.
template <typename Proto, typename Value>
absl::Status enum_from_proto(Proto proto, bool valid, std::string_view field, Value& out) {
  if (!valid) {
    return absl::InvalidArgumentError(absl::StrCat(
        "options.", std::string(field), ": ", static_cast<int>(proto), " is none of its values"));
  }
  if (static_cast<int>(proto) != 0) out = static_cast<Value>(static_cast<int>(proto) - 1);
  return absl::OkStatus();
}

// Of what is valid (AoAlgorithm_IsValid).
inline tcp::AoAlgorithm from_proto(v1::AoAlgorithm algorithm) {
  return algorithm == v1::AO_ALGORITHM_AES_CMAC ? tcp::AoAlgorithm::kAesCmac
                                                : tcp::AoAlgorithm::kHmacSha1;
}

// One glance at both: what a recovery does not govern, slow start or avoidance does.
v1::CongestionPhase congestion_phase(v1::RecoveryState recovery, bool slow_start);

// INVALID_ARGUMENT names `field`. An empty address becomes the unspecified one of `family`.
absl::StatusOr<packet::SocketAddress> from_proto(const v1::SocketAddress& socket,
                                                 std::string_view field,
                                                 packet::IpFamily family = packet::IpFamily::kV4);
absl::StatusOr<packet::FourTuple> from_proto(const v1::FourTuple& pair, std::string_view field);

}  // namespace tcproctor::server
