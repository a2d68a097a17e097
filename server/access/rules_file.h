// SPDX-License-Identifier: Apache-2.0
// The file of --client-rules, read again when it changes.
#pragma once

#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/access/rights.h"
#include "stack/run/clock.h"

namespace tcproctor::server {

// Thread-safe.
class RulesFile {
 public:
  // INVALID_ARGUMENT, NOT_FOUND: what is wrong with the file, with line and column where it is the
  // text.
  static absl::StatusOr<std::shared_ptr<RulesFile>> open(const std::string& path);

  // Of the first of the names that has a rule. PERMISSION_DENIED: none has. Looks whether the file
  // has changed, at most once in kRefresh; one that is wrong is told in the log, and what was read
  // before stays in force.
  static constexpr std::chrono::milliseconds kRefresh{1000};
  absl::StatusOr<std::shared_ptr<const Rights>> find(const std::vector<std::string>& names);
  // Names that have a rule.
  std::vector<std::string> names() const;

 private:
  using Rules = std::map<std::string, std::shared_ptr<const Rights>>;
  explicit RulesFile(std::string path) : path_(std::move(path)) {}
  absl::Status read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void refresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  mutable std::mutex mutex_;
  Rules rules_ ABSL_GUARDED_BY(mutex_);
  struct stat seen_ ABSL_GUARDED_BY(mutex_) {};
  run::SteadyTime looked_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace tcproctor::server
