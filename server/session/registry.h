// SPDX-License-Identifier: Apache-2.0
// The books of the daemon: which sessions there are. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/session/session.h"
#include "server/session/worker.h"
#include "stack/run/loop_pool.h"

namespace tcproctor::server {

class Registry {
 public:
  static constexpr size_t kDefaultMaxSessions = 256;

  // Pool and worker must outlive the registry. `max_sessions` >= 1.
  // `place`: where sessions may meet other machines. `machine`: OK, or why this process can make
  // nothing on the machine (acquire_privilege()), so that sessions in memory alone are possible.
  Registry(run::LoopPool& pool, Worker& worker, size_t max_sessions = kDefaultMaxSessions,
           Place place = {}, absl::Status machine = absl::OkStatus());
  // shut_down() was called and the pool has been stopped since.
  ~Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // What a creation ends with: the session, and its description for the caller.
  struct Created {
    std::shared_ptr<Session> session;
    v1::Session description;
  };
  using CreatedCallback = absl::AnyInvocable<void(absl::StatusOr<Created>)>;
  // Makes a session; `done` is called on the session's loop, or on the caller's thread when the
  // request is refused. Repeating a request_id gives the session its maker's first call made, or
  // NOT_FOUND when that is gone. `hold_lease`: its lease does not run (a stream keeps it alive).
  // PERMISSION_DENIED, RESOURCE_EXHAUSTED: what the rule for the maker does not allow.
  // FAILED_PRECONDITION: it is not one in memory, and `machine` is not OK.
  void create(const v1::CreateSessionRequest& request, const Caller& maker, bool hold_lease,
              CreatedCallback done);

  // NOT_FOUND says what became of it, if it is known. To others than its maker a session is one
  // that never was.
  absl::StatusOr<std::shared_ptr<Session>> find(const std::string& id, const Caller& caller) const;
  // The same for a call that uses it. PERMISSION_DENIED: his rule has changed and allows him none
  // like it any more.
  absl::StatusOr<std::shared_ptr<Session>> find_for_use(const std::string& id,
                                                        const Caller& caller) const;
  // Those he may know of, by serial number, which is the order of creation.
  std::vector<std::shared_ptr<Session>> all(const Caller& caller) const;
  std::string name_of(uint64_t serial, const Caller& caller) const;

  // Takes the session out of the books and ends it on its loop; `done` follows there. Waiting calls
  // get `why`. `request_id`: of the call that deletes it.
  void remove(const std::shared_ptr<Session>& session, const absl::Status& why,
              absl::AnyInvocable<void()> done, const std::string& request_id = "");
  // Whether the session was deleted by that very call.
  bool removed_by(const std::string& id, const Caller& caller, const std::string& request_id) const;
  // Removes all sessions and refuses new ones.
  void shut_down();

 private:
  // So many sessions that are gone are remembered for messages, and for repeated calls.
  static constexpr size_t kMaxGone = 1000;

  struct Request {
    std::string print;    // of the message: a repetition must be the same
    std::string id;       // of the session
    uint64_t serial = 0;  // of the session that it made, or that is being made
    bool ready = false;
    std::vector<CreatedCallback> waiting;
  };

  struct Gone {
    uint64_t serial = 0;
    Caller maker;
    std::string why;
    std::string request_id;  // of the call that deleted it
  };

  absl::StatusOr<SessionPlan> plan(const v1::CreateSessionRequest& request) const;
  absl::Status admit(const v1::CreateSessionRequest& request, const Caller& maker,
                     CreatedCallback& done, uint64_t& serial, std::string& id, bool& repeated);
  absl::Status check_number(const Caller& maker) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void begin(const std::shared_ptr<Session>& session, bool hold_lease, CreatedCallback done);
  void finish(const std::shared_ptr<Session>& session, absl::StatusOr<Created> created,
              CreatedCallback done);
  void forget(uint64_t serial, const std::string& why, const std::string& request_id = "");
  void uncount(const Caller& maker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget_request(uint64_t serial) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  run::LoopPool& pool_;
  Worker& worker_;
  const size_t max_sessions_;
  const Place place_;
  const absl::Status machine_;
  mutable std::mutex mutex_;
  uint64_t next_serial_ ABSL_GUARDED_BY(mutex_) = 1;
  size_t being_made_ ABSL_GUARDED_BY(mutex_) = 0;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<uint64_t, std::shared_ptr<Session>> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, uint64_t> serials_ ABSL_GUARDED_BY(mutex_);
  // How many each client with a rule has, those being made included.
  std::map<std::string, size_t> numbers_ ABSL_GUARDED_BY(mutex_);
  // By the maker's name and the request id.
  std::map<std::pair<std::string, std::string>, Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Gone> gone_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> gone_order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tcproctor::server
