// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/option_list.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "stack/packet/byte_order.h"

namespace tcproctor::packet {
namespace {

constexpr size_t kMaxDataBytes = kMaxTcpOptionBytes - 2;
constexpr uint16_t kFastOpenMagic = 0xF989;  // RFC 7413 appendix: Fast Open as an experiment

std::string hex(std::span<const uint8_t> bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

// " 0011ff", or nothing for no octets.
std::string hex_argument(std::span<const uint8_t> bytes) {
  return bytes.empty() ? "" : absl::StrCat(" ", hex(bytes));
}

std::string unknown_text(const TcpOption& option) {
  std::string text = absl::StrCat("kind ", option.kind);
  if (option.length) absl::StrAppend(&text, " len ", *option.length);
  if (!option.data.empty()) absl::StrAppend(&text, " 0x", hex(option.data.span()));
  return text;
}

std::string sack_text(std::span<const uint8_t> data, uint32_t base) {
  std::string text = "sack";
  for (size_t i = 0; i + 8 <= data.size(); i += 8) {
    absl::StrAppend(&text, " ", load_be32(data.data() + i) - base, ":",
                    load_be32(data.data() + i + 4) - base);
  }
  return text;
}

// Text of an option whose length octet is true; empty when packetdrill has no word for it.
std::string known_text(OptionKind kind, std::span<const uint8_t> data, uint32_t sack_base) {
  switch (kind) {
    case OptionKind::kMss:
      return data.size() == 2 ? absl::StrCat("mss ", load_be16(data.data())) : "";
    case OptionKind::kWindowScale:
      return data.size() == 1 ? absl::StrCat("wscale ", data[0]) : "";
    case OptionKind::kSackPermitted:
      return data.empty() ? "sackOK" : "";
    case OptionKind::kSack:
      return !data.empty() && data.size() % 8 == 0 ? sack_text(data, sack_base) : "";
    case OptionKind::kTimestamps:
      if (data.size() != 8) return "";
      return absl::StrCat("TS val ", load_be32(data.data()), " ecr ", load_be32(data.data() + 4));
    case OptionKind::kMd5:
      return data.size() == 16 ? absl::StrCat("md5", hex_argument(data)) : "";
    case OptionKind::kFastOpen:
      return absl::StrCat("FO", hex_argument(data));
    case OptionKind::kExperiment2:
      if (data.size() < 2 || load_be16(data.data()) != kFastOpenMagic) return "";
      return absl::StrCat("FOEXP", hex_argument(data.subspan(2)));
    default:
      return "";
  }
}

std::string option_text(const TcpOption& option, uint32_t sack_base) {
  if (!option.length) {
    if (option == TcpOption::eol()) return "eol";
    if (option == TcpOption::nop()) return "nop";
    return unknown_text(option);
  }
  std::string text;
  if (*option.length == option.data.size() + 2) {
    text = known_text(static_cast<OptionKind>(option.kind), option.data.span(), sack_base);
  }
  return text.empty() ? unknown_text(option) : text;
}

TcpOption of_kind(OptionKind kind, std::span<const uint8_t> data) {
  return TcpOption::of_kind(static_cast<uint8_t>(kind), data);
}

}  // namespace

TcpOption TcpOption::eol() {
  return {.kind = static_cast<uint8_t>(OptionKind::kEnd)};
}

TcpOption TcpOption::nop() {
  return {.kind = static_cast<uint8_t>(OptionKind::kNop)};
}

TcpOption TcpOption::mss(uint16_t value) {
  std::array<uint8_t, 2> data;
  store_be16(data.data(), value);
  return packet::of_kind(OptionKind::kMss, data);
}

TcpOption TcpOption::window_scale(uint8_t shift) {
  return packet::of_kind(OptionKind::kWindowScale, {&shift, 1});
}

TcpOption TcpOption::sack_permitted() {
  return packet::of_kind(OptionKind::kSackPermitted, {});
}

TcpOption TcpOption::sack(std::span<const SackBlock> blocks) {
  std::array<uint8_t, 8 * kMaxSackBlocks> data;
  const size_t count = std::min(blocks.size(), kMaxSackBlocks);
  for (size_t i = 0; i < count; ++i) {
    store_be32(data.data() + 8 * i, blocks[i].left);
    store_be32(data.data() + 8 * i + 4, blocks[i].right);
  }
  return packet::of_kind(OptionKind::kSack, std::span(data).first(8 * count));
}

TcpOption TcpOption::timestamps(uint32_t value, uint32_t echo_reply) {
  std::array<uint8_t, 8> data;
  store_be32(data.data(), value);
  store_be32(data.data() + 4, echo_reply);
  return packet::of_kind(OptionKind::kTimestamps, data);
}

TcpOption TcpOption::user_timeout(const UserTimeoutOption& value) {
  std::array<uint8_t, 2> data;
  store_be16(data.data(),
             static_cast<uint16_t>((value.minutes ? 0x8000 : 0) | (value.value & 0x7FFF)));
  return packet::of_kind(OptionKind::kUserTimeout, data);
}

TcpOption TcpOption::fast_open(std::span<const uint8_t> cookie) {
  return packet::of_kind(OptionKind::kFastOpen, cookie);
}

TcpOption TcpOption::md5(std::span<const uint8_t> digest) {
  return packet::of_kind(OptionKind::kMd5, digest);
}

TcpOption TcpOption::of_kind(uint8_t kind, std::span<const uint8_t> data) {
  const auto taken = data.first(std::min(data.size(), kMaxDataBytes));
  return crafted(kind, static_cast<uint8_t>(taken.size() + 2), taken);
}

TcpOption TcpOption::crafted(uint8_t kind, uint8_t length, std::span<const uint8_t> data) {
  return {.kind = kind, .length = length, .data = OptionBytes(data)};
}

std::string OptionList::to_text(uint32_t sack_base) const {
  std::vector<std::string> words;
  for (const TcpOption& option : options) words.push_back(option_text(option, sack_base));
  const bool padding = error == OptionError::kNone &&
                       std::ranges::all_of(trailing.span(), [](uint8_t byte) { return byte == 0; });
  if (!padding) {
    words.push_back(absl::StrCat(error == OptionError::kNone ? "padding 0x" : "malformed 0x",
                                 hex(trailing.span())));
  }
  return absl::StrJoin(words, ",");
}

OptionList decode_options(std::span<const uint8_t> bytes) {
  bytes = bytes.first(std::min(bytes.size(), kMaxTcpOptionBytes));
  OptionList list;
  size_t offset = 0;
  while (offset < bytes.size()) {
    RawOption raw;
    const OptionError error = next_option(bytes.subspan(offset), raw);
    if (error != OptionError::kNone) {
      list.error = error;
      list.error_offset = static_cast<uint8_t>(offset);
      break;
    }
    list.options.push_back(raw.has_length ? TcpOption::of_kind(raw.kind, raw.data)
                                          : TcpOption{.kind = raw.kind});
    offset += raw.size;
    if (list.options.back() == TcpOption::eol()) break;
  }
  list.trailing = OptionBytes(bytes.subspan(offset));
  return list;
}

absl::StatusOr<OptionBytes> encode_options(const OptionList& list, OptionPadding padding) {
  size_t size = list.trailing.size();
  for (const TcpOption& option : list.options) size += option.encoded_size();
  if (size > kMaxTcpOptionBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("TCP options take ", size, " octets; the header has room for ",
                     kMaxTcpOptionBytes, " (send raw bytes to go beyond)"));
  }
  OptionBytes bytes;
  for (const TcpOption& option : list.options) {
    bytes.try_append(option.kind);
    if (option.length) bytes.try_append(*option.length);
    bytes.try_append(option.data.span());
  }
  bytes.try_append(list.trailing.span());
  if (padding == OptionPadding::kNone) return bytes;
  const uint8_t filler = padding == OptionPadding::kNops ? TcpOption::nop().kind : uint8_t{0};
  while (bytes.size() % 4 != 0) bytes.try_append(filler);
  return bytes;
}

}  // namespace tcproctor::packet
