// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/authentication/authenticator.h"

#include <algorithm>

#include "stack/tcp/authentication/ao_authenticator.h"
#include "stack/tcp/authentication/md5_authenticator.h"
#include "stack/tcp/check.h"

namespace tcproctor::tcp {

std::unique_ptr<Authenticator> make_authenticator(const ConnectionOptions& options,
                                                  const packet::FourTuple& tuple, SeqNum iss) {
  if (options.keys == nullptr) return nullptr;
  const PeerKeys* const keys = options.keys->find(tuple.remote.address);
  if (keys == nullptr) return nullptr;
  if (!keys->md5.empty()) return std::make_unique<Md5Authenticator>(options.keys, *keys, tuple);
  return std::make_unique<AoAuthenticator>(options, *keys, tuple, iss);
}

bool has_conflicting_signatures(const packet::TcpOptions& options) {
  if (options.md5.empty() && options.authentication.empty()) return false;
  int found = 0;
  for (size_t at = 0; at < options.raw.size();) {
    packet::RawOption option;
    if (packet::next_option(options.raw.subspan(at), option) != packet::OptionError::kNone) break;
    const auto kind = static_cast<packet::OptionKind>(option.kind);
    if (kind == packet::OptionKind::kEnd) break;
    if (kind == packet::OptionKind::kMd5 || kind == packet::OptionKind::kAuthentication) ++found;
    at += option.size;
  }
  return found > 1;
}

std::string_view unexpected_signature(const packet::TcpOptions& options, const Settings& settings) {
  if (options.md5.empty() && options.authentication.empty()) return "";
  if (has_conflicting_signatures(options)) return "RFC 5925 §2.2: more than one signature";
  return settings.refuse_unexpected_signatures ? "RFC 5925 §7.3: signed, but there is no key" : "";
}

uint8_t* append_option(SegmentOut& out, uint8_t size) {
  TCPROCTOR_CHECK(out.option_size % 4 == 0 && out.option_size + size <= packet::kMaxTcpOptionBytes);
  size_t at = 0;
  while (at < out.option_size) {
    packet::RawOption option;
    if (packet::next_option(out.options().subspan(at), option) != packet::OptionError::kNone) break;
    if (option.kind == static_cast<uint8_t>(packet::OptionKind::kEnd)) break;
    at += option.size;
  }
  std::fill(out.option_bytes.begin() + static_cast<std::ptrdiff_t>(at),
            out.option_bytes.begin() + out.option_size,
            static_cast<uint8_t>(packet::OptionKind::kNop));
  uint8_t* const start = out.option_bytes.data() + out.option_size;
  out.option_size = static_cast<uint8_t>(out.option_size + size);
  return start;
}

}  // namespace tcproctor::tcp
