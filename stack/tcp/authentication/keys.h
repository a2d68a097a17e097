// SPDX-License-Identifier: Apache-2.0
// The keys with which a connection's segments are signed: of TCP-MD5 (RFC 2385) or the master key
// tuples of TCP-AO (RFC 5925 §3.1), for each peer or range of peers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "stack/packet/address.h"

namespace tcproctor::tcp {

// Octets of a key at most; an empty one is none.
inline constexpr size_t kMaxMd5Key = 80;  // what the kernel and BGP speakers take
inline constexpr size_t kMaxMasterKey = 255;

// A pair of key derivation function and MAC (RFC 5926 §3): both are mandatory.
enum class AoAlgorithm : uint8_t {
  kHmacSha1,  // KDF_HMAC_SHA1 and HMAC-SHA-1-96
  kAesCmac,   // KDF_AES_128_CMAC and AES-128-CMAC-96
};

// Master key tuple (MKT) of RFC 5925 §3.1, less the TCP connection identifier: that is PeerKeys'.
struct MasterKeyTuple {
  uint8_t send_id = 0;  // SendID: the KeyID of what is signed with it (RFC5925-3.1-1: 0..255)
  uint8_t recv_id = 0;  // RecvID: the KeyID of what is verified with it
  AoAlgorithm algorithm = AoAlgorithm::kHmacSha1;
  bool covers_options = true;  // the TCP option flag: the MAC covers the other options too
  std::string key;             // master key, 1..255 octets
};

// The keys for one peer, or for every address of a prefix.
struct PeerKeys {
  packet::IpAddress peer;
  uint8_t prefix_length = 32;  // 0..32 or 0..128
  std::string md5;             // 1..80 octets (RFC2385-4.5-1); empty: TCP-AO
  // The first is current_key and rnext_key of a new connection unless said otherwise.
  std::vector<MasterKeyTuple> ao;
};

// All keys of a connection or listener. Immutable, shared by the connections of a listener; wiped
// when the last of them goes.
class KeyRing {
 public:
  explicit KeyRing(std::vector<PeerKeys> peers) : peers_(std::move(peers)) {}
  ~KeyRing();
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  // The longest prefix that holds `peer`; null when none does: its segments are not signed.
  const PeerKeys* find(const packet::IpAddress& peer) const;
  const std::vector<PeerKeys>& peers() const { return peers_; }
  // INVALID_ARGUMENT names the entry that is wrong, never a key.
  absl::Status validate() const;

 private:
  std::vector<PeerKeys> peers_;
};

}  // namespace tcproctor::tcp
