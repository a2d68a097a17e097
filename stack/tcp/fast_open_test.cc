// SPDX-License-Identifier: Apache-2.0
// TCP Fast Open (RFC 7413) of one end.
#include "stack/tcp/fast_open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Rig;
using testing::RigConfig;

const std::array<uint8_t, 8> kBytes = {1, 2, 3, 4, 5, 6, 7, 8};
const FastOpenCookie kCookie{kBytes};

// RFC7413-4.1.2-1: bound to the address, not to be made up, and it ends.
TEST(FastOpenCookies, BoundToAddressAndTime) {
  const FastOpenCookies cookies({1, 2});
  const FastOpenCookies others({1, 3});
  const auto client = packet::IpAddress::v4(192, 0, 2, 2);
  const auto other = packet::IpAddress::v4(192, 0, 2, 3);
  const Instant start{std::chrono::hours(1000)};
  const FastOpenCookie cookie = cookies.make(start, client);
  EXPECT_EQ(cookie.size(), 8u);
  EXPECT_TRUE(cookies.check(start, client, cookie.span()));
  EXPECT_FALSE(cookies.check(start, other, cookie.span()));
  EXPECT_FALSE(others.check(start, client, cookie.span()));
  EXPECT_FALSE(cookies.check(start, client, cookie.span().first(6)));
  EXPECT_FALSE(cookies.check(start, client, {}));
  EXPECT_TRUE(cookies.check(start + FastOpenCookies::kPeriod, client, cookie.span()));
  EXPECT_FALSE(cookies.check(start + 2 * FastOpenCookies::kPeriod, client, cookie.span()));
}

// ------------------------------------------------------------------------------------- the client

RigConfig client(const FastOpenPath& path = {}) {
  RigConfig config;
  config.options.fast_open = true;
  config.fast_open = path;
  return config;
}

// SYN-SENT with `octets` queued before the SYN is pulled.
Rig opened(const RigConfig& config, size_t octets) {
  Rig rig(config);
  rig.open_active();
  EXPECT_EQ(rig.send(octets).accepted, octets);
  return rig;
}

// RFC7413-4.2.1-1, 4.2.2-1: first a request, and no data.
TEST(FastOpenClient, AsksForACookie) {
  Rig rig = opened(client(), 100);
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
  ASSERT_TRUE(rig.last_options().fast_open.has_value());
  EXPECT_TRUE(rig.last_options().fast_open->empty());
  rig.set_cookie(kCookie);
  rig.recv("S. 0(0) ack 1 fo");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(100) ack 1"));
  const auto news = rig.connection()->take_fast_open_news();
  ASSERT_TRUE(news.has_value());
  EXPECT_EQ(news->cookie, kCookie);
  EXPECT_EQ(news->mss, 1460);
  EXPECT_FALSE(rig.connection()->take_fast_open_news().has_value());
}

// RFC7413-2-1.
TEST(FastOpenClient, OffUnlessAskedFor) {
  Rig rig = opened(RigConfig(), 100);
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
  EXPECT_FALSE(rig.last_options().fast_open.has_value());
}

TEST(FastOpenClient, DataGoesWithTheSyn) {
  Rig rig = opened(client({.cookie = kCookie, .mss = 1460}), 100);
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(100)"));
  ASSERT_TRUE(rig.last_options().fast_open.has_value());
  EXPECT_THAT(*rig.last_options().fast_open, ::testing::ElementsAreArray(kBytes));
  rig.recv("S. 0(0) ack 101");
  EXPECT_THAT(rig.sent(), ElementsAre(". 101(0) ack 1"));
  EXPECT_EQ(rig.status().send_queue_bytes, 0u);
  EXPECT_TRUE(rig.status().fast_open.value_or(FastOpenReport{}).data_taken);
  EXPECT_FALSE(rig.status().retransmission_timer.has_value());
  EXPECT_FALSE(rig.connection()->take_fast_open_news().has_value());
}

// One segment, as the server announced it; the rest follows the handshake.
TEST(FastOpenClient, NoMoreThanOneSegment) {
  Rig rig = opened(client({.cookie = kCookie, .mss = 1000}), 3000);
  const std::vector<std::string> sent = rig.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(rig.last_payload().size() + rig.last().option_size, 1000u);
  const size_t first = rig.last_payload().size();
  rig.recv("S. 0(100) ack " + std::to_string(first + 1));
  EXPECT_THAT(rig.sent(), Contains(". " + std::to_string(first + 1) + "(1460) ack 101"));
}

// RFC7413-4.2.2-8; 4.1.3.1-1.
TEST(FastOpenClient, DataThatWasNotTakenGoesAgain) {
  Rig rig = opened(client({.cookie = kCookie}), 100);
  rig.sent();
  rig.recv("S. 0(0) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(100) ack 1"));
  EXPECT_FALSE(rig.status().fast_open.value_or(FastOpenReport{}).data_taken);
  const auto news = rig.connection()->take_fast_open_news();
  ASSERT_TRUE(news.has_value());
  EXPECT_TRUE(news->failed);
  rig.recv(". 1(0) ack 101");
  EXPECT_EQ(rig.status().send_queue_bytes, 0u);
}

// Found by a world: the SYN,ACK said nothing of the data, but the peer had it. Were its ACK taken
// for one of something not yet sent, both would wait for ever where the window is small.
TEST(FastOpenClient, DataThatWasTakenAfterAllDoesNotGoAgain) {
  Rig rig = opened(client({.cookie = kCookie, .mss = 1460}), 1400);
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(1400)"));
  rig.recv("S. 0(0) ack 1 win 700");
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(700) ack 1"));
  rig.recv(". 1(0) ack 1401 win 700");
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_EQ(rig.snd_una(), 1401u);
  EXPECT_EQ(rig.status().send_queue_bytes, 0u);
  EXPECT_FALSE(rig.status().retransmission_timer.has_value());
  rig.recv(". 1(0) ack 1402");  // this was never sent
  EXPECT_EQ(rig.snd_una(), 1401u);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1401(0) ack 1"));
}

// A new cookie in place of one the server no longer knows is no failure.
TEST(FastOpenClient, NewCookieReplacesTheOld) {
  Rig rig = opened(client({.cookie = kCookie}), 100);
  rig.sent();
  const std::array<uint8_t, 4> bytes = {9, 9, 9, 9};
  rig.set_cookie(FastOpenCookie{bytes});
  rig.recv("S. 0(0) ack 1 fo");
  const auto news = rig.connection()->take_fast_open_news();
  ASSERT_TRUE(news.has_value());
  EXPECT_FALSE(news->failed);
  EXPECT_EQ(news->cookie.size(), 4u);
}

// RFC7413-4.2.1-2, 4.2.2-2: what is lost with the SYN goes again without data and option.
TEST(FastOpenClient, LostSynGoesAgainPlain) {
  Rig rig = opened(client({.cookie = kCookie}), 100);
  rig.sent();
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 S 0(0)"));
  EXPECT_FALSE(rig.last_options().fast_open.has_value());
  ASSERT_TRUE(rig.connection()->take_fast_open_news().has_value());
  rig.recv("S. 0(0) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(100) ack 1"));
  rig.recv(". 1(0) ack 101");
  EXPECT_EQ(rig.status().send_queue_bytes, 0u);
}

// RFC7413-4.1.3.1-1, -2.
TEST(FastOpenClient, PlainWhileItFailsOnThatPath) {
  Rig rig = opened(client({.cookie = kCookie, .failed = true}), 100);
  EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
  EXPECT_FALSE(rig.last_options().fast_open.has_value());
}

TEST(FastOpenClient, IcmpErrorAndResetAreFailures) {
  // Of a class that says nothing to a connection too: "administratively prohibited" of a firewall.
  for (const packet::IcmpClass kind : {packet::IcmpClass::kSoft, packet::IcmpClass::kOther}) {
    Rig rig = opened(client({.cookie = kCookie}), 100);
    rig.sent();
    rig.icmp(kind, 0);
    EXPECT_TRUE(rig.connection()->take_fast_open_news().value_or(FastOpenNews{}).failed);
    EXPECT_EQ(rig.state(), State::kSynSent);
  }

  Rig reset = opened(client({.cookie = kCookie}), 100);
  reset.sent();
  reset.recv("R. 0(0) ack 101");
  EXPECT_EQ(reset.state(), State::kClosed);
  EXPECT_TRUE(reset.connection()->take_fast_open_news().value_or(FastOpenNews{}).failed);
}

// ------------------------------------------------------------------------------------- the server

class FastOpenServer : public ::testing::Test {
 protected:
  static RigConfig server() {
    RigConfig config;
    config.options.fast_open = true;
    return config;
  }
  // A listener that gave our peer a cookie on an earlier, aborted attempt.
  void get_cookie(Rig& rig) {
    rig.listen();
    rig.recv("S 0(0) fo");
    EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
    ASSERT_TRUE(rig.last_options().fast_open.has_value());
    rig.set_cookie(FastOpenCookie(*rig.last_options().fast_open));
    rig.recv("R 1(0)");
    rig.sent();
    rig.events();
  }
};

// RFC7413-2-1, 4.2-1: without the option no cookie, and data is not taken early.
TEST_F(FastOpenServer, OffUnlessAskedFor) {
  Rig rig;
  rig.listen();
  rig.recv("S 0(100) fo");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
  EXPECT_FALSE(rig.last_options().fast_open.has_value());
  EXPECT_EQ(rig.receive(100).outcome, Outcome::kWouldBlock);
}

// RFC7413-4.2.2-3, 4.2.2-5: data is there before the handshake is done, and may be answered.
TEST_F(FastOpenServer, GoodCookieDeliversAtOnce) {
  Rig rig(server());
  get_cookie(rig);
  rig.recv("SP 0(100) fo");
  EXPECT_THAT(rig.events(), Contains("acceptable"));
  EXPECT_EQ(rig.state(), State::kSynReceived);
  ASSERT_TRUE(rig.listener()->accept().has_value());
  EXPECT_EQ(rig.receive(1000).received, 100u);
  EXPECT_EQ(rig.received(), Rig::peer_bytes(1, 100));
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 101"));
  rig.send(50);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 1(50) ack 101"));
  EXPECT_TRUE(rig.status().fast_open.value_or(FastOpenReport{}).data_taken);
  rig.recv(". 101(10) ack 51");
  EXPECT_EQ(rig.state(), State::kEstablished);
  EXPECT_EQ(rig.status().send_queue_bytes, 0u);
  EXPECT_THAT(rig.sent(), ElementsAre(". 51(0) ack 111"));
  EXPECT_EQ(rig.receive(1000).received, 10u);
}

// What was answered early leaves the retransmission queue, and what loss recovery knows, with the
// ACK that ends the handshake: later data is sent again from where it begins.
TEST_F(FastOpenServer, EarlyAnswerIsAcknowledgedWithTheSynAck) {
  Rig rig(server());
  get_cookie(rig);
  rig.recv("SP 0(100) fo");
  ASSERT_TRUE(rig.listener()->accept().has_value());
  rig.send(50);
  rig.sent();
  rig.recv(". 101(0) ack 51");
  EXPECT_EQ(rig.state(), State::kEstablished);
  EXPECT_EQ(rig.status().delivered_bytes, 50u);
  EXPECT_EQ(rig.status().pipe_bytes, 0u);
  rig.send(20);
  EXPECT_THAT(rig.sent(), ElementsAre("P. 51(20) ack 101"));
  const std::vector<std::string> again = rig.advance(3s);
  ASSERT_FALSE(again.empty());
  EXPECT_THAT(again[0], HasSubstr("P. 51(20) ack 101"));
}

// RFC7413-4.2.2-6.
TEST_F(FastOpenServer, InitialWindowHoldsBeforeTheHandshakeIsDone) {
  Rig rig(server());
  get_cookie(rig);
  rig.recv("SP 0(100) fo");
  rig.sent();
  rig.send(100000);
  size_t octets = 0;
  for (size_t i = rig.sent().size(); i > 0; --i) octets += 1460;
  EXPECT_LE(octets, 4380u);
  EXPECT_GT(octets, 0u);
}

// RFC7413-4.2.2-4.
TEST_F(FastOpenServer, BadCookieGetsAnotherOne) {
  Rig rig(server());
  get_cookie(rig);
  rig.set_cookie(kCookie);
  rig.recv("SP 0(100) fo");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
  ASSERT_TRUE(rig.last_options().fast_open.has_value());
  EXPECT_EQ(rig.last_options().fast_open->size(), FastOpenCookies::kBytes);
  EXPECT_FALSE(rig.listener()->accept().has_value());
  rig.recv("P. 1(100) ack 1");
  EXPECT_EQ(rig.receive(1000).received, 100u);
}

// RFC7413-4.2.2-7: SYN,ACK again, without data and option; a SYN that comes again is answered.
TEST_F(FastOpenServer, SynAckGoesAgain) {
  Rig rig(server());
  get_cookie(rig);
  rig.recv("SP 0(100) fo");
  rig.send(50);
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 101", "P. 1(50) ack 101"));
  EXPECT_THAT(rig.advance(1s), ElementsAre("+1 S. 0(0) ack 101"));
  rig.recv("S 0(0)");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 101"));
  rig.recv(". 101(0) ack 1");
  EXPECT_EQ(rig.state(), State::kEstablished);
  // The early answer is outstanding still.
  EXPECT_EQ(rig.status().send_queue_bytes, 50u);
  EXPECT_FALSE(rig.advance(4s).empty());
}

// RFC7413-4.2-2.
TEST_F(FastOpenServer, NotTooManyPending) {
  RigConfig config = server();
  config.options.fast_open_limit = 1;
  Rig rig(config);
  get_cookie(rig);
  const auto syn_from = [&](uint16_t port) {
    packet::TcpSegment segment;
    segment.source = packet::IpAddress::v4(192, 0, 2, 2);
    segment.destination = packet::IpAddress::v4(192, 0, 2, 1);
    segment.header = {.source_port = port,
                      .destination_port = 80,
                      .sequence_number = 1000,
                      .flags = packet::kSyn,
                      .window = 65535};
    const std::vector<uint8_t> payload(10);
    segment.payload = payload;
    const FastOpenCookie cookie = rig.cookie();
    segment.options.fast_open = cookie.span();
    return rig.listener()->on_segment(rig.now(), segment);
  };
  rig.recv("S 0(0) fo");  // takes the only place
  rig.sent();
  auto second = syn_from(2000);
  if (second.has_value()) {
    EXPECT_EQ(second->connection->status(rig.now()).receive_queue_bytes, 0u);
    EXPECT_EQ(second->connection->receive(rig.now(), {}).outcome, Outcome::kWouldBlock);
  }
  EXPECT_EQ(rig.listener()->waiting_for_accept(), 1u);
  rig.recv(". 1(0) ack 1");
  EXPECT_FALSE(rig.listener()->on_established(rig.now(), *rig.listener()->accept()));
  const auto third = syn_from(2001);
  ASSERT_TRUE(third.has_value());
  EXPECT_EQ(third->connection->readable_bytes(), 10u);
}

// Its user knows of it: it does not go back to LISTEN in silence (MUST-11 is about those nobody has
// seen).
TEST_F(FastOpenServer, ResetIsTold) {
  Rig rig(server());
  get_cookie(rig);
  rig.recv("SP 0(100) fo");
  rig.sent();
  rig.recv("R 101(0)");
  EXPECT_EQ(rig.state(), State::kClosed);
  EXPECT_THAT(rig.events(), Contains("error CONNECTION-RESET"));
}

// A FIN on the SYN is processed when the handshake is done.
TEST_F(FastOpenServer, FinOnTheSyn) {
  Rig rig(server());
  get_cookie(rig);
  rig.recv("SF 0(100) fo");
  EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 101"));
  rig.recv(". 101(0) ack 1");
  EXPECT_EQ(rig.state(), State::kCloseWait);
  EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 102"));
  EXPECT_EQ(rig.receive(1000).received, 100u);
  EXPECT_EQ(rig.receive(1000).outcome, Outcome::kEndOfStream);
}

// The window of the SYN,ACK does not promise more than is accepted.
TEST_F(FastOpenServer, WindowOfTheSynAck) {
  RigConfig config = server();
  config.options.receive_buffer_bytes = 1000;
  Rig rig(config);
  get_cookie(rig);
  rig.recv("SP 0(100) fo");
  rig.sent();
  EXPECT_EQ(rig.last().header.window, 900);
}

}  // namespace
}  // namespace tcproctor::tcp
