// SPDX-License-Identifier: Apache-2.0
// What the tests of this directory share.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stack/packet/address.h"

namespace tcproctor::packet {

using Bytes = std::vector<uint8_t>;

// Octets of hexadecimal text; blanks are ignored.
inline Bytes from_hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits += c;
  }
  Bytes bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline Bytes to_bytes(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

inline IpAddress ip_of(std::string_view text) {
  return IpAddress::parse(text).value();
}

// A generator whose seed is printed; TCPROCTOR_SEED in the environment repeats a run.
class Random {
 public:
  Random() {
    const char* text = std::getenv("TCPROCTOR_SEED");
    seed_ = text != nullptr ? std::strtoull(text, nullptr, 0) : 0x7C9;
    engine_.seed(seed_);
    std::cout << "TCPROCTOR_SEED=" << seed_ << '\n';
  }
  // Uniform in [0, limit].
  template <typename T = uint32_t>
  T up_to(uint64_t limit) {
    return static_cast<T>(std::uniform_int_distribution<uint64_t>(0, limit)(engine_));
  }
  bool coin() { return up_to(1) == 1; }
  Bytes bytes(size_t count) {
    Bytes result(count);
    for (uint8_t& byte : result) byte = up_to<uint8_t>(255);
    return result;
  }
  IpAddress address(IpFamily family) {
    const Bytes raw = bytes(16);
    return family == IpFamily::kV4
               ? IpAddress::v4_bytes(std::span<const uint8_t, 4>(raw.data(), 4))
               : IpAddress::v6_bytes(std::span<const uint8_t, 16>(raw.data(), 16));
  }

 private:
  uint64_t seed_;
  std::mt19937_64 engine_;
};

}  // namespace tcproctor::packet
