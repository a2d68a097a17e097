// SPDX-License-Identifier: Apache-2.0
#include "server/wire/option_match.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/wire/tcp_option.h"
#include "stack/packet/tcp_options.h"
#include "stack/tcp/authentication/mac.h"

namespace tcproctor::server {
namespace {

using Options = std::vector<const v1::TcpOption*>;

bool is_padding(const v1::TcpOption& option) {
  return option.has_end_of_options() || option.has_no_operation();
}

Options without_trailing_eol(const v1::TcpHeader& header) {
  Options options;
  for (const v1::TcpOption& option : header.options()) options.push_back(&option);
  while (!options.empty() && options.back()->has_end_of_options()) options.pop_back();
  return options;
}

Options without_padding(const v1::TcpHeader& header) {
  Options options;
  for (const v1::TcpOption& option : header.options()) {
    if (!is_padding(option)) options.push_back(&option);
  }
  return options;
}

template <typename Value>
bool fits(bool wanted, Value want, Value got) {
  return !wanted || want == got;
}

// Whether the option is TCP-AO with these ids; its MAC is verified with the whole segment.
bool ao_fits(const v1::AoSignature& ao, const v1::TcpOption& option) {
  const std::string& data = option.other().data();
  if (option.other().kind() != static_cast<uint32_t>(packet::OptionKind::kAuthentication) ||
      option.other().has_length() || data.size() != 2 + tcp::Mac::kSize) {
    return false;
  }
  const auto octet = [&](size_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(data[at]));
  };
  return fits(ao.has_key_id(), ao.key_id(), octet(0)) &&
         fits(ao.has_rnext_key_id(), ao.rnext_key_id(), octet(1));
}

// Gives pattern option `index` an option of its own, moving others' aside where they can take
// another one (augmenting paths: a greedy choice fails for <mss *, mss 1460>).
bool assign(size_t index, const Options& pattern, const Options& got, std::vector<bool>& tried,
            std::vector<int>& owner) {
  for (size_t j = 0; j < got.size(); ++j) {
    if (tried[j] || !option_fits(*pattern[index], *got[j])) continue;
    tried[j] = true;
    if (owner[j] < 0 || assign(static_cast<size_t>(owner[j]), pattern, got, tried, owner)) {
      owner[j] = static_cast<int>(index);
      return true;
    }
  }
  return false;
}

bool all_assigned(const Options& pattern, const Options& got) {
  std::vector<int> owner(got.size(), -1);
  for (size_t i = 0; i < pattern.size(); ++i) {
    std::vector<bool> tried(got.size(), false);
    if (!assign(i, pattern, got, tried, owner)) return false;
  }
  return true;
}

bool same_in_order(const Options& pattern, const Options& got) {
  if (pattern.size() != got.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (!option_fits(*pattern[i], *got[i])) return false;
  }
  return true;
}

std::string list_text(const v1::TcpHeader& header) {
  if (header.has_raw_options()) {
    return absl::StrCat("malformed 0x", absl::BytesToHexString(header.raw_options()));
  }
  return absl::StrCat("<",
                      absl::StrJoin(header.options(), ",",
                                    [](std::string* out, const v1::TcpOption& option) {
                                      out->append(option_text(option));
                                    }),
                      ">");
}

bool options_match(const v1::TcpHeader& pattern, v1::OptionMatch mode, const v1::TcpHeader& got) {
  if (got.has_raw_options()) return false;  // malformed: not a list of options at all
  switch (mode) {
    case v1::OPTION_MATCH_NONE:
      return got.options().empty();
    case v1::OPTION_MATCH_SET: {
      const Options wanted = without_padding(pattern);
      const Options there = without_padding(got);
      return wanted.size() == there.size() && all_assigned(wanted, there);
    }
    case v1::OPTION_MATCH_CONTAINS:
      return all_assigned(without_trailing_eol(pattern), without_trailing_eol(got));
    default:
      return same_in_order(without_trailing_eol(pattern), without_trailing_eol(got));
  }
}

absl::string_view mode_text(v1::OptionMatch mode) {
  switch (mode) {
    case v1::OPTION_MATCH_SET:
      return "in any order ";
    case v1::OPTION_MATCH_CONTAINS:
      return "at least ";
    default:
      return "";
  }
}

}  // namespace

bool option_fits(const v1::TcpOption& pattern, const v1::TcpOption& option) {
  // A RawOption may ask for a kind that the decoder knows by a name of its own.
  if (pattern.has_other() && !option.has_other()) {
    if (pattern.other().kind() != option_kind(option)) return false;
    if (pattern.other().data().empty() && !pattern.other().has_length()) return true;
    std::string want;
    std::string got;
    append_option(pattern, want);
    append_option(option, got);
    return want == got;
  }
  if (pattern.has_md5_signature()) return option.option_case() == v1::TcpOption::kMd5Digest;
  if (pattern.has_ao_signature()) return ao_fits(pattern.ao_signature(), option);
  if (pattern.option_case() == v1::TcpOption::kAnyFastOpenCookie) {
    return packet::is_cookie_size(option.fast_open_cookie().size());
  }
  if (pattern.option_case() != option.option_case()) return false;
  switch (pattern.option_case()) {
    case v1::TcpOption::kMss:
      return fits(pattern.mss().has_octets(), pattern.mss().octets(), option.mss().octets());
    case v1::TcpOption::kWindowScale:
      return fits(pattern.window_scale().has_shift(), pattern.window_scale().shift(),
                  option.window_scale().shift());
    case v1::TcpOption::kTimestamps: {
      const v1::Timestamps& want = pattern.timestamps();
      const v1::Timestamps& got = option.timestamps();
      return fits(want.has_value(), want.value(), got.value()) &&
             fits(want.has_echo_reply(), want.echo_reply(), got.echo_reply());
    }
    case v1::TcpOption::kSack:
      return pattern.sack().blocks().empty() ||
             google::protobuf::util::MessageDifferencer::Equals(pattern.sack(), option.sack());
    case v1::TcpOption::kMd5Digest:
      return pattern.md5_digest().empty() || pattern.md5_digest() == option.md5_digest();
    case v1::TcpOption::kOther: {
      const v1::RawOption& want = pattern.other();
      const v1::RawOption& got = option.other();
      if (want.kind() != got.kind()) return false;
      if (want.data().empty() && !want.has_length()) return true;
      const auto length = [](const v1::RawOption& raw) {
        return raw.has_length() ? raw.length() : static_cast<uint32_t>(raw.data().size() + 2);
      };
      return want.data() == got.data() && length(want) == length(got);
    }
    case v1::TcpOption::kUserTimeout:
      return google::protobuf::util::MessageDifferencer::Equals(pattern.user_timeout(),
                                                                option.user_timeout());
    case v1::TcpOption::kFastOpenCookie:
      return pattern.fast_open_cookie() == option.fast_open_cookie();
    case v1::TcpOption::kEndOfOptions:
    case v1::TcpOption::kNoOperation:
    case v1::TcpOption::kSackPermitted:
    case v1::TcpOption::kMd5Signature:
    case v1::TcpOption::kAoSignature:
    case v1::TcpOption::kAnyFastOpenCookie:
    case v1::TcpOption::OPTION_NOT_SET:
      break;
  }
  return true;
}

v1::OptionMatch effective_option_match(const v1::SegmentPattern& pattern) {
  if (pattern.option_match() != v1::OPTION_MATCH_UNSPECIFIED) return pattern.option_match();
  return pattern.fields().tcp().options().empty() ? v1::OPTION_MATCH_UNSPECIFIED
                                                  : v1::OPTION_MATCH_EXACT;
}

std::string option_difference(const v1::TcpHeader& pattern, v1::OptionMatch mode,
                              const v1::TcpHeader& got) {
  if (mode == v1::OPTION_MATCH_UNSPECIFIED || options_match(pattern, mode, got)) return "";
  const std::string wanted = mode == v1::OPTION_MATCH_NONE ? "none" : list_text(pattern);
  return absl::StrCat("options: expected ", mode_text(mode), wanted, ", got ", list_text(got));
}

}  // namespace tcproctor::server
