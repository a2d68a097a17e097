// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/generic_call.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <array>
#include <vector>

#include "clients/cpp/convert.h"

namespace tcproctor::cli {
namespace {

grpc::ByteBuffer to_buffer(const std::string& octets) {
  const grpc::Slice slice(octets);
  return grpc::ByteBuffer(&slice, 1);
}

std::string to_octets(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  // Only a buffer of compressed data can fail here, and the transport has decompressed it.
  if (!buffer.Dump(&slices).ok()) return "";
  std::string octets;
  for (const grpc::Slice& slice : slices)
    octets.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return octets;
}

class RawCall {
 public:
  RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method)
      : stub_(channel), stream_(stub_.PrepareCall(&context_, method, &queue_)) {}

  absl::Status run(const std::function<absl::StatusOr<std::optional<std::string>>()>& next,
                   const std::function<absl::Status(const std::string&)>& on_response) {
    stream_->StartCall(tag(kStart));
    if (!wait_for(kStart)) return finish();
    stream_->Read(&response_, tag(kRead));
    write(next);
    while (true) {
      void* done = nullptr;
      bool ok = false;
      if (!queue_.Next(&done, &ok))
        return absl::InternalError("the completion queue was shut down");
      if (done == tag(kRead)) {
        if (!ok) break;
        if (error_.ok()) fail_if(on_response(to_octets(response_)));
        stream_->Read(&response_, tag(kRead));
      } else if (done == tag(kWrite)) {
        writing_ = false;
        if (ok && error_.ok()) write(next);
      } else if (done == tag(kWritesDone)) {
        writing_ = false;
      }
    }
    return finish();
  }

 private:
  enum Tag : size_t { kStart, kRead, kWrite, kWritesDone, kFinish, kTags };
  // Any address that is ours will do.
  void* tag(Tag value) { return &tags_[value]; }

  void fail_if(const absl::Status& status) {
    if (status.ok()) return;
    error_ = status;
    context_.TryCancel();
  }

  void write(const std::function<absl::StatusOr<std::optional<std::string>>()>& next) {
    const absl::StatusOr<std::optional<std::string>> request = next();
    if (!request.ok()) return fail_if(request.status());
    writing_ = true;
    if (*request)
      stream_->Write(to_buffer(**request), tag(kWrite));
    else
      stream_->WritesDone(tag(kWritesDone));
  }

  bool wait_for(Tag wanted) {
    void* done = nullptr;
    bool ok = false;
    while (queue_.Next(&done, &ok)) {
      if (done == tag(wanted)) return ok;
      writing_ = false;
    }
    return false;
  }

  absl::Status finish() {
    // A write that is still under way must be taken off the queue before the stream goes.
    if (writing_) {
      void* done = nullptr;
      bool ok = false;
      queue_.Next(&done, &ok);
    }
    grpc::Status status;
    stream_->Finish(&status, tag(kFinish));
    wait_for(kFinish);
    return error_.ok() ? client::to_status(status) : error_;
  }

  std::array<char, kTags> tags_ = {};
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  grpc::ByteBuffer response_;
  bool writing_ = false;
  absl::Status error_;
};

}  // namespace

absl::Status generic_call(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                          const std::function<absl::StatusOr<std::optional<std::string>>()>& next,
                          const std::function<absl::Status(const std::string&)>& on_response) {
  return RawCall(channel, method).run(next, on_response);
}

}  // namespace tcproctor::cli
