// SPDX-License-Identifier: Apache-2.0
#include "stack/link/packet_socket.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/tcp/check.h"

namespace tcproctor::link {
namespace {

// A frame begins 2 octets into its stride, so that the IP header behind the 14 octets of Ethernet
// is aligned to 4.
constexpr size_t kAlignment = 2;
constexpr size_t kStride = kMaxFrame + 64;

constexpr int kPacketIgnoreOutgoing = 23;  // PACKET_IGNORE_OUTGOING, since Linux 4.20

absl::Status error(const std::string& name, const char* what) {
  const int code = errno;
  const std::string text =
      absl::StrCat("packet socket on \"", name, "\": ", what, ": ", std::strerror(code));
  if (code == EPERM || code == EACCES) {
    return absl::PermissionDeniedError(absl::StrCat(text, " (CAP_NET_RAW is needed)"));
  }
  if (code == ENODEV) return absl::NotFoundError(text);
  return absl::InternalError(text);
}

// Sets a socket option to an int; false with errno.
bool set_int(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

absl::Status set_options(int fd, const std::string& name, const PacketSocketOptions& options) {
  // Must precede bind: frames already queued would come without a vnet header.
  if (options.vnet_header && !set_int(fd, SOL_PACKET, PACKET_VNET_HDR, 1)) {
    return error(name, "PACKET_VNET_HDR");
  }
  if (!set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1)) return error(name, "PACKET_AUXDATA");
  if (!set_int(fd, SOL_PACKET, kPacketIgnoreOutgoing, 1)) {
    return error(name, "PACKET_IGNORE_OUTGOING");
  }
  if (!set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)) return error(name, "SO_TIMESTAMPNS");
  const int bytes = static_cast<int>(options.receive_buffer_bytes);
  if (!set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) &&
      !set_int(fd, SOL_SOCKET, SO_RCVBUF, bytes)) {
    return error(name, "SO_RCVBUF");
  }
  return absl::OkStatus();
}

absl::Status bind_to(int fd, const std::string& name, int index) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = index;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return error(name, "bind");
  }
  // Frames for other hosts too: a host behind the socket has a MAC address of its own.
  packet_mreq promiscuous{};
  promiscuous.mr_ifindex = index;
  promiscuous.mr_type = PACKET_MR_PROMISC;
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) != 0) {
    return error(name, "PACKET_MR_PROMISC");
  }
  return absl::OkStatus();
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

absl::Status check(const std::string& name, const PacketSocketOptions& options) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    return absl::InvalidArgumentError(
        absl::StrCat("interface name \"", name, "\": must have 1 to ", IFNAMSIZ - 1, " octets"));
  }
  if (options.receive_buffer_bytes < 65536 || options.receive_buffer_bytes > 1u << 30) {
    return absl::InvalidArgumentError(absl::StrCat(
        "receive_buffer_bytes: ", options.receive_buffer_bytes, ", must be 65536 to 1073741824"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PacketSocket>> PacketSocket::open(
    const std::string& name, const PacketSocketOptions& options) {
  if (absl::Status status = check(name, options); !status.ok()) return status;
  // Protocol 0: nothing is received before everything is set up.
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return error(name, "socket");
  return adopt(fd, name, options);
}

absl::StatusOr<std::unique_ptr<PacketSocket>> PacketSocket::adopt(
    int fd, const std::string& name, const PacketSocketOptions& options) {
  std::unique_ptr<PacketSocket> link(new PacketSocket(fd, options.vnet_header));
  if (absl::Status status = check(name, options); !status.ok()) return status;
  ifreq request = request_for(name);
  if (ioctl(fd, SIOCGIFINDEX, &request) != 0) return error(name, "no such interface");
  const int index = request.ifr_ifindex;
  if (ioctl(fd, SIOCGIFMTU, &request) != 0) return error(name, "SIOCGIFMTU");
  link->mtu_ = static_cast<uint32_t>(request.ifr_mtu);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) return error(name, "SIOCGIFHWADDR");
  std::memcpy(link->mac_.bytes.data(), request.ifr_hwaddr.sa_data, link->mac_.bytes.size());

  if (absl::Status status = set_options(fd, name, options); !status.ok()) return status;
  if (absl::Status status = bind_to(fd, name, index); !status.ok()) return status;
  return link;
}

PacketSocket::PacketSocket(int fd, bool vnet_header)
    : fd_(fd),
      vnet_header_(vnet_header),
      in_(std::make_unique<Batch>()),
      out_(std::make_unique<Batch>()) {
  prepare(*in_);
  prepare(*out_);
}

PacketSocket::~PacketSocket() {
  close(fd_);
}

uint8_t* PacketSocket::frame_at(const Batch& batch, size_t index) const {
  return batch.storage.get() + index * kStride + kAlignment;
}

void PacketSocket::prepare(Batch& batch) const {
  // Not initialised: pages that no frame touches are never backed by memory.
  batch.storage = std::make_unique_for_overwrite<uint8_t[]>(kBatch * kStride);
  for (size_t i = 0; i < kBatch; ++i) {
    Slot& slot = batch.slots[i];
    slot.parts[0] = {&slot.vnet, sizeof(VnetHeader)};
    slot.parts[1] = {frame_at(batch, i), kMaxFrame};
    mmsghdr& message = batch.messages[i];
    message = {};
    message.msg_hdr.msg_iov = vnet_header_ ? slot.parts.data() : &slot.parts[1];
    message.msg_hdr.msg_iovlen = vnet_header_ ? 2 : 1;
  }
}

absl::Status PacketSocket::receive(std::vector<ReceivedFrame>& frames) {
  frames.clear();
  for (size_t i = 0; i < kBatch; ++i) {
    in_->messages[i].msg_hdr.msg_control = in_->slots[i].control.data();
    in_->messages[i].msg_hdr.msg_controllen = kControlBytes;
  }
  const int count = recvmmsg(fd_, in_->messages.data(), kBatch, MSG_DONTWAIT | MSG_TRUNC, nullptr);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("packet socket: receive: ", std::strerror(errno)));
  }
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    ReceivedFrame frame;
    if (take(i, in_->messages[i].msg_len, frame)) {
      frames.push_back(frame);
    } else {
      ++counters_.truncated;
    }
  }
  counters_.received += frames.size();
  return absl::OkStatus();
}

bool PacketSocket::take(size_t index, size_t length, ReceivedFrame& frame) {
  const msghdr& message = in_->messages[index].msg_hdr;
  const size_t before = vnet_header_ ? sizeof(VnetHeader) : 0;
  if ((message.msg_flags & MSG_TRUNC) != 0 || length < before) return false;
  const std::span<uint8_t> bytes(frame_at(*in_, index), length - before);
  frame.bytes = bytes;
  if (vnet_header_ && !read_vnet_header(in_->slots[index].vnet, bytes, frame.meta)) return false;
  read_control(message, bytes, frame);
  return true;
}

void PacketSocket::read_control(const msghdr& message, std::span<const uint8_t> bytes,
                                ReceivedFrame& frame) {
  // CMSG_NXTHDR does not write, but wants a non-const header.
  msghdr walk = message;
  for (cmsghdr* item = CMSG_FIRSTHDR(&walk); item != nullptr; item = CMSG_NXTHDR(&walk, item)) {
    if (item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_TIMESTAMPNS) {
      timespec time{};
      std::memcpy(&time, CMSG_DATA(item), sizeof time);
      frame.wall_time_ns = time.tv_sec * 1'000'000'000 + time.tv_nsec;
    } else if (item->cmsg_level == SOL_PACKET && item->cmsg_type == PACKET_AUXDATA &&
               !vnet_header_) {
      tpacket_auxdata data{};
      std::memcpy(&data, CMSG_DATA(item), sizeof data);
      if ((data.tp_status & TP_STATUS_CSUMNOTREADY) == 0) continue;
      frame.meta.checksum_trusted = true;
      frame.meta.checksum_start = static_cast<uint16_t>(tcp_offset(bytes, layer()));
      frame.meta.checksum_partial = frame.meta.checksum_start != 0;
    }
  }
}

std::span<uint8_t> PacketSocket::send_buffer() {
  if (queued_ == kBatch && !flush().ok() && queued_ == kBatch) return {};
  return {frame_at(*out_, queued_), kMaxFrame};
}

absl::Status PacketSocket::send(std::span<const uint8_t> frame, const host::FrameMeta& meta) {
  if (frame.size() > kMaxFrame || (meta.gso_size != 0 && !vnet_header_)) {
    ++counters_.send_refused;
    return absl::InvalidArgumentError(absl::StrCat("frame of ", frame.size(), " octets, gso_size ",
                                                   meta.gso_size, ": at most ", kMaxFrame,
                                                   " octets, gso_size only with a vnet header"));
  }
  const std::span<uint8_t> room = send_buffer();
  if (room.empty()) return absl::ResourceExhaustedError("packet socket: send queue is full");
  if (frame.data() != room.data()) std::memcpy(room.data(), frame.data(), frame.size());
  Slot& slot = out_->slots[queued_];
  slot.parts[1].iov_len = frame.size();
  if (vnet_header_) {
    slot.vnet = make_vnet_header(frame, meta, layer());
  } else if (meta.checksum_partial) {
    finish_checksum(room.first(frame.size()), meta.checksum_start, 16);
  }
  ++queued_;
  return queued_ == kBatch ? flush() : absl::OkStatus();
}

absl::Status PacketSocket::flush() {
  size_t done = 0;
  bool blocked = false;
  while (done < queued_ && !blocked) {
    const int count = sendmmsg(fd_, out_->messages.data() + done,
                               static_cast<unsigned>(queued_ - done), MSG_DONTWAIT);
    if (count > 0) {
      counters_.sent += static_cast<uint64_t>(count);
      done += static_cast<size_t>(count);
    } else if (errno == EAGAIN) {
      blocked = true;
    } else if (errno != EINTR) {
      // This one frame is refused (too long, device down, device queue dropped it): TCP will see to
      // the loss; the others go on.
      ++counters_.send_refused;
      ++done;
    }
  }
  // What is left moves to the front, frames and headers, so that slot i always owns stride i.
  for (size_t i = done; i < queued_; ++i) {
    const size_t length = out_->slots[i].parts[1].iov_len;
    std::memcpy(frame_at(*out_, i - done), frame_at(*out_, i), length);
    out_->slots[i - done].vnet = out_->slots[i].vnet;
    out_->slots[i - done].parts[1].iov_len = length;
  }
  queued_ -= done;
  if (blocked) return absl::ResourceExhaustedError("packet socket: send queue is full");
  return absl::OkStatus();
}

LinkCounters PacketSocket::counters() {
  // The kernel's counters start again at 0 with each reading.
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0) {
    counters_.receive_drops += stats.tp_drops;
  }
  return counters_;
}

}  // namespace tcproctor::link
