// SPDX-License-Identifier: Apache-2.0
// A session and its connections as objects.
//
//   using namespace tcproctor;
//   auto client = client::Client::connect("unix:/run/tcproctor.sock");
//   v1::CreateSessionRequest wanted;
//   wanted.mutable_a()->mutable_stack();
//   wanted.mutable_b()->mutable_kernel();
//   auto session = client::Session::create(*client, wanted);       // deleted when it goes away
//   auto listener = session->listen(v1::END_B, 80);
//   auto opened = session->connect(v1::END_A, 80, {.wait = true});  // OPEN, active
//   auto accepted = listener->accept(absl::Seconds(1));
//   opened->connection.send("hello");
//   auto received = accepted->connection.receive({.timeout = absl::Seconds(1)});
//
// Every function that can fail returns absl::Status or absl::StatusOr; see client.h for what is a
// status and what is an Outcome in the response. Timeouts are session time. A duration left at
// absl::InfiniteDuration() is not sent: the call then waits as long as the session lives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/client.h"

namespace tcproctor::client {

struct Opened;
struct Accepted;

struct SendOptions {
  bool push = false;    // PUSH flag
  bool urgent = false;  // URGENT flag
  // How long to wait for room; zero takes what fits now.
  absl::Duration timeout = absl::InfiniteDuration();
};

struct ReceiveOptions {
  uint32_t max_bytes = 65536;  // 1..1048576
  uint32_t min_bytes = 1;      // wait until that many arrived, or the end of the stream
  absl::Duration timeout = absl::InfiniteDuration();
};

// A connection or a listener of a session, by its id. A plain handle: copying it copies the name;
// destroying it does nothing to the connection, which lives until Release, Abort or the session's
// end. Usable while the Client's daemon has the session; afterwards every call is NOT_FOUND.
class Connection {
 public:
  Connection(Client client, std::string session, uint64_t id);

  uint64_t id() const { return id_; }
  v1::ConnectionRef ref() const;

  // The next established connection of this listener. Outcome WOULD_BLOCK: none came in time.
  absl::StatusOr<Accepted> accept(absl::Duration timeout = absl::InfiniteDuration()) const;

  // SEND, in as many calls as the size of `data` needs. `accepted` of the answer is the total; the
  // outcome is that of the last call (OK when everything was taken).
  absl::StatusOr<v1::SendResponse> send(std::string_view data, SendOptions options = {}) const;
  // RECEIVE. Outcome END_OF_STREAM: the peer closed and everything was read.
  absl::StatusOr<v1::ReceiveResponse> receive(ReceiveOptions options = {}) const;

  absl::StatusOr<v1::Outcome> close() const;  // FIN, go on receiving
  // The same, and waits until all data and the FIN are acknowledged (OK) or the connection failed;
  // after `linger` it is aborted: CONNECTION_ABORTED.
  absl::StatusOr<v1::Outcome> close(absl::Duration linger) const;
  absl::StatusOr<v1::Outcome> release() const;  // give up, as close(2)
  absl::StatusOr<v1::Outcome> abort() const;    // RST

  absl::StatusOr<v1::ConnectionStatus> status() const;
  // The status once the connection is in that state; DEADLINE_EXCEEDED after `timeout`, with the
  // state it was in.
  absl::StatusOr<v1::ConnectionStatus> wait_for(v1::TcpState state, absl::Duration timeout) const;
  absl::StatusOr<v1::ConnectionOptions> options() const;
  // Only the fields that are set are changed; returns them all as they now are.
  absl::StatusOr<v1::ConnectionOptions> set_options(const v1::ConnectionOptions& options) const;

  // Hosts a byte service on the connection, or on every connection this listener accepts.
  absl::Status serve_sink() const;
  absl::Status serve_echo() const;
  absl::Status serve_source(uint64_t bytes, uint64_t seed = 0) const;
  absl::Status serve_chargen(uint64_t bytes = 0) const;  // 0: without an end
  // What the service has moved; with `wait` when it has ended.
  absl::StatusOr<v1::TrafficResponse> traffic(
      bool wait = false, absl::Duration timeout = absl::InfiniteDuration()) const;

 private:
  absl::Status serve(v1::ServiceKind kind, uint64_t bytes, uint64_t seed) const;

  Client client_;
  std::string session_;
  uint64_t id_;
};

struct Opened {
  v1::Outcome outcome = v1::OUTCOME_UNSPECIFIED;
  // Id 0 where the open failed before a connection existed.
  Connection connection;
  v1::FourTuple pair;
  uint64_t accepted = 0;  // octets of ConnectOptions::data that were taken
};

struct Accepted {
  v1::Outcome outcome = v1::OUTCOME_UNSPECIFIED;
  Connection connection;  // id 0 unless the outcome is OK
  v1::FourTuple pair;
};

struct ListenOptions {
  std::string address;  // empty: any of the end's
  uint32_t backlog = 128;
  v1::ConnectionOptions options = {};
};

struct ConnectOptions {
  std::string remote_address;  // empty: the other end's first
  std::string local_address;   // empty: the end's first of the same family
  uint16_t local_port = 0;     // 0: chosen
  bool wait = false;           // return when ESTABLISHED or failed, not at once
  absl::Duration timeout = absl::InfiniteDuration();  // of the waiting
  v1::ConnectionOptions options = {};
  // The first octets to send; with options.fast_open they may go with the SYN.
  std::string data = {};
};

// Owns a session: a thread renews the lease, and the session is deleted with the object. Not
// copyable; a moved-from object may only be destroyed or assigned to.
class Session {
 public:
  static absl::StatusOr<Session> create(const Client& client,
                                        const v1::CreateSessionRequest& request);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const std::string& id() const;
  // As it was when made: ends, addresses, capabilities, seed.
  const v1::Session& info() const;
  const Client& client() const;
  // Why the lease could not be renewed; OK as long as it could. After NOT_FOUND the session is
  // gone.
  absl::Status lease_status() const;

  // The first address of that end.
  std::string address(v1::End end) const;

  // OPEN, passive. A failing outcome is FAILED_PRECONDITION with its name.
  absl::StatusOr<Connection> listen(v1::End end, uint16_t port,
                                    const ListenOptions& options = {}) const;
  // OPEN, active, to that port of the other end.
  absl::StatusOr<Opened> connect(v1::End end, uint16_t remote_port,
                                 const ConnectOptions& options = {}) const;
  Connection connection(uint64_t id) const;
  // Both ends' where END_UNSPECIFIED.
  absl::StatusOr<v1::ListResponse> list(v1::End end = v1::END_UNSPECIFIED) const;

  // One crafted segment in the name of an end; its number in the log.
  absl::StatusOr<uint64_t> inject(v1::End from, const v1::Segment& segment) const;
  // The next segment of an end; read `result` and `differences` of the answer.
  absl::StatusOr<v1::ExpectResponse> expect(v1::End from, const v1::SegmentPattern& pattern,
                                            absl::Duration timeout) const;
  // The same for a segment as it must be: what is absent in it may be anything.
  absl::StatusOr<v1::ExpectResponse> expect(v1::End from, const v1::Segment& segment,
                                            absl::Duration timeout) const;
  // RESULT_MATCHED: no segment of that end in all that time.
  absl::StatusOr<v1::ExpectResponse> expect_silence(v1::End from, absl::Duration time) const;
  absl::Status hold(v1::End from, bool on = true) const;
  absl::StatusOr<v1::ReleaseHeldResponse> release_held() const;
  // The log so far, from after that number on.
  absl::StatusOr<std::vector<v1::LogEntry>> log(uint64_t after = 0) const;
  absl::StatusOr<std::string> pcap() const;

  absl::Status reset() const;
  // Deletes the session now instead of in the destructor, and says how that went.
  absl::Status remove();

 private:
  class Lease;
  explicit Session(std::unique_ptr<Lease> lease);
  std::unique_ptr<Lease> lease_;
};

}  // namespace tcproctor::client
