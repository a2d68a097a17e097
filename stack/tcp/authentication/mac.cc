// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/authentication/mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <string>

#include "stack/packet/byte_order.h"
#include "stack/packet/ipv4.h"
#include "stack/tcp/check.h"

namespace tcproctor::tcp {
namespace {

using packet::store_be16;
using packet::store_be32;

// Of all connections; OpenSSL counts the references. They live as long as the program.
EVP_MAC* algorithm_of(AoAlgorithm algorithm) {
  static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  static EVP_MAC* const cmac = EVP_MAC_fetch(nullptr, "CMAC", nullptr);
  EVP_MAC* const found = algorithm == AoAlgorithm::kHmacSha1 ? hmac : cmac;
  TCPROCTOR_CHECK(found != nullptr);
  return found;
}

template <class Bytes>
std::span<const uint8_t> as_bytes(const Bytes& bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

// Of IPv4 as in RFC 9293 §3.1, of IPv6 as in RFC 8200 §8.1.
template <class Sink>
void add_pseudo_header(Sink add, const Signed& segment) {
  add(segment.source.bytes());
  add(segment.destination.bytes());
  std::array<uint8_t, 8> rest{};
  if (segment.source.is_v4()) {
    rest[1] = packet::kProtocolTcp;
    store_be16(rest.data() + 2, static_cast<uint16_t>(segment.tcp_length()));
    return add(std::span<const uint8_t>(rest).first(4));
  }
  store_be32(rest.data(), static_cast<uint32_t>(segment.tcp_length()));
  rest[7] = packet::kProtocolTcp;
  add(std::span<const uint8_t>(rest));
}

template <class Sink>
void add_fixed_header(Sink add, const Signed& segment) {
  std::array<uint8_t, packet::kTcpMinHeaderBytes> bytes{};
  TCPROCTOR_CHECK(packet::write_tcp_header(segment.header, {}, bytes) == bytes.size());
  add(std::span<const uint8_t>(bytes));
}

// RFC 5925 §5.1: the options with the MAC of TCP-AO zeroed; or that option alone.
template <class Sink>
void add_ao_options(Sink add, std::span<const uint8_t> options, bool covers_options) {
  std::array<uint8_t, packet::kMaxTcpOptionBytes> copy{};
  std::ranges::copy(options, copy.begin());
  size_t at = 0;
  while (at < options.size()) {
    packet::RawOption option;
    if (packet::next_option(options.subspan(at), option) != packet::OptionError::kNone) break;
    if (option.kind == static_cast<uint8_t>(packet::OptionKind::kAuthentication) &&
        option.size >= 4) {
      const std::span<uint8_t> whole = std::span(copy).subspan(at, option.size);
      std::ranges::fill(whole.subspan(4), uint8_t{0});
      if (!covers_options) return add(std::span<const uint8_t>(whole));
    }
    if (option.kind == static_cast<uint8_t>(packet::OptionKind::kEnd)) break;
    at += option.size;
  }
  if (covers_options) add(std::span<const uint8_t>(copy).first(options.size()));
}

}  // namespace

size_t Signed::tcp_length() const {
  return packet::kTcpMinHeaderBytes + options.size() + payload.size() + payload_rest.size();
}

Signed signed_part(const packet::TcpSegment& segment) {
  Signed part{.source = segment.source,
              .destination = segment.destination,
              .header = segment.header,
              .options = segment.options.raw,
              .payload = segment.payload,
              .payload_rest = {}};
  part.header.checksum = 0;
  return part;
}

Signed signed_part(const SegmentOut& segment) {
  Signed part{.source = segment.tuple.local.address,
              .destination = segment.tuple.remote.address,
              .header = segment.header,
              .options = segment.options(),
              .payload = segment.payload,
              .payload_rest = segment.payload_rest};
  part.header.data_offset =
      static_cast<uint8_t>((packet::kTcpMinHeaderBytes + segment.option_size) / 4);
  return part;
}

void Mac::Delete::operator()(evp_mac_ctx_st* context) const {
  EVP_MAC_CTX_free(context);
}

Mac::Mac(AoAlgorithm algorithm, std::span<const uint8_t> key)
    : context_(EVP_MAC_CTX_new(algorithm_of(algorithm))) {
  TCPROCTOR_CHECK(context_ != nullptr);
  std::string name = algorithm == AoAlgorithm::kHmacSha1 ? "SHA1" : "AES-128-CBC";
  const char* const parameter =
      algorithm == AoAlgorithm::kHmacSha1 ? OSSL_MAC_PARAM_DIGEST : OSSL_MAC_PARAM_CIPHER;
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(parameter, name.data(), 0), OSSL_PARAM_construct_end()};
  TCPROCTOR_CHECK(EVP_MAC_init(context_.get(), key.data(), key.size(), parameters.data()) == 1);
}

void Mac::start() {  // the same key again
  TCPROCTOR_CHECK(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1);
}

void Mac::add(std::span<const uint8_t> bytes) {
  TCPROCTOR_CHECK(EVP_MAC_update(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::array<uint8_t, 20> Mac::finish() {
  std::array<uint8_t, 20> mac{};
  size_t size = 0;
  TCPROCTOR_CHECK(EVP_MAC_final(context_.get(), mac.data(), &size, mac.size()) == 1);
  return mac;
}

TrafficKey::~TrafficKey() {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

TrafficKey derive_traffic_key(AoAlgorithm algorithm, std::string_view master_key,
                              const packet::SocketAddress& source,
                              const packet::SocketAddress& destination, uint32_t source_isn,
                              uint32_t destination_isn) {
  TrafficKey key;
  key.size = algorithm == AoAlgorithm::kHmacSha1 ? 20 : 16;
  std::span<const uint8_t> seed = as_bytes(master_key);
  TrafficKey fixed;  // RFC 5926 §3.1.1.2: a master key of another length than 128 bits
  if (algorithm == AoAlgorithm::kAesCmac && seed.size() != 16) {
    Mac mac(algorithm, std::array<uint8_t, 16>{});
    mac.add(seed);
    fixed.bytes = mac.finish();
    fixed.size = 16;
    seed = fixed.span();
  }
  // i || Label || Context || Output_Length
  Mac mac(algorithm, seed);
  constexpr std::string_view kStart = "\x01TCP-AO";
  mac.add(as_bytes(kStart));
  mac.add(source.address.bytes());
  mac.add(destination.address.bytes());
  std::array<uint8_t, 14> rest{};
  store_be16(rest.data(), source.port);
  store_be16(rest.data() + 2, destination.port);
  store_be32(rest.data() + 4, source_isn);
  store_be32(rest.data() + 8, destination_isn);
  store_be16(rest.data() + 12, static_cast<uint16_t>(key.size * 8));
  mac.add(rest);
  key.bytes = mac.finish();
  return key;
}

std::array<uint8_t, Mac::kSize> ao_mac(Mac& key, const Signed& segment, bool covers_options,
                                       uint32_t sequence_number_extension) {
  const auto add = [&key](std::span<const uint8_t> bytes) { key.add(bytes); };
  key.start();
  std::array<uint8_t, 4> extension{};
  store_be32(extension.data(), sequence_number_extension);
  key.add(extension);
  add_pseudo_header(add, segment);
  add_fixed_header(add, segment);
  add_ao_options(add, segment.options, covers_options);
  key.add(segment.payload);
  key.add(segment.payload_rest);
  const std::array<uint8_t, 20> whole = key.finish();
  std::array<uint8_t, Mac::kSize> mac{};
  std::copy_n(whole.begin(), mac.size(), mac.begin());
  return mac;
}

void Md5::Delete::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Md5::Md5() : context_(EVP_MD_CTX_new()) {
  TCPROCTOR_CHECK(context_ != nullptr &&
                  EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) == 1);
}

// RFC2385-2-1: pseudo-header, header without options, data, key.
std::array<uint8_t, 16> Md5::digest(const Signed& segment, std::string_view key) {
  const auto add = [this](std::span<const uint8_t> bytes) {
    TCPROCTOR_CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  };
  TCPROCTOR_CHECK(EVP_DigestInit_ex(context_.get(), nullptr, nullptr) == 1);
  add_pseudo_header(add, segment);
  add_fixed_header(add, segment);
  add(segment.payload);
  add(segment.payload_rest);
  add(as_bytes(key));
  std::array<uint8_t, 16> digest{};
  TCPROCTOR_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
  return digest;
}

bool same(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tcproctor::tcp
