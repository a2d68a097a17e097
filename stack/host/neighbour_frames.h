// SPDX-License-Identifier: Apache-2.0
// The frames of address resolution over Ethernet: ARP (RFC 826) and neighbour discovery (RFC 4861).
// For a Host, and for whoever stands in for one without a TCP.
#pragma once

#include <cstdint>
#include <vector>

#include "stack/packet/address.h"
#include "stack/packet/arp.h"
#include "stack/packet/ethernet.h"
#include "stack/packet/ip.h"
#include "stack/packet/nd.h"

namespace tcproctor::host {

// Asks who has `target`: a broadcast ARP request, or a solicitation to its solicited-node group.
// `source` is of the same family.
std::vector<uint8_t> neighbour_request(const packet::MacAddress& own_mac,
                                       const packet::IpAddress& source,
                                       const packet::IpAddress& target);

// The reply of the owner of the target address.
std::vector<uint8_t> arp_answer(const packet::ArpPacket& request,
                                const packet::MacAddress& own_mac);

// The advertisement of the owner of the target address. `ip` and `asker` are the solicitation's;
// who asks without an address (duplicate detection) is answered to all nodes (RFC 4861 §7.2.4).
std::vector<uint8_t> solicitation_answer(const packet::IpPacket& ip,
                                         const packet::NeighbourMessage& solicitation,
                                         const packet::MacAddress& asker,
                                         const packet::MacAddress& own_mac);

}  // namespace tcproctor::host
