// SPDX-License-Identifier: Apache-2.0
// Where a daemon is, and the way to it.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tcproctor::client {

// Checks an address and returns it as gRPC wants it. Accepted: "unix:PATH" (a path of at most 107
// octets) and "HOST:PORT" with a name, an IPv4 address or a bracketed IPv6 address and a port of
// 1..65535. Anything else is INVALID_ARGUMENT and says what would be right.
absl::StatusOr<std::string> parse_address(std::string_view address);

// Mutual TLS, for a daemon on another machine: PEM files.
struct Tls {
  std::string
      ca;  // of which the daemon's certificate must be; it must name the host of the address
  std::string cert;  // ours, of a CA that the daemon knows
  std::string key;   // of `cert`, without a password

  bool empty() const { return ca.empty() && cert.empty() && key.empty(); }
};

// A channel to that address, not yet connected. Never goes through an HTTP proxy; no size limit on
// answers, because a log can be long. INVALID_ARGUMENT: no address, or what is wrong with the
// files, which are read now.
absl::StatusOr<std::shared_ptr<grpc::Channel>> make_channel(std::string_view address,
                                                            const Tls& tls = {});

// Where a daemon listens unless told otherwise: "unix:/run/tcproctor.sock" for root,
// "unix:$XDG_RUNTIME_DIR/tcproctor.sock" for anybody else ("unix:/tmp/tcproctor-UID.sock" where
// that variable is not set).
std::string default_address();

}  // namespace tcproctor::client
