// SPDX-License-Identifier: Apache-2.0
// What a client with a rule may do in his sessions, and what is written down of them.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "server/session/drive_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr char kRule[] = R"(name: "ci" targets: [STACK, SCRIPTED] interfaces: "memory"
                            prefixes: ["192.0.2.0/24", "2001:db8::/64", "198.18.0.0/24"])";

Caller client(const std::string& quota = "", const std::string& rule = kRule) {
  access::ClientRule parsed;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat(rule, " quota { ", quota, " }"), &parsed));
  return Caller{"ipv4:203.0.113.9:4711", *Rights::create(parsed)};
}

class AllowanceTest : public ::testing::Test {
 protected:
  std::unique_ptr<DriveClient> drive(const Caller& maker,
                                     const v1::CreateSessionRequest& request = virtual_pair()) {
    absl::StatusOr<std::shared_ptr<Session>> session = daemon_.create(request, true, maker);
    EXPECT_TRUE(session.ok()) << session.status();
    return std::make_unique<DriveClient>(*session);
  }
  std::string refusal(const v1::CreateSessionRequest& request, absl::StatusCode code,
                      const Caller& maker = client()) {
    const absl::Status status = daemon_.create(request, true, maker).status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }
  static std::string refusal(DriveClient& client, const v1::Command& command,
                             absl::StatusCode code) {
    const v1::Report report = client.call(command);
    EXPECT_EQ(report.error_code(), static_cast<int>(code)) << report.error_message();
    return report.error_message();
  }
  static v1::CreateSessionRequest scripted_and_stack() {
    v1::CreateSessionRequest request = virtual_pair();
    request.mutable_a()->mutable_scripted();
    return request;
  }
  static v1::Command inject(const std::string& source = "", const std::string& destination = "") {
    v1::Command command;
    command.mutable_inject()->set_from(v1::END_A);
    v1::Segment& segment = *command.mutable_inject()->add_train()->mutable_segment();
    segment.mutable_tcp()->set_flags(2);
    segment.mutable_ipv4()->set_source(source.empty() ? "192.0.2.1" : source);
    segment.mutable_ipv4()->set_destination(destination.empty() ? "192.0.2.2" : destination);
    return command;
  }
  static v1::Command raw(const std::string& octets) {
    v1::Command command;
    command.mutable_inject()->set_from(v1::END_A);
    command.mutable_inject()->add_train()->mutable_segment()->set_raw(octets);
    return command;
  }
  static v1::Command trains(int segments, double gap_s) {
    v1::Command command = inject();
    command.mutable_inject()->set_background(true);
    const v1::TimedSegment first = command.inject().train(0);
    for (int i = 1; i < segments; ++i) {
      v1::TimedSegment& next = *command.mutable_inject()->add_train();
      next = first;
      *next.mutable_gap() = seconds_proto(gap_s);
    }
    return command;
  }
  static v1::Command flood(uint64_t count, uint32_t rate) {
    v1::Command command;
    command.mutable_inject()->set_from(v1::END_A);
    command.mutable_inject()->set_background(true);
    v1::Flood& flood = *command.mutable_inject()->mutable_flood();
    flood.mutable_segment()->mutable_tcp()->set_flags(2);
    flood.set_source_prefix("198.18.0.0/24");
    flood.set_count(count);
    flood.set_rate(rate);
    flood.set_unlogged(true);
    return command;
  }

  TestDaemon daemon_;
};

TEST_F(AllowanceTest, EndsLinksAndAddressesMustBeInTheRule) {
  v1::CreateSessionRequest kernel;
  kernel.mutable_a()->mutable_scripted();
  kernel.mutable_b()->mutable_kernel();
  EXPECT_THAT(refusal(kernel, absl::StatusCode::kPermissionDenied),
              HasSubstr("b: the rule for client \"ci\" does not have targets: KERNEL"));
  v1::CreateSessionRequest veth = virtual_pair();
  veth.set_clock(v1::CLOCK_REAL);
  EXPECT_THAT(
      refusal(veth, absl::StatusCode::kPermissionDenied),
      HasSubstr("wire.link: the rule for client \"ci\" does not have interfaces: \"veth\""));
  v1::CreateSessionRequest address = virtual_pair();
  address.mutable_b()->add_addresses("192.0.3.2/24");
  EXPECT_THAT(refusal(address, absl::StatusCode::kPermissionDenied),
              AllOf(HasSubstr("b.addresses"), HasSubstr("prefixes that hold 192.0.3.2/24")));
  // An address within, whose subnet is not.
  address.mutable_b()->set_addresses(0, "192.0.2.2/23");
  EXPECT_THAT(refusal(address, absl::StatusCode::kPermissionDenied), HasSubstr("192.0.2.2/23"));
  v1::CreateSessionRequest log = virtual_pair();
  log.mutable_wire()->set_log_bytes((64 << 20) + 1);
  EXPECT_THAT(refusal(log, absl::StatusCode::kResourceExhausted),
              AllOf(HasSubstr("log_bytes"), HasSubstr("67108864")));
  EXPECT_TRUE(daemon_.registry().all(Caller{}).empty());
  drive(client());
  drive(Caller{}, virtual_pair());      // who has no rule may everything
  drive(client("log_bytes: 1000000"));  // where nobody asks for more there is less
}

SessionPlan on_interface(v1::EndKind here) {
  SessionPlan plan;
  plan.link = v1::LINK_KIND_INTERFACE;
  plan.interface = "eth1";
  plan.a.kind = here;
  plan.a.addresses = {{*packet::IpAddress::parse("192.0.2.1"), 24}};
  plan.b.kind = v1::END_KIND_REMOTE;
  return plan;
}

constexpr char kOnInterface[] = R"(name: "ci" targets: [STACK, KERNEL] interfaces: "eth1"
                                   prefixes: "192.0.2.0/24")";

TEST(AllowanceOnInterface, TheInterfaceMustBeInTheRuleTheRemoteEndNeedNot) {
  const SessionPlan plan = on_interface(v1::END_KIND_STACK);
  EXPECT_TRUE(check_rights(*client("", kOnInterface).rights, plan).ok());
  const absl::Status status = check_rights(*client().rights, plan);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("interfaces: \"eth1\""));
}

TEST(AllowanceOnInterface, SocketsOfTheMachineStayWithinThePrefixes) {
  const SessionPlan plan = on_interface(v1::END_KIND_KERNEL);
  const std::string everything = absl::StrCat(kOnInterface, R"( prefixes: ["0.0.0.0/0", "::/0"])");
  const Allowance narrow(client("", kOnInterface).rights, plan);
  const Allowance wide(client("", everything).rights, plan);
  v1::OpenRequest listen;
  listen.mutable_local()->set_port(80);  // on every address that the machine has
  EXPECT_EQ(narrow.check_open(listen).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(wide.check_open(listen).ok());
  listen.mutable_local()->set_address("127.0.0.1");
  EXPECT_EQ(narrow.check_open(listen).code(), absl::StatusCode::kPermissionDenied);
  listen.mutable_local()->set_address("192.0.2.1");
  EXPECT_TRUE(narrow.check_open(listen).ok());

  v1::OpenRequest connect;
  connect.set_active(true);
  connect.mutable_remote()->set_address("192.0.2.9");
  EXPECT_TRUE(narrow.check_open(connect).ok());
  connect.mutable_local()->set_address("127.0.0.1");
  EXPECT_EQ(narrow.check_open(connect).code(), absl::StatusCode::kPermissionDenied);

  v1::SocketCallRequest socket;
  socket.mutable_socket();
  EXPECT_EQ(narrow.check_socket_call(socket).code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(wide.check_socket_call(socket).ok());
  // In a namespace of the session's own there is nothing else to be reached.
  SessionPlan own = plan;
  own.link = v1::LINK_KIND_VETH;
  EXPECT_TRUE(Allowance(client("", kOnInterface).rights, own).check_socket_call(socket).ok());
}

TEST(AllowanceOnInterface, AMappedAddressCountsAsTheIpv4AddressItIs) {
  const Allowance v6(client("", R"(name: "ci" prefixes: "::/0")").rights,
                     on_interface(v1::END_KIND_STACK));
  v1::OpenRequest connect;
  connect.set_active(true);
  connect.mutable_remote()->set_address("2001:db8::2");
  EXPECT_TRUE(v6.check_open(connect).ok());
  connect.mutable_remote()->set_address("::ffff:192.0.2.2");
  EXPECT_EQ(v6.check_open(connect).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(AllowanceTest, InjectionIsConfinedToThePrefixes) {
  const auto session = drive(client(), scripted_and_stack());
  session->good(inject());
  EXPECT_THAT(refusal(*session, inject("192.0.3.1"), absl::StatusCode::kPermissionDenied),
              AllOf(HasSubstr("train[0] source"), HasSubstr("prefixes that hold 192.0.3.1")));
  EXPECT_THAT(refusal(*session, inject("", "10.0.0.1"), absl::StatusCode::kPermissionDenied),
              AllOf(HasSubstr("train[0] destination"), HasSubstr("prefixes that hold 10.0.0.1")));
  // The second of a train: nothing of it is sent.
  v1::Command second = inject();
  *second.mutable_inject()->add_train() = inject("10.0.0.1").inject().train(0);
  EXPECT_THAT(refusal(*session, second, absl::StatusCode::kPermissionDenied),
              HasSubstr("train[1] source"));
  v1::Command sources = flood(10, 0);
  sources.mutable_inject()->mutable_flood()->set_source_prefix("198.18.0.0/23");
  EXPECT_THAT(refusal(*session, sources, absl::StatusCode::kPermissionDenied),
              AllOf(HasSubstr("flood.source_prefix"), HasSubstr("198.18.0.0/23")));
  v1::Command log;
  log.mutable_read_log();
  uint64_t injected = 0;
  const v1::Report report = session->good(log);
  for (const v1::LogEntry& entry : report.log().entries()) {
    injected += entry.origin() == v1::ORIGIN_INJECTED ? 1 : 0;
  }
  EXPECT_EQ(injected, 1u);
}

TEST_F(AllowanceTest, RawPacketsAreConfinedToo) {
  const auto session = drive(client(), scripted_and_stack());
  std::string v4("\x45\0\0\x14\0\0\0\0\x40\x06\0\0\xC0\0\2\1\xC0\0\2\2", 20);
  session->good(raw(v4));
  session->good(raw(v4.substr(0, 19)));  // has no whole address
  v4[19] = '\xFF';
  session->good(raw(v4));
  v4[18] = 3;
  EXPECT_THAT(refusal(*session, raw(v4), absl::StatusCode::kPermissionDenied),
              HasSubstr("192.0.3.255"));
  std::string v6("\x60\0\0\0\0\0\x06\x40", 8);
  v6.append("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  v6.append("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
  session->good(raw(v6));
  v6[31] = 1;
  EXPECT_THAT(refusal(*session, raw(v6), absl::StatusCode::kPermissionDenied),
              HasSubstr("2001:db8:0:1::2"));
}

// Routers and tunnels' ends would take them on.
TEST_F(AllowanceTest, NoPacketLeadsOnBeyondThePrefixes) {
  std::string routed("\x47\0\0\x1C\0\0\0\0\x40\x06\0\0\xC0\0\2\1\xC0\0\2\2", 20);
  routed.append("\x83\x07\x04\x08\x08\x08\x08\0", 8);  // loose source route to 8.8.8.8
  std::string tunnelled("\x45\0\0\x28\0\0\0\0\x40\x04\0\0\xC0\0\2\1\xC0\0\2\2", 20);
  tunnelled.append("\x45\0\0\x14\0\0\0\0\x40\x06\0\0\x09\x09\x09\x09\x08\x08\x08\x08", 20);
  std::string v6("\x60\0\0\0\0\x18\x2B\x40", 8);
  v6.append("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  v6.append("\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
  v6.append("\x06\2\0\1\0\0\0\0", 8).append(16, '\x20');  // routing header, one segment left
  const auto confined = drive(client(), scripted_and_stack());
  const auto free = drive(client("", R"(name: "ci" targets: [STACK, SCRIPTED] interfaces: "memory"
                                        prefixes: ["0.0.0.0/0", "::/0"])"),
                          scripted_and_stack());
  for (const auto& [octets, what] :
       {std::pair(routed, "a source route"), std::pair(tunnelled, "protocol 4"),
        std::pair(v6, "extension headers")}) {
    EXPECT_THAT(refusal(*confined, raw(octets), absl::StatusCode::kPermissionDenied),
                HasSubstr(what));
    free->good(raw(octets));
  }
}

TEST_F(AllowanceTest, OctetsOfByteServicesCountAsTheyGo) {
  const auto session = drive(client("bytes: 1000"));
  const uint64_t listener = session->listen(v1::END_B, 80).connection();
  v1::Command source;
  source.mutable_serve()->mutable_connection()->set_id(listener);
  source.mutable_serve()->set_kind(v1::SERVICE_KIND_SOURCE);
  source.mutable_serve()->set_bytes(900);
  session->good(source);
  for (int i = 0; i < 2; ++i) session->connect(v1::END_A, "192.0.2.2", 80);
  session->run_for(1);
  v1::Command traffic;
  traffic.mutable_traffic()->mutable_connection()->set_id(listener);
  std::map<uint64_t, v1::Outcome> outcomes;  // by octets sent
  const v1::Report report = session->good(traffic);
  for (const auto& flow : report.traffic().flows()) {
    outcomes[flow.sent()] = flow.outcome();
  }
  EXPECT_THAT(outcomes, ElementsAre(Pair(100, v1::OUTCOME_INSUFFICIENT_RESOURCES),
                                    Pair(900, v1::OUTCOME_OK)));
}

// Two echoes would send what came once to and fro for ever.
TEST_F(AllowanceTest, EchoesEnd) {
  const auto session = drive(client("bytes: 100000"));
  const uint64_t listener = session->listen(v1::END_B, 80).connection();
  const uint64_t a = session->connect(v1::END_A, "192.0.2.2", 80).connection();
  EXPECT_EQ(session->send(a, std::string(1000, 'x')).accepted(), 1000u);
  for (const uint64_t id : {listener, a}) {
    v1::Command echo;
    echo.mutable_serve()->mutable_connection()->set_id(id);
    echo.mutable_serve()->set_kind(v1::SERVICE_KIND_ECHO);
    session->good(echo);
  }
  session->run_for(60);
  uint64_t sent = 1000;
  for (const uint64_t id : {listener, a}) {
    v1::Command traffic;
    traffic.mutable_traffic()->mutable_connection()->set_id(id);
    const v1::Report report = session->good(traffic);
    for (const auto& flow : report.traffic().flows()) sent += flow.sent();
  }
  EXPECT_EQ(sent, 100000u);
}

TEST_F(AllowanceTest, ConnectionsGoWherePrefixesAllow) {
  const auto session = drive(client());
  EXPECT_THAT(refusal(*session, session->connect_command(v1::END_A, "203.0.113.1", 80),
                      absl::StatusCode::kPermissionDenied),
              AllOf(HasSubstr("remote.address"), HasSubstr("203.0.113.1")));
  v1::Command socket;
  socket.mutable_socket_call()->set_end(v1::END_A);
  socket.mutable_socket_call()->mutable_connect()->mutable_address()->set_address("203.0.113.1");
  EXPECT_THAT(refusal(*session, socket, absl::StatusCode::kPermissionDenied),
              HasSubstr("203.0.113.1"));
}

TEST_F(AllowanceTest, SessionsAreLimitedForEachClient) {
  const Caller two = client("sessions: 2");
  const auto first = drive(two);
  const auto second = drive(two);
  EXPECT_THAT(refusal(virtual_pair(), absl::StatusCode::kResourceExhausted, two),
              HasSubstr("sessions: the limit of 2 is reached; delete some or wait for their leases "
                        "(quota.sessions of client \"ci\")"));
  drive(client("sessions: 1",
               "name: \"other\" targets: STACK interfaces: \"memory\" "
               "prefixes: [\"0.0.0.0/0\", \"::/0\"]"));
  // A place that became free can be taken again.
  daemon_.registry().remove(first->session().shared_from_this(), session_deleted("it"), nullptr);
  drive(two);
  EXPECT_THAT(refusal(virtual_pair(), absl::StatusCode::kResourceExhausted, two),
              HasSubstr("the limit of 2"));
  refusal(virtual_pair(), absl::StatusCode::kResourceExhausted, client("sessions: 0"));
}

TEST_F(AllowanceTest, ConnectionsAreLimited) {
  const auto session = drive(client("connections: 3"));
  const uint64_t listener = session->listen(v1::END_B, 80).connection();
  const uint64_t a = session->connect(v1::END_A, "192.0.2.2", 80).connection();
  const uint64_t b = session->accept(listener).connection();
  EXPECT_NE(b, 0u);
  const v1::Command more = session->connect_command(v1::END_A, "192.0.2.2", 80);
  EXPECT_THAT(refusal(*session, more, absl::StatusCode::kResourceExhausted),
              AllOf(HasSubstr("the limit is 3"), HasSubstr("quota.connections of client \"ci\"")));
  v1::Command abort;
  abort.mutable_abort()->mutable_connection()->set_id(a);
  session->good(abort);
  session->good(more);  // both are gone: aborted, reset
  session->good(more);
  refusal(*session, more, absl::StatusCode::kResourceExhausted);
  v1::Command accept;
  accept.mutable_accept()->mutable_listener()->set_id(listener);
  EXPECT_THAT(refusal(*session, accept, absl::StatusCode::kResourceExhausted),
              HasSubstr("connections"));
}

TEST_F(AllowanceTest, SocketsAreLimited) {
  const auto session = drive(client("connections: 2"));
  v1::Command socket;
  socket.mutable_socket_call()->set_end(v1::END_A);
  socket.mutable_socket_call()->mutable_socket()->set_domain(2);
  socket.mutable_socket_call()->mutable_socket()->set_type(1);
  EXPECT_EQ(session->good(socket).socket_call().result(), 3);
  EXPECT_EQ(session->good(socket).socket_call().result(), 4);
  EXPECT_THAT(refusal(*session, socket, absl::StatusCode::kResourceExhausted),
              AllOf(HasSubstr("2 descriptors"), HasSubstr("quota.connections")));
  v1::Command close;
  close.mutable_socket_call()->set_end(v1::END_A);
  close.mutable_socket_call()->mutable_close()->set_fd(4);
  EXPECT_EQ(session->good(close).socket_call().result(), 0);
  EXPECT_EQ(session->good(socket).socket_call().result(), 4);
}

TEST_F(AllowanceTest, OctetsAreLimited) {
  const auto session = drive(client("bytes: 100"));
  const uint64_t listener = session->listen(v1::END_B, 80).connection();
  const uint64_t a = session->connect(v1::END_A, "192.0.2.2", 80).connection();
  EXPECT_EQ(session->send(a, std::string(60, 'x')).accepted(), 60u);
  v1::Command send;
  send.mutable_send()->mutable_connection()->set_id(a);
  send.mutable_send()->set_data(std::string(41, 'x'));
  EXPECT_THAT(refusal(*session, send, absl::StatusCode::kResourceExhausted),
              HasSubstr("bytes: data: 41 octets more than the 60 so far are over the session's "
                        "limit of 100 (quota.bytes of client \"ci\")"));
  v1::Command source;
  source.mutable_serve()->mutable_connection()->set_id(listener);
  source.mutable_serve()->set_kind(v1::SERVICE_KIND_SOURCE);
  source.mutable_serve()->set_bytes(uint64_t{1} << 40);
  EXPECT_THAT(refusal(*session, source, absl::StatusCode::kResourceExhausted),
              HasSubstr("quota.bytes"));
  v1::Command chargen = source;
  chargen.mutable_serve()->set_kind(v1::SERVICE_KIND_CHARGEN);
  EXPECT_THAT(refusal(*session, chargen, absl::StatusCode::kResourceExhausted),
              HasSubstr("quota.bytes"));
  chargen.mutable_serve()->clear_bytes();
  EXPECT_THAT(refusal(*session, chargen, absl::StatusCode::kResourceExhausted),
              HasSubstr("a CHARGEN without an end"));
  v1::Command two_packets = trains(2, 0);  // of 40 octets each
  two_packets.mutable_inject()->set_background(false);
  EXPECT_THAT(refusal(*session, two_packets, absl::StatusCode::kResourceExhausted),
              HasSubstr("train: 80 octets"));
  session->good(inject());
  send.mutable_send()->set_data("x");
  refusal(*session, send, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refusal(*session, flood(10'000'000, 0), absl::StatusCode::kResourceExhausted),
              HasSubstr("flood: 400000000 octets"));
}

TEST_F(AllowanceTest, SegmentsPerSecondAreLimited) {
  // Of a virtual clock all are sent at once, whatever the gaps.
  const auto fast = drive(client("segments_per_second: 20"), scripted_and_stack());
  EXPECT_THAT(refusal(*fast, trains(21, 1), absl::StatusCode::kResourceExhausted),
              HasSubstr("segments_per_second: 21 segments, 21 of them at once, are over the limit "
                        "of 20 a second; spread them, or wait (quota.segments_per_second of client "
                        "\"ci\")"));
  fast->good(trains(20, 1));

  v1::CreateSessionRequest request = scripted_and_stack();
  request.set_clock(v1::CLOCK_REAL);
  request.mutable_wire()->set_link(v1::LINK_KIND_MEMORY);
  const auto at_once = drive(client("segments_per_second: 20"), request);
  EXPECT_THAT(refusal(*at_once, flood(1000, 0), absl::StatusCode::kResourceExhausted),
              HasSubstr("1000 of them at once"));
  EXPECT_THAT(refusal(*at_once, flood(1000, 40), absl::StatusCode::kResourceExhausted),
              HasSubstr("1000 segments"));
  EXPECT_THAT(refusal(*at_once, trains(100, 0.04), absl::StatusCode::kResourceExhausted),
              HasSubstr("100 segments"));
  at_once->good(flood(1000, 20));  // what the rule allows, for 50 s
  EXPECT_THAT(refusal(*at_once, inject(), absl::StatusCode::kResourceExhausted),
              HasSubstr("segments_per_second"));
  const auto spread = drive(client("segments_per_second: 20"), request);
  spread->good(trains(100, 0.05));
}

TEST_F(AllowanceTest, AllSessionsOfAClientShareTheSegments) {
  const Caller maker = client("segments_per_second: 20");
  v1::CreateSessionRequest request = scripted_and_stack();
  request.set_clock(v1::CLOCK_REAL);
  request.mutable_wire()->set_link(v1::LINK_KIND_MEMORY);
  const auto first = drive(maker, request);
  const auto second = drive(maker, request);
  first->good(flood(1000, 20));  // for 50 s
  refusal(*second, inject(), absl::StatusCode::kResourceExhausted);
}

TEST_F(AllowanceTest, AResetGivesConnectionsBackButNotOctets) {
  const auto session = drive(client("connections: 1 bytes: 50"), virtual_pair());
  session->listen(v1::END_B, 80);
  session->good(inject());
  v1::Command reset;
  reset.mutable_reset();
  session->good(reset);
  session->listen(v1::END_B, 80);
  refusal(*session, inject(), absl::StatusCode::kResourceExhausted);
}

// The default logger's lines while it lives.
class Lines {
 public:
  Lines() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(stream_)));
  }
  ~Lines() { spdlog::set_default_logger(before_); }
  std::string text() const { return stream_.str(); }
  size_t count(const std::string& word) const {
    size_t count = 0;
    const std::string all = text();
    for (size_t at = 0; (at = all.find(word, at)) != all.npos; at += word.size()) ++count;
    return count;
  }

 private:
  const std::shared_ptr<spdlog::logger> before_;
  std::ostringstream stream_;
};

TEST(Audit, OneLineForEachSession) {
  const Lines lines;
  {
    TestDaemon daemon;
    const auto session = *daemon.create(virtual_pair(), true, client());
    const std::string id = session->id();
    {
      DriveClient drive(session);
      v1::Command inject;
      inject.mutable_inject()->set_from(v1::END_A);
      for (int i = 0; i < 3; ++i) {
        inject.mutable_inject()->add_train()->mutable_segment()->mutable_tcp()->set_flags(2);
      }
      drive.good(inject);
      v1::Command reset;
      reset.mutable_reset();
      drive.good(reset);
      drive.good(inject);
      EXPECT_EQ(lines.count("audit:"), 0u);
      daemon.registry().remove(session, session_deleted(id), nullptr);
      EXPECT_TRUE(absl::IsNotFound(drive.await_end()));
    }
    EXPECT_TRUE(daemon.create(virtual_pair(), true).ok());  // ends with the daemon
  }
  EXPECT_EQ(lines.count("audit:"), 2u) << lines.text();
  EXPECT_THAT(
      lines.text(),
      ContainsRegex("audit: session s1-[0-9a-f]+ of \"ci\" from ipv4:203.0.113.9:4711: stack "
                    "192.0.2.1/24 2001:db8::1/64 to stack 192.0.2.2/24 2001:db8::2/64 over "
                    "memory, [0-9.]+ s, 6 segments injected; session s1-[0-9a-f]+ was deleted"));
  EXPECT_THAT(lines.text(), ContainsRegex("session s2-[0-9a-f]+ of a local user from within: .*"
                                          "0 segments injected; the daemon is shutting down"));
}

}  // namespace
}  // namespace tcproctor::server
