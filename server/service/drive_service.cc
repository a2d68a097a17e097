// SPDX-License-Identifier: Apache-2.0
#include "server/service/drive_service.h"

#include <memory>
#include <utility>

#include "server/service/out_queue.h"
#include "server/service/unary.h"
#include "server/session/drive_stream.h"

namespace tcproctor::server {
namespace {

// Commands that may wait for their turn before no more are read from the client.
constexpr size_t kMaxBacklog = 1'000;

// gRPC's side. The loop's side (Link) outlives it or not: `reactor` is null once the call has been
// closed, and is only touched on the loop's thread after the session is known.
class DriveCall final : public grpc::ServerBidiReactor<v1::Command, v1::Report> {
 public:
  explicit DriveCall(Registry& registry) : registry_(registry) { StartRead(&command_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      client_gone();
    } else if (session_ == nullptr) {
      first_command();
    } else {
      hand_over();
    }
  }
  void OnWriteDone(bool ok) override { queue_.on_write_done(ok); }
  // A read is always under way or follows, unless the backlog is full: so this must end it as well.
  void OnCancel() override { client_gone(); }
  void OnDone() override { delete this; }

 private:
  // Shared by the reactor and its closures on the loop.
  struct Link {
    std::shared_ptr<DriveStream> stream;
    bool closed = false;         // the reactor must not be touched any more
    bool read_withheld = false;  // the backlog is full
  };

  void first_command() {
    {
      std::lock_guard lock(mutex_);
      begun_ = true;
    }
    const uint64_t operation = command_.operation();
    if (command_.has_attach()) {
      absl::StatusOr<std::shared_ptr<Session>> session =
          registry_.find(command_.attach().session());
      if (!session.ok()) return queue_.close(to_grpc(session.status()));
      const bool posted = (*session)->post([this, session = *session, operation](Session& live) {
        if (absl::Status status = live.check(); !status.ok()) {
          queue_.close(to_grpc(status));
          return;
        }
        live.renew();
        begin(session, operation);
      });
      if (!posted) queue_.close(to_grpc(absl::UnavailableError("the daemon is stopping")));
    } else if (command_.has_create()) {
      owns_session_ = true;
      registry_.create(command_.create(), /*hold_lease=*/true,
                       [this, operation](absl::StatusOr<Registry::Created> created) {
                         if (!created.ok()) {
                           queue_.close(to_grpc(created.status()));
                         } else {
                           begin(created->session, operation);
                         }
                       });
    } else {
      queue_.close(to_grpc(absl::InvalidArgumentError(
          "command: the first one of a stream must be attach or create")));
    }
  }

  // On the session's loop.
  void begin(const std::shared_ptr<Session>& session, uint64_t operation) {
    link_->stream = std::make_shared<DriveStream>(
        session, [this, link = link_](const v1::Report& report) { send(*link, report); },
        [this, link = link_](const absl::Status& why) { close(*link, why); });
    {
      std::lock_guard lock(mutex_);
      session_ = session;
      if (gone_) {
        // The client went while the session was made.
        session->post([this, link = link_](Session&) {
          if (!link->closed) close(*link, absl::OkStatus());
        });
      }
    }
    link_->stream->start(operation);
    if (!link_->closed) StartRead(&command_);
  }

  void hand_over() {
    (void)session_->post([this, link = link_, command = std::move(command_)](Session&) mutable {
      if (link->closed) return;
      link->stream->on_command(std::move(command));
      if (link->closed) return;
      link->read_withheld = link->stream->backlog() >= kMaxBacklog;
      if (!link->read_withheld) StartRead(&command_);
    });
  }

  void send(Link& link, const v1::Report& report) {
    if (link.closed) return;
    if (!queue_.push(report)) {
      close(link, absl::ResourceExhaustedError("the client reads too slowly: 10,000 reports wait "
                                               "for it, the limit of a stream"));
      return;
    }
    if (link.read_withheld && link.stream->backlog() < kMaxBacklog) {
      link.read_withheld = false;
      StartRead(&command_);
    }
  }

  // On the loop: nothing of the reactor is used after this.
  void close(Link& link, const absl::Status& why) {
    if (link.closed) return;
    link.closed = true;
    const std::shared_ptr<DriveStream> stream = link.stream;
    const std::shared_ptr<Session> session = session_;
    if (session != nullptr) {
      // Not now: the stream may be in the middle of a report.
      Registry* owner = owns_session_ ? &registry_ : nullptr;
      session->post([stream, session, owner](Session&) {
        stream->stop();
        if (owner != nullptr) owner->remove(session, session_deleted(session->id()), [] {});
      });
    }
    queue_.close(to_grpc(why));
  }

  // The client half-closed, was cancelled or vanished.
  void client_gone() {
    std::shared_ptr<Session> session;
    bool begun = false;
    {
      std::lock_guard lock(mutex_);
      if (gone_) return;
      gone_ = true;
      begun = begun_;
      session = session_;
    }
    if (session == nullptr) {
      // Before the first command: nothing to undo. While a session is being made: begin() sees it.
      if (!begun) queue_.close(grpc::Status::OK);
      return;
    }
    const bool posted = session->post([this, link = link_](Session&) {
      if (!link->closed) close(*link, absl::OkStatus());
    });
    if (!posted) queue_.close(to_grpc(absl::UnavailableError("the daemon is stopping")));
  }

  Registry& registry_;
  v1::Command command_;
  const std::shared_ptr<Link> link_ = std::make_shared<Link>();
  bool owns_session_ = false;
  std::mutex mutex_;
  std::shared_ptr<Session> session_;            // set once, under the mutex, before the second read
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;  // the first command is being carried out
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  OutQueue<v1::Report> queue_{[this](const v1::Report* report) { StartWrite(report); },
                              [this](const grpc::Status& status) { Finish(status); }};
};

}  // namespace

grpc::ServerBidiReactor<v1::Command, v1::Report>* DriveService::Drive(
    grpc::CallbackServerContext*) {
  return new DriveCall(registry_);
}

}  // namespace tcproctor::server
