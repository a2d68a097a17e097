// SPDX-License-Identifier: Apache-2.0
// The cryptography of TCP-MD5 and TCP-AO, from OpenSSL's libcrypto; and the octets of a segment
// that a MAC covers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "stack/packet/address.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/authentication/keys.h"
#include "stack/tcp/segment_out.h"

// OpenSSL's own names.
struct evp_mac_ctx_st;
struct evp_md_ctx_st;

namespace tcproctor::tcp {

// What is signed: a segment as it goes over the wire, but for its checksum, which counts as zero.
struct Signed {
  packet::IpAddress source;
  packet::IpAddress destination;
  packet::TcpHeader header;          // data_offset right, checksum 0
  std::span<const uint8_t> options;  // all of them, as on the wire
  std::span<const uint8_t> payload;
  std::span<const uint8_t> payload_rest;

  // TCP header, options and data: the length in the pseudo-header.
  size_t tcp_length() const;
};

Signed signed_part(const packet::TcpSegment& segment);
Signed signed_part(const SegmentOut& segment);

// A key set up for its MAC (RFC 5926 §3.2). Computing with it allocates nothing.
class Mac {
 public:
  static constexpr size_t kSize = 12;  // both are truncated to 96 bits

  Mac() = default;
  // `key`: 20 octets for kHmacSha1, 16 for kAesCmac (a traffic key); any for HMAC.
  Mac(AoAlgorithm algorithm, std::span<const uint8_t> key);

  explicit operator bool() const { return context_ != nullptr; }
  void start();
  void add(std::span<const uint8_t> bytes);
  // The whole MAC: 20 or 16 octets are valid.
  std::array<uint8_t, 20> finish();

 private:
  struct Delete {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Delete> context_;
};

// Traffic_Key of RFC 5926 §3.1: 20 octets for kHmacSha1, 16 for kAesCmac. The context is RFC 5925
// §5.2's, from the view of the segment: source first.
struct TrafficKey {
  std::array<uint8_t, 20> bytes{};
  size_t size = 0;
  std::span<const uint8_t> span() const { return {bytes.data(), size}; }
  ~TrafficKey();
};
TrafficKey derive_traffic_key(AoAlgorithm algorithm, std::string_view master_key,
                              const packet::SocketAddress& source,
                              const packet::SocketAddress& destination, uint32_t source_isn,
                              uint32_t destination_isn);

// The MAC of TCP-AO (RFC 5925 §5.1) over `segment`, whose TCP-AO option may hold anything in its
// MAC field.
std::array<uint8_t, Mac::kSize> ao_mac(Mac& key, const Signed& segment, bool covers_options,
                                       uint32_t sequence_number_extension);

// RFC 2385 §2. Keeps its context, so that a segment costs no allocation.
class Md5 {
 public:
  Md5();
  std::array<uint8_t, 16> digest(const Signed& segment, std::string_view key);

 private:
  struct Delete {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Delete> context_;
};

// In constant time.
bool same(std::span<const uint8_t> a, std::span<const uint8_t> b);

}  // namespace tcproctor::tcp
