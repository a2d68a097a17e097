// SPDX-License-Identifier: Apache-2.0
#include "stack/host/ports.h"

#include "stack/tcp/check.h"

namespace tcproctor::host {

PortChooser::PortChooser(uint16_t first, uint16_t last, uint64_t seed)
    : first_(first),
      count_(static_cast<uint32_t>(last) - first + 1),
      offset_hash_(seed, "port offset"),
      index_hash_(seed, "port index") {
  TCPROCTOR_CHECK(first > 0 && first <= last);
  // RFC 6056 §3.3.4: the table begins with random values.
  const SecretHash start(seed, "port table");
  for (uint32_t i = 0; i < kTable; ++i) table_[i] = static_cast<uint32_t>(start(uint64_t{i}));
}

std::optional<uint16_t> PortChooser::choose(const packet::IpAddress& local,
                                            const packet::SocketAddress& remote,
                                            absl::FunctionRef<bool(uint16_t)> is_free) {
  const packet::FourTuple key{{local, 0}, remote};
  const uint64_t offset = offset_hash_(key);
  uint32_t& next = table_[index_hash_(key) % kTable];
  for (uint32_t tried = 0; tried < count_; ++tried) {
    const auto port = static_cast<uint16_t>(first_ + (offset + next) % count_);
    ++next;
    if (is_free(port)) return port;
  }
  return std::nullopt;
}

}  // namespace tcproctor::host
