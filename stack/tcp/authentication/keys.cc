// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/authentication/keys.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <bitset>

#include "absl/strings/str_cat.h"

namespace tcproctor::tcp {
namespace {

absl::Status wrong(const PeerKeys& entry, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("keys for ", entry.peer.to_string(), "/", entry.prefix_length, ": ", why));
}

bool overlap(const PeerKeys& a, const PeerKeys& b) {
  if (a.peer.family() != b.peer.family()) return false;
  return a.peer.in_prefix(b.peer, std::min(a.prefix_length, b.prefix_length));
}

absl::Status check_tuples(const PeerKeys& entry) {
  std::bitset<256> send_ids;
  std::bitset<256> recv_ids;
  for (const MasterKeyTuple& mkt : entry.ao) {
    if (mkt.key.empty() || mkt.key.size() > kMaxMasterKey) {
      return wrong(entry, "a master key must have 1..255 octets");
    }
    // RFC5925-3.3-1: a KeyID names one MKT of a socket pair.
    if (send_ids.test(mkt.send_id)) return wrong(entry, "two MKTs have the same send_id");
    if (recv_ids.test(mkt.recv_id)) return wrong(entry, "two MKTs have the same recv_id");
    send_ids.set(mkt.send_id);
    recv_ids.set(mkt.recv_id);
  }
  return absl::OkStatus();
}

}  // namespace

KeyRing::~KeyRing() {
  for (PeerKeys& entry : peers_) {
    OPENSSL_cleanse(entry.md5.data(), entry.md5.size());
    for (MasterKeyTuple& mkt : entry.ao) OPENSSL_cleanse(mkt.key.data(), mkt.key.size());
  }
}

const PeerKeys* KeyRing::find(const packet::IpAddress& peer) const {
  const PeerKeys* best = nullptr;
  for (const PeerKeys& entry : peers_) {
    if (!peer.in_prefix(entry.peer, entry.prefix_length)) continue;
    if (best == nullptr || entry.prefix_length > best->prefix_length) best = &entry;
  }
  return best;
}

absl::Status KeyRing::validate() const {
  for (const PeerKeys& entry : peers_) {
    if (entry.prefix_length > (entry.peer.is_v4() ? 32 : 128)) {
      return wrong(entry, "the prefix is longer than the address");
    }
    // RFC5925-8-1.
    if (entry.md5.empty() == entry.ao.empty()) {
      return wrong(entry, "want either an MD5 key or TCP-AO keys (RFC 5925 §8)");
    }
    if (entry.md5.size() > kMaxMd5Key) return wrong(entry, "an MD5 key has at most 80 octets");
    if (absl::Status status = check_tuples(entry); !status.ok()) return status;
    for (const PeerKeys& other : peers_) {
      if (&other == &entry || !overlap(entry, other)) continue;
      if (entry.md5.empty() != other.md5.empty()) {
        return wrong(entry, "MD5 and TCP-AO for the same peer (RFC 5925 §8)");
      }
      if (entry.prefix_length == other.prefix_length) return wrong(entry, "given twice");
    }
  }
  return absl::OkStatus();
}

}  // namespace tcproctor::tcp
