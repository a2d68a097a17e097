// SPDX-License-Identifier: Apache-2.0
#include "server/session/registry.h"

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

Registry::Registry(run::LoopPool& pool, Worker& worker, size_t max_sessions, Place place)
    : pool_(pool), worker_(worker), max_sessions_(max_sessions), place_(std::move(place)) {}

absl::StatusOr<SessionPlan> Registry::plan(const v1::CreateSessionRequest& request) const {
  Place place = place_;
  if (request.wire().link() == v1::LINK_KIND_INTERFACE && !place.interface.empty()) {
    if (absl::Status status = look_at(place); !status.ok()) return status;
  }
  return plan_session(request, place);
}

// Takes a place for the session. `repeated`: the request_id is known and `done` was taken care of.
absl::Status Registry::admit(const v1::CreateSessionRequest& request, CreatedCallback& done,
                             uint64_t& serial, std::string& id, bool& repeated) {
  const std::lock_guard lock(mutex_);
  if (shut_down_) return absl::UnavailableError("the daemon is shutting down");
  if (!request.request_id().empty()) {
    const auto known = requests_.find(request.request_id());
    if (known != requests_.end()) {
      if (known->second.bytes != request.SerializeAsString()) {
        return absl::InvalidArgumentError(
            "request_id: was used for another request; a repeated call must be the same");
      }
      repeated = true;
      if (known->second.ready) {
        serial = known->second.serial;
      } else {
        known->second.waiting.push_back(std::move(done));
      }
      return absl::OkStatus();
    }
  }
  if (sessions_.size() + being_made_ >= max_sessions_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("sessions: the limit of ", max_sessions_,
                     " is reached (--max-sessions); delete some or wait for their leases"));
  }
  serial = next_serial_++;
  id = make_id(serial);
  ++being_made_;
  if (!request.request_id().empty()) {
    requests_[request.request_id()] = {
        .bytes = request.SerializeAsString(), .serial = serial, .ready = false, .waiting = {}};
  }
  return absl::OkStatus();
}

void Registry::create(const v1::CreateSessionRequest& request, bool hold_lease,
                      CreatedCallback done) {
  absl::StatusOr<SessionPlan> plan = this->plan(request);
  if (!plan.ok()) return done(plan.status());
  uint64_t serial = 0;
  std::string id;
  bool repeated = false;
  const absl::Status admitted = admit(request, done, serial, id, repeated);
  if (!admitted.ok()) return done(admitted);
  if (repeated) {
    if (serial == 0) return;  // it is still being made: finish() tells all who wait
    const absl::StatusOr<std::shared_ptr<Session>> session = find(name_of(serial));
    if (!session.ok()) return done(session.status());
    (*session)->post([this, done = std::move(done)](Session& made) mutable {
      const absl::Status status = made.begin_call();
      if (!status.ok()) return done(status);
      done(Created{made.shared_from_this(), made.describe()});
    });
    return;
  }
  const auto session = std::make_shared<Session>(
      id, serial, *std::move(plan), pool_.assign(),
      Session::Services{.worker = &worker_,
                        .name_of = [this](uint64_t of) { return name_of(of); },
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

absl::StatusOr<std::shared_ptr<Session>> Registry::find(const std::string& id) const {
  if (id.empty()) return absl::InvalidArgumentError("session: must name a session");
  const std::lock_guard lock(mutex_);
  const auto serial = serials_.find(id);
  if (serial != serials_.end()) return sessions_.at(serial->second);
  const auto gone = gone_.find(id);
  if (gone != gone_.end()) return absl::NotFoundError(gone->second);
  return absl::NotFoundError(absl::StrCat("session ", id, ": no such session"));
}

std::vector<std::shared_ptr<Session>> Registry::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Session>> sessions;
  for (const auto& [serial, session] : sessions_) sessions.push_back(session);
  return sessions;
}

std::string Registry::name_of(uint64_t serial) const {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(serial);
  return session == sessions_.end() ? std::string() : session->second->id();
}

void Registry::forget_request(uint64_t serial) {
  std::erase_if(requests_, [serial](const auto& entry) { return entry.second.serial == serial; });
}

void Registry::forget(uint64_t serial, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto session = sessions_.find(serial);
  if (session == sessions_.end()) return;
  spdlog::debug("{}", why);
  gone_[session->second->id()] = why;
  gone_order_.push_back(session->second->id());
  if (gone_order_.size() > kMaxGone) {
    gone_.erase(gone_order_.front());
    gone_order_.pop_front();
  }
  forget_request(serial);
  serials_.erase(session->second->id());
  sessions_.erase(session);
}

void Registry::remove(const std::shared_ptr<Session>& session, const absl::Status& why,
                      absl::AnyInvocable<void()> done) {
  forget(session->serial(), std::string(why.message()));
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
  for (const std::shared_ptr<Session>& session : all()) {
    remove(session, absl::UnavailableError("the daemon is shutting down"), nullptr);
  }
}

}  // namespace tcproctor::server
