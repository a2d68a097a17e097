// SPDX-License-Identifier: Apache-2.0
#include "server/session/registry.h"

#include <algorithm>
#include <random>
#include <utility>

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {
namespace {

// The serial number for people, and something random, so that the id of a session of an earlier
// daemon on the same address does not name one of this daemon.
std::string make_id(uint64_t serial) {
  std::random_device device;
  return absl::StrCat("s", serial, "-", absl::Hex(device() & 0xFFFF, absl::kZeroPad4));
}

}  // namespace

Registry::Registry(run::LoopPool& pool, Worker& worker, size_t max_sessions, Place place,
                   absl::Status machine)
    : pool_(pool),
      worker_(worker),
      max_sessions_(max_sessions),
      place_(std::move(place)),
      machine_(std::move(machine)) {}

absl::StatusOr<SessionPlan> Registry::plan(const v1::CreateSessionRequest& request) const {
  Place place = place_;
  if (request.wire().link() == v1::LINK_KIND_INTERFACE && !place.interface.empty()) {
    if (absl::Status status = look_at(place); !status.ok()) return status;
  }
  return plan_session(request, place);
}

// Takes a place for the session. `repeated`: the request_id is known and `done` was taken care of.
absl::Status Registry::admit(const v1::CreateSessionRequest& request, const Caller& maker,
                             CreatedCallback& done, uint64_t& serial, std::string& id,
                             bool& repeated) {
  const std::lock_guard lock(mutex_);
  if (shut_down_) return absl::UnavailableError("the daemon is shutting down");
  const std::pair key(maker.name(), request.request_id());
  if (!request.request_id().empty()) {
    const auto known = requests_.find(key);
    if (known != requests_.end()) {
      if (known->second.print != fingerprint(request)) return request_id_reused();
      repeated = true;
      if (known->second.ready) {
        id = known->second.id;
      } else {
        known->second.waiting.push_back(std::move(done));
      }
      return absl::OkStatus();
    }
  }
  absl::Status status = check_number(maker);
  if (!status.ok()) return status;
  serial = next_serial_++;
  id = make_id(serial);
  ++being_made_;
  if (maker.rights != nullptr) ++numbers_[maker.name()];
  if (!request.request_id().empty()) {
    requests_[key] = {
        .print = fingerprint(request), .id = id, .serial = serial, .ready = false, .waiting = {}};
  }
  return absl::OkStatus();
}

absl::Status Registry::check_number(const Caller& maker) const {
  if (maker.rights != nullptr) {
    const auto number = numbers_.find(maker.name());
    const uint32_t limit = maker.rights->quota().sessions;
    if (number != numbers_.end() ? number->second >= limit : limit == 0) {
      return maker.rights->exhausted("sessions", absl::StrCat("the limit of ", limit,
                                                              " is reached; delete "
                                                              "some or wait for their leases"));
    }
  }
  if (sessions_.size() + being_made_ < max_sessions_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("sessions: the limit of ", max_sessions_,
                   " is reached (--max-sessions); delete some or wait for their leases"));
}

void Registry::uncount(const Caller& maker) {
  const auto number = numbers_.find(maker.name());
  if (number != numbers_.end() && --number->second == 0) numbers_.erase(number);
}

void Registry::create(const v1::CreateSessionRequest& request, const Caller& maker, bool hold_lease,
                      CreatedCallback done) {
  absl::StatusOr<SessionPlan> plan = this->plan(request);
  absl::Status allowed = plan.status();
  if (plan.ok() && maker.rights != nullptr && !request.wire().has_log_bytes()) {
    plan->log_bytes = std::min(plan->log_bytes, maker.rights->quota().log_bytes);
  }
  if (allowed.ok() && maker.rights != nullptr) allowed = check_rights(*maker.rights, *plan);
  if (allowed.ok() && !machine_.ok() && needs_machine(*plan)) {
    allowed = absl::FailedPreconditionError(absl::StrCat(
        "only sessions in memory are possible here: ", std::string(machine_.message())));
  }
  if (!allowed.ok()) return done(allowed);
  uint64_t serial = 0;
  std::string id;
  bool repeated = false;
  const absl::Status admitted = admit(request, maker, done, serial, id, repeated);
  if (!admitted.ok()) return done(admitted);
  if (repeated) {
    if (id.empty()) return;  // it is still being made: finish() tells all who wait
    const absl::StatusOr<std::shared_ptr<Session>> session = find(id, maker);
    if (!session.ok()) return done(session.status());
    (*session)->post([this, done = std::move(done)](Session& made) mutable {
      const absl::Status status = made.begin_call();
      if (!status.ok()) return done(status);
      done(Created{made.shared_from_this(), made.describe()});
    });
    return;
  }
  const auto session = std::make_shared<Session>(
      id, serial, maker, *std::move(plan), pool_.assign(),
      Session::Services{.worker = &worker_,
                        .name_of = [this, maker](uint64_t of) { return name_of(of, maker); },
                        .on_lease_out =
                            [this](uint64_t over, const absl::Status& why) {
                              forget(over, std::string(why.message()));
                            }});
  begin(session, hold_lease, std::move(done));
}

void Registry::begin(const std::shared_ptr<Session>& session, bool hold_lease,
                     CreatedCallback done) {
  auto start = [this, session, hold_lease,
                done = std::move(done)](absl::StatusOr<Plant> plant) mutable {
    const bool posted = session->post([this, hold_lease, plant = std::move(plant),
                                       done = std::move(done)](Session& made) mutable {
      if (hold_lease) made.hold_lease();
      const absl::Status status = plant.ok() ? made.start(*std::move(plant)) : plant.status();
      absl::StatusOr<Created> created = absl::UnknownError("");
      if (status.ok()) {
        created = Created{made.shared_from_this(), made.describe()};
      } else {
        created = status;
      }
      finish(made.shared_from_this(), std::move(created), std::move(done));
    });
    // The loops have stopped: whoever waits is answered when the daemon's server is shut down.
    if (!posted) return;
  };
  if (!needs_machine(session->plan())) return start(build_plant(session->plan()));
  worker_.post(
      [session, start = std::move(start)]() mutable { start(build_plant(session->plan())); });
}

void Registry::finish(const std::shared_ptr<Session>& session, absl::StatusOr<Created> created,
                      CreatedCallback done) {
  std::vector<CreatedCallback> waiting;
  {
    const std::lock_guard lock(mutex_);
    --being_made_;
    if (created.ok() && shut_down_) {
      created = absl::UnavailableError("the daemon is shutting down");
    }
    for (auto& [id, request] : requests_) {
      if (request.serial != session->serial()) continue;
      request.ready = true;
      waiting = std::move(request.waiting);
    }
    if (created.ok()) {
      sessions_[session->serial()] = session;
      serials_[session->id()] = session->serial();
    } else {
      forget_request(session->serial());
      uncount(session->maker());
    }
  }
  if (created.ok()) {
    spdlog::debug("session {} made", session->id());
  } else {
    spdlog::info("a session could not be made: {}", std::string(created.status().message()));
    session->end(created.status());
  }
  for (CreatedCallback& other : waiting) other(created);
  done(std::move(created));
}

absl::StatusOr<std::shared_ptr<Session>> Registry::find(const std::string& id,
                                                        const Caller& caller) const {
  if (id.empty()) return absl::InvalidArgumentError("session: must name a session");
  const std::lock_guard lock(mutex_);
  const auto serial = serials_.find(id);
  if (serial != serials_.end()) {
    const std::shared_ptr<Session>& session = sessions_.at(serial->second);
    if (caller.sees(session->maker())) return session;
  }
  const auto gone = gone_.find(id);
  if (gone != gone_.end() && caller.sees(gone->second.maker)) {
    return absl::NotFoundError(gone->second.why);
  }
  return absl::NotFoundError(absl::StrCat("session ", id, ": no such session"));
}

bool Registry::removed_by(const std::string& id, const Caller& caller,
                          const std::string& request_id) const {
  const std::lock_guard lock(mutex_);
  const auto gone = gone_.find(id);
  return gone != gone_.end() && !request_id.empty() && gone->second.request_id == request_id &&
         caller.sees(gone->second.maker);
}

absl::StatusOr<std::shared_ptr<Session>> Registry::find_for_use(const std::string& id,
                                                                const Caller& caller) const {
  absl::StatusOr<std::shared_ptr<Session>> session = find(id, caller);
  if (!session.ok() || caller.rights == nullptr) return session;
  absl::Status status = (*session)->judge_by(caller.rights);
  if (!status.ok()) return status;
  return session;
}

std::vector<std::shared_ptr<Session>> Registry::all(const Caller& caller) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Session>> sessions;
  for (const auto& [serial, session] : sessions_) {
    if (caller.sees(session->maker())) sessions.push_back(session);
  }
  return sessions;
}

std::string Registry::name_of(uint64_t serial, const Caller& caller) const {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(serial);
  const bool seen = session != sessions_.end() && caller.sees(session->second->maker());
  return seen ? session->second->id() : std::string();
}

void Registry::forget_request(uint64_t serial) {
  std::erase_if(requests_, [serial](const auto& entry) { return entry.second.serial == serial; });
}

void Registry::forget(uint64_t serial, const std::string& why, const std::string& request_id) {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(serial);
  if (session == sessions_.end()) return;
  spdlog::debug("{}", why);
  gone_[session->second->id()] = {
      .serial = serial, .maker = session->second->maker(), .why = why, .request_id = request_id};
  gone_order_.push_back(session->second->id());
  if (gone_order_.size() > kMaxGone) {
    const auto oldest = gone_.find(gone_order_.front());
    forget_request(oldest->second.serial);
    gone_.erase(oldest);
    gone_order_.pop_front();
  }
  uncount(session->second->maker());
  serials_.erase(session->second->id());
  sessions_.erase(session);
}

void Registry::remove(const std::shared_ptr<Session>& session, const absl::Status& why,
                      absl::AnyInvocable<void()> done, const std::string& request_id) {
  forget(session->serial(), std::string(why.message()), request_id);
  session->post([why, done = std::move(done)](Session& over) mutable {
    over.end(why);
    if (done) done();
  });
}

void Registry::shut_down() {
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
  }
  for (const std::shared_ptr<Session>& session : all(Caller{})) {
    remove(session, absl::UnavailableError("the daemon is shutting down"), nullptr);
  }
}

}  // namespace tcproctor::server
