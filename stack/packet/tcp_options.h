// SPDX-License-Identifier: Apache-2.0
// TCP options as the stack uses them: one pass over the option bytes into a plain value, and a
// writer into a fixed 40-octet array. Neither allocates. For options in the order they stand, for
// display and for crafting, see option_list.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tcproctor::packet {

inline constexpr size_t kMaxTcpOptionBytes = 40;  // data offset 15 words less the fixed 5
inline constexpr size_t kMaxSackBlocks = 4;       // (40 - 2) / 8

// Option kinds (IANA "TCP Option Kind Numbers"): the only list of them in the stack.
enum class OptionKind : uint8_t {
  kEnd = 0,              // RFC 9293 §3.2
  kNop = 1,              // RFC 9293 §3.2
  kMss = 2,              // RFC 9293 §3.2, length 4
  kWindowScale = 3,      // RFC 7323 §2.2, length 3
  kSackPermitted = 4,    // RFC 2018 §2, length 2
  kSack = 5,             // RFC 2018 §3, length 8n+2
  kEcho = 6,             // RFC 1072, obsolete: skipped
  kEchoReply = 7,        // RFC 1072, obsolete: skipped
  kTimestamps = 8,       // RFC 7323 §3.2, length 10
  kMd5 = 19,             // RFC 2385 §2, length 18
  kUserTimeout = 28,     // RFC 5482 §3, length 4
  kAuthentication = 29,  // TCP-AO, RFC 5925 §2.2, length 4 or more
  kFastOpen = 34,        // RFC 7413 §4.1.1, length 2 or 6..18 even
  kExperiment1 = 253,    // RFC 4727, RFC 6994
  kExperiment2 = 254,
};

// Octets of a Fast Open cookie: even, and within these (RFC 7413 §4.1.1).
inline constexpr size_t kMinCookieBytes = 4;
inline constexpr size_t kMaxCookieBytes = 16;
constexpr bool is_cookie_size(size_t octets) {
  return octets >= kMinCookieBytes && octets <= kMaxCookieBytes && octets % 2 == 0;
}

// Octets [left, right) were received out of order (RFC 2018 §3).
struct SackBlock {
  uint32_t left = 0;
  uint32_t right = 0;
  friend bool operator==(const SackBlock&, const SackBlock&) = default;
};

struct TimestampsOption {
  uint32_t value = 0;       // TSval
  uint32_t echo_reply = 0;  // TSecr
  friend bool operator==(const TimestampsOption&, const TimestampsOption&) = default;
};

struct UserTimeoutOption {
  bool minutes = false;  // granularity: minutes, else seconds
  uint16_t value = 0;    // 15 bits
  friend bool operator==(const UserTimeoutOption&, const UserTimeoutOption&) = default;
};

enum class OptionError : uint8_t {
  kNone,
  kMissingLength,   // a kind other than EOL and NOP is the last octet: parsing stopped
  kLengthTooSmall,  // length 0 or 1: parsing stopped
  kOverrun,         // length beyond the end of the header: parsing stopped
  kWrongLength,     // a known kind with a length it cannot have: skipped as if unknown
};

// In words, e.g. "option length runs over the header".
std::string_view to_string(OptionError error);

// The options of one received segment. Spans point into the packet that was parsed.
struct TcpOptions {
  std::optional<uint16_t> mss;
  // As read; values above 14 are kept, the user of the value takes 14 (RFC 7323 §2.3).
  std::optional<uint8_t> window_scale;
  bool sack_permitted = false;
  uint8_t sack_count = 0;  // blocks in `sack` that are valid
  std::array<SackBlock, kMaxSackBlocks> sack{};
  std::optional<TimestampsOption> timestamps;
  std::optional<UserTimeoutOption> user_timeout;
  // Cookie of RFC 7413: present and empty is a request; else 4..16 octets.
  std::optional<std::span<const uint8_t>> fast_open;
  std::span<const uint8_t> md5;             // 16 octets of digest, empty when absent
  std::span<const uint8_t> authentication;  // TCP-AO: KeyID, RNextKeyID, MAC; empty when absent
  std::span<const uint8_t> raw;             // all option octets, padding included

  // What is malformed, and the octet offset of that option within `raw`. A fault that stopped
  // parsing takes precedence over a kWrongLength before it; else it is the first.
  OptionError error = OptionError::kNone;
  uint8_t error_offset = 0;

  std::span<const SackBlock> sack_blocks() const { return {sack.data(), sack_count}; }
};

// One option as it stands. `data` is what follows the length octet; `size` is the whole option.
struct RawOption {
  uint8_t kind = 0;
  bool has_length = false;  // false for EOL and NOP
  std::span<const uint8_t> data;
  size_t size = 1;
};

// The option at the start of `bytes` (not empty): the one place that knows how options are cut
// apart. Anything but kNone (kWrongLength never): no option can be read here or after it; only
// `kind` is filled.
OptionError next_option(std::span<const uint8_t> bytes, RawOption& option);

// Reads `bytes` (at most 40; what lies beyond is not read). Options before a fault stay read;
// nothing after it is. Never fails: RFC 9293 lets a receiver go on with a segment whose options are
// malformed (MUST-7). Where an option comes twice the last one counts. Whether an option is lawful
// on this segment (MSS without SYN, …) is the user's to judge.
void parse_options(std::span<const uint8_t> bytes, TcpOptions& options);

// Writes options one after the other into 40 octets of its own. Each returns false, and writes
// nothing, when there is no room.
class OptionWriter {
 public:
  // `room`: fewer than all 40, a multiple of 4, when something else comes behind.
  explicit OptionWriter(size_t room = kMaxTcpOptionBytes) : limit_(room) {}

  bool nop();
  bool mss(uint16_t value);
  bool window_scale(uint8_t shift);
  bool sack_permitted();
  bool timestamps(const TimestampsOption& value);
  bool user_timeout(const UserTimeoutOption& value);
  bool fast_open(std::span<const uint8_t> cookie);  // empty: a request
  // Writes as many of `blocks` as fit, in order; false when not even one does (or there is none).
  bool sack(std::span<const SackBlock> blocks);

  size_t size() const { return size_; }
  size_t room() const { return limit_ - size_; }
  // Pads to a multiple of 4 with zeroes, i.e. EOL and zeroes after it (RFC9293-MUST-69), and
  // returns what was written; the span lives as long as the writer.
  std::span<const uint8_t> finish();

 private:
  uint8_t* reserve(size_t bytes);
  // Writes kind and length and returns where the data goes; null when there is no room.
  uint8_t* start(OptionKind kind, size_t length);

  std::array<uint8_t, kMaxTcpOptionBytes> bytes_{};
  size_t limit_;
  size_t size_ = 0;
};

// Options of a SYN or SYN,ACK of ours.
struct SynOptions {
  std::optional<uint16_t> mss;
  std::optional<uint8_t> window_scale;
  bool sack_permitted = false;
  std::optional<TimestampsOption> timestamps;
  std::optional<std::span<const uint8_t>> fast_open;  // cookie, empty for a request
};

// The order Linux uses, so that we look familiar to middleboxes, everything on its word boundary:
// <mss, sackOK, TS, nop, wscale>; without timestamps <mss, nop, nop, sackOK, nop, wscale>;
// timestamps alone <mss, nop, nop, TS>. A cookie that no longer fits is left out.
void write_syn_options(const SynOptions& options, OptionWriter& writer);

// Options of any later segment: <nop, nop, TS> and <nop, nop, sack …>, 3 blocks beside timestamps,
// 4 without.
void write_segment_options(const std::optional<TimestampsOption>& timestamps,
                           std::span<const SackBlock> sack_blocks, OptionWriter& writer);

}  // namespace tcproctor::packet
