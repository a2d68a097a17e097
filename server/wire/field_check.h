// SPDX-License-Identifier: Apache-2.0
// Range checks of message fields, with errors that begin with the field's path. The first error is
// kept, later checks do nothing.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tcproctor::server {

class FieldCheck {
 public:
  explicit FieldCheck(absl::string_view path) : path_(path) {}

  bool ok() const { return status_.ok(); }
  const absl::Status& status() const { return status_; }

  // INVALID_ARGUMENT "path.field: what".
  void fail(absl::string_view field, absl::string_view what) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(absl::StrCat(join(field), ": ", what));
    }
  }
  void require(bool condition, absl::string_view field, absl::string_view what) {
    if (!condition) fail(field, what);
  }
  void at_most(absl::string_view field, uint64_t value, uint64_t max) {
    if (value > max) fail(field, absl::StrCat(value, " is above ", max));
  }
  // Takes over an error of a part.
  void add(const absl::Status& part) { status_.Update(part); }

  std::string join(absl::string_view field) const {
    if (path_.empty()) return std::string(field);
    return field.empty() ? path_ : absl::StrCat(path_, ".", field);
  }

 private:
  const std::string path_;
  absl::Status status_;
};

}  // namespace tcproctor::server
