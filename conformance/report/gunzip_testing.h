// SPDX-License-Identifier: Apache-2.0
// Reading what reports pack, for tests.
#pragma once

#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace tcproctor::conformance {

inline std::string gunzip(const std::string& zipped) {
  google::protobuf::io::ArrayInputStream in(zipped.data(), static_cast<int>(zipped.size()));
  google::protobuf::io::GzipInputStream stream(&in);
  std::string out;
  const void* chunk = nullptr;
  for (int size = 0; stream.Next(&chunk, &size);) {
    out.append(static_cast<const char*>(chunk), static_cast<size_t>(size));
  }
  return out;
}

struct Packet {
  std::string octets;     // as captured
  uint32_t whole_length;  // on the wire
};

// Of a pcap of this machine's byte order.
inline std::vector<Packet> packets_of(const std::string& pcap) {
  const auto word = [&](size_t at) {
    uint32_t value = 0;
    std::memcpy(&value, pcap.data() + at, sizeof(value));
    return value;
  };
  std::vector<Packet> packets;
  for (size_t at = 24; at + 16 <= pcap.size();) {
    const uint32_t captured = word(at + 8);
    packets.push_back({pcap.substr(at + 16, captured), word(at + 12)});
    at += 16 + captured;
  }
  return packets;
}

}  // namespace tcproctor::conformance
