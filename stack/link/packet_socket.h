// SPDX-License-Identifier: Apache-2.0
// A link over AF_PACKET: raw Ethernet frames on one interface of one network namespace.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stack/link/link.h"
#include "stack/link/vnet_header.h"
#include "stack/packet/ethernet.h"

namespace tcproctor::link {

struct PacketSocketOptions {
  // PACKET_VNET_HDR: super-segments and unfinished checksums both ways. Without it, frames that the
  // device's offloads left with an unfinished checksum are known by PACKET_AUXDATA, and only
  // finished frames up to the MTU can be sent.
  bool vnet_header = false;
  // Octets the kernel holds for us while we are busy; 64 KiB .. 1 GiB. Beyond the system's limit
  // only with CAP_NET_ADMIN.
  uint32_t receive_buffer_bytes = 32 << 20;
};

class PacketSocket final : public Link {
 public:
  // Opens a socket on the interface `name` of the calling thread's namespace; the object may then
  // be used on any one thread. Receives frames for every
  // destination and of every protocol, but none that this machine sends on the interface.
  //  NOT_FOUND: no such interface here. PERMISSION_DENIED: CAP_NET_RAW is missing.
  static absl::StatusOr<std::unique_ptr<PacketSocket>> open(const std::string& name,
                                                            const PacketSocketOptions& options);
  // The same with a socket that was opened in the interface's namespace: AF_PACKET, SOCK_RAW |
  // SOCK_NONBLOCK, protocol 0. Takes ownership of it, also on failure.
  static absl::StatusOr<std::unique_ptr<PacketSocket>> adopt(int fd, const std::string& name,
                                                             const PacketSocketOptions& options);
  ~PacketSocket() override;

  host::LinkLayer layer() const override { return host::LinkLayer::kEthernet; }
  int fd() const override { return fd_; }
  // UNAVAILABLE: the interface is down or gone.
  absl::Status receive(std::vector<ReceivedFrame>& frames) override;
  std::span<uint8_t> send_buffer() override;
  absl::Status send(std::span<const uint8_t> frame, const host::FrameMeta& meta) override;
  absl::Status flush() override;
  LinkCounters counters() override;

  // As they were when the socket was opened.
  const packet::MacAddress& mac() const { return mac_; }
  uint32_t mtu() const { return mtu_; }
  bool vnet_header() const { return vnet_header_; }

 private:
  static constexpr size_t kBatch = 64;
  // Room for SCM_TIMESTAMPNS and PACKET_AUXDATA.
  static constexpr size_t kControlBytes = 128;

  // One message of a batch, in the form recvmmsg and sendmmsg want it.
  struct Slot {
    VnetHeader vnet;
    std::array<iovec, 2> parts;
    alignas(8) std::array<uint8_t, kControlBytes> control;
  };
  struct Batch {
    std::unique_ptr<uint8_t[]> storage;  // kBatch frames of kStride octets
    std::array<Slot, kBatch> slots;
    std::array<mmsghdr, kBatch> messages;
  };

  PacketSocket(int fd, bool vnet_header);
  void prepare(Batch& batch) const;
  uint8_t* frame_at(const Batch& batch, size_t index) const;
  bool take(size_t index, size_t length, ReceivedFrame& frame);
  void read_control(const msghdr& message, std::span<const uint8_t> bytes, ReceivedFrame& frame);

  const int fd_;
  const bool vnet_header_;
  packet::MacAddress mac_;
  uint32_t mtu_ = 0;
  std::unique_ptr<Batch> in_;
  std::unique_ptr<Batch> out_;
  size_t queued_ = 0;  // frames in out_ that wait for flush()
  LinkCounters counters_;
};

}  // namespace tcproctor::link
