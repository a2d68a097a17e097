// SPDX-License-Identifier: Apache-2.0
// A call that is answered before its method returns.
#pragma once

#include <utility>

#include "absl/status/statusor.h"
#include "server/session/session.h"

namespace tcproctor::server {

template <class Response>
OperationId answer(Done<Response>& done, absl::StatusOr<Response> response) {
  done(std::move(response));
  return 0;  // nothing is left that could be cancelled
}

}  // namespace tcproctor::server
