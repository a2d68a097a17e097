// SPDX-License-Identifier: Apache-2.0
#include "server/wire/log_reader.h"

#include <utility>

namespace tcproctor::server {
namespace {

// Records looked at in one call of next(), so that a reader of a long log leaves the loop its
// turns.
constexpr int kMaxPerCall = 2048;

}  // namespace

LogReader::LogReader(std::shared_ptr<const WireLog> log, uint64_t after, v1::End from,
                     std::optional<Matcher> matcher)
    : log_(std::move(log)), cursor_(after), from_(from), matcher_(std::move(matcher)) {}

absl::StatusOr<bool> LogReader::next(v1::LogEntry& entry) {
  if (absl::Status status = log_->check_readable(cursor_); !status.ok()) return status;
  for (int i = 0; i < kMaxPerCall; ++i) {
    const LogRecord* record = log_->find(cursor_ + 1);
    if (record == nullptr) return false;
    ++cursor_;
    if (from_ != v1::END_UNSPECIFIED && record->from != from_) continue;
    if (matcher_ && !matcher_->matches(record->packet)) continue;
    fill_log_entry(*record, entry);
    return true;
  }
  return false;
}

}  // namespace tcproctor::server
