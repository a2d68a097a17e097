// SPDX-License-Identifier: Apache-2.0
// A link over a TUN device: raw IP packets, one per system call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stack/link/link.h"

namespace tcproctor::link {

class TunLink final : public Link {
 public:
  // Takes over `fd`: a descriptor of /dev/net/tun attached with TUNSETIFF to an IFF_TUN | IFF_NO_PI
  // device, with IFF_VNET_HDR or without, which is found out. With it, the creator has told the
  // kernel by TUNSETOFFLOAD what may be sent to us. INVALID_ARGUMENT: `fd` is nothing of the kind
  // (it is closed then as well).
  static absl::StatusOr<std::unique_ptr<TunLink>> adopt(int fd);
  ~TunLink() override;

  host::LinkLayer layer() const override { return host::LinkLayer::kRawIp; }
  int fd() const override { return fd_; }
  // UNAVAILABLE: the device is gone.
  absl::Status receive(std::vector<ReceivedFrame>& frames) override;
  std::span<uint8_t> send_buffer() override { return {send_buffer_.get(), kMaxFrame}; }
  // Writes at once: batching gains nothing on TUN.
  absl::Status send(std::span<const uint8_t> frame, const host::FrameMeta& meta) override;
  absl::Status flush() override { return absl::OkStatus(); }
  LinkCounters counters() override { return counters_; }

  bool vnet_header() const { return vnet_bytes_ != 0; }

 private:
  static constexpr size_t kBatch = 32;

  TunLink(int fd, size_t vnet_bytes);

  const int fd_;
  const size_t vnet_bytes_;  // octets before each packet: 0 = no vnet header; 10, or 12 if so set
  std::unique_ptr<uint8_t[]> storage_;
  std::unique_ptr<uint8_t[]> send_buffer_;
  LinkCounters counters_;
};

}  // namespace tcproctor::link
