// SPDX-License-Identifier: Apache-2.0
// Signatures of crafted segments, and of those that a pattern awaits: TCP-MD5 (RFC 2385) and TCP-AO
// (RFC 5925), computed and verified with the keys that the options name.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "stack/packet/address.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

// Writes what the options Md5Signature and AoSignature of `header` ask for into `octets`: TCP
// header, `option_octets` octets of options and the data as they go out, but for the checksum,
// which is still to be computed. Several are signed in the order in which they stand, each over
// what the others are by then.
void sign(const v1::TcpHeader& header, const packet::IpAddress& source,
          const packet::IpAddress& destination, size_t option_octets, std::span<uint8_t> octets);

// What is wrong with the signatures that `pattern` asks for in `packet`, from the IP header on;
// empty: nothing.
std::string signature_difference(const v1::TcpHeader& pattern, std::span<const uint8_t> packet);

}  // namespace tcproctor::server
