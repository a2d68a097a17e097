// SPDX-License-Identifier: Apache-2.0
// The host kernel's TCP as an end of a session: sockets inside the end's namespace, and what the
// sockets do not show (SYN-RECEIVED, TIME-WAIT, timers) from the kernel's own diagnosis.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/end/end.h"
#include "server/end/kernel_socket.h"
#include "server/end/kernel_sockets.h"
#include "server/host/inet_diag.h"
#include "server/host/namespace.h"
#include "server/host/unique_fd.h"
#include "stack/host/host.h"
#include "stack/run/event_loop.h"

namespace tcproctor::server {

struct KernelEndConfig {
  v1::End side = v1::END_A;
  // Address and prefix of the end's device, e.g. "192.0.2.1/24"; the device is already set up.
  std::vector<std::string> prefixes;
  std::vector<host::InterfaceAddress> addresses;
  std::string interface;
  std::string mac;
  std::string user_namespace_path;
  // The namespace is the machine's: other connections live there, which are none of this end's, and
  // nothing of this end's may stay there.
  bool of_the_machine = false;
  // What is known of the other end; of_the_machine only.
  std::vector<packet::IpAddress> peers;
  // A listener's half-open connections raise an alarm from this many on.
  uint32_t half_open_alarm = 256;
  // From so many connections on, the oldest that are over are forgotten.
  size_t max_connections = 65536;
};

class KernelEnd : public End {
 public:
  // `loop` must outlive the end; `allocate_id` gives connection ids unique in the session; `now` is
  // session time (for events).
  static absl::StatusOr<std::unique_ptr<KernelEnd>> create(std::shared_ptr<NetworkNamespace> ns,
                                                           run::EventLoop& loop,
                                                           KernelEndConfig config,
                                                           std::function<uint64_t()> allocate_id,
                                                           std::function<absl::Duration()> now);
  ~KernelEnd() override;

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
  bool owns(uint64_t connection) const override { return connections_.contains(connection); }
  v1::TcpState observe(const v1::FourTuple& pair) override;
  std::optional<absl::Duration> poll_interval() const override { return absl::Milliseconds(2); }
  bool next_event(v1::ConnectionEvent& event) override;
  Sockets* sockets() override { return &sockets_; }

 private:
  struct Connection {
    uint64_t id = 0;
    uint64_t listener_id = 0;
    std::optional<KernelSocket> socket;  // none: embryonic, not accepted, released, aborted
    uint64_t cookie = 0;
    packet::FourTuple pair;
    uint32_t incarnation = 1;
    bool listener = false;
    bool passive = false;
    bool released = false;
    tcp::State seen_state = tcp::State::kClosed;  // as the last event said
    tcp::Outcome last_error = tcp::Outcome::kOk;
    bool error_told = false;
    bool acceptable_told = false;
    bool urgent_pending = false;
    bool alarm_told = false;
    absl::Duration alarm_checked = -absl::InfiniteDuration();
  };

  KernelEnd(std::shared_ptr<NetworkNamespace> ns, run::EventLoop& loop, KernelEndConfig config,
            std::function<uint64_t()> allocate_id, std::function<absl::Duration()> now,
            std::unique_ptr<InetDiag> diag, UniqueFd epoll);

  absl::StatusOr<Connection*> lookup(uint64_t id);
  absl::StatusOr<Connection*> lookup_with_socket(uint64_t id, std::string_view capability);
  Connection& add(packet::FourTuple pair, bool passive);
  void forget_ended();
  absl::Status watch(Connection& connection);
  void forget_socket(Connection& connection);
  void drain_epoll();

  absl::StatusOr<v1::OpenResponse> open_passive(const v1::OpenRequest& request);
  absl::StatusOr<v1::OpenResponse> open_active(const v1::OpenRequest& request);
  bool is_directed_broadcast(const packet::IpAddress& address) const;
  tcp::Outcome tell_apart(tcp::Outcome outcome, const packet::FourTuple& pair);
  tcp::State state_of(Connection& connection);
  tcp::State listener_state(const Connection& connection);
  tcp::State follow_state(Connection& connection);
  void note_change(Connection& connection, tcp::State to);
  uint64_t listener_of(const packet::SocketAddress& local) const;
  // Whether a socket of the namespace is one of this end's.
  bool concerns(const DiagnosedSocket& socket) const;
  void sweep();
  void forget_peers() const;
  std::optional<DiagnosedSocket> diagnose(const Connection& connection);
  void note_error(Connection& connection);
  v1::HalfOpen half_open(const Connection& listener);
  void fill_from_diagnosis(const DiagnosedSocket& socket, v1::ConnectionStatus& status) const;

  void refresh();
  void refresh_listener(Connection& connection);
  void refresh_connection(Connection& connection);
  v1::ConnectionEvent& push_event(const Connection& connection);

  const std::shared_ptr<NetworkNamespace> ns_;
  run::EventLoop& loop_;
  const KernelEndConfig config_;
  const std::function<uint64_t()> allocate_id_;
  const std::function<absl::Duration()> now_;
  const std::unique_ptr<InetDiag> diag_;
  const UniqueFd epoll_;  // all sockets, edge-triggered; see KernelSocket::fd()
  std::map<uint64_t, Connection> connections_;  // by id: listed and refreshed in that order
  std::deque<v1::ConnectionEvent> events_;
  KernelSockets sockets_;
};

}  // namespace tcproctor::server
