// SPDX-License-Identifier: Apache-2.0
// forward
#include <atomic>
#include <list>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "clients/cli/forward.h"
#include "clients/cli/interrupt.h"
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
constexpr absl::Duration kTurn = absl::Milliseconds(200);
constexpr absl::Duration kConnectTimeout = absl::Minutes(1);
// How long the lease of a session is left alone.
constexpr absl::Duration kRenewal = absl::Seconds(5);

// The flows that run, each in a thread of its own; a line for each that ended.
class Flows {
 public:
  explicit Flows(Context& context) : context_(context) {}
  ~Flows() {
    stop_ = true;
    wait();
  }

  void add(client::Connection connection, LocalSocket socket) {
    join_ended();
    Running& mine = running_.emplace_back();
    mine.thread = std::thread(
        [this, &mine, connection = std::move(connection), socket = std::move(socket)]() mutable {
          const Forwarded done = forward(connection, std::move(socket), stop_);
          const absl::MutexLock lock(&mutex_);
          context_.text() << "connection " << connection.id() << ": sent " << done.to_connection
                          << ", received " << done.to_socket << ", "
                          << conformance::outcome_name(done.outcome);
          if (!done.status.ok()) context_.text() << " (" << done.status.message() << ")";
          context_.text() << std::endl;
          if (done.outcome != v1::OUTCOME_OK || !done.status.ok()) failed_ = true;
          mine.ended = true;
        });
  }
  void tell(const std::string& line) {
    const absl::MutexLock lock(&mutex_);
    context_.text() << line << std::endl;
  }
  // Until all have ended, or Ctrl-C ends them.
  void wait() {
    while (!running_.empty()) {
      if (Interrupt::noted()) stop_ = true;
      absl::SleepFor(absl::Milliseconds(20));
      join_ended();
    }
  }
  bool failed() const { return failed_; }

 private:
  struct Running {
    std::thread thread;
    std::atomic<bool> ended = false;
  };

  void join_ended() {
    running_.remove_if([](Running& flow) {
      if (!flow.ended) return false;
      flow.thread.join();
      return true;
    });
  }

  Context& context_;
  absl::Mutex mutex_;  // of the output
  std::list<Running> running_;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> failed_ = false;
};

class Forward : public Verb {
 public:
  Forward()
      : Verb({.name = "forward",
              .operands = "SESSION [LISTENER]",
              .summary = "Joins local sockets to connections of a session",
              .help =
                  "With --listen every program that connects there gets a connection of its own,\n"
                  "opened at --end to --to. With LISTENER, a passive OPEN, what it accepts is\n"
                  "joined to a new connection to --connect, or gets the octets of --file, or is\n"
                  "written to --to-file, or gets the pattern of RFC 864 (--chargen). Closing is\n"
                  "passed on in each direction on its own, a reset as a reset. Goes on until "
                  "Ctrl-C,\n"
                  "or for one connection with --once. ADDRESS is HOST:PORT (port 0: chosen) or\n"
                  "unix:PATH. Needs a real clock. Echo, discard and a source: tcproctor serve.\n"
                  "\n"
                  "  tcproctor forward $ID --listen 127.0.0.1:8080 --end A --to :80 &\n"
                  "  curl http://127.0.0.1:8080/          # through the TCP at end A\n"
                  "  tcproctor forward $ID $L --connect 127.0.0.1:8000\n"
                  "  tcproctor forward $ID $L --chargen\n",
              .min_operands = 1,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("listen", &listen_, "ADDRESS", "where local programs connect");
    flags.add("end", &end_, "END", "--listen: whose TCP opens the connections, A or B; default A");
    flags.add("to", &to_, "ADDRESS:PORT",
              "--listen: where to; without an address to the other end");
    flags.add("connect", &connect_, "ADDRESS", "LISTENER: what its connections are joined to");
    flags.add("file", &file_, "FILE", "LISTENER: each connection gets this, then the end");
    flags.add("to-file", &to_file_, "FILE", "LISTENER: what comes is written there; --once");
    flags.add("chargen", &chargen_, "", "LISTENER: characters without an end (RFC 864)");
    flags.add("once", &once_, "", "end after one connection");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const bool outwards = operands.size() == 1;
    const int services =
        (connect_ ? 1 : 0) + (file_ ? 1 : 0) + (to_file_ ? 1 : 0) + (chargen_ ? 1 : 0);
    if (outwards ? !listen_ || !to_ || services != 0 : services != 1 || listen_ || to_) {
      return absl::InvalidArgumentError(
          "want --listen and --to, or a LISTENER and one of --connect, --file, --to-file and "
          "--chargen; see tcproctor help forward");
    }
    if (to_file_ && !once_)
      return absl::InvalidArgumentError("--to-file: one file takes one connection: say --once");
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
  absl::StatusOr<int> forward_out(Context& context, const client::Client& client,
                                  const v1::Session& session) const {
    v1::OpenRequest request;
    if (absl::Status status = fill(session, request); !status.ok()) return status;
    const absl::StatusOr<LocalSocket> listener = listen_local(*listen_);
    if (!listener.ok()) return listener.status();
    Flows flows(context);
    flows.tell(absl::StrCat("listening on ", local_address(*listener, *listen_)));
    absl::Time renewed = absl::Now();
    while (!Interrupt::noted()) {
      if (absl::Status status = renew(client, session.id(), renewed); !status.ok()) return status;
      absl::StatusOr<LocalSocket> socket = accept_local(*listener, kTurn);
      if (absl::IsDeadlineExceeded(socket.status())) continue;
      if (!socket.ok()) return socket.status();
      const absl::StatusOr<v1::OpenResponse> opened = client.open(request);
      if (!opened.ok()) return opened.status();
      if (opened->outcome() == v1::OUTCOME_OK) {
        flows.add({client, session.id(), opened->connection()}, *std::move(socket));
      } else {
        socket->reset_on_close();
        flows.tell(absl::StrCat("OPEN: ", conformance::outcome_name(opened->outcome())));
        if (once_) return kExitOutcome;
      }
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
    *request.mutable_timeout() = client::to_proto(kConnectTimeout);
    *request.mutable_remote() = *remote;
    const v1::EndInfo& peer = *end == v1::END_A ? session.b() : session.a();
    if (remote->address().empty() && !peer.addresses().empty()) {
      const std::string& first = peer.addresses(0);
      request.mutable_remote()->set_address(first.substr(0, first.find('/')));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int> forward_in(Context& context, const client::Client& client,
                                 const v1::Session& session, const std::string& listener) const {
    v1::AcceptRequest request;
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(session.id(), listener);
    if (!ref.ok()) return ref.status();
    *request.mutable_listener() = *ref;
    *request.mutable_timeout() = client::to_proto(kTurn);
    Flows flows(context);
    while (!Interrupt::noted()) {
      const absl::StatusOr<v1::AcceptResponse> accepted = client.accept(request);
      if (!accepted.ok()) return accepted.status();
      if (accepted->outcome() == v1::OUTCOME_WOULD_BLOCK) continue;
      if (accepted->outcome() != v1::OUTCOME_OK) {
        flows.tell(absl::StrCat("ACCEPT: ", conformance::outcome_name(accepted->outcome())));
        return kExitOutcome;
      }
      const client::Connection connection(client, session.id(), accepted->connection());
      absl::StatusOr<LocalSocket> socket = service();
      if (!socket.ok()) {
        connection.abort().IgnoreError();
        flows.tell(std::string(socket.status().message()));
        if (once_) return kExitOutcome;
        continue;
      }
      flows.add(connection, *std::move(socket));
      if (once_) break;
    }
    return finish(flows);
  }

  absl::StatusOr<LocalSocket> service() const {
    if (file_) return file_source(*file_);
    if (to_file_) return file_sink(*to_file_);
    if (chargen_) return chargen();
    return connect_local(*connect_);
  }

  // Waiting for local programs names the session in no call: its lease would run out.
  static absl::Status renew(const client::Client& client, const std::string& session,
                            absl::Time& renewed) {
    if (absl::Now() - renewed < kRenewal) return absl::OkStatus();
    renewed = absl::Now();
    v1::RenewLeaseRequest request;
    request.set_session(session);
    return client.renew_lease(request).status();
  }

  static absl::StatusOr<int> finish(Flows& flows) {
    flows.wait();
    return flows.failed() ? kExitOutcome : kExitOk;
  }

  std::optional<std::string> listen_, to_, connect_, file_, to_file_;
  std::string end_ = "A";
  bool chargen_ = false;
  bool once_ = false;
};

}  // namespace

void add_forward_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Forward>());
}

}  // namespace tcproctor::cli
