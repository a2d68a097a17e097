// SPDX-License-Identifier: Apache-2.0
#include "server/session/request_book.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/serve/digest.h"

namespace tcproctor::server {

absl::Status check_request_id(const std::string& id) {
  if (id.size() <= kMaxRequestIdOctets) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "request_id: ", id.size(), " octets are too many, at most ", kMaxRequestIdOctets));
}

absl::Status request_id_reused() {
  return absl::InvalidArgumentError(
      "request_id: was used for another request; a repeated call must be the same");
}

std::string fingerprint(const google::protobuf::Message& request) {
  std::string octets = request.GetDescriptor()->full_name() + "\n";
  {
    google::protobuf::io::StringOutputStream stream(&octets);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.SerializeToCodedStream(&coded);
  }
  Digest digest;
  digest.update({reinterpret_cast<const uint8_t*>(octets.data()), octets.size()});
  return digest.hex();
}

absl::StatusOr<bool> RequestBook::enter(const std::string& id,
                                        const google::protobuf::Message& request, Waiter waiter) {
  const absl::Status status = check_request_id(id);
  if (!status.ok()) return status;
  std::string print = fingerprint(request);
  const auto known = calls_.find(id);
  if (known != calls_.end()) {
    Call& call = known->second;
    if (call.fingerprint != print) return request_id_reused();
    if (call.answer != nullptr) {
      waiter(call.answer);
    } else {
      call.waiters.push_back(std::move(waiter));
    }
    return false;
  }
  if (calls_.size() - answered_.size() >= kMaxCalls) {
    return absl::ResourceExhaustedError(
        absl::StrCat("request_id: ", kMaxCalls,
                     " calls with ids are under way in the session, "
                     "which is the limit"));
  }
  Call& call = calls_[id];
  call.fingerprint = std::move(print);
  call.waiters.push_back(std::move(waiter));
  return true;
}

void RequestBook::set_operation(const std::string& id, OperationId operation) {
  const auto call = calls_.find(id);
  if (call != calls_.end() && call->second.answer == nullptr) call->second.operation = operation;
}

void RequestBook::answer(const std::string& id, const Answer& answer) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  std::vector<Waiter> waiters = std::exchange(found->second.waiters, {});
  if (answer.ok()) {
    found->second.answer = *answer;
    found->second.octets = (*answer)->ByteSizeLong();
    octets_ += found->second.octets;
    answered_.push_back(id);
    while (answered_.size() > kMaxCalls || (octets_ > kMaxOctets && answered_.size() > 1)) {
      forget_oldest();
    }
  } else {
    calls_.erase(found);
  }
  for (Waiter& waiter : waiters) waiter(answer);
}

void RequestBook::forget_oldest() {
  const auto oldest = calls_.find(answered_.front());
  octets_ -= oldest->second.octets;
  calls_.erase(oldest);
  answered_.pop_front();
}

OperationId RequestBook::leave(const std::string& id) {
  const auto found = calls_.find(id);
  if (found == calls_.end() || found->second.answer != nullptr) return 0;
  Call& call = found->second;
  return ++call.gone == call.waiters.size() ? call.operation : 0;
}

}  // namespace tcproctor::server
