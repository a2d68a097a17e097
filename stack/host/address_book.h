// SPDX-License-Identifier: Apache-2.0
// The host's own addresses and what follows from them: who is a lawful peer, from which address to
// speak, and to whom a packet goes next.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "stack/host/host.h"
#include "stack/packet/address.h"

namespace tcproctor::host {

class AddressBook {
 public:
  // INVALID_ARGUMENT names the entry that is no unicast address or has an impossible prefix.
  static absl::Status check(const HostConfig& config);
  // `config` has passed check().
  explicit AddressBook(const HostConfig& config);

  bool owns(const packet::IpAddress& address) const;
  // 255.255.255.255 or the directed broadcast of one of our prefixes.
  bool is_broadcast(const packet::IpAddress& address) const;
  // False: no datagram may come from there (RFC1122-3.2.1.3-1, RFC9293-MUST-63): unspecified and
  // 0.0.0.0/8, broadcast, multicast, loopback, our own address.
  bool is_valid_source(const packet::IpAddress& address) const;
  // False: OPEN must refuse it (RFC9293-MUST-46): as above. Our own addresses too, because a host
  // has no loop back to itself.
  bool is_valid_remote(const packet::IpAddress& address) const { return is_valid_source(address); }

  // The address to speak from to `remote` (RFC9293-MUST-44): of the prefix that holds it, the
  // longest first; else the first of its family, of the same scope where there is one. Nothing: no
  // address of that family.
  std::optional<packet::IpAddress> source_for(const packet::IpAddress& remote) const;
  // Whom to hand a packet for `remote` on the link. Nothing: off our prefixes and no gateway.
  std::optional<packet::IpAddress> next_hop(const packet::IpAddress& remote) const;
  // Our address whose solicited-node group this is.
  std::optional<packet::IpAddress> owner_of_group(const packet::IpAddress& group) const;

 private:
  bool on_link(const packet::IpAddress& remote) const;

  const std::vector<InterfaceAddress> addresses_;
  const std::optional<packet::IpAddress> gateway_v4_;
  const std::optional<packet::IpAddress> gateway_v6_;
  const LinkLayer link_layer_;
};

}  // namespace tcproctor::host
