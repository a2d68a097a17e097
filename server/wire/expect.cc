// SPDX-License-Identifier: Apache-2.0
#include "server/wire/expect.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {

Expectation::Expectation(std::shared_ptr<const WireLog> log, std::shared_ptr<ExpectCursors> cursors,
                         ExpectPlan plan, std::function<uint64_t()> capture_drops)
    : log_(std::move(log)),
      cursors_(std::move(cursors)),
      plan_(std::move(plan)),
      capture_drops_(std::move(capture_drops)) {}

std::optional<absl::StatusOr<v1::ExpectResponse>> Expectation::poll(tcp::Instant now) {
  if (!start_) {
    start_ = plan_.after.value_or(cursors_->of(plan_.from));
    position_ = *start_;
  }
  if (absl::Status status = log_->check_readable(position_); !status.ok()) return status;
  std::optional<v1::ExpectResponse> response;
  more_now_ = false;
  for (int judged = 0; !response; ++judged) {
    const LogRecord* record = log_->find(position_ + 1);
    if (record == nullptr || (plan_.deadline && record->time > *plan_.deadline)) break;
    more_now_ = judged == kRecordsPerPoll;
    if (more_now_) return std::nullopt;
    position_ = record->number;
    if (record->from == plan_.from && record->origin == v1::ORIGIN_END && record->examined) {
      response = judge(*record);
    }
  }
  if (!response && plan_.deadline && now >= *plan_.deadline) response = at_deadline();
  if (!response) return std::nullopt;
  if (const uint64_t drops = capture_drops_ ? capture_drops_() : 0; drops > 0) {
    return absl::DataLossError(
        absl::StrCat("capture: ", drops,
                     " frames were lost before the wire read them; what an end sent since is "
                     "not known for certain"));
  }
  return *std::move(response);
}

std::optional<v1::ExpectResponse> Expectation::judge(const LogRecord& record) {
  std::vector<std::string> differences;
  if (plan_.matcher) differences = plan_.matcher->differences(record.packet);
  const bool matched = differences.empty();
  if (plan_.mode == v1::EXPECT_MODE_SILENCE) {
    if (!matched) return std::nullopt;
    differences = {"expected silence, got a segment"};
    return with_entry(v1::ExpectResponse::RESULT_MISMATCHED, record.number, differences);
  }
  if (matched) {
    cursors_->of(plan_.from) = record.number;
    return with_entry(v1::ExpectResponse::RESULT_MATCHED, record.number, {});
  }
  if (plan_.mode == v1::EXPECT_MODE_SKIP) {
    skipped_ = record.number;
    skipped_differences_ = std::move(differences);
    return std::nullopt;
  }
  return with_entry(v1::ExpectResponse::RESULT_MISMATCHED, record.number, differences);
}

v1::ExpectResponse Expectation::at_deadline() const {
  if (plan_.mode == v1::EXPECT_MODE_SILENCE) {
    return with_entry(v1::ExpectResponse::RESULT_MATCHED, 0, {});
  }
  return with_entry(v1::ExpectResponse::RESULT_TIMED_OUT, skipped_, skipped_differences_);
}

v1::ExpectResponse Expectation::cancelled() const {
  return with_entry(v1::ExpectResponse::RESULT_CANCELLED, 0, {});
}

v1::ExpectResponse Expectation::with_entry(v1::ExpectResponse::Result result, uint64_t number,
                                           const std::vector<std::string>& differences) const {
  v1::ExpectResponse response;
  response.set_result(result);
  const bool consumed = result == v1::ExpectResponse::RESULT_MATCHED ||
                        result == v1::ExpectResponse::RESULT_MISMATCHED;
  response.set_cursor(consumed && number != 0 ? number : start_.value_or(0));
  if (const LogRecord* record = number != 0 ? log_->find(number) : nullptr) {
    fill_log_entry(*record, *response.mutable_entry());
  }
  for (const std::string& difference : differences) response.add_differences(difference);
  return response;
}

}  // namespace tcproctor::server
