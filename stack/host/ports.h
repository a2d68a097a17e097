// SPDX-License-Identifier: Apache-2.0
// Choice of a local port for an active OPEN: RFC 6056 §3.3.4, algorithm 4 (double-hash). Ports to
// one destination go up one by one, so that a pair is reused late, but nobody who does not know the
// secret can tell where they are.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "stack/host/secret_hash.h"
#include "stack/packet/address.h"

namespace tcproctor::host {

class PortChooser {
 public:
  // Ports `first`..`last`, both included; first <= last, first > 0.
  PortChooser(uint16_t first, uint16_t last, uint64_t seed);

  // The next port towards `remote` for which `is_free` says yes; nothing when it says no to all.
  std::optional<uint16_t> choose(const packet::IpAddress& local,
                                 const packet::SocketAddress& remote,
                                 absl::FunctionRef<bool(uint16_t)> is_free);

 private:
  static constexpr size_t kTable = 1024;  // counters; each serves about 1/1024 of the destinations

  const uint32_t first_;
  const uint32_t count_;
  const SecretHash offset_hash_;  // F of the RFC
  const SecretHash index_hash_;   // G
  std::array<uint32_t, kTable> table_{};
};

}  // namespace tcproctor::host
