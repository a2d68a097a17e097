// SPDX-License-Identifier: Apache-2.0
// One session: two ends, a wire, a clock, the calls that wait and those who listen. Every call of
// the API is a method here, used by the unary services and by Drive alike.
//
// A session lives on one event loop and is never shared: everything but id(), serial(), maker(),
// loop() and post() belongs to the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/access/caller.h"
#include "server/session/allowance.h"
#include "server/session/bench.h"
#include "server/session/lease.h"
#include "server/session/operations.h"
#include "server/session/plan.h"
#include "server/session/request_book.h"
#include "server/session/worker.h"
#include "stack/run/event_loop.h"
#include "tcproctor/v1/drive.pb.h"
#include "tcproctor/v1/endpoint.pb.h"
#include "tcproctor/v1/sessions.pb.h"
#include "tcproctor/v1/sockets.pb.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::server {

// How a call is answered: once, on the loop's thread, either before the method returns or later. It
// must not call back into the session; it may post.
template <class Response>
using Done = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

// What a session ends with when its user deletes it: waiting calls get OUTCOME_CANCELLED.
absl::Status session_deleted(const std::string& id);

class Session : public std::enable_shared_from_this<Session> {
 public:
  // Connection ids of session n lie in (n * kIdsPerSession, (n + 1) * kIdsPerSession], so that an
  // id of another session is recognised.
  static constexpr uint64_t kIdsPerSession = 10'000'000;

  struct Services {
    Worker* worker = nullptr;
    // The id of a session by its serial number, for messages; "" when it is gone, or the maker of
    // this one may not know of it. Any thread.
    std::function<std::string(uint64_t serial)> name_of;
    // The lease ran out: take the session out of the books. Called on the loop's thread, before
    // those who wait are told.
    std::function<void(uint64_t serial, const absl::Status& why)> on_lease_out;
  };

  Session(std::string id, uint64_t serial, Caller maker, SessionPlan plan, run::EventLoop& loop,
          Services services);
  // end() was called before.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& id() const { return id_; }
  uint64_t serial() const { return serial_; }
  // Whose it is, with the rights he had when he made it.
  const Caller& maker() const { return maker_; }
  // The rule as it is for a call to come. PERMISSION_DENIED, RESOURCE_EXHAUSTED: it no longer
  // allows a session like this. Any thread.
  absl::Status judge_by(const std::shared_ptr<const Rights>& rights);
  run::EventLoop& loop() const { return loop_; }
  // Runs `work` on the loop, unless the daemon is shutting down.
  bool post(absl::AnyInvocable<void(Session&)> work);

  // Sets the ends up; the lease begins.
  absl::Status start(Plant plant);
  // Everything goes; waiting calls end with `why`. Idempotent.
  void end(const absl::Status& why);
  bool alive() const { return bench_ != nullptr; }
  // Why a call cannot be carried out: the session has ended or lost its device.
  absl::Status check() const;

  // Starts the lease anew.
  void renew();
  absl::Status renew(const v1::RenewLeaseRequest& request);
  void hold_lease() { lease_.hold(); }
  v1::Session describe() const;
  bool virtual_clock() const { return plan_.virtual_clock(); }
  const SessionPlan& plan() const { return plan_; }
  tcp::Instant now() const;

  // To be asked before each of the calls below, which need a session that is alive: check(), and
  // the lease begins anew.
  absl::Status begin_call();

  // --- calls: the id of the operation when it waits, 0 when it was answered already or, as
  // reset(),
  // --- cannot be given up ---
  OperationId open(const v1::OpenRequest& request, Done<v1::OpenResponse> done);
  OperationId accept(const v1::AcceptRequest& request, Done<v1::AcceptResponse> done);
  OperationId send(const v1::SendRequest& request, Done<v1::SendResponse> done);
  OperationId receive(const v1::ReceiveRequest& request, Done<v1::ReceiveResponse> done);
  OperationId close(const v1::CloseRequest& request, Done<v1::CallResponse> done);
  OperationId release(const v1::ReleaseRequest& request, Done<v1::CallResponse> done);
  OperationId abort(const v1::AbortRequest& request, Done<v1::CallResponse> done);
  OperationId status(const v1::StatusRequest& request, Done<v1::ConnectionStatus> done);
  OperationId list(const v1::ListRequest& request, Done<v1::ListResponse> done);
  OperationId get_options(const v1::GetOptionsRequest& request, Done<v1::ConnectionOptions> done);
  OperationId set_options(const v1::SetOptionsRequest& request, Done<v1::ConnectionOptions> done);
  OperationId wait_state(const v1::WaitStateRequest& request, Done<v1::WaitStateResponse> done);
  OperationId serve(const v1::ServeRequest& request, Done<v1::ServeResponse> done);
  OperationId traffic(const v1::TrafficRequest& request, Done<v1::TrafficResponse> done);
  OperationId socket_call(const v1::SocketCallRequest& request, Done<v1::SocketCallResponse> done);
  OperationId inject(const v1::InjectRequest& request, Done<v1::InjectResponse> done);
  OperationId hold(const v1::HoldRequest& request, Done<v1::HoldResponse> done);
  OperationId release_held(const v1::ReleaseHeldRequest& request,
                           Done<v1::ReleaseHeldResponse> done);
  OperationId expect(const v1::ExpectRequest& request, Done<v1::ExpectResponse> done);
  OperationId impair(const v1::ImpairRequest& request, Done<v1::ImpairResponse> done);
  OperationId read_log(const v1::ReadLogRequest& request, Done<v1::ReadLogResponse> done);
  OperationId reset(const v1::ResetSessionRequest& request, Done<v1::Session> done);
  OperationId environment(const v1::GetEnvironmentRequest& request, Done<v1::Environment> done);
  // `completed` names the operation of the caller that ended it, 0 if none has.
  OperationId run_until(const v1::RunUntilRequest& request, std::function<uint64_t()> completed,
                        Done<v1::RunUntilResponse> done);

  // Cursors for the streaming calls; they may outlive the session.
  absl::StatusOr<std::unique_ptr<LogReader>> log_reader(const v1::LogRequest& request);
  absl::StatusOr<std::unique_ptr<PcapWriter>> pcap_writer(const v1::PcapRequest& request);

  // Gives an operation up: its caller is answered with OUTCOME_CANCELLED. False: it is over.
  bool cancel(OperationId operation);

  // The calls that came with a request id.
  RequestBook& requests() { return requests_; }

  // After each call: on a virtual clock everything that is due now happens, until nothing is.
  void settle();

  // --- those who listen ---
  using SubscriptionId = uint64_t;
  struct Subscriber {
    // Each event of either end, in order. May be null.
    std::function<void(const v1::ConnectionEvent&)> on_event;
    // Something happened that a cursor may be interested in. May be null.
    std::function<void()> on_activity;
    // The session was reset: cursors read the log of what is gone. May be null.
    std::function<void()> on_reset;
    // The session ended so; nothing more comes.
    std::function<void(const absl::Status&)> on_end;
  };
  SubscriptionId subscribe(Subscriber subscriber);
  void unsubscribe(SubscriptionId id) { subscribers_.erase(id); }

  // INVALID_ARGUMENT: neither an end nor END_UNSPECIFIED, which stands for both.
  absl::Status check_side(v1::End side) const;
  absl::StatusOr<v1::ListResponse> listed(const v1::ListRequest& request);
  // INVALID_ARGUMENT: such a connection cannot be of this session (Watch).
  absl::Status check_connection(uint64_t connection) const;

 private:
  struct Target {
    End* end = nullptr;
    uint64_t connection = 0;
  };
  // Something a waiting call is asked at.
  enum class Moment { kActivity, kDeadline, kCancelled };
  // Nothing: go on waiting (at kActivity), or ask again soon (at kDeadline, while what came before
  // it has not all been looked at).
  template <class Response>
  using Step = absl::AnyInvocable<std::optional<absl::StatusOr<Response>>(Moment)>;
  template <class Response>
  class WaitingCall;

  absl::Status install(Plant plant);
  void clear_bench();
  void write_audit(const absl::Status& why) const;
  void note_activity();
  void turn();
  void drain_events();
  void drain_events_of(End& end);
  void arm_deadline();
  void arm_poll();
  void arm_lease();
  void check_lease();

  absl::StatusOr<End*> end_named(v1::End side, const char* field) const;
  absl::StatusOr<Target> resolve(const v1::ConnectionRef& ref, const char* field) const;
  absl::StatusOr<Target> resolve_pair(const v1::ConnectionRef& ref, const char* field) const;
  absl::Status unknown_connection(uint64_t connection) const;
  absl::StatusOr<Wire*> wire() const;
  // RESOURCE_EXHAUSTED: the session may have no more connections.
  absl::Status check_room();
  absl::StatusOr<Sockets*> sockets_of(v1::End side) const;

  template <class Response>
  OperationId wait_for(std::optional<tcp::Instant> deadline, Step<Response> step,
                       Done<Response> done);
  // Nothing for an absent timeout: the caller's own deadline bounds the call.
  absl::StatusOr<std::optional<tcp::Instant>> deadline_after(
      bool present, const google::protobuf::Duration& timeout, const char* field = "timeout") const;
  OperationId call_on(const v1::ConnectionRef& ref,
                      absl::StatusOr<v1::Outcome> (End::*method)(uint64_t),
                      Done<v1::CallResponse>& done);
  // CLOSE, and ABORT at `deadline` unless all is acknowledged by then.
  OperationId linger(const Target& target, tcp::Instant deadline, Done<v1::CallResponse> done);
  std::optional<v1::WaitStateResponse> look_at_state(const v1::WaitStateRequest& request);

  // ABORTED: the ends go on for ever without time passing.
  absl::Status run_due_tasks();
  void drive_virtual_run();
  // False: the run is over.
  bool advance_virtual_run();

  const std::string id_;
  const uint64_t serial_;
  const Caller maker_;
  const run::SteadyTime made_ = run::steady_now();
  const SessionPlan plan_;
  run::EventLoop& loop_;
  const Services services_;
  Lease lease_;
  std::mutex judge_mutex_;
  std::shared_ptr<const Rights> judged_by_ ABSL_GUARDED_BY(judge_mutex_);
  absl::Status judgement_ ABSL_GUARDED_BY(judge_mutex_);
  Allowance allowance_;
  uint64_t injected_ = 0;  // on wires that are gone
  std::unique_ptr<Bench> bench_;
  absl::Status end_status_;
  Operations operations_;
  RequestBook requests_;
  std::map<SubscriptionId, Subscriber> subscribers_;
  SubscriptionId next_subscription_ = 1;
  std::optional<run::TimerId> turn_timer_;      // on the bench's scheduler
  std::optional<run::TimerId> deadline_timer_;  // real clock only
  tcp::Instant deadline_time_{};
  std::optional<run::TimerId> poll_timer_;   // real clock only
  std::optional<run::TimerId> lease_timer_;  // on the loop
  struct VirtualRun {
    OperationId operation = 0;
    bool idle = false;
    bool at_rest = false;  // nothing more will happen by itself
  };
  std::optional<VirtualRun> virtual_run_;
};

}  // namespace tcproctor::server
