// SPDX-License-Identifier: Apache-2.0
// A gRPC call of any method by its name, octets in and octets out.
#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tcproctor::cli {

// Calls `method` ("/package.Service/Method"). `next` gives the serialised requests one after the
// other, nullopt after the last; `on_response` gets each response. Sending and receiving overlap,
// so that it serves unary calls and streams in either direction alike: `next` is asked again only
// when the previous request was taken by the transport. Returns the call's status; the first error
// of `next` or `on_response` cancels the call and is returned instead.
absl::Status generic_call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                          const std::function<absl::StatusOr<std::optional<std::string>>()>& next,
                          const std::function<absl::Status(const std::string&)>& on_response);

}  // namespace tcproctor::cli
