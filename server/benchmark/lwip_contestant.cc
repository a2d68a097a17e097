// SPDX-License-Identifier: Apache-2.0
// lwIP as Debian builds it (2.1.3, with a thread of its own for timers and a lock around the core),
// through its raw API: callbacks, zero-copy sending, packets read straight into its buffers, one
// system call for each. PBUF_RAM throughout: Debian's build overflows with PBUF_POOL.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/benchmark/contestant.h"

// Not all of its headers know of C++.
extern "C" {
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/tcp.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>
}

namespace tcproctor::server::benchmark {
namespace {

constexpr uint16_t kMtu = 1500;
constexpr uint16_t kLongestFrame = kMtu + 14;

absl::Status failed(const char* what) {
  return absl::InternalError(absl::StrCat("lwIP contestant: ", what, ": ", std::strerror(errno)));
}

int device = -1;  // frames or packets in and out
const std::vector<uint8_t>& pattern() {
  static const std::vector<uint8_t> bytes(kChunk);
  return bytes;
}

err_t write_frame(netif*, pbuf* frame) {
  // LWIP_NETIF_TX_SINGLE_PBUF: it is in one piece. A device that is full loses it.
  [[maybe_unused]] const ssize_t written = write(device, frame->payload, frame->len);
  return ERR_OK;
}

err_t write_packet(netif* out, pbuf* packet, const ip4_addr_t*) {
  return write_frame(out, packet);
}

err_t init_ethernet(netif* made) {
  made->mtu = kMtu;
  made->hwaddr_len = 6;
  made->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
  made->output = etharp_output;
  made->linkoutput = write_frame;
  return ERR_OK;
}

err_t init_tun(netif* made) {
  made->mtu = kMtu;
  made->flags = NETIF_FLAG_LINK_UP;
  made->output = write_packet;
  return ERR_OK;
}

err_t close_pcb(tcp_pcb* pcb) {
  tcp_recv(pcb, nullptr);
  tcp_sent(pcb, nullptr);
  if (tcp_close(pcb) == ERR_OK) return ERR_OK;
  tcp_abort(pcb);
  return ERR_ABRT;
}

err_t on_data(void* argument, tcp_pcb* pcb, pbuf* data, err_t) {
  if (data == nullptr) return close_pcb(pcb);
  if (argument != nullptr) {
    tcp_write(pcb, data->payload, data->len, TCP_WRITE_FLAG_COPY);
    tcp_output(pcb);
  }
  tcp_recved(pcb, data->tot_len);
  pbuf_free(data);
  return ERR_OK;
}

void fill(tcp_pcb* pcb) {
  for (;;) {
    const auto room = static_cast<u16_t>(std::min<tcpwnd_size_t>(tcp_sndbuf(pcb), 32768));
    if (room == 0 || tcp_write(pcb, pattern().data(), room, 0) != ERR_OK) break;
  }
  tcp_output(pcb);
}

err_t on_sent(void*, tcp_pcb* pcb, u16_t) {
  fill(pcb);
  return ERR_OK;
}

err_t on_accept(void*, tcp_pcb* pcb, err_t error) {
  if (error != ERR_OK || pcb == nullptr) return ERR_VAL;
  tcp_nagle_disable(pcb);
  tcp_recv(pcb, on_data);
  tcp_arg(pcb, pcb->local_port == kEchoPort ? pcb : nullptr);
  if (pcb->local_port != kChargenPort) return ERR_OK;
  tcp_sent(pcb, on_sent);
  fill(pcb);
  return ERR_OK;
}

absl::Status open_packet_socket(const Place& place) {
  device = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
  if (device < 0) return failed("packet socket");
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(ETH_P_ALL);
  at.sll_ifindex = static_cast<int>(if_nametoindex(place.interface.c_str()));
  if (bind(device, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return failed("bind");
  const int bytes = 32 << 20;
  setsockopt(device, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  const int on = 1;
  constexpr int kPacketIgnoreOutgoing = 23;
  if (setsockopt(device, SOL_PACKET, kPacketIgnoreOutgoing, &on, sizeof on) != 0) {
    return failed("PACKET_IGNORE_OUTGOING");
  }
  return absl::OkStatus();
}

absl::Status open_ports() {
  for (const uint16_t port : kPorts) {
    tcp_pcb* const pcb = tcp_new();
    if (pcb == nullptr || tcp_bind(pcb, IP4_ADDR_ANY, port) != ERR_OK) {
      return absl::InternalError("lwIP contestant: tcp_bind failed");
    }
    tcp_pcb* const listener = tcp_listen_with_backlog(pcb, TCP_DEFAULT_LISTEN_BACKLOG);
    if (listener == nullptr) return absl::InternalError("lwIP contestant: tcp_listen failed");
    tcp_accept(listener, on_accept);
  }
  return absl::OkStatus();
}

[[noreturn]] void run(netif& interface, bool busy_poll) {
  for (;;) {
    pollfd wait{.fd = device, .events = POLLIN, .revents = 0};
    poll(&wait, 1, busy_poll ? 0 : -1);
    LOCK_TCPIP_CORE();
    for (;;) {
      pbuf* const frame = pbuf_alloc(PBUF_RAW, kLongestFrame, PBUF_RAM);
      const ssize_t got = frame == nullptr ? -1 : read(device, frame->payload, frame->len);
      if (got <= 0) {
        if (frame != nullptr) pbuf_free(frame);
        break;
      }
      pbuf_realloc(frame, static_cast<u16_t>(got));
      if (interface.input(frame, &interface) != ERR_OK) pbuf_free(frame);
    }
    UNLOCK_TCPIP_CORE();
  }
}

}  // namespace

absl::Status serve_lwip(Place place, absl::FunctionRef<void()> ready) {
  const bool tun = place.tun_fd >= 0;
  if (tun) {
    device = place.tun_fd;
    fcntl(device, F_SETFL, fcntl(device, F_GETFL) | O_NONBLOCK);
  } else if (absl::Status status = open_packet_socket(place); !status.ok()) {
    return status;
  }
  std::atomic<bool> started{false};
  tcpip_init([](void* done) { *static_cast<std::atomic<bool>*>(done) = true; }, &started);
  while (!started) usleep(100);

  static netif interface;
  ip4_addr_t address, mask, gateway;
  address.addr = inet_addr(kContestantAddress);
  mask.addr = inet_addr("255.255.255.0");
  gateway.addr = inet_addr(kPeerAddress);
  LOCK_TCPIP_CORE();
  if (!tun) std::memcpy(interface.hwaddr, place.mac.bytes.data(), place.mac.bytes.size());
  const bool added =
      netif_add(&interface, &address, &mask, &gateway, nullptr, tun ? init_tun : init_ethernet,
                tun ? ip_input : ethernet_input) != nullptr;
  if (added) {
    netif_set_default(&interface);
    netif_set_up(&interface);
  }
  const absl::Status status =
      added ? open_ports() : absl::InternalError("lwIP contestant: netif_add failed");
  UNLOCK_TCPIP_CORE();
  if (!status.ok()) return status;
  ready();
  run(interface, place.busy_poll);
}

}  // namespace tcproctor::server::benchmark
