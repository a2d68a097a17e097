// SPDX-License-Identifier: Apache-2.0
// What the daemon asks its namespace broker for (namespace_broker.h), and how that is done. All of
// it is fixed in size and checked in every field; what is opened is given away, and the rest (bind
// to a port below 1024, a namespace made quiet) cannot be done with a descriptor alone.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {

enum class BrokerTask : uint32_t {
  kMakeNamespace = 1,  // gives the namespace, as NetworkNamespace::create has it
  // In the namespace that comes with the request:
  kOpenSocket,    // domain, type, protocol
  kOpenSettings,  // files of the sysctls `names`, for reading or (for_writing) for writing
  kOpenCounters,  // files below /proc/net: "netstat", "snmp"
  kOpenTun,       // /dev/net/tun
  // With a socket instead of a namespace:
  kBind,  // address; gives nothing
};

struct BrokerRequest {
  static constexpr size_t kMaxNames = 64;
  static constexpr size_t kMaxNameBytes = 128;  // with the zero at its end

  BrokerTask task = BrokerTask::kMakeNamespace;
  int32_t domain = 0, type = 0, protocol = 0;
  uint32_t for_writing = 0;
  uint32_t address_length = 0;
  sockaddr_storage address = {};
  uint32_t count = 0;  // of names; those behind them are not sent
  std::array<std::array<char, kMaxNameBytes>, kMaxNames> names;

  // False: it is too long to be one, or there are as many as may be.
  bool add_name(absl::string_view name);
  size_t bytes() const { return offsetof(BrokerRequest, names) + count * kMaxNameBytes; }
};

// As a whole it went well (code OK) or not; then each thing asked for was opened (error 0) or not.
// The descriptors of those that were come with it, in order.
struct BrokerReply {
  static constexpr size_t kMaxMessageBytes = 400;

  int32_t code = 0;  // absl::StatusCode
  std::array<char, kMaxMessageBytes> message = {};
  uint32_t count = 0;
  std::array<int32_t, BrokerRequest::kMaxNames> errors = {};  // errno

  absl::Status status() const;
  void refuse(const absl::Status& status);
};

// Does it, on the calling thread, which is in another network namespace afterwards. `descriptor`:
// the namespace or the socket that came with the request, -1 for none.
// INVALID_ARGUMENT: a field is not as it must be. Otherwise as NetworkNamespace says it.
BrokerReply perform(const BrokerRequest& request, int descriptor, std::vector<UniqueFd>& opened);

// Takes the calling thread to a namespace that is no session's, so that it keeps none alive.
absl::Status leave_namespace();

}  // namespace tcproctor::server
