// SPDX-License-Identifier: Apache-2.0
// forward
#include <atomic>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/flows.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/lease.h"
#include "clients/cli/local_service.h"
#include "clients/cli/local_socket.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"
#include "clients/cpp/session.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

// How long it waits for a connection before it asks whether it was interrupted.
constexpr absl::Duration kAcceptTurn = absl::Milliseconds(200);
// How long a local program may take to accept a connection.
constexpr absl::Duration kLocalConnect = absl::Seconds(10);

absl::Status failed_open(v1::Outcome outcome) {
  return absl::UnavailableError(absl::StrCat("OPEN: ", conformance::outcome_name(outcome)));
}

// OPEN, in turns, so that it can be given up.
absl::StatusOr<client::Connection> open_connection(const client::Client& client,
                                                   const v1::OpenRequest& request,
                                                   const std::atomic<bool>& stop) {
  const absl::StatusOr<v1::OpenResponse> opened = client.open(request);
  if (!opened.ok()) return opened.status();
  const client::Connection connection(client, request.session(), opened->connection());
  if (opened->outcome() == v1::OUTCOME_OK) return connection;
  if (opened->outcome() != v1::OUTCOME_WOULD_BLOCK) return failed_open(opened->outcome());
  v1::WaitStateRequest wait;
  *wait.mutable_connection() = connection.ref();
  for (const v1::TcpState state :
       {v1::TCP_STATE_ESTABLISHED, v1::TCP_STATE_CLOSE_WAIT, v1::TCP_STATE_CLOSED})
    wait.add_states(state);
  *wait.mutable_timeout() = client::to_proto(kAcceptTurn);
  while (!stop) {
    const absl::StatusOr<v1::WaitStateResponse> reached = client.wait_state(wait);
    if (!reached.ok()) return reached.status();
    if (reached->outcome() != v1::OUTCOME_OK) continue;
    if (reached->status().state() != v1::TCP_STATE_CLOSED) return connection;
    return failed_open(reached->status().last_error());
  }
  connection.abort().IgnoreError();
  return absl::CancelledError("OPEN: interrupted");
}

class Forward : public Verb {
 public:
  Forward()
      : Verb({.name = "forward",
              .operands = "SESSION [LISTENER]",
              .summary = "Joins local sockets to connections of a session",
              .help =
                  "With --listen each program that connects there gets a connection of its own,\n"
                  "opened at --end to --to. With LISTENER, a passive OPEN, each connection it\n"
                  "accepts is joined to a new one to --connect, or gets the octets of --file, or "
                  "is\n"
                  "written to --to-file.\n"
                  "Closing is passed on in each direction by itself, a reset as a reset. Goes on\n"
                  "until Ctrl-C, or for one connection with --once; says of each how much went\n"
                  "through. ADDRESS is HOST:PORT (port 0: one is chosen and told) or unix:PATH.\n"
                  "Needs a session on the real clock. Echo, discard, chargen, source: tcproctor "
                  "serve.\n"
                  "Exit status 1: a connection did not end in order.\n"
                  "\n"
                  "  tcproctor forward $ID --listen 127.0.0.1:8080 --end A --to :80 &\n"
                  "  curl http://127.0.0.1:8080/          # through the TCP at end A\n"
                  "  tcproctor forward $ID $L --connect 127.0.0.1:8000\n"
                  "  tcproctor forward $ID $L --to-file upload.bin --once\n",
              .min_operands = 1,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("listen", &listen_, "ADDRESS", "where local programs connect");
    flags.add("end", &end_, "A|B", "--listen: whose TCP opens the connections; default A");
    flags.add("to", &to_, "ADDR:PORT",
              "--listen: where to; an address left out is the other end's first");
    flags.add("connect", &connect_, "ADDRESS", "LISTENER: what its connections are joined to");
    flags.add("file", &file_, "FILE", "LISTENER: each connection gets this, then the end");
    flags.add("to-file", &to_file_, "FILE", "LISTENER: what comes is written there; with --once");
    flags.add("once", &once_, "", "end after one connection");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const bool outwards = operands.size() == 1;
    if (absl::Status status = check(outwards); !status.ok()) return status;
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::Session> session = client->get_session(operands[0]);
    if (!session.ok()) return session.status();
    if (session->clock() == v1::CLOCK_VIRTUAL) {
      return absl::FailedPreconditionError(
          "the session's clock is virtual: no time passes for what local programs send");
    }
    const Interrupt interrupt;
    return outwards ? forward_out(context, *client, *session)
                    : forward_in(context, *client, *session, operands[1]);
  }

 private:
  absl::Status check(bool outwards) const {
    const int services = (connect_ ? 1 : 0) + (file_ ? 1 : 0) + (to_file_ ? 1 : 0);
    if (outwards ? !listen_ || !to_ || services != 0 : services != 1 || listen_ || to_) {
      return absl::InvalidArgumentError(
          "want --listen and --to, or a LISTENER and one of --connect, --file and --to-file; see "
          "tcproctor help forward");
    }
    if (to_file_ && !once_)
      return absl::InvalidArgumentError("--to-file: one file takes one connection: say --once");
    return absl::OkStatus();
  }

  absl::StatusOr<int> forward_out(Context& context, const client::Client& client,
                                  const v1::Session& session) const {
    v1::OpenRequest request;
    if (absl::Status status = fill(session, request); !status.ok()) return status;
    const absl::StatusOr<LocalListener> listener = LocalListener::listen(*listen_);
    if (!listener.ok()) return listener.status();
    Flows flows(context);
    flows.tell(absl::StrCat("listening on ", listener->address()));
    absl::Time renewed = absl::Now();
    while (!Interrupt::noted()) {
      if (absl::Status status = renew(client, session, renewed); !status.ok())
        return end_of_following(context, status);
      absl::StatusOr<LocalSocket> accepted = listener->accept(kAcceptTurn);
      if (absl::IsDeadlineExceeded(accepted.status())) continue;
      if (!accepted.ok()) return accepted.status();
      // std::function wants what can be copied.
      const auto socket = std::make_shared<LocalSocket>(*std::move(accepted));
      flows.add([client, request, socket](const std::atomic<bool>& stop) -> absl::StatusOr<Joined> {
        absl::StatusOr<client::Connection> opened = open_connection(client, request, stop);
        if (opened.ok()) return Joined{*std::move(opened), std::move(*socket)};
        socket->reset_on_close();
        return opened.status();
      });
      if (once_) break;
    }
    return finish(flows);
  }

  absl::Status fill(const v1::Session& session, v1::OpenRequest& request) const {
    const absl::StatusOr<v1::End> end = parse_end(end_);
    if (!end.ok()) return end.status();
    const absl::StatusOr<v1::SocketAddress> remote = parse_socket_address(*to_);
    if (!remote.ok()) return remote.status();
    request.set_session(session.id());
    request.set_end(*end);
    request.set_active(true);
    request.set_wait(true);
    *request.mutable_timeout() = client::to_proto(kAcceptTurn);
    *request.mutable_remote() = *remote;
    return fill_peer_address(session, request);
  }

  absl::StatusOr<int> forward_in(Context& context, const client::Client& client,
                                 const v1::Session& session, const std::string& listener) const {
    v1::AcceptRequest request;
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(session.id(), listener);
    if (!ref.ok()) return ref.status();
    *request.mutable_listener() = *ref;
    *request.mutable_timeout() = client::to_proto(kAcceptTurn);
    Flows flows(context);
    while (!Interrupt::noted()) {
      const absl::StatusOr<v1::AcceptResponse> accepted = client.accept(request);
      if (!accepted.ok()) return end_of_following(context, accepted.status());
      if (accepted->outcome() == v1::OUTCOME_WOULD_BLOCK) continue;
      if (accepted->outcome() != v1::OUTCOME_OK) {
        flows.tell(absl::StrCat("ACCEPT: ", conformance::outcome_name(accepted->outcome())));
        return kExitOutcome;
      }
      const client::Connection connection(client, session.id(), accepted->connection());
      flows.add([this, connection](const std::atomic<bool>&) -> absl::StatusOr<Joined> {
        absl::StatusOr<LocalSocket> socket = service();
        if (socket.ok()) return Joined{connection, *std::move(socket)};
        connection.abort().IgnoreError();
        return socket.status();
      });
      if (once_) break;
    }
    return finish(flows);
  }

  absl::StatusOr<LocalSocket> service() const {
    if (file_) return file_source(*file_);
    if (to_file_) return file_sink(*to_file_);
    return connect_local(*connect_, kLocalConnect);
  }

  // Waiting for local programs names the session in no call: its lease would run out.
  static absl::Status renew(const client::Client& client, const v1::Session& session,
                            absl::Time& renewed) {
    if (absl::Now() - renewed < renewal_period(session)) return absl::OkStatus();
    renewed = absl::Now();
    v1::RenewLeaseRequest request;
    request.set_session(session.id());
    return client.renew_lease(request).status();
  }

  static int finish(Flows& flows) {
    flows.wait();
    return flows.failed() ? kExitOutcome : kExitOk;
  }

  std::optional<std::string> listen_, to_, connect_, file_, to_file_;
  std::string end_ = "A";
  bool once_ = false;
};

}  // namespace

void add_forward_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Forward>());
}

}  // namespace tcproctor::cli
