// SPDX-License-Identifier: Apache-2.0
// The calls of the Wire service.
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/session/answer.h"
#include "server/session/waiting_call.h"

namespace tcproctor::server {
namespace {

// Drive.ReadLog answers in one message: no more than gRPC and its receiver can be expected to take.
constexpr int kMaxEntriesInOne = 200'000;
constexpr size_t kMaxOctetsInOne = size_t{64} << 20;

absl::StatusOr<v1::ReadLogResponse> read_all(LogReader& reader) {
  v1::ReadLogResponse response;
  size_t octets = 0;
  for (;;) {
    v1::LogEntry entry;
    const absl::StatusOr<bool> found = reader.next(entry);
    if (!found.ok()) return found.status();
    if (!*found && reader.more_now()) continue;
    if (!*found) return response;
    octets += entry.raw().size() + entry.segment().payload().size();
    *response.add_entries() = std::move(entry);
    if (octets > kMaxOctetsInOne || response.entries_size() > kMaxEntriesInOne) {
      return absl::ResourceExhaustedError(
          absl::StrCat("read_log: more than ", kMaxEntriesInOne, " entries or ", kMaxOctetsInOne,
                       " octets cannot be given in one answer; use Wire.Log"));
    }
  }
}

}  // namespace

absl::StatusOr<Wire*> Session::wire() const {
  if (bench_->wire() != nullptr) return bench_->wire();
  return absl::FailedPreconditionError(
      absl::StrCat("session ", id_,
                   ": its ends are joined directly, there is no wire in between; make it "
                   "without wire.direct"));
}

OperationId Session::inject(const v1::InjectRequest& request, Done<v1::InjectResponse> done) {
  const absl::StatusOr<Wire*> wire = this->wire();
  if (!wire.ok()) return answer<v1::InjectResponse>(done, wire.status());
  absl::StatusOr<std::unique_ptr<Injection>> injection = (*wire)->inject(
      request,
      [this](const PlannedInjection& planned) { return allowance_.take_injection(planned); });
  if (!injection.ok()) return answer<v1::InjectResponse>(done, injection.status());
  return wait_for<v1::InjectResponse>(
      std::nullopt,
      [injection = *std::move(injection)](
          Moment moment) -> std::optional<absl::StatusOr<v1::InjectResponse>> {
        if (moment == Moment::kCancelled) return injection->response();
        return injection->poll();
      },
      std::move(done));
}

OperationId Session::hold(const v1::HoldRequest& request, Done<v1::HoldResponse> done) {
  const absl::StatusOr<Wire*> wire = this->wire();
  const absl::Status status = wire.ok() ? (*wire)->hold(request) : wire.status();
  if (!status.ok()) return answer<v1::HoldResponse>(done, status);
  return answer<v1::HoldResponse>(done, v1::HoldResponse());
}

OperationId Session::release_held(const v1::ReleaseHeldRequest& request,
                                  Done<v1::ReleaseHeldResponse> done) {
  const absl::StatusOr<Wire*> wire = this->wire();
  if (!wire.ok()) return answer<v1::ReleaseHeldResponse>(done, wire.status());
  return answer(done, (*wire)->release(request));
}

OperationId Session::expect(const v1::ExpectRequest& request, Done<v1::ExpectResponse> done) {
  const absl::StatusOr<Wire*> wire = this->wire();
  if (!wire.ok()) return answer<v1::ExpectResponse>(done, wire.status());
  absl::StatusOr<std::unique_ptr<Expectation>> expectation = (*wire)->expect(request);
  if (!expectation.ok()) return answer<v1::ExpectResponse>(done, expectation.status());
  const std::optional<tcp::Instant> deadline = (*expectation)->deadline();
  return wait_for<v1::ExpectResponse>(
      deadline,
      [this, expectation = *std::move(expectation)](
          Moment moment) -> std::optional<absl::StatusOr<v1::ExpectResponse>> {
        if (moment == Moment::kCancelled) return expectation->cancelled();
        std::optional<absl::StatusOr<v1::ExpectResponse>> answer = expectation->poll(now());
        if (!answer && expectation->more_now()) note_activity();
        return answer;
      },
      std::move(done));
}

OperationId Session::impair(const v1::ImpairRequest& request, Done<v1::ImpairResponse> done) {
  const absl::StatusOr<Wire*> wire = this->wire();
  const absl::Status status = wire.ok() ? (*wire)->impair(request) : wire.status();
  if (!status.ok()) return answer<v1::ImpairResponse>(done, status);
  return answer<v1::ImpairResponse>(done, v1::ImpairResponse());
}

OperationId Session::read_log(const v1::ReadLogRequest& request, Done<v1::ReadLogResponse> done) {
  v1::LogRequest log;
  log.set_after(request.after());
  absl::StatusOr<std::unique_ptr<LogReader>> reader = log_reader(log);
  if (!reader.ok()) return answer<v1::ReadLogResponse>(done, reader.status());
  absl::StatusOr<v1::ReadLogResponse> response = read_all(**reader);
  if (response.ok() && request.has_list()) {
    absl::StatusOr<v1::ListResponse> connections = listed(request.list());
    if (!connections.ok()) return answer<v1::ReadLogResponse>(done, connections.status());
    *response->mutable_list() = *std::move(connections);
  }
  return answer<v1::ReadLogResponse>(done, std::move(response));
}

absl::StatusOr<std::unique_ptr<LogReader>> Session::log_reader(const v1::LogRequest& request) {
  const absl::StatusOr<Wire*> wire = this->wire();
  if (!wire.ok()) return wire.status();
  return (*wire)->read_log(request);
}

absl::StatusOr<std::unique_ptr<PcapWriter>> Session::pcap_writer(const v1::PcapRequest& request) {
  const absl::StatusOr<Wire*> wire = this->wire();
  if (!wire.ok()) return wire.status();
  return (*wire)->pcap(request);
}

}  // namespace tcproctor::server
