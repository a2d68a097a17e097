// SPDX-License-Identifier: Apache-2.0
#include "server/end/kernel_socket.h"

#include <sys/epoll.h>

#include "server/host/two_kernels_testing.h"

namespace tcproctor::server {
namespace {

using tcp::Outcome;
using tcp::State;
using testing::at;
using testing::eventually;
using testing::ip;
using testing::ready;

class KernelSocketTest : public testing::TwoKernels {
 protected:
  static std::string text(const TransferResult& result, const std::vector<uint8_t>& buffer) {
    return {buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(result.bytes)};
  }
  static std::vector<uint8_t> bytes(std::string_view data) { return {data.begin(), data.end()}; }
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(65536);
};

TEST_F(KernelSocketTest, DataBothWaysAndAnOrderlyClose) {
  KernelSocket listening = listener();
  EXPECT_EQ(listening.accept().result.outcome, Outcome::kWouldBlock);
  Pair pair = connect_to(listening);
  EXPECT_EQ(pair.a.remote(), at("192.0.2.2", 80));
  EXPECT_EQ(pair.b.remote(), pair.a.local());
  EXPECT_EQ(pair.b.local(), pair.a.remote());
  EXPECT_EQ(pair.a.receive(buffer_).outcome, Outcome::kWouldBlock);
  EXPECT_EQ(pair.a.send(bytes("hello"), false).bytes, 5U);
  ASSERT_TRUE(ready(pair.b, POLLIN));
  EXPECT_EQ(pair.b.receive_queue(), 5U);
  EXPECT_EQ(text(pair.b.receive(buffer_), buffer_), "hello");
  ASSERT_TRUE(pair.a.close().ok());
  EXPECT_EQ(pair.a.close().outcome, Outcome::kConnectionClosing);
  EXPECT_EQ(pair.a.send(bytes("late"), false).outcome, Outcome::kConnectionClosing);
  ASSERT_TRUE(ready(pair.b, POLLIN));
  EXPECT_EQ(pair.b.receive(buffer_).outcome, Outcome::kEndOfStream);
  // Half closed: the other direction still carries.
  EXPECT_EQ(pair.b.send(bytes("still here"), false).bytes, 10U);
  ASSERT_TRUE(ready(pair.a, POLLIN));
  EXPECT_EQ(text(pair.a.receive(buffer_), buffer_), "still here");
  ASSERT_TRUE(pair.b.close().ok());
  ASSERT_TRUE(eventually([&] { return state_a(pair) == State::kTimeWait; }));
  EXPECT_EQ(pair.a.receive(buffer_).outcome, Outcome::kEndOfStream);
  EXPECT_EQ(pair.a.remote(), at("192.0.2.2", 80)) << "kept after the kernel forgot it";
  EXPECT_NE(pair.a.local().port, 0);
}

TEST_F(KernelSocketTest, RefusedResetAborted) {
  KernelSocket refused = make(*a_);
  EXPECT_EQ(refused.connect(at("192.0.2.2", 81)).outcome, Outcome::kWouldBlock);
  ASSERT_TRUE(ready(refused, POLLOUT));
  EXPECT_EQ(refused.connect_result().outcome, Outcome::kConnectionRefused);
  EXPECT_EQ(refused.connect_result().outcome, Outcome::kConnectionRefused) << "repeated";
  EXPECT_EQ(refused.receive(buffer_).outcome, Outcome::kConnectionRefused);

  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  pair.b.abort();
  ASSERT_TRUE(ready(pair.a, POLLIN));
  EXPECT_EQ(pair.a.receive(buffer_).outcome, Outcome::kConnectionReset);
  EXPECT_EQ(pair.a.receive(buffer_).outcome, Outcome::kConnectionReset);
  EXPECT_EQ(pair.a.send(bytes("x"), false).outcome, Outcome::kConnectionReset);
  EXPECT_EQ(pair.a.close().outcome, Outcome::kConnectionReset);
  EXPECT_EQ(pair.a.error().error, ECONNRESET);
}

TEST_F(KernelSocketTest, ASocketDroppedUnreleasedResets) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  { const KernelSocket dropped = std::move(pair.b); }
  ASSERT_TRUE(ready(pair.a, POLLIN));
  EXPECT_EQ(pair.a.receive(buffer_).outcome, Outcome::kConnectionReset);
}

TEST_F(KernelSocketTest, ReleaseIsAnOrderlyCloseUnlessDataIsUnread) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  pair.b.release();
  ASSERT_TRUE(ready(pair.a, POLLIN));
  EXPECT_EQ(pair.a.receive(buffer_).outcome, Outcome::kEndOfStream);
  EXPECT_TRUE(eventually([&] { return state_b(pair) == State::kFinWait2; }));

  Pair unread = connect_to(listening);
  ASSERT_EQ(unread.a.send(bytes("unread"), false).bytes, 6U);
  ASSERT_TRUE(ready(unread.b, POLLIN));
  unread.b.release();
  ASSERT_TRUE(ready(unread.a, POLLIN));
  EXPECT_EQ(unread.a.receive(buffer_).outcome, Outcome::kConnectionReset);
}

TEST_F(KernelSocketTest, CallsWithoutConnection) {
  KernelSocket fresh = make(*a_);
  EXPECT_EQ(fresh.receive(buffer_).outcome, Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(fresh.send(bytes("x"), false).outcome, Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(fresh.close().outcome, Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(fresh.state(), State::kClosed);
  KernelSocket listening = listener();
  EXPECT_EQ(listening.receive(buffer_).outcome, Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(listening.send(bytes("x"), false).outcome, Outcome::kConnectionDoesNotExist);
  EXPECT_EQ(listening.state(), State::kListen);
}

TEST_F(KernelSocketTest, CloseInSynSentGivesUp) {
  KernelSocket active = make(*a_);
  active.connect(at("192.0.2.77", 80));  // nobody answers ARP
  EXPECT_EQ(active.connect_result().outcome, Outcome::kWouldBlock);
  EXPECT_EQ(active.receive(buffer_).outcome, Outcome::kWouldBlock);
  EXPECT_EQ(active.connect(at("192.0.2.77", 80)).outcome, Outcome::kWouldBlock);
  ASSERT_TRUE(active.close().ok());
  EXPECT_EQ(active.state(), State::kClosed);
  EXPECT_EQ(active.connect_result().outcome, Outcome::kConnectionClosing);
}

// The kernel has one errno for several reasons, which InetDiag tells apart. This is where the
// header's table was found out.
TEST_F(KernelSocketTest, AddressesInUse) {
  const KernelSocket listening = listener();
  KernelSocket second = make(*b_);
  SocketOptions reuse;
  reuse.reuse_address = true;
  ASSERT_TRUE(second.set_options(reuse).ok());
  const SocketResult taken = second.bind(at("192.0.2.2", 80));
  EXPECT_EQ(taken.outcome, Outcome::kAddressInUse);
  EXPECT_EQ(taken.error, EADDRINUSE);
  EXPECT_EQ(second.bind(at("192.0.2.3", 80)).outcome, Outcome::kInvalidLocal);
  EXPECT_EQ(second.bind(at("2001:db8::2", 80)).outcome, Outcome::kInvalidLocal);
}

// The same pair while it is ESTABLISHED, then while it is in TIME-WAIT. Only when both sockets have
// SO_REUSEADDR does bind let the second one pass, and then it is connect that refuses, unless
// timestamps allow it to take TIME-WAIT over.
TEST_F(KernelSocketTest, TheSamePairAgain) {
  for (const char* timestamps : {"0", "1"}) {
    ASSERT_TRUE(write_sysctl(*a_, "net.ipv4.tcp_timestamps", timestamps).ok());
    KernelSocket listening = listener();
    SocketOptions reuse;
    reuse.reuse_address = true;
    ASSERT_TRUE(listening.set_options(reuse).ok());
    const auto connect_with = [&](KernelSocket& socket, bool with_reuse) {
      if (with_reuse) {
        EXPECT_TRUE(socket.set_options(reuse).ok());
      }
      const SocketResult bound = socket.bind(at("192.0.2.1", 5000));
      return bound.ok() ? socket.connect(at("192.0.2.2", 80)) : bound;
    };
    const auto again = [&](bool with_reuse) {
      KernelSocket socket = make(*a_);
      const SocketResult result = connect_with(socket, with_reuse);
      EXPECT_EQ(result.outcome,
                result.error == EINPROGRESS ? Outcome::kWouldBlock : Outcome::kAddressInUse);
      return result.error;
    };
    KernelSocket first = make(*a_);
    ASSERT_EQ(connect_with(first, true).outcome, Outcome::kWouldBlock);
    ASSERT_TRUE(ready(listening, POLLIN));
    Pair pair{std::move(first), *listening.accept().socket};
    EXPECT_EQ(state_a(pair), State::kEstablished);
    EXPECT_EQ(again(false), EADDRINUSE);
    EXPECT_EQ(again(true), EADDRNOTAVAIL);
    ASSERT_TRUE(pair.a.close().ok());
    ASSERT_TRUE(pair.b.close().ok());
    ASSERT_TRUE(eventually([&] { return state_a(pair) == State::kTimeWait; }));
    pair.a.abort();
    EXPECT_EQ(state_a(pair), State::kTimeWait) << "ABORT does not end the kernel's TIME-WAIT";
    EXPECT_EQ(again(false), EADDRINUSE);
    EXPECT_EQ(again(true), timestamps[0] == '0' ? EADDRNOTAVAIL : EINPROGRESS);
    ASSERT_TRUE(a_diag_->destroy_all().ok());
    ASSERT_TRUE(b_diag_->destroy_all().ok());
  }
}

TEST_F(KernelSocketTest, InvalidRemotes) {
  EXPECT_EQ(make(*a_).connect(at("224.0.0.1", 80)).outcome, Outcome::kInvalidRemote);
  EXPECT_EQ(make(*a_).connect(at("255.255.255.255", 80)).outcome, Outcome::kInvalidRemote);
  EXPECT_EQ(make(*a_).connect(at("192.0.2.255", 80)).outcome, Outcome::kUnreachable);
  EXPECT_EQ(make(*a_).connect(at("203.0.113.1", 80)).error, ENETUNREACH);
  EXPECT_EQ(make(*a_).connect(at("2001:db8::2", 80)).outcome, Outcome::kInvalidRemote);
  EXPECT_EQ(make(*a_, SocketFamily::kIpv6).connect(at("ff02::1", 80)).outcome,
            Outcome::kInvalidRemote);
  // RFC 9293 wants "remote socket unspecified"; Linux takes it for itself.
  EXPECT_EQ(make(*a_).connect(at("0.0.0.0", 80)).outcome, Outcome::kWouldBlock);
}

TEST_F(KernelSocketTest, UrgentData) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  ASSERT_EQ(pair.a.send(bytes("normal"), false).bytes, 6U);
  ASSERT_EQ(pair.a.send(bytes("urgent!"), true).bytes, 7U);
  ASSERT_EQ(pair.a.send(bytes("after"), false).bytes, 5U);
  ASSERT_TRUE(ready(pair.b, POLLPRI));
  std::string all;
  std::string before_mark;
  ASSERT_TRUE(eventually([&] {
    const TransferResult got = pair.b.receive(buffer_);
    all += text(got, buffer_);
    if (got.at_urgent_mark && before_mark.empty()) before_mark = all;
    return all.size() == 18;
  }));
  EXPECT_EQ(all, "normalurgent!after") << "urgent data comes in line";
  EXPECT_EQ(before_mark, "normalurgent") << "the mark is before the last urgent octet";
}

TEST_F(KernelSocketTest, OptionsRoundTripAndAreInherited) {
  for (const SocketFamily family :
       {SocketFamily::kIpv4, SocketFamily::kIpv6, SocketFamily::kDual}) {
    KernelSocket socket = make(*a_, family);
    SocketOptions options;
    options.no_delay = true;
    options.keepalive = true;
    options.keepalive_idle = absl::Seconds(7200);
    options.keepalive_interval = absl::Seconds(75);
    options.keepalive_probes = 10;
    options.user_timeout = absl::Milliseconds(2500);
    options.syn_retries = 3;
    options.mss = 1000;
    options.tos = 0xB8;
    options.ttl = 17;
    options.fin_wait_2 = absl::Seconds(5);
    options.reuse_address = true;
    options.urgent_in_line = false;
    options.receive_soft_errors = true;
    ASSERT_TRUE(socket.set_options(options).ok()) << socket.set_options(options);
    const SocketOptions got = socket.options();
    EXPECT_EQ(got.no_delay, options.no_delay);
    EXPECT_EQ(got.keepalive, options.keepalive);
    EXPECT_EQ(got.keepalive_idle, options.keepalive_idle);
    EXPECT_EQ(got.keepalive_interval, options.keepalive_interval);
    EXPECT_EQ(got.keepalive_probes, options.keepalive_probes);
    EXPECT_EQ(got.user_timeout, options.user_timeout);
    EXPECT_EQ(got.syn_retries, options.syn_retries);
    EXPECT_EQ(got.mss, options.mss);
    EXPECT_EQ(got.tos, options.tos);
    EXPECT_EQ(got.ttl, options.ttl);
    EXPECT_EQ(got.fin_wait_2, options.fin_wait_2);
    EXPECT_EQ(got.reuse_address, options.reuse_address);
    EXPECT_EQ(got.urgent_in_line, options.urgent_in_line);
    EXPECT_EQ(got.receive_soft_errors, options.receive_soft_errors);
    EXPECT_EQ(got.congestion_control, "cubic");
  }
  KernelSocket listening = listener();
  SocketOptions options;
  options.ttl = 33;
  options.no_delay = true;
  ASSERT_TRUE(listening.set_options(options).ok());
  Pair pair = connect_to(listening);
  EXPECT_EQ(pair.b.options().ttl, options.ttl);
  EXPECT_EQ(pair.b.options().no_delay, options.no_delay);
  EXPECT_EQ(pair.b.options().congestion_control, "cubic");
}

TEST_F(KernelSocketTest, WrongOptionsAreNamed) {
  KernelSocket socket = make(*a_);
  const auto refused = [&](const std::function<void(SocketOptions&)>& change) {
    SocketOptions options;
    change(options);
    return std::string(socket.set_options(options).message());
  };
  using ::testing::HasSubstr;
  EXPECT_THAT(refused([](auto& o) { o.mss = 87; }), HasSubstr("TCP_MAXSEG = 87 (right: 88..32767"));
  EXPECT_THAT(refused([](auto& o) { o.keepalive_probes = 128; }), HasSubstr("TCP_KEEPCNT"));
  EXPECT_THAT(refused([](auto& o) { o.keepalive_idle = absl::Milliseconds(1500); }),
              HasSubstr("whole seconds"));
  EXPECT_THAT(refused([](auto& o) { o.user_timeout = absl::InfiniteDuration(); }),
              HasSubstr("TCP_USER_TIMEOUT"));
  EXPECT_THAT(refused([](auto& o) { o.ttl = uint8_t{0}; }), HasSubstr("IP_TTL"));
  EXPECT_THAT(refused([](auto& o) { o.send_buffer_bytes = 0xFFFFFFFF; }),
              HasSubstr("SO_SNDBUFFORCE"));
  EXPECT_THAT(refused([](auto& o) { o.congestion_control = "magic"; }), HasSubstr("magic"));
}

TEST_F(KernelSocketTest, UserTimeout) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  SocketOptions options;
  options.user_timeout = absl::Milliseconds(300);
  ASSERT_TRUE(pair.a.set_options(options).ok());
  // The wire is cut: b's device is gone, so nothing is ever acknowledged.
  ASSERT_TRUE(delete_interface(*b_, "wire0").ok());
  InterfaceSpec hole;
  hole.name = "hole0";
  hole.mac = mac(1);
  hole.addresses = {{ip("192.0.2.1"), 24}};
  hole.neighbours = {{ip("192.0.2.2"), mac(2)}};
  InterfaceSpec far;
  far.name = "hole1";
  ASSERT_TRUE(create_veth(*a_, hole, *a_, far).ok());
  pair.a.send(bytes("into the void"), false);
  ASSERT_TRUE(eventually([&] { return !pair.a.error().ok(); }));
  EXPECT_EQ(pair.a.error().outcome, Outcome::kTimedOut);
}

// b forwards what is not for itself, has no route for it, and says so by ICMP.
class SoftErrorTest : public KernelSocketTest {
 protected:
  void SetUp() override {
    KernelSocketTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(write_sysctl(*b_, "net.ipv4.ip_forward", "1").ok());
    InterfaceSpec near, far;
    near.name = far.name = "wire1";
    near.addresses = {{ip("198.18.0.1"), 24}};
    near.routes = {{ip("203.0.113.0"), 24, ip("198.18.0.2")}};
    far.addresses = {{ip("198.18.0.2"), 24}};
    ASSERT_TRUE(create_veth(*a_, near, *b_, far).ok());
    errors_.receive_soft_errors = true;
  }
  SocketOptions errors_;
};

TEST_F(SoftErrorTest, EndsAConnectionInSynSent) {
  KernelSocket active = make(*a_);
  ASSERT_TRUE(active.set_options(errors_).ok());
  ASSERT_EQ(active.connect(at("203.0.113.5", 80)).outcome, Outcome::kWouldBlock);
  // Perhaps only the answer to the second SYN: an ICMP error that arrives while connect() still
  // holds the socket is taken for a soft one.
  ASSERT_TRUE(eventually([&] { return active.connect_result().outcome == Outcome::kUnreachable; }));
  const std::optional<IcmpError> error = active.soft_error();
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->type, 3);
  EXPECT_EQ(error->code, 0);
  EXPECT_EQ(error->error, ENETUNREACH);
}

TEST_F(SoftErrorTest, IsReportedOfAConnectionThatLivesOn) {
  InterfaceSpec elsewhere, peer;
  elsewhere.name = "target";
  elsewhere.addresses = {{ip("203.0.113.5"), 32}};
  peer.name = "target-peer";
  ASSERT_TRUE(create_veth(*b_, elsewhere, *b_, peer).ok());
  KernelSocket listening = make(*b_);
  ASSERT_TRUE(listening.bind(at("203.0.113.5", 80)).ok());
  ASSERT_TRUE(listening.listen(1).ok());
  KernelSocket active = make(*a_);
  ASSERT_TRUE(active.set_options(errors_).ok());
  active.connect(at("203.0.113.5", 80));
  ASSERT_TRUE(ready(active, POLLOUT));
  ASSERT_TRUE(active.connect_result().ok());
  ASSERT_TRUE(delete_interface(*b_, "target").ok());

  ASSERT_EQ(active.send(bytes("lost"), false).bytes, 4U);
  std::optional<IcmpError> error;
  ASSERT_TRUE(eventually([&] { return (error = active.soft_error()).has_value(); }));
  EXPECT_EQ(error->error, ENETUNREACH);
  EXPECT_TRUE(active.error().ok());
  EXPECT_EQ(active.state(), State::kEstablished);
  EXPECT_EQ(active.send(bytes("still trying"), false).bytes, 12U);
  EXPECT_EQ(active.receive(buffer_).outcome, Outcome::kWouldBlock);
}

TEST_F(KernelSocketTest, EpollTellsEachChangeOnce) {
  KernelSocket listening = listener();
  Pair pair = connect_to(listening);
  const UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = KernelSocket::epoll_events(), .data = {}};
  ASSERT_EQ(::epoll_ctl(set.get(), EPOLL_CTL_ADD, pair.b.fd(), &event), 0);
  epoll_event got{};
  ASSERT_EQ(::epoll_wait(set.get(), &got, 1, 1000), 1);
  EXPECT_EQ(got.events, EPOLLOUT);
  EXPECT_EQ(::epoll_wait(set.get(), &got, 1, 0), 0);
  pair.a.abort();
  ASSERT_EQ(::epoll_wait(set.get(), &got, 1, 1000), 1);
  EXPECT_NE(got.events & EPOLLHUP, 0U);
  EXPECT_EQ(::epoll_wait(set.get(), &got, 1, 50), 0) << "a dead connection must not spin the loop";
}

}  // namespace
}  // namespace tcproctor::server
