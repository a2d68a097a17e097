// SPDX-License-Identifier: Apache-2.0
#include "server/end/peer_keys.h"

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/end/translate.h"

namespace tcproctor::server {
namespace {

absl::Status wrong(int index, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("options.keys.peers[", index, "].", what));
}

absl::Status read_peer(const std::string& text, int index, tcp::PeerKeys& out) {
  const size_t slash = text.find('/');
  const absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(text.substr(0, slash));
  if (!address.ok()) {
    return wrong(index, absl::StrCat("peer: \"", text, "\" is neither ADDRESS nor ADDRESS/PREFIX"));
  }
  const uint32_t bits = address->is_v4() ? 32 : 128;
  uint32_t prefix = bits;
  if (slash != std::string::npos &&
      (!absl::SimpleAtoi(text.substr(slash + 1), &prefix) || prefix > bits)) {
    return wrong(index, absl::StrCat("peer: \"", text, "\": the prefix length is not 0..", bits));
  }
  out.peer = *address;
  out.prefix_length = static_cast<uint8_t>(prefix);
  return absl::OkStatus();
}

absl::StatusOr<tcp::MasterKeyTuple> read_ao(const v1::AoKey& key, int index) {
  if (key.send_id() > 255) return wrong(index, "ao.send_id: out of range; 0..255");
  if (key.recv_id() > 255) return wrong(index, "ao.recv_id: out of range; 0..255");
  if (!v1::AoAlgorithm_IsValid(key.algorithm()))
    return wrong(index, "ao.algorithm: no AoAlgorithm");
  return tcp::MasterKeyTuple{.send_id = static_cast<uint8_t>(key.send_id()),
                             .recv_id = static_cast<uint8_t>(key.recv_id()),
                             .algorithm = from_proto(key.algorithm()),
                             .covers_options = !key.has_covers_options() || key.covers_options(),
                             .key = key.key()};
}

}  // namespace

absl::StatusOr<std::vector<tcp::PeerKeys>> peer_keys_from_proto(const v1::Keys& keys) {
  std::vector<tcp::PeerKeys> all;
  for (int index = 0; index < keys.peers_size(); ++index) {
    const v1::PeerKeys& peer = keys.peers(index);
    tcp::PeerKeys entry{.peer = packet::IpAddress::any(packet::IpFamily::kV4),
                        .prefix_length = 0,
                        .md5 = peer.md5(),
                        .ao = {}};
    for (const v1::AoKey& key : peer.ao()) {
      const absl::StatusOr<tcp::MasterKeyTuple> tuple = read_ao(key, index);
      if (!tuple.ok()) return tuple.status();
      entry.ao.push_back(*tuple);
    }
    if (!peer.peer().empty()) {
      absl::Status status = read_peer(peer.peer(), index, entry);
      if (!status.ok()) return status;
    } else {
      all.push_back(entry);
      entry.peer = packet::IpAddress::any(packet::IpFamily::kV6);
    }
    all.push_back(std::move(entry));
  }
  if (absl::Status status = tcp::KeyRing(all).validate(); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("options.keys: ", status.message()));
  }
  return all;
}

}  // namespace tcproctor::server
