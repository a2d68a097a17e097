// SPDX-License-Identifier: Apache-2.0
#include "server/service/wire_service.h"

#include "server/service/session_stream.h"
#include "server/service/unary.h"
#include "server/wire/log_reader.h"
#include "server/wire/pcap_writer.h"

namespace tcproctor::server {
namespace {

class LogStream final : public SessionStream<v1::LogEntry> {
 public:
  LogStream(std::shared_ptr<Session> session, const v1::LogRequest& request)
      : SessionStream(std::move(session)), request_(request) {}

 protected:
  absl::Status open(Session& session) override {
    absl::StatusOr<std::unique_ptr<LogReader>> reader = session.log_reader(request_);
    if (!reader.ok()) return reader.status();
    reader_ = *std::move(reader);
    return absl::OkStatus();
  }
  void pump() override {
    while (has_room()) {
      v1::LogEntry entry;
      absl::StatusOr<bool> more = reader_->next(entry);
      if (!more.ok()) return close(more.status());
      if (*more) {
        send(std::move(entry));
      } else if (reader_->more_now()) {
        return post_pump();
      } else {
        if (!request_.follow()) close(absl::OkStatus());
        return;
      }
    }
  }

 private:
  const v1::LogRequest request_;
  std::unique_ptr<LogReader> reader_;
};

class PcapStream final : public SessionStream<v1::PcapChunk> {
 public:
  PcapStream(std::shared_ptr<Session> session, const v1::PcapRequest& request)
      : SessionStream(std::move(session)), request_(request) {}

 protected:
  absl::Status open(Session& session) override {
    absl::StatusOr<std::unique_ptr<PcapWriter>> writer = session.pcap_writer(request_);
    if (!writer.ok()) return writer.status();
    writer_ = *std::move(writer);
    return absl::OkStatus();
  }
  void pump() override {
    while (has_room()) {
      v1::PcapChunk chunk;
      absl::StatusOr<bool> more = writer_->next(*chunk.mutable_data());
      if (!more.ok() || !*more) return close(more.status());
      send(std::move(chunk));
    }
  }

 private:
  const v1::PcapRequest request_;
  std::unique_ptr<PcapWriter> writer_;
};

}  // namespace

WireService::Reactor* WireService::Inject(Context* context, const v1::InjectRequest* request,
                                          v1::InjectResponse* response) {
  return call_session(registry_, context, request->session(), request, response, &Session::inject);
}

WireService::Reactor* WireService::Hold(Context* context, const v1::HoldRequest* request,
                                        v1::HoldResponse* response) {
  return call_session(registry_, context, request->session(), request, response, &Session::hold);
}

WireService::Reactor* WireService::Release(Context* context, const v1::ReleaseHeldRequest* request,
                                           v1::ReleaseHeldResponse* response) {
  return call_session(registry_, context, request->session(), request, response,
                      &Session::release_held);
}

WireService::Reactor* WireService::Expect(Context* context, const v1::ExpectRequest* request,
                                          v1::ExpectResponse* response) {
  return call_session(registry_, context, request->session(), request, response, &Session::expect);
}

WireService::Reactor* WireService::Impair(Context* context, const v1::ImpairRequest* request,
                                          v1::ImpairResponse* response) {
  return call_session(registry_, context, request->session(), request, response, &Session::impair);
}

grpc::ServerWriteReactor<v1::LogEntry>* WireService::Log(Context*, const v1::LogRequest* request) {
  return start_stream<LogStream, v1::LogEntry>(registry_, *request);
}

grpc::ServerWriteReactor<v1::PcapChunk>* WireService::Pcap(Context*,
                                                           const v1::PcapRequest* request) {
  return start_stream<PcapStream, v1::PcapChunk>(registry_, *request);
}

}  // namespace tcproctor::server
