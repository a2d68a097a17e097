// SPDX-License-Identifier: Apache-2.0
#include "server/wire/tcp_option.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/wire/field_check.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/option_list.h"
#include "stack/packet/tcp_options.h"
#include "stack/tcp/authentication/mac.h"

namespace tcproctor::server {
namespace {

using packet::OptionKind;

constexpr size_t kDigestOctets = 16;

constexpr uint8_t kind_of(OptionKind kind) {
  return static_cast<uint8_t>(kind);
}

void append_u16(uint32_t value, std::string& octets) {
  octets.push_back(static_cast<char>(value >> 8));
  octets.push_back(static_cast<char>(value));
}

void append_u32(uint32_t value, std::string& octets) {
  append_u16(value >> 16, octets);
  append_u16(value & 0xFFFF, octets);
}

void append_head(uint8_t kind, size_t length, std::string& octets) {
  octets.push_back(static_cast<char>(kind));
  octets.push_back(static_cast<char>(length));
}

void check_raw_option(FieldCheck& check, const v1::RawOption& other) {
  check.at_most("other.kind", other.kind(), 255);
  check.at_most("other.length", other.length(), 255);
  if (other.kind() <= 1 && (!other.data().empty() || other.has_length())) {
    check.fail("other.data", "kinds 0 and 1 have neither length nor data");
  }
}

void check_key(FieldCheck& check, absl::string_view field, const std::string& key, size_t most) {
  if (!key.empty() && key.size() <= most) return;
  check.fail(field, absl::StrCat("has ", key.size(), " octets instead of 1..", most));
}

void check_ao(FieldCheck& check, const v1::AoSignature& ao, bool craft) {
  check.require(!craft || ao.has_key_id(), "ao_signature.key_id", "is required");
  check.require(!craft || ao.has_rnext_key_id(), "ao_signature.rnext_key_id", "is required");
  check.at_most("ao_signature.key_id", ao.key_id(), 255);
  check.at_most("ao_signature.rnext_key_id", ao.rnext_key_id(), 255);
  check.require(v1::AoAlgorithm_IsValid(ao.algorithm()), "ao_signature.algorithm", "is unknown");
  if (craft || !ao.key().empty())
    check_key(check, "ao_signature.key", ao.key(), tcp::kMaxMasterKey);
}

absl::Status check_option(const v1::TcpOption& option, SegmentUse use, absl::string_view path) {
  FieldCheck check(path);
  const bool craft = use == SegmentUse::kCraft;
  switch (option.option_case()) {
    case v1::TcpOption::OPTION_NOT_SET:
      check.fail("option", "is empty: say which option");
      break;
    case v1::TcpOption::kMss:
      check.require(!craft || option.mss().has_octets(), "mss.octets", "is required");
      check.at_most("mss.octets", option.mss().octets(), 65535);
      break;
    case v1::TcpOption::kWindowScale:
      check.require(!craft || option.window_scale().has_shift(), "window_scale.shift",
                    "is required");
      check.at_most("window_scale.shift", option.window_scale().shift(), 255);
      break;
    case v1::TcpOption::kSack:
      check.at_most("sack.blocks", static_cast<uint64_t>(option.sack().blocks_size()),
                    packet::kMaxSackBlocks);
      break;
    case v1::TcpOption::kUserTimeout:
      check.at_most("user_timeout.timeout", option.user_timeout().timeout(), 32767);
      break;
    case v1::TcpOption::kFastOpenCookie:
      if (option.fast_open_cookie().size() > packet::kMaxCookieBytes) {
        check.fail("fast_open_cookie",
                   absl::StrCat(option.fast_open_cookie().size(), " octets are above 16"));
      }
      break;
    case v1::TcpOption::kMd5Digest:
      if (option.md5_digest().size() != kDigestOctets && (craft || !option.md5_digest().empty())) {
        check.fail("md5_digest", absl::StrCat("has ", option.md5_digest().size(),
                                              " octets instead of 16; other.kind 19 takes any"));
      }
      break;
    case v1::TcpOption::kOther:
      check_raw_option(check, option.other());
      break;
    case v1::TcpOption::kMd5Signature:
      check_key(check, "md5_signature.key", option.md5_signature().key(), tcp::kMaxMd5Key);
      break;
    case v1::TcpOption::kAoSignature:
      check_ao(check, option.ao_signature(), craft);
      break;
    case v1::TcpOption::kAnyFastOpenCookie:
      check.require(!craft, "any_fast_open_cookie", "is for patterns: say which cookie to send");
      break;
    case v1::TcpOption::kEndOfOptions:
    case v1::TcpOption::kNoOperation:
    case v1::TcpOption::kSackPermitted:
    case v1::TcpOption::kTimestamps:
      break;
  }
  return check.status();
}

void append_sack(const v1::SackBlocks& sack, std::string& octets) {
  append_head(kind_of(OptionKind::kSack), 2 + 8 * static_cast<size_t>(sack.blocks_size()), octets);
  for (const v1::SackBlocks::Block& block : sack.blocks()) {
    append_u32(block.left(), octets);
    append_u32(block.right(), octets);
  }
}

void append_bytes(uint8_t kind, const std::string& data, std::string& octets) {
  append_head(kind, 2 + data.size(), octets);
  octets += data;
}

void append_ao(const v1::AoSignature& ao, std::string& octets) {
  append_head(kind_of(OptionKind::kAuthentication), 4 + tcp::Mac::kSize, octets);
  octets.push_back(static_cast<char>(ao.key_id()));
  octets.push_back(static_cast<char>(ao.rnext_key_id()));
  octets.append(tcp::Mac::kSize, '\0');
}

void append_raw(const v1::RawOption& other, std::string& octets) {
  const auto kind = static_cast<uint8_t>(other.kind());
  if (kind <= 1) {
    octets.push_back(static_cast<char>(kind));
    return;
  }
  append_head(kind, other.has_length() ? other.length() : 2 + other.data().size(), octets);
  octets += other.data();
}

void decode_sack(std::span<const uint8_t> data, v1::SackBlocks& sack) {
  for (size_t at = 0; at + 8 <= data.size(); at += 8) {
    v1::SackBlocks::Block* block = sack.add_blocks();
    block->set_left(packet::load_be32(data.data() + at));
    block->set_right(packet::load_be32(data.data() + at + 4));
  }
}

void decode_other(const packet::TcpOption& option, v1::RawOption& other) {
  other.set_kind(option.kind);
  other.set_data(option.data.data(), option.data.size());
  const size_t lawful = 2 + option.data.size();
  if (option.length && *option.length != lawful) other.set_length(*option.length);
}

// Known kinds of a length they cannot have, and unknown ones, become RawOption.
void decode_option(const packet::TcpOption& option, v1::TcpOption& proto) {
  const std::span<const uint8_t> data = option.data.span();
  const auto is = [&](OptionKind kind, size_t octets) {
    return option.kind == kind_of(kind) && data.size() == octets;
  };
  if (is(OptionKind::kEnd, 0)) {
    proto.set_end_of_options(true);
  } else if (is(OptionKind::kNop, 0)) {
    proto.set_no_operation(true);
  } else if (is(OptionKind::kMss, 2)) {
    proto.mutable_mss()->set_octets(packet::load_be16(data.data()));
  } else if (is(OptionKind::kWindowScale, 1)) {
    proto.mutable_window_scale()->set_shift(data[0]);
  } else if (is(OptionKind::kSackPermitted, 0)) {
    proto.set_sack_permitted(true);
  } else if (option.kind == kind_of(OptionKind::kSack) && data.size() % 8 == 0) {
    decode_sack(data, *proto.mutable_sack());
  } else if (is(OptionKind::kTimestamps, 8)) {
    proto.mutable_timestamps()->set_value(packet::load_be32(data.data()));
    proto.mutable_timestamps()->set_echo_reply(packet::load_be32(data.data() + 4));
  } else if (is(OptionKind::kUserTimeout, 2)) {
    const uint16_t value = packet::load_be16(data.data());
    proto.mutable_user_timeout()->set_minutes((value & 0x8000) != 0);
    proto.mutable_user_timeout()->set_timeout(value & 0x7FFF);
  } else if (option.kind == kind_of(OptionKind::kFastOpen) &&
             data.size() <= packet::kMaxCookieBytes) {
    proto.set_fast_open_cookie(data.data(), data.size());
  } else if (is(OptionKind::kMd5, kDigestOctets)) {
    proto.set_md5_digest(data.data(), data.size());
  } else {
    decode_other(option, *proto.mutable_other());
  }
}

std::string value_text(bool present, uint32_t value) {
  return present ? absl::StrCat(value) : "*";
}

std::string sack_text(const v1::SackBlocks& sack) {
  std::string text = "sack";
  if (sack.blocks().empty()) text += " *";
  for (const v1::SackBlocks::Block& block : sack.blocks()) {
    absl::StrAppend(&text, " ", block.left(), ":", block.right());
  }
  return text;
}

std::string ao_text(const v1::AoSignature& ao) {
  return absl::StrCat("ao ", value_text(ao.has_key_id(), ao.key_id()), " ",
                      value_text(ao.has_rnext_key_id(), ao.rnext_key_id()),
                      ao.key().empty() ? " *" : " right for the key");
}

std::string other_text(const v1::RawOption& other) {
  std::string text = absl::StrCat("kind ", other.kind());
  if (other.has_length()) absl::StrAppend(&text, " len ", other.length());
  if (!other.data().empty()) absl::StrAppend(&text, " 0x", absl::BytesToHexString(other.data()));
  return text;
}

}  // namespace

absl::Status check_tcp_options(const v1::TcpHeader& header, SegmentUse use,
                               absl::string_view path) {
  FieldCheck check(path);
  std::string octets;
  for (int i = 0; i < header.options_size() && check.ok(); ++i) {
    check.add(check_option(header.options(i), use, check.join(absl::StrCat("options[", i, "]"))));
    if (check.ok()) append_option(header.options(i), octets);
    if (octets.size() > kMaxOptionOctets) {
      check.fail("options", "are more than 40 octets together: use a raw packet for that");
    }
  }
  return check.status();
}

uint8_t option_kind(const v1::TcpOption& option) {
  switch (option.option_case()) {
    case v1::TcpOption::kNoOperation:
      return kind_of(OptionKind::kNop);
    case v1::TcpOption::kMss:
      return kind_of(OptionKind::kMss);
    case v1::TcpOption::kWindowScale:
      return kind_of(OptionKind::kWindowScale);
    case v1::TcpOption::kSackPermitted:
      return kind_of(OptionKind::kSackPermitted);
    case v1::TcpOption::kSack:
      return kind_of(OptionKind::kSack);
    case v1::TcpOption::kTimestamps:
      return kind_of(OptionKind::kTimestamps);
    case v1::TcpOption::kUserTimeout:
      return kind_of(OptionKind::kUserTimeout);
    case v1::TcpOption::kFastOpenCookie:
      return kind_of(OptionKind::kFastOpen);
    case v1::TcpOption::kMd5Digest:
      return kind_of(OptionKind::kMd5);
    case v1::TcpOption::kOther:
      return static_cast<uint8_t>(option.other().kind());
    case v1::TcpOption::kMd5Signature:
      return kind_of(OptionKind::kMd5);
    case v1::TcpOption::kAoSignature:
      return kind_of(OptionKind::kAuthentication);
    case v1::TcpOption::kAnyFastOpenCookie:
      return kind_of(OptionKind::kFastOpen);
    case v1::TcpOption::kEndOfOptions:
    case v1::TcpOption::OPTION_NOT_SET:
      break;
  }
  return kind_of(OptionKind::kEnd);
}

void append_option(const v1::TcpOption& option, std::string& octets) {
  const uint8_t kind = option_kind(option);
  switch (option.option_case()) {
    case v1::TcpOption::kMss:
      append_head(kind, 4, octets);
      append_u16(option.mss().octets(), octets);
      break;
    case v1::TcpOption::kWindowScale:
      append_head(kind, 3, octets);
      octets.push_back(static_cast<char>(option.window_scale().shift()));
      break;
    case v1::TcpOption::kSackPermitted:
      append_head(kind, 2, octets);
      break;
    case v1::TcpOption::kSack:
      append_sack(option.sack(), octets);
      break;
    case v1::TcpOption::kTimestamps:
      append_head(kind, 10, octets);
      append_u32(option.timestamps().value(), octets);
      append_u32(option.timestamps().echo_reply(), octets);
      break;
    case v1::TcpOption::kUserTimeout:
      append_head(kind, 4, octets);
      append_u16(option.user_timeout().timeout() | (option.user_timeout().minutes() ? 0x8000u : 0u),
                 octets);
      break;
    case v1::TcpOption::kFastOpenCookie:
      append_bytes(kind, option.fast_open_cookie(), octets);
      break;
    case v1::TcpOption::kMd5Signature:
      append_bytes(kind, std::string(kDigestOctets, '\0'), octets);
      break;
    case v1::TcpOption::kAoSignature:
      append_ao(option.ao_signature(), octets);
      break;
    case v1::TcpOption::kAnyFastOpenCookie:
      append_bytes(kind, std::string(packet::kMinCookieBytes, '\0'), octets);
      break;
    case v1::TcpOption::kMd5Digest:
      append_bytes(kind, option.md5_digest(), octets);
      break;
    case v1::TcpOption::kOther:
      append_raw(option.other(), octets);
      break;
    case v1::TcpOption::kEndOfOptions:
    case v1::TcpOption::kNoOperation:
      octets.push_back(static_cast<char>(kind));
      break;
    case v1::TcpOption::OPTION_NOT_SET:
      break;
  }
}

std::string decode_tcp_options(std::span<const uint8_t> octets, v1::TcpHeader& header) {
  if (octets.empty()) return "";
  const packet::OptionList list = packet::decode_options(octets);
  if (list.error != packet::OptionError::kNone) {
    header.set_raw_options(octets.data(), octets.size());
    return absl::StrCat("TCP options: ", std::string(packet::to_string(list.error)), " at octet ",
                        list.error_offset);
  }
  for (const packet::TcpOption& option : list.options) decode_option(option, *header.add_options());
  return "";
}

std::string option_text(const v1::TcpOption& option) {
  switch (option.option_case()) {
    case v1::TcpOption::kEndOfOptions:
      return "eol";
    case v1::TcpOption::kNoOperation:
      return "nop";
    case v1::TcpOption::kMss:
      return "mss " + value_text(option.mss().has_octets(), option.mss().octets());
    case v1::TcpOption::kWindowScale:
      return "wscale " +
             value_text(option.window_scale().has_shift(), option.window_scale().shift());
    case v1::TcpOption::kSackPermitted:
      return "sackOK";
    case v1::TcpOption::kSack:
      return sack_text(option.sack());
    case v1::TcpOption::kTimestamps: {
      const v1::Timestamps& stamps = option.timestamps();
      return absl::StrCat("TS val ", value_text(stamps.has_value(), stamps.value()), " ecr ",
                          value_text(stamps.has_echo_reply(), stamps.echo_reply()));
    }
    case v1::TcpOption::kUserTimeout:
      return absl::StrCat("uto ", option.user_timeout().timeout(),
                          option.user_timeout().minutes() ? " min" : " s");
    case v1::TcpOption::kFastOpenCookie:
      return "FO " + absl::BytesToHexString(option.fast_open_cookie());
    case v1::TcpOption::kMd5Digest:
      return "md5 " + (option.md5_digest().empty() ? std::string("*")
                                                   : absl::BytesToHexString(option.md5_digest()));
    case v1::TcpOption::kOther:
      return other_text(option.other());
    case v1::TcpOption::kMd5Signature:
      return "md5 right for the key";
    case v1::TcpOption::kAoSignature:
      return ao_text(option.ao_signature());
    case v1::TcpOption::kAnyFastOpenCookie:
      return "FO *";
    case v1::TcpOption::OPTION_NOT_SET:
      break;
  }
  return "none";
}

}  // namespace tcproctor::server
