// SPDX-License-Identifier: Apache-2.0
// Scripts of packetdrill's dialect: every construct parses, prints to itself and means what it
// says; what is wrong is refused with its place.
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/script/check.h"
#include "conformance/script/packetdrill_code.h"
#include "conformance/script/packetdrill_printer.h"
#include "conformance/script/parser.h"
#include "conformance/script/printer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using ::testing::HasSubstr;

// Events of a script; the one that has to be at time 0 stands before them.
constexpr std::string_view kFirst = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";

Case must_parse(const std::string& text) {
  absl::StatusOr<Case> parsed = parse(text, "dir/t.pkt");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message() << "\n" << text;
  return parsed.ok() ? *std::move(parsed) : Case{};
}

Statement statement(const std::string& event) {
  const Case parsed = must_parse(cat(kFirst, event, "\n"));
  if (parsed.clauses.empty() || parsed.clauses[0].statements.size() < 2) return {};
  return parsed.clauses[0].statements[1];
}

std::string error_of(const std::string& text) {
  const absl::StatusOr<Case> parsed = parse(text, "t.pkt");
  return parsed.ok() ? "no error" : std::string(parsed.status().message());
}

TEST(Packetdrill, AFileWithoutAHeadIsOfTheDialect) {
  const Case parsed = must_parse(std::string(kFirst));
  EXPECT_EQ(parsed.dialect, Dialect::kPacketdrill);
  EXPECT_EQ(parsed.head.id, "t");
  EXPECT_THAT(parsed.head.needs, ::testing::ElementsAre("sockets"));
  EXPECT_TRUE(check(parsed).ok());
}

// Canonical forms, one for each construct: they print as they are written.
class Canonical : public ::testing::TestWithParam<const char*> {};
TEST_P(Canonical, PrintsAsItIsWritten) {
  EXPECT_EQ(print_foreign_statement(statement(GetParam())), GetParam());
}
INSTANTIATE_TEST_SUITE_P(
    Events, Canonical,
    ::testing::Values(
        // times
        "0.5 close(3) = 0", "+0.0001 close(3) = 0", "0.1~0.2 > . 1:1(0) ack 1",
        "+0.1~+0.2 > . 1:1(0) ack 1", "* > . 1:1(0) ack 1", "+0...0.2 accept(3, ..., ...) = 4",
        "0.1...0.2 read(4, ..., 1000) = 1000",
        // packets
        "+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
        "+0 > S. 0:0(0) ack 1 <...>", "+0 > P. 1:14601(14600) ack 1",
        "+0 < U. 1:101(100) ack 1 win 257 urg 100", "+0 < - 1:1(0) win 5", "+0 > R 1:1(0)",
        "+0 < FP. 1001:2001(1000) ack 1 win 257",
        "+0 > . 1:1(0) ack 1 win 0 <nop,nop,TS val 200 ecr 700>",
        "+0 < . 1:1(0) ack 1 win 257 <sack 1001:2001 3001:4001,nop,nop>",
        "+0 < S 0:0(0) win 1000 <mss 1012,nop,nop,FO TFO_COOKIE>",
        "+0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 8,FO,nop,nop>",
        "+0 < S 0:0(0) win 1000 <mss 1012,FOEXP 00abaaabe8e954c2>",
        "+0 < . 1:1(0) ack 1 win 514 <md5 000102030405060708090a0b0c0d0e0f,nop,nop>",
        "+0 > P.5 1:1005(1004) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop>", "+0 > .6 1:1(0) ack 1",
        "+0 < SEWA 0:0(0) win 32792", "+0 < [ect0] W. 1:1(0) ack 1 win 264",
        "+0 > [noecn] . 1:1(0) ack 1", "+0 > [ect01] . 1:1(0) ack 1",
        "+0 < [ce] . 1:1(0) ack 1 win 5", "+0 > [tos 0x04] . 1:1(0) ack 1",
        "+0 > [ttl 64] . 1:1(0) ack 1", "+0 > [flowlabel 0x1] . 1:1(0) ack 1",
        "+0 > [ect0,flowlabel 0x2] . 1:1(0) ack 1", "+0 < 40000 > 8080 R 5:5(0) win 0",
        // ICMP
        "+0 < icmp unreachable [5000:6000(1000)]", "+0 < icmp unreachable frag_needed mtu 800",
        "+0 < icmp unreachable CODE [0:10(10)]", "+0 < icmp packet_too_big mtu 1400 [0:1440(1440)]",
        // system calls
        "+0 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
        "+0 bind(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr(\"192.0.2.1\")}, "
        "...) = 0",
        "+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
        "+0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
        "+0 setsockopt(3, SOL_TCP, TCP_CONGESTION, \"reno\", 4) = 0",
        "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0",
        "+0 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0", "+0 fcntl(4, F_GETFL) = 0x802",
        "+0 fcntl(4, F_GETFL) = O_RDWR|O_NONBLOCK (flags O_RDWR)",
        "+0 sendto(3, ..., 1000, MSG_FASTOPEN, ..., ...) = 1000",
        "+0 write(4, NULL, 5) = -1 EFAULT "
        "(Bad address)",
        "+0 ioctl(4, SIOCINQ, [1000]) = 0", "+0 shutdown(4, SHUT_RDWR) = 0",
        "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 1000) = 1",
        "+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0",
        "+0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0", "+0 pipe([5, 6]) = 0",
        "+0 splice(4, NULL, 6, NULL, 99, 0) = 99", "+0 open(\"/tmp/testfile\", O_RDONLY) = 5",
        "+0 sendfile(4, 5, [0], 5) = 5",
        "+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 1000}, {..., 500}], msg_flags=0}, "
        "MSG_ZEROCOPY) = 1500",
        "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE, "
        "msg_control=[{cmsg_level=CMSG_LEVEL_IP, cmsg_type=CMSG_TYPE_RECVERR, "
        "cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_type=0, "
        "ee_code=SO_EE_CODE_ZEROCOPY_COPIED, ee_info=0, ee_data=1}}]}, MSG_ERRQUEUE) = 0",
        "+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0, "
        "msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, "
        "cmsg_data={scm_sec=0, scm_nsec=10000000}}]}, 0) = 0",
        // code and commands
        "+0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%",
        "+0 `sysctl -q net.ipv4.tcp_sack=1`"));

TEST(Packetdrill, WholeScriptsPrintToThemselves) {
  const std::string text =
      "--ip_version=ipv6\n--tolerance_usecs=10000\n--tcp_ts_ecr_scaled\n"
      "`./defaults.sh\nsysctl -q net.ipv4.tcp_sack=0`\n"
      "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
      "+0 %{ cwnd = 5\nassert cwnd == 5 }%\n"
      "`/tmp/restore.sh`\n";
  EXPECT_EQ(print(must_parse(text)), text);
  EXPECT_TRUE(must_parse(text).head.ipv6);
}

TEST(Packetdrill, LinesAndBlanksMeanNothing) {
  const Case parsed = must_parse(
      "/* a comment\n over lines */ 0 // another\n  socket ( ... ,\nSOCK_STREAM,IPPROTO_TCP ) =3\n"
      " +.1<S 0:0(0)win 1\n");
  EXPECT_EQ(print(parsed), cat(kFirst, "+0.1 < S 0:0(0) win 1\n"));
}

TEST(Packetdrill, ADigitStandsForThreeFlags) {
  const auto packet = [](const std::string& event) {
    const Statement parsed = statement(event);
    const auto* expect = std::get_if<ExpectStatement>(&parsed.body);
    return expect == nullptr ? TcpPacket{} : std::get<TcpPacket>(expect->alternatives[0].body);
  };
  EXPECT_EQ(packet("+0 > P.5 1:1(0) ack 1").flags, 0x158u);
  EXPECT_EQ(packet("+0 > .2 1:1(0) ack 1").flags, 0x90u);
  EXPECT_EQ(packet("+0 > EAP. 1:1(0) ack 1").flags, 0x158u);
}

struct Wrong {
  const char* event;
  const char* message;
};
class Refused : public ::testing::TestWithParam<Wrong> {};
TEST_P(Refused, WithItsPlace) {
  EXPECT_THAT(error_of(cat(kFirst, GetParam().event, "\n")), HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(
    Events, Refused,
    ::testing::Values(
        Wrong{"+x close(3) = 0", "t.pkt:2:2: expected a time, found \"x\""},
        Wrong{"+-1 close(3) = 0", "t.pkt:2:2: a time must not be negative"},
        Wrong{"1 close(3) = 0\n+.5 close(4) = 0\n1.2 close(5) = 0",
              "t.pkt:4:1: an impossible time: the event before this is at 1500ms or later"},
        Wrong{"1 close(3) = 0\n0.1~0.9 > . 1:1(0) ack 1", "t.pkt:3:1: an impossible time"},
        Wrong{"+2~+1 > . 1:1(0) ack 1", "t.pkt:2:2: the range of times is upside down"},
        Wrong{"+1~2 > . 1:1(0) ack 1", "t.pkt:2:4: expected \"+\" before the end of a range"},
        Wrong{"* close(3) = 0", "t.pkt:2:1: the time \"*\" is for outbound packets"},
        Wrong{"+1~+2 < . 1:1(0) ack 1 win 5", "t.pkt:2:1: a range of times is for outbound"},
        Wrong{"+0...1 < . 1:1(0) ack 1 win 5", "t.pkt:2:8: only a system call goes on"},
        Wrong{"+2...1 read(3, ..., 1) = 1", "t.pkt:2:2: the call ends before it starts"},
        Wrong{"+0 < SX 0:0(0) win 5", "t.pkt:2:6: expected the flags of a segment"},
        Wrong{"+0 < E5. 0:0(0) win 5", "t.pkt:2:6: a digit stands for the flags E, W and A"},
        Wrong{"+0 < S 0:0(0)", "t.pkt:2:6: an inbound packet needs a window"},
        Wrong{"+0 < S 0:1(0) win 5",
              "t.pkt:2:8: the length says 0 but the sequence numbers cover 1"},
        Wrong{"+0 < S 0:0 win 5", "t.pkt:2:12: expected \"(\" and the length"},
        Wrong{"+0 < S 0:0(0) win 70000", "t.pkt:2:19: the window must be 0 to 65535"},
        Wrong{"+0 < S 0:0(0) win 5 <mss>", "t.pkt:2:25: expected mss (a number), found \">\""},
        Wrong{"+0 < S 0:0(0) win 5 <nop>",
              "t.pkt:2:22: the options have 1 octets: they must be filled"},
        Wrong{"+0 < S 0:0(0) win 5 <mss 5", "t.pkt:2:27: expected \">\" or \",\""},
        Wrong{"+0 < S 0:0(0) win 5 <mms 5>", "t.pkt:2:22: unknown option \"mms\""},
        Wrong{"+0 < S 0:0(0) win 5 <FO xyz>", "t.pkt:2:25: expected at most 36 pairs"},
        Wrong{"+0 < S 0:0(0) win 5 <...>", "t.pkt:2:22: <...> is for outbound packets"},
        Wrong{"+0 < [ect01] S 0:0(0) win 5", "t.pkt:2:7: [ect01] is for outbound packets"},
        Wrong{"+0 < [ect5] S 0:0(0) win 5", "t.pkt:2:7: expected noecn, ect0"},
        Wrong{"+0 < icmp unreachable nowhere", "t.pkt:2:11: unknown ICMP message"},
        Wrong{"+0 > udp (5)", "t.pkt:2:6: UDP is not supported"},
        Wrong{"+0 clsoe(3) = 0", "t.pkt:2:4: unknown system call \"clsoe\""},
        Wrong{"+0 close(3, 4) = 0", "t.pkt:2:4: close() takes 1 arguments, not 2"},
        Wrong{"+0 close(3) 0", "t.pkt:2:13: expected \"=\" and the result"},
        Wrong{"+0 close(3 = 0", "t.pkt:2:12: expected \")\" or \",\""},
        Wrong{"+0 close(3) = -1 EVIL (x)", "t.pkt:2:18: \"EVIL\" is no errno"},
        Wrong{"+0 close(3) = -1 EBADF", "expected the text of the error in brackets"},
        Wrong{"+0 listen(3, MANY) = 0", "t.pkt:2:14: unknown name \"MANY\""},
        Wrong{"+0 poll([{fd=4}], 1, 0) = 0", "t.pkt:2:10: no structure has the members fd"},
        Wrong{"+0 poll([{fd=4, 5}], 1, 0) = 0", "t.pkt:2:10: no structure has the members fd, "},
        Wrong{"+0 open(\"/tmp/x, O_RDONLY) = 5", "t.pkt:2:9: this text is never closed"},
        Wrong{"+0 %{ assert tcpi_cwnd == 1 }%", "t.pkt:2:14: unknown name \"tcpi_cwnd\""},
        Wrong{"+0 %{ assert tcpi_rtt = }%", "t.pkt:2:23: expected the end of the statement"},
        Wrong{"+0 %{ assert (tcpi_rtt }%", "expected \")\", found the end of the code"},
        Wrong{"+0 %{ assert tcpi_rtt == 1", "t.pkt:2:4: this code is never closed"},
        Wrong{"+0 `ls", "t.pkt:2:4: this command is never closed"},
        Wrong{"/* x", "t.pkt:2:1: this comment is never closed"},
        Wrong{"--mss=5", "t.pkt:2:1: expected a time"}));

TEST(PacketdrillErrors, OfTheWholeScript) {
  EXPECT_THAT(error_of(""), HasSubstr("t.pkt:1:1: the script has no events"));
  EXPECT_THAT(error_of("1 close(3) = 0\n"),
              HasSubstr("t.pkt:1:1: the first event must be at time 0"));
  EXPECT_THAT(error_of("--color=red\n0 close(3) = 0\n"), HasSubstr("t.pkt:1:1: unknown flag"));
  EXPECT_THAT(error_of("--mtu=x\n0 close(3) = 0\n"), HasSubstr("t.pkt:1:1: --mtu needs a number"));
  EXPECT_THAT(error_of("0 close(3) = 0\n`ls`\n+0 close(3) = 0\n"),
              HasSubstr("t.pkt:3:1: expected the end of the file after the last command"));
}

// --- %{ }% ---

struct Told {
  const char* code;
  const char* result;  // empty: it holds
};
class Code : public ::testing::TestWithParam<Told> {};
TEST_P(Code, IsEvaluatedAsPythonDoes) {
  std::map<std::string, CodeValue> memory;
  const CodeResult result = run_code(
      parse_code(GetParam().code, {1, 1}),
      [](const std::string& name) -> std::optional<int64_t> {
        if (name == "tcpi_rtt") return 5000;
        if (name == "tcpi_options") return 0x25;
        return std::nullopt;
      },
      memory);
  EXPECT_EQ(result.text, GetParam().result);
  EXPECT_EQ(result.kind == CodeResult::Kind::kHolds, result.text.empty());
}
INSTANTIATE_TEST_SUITE_P(
    Expressions, Code,
    ::testing::Values(
        Told{" assert tcpi_rtt == 5000 ", ""},
        Told{"assert tcpi_rtt == 1, tcpi_rtt", "assert tcpi_rtt == 1, tcpi_rtt: 5000"},
        Told{"assert 1 < tcpi_rtt <= 5000, 'rtt=%d' % tcpi_rtt", ""},
        Told{"assert 1 < tcpi_rtt < 5000, 'rtt=%d of %d' % (tcpi_rtt, 7)",
             "assert 1 < tcpi_rtt < 5000, 'rtt=%d of %d' % (tcpi_rtt, 7): rtt=5000 of 7"},
        Told{"assert (tcpi_options & 0x20) != 0; assert tcpi_options & 2 == 0", ""},
        Told{"assert not 0 and (1 or 0)", ""}, Told{"assert 8940 - 12 == 8928", ""},
        Told{"assert -7 // 2 == -4; assert -7 % 3 == 2; assert 7 / 2 > 3", ""},
        Told{"assert 1 << 4 | 1 == 17; assert ~0 == -1; assert 6 ^ 3 == 5", ""},
        Told{"x = 4\nx += 2 # a comment\nprint(x)\nassert x == 6, \\\n x", ""},
        Told{"assert x == 1", "assert x == 1: nothing here tells x"},
        Told{"assert 1 / 0", "assert 1 / 0: a division by zero"}));

// Neither brackets nor a chain make a tree deeper than the stack bears.
TEST(PacketdrillErrors, CodeThatIsTooDeep) {
  const auto code = [](const std::string& expression) {
    return error_of(cat(kFirst, "+0 %{ assert ", expression, " }%\n"));
  };
  std::string chain = "1", brackets = "1", negations;
  for (int i = 0; i < 100'000; ++i) chain += "+1";
  for (int i = 0; i < 100; ++i) brackets = cat("(", brackets, ")");
  for (int i = 0; i < 100; ++i) negations += "not ";
  EXPECT_THAT(code(chain), HasSubstr("this statement has too many operators"));
  EXPECT_THAT(code(brackets), HasSubstr("this code is nested too deeply"));
  EXPECT_THAT(code(negations + "1"), HasSubstr("this code is nested too deeply"));
}

TEST(CodeMemory, LastsOverBlocks) {
  std::map<std::string, CodeValue> memory;
  const auto none = [](const std::string&) { return std::optional<int64_t>(); };
  EXPECT_EQ(run_code(parse_code("a = 1", {1, 1}), none, memory).kind, CodeResult::Kind::kHolds);
  EXPECT_EQ(run_code(parse_code("assert a == 1", {1, 1}), none, memory).kind,
            CodeResult::Kind::kHolds);
}

}  // namespace
}  // namespace tcproctor::conformance
