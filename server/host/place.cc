// SPDX-License-Identifier: Apache-2.0
#include "server/host/place.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {
namespace {

// How long a session that ends may take to give its addresses back.
constexpr std::chrono::seconds kGivingBack(2);

std::optional<packet::IpAddress> ip_of(const sockaddr* socket) {
  if (socket == nullptr) return std::nullopt;
  if (socket->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(socket);
    return packet::IpAddress::v4(ntohl(v4->sin_addr.s_addr));
  }
  if (socket->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(socket);
    return packet::IpAddress::v6_bytes(std::span<const uint8_t, 16>(v6->sin6_addr.s6_addr, 16));
  }
  return std::nullopt;
}

uint8_t prefix_of(const sockaddr* mask) {
  const std::optional<packet::IpAddress> bits = ip_of(mask);
  int length = 0;
  if (bits) {
    for (const uint8_t octet : bits->bytes()) length += std::popcount(octet);
  }
  return static_cast<uint8_t>(length);
}

absl::Status read_addresses(Place& place) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0)
    return absl::ErrnoToStatus(errno, "reading the machine's addresses");
  place.own_addresses.clear();
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const std::optional<packet::IpAddress> address = ip_of(entry->ifa_addr);
    if (place.interface != entry->ifa_name || !address || address->is_link_local()) continue;
    place.own_addresses.push_back({*address, prefix_of(entry->ifa_netmask)});
  }
  ::freeifaddrs(list);
  std::ranges::stable_partition(place.own_addresses,
                                [](const auto& own) { return own.address.is_v4(); });
  return absl::OkStatus();
}

absl::Status not_usable(const Place& place, absl::string_view why) {
  return absl::FailedPreconditionError(absl::StrCat("interface ", place.interface, ": ", why));
}

struct Claims {
  std::mutex mutex;
  std::condition_variable freed;
  struct Holder {
    uint64_t owner = 0;
    int count = 0;
  };
  std::map<packet::IpAddress, Holder> holders;
};
Claims& claims() {
  static Claims* const all = new Claims();
  return *all;
}

}  // namespace

std::string to_text(const host::InterfaceAddress& address) {
  return absl::StrCat(address.address.to_string(), "/", address.prefix_length);
}

absl::StatusOr<host::InterfaceAddress> parse_interface_address(const std::string& text,
                                                               const std::string& field,
                                                               bool prefix_required) {
  const auto bad = [&field](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
  };
  const size_t slash = text.find('/');
  uint32_t prefix = 0;
  if (slash == std::string::npos ? prefix_required
                                 : !absl::SimpleAtoi(text.substr(slash + 1), &prefix)) {
    return bad(absl::StrCat("\"", text, "\" is not of the form ADDRESS/PREFIX"));
  }
  const absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(text.substr(0, slash));
  if (!address.ok()) return bad(std::string(address.status().message()));
  const uint32_t bits = address->is_v4() ? 32 : 128;
  if (slash == std::string::npos) prefix = bits;
  if (prefix < 1 || prefix > bits) {
    return bad(absl::StrCat("prefix length ", prefix, " is outside 1..", bits));
  }
  if (address->is_unspecified() || address->is_multicast() || address->is_broadcast() ||
      address->is_loopback()) {
    return bad(absl::StrCat(address->to_string(), " cannot be the address of an end"));
  }
  return host::InterfaceAddress{*address, static_cast<uint8_t>(prefix)};
}

absl::StatusOr<Place> place_from(const std::string& interface,
                                 const std::vector<std::string>& addresses,
                                 const std::vector<std::string>& gateways) {
  Place place;
  place.interface = interface;
  if (interface.empty() && !(addresses.empty() && gateways.empty())) {
    return absl::InvalidArgumentError(
        "--interface-addresses and --interface-gateways belong to an --interface");
  }
  for (const std::string& text : addresses) {
    const auto address = parse_interface_address(text, "--interface-addresses");
    if (!address.ok()) return address.status();
    place.addresses.push_back(*address);
  }
  for (const std::string& text : gateways) {
    const auto gateway = parse_interface_address(text, "--interface-gateways", false);
    if (!gateway.ok()) return gateway.status();
    for (const packet::IpAddress& other : place.gateways) {
      if (other.family() == gateway->address.family()) {
        return absl::InvalidArgumentError(absl::StrCat("--interface-gateways: ", other.to_string(),
                                                       " and ", gateway->address.to_string(),
                                                       " are of one family; one of each"));
      }
    }
    place.gateways.push_back(gateway->address);
  }
  return place;
}

absl::Status look_at(Place& place) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return absl::ErrnoToStatus(errno, "a socket to look at interfaces");
  ifreq request{};
  place.interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (place.interface.size() >= IFNAMSIZ || ::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) {
    return not_usable(place, "this machine has none of that name");
  }
  if ((request.ifr_flags & IFF_UP) == 0) return not_usable(place, "it is down");
  if (::ioctl(socket.get(), SIOCGIFMTU, &request) != 0) return not_usable(place, "has no MTU");
  place.mtu = static_cast<uint32_t>(request.ifr_mtu);
  if (::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0 ||
      request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
    return not_usable(place, "it is no Ethernet");
  }
  std::memcpy(place.mac.bytes.data(), request.ifr_hwaddr.sa_data, place.mac.bytes.size());
  return read_addresses(place);
}

packet::MacAddress own_mac(const packet::MacAddress& interface_mac,
                           const packet::IpAddress& address) {
  // FNV-1a: spread evenly, and the same in every process.
  uint64_t hash = 0xCBF29CE484222325u;
  const auto add = [&hash](std::span<const uint8_t> bytes) {
    for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3u;
  };
  add(interface_mac.bytes);
  add(address.bytes());
  packet::MacAddress mac{{0x02}};
  for (size_t i = 1; i < mac.bytes.size(); ++i) mac.bytes[i] = static_cast<uint8_t>(hash >> 8 * i);
  return mac;
}

absl::StatusOr<AddressClaim> AddressClaim::take(const packet::IpAddress& address, uint64_t owner) {
  Claims& all = claims();
  std::unique_lock lock(all.mutex);
  const bool free = all.freed.wait_for(lock, kGivingBack, [&] {
    const auto held = all.holders.find(address);
    return held == all.holders.end() || held->second.owner == owner;
  });
  if (!free) {
    return absl::FailedPreconditionError(
        absl::StrCat(address.to_string(), " is that of another session of this daemon"));
  }
  all.holders[address].owner = owner;
  ++all.holders[address].count;
  return AddressClaim(address, owner);
}

AddressClaim::AddressClaim(AddressClaim&& other) noexcept
    : address_(other.address_), owner_(std::exchange(other.owner_, 0)) {}

AddressClaim& AddressClaim::operator=(AddressClaim&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  address_ = other.address_;
  owner_ = std::exchange(other.owner_, 0);
  return *this;
}

AddressClaim::~AddressClaim() {
  give_back();
}

void AddressClaim::give_back() {
  if (owner_ == 0) return;
  Claims& all = claims();
  const std::lock_guard lock(all.mutex);
  const auto held = all.holders.find(address_);
  if (held != all.holders.end() && --held->second.count == 0) all.holders.erase(held);
  all.freed.notify_all();
  owner_ = 0;
}

}  // namespace tcproctor::server
