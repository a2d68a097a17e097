// SPDX-License-Identifier: Apache-2.0
// An end without a TCP here: nothing but the segments a script crafts in its name, or one that
// lives on another machine.
#pragma once

#include <string>
#include <vector>

#include "server/end/end.h"

namespace tcproctor::server {

class ScriptedEnd : public End {
 public:
  // `kind`: END_KIND_SCRIPTED or END_KIND_REMOTE.
  ScriptedEnd(v1::End side, v1::EndKind kind, std::vector<packet::IpAddress> addresses,
              std::vector<std::string> address_texts);

  v1::EndInfo info() const override;
  std::vector<packet::IpAddress> addresses() const override { return addresses_; }
  // FAILED_PRECONDITION, all of them.
  absl::StatusOr<v1::OpenResponse> open(const v1::OpenRequest& request) override;
  absl::StatusOr<v1::AcceptResponse> accept(uint64_t listener) override;
  absl::StatusOr<v1::SendResponse> send(uint64_t connection, std::string_view data, bool push,
                                        bool urgent) override;
  absl::StatusOr<v1::ReceiveResponse> receive(uint64_t connection, uint32_t max_bytes) override;
  absl::StatusOr<v1::Outcome> close(uint64_t connection) override;
  absl::StatusOr<v1::Outcome> release(uint64_t connection) override;
  absl::StatusOr<v1::Outcome> abort(uint64_t connection) override;
  absl::StatusOr<v1::ConnectionStatus> status(uint64_t connection) override;
  absl::StatusOr<v1::ConnectionOptions> get_options(uint64_t connection) override;
  absl::StatusOr<v1::ConnectionOptions> set_options(uint64_t connection,
                                                    const v1::ConnectionOptions& options) override;

  std::vector<v1::ConnectionStatus> list(uint64_t /*closed_after*/) override { return {}; }
  std::optional<uint64_t> find(const v1::FourTuple&, uint32_t) override { return std::nullopt; }
  bool owns(uint64_t) const override { return false; }
  v1::TcpState observe(const v1::FourTuple&) override { return v1::TCP_STATE_UNSPECIFIED; }
  bool next_event(v1::ConnectionEvent&) override { return false; }

 private:
  absl::Status no_tcp() const;

  const v1::End side_;
  const v1::EndKind kind_;
  const std::vector<packet::IpAddress> addresses_;
  const std::vector<std::string> address_texts_;
};

}  // namespace tcproctor::server
