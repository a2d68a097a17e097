// SPDX-License-Identifier: Apache-2.0
#include "server/host/interface.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <fstream>

#include "server/host/offload.h"
#include "server/host/queue.h"
#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

using testing::at;
using testing::ip;

class InterfaceTest : public testing::TwoKernels {
 protected:
  static int flags(const NetworkNamespace& ns, const std::string& name) {
    const absl::StatusOr<UniqueFd> socket = ns.open_socket(AF_INET, SOCK_DGRAM, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, name.c_str());
    return ::ioctl(socket->get(), SIOCGIFFLAGS, &request) == 0 ? request.ifr_flags : 0;
  }
};

TEST_F(InterfaceTest, TheLinkWorksAtOnceInBothFamilies) {
  // Neither carrier nor duplicate address detection nor ARP may have to be waited for: a SYN lost
  // to any of them would be sent again after 1 s.
  for (const char* address : {"192.0.2.2", "2001:db8::2"}) {
    const SocketFamily family = ip(address).is_v4() ? SocketFamily::kIpv4 : SocketFamily::kIpv6;
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> a = NetworkNamespace::create();
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> b = NetworkNamespace::create();
    ASSERT_TRUE(create_veth(**a, spec(1), **b, spec(2)).ok());
    KernelSocket listening = make(**b, family);
    ASSERT_TRUE(listening.bind(at(address, 80)).ok());
    ASSERT_TRUE(listening.listen(1).ok());
    KernelSocket active = make(**a, family);
    ASSERT_EQ(active.connect(at(address, 80)).outcome, tcp::Outcome::kWouldBlock);
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(testing::ready(active, POLLOUT));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(200));
    EXPECT_TRUE(active.connect_result().ok());
  }
}

TEST_F(InterfaceTest, SetsWhatTheSpecificationSays) {
  InterfaceSpec one = spec(1);
  one.name = "a-leg";
  one.mtu = 9000;
  one.tx_queue_length = 12345;
  InterfaceSpec two = spec(2);
  two.name = "b-leg";
  two.mac.reset();
  const absl::StatusOr<VethPair> pair = create_veth(*a_, one, *b_, two);
  ASSERT_TRUE(pair.ok()) << pair.status();
  EXPECT_EQ(pair->a.mac, mac(1));
  EXPECT_NE(pair->b.mac, packet::MacAddress{});
  EXPECT_EQ(pair->a.name, "a-leg");
  const absl::StatusOr<UniqueFd> socket = a_->open_socket(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "a-leg");
  ASSERT_EQ(::ioctl(socket->get(), SIOCGIFMTU, &request), 0);
  EXPECT_EQ(request.ifr_mtu, 9000);
  ASSERT_EQ(::ioctl(socket->get(), SIOCGIFTXQLEN, &request), 0);
  EXPECT_EQ(request.ifr_qlen, 12345);
  ASSERT_EQ(::ioctl(socket->get(), SIOCGIFINDEX, &request), 0);
  EXPECT_EQ(static_cast<uint32_t>(request.ifr_ifindex), pair->a.index);
  EXPECT_EQ(flags(*a_, "a-leg") & (IFF_UP | IFF_RUNNING), IFF_UP | IFF_RUNNING);
  EXPECT_EQ(flags(*b_, "b-leg") & (IFF_UP | IFF_RUNNING), IFF_UP | IFF_RUNNING);
}

TEST_F(InterfaceTest, AFreshLinkIsSilent) {
  // With every neighbour known nothing is sent that nobody asked for, but MLD reports of the IPv6
  // addresses, which the wire filters.
  InterfaceSpec one = spec(1), two = spec(2);
  for (InterfaceSpec* each : {&one, &two}) {
    each->name = "quiet";
    each->addresses.resize(1);  // IPv4
    each->neighbours.resize(1);
  }
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> a = NetworkNamespace::create();
  absl::StatusOr<std::unique_ptr<NetworkNamespace>> b = NetworkNamespace::create();
  const absl::StatusOr<UniqueFd> capture =
      (*b)->open_socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
  ASSERT_TRUE(capture.ok()) << capture.status();
  ASSERT_TRUE(create_veth(**a, one, **b, two).ok());
  pollfd request{capture->get(), POLLIN, 0};
  EXPECT_EQ(::poll(&request, 1, 300), 0) << "a packet nobody asked for";
}

TEST_F(InterfaceTest, AQueueThatHoldsNothingDropsUntilTheDefaultIsBack) {
  KernelSocket listening = make(*b_, SocketFamily::kIpv4);
  ASSERT_TRUE(listening.bind(at("192.0.2.2", 80)).ok());
  ASSERT_TRUE(listening.listen(2).ok());
  const auto connects = [&] {
    KernelSocket active = make(*a_, SocketFamily::kIpv4);
    EXPECT_EQ(active.connect(at("192.0.2.2", 80)).outcome, tcp::Outcome::kWouldBlock);
    pollfd request{active.fd(), POLLOUT, 0};
    return ::poll(&request, 1, 200) == 1;  // long before the SYN is sent again
  };
  ASSERT_TRUE(set_queue(*a_, "pfifo", 0).ok());
  EXPECT_FALSE(connects());
  ASSERT_TRUE(set_queue(*a_, "", std::nullopt).ok());
  EXPECT_TRUE(connects());
  // Once more: there is nothing to remove.
  EXPECT_TRUE(set_queue(*a_, "", std::nullopt).ok());
  EXPECT_EQ(set_queue(*a_, "no-such-kind", std::nullopt).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(set_queue(*a_, "pfifo_fast", 5).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(InterfaceTest, OffloadsAreOffAndThePreflightCanFail) {
  EXPECT_THAT(*offloads_on(*a_, "wire0"), ::testing::IsEmpty());
  EXPECT_THAT(*offloads_on(*b_, "wire0"), ::testing::IsEmpty());
  for (const char* feature : {"tx-checksum-ip-generic", "rx-gro"}) {
    ASSERT_TRUE(set_feature(*a_, "wire0", feature, true).ok()) << feature;
    EXPECT_THAT(*offloads_on(*a_, "wire0"), ::testing::ElementsAre(feature));
    ASSERT_TRUE(disable_offloads(*a_, "wire0").ok());
    EXPECT_THAT(*offloads_on(*a_, "wire0"), ::testing::IsEmpty());
  }
  EXPECT_EQ(set_feature(*a_, "wire0", "no-such-feature", true).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(offloads_on(*a_, "nothing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(InterfaceTest, OffloadsStayWhereTheyAreWanted) {
  InterfaceSpec one = spec(1), two = spec(2);
  one.name = two.name = "fast";
  one.offloads = true;
  ASSERT_TRUE(create_veth(*a_, one, *b_, two).ok());
  EXPECT_THAT(*offloads_on(*a_, "fast"),
              ::testing::IsSupersetOf({"tx-checksum-ip-generic", "tx-tcp-segmentation"}));
  EXPECT_THAT(*offloads_on(*b_, "fast"), ::testing::IsEmpty());
}

TEST_F(InterfaceTest, SaysWhatIsWrong) {
  const auto code_and_text = [&](const InterfaceSpec& bad) {
    InterfaceSpec far;
    far.name = "far";
    const absl::Status status = create_veth(*a_, bad, *b_, far).status();
    return std::string(absl::StatusCodeToString(status.code())) + ": " +
           std::string(status.message());
  };
  const auto with = [&](const std::function<void(InterfaceSpec&)>& change) {
    InterfaceSpec result = spec(1);
    result.name = "fresh";
    change(result);
    return code_and_text(result);
  };
  using ::testing::AllOf;
  using ::testing::HasSubstr;
  EXPECT_THAT(with([](auto& s) { s.name = "sixteen-octets--"; }),
              AllOf(HasSubstr("INVALID_ARGUMENT"), HasSubstr("name")));
  EXPECT_THAT(with([](auto& s) { s.name = "a/b"; }), HasSubstr("name"));
  EXPECT_THAT(with([](auto& s) { s.mtu = 67; }), HasSubstr("mtu: 67"));
  EXPECT_THAT(with([](auto& s) { s.mtu = 1279; }), HasSubstr("IPv6 needs at least 1280"));
  EXPECT_THAT(with([](auto& s) { s.mac = packet::MacAddress::broadcast(); }), HasSubstr("mac"));
  EXPECT_THAT(with([](auto& s) { s.addresses[0].prefix_length = 33; }), HasSubstr("0..32"));
  EXPECT_THAT(with([](auto& s) { s.addresses[0].address = ip("224.0.0.1"); }),
              HasSubstr("not a unicast address"));
  EXPECT_THAT(with([](auto& s) {
                s.routes.push_back({ip("0.0.0.0"), 0, ip("2001:db8::9")});
              }),
              HasSubstr("different families"));
  // The kernel's own words, and nothing is left of the pair.
  EXPECT_THAT(with([](auto& s) {
                s.routes.push_back({ip("0.0.0.0"), 0, ip("203.0.113.1")});
              }),
              HasSubstr("adding route 0.0.0.0/0 to fresh"));
  EXPECT_EQ(delete_interface(*a_, "fresh").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(with([](auto& s) { s.name = "wire0"; }), HasSubstr("ALREADY_EXISTS"));
}

TEST_F(InterfaceTest, RoutesAndLinkLocal) {
  InterfaceSpec one = spec(1), two = spec(2);
  one.name = two.name = "second";
  one.addresses = {{ip("198.18.0.1"), 24}};
  one.neighbours.clear();
  one.routes = {{ip("203.0.113.0"), 24, ip("198.18.0.9")}, {ip("2001:db8:1::"), 48, std::nullopt}};
  one.link_local = true;
  two.addresses.clear();
  two.neighbours.clear();
  const absl::Status status = create_veth(*a_, one, *b_, two).status();
  ASSERT_TRUE(status.ok()) << status;
  std::string addresses;
  ASSERT_TRUE(testing::run_in(*a_, [&] {
                std::ifstream file("/proc/thread-self/net/if_inet6");
                addresses.assign(std::istreambuf_iterator<char>(file), {});
                return absl::OkStatus();
              }).ok());
  EXPECT_THAT(addresses, ::testing::HasSubstr("fe80"));
  // There is a route: the SYN leaves (and waits for ARP), instead of "network unreachable".
  KernelSocket socket = make(*a_);
  EXPECT_EQ(socket.connect(at("203.0.113.5", 80)).outcome, tcp::Outcome::kWouldBlock);
  KernelSocket nowhere = make(*a_);
  EXPECT_EQ(nowhere.connect(at("203.0.114.5", 80)).outcome, tcp::Outcome::kUnreachable);
}

TEST_F(InterfaceTest, TunCarriesWhatTheKernelSends) {
  for (const bool vnet_header : {false, true}) {
    InterfaceSpec tun;
    tun.name = vnet_header ? "tun1" : "tun0";
    tun.addresses = {{ip(vnet_header ? "198.18.1.1" : "198.18.0.1"), 24}};
    tun.offloads = vnet_header;
    const absl::StatusOr<TunDevice> device = create_tun(*a_, tun, vnet_header);
    ASSERT_TRUE(device.ok()) << device.status();
    EXPECT_NE(device->interface.index, 0U);
    KernelSocket socket = make(*a_);
    ASSERT_EQ(socket.connect(at(vnet_header ? "198.18.1.2" : "198.18.0.2", 80)).outcome,
              tcp::Outcome::kWouldBlock);
    pollfd request{device->fd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&request, 1, 1000), 1);
    uint8_t packet[2048];
    const ssize_t length = ::read(device->fd.get(), packet, sizeof packet);
    const size_t header = vnet_header ? 10 : 0;
    ASSERT_GT(length, static_cast<ssize_t>(header + 40));
    EXPECT_EQ(packet[header] >> 4, 4);
    EXPECT_EQ(packet[header + 9], IPPROTO_TCP);
    // virtio_net_hdr: flag NEEDS_CSUM when the kernel left the checksum to us.
    if (vnet_header) {
      EXPECT_EQ(packet[0] & 1, 1);
    }
    EXPECT_EQ(offloads_on(*a_, tun.name)->empty(), !vnet_header);
    EXPECT_EQ(create_tun(*a_, tun, vnet_header).status().code(), absl::StatusCode::kAlreadyExists);
  }
}

TEST_F(InterfaceTest, ASessionsDevicesAreCheap) {
  constexpr int kCount = 20;
  double worst = 0, sum = 0;
  for (int i = 0; i < kCount; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    // As a session has it: two ends and the wire between them.
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> a = NetworkNamespace::create();
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> b = NetworkNamespace::create();
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> wire = NetworkNamespace::create();
    InterfaceSpec leg;
    leg.name = "to-a";
    ASSERT_TRUE(create_veth(**a, spec(1), **wire, leg).ok());
    leg.name = "to-b";
    ASSERT_TRUE(create_veth(**b, spec(2), **wire, leg).ok());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    worst = std::max(worst, took.count());
    sum += took.count();
  }
  std::printf("three namespaces and two veth pairs: %.1f ms on average, %.1f at worst\n",
              sum / kCount, worst);
  EXPECT_LT(sum / kCount, 100) << "a run makes a hundred of them in 60 s";
}

}  // namespace
}  // namespace tcproctor::server
