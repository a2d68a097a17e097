// SPDX-License-Identifier: Apache-2.0
#include "stack/host/address_book.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "stack/packet/nd.h"

namespace tcproctor::host {
namespace {

using packet::IpAddress;

bool is_unicast(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast();
}

absl::Status bad(size_t index, const InterfaceAddress& entry, const char* why) {
  return absl::InvalidArgumentError(absl::StrCat("addresses[", index,
                                                 "]: ", entry.address.to_string(), "/",
                                                 static_cast<int>(entry.prefix_length), " ", why));
}

absl::Status check_gateway(const char* name, const std::optional<IpAddress>& gateway,
                           packet::IpFamily family) {
  if (!gateway || (gateway->family() == family && is_unicast(*gateway))) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": ", gateway->to_string(), " is no unicast address of that family"));
}

}  // namespace

absl::Status AddressBook::check(const HostConfig& config) {
  if (config.addresses.empty()) {
    return absl::InvalidArgumentError("addresses: empty; a host needs at least one");
  }
  for (size_t i = 0; i < config.addresses.size(); ++i) {
    const InterfaceAddress& entry = config.addresses[i];
    if (!is_unicast(entry.address)) return bad(i, entry, "is no unicast address");
    if (entry.address.is_loopback()) return bad(i, entry, "is a loopback address");
    const uint8_t bits = entry.address.is_v4() ? 32 : 128;
    if (entry.prefix_length == 0 || entry.prefix_length > bits) {
      return bad(i, entry, "has an impossible prefix length: 1..32 for IPv4, 1..128 for IPv6");
    }
    if (entry.address.is_broadcast_of(entry.address, entry.prefix_length)) {
      return bad(i, entry, "is the broadcast address of its prefix");
    }
    for (size_t j = 0; j < i; ++j) {
      if (config.addresses[j].address == entry.address) return bad(i, entry, "is there twice");
    }
  }
  absl::Status v4 = check_gateway("gateway_v4", config.gateway_v4, packet::IpFamily::kV4);
  if (!v4.ok()) return v4;
  return check_gateway("gateway_v6", config.gateway_v6, packet::IpFamily::kV6);
}

AddressBook::AddressBook(const HostConfig& config)
    : addresses_(config.addresses),
      gateway_v4_(config.gateway_v4),
      gateway_v6_(config.gateway_v6),
      link_layer_(config.link_layer) {}

bool AddressBook::owns(const IpAddress& address) const {
  return std::ranges::any_of(addresses_, [&](const auto& own) { return own.address == address; });
}

bool AddressBook::is_broadcast(const IpAddress& address) const {
  return address.is_broadcast() || std::ranges::any_of(addresses_, [&](const auto& own) {
           return address.is_broadcast_of(own.address, own.prefix_length);
         });
}

bool AddressBook::is_valid_source(const IpAddress& address) const {
  if (address.is_v4() && address.v4_value() >> 24 == 0) return false;
  return is_unicast(address) && !address.is_loopback() && !is_broadcast(address) && !owns(address);
}

std::optional<IpAddress> AddressBook::source_for(const IpAddress& remote) const {
  const InterfaceAddress* best = nullptr;
  int best_rank = -1;
  for (const InterfaceAddress& own : addresses_) {
    if (own.address.family() != remote.family()) continue;
    int rank = own.address.is_link_local() == remote.is_link_local() ? 1 : 0;
    if (remote.in_prefix(own.address, own.prefix_length)) rank += 2 * own.prefix_length;
    if (rank > best_rank) {
      best = &own;
      best_rank = rank;
    }
  }
  if (best == nullptr) return std::nullopt;
  return best->address;
}

bool AddressBook::on_link(const IpAddress& remote) const {
  if (remote.is_v6() && remote.is_link_local()) return true;
  return std::ranges::any_of(addresses_, [&](const auto& own) {
    return remote.in_prefix(own.address, own.prefix_length);
  });
}

std::optional<IpAddress> AddressBook::next_hop(const IpAddress& remote) const {
  // Point to point: there is only one neighbour.
  if (link_layer_ == LinkLayer::kRawIp || on_link(remote)) return remote;
  return remote.is_v4() ? gateway_v4_ : gateway_v6_;
}

std::optional<IpAddress> AddressBook::owner_of_group(const IpAddress& group) const {
  for (const InterfaceAddress& own : addresses_) {
    if (own.address.is_v6() && packet::solicited_node_address(own.address) == group) {
      return own.address;
    }
  }
  return std::nullopt;
}

}  // namespace tcproctor::host
