// SPDX-License-Identifier: Apache-2.0
#include "server/host/packet_filter.h"

#include <gmock/gmock.h>
#include <poll.h>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/host/packet_filter_testing.h"
#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint32_t kMark = 0x7463;

class PacketFilterTest : public testing::TwoKernels {
 protected:
  static QuietPorts ports() {
    return {.addresses = {testing::ip("192.0.2.2"), testing::ip("2001:db8::2")},
            .first_port = 80,
            .last_port = 89,
            .mark = kMark};
  }

  // In b, whose kernel shall be quiet.
  std::unique_ptr<PacketFilter> install(bool owned = true) {
    return testing::install_filter(*b_, owned, ports());
  }
  std::vector<std::string> tables() { return testing::filter_tables_in(*b_); }
  // Whether b's kernel answers a SYN to a port where nobody listens.
  bool is_refused(const char* address, uint16_t port) {
    const auto family = testing::ip(address).is_v4() ? SocketFamily::kIpv4 : SocketFamily::kIpv6;
    KernelSocket socket = make(*a_, family);
    EXPECT_EQ(socket.connect(testing::at(address, port)).outcome, tcp::Outcome::kWouldBlock);
    pollfd request{socket.fd(), POLLOUT, 0};
    return ::poll(&request, 1, 300) == 1;
  }
};

TEST_F(PacketFilterTest, KeepsTheKernelQuietOnThesePortsAlone) {
  EXPECT_TRUE(is_refused("192.0.2.2", 80));
  std::unique_ptr<PacketFilter> filter = install();
  for (const char* address : {"192.0.2.2", "2001:db8::2"}) {
    EXPECT_FALSE(is_refused(address, 80)) << address;
    EXPECT_FALSE(is_refused(address, 89)) << address;
    EXPECT_TRUE(is_refused(address, 79)) << address;
    EXPECT_TRUE(is_refused(address, 90)) << address;
  }
  EXPECT_THAT(tables(), Contains(filter->table()));
  filter.reset();
  EXPECT_THAT(tables(), IsEmpty());
  EXPECT_TRUE(is_refused("192.0.2.2", 80));
}

TEST_F(PacketFilterTest, GoesWithAProcessThatIsKilled) {
  testing::FilteringProcess process(*b_, true, ports());
  EXPECT_THAT(tables(), Not(IsEmpty()));
  process.kill_it();
  EXPECT_TRUE(testing::eventually([&] { return tables().empty(); }));
}

TEST_F(PacketFilterTest, WithoutAnOwnerItIsFoundAgain) {
  std::unique_ptr<PacketFilter> alive = install(false);
  testing::FilteringProcess process(*b_, false, ports());
  EXPECT_EQ(tables().size(), 2u);
  process.kill_it();
  EXPECT_EQ(tables().size(), 2u);
  std::vector<std::string> removed;
  ASSERT_TRUE(testing::run_in(*b_, [&] {
                auto names = remove_orphaned_filters();
                if (names.ok()) removed = *std::move(names);
                return names.status();
              }).ok());
  EXPECT_EQ(removed.size(), 1u);
  EXPECT_THAT(tables(), ::testing::ElementsAre(alive->table()));
  alive.reset();
  EXPECT_THAT(tables(), IsEmpty());
}

// A number that another process has by now: in a container the daemon's is the same each time.
TEST_F(PacketFilterTest, AnOrphanIsToldByWhenItsProcessBegan) {
  const std::string table = install()->table();
  EXPECT_FALSE(is_orphaned_filter(table)) << table;
  std::vector<std::string> parts = absl::StrSplit(table, '-');
  ASSERT_EQ(parts.size(), 4u) << table;
  parts[2] += "1";
  EXPECT_TRUE(is_orphaned_filter(absl::StrJoin(parts, "-")));
  for (const char* other :
       {"filter", "tcproctor", "tcproctor-x-1-1", "tcproctor-0", "mine-1-1-1"}) {
    EXPECT_FALSE(is_orphaned_filter(other)) << other;
  }
}

}  // namespace
}  // namespace tcproctor::server
