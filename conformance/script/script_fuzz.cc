// SPDX-License-Identifier: Apache-2.0
// Any text is read without harm, in either language; what is well-formed prints to a text that is
// read as the same again.
#include <string>
#include <string_view>

#include "cmake/fuzzing/fuzz.h"
#include "conformance/script/check.h"
#include "conformance/script/parser.h"
#include "conformance/script/printer.h"

namespace tcproctor::packet {

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  constexpr std::string_view kSeeds[] = {
      "--ip_version=ipv6\n`sysctl -q a=1`\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
      "+0...1 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)\n"
      "+.1~+.2 > [ect0] S.5 0:0(0) ack 1 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 8>\n"
      "* > P. 1:11(10) ack 1 win 5 <...>\n"
      "+0 < icmp unreachable frag_needed mtu 800 [1:11(10)]\n"
      "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 1000) = 1\n"
      "+0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0, msg_control=[\n"
      "{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR, cmsg_data=5}]}, 0) = 0\n"
      "+0 %{ x = 3; x += 1; assert 1 < tcpi_rtt <= (x | 2), 'a%d' % (x, 1) }%\n`rm`\n",
      "0 > . 1:1(0) ack 1 <ECN e1b 1 ceb 0 e0b 1,nop,sack 1:2 3:4,md5 00,FO TFO_COOKIE>\n",
      "//: id: t\n//: title: T\n//: covers: S000-2.1\nL = OPEN(passive)\n"
      "< S 0:0(0) win 65535 <mss 1460>\n> S. 0:0(0) ack 1 <...> {ttl 1~255}\n"
      "C = ACCEPT(L)\nclause \"a\" fresh\nSTATUS(C) = {rcv_nxt: 1, options.keepalive: true}\n",
  };
  std::vector<std::vector<uint8_t>> seeds;
  for (const std::string_view seed : kSeeds) seeds.emplace_back(seed.begin(), seed.end());
  return seeds;
}

}  // namespace tcproctor::packet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tcproctor::conformance;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Case> parsed = parse(text, "fuzz.pkt");
  if (!parsed.ok()) {
    TCPROCTOR_FUZZ_EXPECT(!parsed.status().message().empty());
    return 0;
  }
  static_cast<void>(check(*parsed));
  const std::string printed = print(*parsed);
  const absl::StatusOr<Case> again = parse(printed, "fuzz.pkt");
  TCPROCTOR_FUZZ_EXPECT(again.ok());
  TCPROCTOR_FUZZ_EXPECT(print(*again) == printed);
  return 0;
}
