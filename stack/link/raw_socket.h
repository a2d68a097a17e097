// SPDX-License-Identifier: Apache-2.0
// A link over raw IP sockets, for a host that shares the machine's own addresses: TCP segments to
// some ports of them, and the ICMP errors about what it sent there. The kernel routes what we send
// and sees all that we receive too: somebody must keep it from answering
// (server/host/packet_filter). Slower than every other link; see what it costs in the README.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stack/link/link.h"
#include "stack/packet/address.h"

namespace tcproctor::link {

struct RawSocketOptions {
  std::vector<packet::IpAddress> addresses;  // of the machine
  uint16_t first_port = 0, last_port = 0;    // segments to others are the kernel's alone
  uint32_t mark = 0;                         // SO_MARK of what we send
};

class RawSocket final : public Link {
 public:
  // In the network namespace of the calling thread. PERMISSION_DENIED: CAP_NET_RAW (or for the
  // mark CAP_NET_ADMIN) is missing.
  static absl::StatusOr<std::unique_ptr<RawSocket>> open(RawSocketOptions options);
  ~RawSocket() override;

  host::LinkLayer layer() const override { return host::LinkLayer::kRawIp; }
  int fd() const override { return epoll_; }
  absl::Status receive(std::vector<ReceivedFrame>& frames) override;
  std::span<uint8_t> send_buffer() override { return {send_buffer_.get(), kMaxFrame}; }
  // Sends at once. What the kernel does not take now is lost, as on any network.
  absl::Status send(std::span<const uint8_t> packet, const host::FrameMeta& meta) override;
  absl::Status flush() override { return absl::OkStatus(); }
  LinkCounters counters() override { return counters_; }

 private:
  static constexpr size_t kBatch = 32;

  // One raw socket to receive from: TCP or ICMP of a family.
  struct Source {
    int fd = -1;
    packet::IpFamily family = packet::IpFamily::kV4;
    uint8_t protocol = 0;
  };

  explicit RawSocket(RawSocketOptions options);
  absl::Status open_family(packet::IpFamily family);
  absl::Status open_source(packet::IpFamily family, uint8_t protocol);
  bool receive_from(const Source& source, size_t slot, ReceivedFrame& frame);
  bool wants(std::span<const uint8_t> packet, host::FrameMeta& meta) const;

  const RawSocketOptions options_;
  int epoll_ = -1;
  std::array<int, 2> send_fds_{-1, -1};  // IPv4, IPv6
  std::vector<Source> sources_;
  std::unique_ptr<uint8_t[]> storage_;
  std::unique_ptr<uint8_t[]> send_buffer_;
  LinkCounters counters_;
};

}  // namespace tcproctor::link
