// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/authentication/md5_authenticator.h"

#include <algorithm>

namespace tcproctor::tcp {

// RFC2385-2-1: on every segment, RST and retransmissions included.
bool Md5Authenticator::sign(SegmentOut& out) {
  uint8_t* const option = append_option(out, kOptionBytes);
  option[0] = option[1] = static_cast<uint8_t>(packet::OptionKind::kNop);
  option[2] = static_cast<uint8_t>(packet::OptionKind::kMd5);
  option[3] = 18;
  const auto digest = md5_.digest(signed_part(out), keys_->md5);
  std::ranges::copy(digest, option + 4);
  return true;
}

// RFC2385-2-4: whether the peer's SYN,ACK carries it or not changes nothing.
std::string_view Md5Authenticator::verify(const packet::TcpSegment& segment) {
  if (has_conflicting_signatures(segment.options)) {
    return "RFC 5925 §2.2: more than one signature";
  }
  if (segment.options.md5.empty()) return "RFC 2385 §2.0: no MD5 signature";
  const auto digest = md5_.digest(signed_part(segment), keys_->md5);
  return same(digest, segment.options.md5) ? "" : "RFC 2385 §2.0: wrong MD5 signature";
}

// RFC 2385 §4.5: the key may change in the middle of a connection; both ends see to it that they
// do it together.
absl::Status Md5Authenticator::update(const ConnectionOptions& options) {
  const PeerKeys* const keys = options.keys == nullptr ? nullptr : options.keys->find(remote_);
  if (keys == nullptr || keys->md5.empty()) {
    return absl::FailedPreconditionError(
        "keys: a connection that began with TCP-MD5 stays with it; give another md5 key");
  }
  ring_ = options.keys;
  keys_ = keys;
  return absl::OkStatus();
}

}  // namespace tcproctor::tcp
