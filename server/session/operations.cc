// SPDX-License-Identifier: Apache-2.0
#include "server/session/operations.h"

#include <utility>

namespace tcproctor::server {

OperationId Operations::add(std::unique_ptr<Operation> operation) {
  const OperationId id = next_id_++;
  operations_.emplace(id, std::move(operation));
  return id;
}

bool Operations::cancel(OperationId id, const absl::Status& why) {
  auto node = operations_.extract(id);
  if (node.empty()) return false;
  node.mapped()->give_up(why);
  return true;
}

void Operations::poll_all() {
  for (auto it = operations_.begin(); it != operations_.end();) {
    it = it->second->poll() ? operations_.erase(it) : std::next(it);
  }
}

void Operations::expire(tcp::Instant now) {
  for (auto it = operations_.begin(); it != operations_.end();) {
    const std::optional<tcp::Instant> deadline = it->second->deadline();
    if (!deadline || *deadline > now) {
      ++it;
      continue;
    }
    it = it->second->expire() ? operations_.erase(it) : std::next(it);
  }
}

void Operations::end_all(const absl::Status& why) {
  while (!operations_.empty()) {
    auto node = operations_.extract(operations_.begin());
    node.mapped()->give_up(why);
  }
}

std::optional<tcp::Instant> Operations::next_deadline() const {
  std::optional<tcp::Instant> next;
  for (const auto& [id, operation] : operations_) {
    const std::optional<tcp::Instant> deadline = operation->deadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

}  // namespace tcproctor::server
