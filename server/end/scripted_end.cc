// SPDX-License-Identifier: Apache-2.0
#include "server/end/scripted_end.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {

ScriptedEnd::ScriptedEnd(v1::End side, v1::EndKind kind, std::vector<packet::IpAddress> addresses,
                         std::vector<std::string> address_texts)
    : side_(side),
      kind_(kind),
      addresses_(std::move(addresses)),
      address_texts_(std::move(address_texts)) {}

v1::EndInfo ScriptedEnd::info() const {
  v1::EndInfo info;
  info.set_kind(kind_);
  for (const std::string& text : address_texts_) info.add_addresses(text);
  return info;
}

absl::Status ScriptedEnd::no_tcp() const {
  if (kind_ == v1::END_KIND_REMOTE) {
    return absl::FailedPreconditionError(
        absl::StrCat("end ", side_ == v1::END_A ? "A" : "B",
                     " is on another machine; only the daemon there can make calls to it"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("end ", side_ == v1::END_A ? "A" : "B",
                   " is scripted and has no TCP; only the Wire service speaks in its name"));
}

absl::StatusOr<v1::OpenResponse> ScriptedEnd::open(const v1::OpenRequest&) {
  return no_tcp();
}
absl::StatusOr<v1::AcceptResponse> ScriptedEnd::accept(uint64_t) {
  return no_tcp();
}
absl::StatusOr<v1::SendResponse> ScriptedEnd::send(uint64_t, std::string_view, bool, bool) {
  return no_tcp();
}
absl::StatusOr<v1::ReceiveResponse> ScriptedEnd::receive(uint64_t, uint32_t) {
  return no_tcp();
}
absl::StatusOr<v1::Outcome> ScriptedEnd::close(uint64_t) {
  return no_tcp();
}
absl::StatusOr<v1::Outcome> ScriptedEnd::release(uint64_t) {
  return no_tcp();
}
absl::StatusOr<v1::Outcome> ScriptedEnd::abort(uint64_t) {
  return no_tcp();
}
absl::StatusOr<v1::ConnectionStatus> ScriptedEnd::status(uint64_t) {
  return no_tcp();
}
absl::StatusOr<v1::ConnectionOptions> ScriptedEnd::get_options(uint64_t) {
  return no_tcp();
}
absl::StatusOr<v1::ConnectionOptions> ScriptedEnd::set_options(uint64_t,
                                                               const v1::ConnectionOptions&) {
  return no_tcp();
}

}  // namespace tcproctor::server
