// SPDX-License-Identifier: Apache-2.0
// The session's life: lease, bench, turns, events. Its calls are in session_endpoint.cc and
// session_wire.cc, its time in session_time.cc.
#include "server/session/session.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/time_proto.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/check.h"

namespace tcproctor::server {
namespace {

// While nobody waits but somebody watches, an end that must be asked is asked this much less often.
constexpr int kWatchPollFactor = 5;
// So many of the newest segments of a log are looked at for one that an end has dropped.
constexpr uint64_t kRecentSegments = 256;

// The newest of them that `to` may have dropped; 0: none.
uint64_t number_in_log(const WireLog& log, v1::End to, const v1::Drop& drop) {
  if (drop.icmp()) return 0;
  const uint64_t oldest = log.last() > kRecentSegments ? log.last() - kRecentSegments : 0;
  for (uint64_t number = log.last(); number > oldest; --number) {
    const LogRecord* const record = log.find(number);
    if (record == nullptr) return 0;
    packet::TcpSegment segment;
    if (record->from == to || !record->examined) continue;
    (void)packet::parse_tcp_packet(record->packet, packet::ChecksumPolicy::kTrusted, segment);
    const packet::TcpHeader& header = segment.header;
    const bool same = header.source_port == drop.pair().remote().port() &&
                      header.destination_port == drop.pair().local().port() &&
                      header.sequence_number == drop.sequence_number() &&
                      header.acknowledgment_number == drop.acknowledgment_number() &&
                      header.flags == drop.flags() && segment.payload.size() == drop.length();
    if (same) return number;
  }
  return 0;
}

}  // namespace

absl::Status session_deleted(const std::string& id) {
  return absl::CancelledError(absl::StrCat("session ", id, " was deleted"));
}

Session::Session(std::string id, uint64_t serial, Caller maker, SessionPlan plan,
                 run::EventLoop& loop, Services services)
    : id_(std::move(id)),
      serial_(serial),
      maker_(std::move(maker)),
      plan_(std::move(plan)),
      loop_(loop),
      services_(std::move(services)),
      lease_(plan_.lease, run::steady_now()),
      judged_by_(maker_.rights),
      allowance_(maker_.rights, plan_) {}

Session::~Session() {
  TCPROCTOR_CHECK(bench_ == nullptr);
}

absl::Status Session::judge_by(const std::shared_ptr<const Rights>& rights) {
  const std::lock_guard lock(judge_mutex_);
  if (rights == judged_by_) return judgement_;
  judged_by_ = rights;
  judgement_ = check_rights(*rights, plan_);
  // On the loop this comes before the call.
  post([rights](Session& self) { self.allowance_.renew(rights); });
  return judgement_;
}

bool Session::post(absl::AnyInvocable<void(Session&)> work) {
  return loop_.post([self = shared_from_this(), work = std::move(work)]() mutable { work(*self); });
}

absl::Status Session::start(Plant plant) {
  renew();
  absl::Status status = install(std::move(plant));
  if (status.ok()) arm_lease();
  return status;
}

absl::Status Session::install(Plant plant) {
  absl::StatusOr<std::unique_ptr<Bench>> bench = Bench::assemble(
      plan_, std::move(plant), loop_, serial_ * kIdsPerSession, [this] { note_activity(); });
  if (!bench.ok()) return bench.status();
  clear_bench();
  allowance_.forget_connections();
  bench_ = *std::move(bench);
  note_activity();
  settle();
  return absl::OkStatus();
}

void Session::clear_bench() {
  if (bench_ == nullptr) return;
  for (std::optional<run::TimerId>* timer : {&turn_timer_, &deadline_timer_, &poll_timer_}) {
    if (*timer) bench_->scheduler().cancel(**timer);
    timer->reset();
  }
  virtual_run_.reset();
  if (bench_->wire() != nullptr) injected_ += bench_->wire()->injected();
  services_.worker->post(bench_->dismantle());
  bench_.reset();
}

void Session::end(const absl::Status& why) {
  if (bench_ == nullptr) return;
  end_status_ = absl::IsCancelled(why) ? absl::NotFoundError(why.message()) : why;
  operations_.end_all(why);
  const std::map<SubscriptionId, Subscriber> subscribers = std::move(subscribers_);
  subscribers_.clear();
  for (const auto& [id, subscriber] : subscribers) {
    if (subscriber.on_end) subscriber.on_end(end_status_);
  }
  if (lease_timer_) loop_.cancel(*lease_timer_);
  lease_timer_.reset();
  clear_bench();
  write_audit(why);
}

// One line for each session: who, what ends, how long, how much was injected, why it ended.
void Session::write_audit(const absl::Status& why) const {
  const auto end = [](const EndPlan& plan) {
    const std::string kind = v1::EndKind_Name(plan.kind);
    return absl::StrCat(absl::AsciiStrToLower(absl::StripPrefix(kind, "END_KIND_")), " ",
                        absl::StrJoin(plan.address_texts, " "));
  };
  const std::string name = maker_.name();
  spdlog::info(
      "audit: session {} of {} from {}: {} to {} over {}, {:.3f} s, {} segments injected; {}", id_,
      name.empty() ? "a local user" : absl::StrCat("\"", name, "\""), maker_.from, end(plan_.a),
      end(plan_.b), absl::StrJoin(interfaces_of(plan_), " "),
      std::chrono::duration<double>(run::steady_now() - made_).count(), injected_,
      std::string(why.message()));
}

absl::Status Session::check() const {
  if (bench_ == nullptr) {
    return end_status_.ok() ? absl::NotFoundError(absl::StrCat("session ", id_, " has ended"))
                            : end_status_;
  }
  if (!bench_->link_status().ok()) {
    return absl::UnavailableError(
        absl::StrCat("session ", id_, " has lost its device: ", bench_->link_status().message()));
  }
  return absl::OkStatus();
}

absl::Status Session::begin_call() {
  absl::Status status = check();
  if (status.ok()) renew();
  return status;
}

void Session::renew() {
  lease_.renew(run::steady_now());
}

absl::Status Session::renew(const v1::RenewLeaseRequest& request) {
  if (!request.has_lease()) return absl::OkStatus();  // begin_call() has renewed it
  const absl::StatusOr<tcp::Duration> length =
      duration_from_proto(request.lease(), "lease", Lease::kMin, Lease::kMax);
  if (!length.ok()) return length.status();
  lease_.renew(*length, run::steady_now());
  arm_lease();
  return absl::OkStatus();
}

void Session::arm_lease() {
  if (lease_timer_) loop_.cancel(*lease_timer_);
  const run::SteadyTime now = run::steady_now();
  lease_timer_ = loop_.schedule(now + lease_.remaining(now), [this] {
    lease_timer_.reset();
    check_lease();
  });
}

void Session::check_lease() {
  if (!lease_.ran_out(run::steady_now())) return arm_lease();  // it was renewed meanwhile
  const std::shared_ptr<Session> self = shared_from_this();    // the books may hold the last share
  const absl::Status why = absl::NotFoundError(absl::StrCat(
      "session ", id_, ": its lease ran out (",
      std::chrono::duration<double>(lease_.length()).count(), " s without a call that names it)"));
  services_.on_lease_out(serial_, why);
  end(why);
}

v1::Session Session::describe() const {
  v1::Session session;
  session.set_id(id_);
  *session.mutable_a() = bench_->end(v1::END_A).info();
  *session.mutable_b() = bench_->end(v1::END_B).info();
  session.set_link(plan_.link);
  session.set_direct(plan_.direct);
  session.set_mtu(plan_.mtu);
  session.set_clock(plan_.clock);
  *session.mutable_now() = to_proto(now());
  *session.mutable_lease() = to_proto(lease_.length());
  *session.mutable_lease_remaining() = to_proto(lease_.remaining(run::steady_now()));
  session.set_seed(plan_.seed);
  session.set_label(plan_.label);
  return session;
}

tcp::Instant Session::now() const {
  return bench_->now();
}

bool Session::cancel(OperationId operation) {
  const bool waited = operations_.cancel(operation, absl::CancelledError("given up"));
  note_activity();  // a RunUntil may wait for it
  return waited;
}

OperationId Session::environment(const v1::GetEnvironmentRequest&, Done<v1::Environment> done) {
  services_.worker->post([self = shared_from_this(), around = bench_->surroundings(plan_),
                          done = std::move(done)]() mutable {
    absl::StatusOr<v1::Environment> seen = look_around(around);
    self->post([done = std::move(done), seen = std::move(seen)](Session&) mutable {
      done(std::move(seen));
    });
  });
  return 0;
}

OperationId Session::reset(const v1::ResetSessionRequest&, Done<v1::Session> done) {
  auto finish = [done = std::move(done)](Session& self, absl::StatusOr<Plant> plant) mutable {
    absl::Status status = self.check();
    if (status.ok()) status = plant.status();
    if (status.ok()) {
      self.operations_.end_all(absl::CancelledError("the session was reset"));
      status = self.install(*std::move(plant));
    }
    if (!status.ok()) return done(status);
    for (const auto& [id, subscriber] : self.subscribers_) {
      if (subscriber.on_reset) subscriber.on_reset();
    }
    done(self.describe());
  };
  if (!needs_machine(plan_)) {
    finish(*this, build_plant(plan_));
    return 0;
  }
  services_.worker->post([self = shared_from_this(), finish = std::move(finish)]() mutable {
    absl::StatusOr<Plant> plant = build_plant(self->plan_);
    self->post([finish = std::move(finish), plant = std::move(plant)](Session& session) mutable {
      finish(session, std::move(plant));
    });
  });
  return 0;
}

Session::SubscriptionId Session::subscribe(Subscriber subscriber) {
  const SubscriptionId id = next_subscription_++;
  subscribers_.emplace(id, std::move(subscriber));
  arm_poll();
  return id;
}

void Session::note_activity() {
  if (bench_ == nullptr) return;  // while the bench is being set up
  // At once, so that what the two ends tell keeps the order in which it happened.
  for (const v1::End side : {v1::END_A, v1::END_B}) {
    if (!bench_->end(side).poll_interval()) drain_events_of(bench_->end(side));
  }
  if (turn_timer_) return;
  turn_timer_ = bench_->scheduler().schedule(now(), [this] {
    turn_timer_.reset();
    turn();
  });
}

void Session::turn() {
  const bool more = bench_->serving().work(allowance_);
  drain_events();
  if (!bench_->link_status().ok()) operations_.end_all(check());
  operations_.poll_all();
  for (const auto& [id, subscriber] : subscribers_) {
    if (subscriber.on_activity) subscriber.on_activity();
  }
  if (more) note_activity();
  arm_deadline();
  arm_poll();
}

void Session::drain_events() {
  drain_events_of(bench_->end(v1::END_A));
  drain_events_of(bench_->end(v1::END_B));
}

void Session::drain_events_of(End& end) {
  v1::ConnectionEvent event;
  const Wire* const wire = bench_->wire();
  while (end.next_event(event)) {
    if (event.has_dropped() && wire != nullptr) {
      event.mutable_dropped()->set_number(number_in_log(wire->log(), event.end(), event.dropped()));
    }
    for (const auto& [id, subscriber] : subscribers_) {
      if (subscriber.on_event) subscriber.on_event(event);
    }
  }
}

void Session::arm_deadline() {
  if (virtual_clock()) return;  // RunUntil looks after deadlines
  const std::optional<tcp::Instant> next = operations_.next_deadline();
  if (!next || (deadline_timer_ && deadline_time_ <= *next)) return;
  if (deadline_timer_) bench_->scheduler().cancel(*deadline_timer_);
  deadline_time_ = *next;
  deadline_timer_ = bench_->scheduler().schedule(*next, [this] {
    deadline_timer_.reset();
    turn();
    operations_.expire(now());
    operations_.poll_all();  // a RunUntil may have waited for one that expired
    arm_deadline();
  });
}

void Session::arm_poll() {
  if (poll_timer_ || virtual_clock()) return;
  std::optional<absl::Duration> interval;
  for (const v1::End side : {v1::END_A, v1::END_B}) {
    const std::optional<absl::Duration> wanted = bench_->end(side).poll_interval();
    if (wanted && (!interval || *wanted < *interval)) interval = wanted;
  }
  if (!interval) return;
  const bool waiting = !operations_.empty() || !bench_->serving().empty();
  const bool watched = std::any_of(subscribers_.begin(), subscribers_.end(), [](const auto& entry) {
    return entry.second.on_event != nullptr;
  });
  if (!waiting && !watched) return;
  if (!waiting) *interval *= kWatchPollFactor;
  poll_timer_ = bench_->scheduler().schedule(now() + absl::ToChronoNanoseconds(*interval), [this] {
    poll_timer_.reset();
    turn();
  });
}

}  // namespace tcproctor::server
