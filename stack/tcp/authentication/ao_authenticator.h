// SPDX-License-Identifier: Apache-2.0
// TCP-AO (RFC 5925) with the algorithms of RFC 5926.
#pragma once

#include <vector>

#include "stack/tcp/authentication/authenticator.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/authentication/mac.h"

namespace tcproctor::tcp {

// A sequence number in 64 bits: the upper half is the sequence number extension (SNE, RFC 5925
// §6.2). RFC5925-6.2-1. A number belongs to whatever turn puts it nearest to the highest one seen
// (RFC 9187: the windows of both sides are far smaller than half a turn).
class SequenceExtension {
 public:
  // `isn`: turn 0.
  void start(SeqNum isn) { highest_ = isn.value(); }
  uint32_t of(SeqNum seq) const { return static_cast<uint32_t>(extend(seq) >> 32); }
  void note(SeqNum seq) {
    const uint64_t extended = extend(seq);
    if (static_cast<int64_t>(extended - highest_) > 0) highest_ = extended;
  }

 private:
  uint64_t extend(SeqNum seq) const {
    const auto distance = static_cast<int32_t>(seq.value() - static_cast<uint32_t>(highest_));
    return highest_ + static_cast<uint64_t>(static_cast<int64_t>(distance));
  }

  uint64_t highest_ = 0;
};

class AoAuthenticator : public Authenticator {
 public:
  // `keys` lies in the ring of `options`.
  AoAuthenticator(const ConnectionOptions& options, const PeerKeys& keys,
                  const packet::FourTuple& tuple, SeqNum iss);

  AuthenticationKind kind() const override { return AuthenticationKind::kAo; }
  uint8_t option_bytes() const override { return kOptionBytes; }
  bool sign(SegmentOut& out) override;
  std::string_view verify(const packet::TcpSegment& segment) override;
  void set_irs(SeqNum irs) override;
  absl::Status update(const ConnectionOptions& options) override;
  std::optional<AoKeyIds> key_ids() const override;

 private:
  static constexpr uint8_t kOptionBytes = 4 + Mac::kSize;

  // Traffic keys of one MKT once both ISNs are known: Send_other and Receive_other. Made when first
  // needed. Those of SYNs are used once and not kept.
  struct TrafficKeys {
    Mac send;
    Mac receive;
  };

  const MasterKeyTuple& mkt(size_t index) const { return keys_->ao[index]; }
  std::optional<size_t> find_recv(uint8_t id) const;
  std::optional<size_t> find_send(uint8_t id) const;
  Mac sending_key(size_t index, SeqNum irs) const;
  Mac receiving_key(size_t index, SeqNum source_isn, SeqNum destination_isn) const;
  Mac& kept_sending_key(size_t index);
  Mac& kept_receiving_key(size_t index);
  bool matches(const packet::TcpSegment& segment, size_t index);
  absl::Status choose(const ConnectionOptions& options);
  void follow_key_ids(const packet::TcpSegment& segment, size_t index);

  std::shared_ptr<const KeyRing> ring_;
  const PeerKeys* keys_;
  const packet::FourTuple tuple_;
  const SeqNum iss_;
  SeqNum irs_;
  bool irs_known_ = false;
  size_t current_key_ = 0;  // index of the MKT we sign with
  size_t rnext_key_ = 0;    // index of the MKT we ask for
  std::vector<TrafficKeys> traffic_;
  SequenceExtension send_extension_;
  SequenceExtension receive_extension_;
  uint8_t received_key_id_ = 0;
  uint8_t received_rnext_key_id_ = 0;
};

}  // namespace tcproctor::tcp
