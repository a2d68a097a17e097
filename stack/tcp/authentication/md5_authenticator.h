// SPDX-License-Identifier: Apache-2.0
// The TCP MD5 signature option (RFC 2385), as BGP speakers use it.
#pragma once

#include "stack/tcp/authentication/authenticator.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/authentication/mac.h"

namespace tcproctor::tcp {

class Md5Authenticator : public Authenticator {
 public:
  // `keys` lies in `ring`.
  Md5Authenticator(std::shared_ptr<const KeyRing> ring, const PeerKeys& keys,
                   const packet::FourTuple& tuple)
      : ring_(std::move(ring)), keys_(&keys), remote_(tuple.remote.address) {}

  AuthenticationKind kind() const override { return AuthenticationKind::kMd5; }
  uint8_t option_bytes() const override { return kOptionBytes; }
  bool sign(SegmentOut& out) override;
  std::string_view verify(const packet::TcpSegment& segment) override;
  void set_irs(SeqNum) override {}
  absl::Status update(const ConnectionOptions& options) override;

 private:
  static constexpr uint8_t kOptionBytes = 20;  // <nop, nop, MD5>

  std::shared_ptr<const KeyRing> ring_;
  const PeerKeys* keys_;
  packet::IpAddress remote_;
  Md5 md5_;
};

}  // namespace tcproctor::tcp
