// SPDX-License-Identifier: Apache-2.0
#include "server/host/offload.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tcproctor::server {
namespace {

// The kernel counts features in words of 32 bits; it has two (64 features) since 3.x. Room for
// more.
constexpr uint32_t kWords = 8;

struct GetFeatures {
  uint32_t command = ETHTOOL_GFEATURES;
  uint32_t words = kWords;
  ethtool_get_features_block blocks[kWords] = {};
};
static_assert(offsetof(GetFeatures, blocks) == sizeof(ethtool_gfeatures));

struct SetFeatures {
  uint32_t command = ETHTOOL_SFEATURES;
  uint32_t words = 0;
  ethtool_set_features_block blocks[kWords] = {};
};
static_assert(offsetof(SetFeatures, blocks) == sizeof(ethtool_sfeatures));

// Everything that lets a packet seen on the device differ from the packet on a real wire.
bool alters_packets(absl::string_view feature) {
  return absl::StartsWith(feature, "tx-checksum-") || absl::StartsWith(feature, "tx-scatter-") ||
         absl::EndsWith(feature, "-segmentation") || absl::StartsWith(feature, "tx-gso-") ||
         absl::StartsWith(feature, "rx-gro") || absl::StartsWith(feature, "tx-gre-") ||
         absl::StartsWith(feature, "tx-ipxip") || feature == "tx-udp_tnl-csum-segmentation" ||
         feature == "rx-checksum" || feature == "rx-lro" || feature == "rx-udp-gro-forwarding";
}

// Those of them that a TCP segment meets which is in no tunnel. tx-gso-list is for what rx-gro-list
// has joined, and that is one of them.
bool alters_segments(absl::string_view feature) {
  constexpr std::array kOfOthers = {"gre",  "ipxip", "udp",    "sctp",
                                    "fcoe", "esp",   "tunnel", "tx-gso-list"};
  return alters_packets(feature) &&
         std::none_of(kOfOthers.begin(), kOfOthers.end(),
                      [&](const char* other) { return absl::StrContains(feature, other); });
}

bool bit(uint32_t word, size_t index) {
  return ((word >> (index % 32)) & 1) != 0;
}

// One device in the namespace of a socket.
class Device {
 public:
  Device(int socket, const std::string& name) : socket_(socket), name_(name) {}

  using Choice = absl::FunctionRef<bool(absl::string_view)>;
  absl::StatusOr<std::vector<std::string>> active(Choice chosen);
  absl::StatusOr<size_t> set(bool on, Choice chosen);

 private:
  absl::StatusOr<std::vector<std::string>> feature_names();
  absl::Status call(void* command, absl::string_view action);

  const int socket_;
  const std::string name_;
};

absl::Status Device::call(void* command, absl::string_view action) {
  ifreq request{};
  if (name_.empty() || name_.size() >= sizeof request.ifr_name) {
    return absl::InvalidArgumentError(
        absl::StrCat("interface \"", name_, "\": names have 1 to 15 octets"));
  }
  std::memcpy(request.ifr_name, name_.c_str(), name_.size() + 1);
  request.ifr_data = static_cast<char*>(command);
  if (::ioctl(socket_, SIOCETHTOOL, &request) >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("interface ", name_, ": ", action));
}

// By bit number; the same for all devices of a running kernel, hence read once.
absl::StatusOr<std::vector<std::string>> Device::feature_names() {
  static std::mutex mutex;
  static std::vector<std::string> cached;
  const std::lock_guard lock(mutex);
  if (!cached.empty()) return cached;

  struct {  // ethtool_sset_info with room for one count
    uint32_t command = ETHTOOL_GSSET_INFO;
    uint32_t reserved = 0;
    uint64_t mask = 1ULL << ETH_SS_FEATURES;
    uint32_t count = 0;
  } size;
  static_assert(offsetof(decltype(size), count) == sizeof(ethtool_sset_info));
  if (absl::Status status = call(&size, "counting features"); !status.ok()) return status;

  std::vector<uint8_t> storage(sizeof(ethtool_gstrings) + size_t{size.count} * ETH_GSTRING_LEN);
  ethtool_gstrings header{};
  header.cmd = ETHTOOL_GSTRINGS;
  header.string_set = ETH_SS_FEATURES;
  header.len = size.count;
  std::memcpy(storage.data(), &header, sizeof header);
  if (absl::Status status = call(storage.data(), "naming features"); !status.ok()) return status;
  for (uint32_t i = 0; i < size.count && i < kWords * 32; ++i) {
    const char* text =
        reinterpret_cast<const char*>(storage.data()) + sizeof header + size_t{i} * ETH_GSTRING_LEN;
    cached.emplace_back(text, ::strnlen(text, ETH_GSTRING_LEN));
  }
  return cached;
}

// Names of the chosen features that are on now.
absl::StatusOr<std::vector<std::string>> Device::active(Choice chosen) {
  absl::StatusOr<std::vector<std::string>> names = feature_names();
  if (!names.ok()) return names.status();
  GetFeatures state;
  if (absl::Status status = call(&state, "reading its features"); !status.ok()) return status;
  std::vector<std::string> on;
  for (size_t i = 0; i < names->size(); ++i) {
    if (bit(state.blocks[i / 32].active, i) && chosen((*names)[i])) on.push_back((*names)[i]);
  }
  return on;
}

// Switches the chosen features as far as the device lets them be; returns how many were chosen.
absl::StatusOr<size_t> Device::set(bool on, Choice chosen) {
  absl::StatusOr<std::vector<std::string>> names = feature_names();
  if (!names.ok()) return names.status();
  GetFeatures state;
  if (absl::Status status = call(&state, "reading its features"); !status.ok()) return status;
  SetFeatures change;
  change.words = static_cast<uint32_t>((names->size() + 31) / 32);
  size_t matched = 0;
  for (size_t i = 0; i < names->size(); ++i) {
    if (!chosen((*names)[i])) continue;
    ++matched;
    if (!bit(state.blocks[i / 32].available, i)) continue;  // the kernel would refuse all of them
    change.blocks[i / 32].valid |= 1U << (i % 32);
    if (on) change.blocks[i / 32].requested |= 1U << (i % 32);
  }
  if (absl::Status status = call(&change, "changing its features"); !status.ok()) return status;
  return matched;
}

absl::StatusOr<UniqueFd> open_for_ioctl(const NetworkNamespace& ns) {
  return ns.open_socket(AF_INET, SOCK_DGRAM, 0);
}

}  // namespace

absl::Status disable_offloads(int socket, const std::string& interface) {
  return Device(socket, interface).set(false, alters_packets).status();
}

absl::StatusOr<std::vector<std::string>> offloads_on(int socket, const std::string& interface) {
  return Device(socket, interface).active(alters_segments);
}

absl::Status disable_offloads(const NetworkNamespace& ns, const std::string& interface) {
  const absl::StatusOr<UniqueFd> socket = open_for_ioctl(ns);
  return socket.ok() ? disable_offloads(socket->get(), interface) : socket.status();
}

absl::StatusOr<std::vector<std::string>> offloads_on(const NetworkNamespace& ns,
                                                     const std::string& interface) {
  const absl::StatusOr<UniqueFd> socket = open_for_ioctl(ns);
  if (!socket.ok()) return socket.status();
  return offloads_on(socket->get(), interface);
}

absl::Status set_feature(const NetworkNamespace& ns, const std::string& interface,
                         const std::string& feature, bool on) {
  const absl::StatusOr<UniqueFd> socket = open_for_ioctl(ns);
  if (!socket.ok()) return socket.status();
  Device device(socket->get(), interface);
  const auto chosen = [&](absl::string_view name) { return name == feature; };
  absl::StatusOr<size_t> matched = device.set(on, chosen);
  if (!matched.ok()) return matched.status();
  if (*matched == 0) return absl::NotFoundError(absl::StrCat("no feature named ", feature));
  absl::StatusOr<std::vector<std::string>> active = device.active(chosen);
  if (!active.ok()) return active.status();
  if (active->empty() == on) {
    return absl::FailedPreconditionError(absl::StrCat(
        "interface ", interface, ": feature ", feature, " cannot be switched ", on ? "on" : "off"));
  }
  return absl::OkStatus();
}

}  // namespace tcproctor::server
