// SPDX-License-Identifier: Apache-2.0
// The options of a connection, as one of many that have the same: those of a listener, or of OPENs
// that asked for the same. They are never changed in place; who is given others gets his own.
#pragma once

#include <memory>

#include "stack/tcp/settings.h"

namespace tcproctor::tcp {

class SharedOptions {
 public:
  SharedOptions(
      const ConnectionOptions& options = {})  // NOLINT(google-explicit-constructor): a value
      : options_(std::make_shared<const ConnectionOptions>(options)) {}

  const ConnectionOptions& operator*() const { return *options_; }
  const ConnectionOptions* operator->() const { return options_.get(); }

 private:
  std::shared_ptr<const ConnectionOptions> options_;
};

}  // namespace tcproctor::tcp
