// SPDX-License-Identifier: Apache-2.0
// Requests to the kernel's routing netlink (and others that speak alike), sent as one batch:
// messages are built with libnl, and one system call carries them all, which makes setting up a
// device a matter of microseconds.
#pragma once

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/host/namespace.h"
#include "server/host/unique_fd.h"
#include "stack/packet/address.h"

namespace tcproctor::server {

// One request under construction. Attributes are appended in the order of the calls; a message
// that outgrew its page is refused by RouteBatch::execute.
class RouteMessage {
 public:
  // `what` names the action in errors, e.g. "adding address 192.0.2.1/24 to wire0".
  // `type` RTM_* (or a generic family's number), `flags` NLM_F_* beside REQUEST and ACK.
  RouteMessage(uint16_t type, uint16_t flags, std::string what);
  // One that the kernel does not acknowledge: the brackets of an nf_tables batch.
  static RouteMessage bracket(uint16_t type, std::string what);

  // The fixed header after nlmsghdr (ifinfomsg, ifaddrmsg, …) or a nested one (veth peer).
  template <typename Header>
  RouteMessage& header(const Header& value) {
    return append(&value, sizeof value);
  }
  RouteMessage& attribute(int type, const void* data, size_t length);
  RouteMessage& attribute_u32(int type, uint32_t value) {
    return attribute(type, &value, sizeof value);
  }
  RouteMessage& attribute_string(int type, absl::string_view text);  // zero-terminated on the wire
  RouteMessage& begin_nested(int type);
  RouteMessage& end_nested();

 private:
  friend class RouteBatch;
  struct Free {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
  };
  RouteMessage& append(const void* data, size_t length);

  std::unique_ptr<nl_msg, Free> message_;
  std::vector<nlattr*> nested_;
  std::string what_;
  bool acknowledged_ = true;
  bool complete_ = true;  // everything fitted
};

class RouteBatch {
 public:
  void add(RouteMessage message) { messages_.push_back(std::move(message)); }
  // Sends everything in one call and reads the acknowledgements. The first error is returned, with
  // the action's name and the kernel's own explanation; later requests of the batch were tried
  // nevertheless. The batch is empty afterwards. `socket`: see open_route_socket; `on_answer` is
  // given every message that is no acknowledgement, for requests that ask for something.
  using OnAnswer = std::function<void(nlmsghdr*)>;
  absl::Status execute(int socket, const OnAnswer& on_answer = {});

 private:
  std::vector<RouteMessage> messages_;
};

// AF_INET or AF_INET6.
uint8_t netlink_family(const packet::IpAddress& address);

// A netlink socket in that namespace. As any socket does, it takes the device ioctls of its
// namespace as well.
absl::StatusOr<UniqueFd> open_route_socket(const NetworkNamespace& ns);
absl::StatusOr<UniqueFd> open_generic_socket(const NetworkNamespace& ns);
// In the namespace of the calling thread.
absl::StatusOr<UniqueFd> open_filter_socket();

}  // namespace tcproctor::server
