// SPDX-License-Identifier: Apache-2.0
// Who makes a call. The default may do everything: who comes over a Unix socket, over a plain TCP
// listener (which must be asked for), or from within the daemon.
#pragma once

#include <memory>
#include <string>

#include "server/access/rights.h"

namespace tcproctor::server {

struct Caller {
  std::string from = "within";           // the address, for the records
  std::shared_ptr<const Rights> rights;  // null: everything is allowed

  // Of the rule; empty where there is none.
  std::string name() const { return rights == nullptr ? std::string() : rights->name(); }
  // Whether he may know of, and use, what `maker` has made.
  bool sees(const Caller& maker) const { return rights == nullptr || name() == maker.name(); }
};

}  // namespace tcproctor::server
