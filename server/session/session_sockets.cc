// SPDX-License-Identifier: Apache-2.0
// The call of the Sockets service.
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/end/capabilities.h"
#include "server/session/waiting_call.h"

namespace tcproctor::server {
namespace {

// What scripts reach through a shell changes the end's namespace, and that may be the machine's.
absl::Status check_reach(const SessionPlan& plan, const v1::SocketCallRequest& request) {
  using Request = v1::SocketCallRequest;
  const Request::CallCase call = request.call_case();
  const bool changes =
      call == Request::kSetting || call == Request::kQueue || call == Request::kFlushMetrics;
  if (!changes || !plan.on_interface()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "call: on LINK_KIND_INTERFACE a session changes nothing of the machine");
}

}  // namespace

absl::StatusOr<Sockets*> Session::sockets_of(v1::End side) const {
  Sockets* found = nullptr;
  for (const v1::End candidate : {v1::END_A, v1::END_B}) {
    if (side != v1::END_UNSPECIFIED && side != candidate) continue;
    Sockets* const sockets = bench_->end(candidate).sockets();
    if (sockets != nullptr && found != nullptr) {
      return absl::InvalidArgumentError(
          "end: both ends have sockets; END_A or END_B must be named");
    }
    if (sockets != nullptr) found = sockets;
  }
  if (found != nullptr) return found;
  return absl::UnimplementedError(absl::StrCat(
      "the end has no socket calls: it lacks the capability ", std::string(kCapSockets)));
}

OperationId Session::socket_call(const v1::SocketCallRequest& request,
                                 Done<v1::SocketCallResponse> done) {
  absl::Status named = check_side(request.end());
  if (named.ok()) named = check_reach(plan_, request);
  const absl::StatusOr<Sockets*> sockets = named.ok() ? sockets_of(request.end()) : named;
  if (!sockets.ok()) {
    done(sockets.status());
    return 0;
  }
  const absl::Status allowed = allowance_.check_socket_call(request);
  if (!allowed.ok()) {
    done(allowed);
    return 0;
  }
  absl::StatusOr<std::unique_ptr<SocketOperation>> begun = (*sockets)->begin(request);
  if (!begun.ok()) {
    done(begun.status());
    return 0;
  }
  return wait_for<v1::SocketCallResponse>(
      std::nullopt,
      [this, request, operation = *std::move(begun)](
          Moment moment) mutable -> std::optional<absl::StatusOr<v1::SocketCallResponse>> {
        std::optional<v1::SocketCallResponse> response = operation->poll();
        if (response) allowance_.count_socket_call(request, *response);
        if (response) return *std::move(response);
        if (moment != Moment::kCancelled) return std::nullopt;
        operation.reset();
        v1::SocketCallResponse given_up = socket_error(EINTR);
        given_up.set_cancelled(true);
        return given_up;
      },
      std::move(done));
}

}  // namespace tcproctor::server
