// SPDX-License-Identifier: Apache-2.0
#include "server/service/drive_service.h"

#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/service/grpc_status.h"
#include "server/session/drive_stream.h"

namespace tcproctor::server {
namespace {

// What waits for a client that does not read, before the stream is given up. One report more may
// come on top, and that may be a log.
constexpr size_t kMaxQueuedReports = 1'000'000;
constexpr size_t kMaxQueuedBytes = size_t{64} << 20;

// Between the gRPC stream and the session's loop. Commands are read one at a time: the next when
// the loop has taken the last, so that order needs no care.
class DriveCall final : public grpc::ServerBidiReactor<v1::Command, v1::Report>,
                        public std::enable_shared_from_this<DriveCall> {
 public:
  // `caller`: why he is refused, or who it is.
  static DriveCall* begin(Registry& registry, absl::StatusOr<Caller> caller) {
    const std::shared_ptr<DriveCall> call(new DriveCall(registry, std::move(caller)));
    call->self_ = call;
    call->StartRead(&call->command_);
    return call.get();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return close_down(absl::OkStatus());  // the client has finished sending, or is gone
    if (session_ == nullptr) return first_command();
    const bool posted = session_->post([self = shared_from_this()](Session&) {
      if (self->stream_ != nullptr) self->stream_->on_command(std::move(self->command_));
      self->read_next();
    });
    if (!posted) close_down(absl::UnavailableError("the daemon is shutting down"));
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= queue_.front().ByteSizeLong();
    queue_.pop_front();
    if (!ok) {
      queue_.clear();
      queued_bytes_ = 0;
      if (!finishing_) finishing_ = grpc::Status::CANCELLED;
    }
    if (!queue_.empty()) {
      StartWrite(&queue_.front());
    } else if (finishing_) {
      Finish(*finishing_);
    }
  }

  void OnCancel() override { close_down(absl::CancelledError("the client gave the stream up")); }
  void OnDone() override {
    close_down(absl::OkStatus());
    const std::shared_ptr<DriveCall> last = std::move(self_);
  }

 private:
  DriveCall(Registry& registry, absl::StatusOr<Caller> caller)
      : registry_(registry), caller_(std::move(caller)) {}

  void read_next() {
    const std::lock_guard lock(mutex_);
    if (!finishing_) StartRead(&command_);  // no operation may follow Finish
  }

  void push(const v1::Report& report) {
    const std::lock_guard lock(mutex_);
    if (finishing_) return;
    if (queue_.size() >= kMaxQueuedReports || queued_bytes_ >= kMaxQueuedBytes) {
      finishing_ = to_grpc(absl::ResourceExhaustedError(absl::StrCat(
          queue_.size(), " reports of ", queued_bytes_, " octets wait to be read: too many")));
      return;
    }
    queue_.push_back(report);
    queued_bytes_ += report.ByteSizeLong();
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  void finish(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    if (finishing_) return;
    finishing_ = to_grpc(status);
    if (queue_.empty()) Finish(*finishing_);
  }

  void first_command() {
    if (!caller_.ok()) return finish(caller_.status());
    if (command_.operation() == 0) {
      return finish(absl::InvalidArgumentError("operation: 0 is for events; count from 1"));
    }
    if (command_.has_create()) {
      owns_session_ = true;
      registry_.create(command_.create(), *caller_, true,
                       [self = shared_from_this()](absl::StatusOr<Registry::Created> created) {
                         if (!created.ok()) return self->finish(created.status());
                         self->attach(created->session);
                       });
      return;
    }
    if (!command_.has_attach()) {
      return finish(
          absl::FailedPreconditionError("the first command of a stream must be attach or create"));
    }
    const absl::StatusOr<std::shared_ptr<Session>> session =
        registry_.find_for_use(command_.attach().session(), *caller_);
    if (!session.ok()) return finish(session.status());
    attach(*session);
  }

  void attach(const std::shared_ptr<Session>& session) {
    const bool posted = session->post(
        [self = shared_from_this(), operation = command_.operation()](Session& attached) {
          const absl::Status status = attached.begin_call();
          if (!status.ok()) return self->finish(status);
          self->stream_ = std::make_shared<DriveStream>(
              attached.shared_from_this(), [self](const v1::Report& report) { self->push(report); },
              [self](const absl::Status& why) { self->finish(why); });
          self->stream_->start(operation);
          bool closed = false;
          {
            const std::lock_guard lock(self->mutex_);
            self->session_ = attached.shared_from_this();
            closed = self->closed_;
          }
          if (closed) self->leave(absl::OkStatus());
          self->read_next();
        });
    if (!posted) finish(absl::UnavailableError("the daemon is shutting down"));
  }

  void close_down(const absl::Status& status) {
    bool begun = false;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return;
      closed_ = true;
      begun = session_ != nullptr;
    }
    if (begun) return leave(status);
    finish(status);
  }

  // Once: the session is left, and deleted when this stream made it. The stream ends after that:
  // nothing of such a session is on the network any more when its client hears of the end.
  void leave(const absl::Status& status) {
    // Goes with the last of the steps, whether it was taken or dropped by a daemon that shuts down.
    const std::shared_ptr<void> end(
        nullptr, [self = shared_from_this(), status](void*) { self->finish(status); });
    session_->post([self = shared_from_this(), end](Session& session) {
      if (self->stream_ != nullptr) self->stream_->stop();
      self->stream_ = nullptr;
      if (!self->owns_session_) return;
      self->registry_.remove(session.shared_from_this(), session_deleted(session.id()), [end] {});
    });
  }

  Registry& registry_;
  const absl::StatusOr<Caller> caller_;
  v1::Command command_;  // being read, or being carried out
  bool owns_session_ = false;
  std::shared_ptr<DriveStream> stream_;  // the loop's thread only
  std::mutex mutex_;
  std::shared_ptr<Session> session_;  // set once, before the second command is read
  std::deque<v1::Report> queue_ ABSL_GUARDED_BY(mutex_);  // the first is being written
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<grpc::Status> finishing_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<DriveCall> self_;
};

}  // namespace

grpc::ServerBidiReactor<v1::Command, v1::Report>* DriveService::Drive(
    grpc::CallbackServerContext* context) {
  return DriveCall::begin(gate_.registry(), gate_.caller(*context));
}

}  // namespace tcproctor::server
