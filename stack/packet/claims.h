// SPDX-License-Identifier: Apache-2.0
// What the octets of an IP packet claim, for those who may not be picky about the rest of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stack/packet/address.h"

namespace tcproctor::packet {

// The octets an IP header claims for its packet; 0 when it cannot be read.
size_t claimed_length(std::span<const uint8_t> packet);
// Where a packet says it comes from, however malformed it is otherwise.
std::optional<IpAddress> claimed_source(std::span<const uint8_t> packet);
// `payload` of an Ethernet frame of `frame_bytes` without what the device padded a short one with
// (IEEE 802.3). What a longer one has too much is left: it is the sender's doing.
std::span<const uint8_t> without_padding(std::span<const uint8_t> payload, size_t frame_bytes);

}  // namespace tcproctor::packet
