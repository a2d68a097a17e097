// SPDX-License-Identifier: Apache-2.0
// Our own TCP as an end of a session: a Host on a link, spoken to in the words of the API.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/end/end.h"
#include "server/end/socket_facade.h"
#include "stack/host/host.h"
#include "stack/link/host_loop.h"
#include "stack/link/link.h"
#include "stack/mutants/planted.h"
#include "stack/run/event_loop.h"
#include "stack/run/scheduler.h"

namespace tcproctor::server {

struct StackEndConfig {
  v1::End side = v1::END_A;
  host::HostConfig host;
  // What info() says beside the kind.
  std::vector<std::string> address_texts;
  bool virtual_clock = false;
  std::string interface;  // empty where there is no device
  std::string namespace_path;
  uint64_t namespace_inode = 0;
  std::string user_namespace_path;
  // Ids of this end's connections are id_base + id_stride * (id in the host); the other end of the
  // session has another base of the same stride.
  uint64_t id_base = 0;
  uint64_t id_stride = 2;
  // The only ports that the end has of its addresses; last 0: all.
  uint16_t first_port = 0, last_port = 0;
  uint32_t mutant =
      0;  // number of the fault planted in this end (stack/mutants/planted.h); 0: none
};

class StackEnd : public End {
 public:
  // Link, scheduler and loop must outlive the end; `loop` may be null for a link without
  // descriptor.
  static absl::StatusOr<std::unique_ptr<StackEnd>> create(StackEndConfig config, link::Link& link,
                                                          run::Scheduler& scheduler,
                                                          run::EventLoop* loop);

  v1::EndInfo info() const override;
  std::vector<packet::IpAddress> addresses() const override;
  absl::StatusOr<v1::OpenResponse> open(const v1::OpenRequest& request) override;
  absl::StatusOr<v1::AcceptResponse> accept(uint64_t listener) override;
  absl::StatusOr<v1::SendResponse> send(uint64_t connection, std::string_view data, bool push,
                                        bool urgent) override;
  absl::StatusOr<v1::ReceiveResponse> receive(uint64_t connection, uint32_t max_bytes) override;
  absl::StatusOr<v1::Outcome> close(uint64_t connection) override;
  absl::StatusOr<v1::Outcome> release(uint64_t connection) override;
  absl::StatusOr<v1::Outcome> abort(uint64_t connection) override;
  absl::StatusOr<v1::ConnectionStatus> status(uint64_t connection) override;
  std::vector<v1::ConnectionStatus> list(uint64_t closed_after) override;
  absl::StatusOr<v1::ConnectionOptions> get_options(uint64_t connection) override;
  absl::StatusOr<v1::ConnectionOptions> set_options(uint64_t connection,
                                                    const v1::ConnectionOptions& options) override;
  std::optional<uint64_t> find(const v1::FourTuple& pair, uint32_t incarnation) override;
  bool owns(uint64_t connection) const override;
  v1::TcpState observe(const v1::FourTuple& pair) override;
  bool next_event(v1::ConnectionEvent& event) override;
  Sockets* sockets() override { return &sockets_; }

  const host::HostCounters& counters() const { return host_->counters(); }

 private:
  // What the host does not keep: which incarnation of its socket pair a connection is, of which
  // listener it was born, and how a half-open one ended that never became more.
  struct Record {
    packet::FourTuple pair;
    uint32_t incarnation = 1;
    host::ConnectionId listener = 0;
    tcp::Outcome last_error = tcp::Outcome::kOk;
  };

  StackEnd(StackEndConfig config, std::unique_ptr<mutants::Planted> planted,
           std::unique_ptr<host::Host> host, link::Link& link, run::Scheduler& scheduler,
           run::EventLoop* loop);

  tcp::Instant now() const { return host_loop_.now(); }
  uint64_t id_of(host::ConnectionId id) const { return config_.id_base + config_.id_stride * id; }
  absl::StatusOr<host::ConnectionId> host_id(uint64_t connection) const;
  absl::StatusOr<v1::Outcome> call(uint64_t connection,
                                   tcp::Outcome (host::Host::*method)(tcp::Instant,
                                                                      host::ConnectionId));
  absl::StatusOr<v1::OpenResponse> open_from_listener(const v1::OpenRequest& request);
  void on_host_event(const host::HostEvent& host_event);
  // The record of a connection, made when it is first heard of.
  Record& record_of(host::ConnectionId id, const tcp::Status& status);
  void forget_oldest_record();
  // NOT_FOUND when neither the host nor a record knows of it.
  absl::StatusOr<tcp::Status> status_in_host(host::ConnectionId id);
  v1::ConnectionStatus status_of(host::ConnectionId id, const tcp::Status& status);

  // Of more connections than this the oldest are forgotten: a flood makes a record for every
  // half-open connection.
  static constexpr size_t kMaxRecords = 65536;

  const StackEndConfig config_;
  const std::unique_ptr<mutants::Planted> planted_;  // outlives the host
  const std::unique_ptr<host::Host> host_;
  link::HostLoop host_loop_;
  std::map<host::ConnectionId, Record> records_;
  // The connections of a socket pair, oldest first.
  std::map<packet::FourTuple, std::vector<host::ConnectionId>> by_pair_;
  std::deque<v1::ConnectionEvent> events_;
  std::vector<uint8_t> buffer_;
  SocketFacade sockets_{*this};
};

}  // namespace tcproctor::server
