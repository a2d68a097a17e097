// SPDX-License-Identifier: Apache-2.0
#include "stack/link/tun_link.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "stack/link/vnet_header.h"

namespace tcproctor::link {
namespace {

// The vnet header of a device may be longer than ours; what follows our 10 octets is not read.
constexpr size_t kMaxVnetBytes = 32;

absl::Status not_tun(int fd, const char* what) {
  close(fd);
  return absl::InvalidArgumentError(
      absl::StrCat("descriptor ", fd, " ", what,
                   "; it must be attached to an IFF_TUN | IFF_NO_PI device by TUNSETIFF"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TunLink>> TunLink::adopt(int fd) {
  ifreq request{};
  if (ioctl(fd, TUNGETIFF, &request) != 0) return not_tun(fd, "is no attached TUN device");
  const int flags = static_cast<uint16_t>(request.ifr_flags);
  if ((flags & IFF_TUN) == 0) return not_tun(fd, "is a TAP device");
  if ((flags & IFF_NO_PI) == 0) return not_tun(fd, "has a packet-information header");
  int vnet_bytes = 0;
  if ((flags & IFF_VNET_HDR) != 0 && (ioctl(fd, TUNGETVNETHDRSZ, &vnet_bytes) != 0 ||
                                      vnet_bytes < static_cast<int>(sizeof(VnetHeader)) ||
                                      vnet_bytes > static_cast<int>(kMaxVnetBytes))) {
    return not_tun(fd, "has a vnet header of a size other than 10 to 32");
  }
  const int mode = fcntl(fd, F_GETFL);
  if (mode < 0 || fcntl(fd, F_SETFL, mode | O_NONBLOCK) != 0) {
    return not_tun(fd, "cannot be made non-blocking");
  }
  return std::unique_ptr<TunLink>(new TunLink(fd, static_cast<size_t>(vnet_bytes)));
}

TunLink::TunLink(int fd, size_t vnet_bytes)
    : fd_(fd),
      vnet_bytes_(vnet_bytes),
      storage_(std::make_unique_for_overwrite<uint8_t[]>(kBatch * kMaxFrame)),
      send_buffer_(std::make_unique_for_overwrite<uint8_t[]>(kMaxFrame)) {}

TunLink::~TunLink() {
  close(fd_);
}

absl::Status TunLink::receive(std::vector<ReceivedFrame>& frames) {
  frames.clear();
  for (size_t i = 0; i < kBatch; ++i) {
    alignas(8) std::array<uint8_t, kMaxVnetBytes> header{};
    uint8_t* const room = storage_.get() + i * kMaxFrame;
    const std::array<iovec, 2> parts = {iovec{header.data(), vnet_bytes_}, iovec{room, kMaxFrame}};
    const ssize_t got = vnet_bytes_ == 0 ? read(fd_, room, kMaxFrame) : readv(fd_, parts.data(), 2);
    if (got < 0) {
      if (errno == EAGAIN || errno == EINTR) break;
      // What was read before is delivered first; the next call reports again.
      if (!frames.empty()) break;
      return absl::UnavailableError(absl::StrCat("TUN device: ", std::strerror(errno)));
    }
    if (static_cast<size_t>(got) <= vnet_bytes_) continue;
    const std::span<uint8_t> bytes(room, static_cast<size_t>(got) - vnet_bytes_);
    ReceivedFrame frame{.bytes = bytes};
    if (vnet_bytes_ != 0) {
      VnetHeader vnet;
      std::memcpy(&vnet, header.data(), sizeof vnet);
      if (!read_vnet_header(vnet, bytes, frame.meta)) {
        ++counters_.truncated;
        continue;
      }
    }
    frames.push_back(frame);
  }
  counters_.received += frames.size();
  return absl::OkStatus();
}

absl::Status TunLink::send(std::span<const uint8_t> frame, const host::FrameMeta& meta) {
  if (frame.size() > kMaxFrame || (meta.gso_size != 0 && vnet_bytes_ == 0)) {
    ++counters_.send_refused;
    return absl::InvalidArgumentError(absl::StrCat("packet of ", frame.size(), " octets, gso_size ",
                                                   meta.gso_size, ": at most ", kMaxFrame,
                                                   " octets, gso_size only with a vnet header"));
  }
  uint8_t* bytes = send_buffer_.get();
  if (frame.data() != bytes) std::memcpy(bytes, frame.data(), frame.size());
  alignas(8) std::array<uint8_t, kMaxVnetBytes> header{};
  if (vnet_bytes_ != 0) {
    const VnetHeader vnet = make_vnet_header(frame, meta, layer());
    std::memcpy(header.data(), &vnet, sizeof vnet);
  } else if (meta.checksum_partial) {
    finish_checksum({bytes, frame.size()}, meta.checksum_start, 16);
  }
  const std::array<iovec, 2> parts = {iovec{header.data(), vnet_bytes_},
                                      iovec{bytes, frame.size()}};
  ssize_t written;
  do {
    written = writev(fd_, parts.data(), 2);
  } while (written < 0 && errno == EINTR);
  if (written >= 0) {
    ++counters_.sent;
    return absl::OkStatus();
  }
  if (errno == EAGAIN) return absl::ResourceExhaustedError("TUN device: its queue is full");
  // The packet is lost (device down, too long): TCP will see to it.
  ++counters_.send_refused;
  return absl::OkStatus();
}

}  // namespace tcproctor::link
