// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/tcp_options.h"

#include <algorithm>
#include <cstring>

#include "stack/packet/byte_order.h"

namespace tcproctor::packet {
namespace {

constexpr uint8_t kKindEnd = static_cast<uint8_t>(OptionKind::kEnd);
constexpr uint8_t kKindNop = static_cast<uint8_t>(OptionKind::kNop);

// <nop, nop, TS> as one word: what nearly every segment of a connection with timestamps carries.
constexpr uint32_t kAlignedTimestamps = 0x0101080A;
constexpr size_t kAlignedTimestampsBytes = 12;

TimestampsOption load_timestamps(const uint8_t* data) {
  return {load_be32(data), load_be32(data + 4)};
}

bool read_sack(std::span<const uint8_t> data, TcpOptions& options) {
  // RFC 2018 §3: 8n + 2 octets in all, n at least 1.
  if (data.empty() || data.size() % 8 != 0) return false;
  options.sack_count = static_cast<uint8_t>(std::min(data.size() / 8, kMaxSackBlocks));
  for (size_t i = 0; i < options.sack_count; ++i) {
    options.sack[i] = {load_be32(data.data() + 8 * i), load_be32(data.data() + 8 * i + 4)};
  }
  return true;
}

bool read_fast_open(std::span<const uint8_t> cookie, TcpOptions& options) {
  // RFC7413-4.1.1-2: empty for a request, else even and 4..16 octets; RFC7413-4.1.1-1: ignore
  // others.
  const bool lawful = cookie.empty() || is_cookie_size(cookie.size());
  if (lawful) options.fast_open = cookie;
  return lawful;
}

// Reads one option, `data` being what follows its length octet. False: a known kind with a length
// it cannot have.
bool read_option(uint8_t kind, std::span<const uint8_t> data, TcpOptions& options) {
  switch (static_cast<OptionKind>(kind)) {
    case OptionKind::kMss:
      if (data.size() != 2) return false;
      options.mss = load_be16(data.data());
      return true;
    case OptionKind::kWindowScale:
      if (data.size() != 1) return false;
      options.window_scale = data[0];
      return true;
    case OptionKind::kSackPermitted:
      if (!data.empty()) return false;
      options.sack_permitted = true;
      return true;
    case OptionKind::kSack:
      return read_sack(data, options);
    case OptionKind::kTimestamps:
      if (data.size() != 8) return false;
      options.timestamps = load_timestamps(data.data());
      return true;
    case OptionKind::kMd5:
      if (data.size() != 16) return false;
      options.md5 = data;
      return true;
    case OptionKind::kUserTimeout:
      if (data.size() != 2) return false;
      options.user_timeout = {.minutes = (data[0] & 0x80) != 0,
                              .value = static_cast<uint16_t>(load_be16(data.data()) & 0x7FFF)};
      return true;
    case OptionKind::kAuthentication:
      if (data.size() < 2) return false;  // RFC5925-2.2-3
      options.authentication = data;
      return true;
    case OptionKind::kFastOpen:
      return read_fast_open(data, options);
    default:
      return true;  // unknown, or obsolete as kinds 6 and 7: skipped without error (MUST-6)
  }
}

void note_fault(OptionError error, size_t offset, TcpOptions& options) {
  options.error = error;
  options.error_offset = static_cast<uint8_t>(offset);
}

}  // namespace

std::string_view to_string(OptionError error) {
  switch (error) {
    case OptionError::kNone:
      return "options are well-formed";
    case OptionError::kMissingLength:
      return "option ends before its length";
    case OptionError::kLengthTooSmall:
      return "option length is below 2";
    case OptionError::kOverrun:
      return "option length runs over the header";
    case OptionError::kWrongLength:
      return "option length is wrong for its kind";
  }
  return "unknown option error";
}

OptionError next_option(std::span<const uint8_t> bytes, RawOption& option) {
  option = {.kind = bytes[0], .has_length = false, .data = {}, .size = 1};
  // RFC9293-MUST-68: every option but these two has a length octet.
  if (option.kind == kKindEnd || option.kind == kKindNop) return OptionError::kNone;
  if (bytes.size() < 2) return OptionError::kMissingLength;
  const size_t length = bytes[1];
  if (length < 2) return OptionError::kLengthTooSmall;
  if (length > bytes.size()) return OptionError::kOverrun;
  option.has_length = true;
  option.data = bytes.subspan(2, length - 2);
  option.size = length;
  return OptionError::kNone;
}

void parse_options(std::span<const uint8_t> bytes, TcpOptions& options) {
  options = TcpOptions{};
  options.raw = bytes.first(std::min(bytes.size(), kMaxTcpOptionBytes));
  if (options.raw.size() == kAlignedTimestampsBytes &&
      load_be32(options.raw.data()) == kAlignedTimestamps) {
    options.timestamps = load_timestamps(options.raw.data() + 4);
    return;
  }
  // RFC9293-MUST-5, MUST-64: any options on any segment, at any alignment.
  size_t offset = 0;
  while (offset < options.raw.size()) {
    RawOption option;
    const OptionError error = next_option(options.raw.subspan(offset), option);
    if (error != OptionError::kNone) {
      // RFC9293-MUST-7: nothing after an unreadable length can be trusted to be an option.
      note_fault(error, offset, options);
      return;
    }
    if (option.kind == kKindEnd) return;
    if (option.has_length && !read_option(option.kind, option.data, options) &&
        options.error == OptionError::kNone) {
      note_fault(OptionError::kWrongLength, offset, options);
    }
    offset += option.size;
  }
}

uint8_t* OptionWriter::reserve(size_t bytes) {
  if (bytes > room()) return nullptr;
  uint8_t* const at = bytes_.data() + size_;
  size_ += bytes;
  return at;
}

uint8_t* OptionWriter::start(OptionKind kind, size_t length) {
  uint8_t* const at = reserve(length);
  if (at == nullptr) return nullptr;
  at[0] = static_cast<uint8_t>(kind);
  at[1] = static_cast<uint8_t>(length);
  return at + 2;
}

bool OptionWriter::nop() {
  uint8_t* const at = reserve(1);
  if (at == nullptr) return false;
  *at = kKindNop;
  return true;
}

bool OptionWriter::mss(uint16_t value) {
  uint8_t* const data = start(OptionKind::kMss, 4);
  if (data == nullptr) return false;
  store_be16(data, value);
  return true;
}

bool OptionWriter::window_scale(uint8_t shift) {
  uint8_t* const data = start(OptionKind::kWindowScale, 3);
  if (data == nullptr) return false;
  *data = shift;
  return true;
}

bool OptionWriter::sack_permitted() {
  return start(OptionKind::kSackPermitted, 2) != nullptr;
}

bool OptionWriter::timestamps(const TimestampsOption& value) {
  uint8_t* const data = start(OptionKind::kTimestamps, 10);
  if (data == nullptr) return false;
  store_be32(data, value.value);
  store_be32(data + 4, value.echo_reply);
  return true;
}

bool OptionWriter::user_timeout(const UserTimeoutOption& value) {
  uint8_t* const data = start(OptionKind::kUserTimeout, 4);
  if (data == nullptr) return false;
  store_be16(data, static_cast<uint16_t>((value.minutes ? 0x8000 : 0) | (value.value & 0x7FFF)));
  return true;
}

bool OptionWriter::fast_open(std::span<const uint8_t> cookie) {
  if (cookie.size() + 2 > room()) return false;
  uint8_t* const data = start(OptionKind::kFastOpen, 2 + cookie.size());
  if (data == nullptr) return false;
  std::ranges::copy(cookie, data);
  return true;
}

bool OptionWriter::sack(std::span<const SackBlock> blocks) {
  if (room() < 2 + 8) return false;
  const size_t count = std::min(blocks.size(), (room() - 2) / 8);
  if (count == 0) return false;
  uint8_t* data = start(OptionKind::kSack, 2 + 8 * count);
  for (const SackBlock& block : blocks.first(count)) {
    store_be32(data, block.left);
    store_be32(data + 4, block.right);
    data += 8;
  }
  return true;
}

std::span<const uint8_t> OptionWriter::finish() {
  // The array began as zeroes, and EOL is zero: padding is only a matter of length. Capacity is a
  // multiple of 4.
  size_ = (size_ + 3) / 4 * 4;
  return {bytes_.data(), size_};
}

void write_syn_options(const SynOptions& options, OptionWriter& writer) {
  if (options.mss) writer.mss(*options.mss);
  if (options.sack_permitted || options.timestamps) {
    // SACK-permitted takes the two octets that align the timestamps; alone it is aligned itself.
    if (!(options.sack_permitted && options.timestamps)) {
      writer.nop();
      writer.nop();
    }
    if (options.sack_permitted) writer.sack_permitted();
    if (options.timestamps) writer.timestamps(*options.timestamps);
  }
  if (options.window_scale) {
    writer.nop();
    writer.window_scale(*options.window_scale);
  }
  if (options.fast_open) writer.fast_open(*options.fast_open);
}

void write_segment_options(const std::optional<TimestampsOption>& timestamps,
                           std::span<const SackBlock> sack_blocks, OptionWriter& writer) {
  if (timestamps) {
    writer.nop();
    writer.nop();
    writer.timestamps(*timestamps);
  }
  if (!sack_blocks.empty() && writer.room() >= 2 + 2 + 8) {
    writer.nop();
    writer.nop();
    writer.sack(sack_blocks);
  }
}

}  // namespace tcproctor::packet
