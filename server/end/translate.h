// SPDX-License-Identifier: Apache-2.0
// Between the Endpoint service's messages and the stack's types: one place for all ends.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "stack/packet/address.h"
#include "stack/tcp/outcome.h"
#include "stack/tcp/state.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::server {

v1::Outcome to_proto(tcp::Outcome outcome);
v1::TcpState to_proto(tcp::State state);
v1::SocketAddress to_proto(const packet::SocketAddress& socket);
v1::FourTuple to_proto(const packet::FourTuple& pair);

// INVALID_ARGUMENT names `field`. An empty address becomes the unspecified one of `family`.
absl::StatusOr<packet::SocketAddress> from_proto(const v1::SocketAddress& socket,
                                                 std::string_view field,
                                                 packet::IpFamily family = packet::IpFamily::kV4);
absl::StatusOr<packet::FourTuple> from_proto(const v1::FourTuple& pair, std::string_view field);

}  // namespace tcproctor::server
