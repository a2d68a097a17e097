// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tcproctor::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseSocketAddress, Forms) {
  EXPECT_EQ(to_text(*parse_socket_address("192.0.2.1:80")), "192.0.2.1:80");
  EXPECT_EQ(to_text(*parse_socket_address("[2001:db8::1]:80")), "[2001:db8::1]:80");
  EXPECT_EQ(to_text(*parse_socket_address(":80")), "*:80");
  EXPECT_EQ(to_text(*parse_socket_address("80")), "*:80");
  EXPECT_EQ(to_text(*parse_socket_address("192.0.2.1:0")), "192.0.2.1:0");
  EXPECT_EQ(parse_socket_address("[2001:db8::1]:80")->address(), "2001:db8::1");
}

TEST(ParseSocketAddress, Wrong) {
  for (const char* text : {"", "host", "192.0.2.1:70000", "192.0.2.1:-1", "2001:db8::1:80"}) {
    const absl::Status status = parse_socket_address(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr("want ADDRESS:PORT"));
  }
}

TEST(ParseConnection, ById) {
  const absl::StatusOr<v1::ConnectionRef> ref = parse_connection("s", "12");
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(ref->session(), "s");
  EXPECT_EQ(ref->id(), 12U);
}

TEST(ParseConnection, BySocketPair) {
  const absl::StatusOr<v1::ConnectionRef> ref =
      parse_connection("s", "B/192.0.2.2:80-192.0.2.1:40000#2");
  ASSERT_TRUE(ref.ok()) << ref.status();
  EXPECT_EQ(ref->end(), v1::END_B);
  EXPECT_EQ(ref->incarnation(), 2U);
  EXPECT_EQ(to_text(ref->pair().local()), "192.0.2.2:80");
  EXPECT_EQ(to_text(ref->pair().remote()), "192.0.2.1:40000");
}

TEST(ParseConnection, Wrong) {
  for (const char* text : {"", "x", "-1", "192.0.2.2:80-192.0.2.1:40000", "C/:80-:90", "A/:80",
                           "A/:80-:90#x", "A/:80-:90-:100", "A/:80-:70000"}) {
    EXPECT_EQ(parse_connection("s", text).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(ParseStates, NamesOfTheRfc) {
  EXPECT_THAT(*parse_states("SYN-SENT,TIME-WAIT"),
              ElementsAre(v1::TCP_STATE_SYN_SENT, v1::TCP_STATE_TIME_WAIT));
  EXPECT_THAT(std::string(parse_states("OPEN").status().message()), HasSubstr("\"OPEN\""));
}

TEST(ParseTcpFlags, LettersAndNames) {
  EXPECT_EQ(*parse_tcp_flags("0"), 0U);
  EXPECT_EQ(*parse_tcp_flags("S"), 0x02U);
  EXPECT_EQ(*parse_tcp_flags("S."), 0x12U);
  EXPECT_EQ(*parse_tcp_flags("FSRP.UEW"), 0xffU);
  EXPECT_EQ(*parse_tcp_flags("SYN,ACK"), 0x12U);
  EXPECT_EQ(*parse_tcp_flags("AE"), 0x100U);
  EXPECT_EQ(*parse_tcp_flags("FIN,SYN,RST,PSH,ACK,URG,ECE,CWR,AE"), 0x1ffU);
}

TEST(ParseTcpFlags, ALoneAIsRefusedBecauseItHasTwoMeanings) {
  EXPECT_THAT(std::string(parse_tcp_flags("SA").status().message()), HasSubstr(". (ACK)"));
  EXPECT_FALSE(parse_tcp_flags("SYN,").ok());
  EXPECT_FALSE(parse_tcp_flags("syn").ok());
}

TEST(ParseHex, Octets) {
  EXPECT_EQ(*parse_hex("0x01ff"), std::string("\x01\xff"));
  EXPECT_EQ(*parse_hex("01 FF:00"), std::string("\x01\xff\x00", 3));
  EXPECT_EQ(*parse_hex(""), "");
  EXPECT_THAT(std::string(parse_hex("123").status().message()), HasSubstr("odd number"));
  EXPECT_THAT(std::string(parse_hex("zz").status().message()), HasSubstr("hexadecimal"));
}

TEST(ParseJson, TextAndFile) {
  v1::SocketAddress address;
  ASSERT_TRUE(parse_json(R"({"address":"192.0.2.1","port":80})", &address).ok());
  EXPECT_EQ(to_text(address), "192.0.2.1:80");

  std::string path = std::filesystem::temp_directory_path() / "parse_test-XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  std::ofstream(path) << R"({"port":81})";
  EXPECT_TRUE(parse_json("@" + path, &address).ok());
  EXPECT_EQ(address.port(), 81U);
  std::filesystem::remove(path);
  EXPECT_THAT(std::string(parse_json("@" + path, &address).message()), HasSubstr("cannot be read"));
}

TEST(ParseJson, ErrorsNameTypeAndField) {
  v1::SocketAddress address;
  const absl::Status unknown = parse_json(R"({"prt":80})", &address);
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("tcproctor.v1.SocketAddress"));
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("prt"));
  EXPECT_FALSE(parse_json("{", &address).ok());
  EXPECT_FALSE(parse_json(R"({"port":"x"})", &address).ok());
}

}  // namespace
}  // namespace tcproctor::cli
