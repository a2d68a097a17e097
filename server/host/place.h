// SPDX-License-Identifier: Apache-2.0
// Where sessions of this daemon may meet other machines: one interface of the daemon's own network
// namespace, and the addresses on it that are not the machine's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stack/host/host.h"
#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"

namespace tcproctor::server {

struct Place {
  // As the daemon was told.
  std::string interface;                          // empty: nowhere
  std::vector<host::InterfaceAddress> addresses;  // for stack and scripted ends
  std::vector<packet::IpAddress> gateways;        // at most one of each family
  // As the interface is now; see look_at().
  packet::MacAddress mac;
  uint32_t mtu = 0;
  std::vector<host::InterfaceAddress> own_addresses;  // of the machine's kernel, IPv4 first
};

// What the flags say, "ADDRESS/PREFIX" and "ADDRESS". INVALID_ARGUMENT names the flag.
absl::StatusOr<Place> place_from(const std::string& interface,
                                 const std::vector<std::string>& addresses,
                                 const std::vector<std::string>& gateways);

// Fills in how the interface is now. FAILED_PRECONDITION: there is none of that name, it is down,
// or no Ethernet.
absl::Status look_at(Place& place);

// "ADDRESS/PREFIX". INVALID_ARGUMENT begins with `field`. Without a prefix: a host's, if allowed.
absl::StatusOr<host::InterfaceAddress> parse_interface_address(const std::string& text,
                                                               const std::string& field,
                                                               bool prefix_required = true);
std::string to_text(const host::InterfaceAddress& address);

// The MAC address of an end that has `address` on an interface with `interface_mac`: locally
// administered, and always the same, so that what others have learnt of an earlier session holds.
packet::MacAddress own_mac(const packet::MacAddress& interface_mac,
                           const packet::IpAddress& address);

// An address on the interface can have one session at a time. Shared by all claims of one owner, so
// that a session which is reset keeps its own.
class AddressClaim {
 public:
  AddressClaim() = default;
  ~AddressClaim();
  AddressClaim(AddressClaim&& other) noexcept;
  AddressClaim& operator=(AddressClaim&& other) noexcept;

  // Waits a little for a session that is being given back. FAILED_PRECONDITION: another has it.
  static absl::StatusOr<AddressClaim> take(const packet::IpAddress& address, uint64_t owner);

 private:
  AddressClaim(const packet::IpAddress& address, uint64_t owner)
      : address_(address), owner_(owner) {}
  void give_back();

  packet::IpAddress address_;
  uint64_t owner_ = 0;  // 0: none
};

}  // namespace tcproctor::server
