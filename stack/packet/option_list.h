// SPDX-License-Identifier: Apache-2.0
// TCP options in the order they stand on the wire, right or wrong: for display and for crafting. It
// allocates, so it is not for the path of every segment (tcp_options.h is).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "stack/packet/inline_bytes.h"
#include "stack/packet/tcp_options.h"

namespace tcproctor::packet {

using OptionBytes = InlineBytes<kMaxTcpOptionBytes>;

// One option: kind, length octet (absent for EOL and NOP, and for a crafted option that ends before
// it), and the octets after. `length` may lie: encoding writes what is given.
struct TcpOption {
  uint8_t kind = 0;
  std::optional<uint8_t> length;
  OptionBytes data;

  static TcpOption eol();
  static TcpOption nop();
  static TcpOption mss(uint16_t value);
  static TcpOption window_scale(uint8_t shift);  // any shift, also above 14
  static TcpOption sack_permitted();
  static TcpOption sack(std::span<const SackBlock> blocks);  // at most kMaxSackBlocks are taken
  static TcpOption timestamps(uint32_t value, uint32_t echo_reply);
  static TcpOption user_timeout(const UserTimeoutOption& value);
  static TcpOption fast_open(std::span<const uint8_t> cookie);
  static TcpOption md5(std::span<const uint8_t> digest);
  // Any kind with a correct length octet; at most 38 octets of data are taken.
  static TcpOption of_kind(uint8_t kind, std::span<const uint8_t> data);
  // Any kind with a length octet of any value.
  static TcpOption crafted(uint8_t kind, uint8_t length, std::span<const uint8_t> data);

  size_t encoded_size() const { return 1 + (length ? 1u : 0u) + data.size(); }

  friend bool operator==(const TcpOption&, const TcpOption&) = default;
};

enum class OptionPadding : uint8_t {
  kZeroes,  // EOL and zeroes to a multiple of 4 (MUST-69)
  kNops,    // NOPs after the last option, to a multiple of 4
  kNone,    // as it is; the data offset then cannot name the length exactly
};

// Options in order, and what follows them: the padding after EOL, or everything from a malformed
// option on. encode(decode(bytes), kNone) gives `bytes` back, whatever they are.
struct OptionList {
  std::vector<TcpOption> options;
  OptionBytes trailing;
  OptionError error = OptionError::kNone;  // as in TcpOptions, but kWrongLength is not noted here
  uint8_t error_offset = 0;

  // packetdrill's text without brackets: "mss 1460,nop,wscale 8". SACK edges are shown less
  // `sack_base`, modulo 2^32. A kind packetdrill has no word for is "kind 200 len 6 0x01020304"; a
  // malformed tail is "malformed 0x…"; padding after EOL is not shown when it is zero.
  std::string to_text(uint32_t sack_base = 0) const;
};

// `bytes` beyond the 40th are not read.
OptionList decode_options(std::span<const uint8_t> bytes);

// The octets of a list: options, trailing, padding. INVALID_ARGUMENT when they are more than 40.
absl::StatusOr<OptionBytes> encode_options(const OptionList& list,
                                           OptionPadding padding = OptionPadding::kZeroes);

}  // namespace tcproctor::packet
