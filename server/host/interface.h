// SPDX-License-Identifier: Apache-2.0
// Network devices of sessions: veth pairs across namespaces and TUN devices, ready for use when the
// call returns: the first packet sent is not lost, in either family.
//
// Measured (kernel 6.18, 2 cores): a session's three namespaces and two veth pairs with IPv4 and
// IPv6 addresses, neighbours, offloads off and verified take 3.5 ms on a quiet machine, 6-14 ms
// while a compiler uses both cores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/host/namespace.h"
#include "server/host/unique_fd.h"
#include "stack/host/host.h"
#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"

namespace tcproctor::server {

struct Route {
  packet::IpAddress destination;  // unspecified with prefix_length 0 is the default route
  uint8_t prefix_length = 0;
  std::optional<packet::IpAddress> gateway;  // none: directly on the link
};

// One network device as it shall be.
struct InterfaceSpec {
  std::string name;                       // 1..15 octets, no '/' and no white space
  std::optional<packet::MacAddress> mac;  // veth only; none: the kernel draws one
  uint32_t mtu = 1500;                    // octets of an IP packet; 68..65535
  // Packets. MACHINE: a short queue drops silently, hence far above the kernel's 500 and 1000.
  uint32_t tx_queue_length = 10000;
  std::vector<host::InterfaceAddress> addresses;  // IPv6 ones without duplicate address detection
  std::vector<host::Neighbour> neighbours;        // permanent: no ARP or ND is needed for them
  std::vector<Route> routes;                      // beside those of the addresses' prefixes
  // Checksum, segmentation (TSO, GSO, scatter-gather) and GRO. veth: off is verified after setting.
  bool offloads = false;
  bool link_local = false;  // give it an fe80:: address (addr_gen_mode eui64)
};

struct Interface {
  std::string name;
  uint32_t index = 0;      // in its namespace
  packet::MacAddress mac;  // zero for TUN

  bool is_tun() const { return mac == packet::MacAddress{}; }
};

struct VethPair {
  Interface a, b;
};

// Makes a veth pair with one leg in each namespace (they may be the same), sets everything in the
// two specs and brings both legs up. Nothing is left when it fails.
// INVALID_ARGUMENT names the field; ALREADY_EXISTS: a device of that name; FAILED_PRECONDITION: an
// offload that was to be off is still on, by name; INTERNAL: the kernel's own words.
absl::StatusOr<VethPair> create_veth(const NetworkNamespace& a, const InterfaceSpec& a_spec,
                                     const NetworkNamespace& b, const InterfaceSpec& b_spec);

struct TunDevice {
  UniqueFd fd;  // non-blocking; the device vanishes when it is closed
  Interface interface;
};

// Makes a TUN device (IFF_TUN | IFF_NO_PI) in `ns`, configured and up. With `vnet_header` each
// packet read and written is preceded by a 10-octet virtio_net_hdr (native byte order), and when
// spec.offloads is set TUNSETOFFLOAD allows partial checksums and super-segments for both families.
// Errors as create_veth; PERMISSION_DENIED and NOT_FOUND say what is the matter with /dev/net/tun.
absl::StatusOr<TunDevice> create_tun(const NetworkNamespace& ns, const InterfaceSpec& spec,
                                     bool vnet_header);

// Deletes a device (a veth leg takes its peer along). NOT_FOUND: no such device.
absl::Status delete_interface(const NetworkNamespace& ns, const std::string& name);

}  // namespace tcproctor::server
