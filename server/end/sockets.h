// SPDX-License-Identifier: Apache-2.0
// POSIX socket calls at an end of a session. Like an end it never waits: a call that goes on is
// asked again after every activity of the end.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "tcproctor/v1/sockets.pb.h"

namespace tcproctor::server {

// One call under way. Destroyed before it is over, it is given up.
class SocketOperation {
 public:
  virtual ~SocketOperation() = default;
  // Nothing while it goes on; not to be asked again afterwards.
  virtual std::optional<v1::SocketCallResponse> poll() = 0;
};

class Sockets {
 public:
  virtual ~Sockets() = default;
  // INVALID_ARGUMENT names the field; UNIMPLEMENTED: this end cannot make the call.
  virtual absl::StatusOr<std::unique_ptr<SocketOperation>> begin(
      const v1::SocketCallRequest& request) = 0;
};

// What a call returns that failed with that errno.
v1::SocketCallResponse socket_error(int error);

}  // namespace tcproctor::server
