// SPDX-License-Identifier: Apache-2.0
#include "server/service/wire_service.h"

#include <string>
#include <utility>

#include "server/service/stream_writer.h"
#include "server/service/unary_call.h"

namespace tcproctor::server {
namespace {

// Messages that wait to be written before the log is read on: a slow reader costs no memory.
constexpr size_t kMaxQueued = 64;
// Reads of one turn on the session's loop.
constexpr int kReadsPerTurn = 16;

// Streams what a cursor of the session yields. Lives on the loop's thread; shared with callbacks.
template <class Message>
class CursorStream : public std::enable_shared_from_this<CursorStream<Message>> {
 public:
  // Fills a message; false: none there now.
  using Next = absl::AnyInvocable<absl::StatusOr<bool>(Message&)>;
  using MoreNow = absl::AnyInvocable<bool()>;

  CursorStream(std::shared_ptr<StreamWriter<Message>> writer, std::shared_ptr<Session> session,
               bool follow)
      : writer_(std::move(writer)), session_(std::move(session)), follow_(follow) {}

  void start(Next next, MoreNow more_now) {
    next_ = std::move(next);
    more_now_ = std::move(more_now);
    subscription_ = session_->subscribe(
        {.on_event = nullptr,
         .on_activity = follow_ ? [self = this->shared_from_this()] { self->pump(); }
                                : std::function<void()>(),
         .on_reset =
             [self = this->shared_from_this()] {
               self->end(absl::AbortedError("the session was reset"));
             },
         .on_end =
             [self = this->shared_from_this()](const absl::Status& why) {
               self->over_ = true;
               self->writer_->finish(why);
             }});
    pump();
  }

  void pump() {
    int reads = 0;
    while (!over_ && writer_->queued() < kMaxQueued) {
      if (++reads > kReadsPerTurn) return pump_later();
      Message message;
      const absl::StatusOr<bool> found = next_(message);
      if (!found.ok()) return end(found.status());
      if (*found) {
        if (!writer_->push(std::move(message))) return end(absl::OkStatus());
      } else if (!more_now_()) {
        if (!follow_) end(absl::OkStatus());
        return;
      }
    }
  }

  // On the loop's thread: nothing more is to be read.
  void stop() {
    over_ = true;
    if (subscription_ != 0 && session_->alive()) session_->unsubscribe(subscription_);
    subscription_ = 0;
    next_ = nullptr;
    more_now_ = nullptr;
  }

 private:
  void pump_later() {
    session_->post([self = this->shared_from_this()](Session&) { self->pump(); });
  }
  void end(const absl::Status& status) {
    writer_->finish(status);
    over_ = true;
    // Not from here: this may be within the session's round of its subscribers.
    session_->post([self = this->shared_from_this()](Session&) { self->stop(); });
  }

  const std::shared_ptr<StreamWriter<Message>> writer_;
  const std::shared_ptr<Session> session_;
  const bool follow_;
  Next next_;
  MoreNow more_now_;
  Session::SubscriptionId subscription_ = 0;
  bool over_ = false;
};

// `begin` makes the cursor on the loop and starts the stream.
template <class Message>
grpc::ServerWriteReactor<Message>* stream_cursor(
    const absl::StatusOr<std::shared_ptr<Session>>& session, bool follow,
    absl::AnyInvocable<absl::Status(Session&, CursorStream<Message>&)> begin) {
  const auto writer = StreamWriter<Message>::create();
  if (!session.ok()) {
    writer->finish(session.status());
    return writer.get();
  }
  const auto stream = std::make_shared<CursorStream<Message>>(writer, *session, follow);
  writer->set_on_drained(
      [session = *session, stream] { session->post([stream](Session&) { stream->pump(); }); });
  writer->set_on_cancelled(
      [session = *session, stream] { session->post([stream](Session&) { stream->stop(); }); });
  const bool posted =
      (*session)->post([writer, stream, begin = std::move(begin)](Session& self) mutable {
        absl::Status status = self.begin_call();
        if (status.ok()) status = begin(self, *stream);
        if (!status.ok()) writer->finish(status);
      });
  if (!posted) writer->finish(absl::UnavailableError("the daemon is shutting down"));
  return writer.get();
}

}  // namespace

grpc::ServerUnaryReactor* WireService::Inject(grpc::CallbackServerContext* context,
                                              const v1::InjectRequest* request,
                                              v1::InjectResponse* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::inject);
}

grpc::ServerUnaryReactor* WireService::Hold(grpc::CallbackServerContext* context,
                                            const v1::HoldRequest* request,
                                            v1::HoldResponse* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::hold);
}

grpc::ServerUnaryReactor* WireService::Release(grpc::CallbackServerContext* context,
                                               const v1::ReleaseHeldRequest* request,
                                               v1::ReleaseHeldResponse* response) {
  return call_session(context, gate_, request->session(), request, response,
                      &Session::release_held);
}

grpc::ServerUnaryReactor* WireService::Expect(grpc::CallbackServerContext* context,
                                              const v1::ExpectRequest* request,
                                              v1::ExpectResponse* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::expect);
}

grpc::ServerUnaryReactor* WireService::Impair(grpc::CallbackServerContext* context,
                                              const v1::ImpairRequest* request,
                                              v1::ImpairResponse* response) {
  return call_session(context, gate_, request->session(), request, response, &Session::impair);
}

grpc::ServerWriteReactor<v1::LogEntry>* WireService::Log(grpc::CallbackServerContext* context,
                                                         const v1::LogRequest* request) {
  return stream_cursor<v1::LogEntry>(
      gate_.session(*context, request->session()), request->follow(),
      [request = *request](Session& session, CursorStream<v1::LogEntry>& stream) -> absl::Status {
        absl::StatusOr<std::unique_ptr<LogReader>> reader = session.log_reader(request);
        if (!reader.ok()) return reader.status();
        const std::shared_ptr<LogReader> shared = *std::move(reader);
        stream.start([shared](v1::LogEntry& entry) { return shared->next(entry); },
                     [shared] { return shared->more_now(); });
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<v1::PcapChunk>* WireService::Pcap(grpc::CallbackServerContext* context,
                                                           const v1::PcapRequest* request) {
  return stream_cursor<v1::PcapChunk>(
      gate_.session(*context, request->session()), false,
      [request = *request](Session& session, CursorStream<v1::PcapChunk>& stream) -> absl::Status {
        absl::StatusOr<std::unique_ptr<PcapWriter>> writer = session.pcap_writer(request);
        if (!writer.ok()) return writer.status();
        const std::shared_ptr<PcapWriter> shared = *std::move(writer);
        stream.start([shared](v1::PcapChunk& chunk) { return shared->next(*chunk.mutable_data()); },
                     [] { return false; });
        return absl::OkStatus();
      });
}

}  // namespace tcproctor::server
