// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/option_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

using ::testing::HasSubstr;

Bytes encode(const OptionList& list, OptionPadding padding = OptionPadding::kZeroes) {
  const auto bytes = encode_options(list, padding);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? to_bytes(bytes->span()) : Bytes{};
}

TEST(OptionList, EncodesBothLayoutsOfTheSeed) {
  EXPECT_EQ(encode({{TcpOption::mss(512), TcpOption::nop(), TcpOption::window_scale(0),
                     TcpOption::nop(), TcpOption::nop(), TcpOption::timestamps(146647, 0)}}),
            from_hex("02040200 01 030300 01 01 080a 00023cd7 00000000"));
  EXPECT_EQ(encode({{TcpOption::mss(1460), TcpOption::nop(), TcpOption::window_scale(8),
                     TcpOption::nop(), TcpOption::nop(), TcpOption::sack_permitted()}}),
            from_hex("020405b4 01 030308 01 01 0402"));
}

TEST(OptionList, TextIsPacketdrills) {
  const auto text = [](const char* bytes, uint32_t base = 0) {
    return decode_options(from_hex(bytes)).to_text(base);
  };
  EXPECT_EQ(text("020405b4 01 030308 0101 0402"), "mss 1460,nop,wscale 8,nop,nop,sackOK");
  EXPECT_EQ(text("0101080a 00023cd7 00000000"), "nop,nop,TS val 146647 ecr 0");
  EXPECT_EQ(text("0512 000003e9 000007d1 00000bb9 00000fa1"), "sack 1001:2001 3001:4001");
  EXPECT_EQ(text("050a 00000005 00000007", 5), "sack 0:2");
  EXPECT_EQ(text("050a 00000001 00000003", 0xFFFFFFFF), "sack 2:4");
  EXPECT_EQ(text("2202 0101"), "FO,nop,nop");
  EXPECT_EQ(text("2206 a1b2c3d4"), "FO a1b2c3d4");
  EXPECT_EQ(text("fe04 f989"), "FOEXP");
  EXPECT_EQ(text("fe06 f989 abcd"), "FOEXP abcd");
  EXPECT_EQ(text("1312 000102030405060708090a0b0c0d0e0f"), "md5 000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(text("c806 01020304"), "kind 200 len 6 0x01020304");
  EXPECT_EQ(text("1c04 8005"), "kind 28 len 4 0x8005");
  EXPECT_EQ(text("0203 05 00"), "kind 2 len 3 0x05,eol");
  EXPECT_EQ(text("030307 00"), "wscale 7,eol");
  EXPECT_EQ(text("030307 00 00000000"), "wscale 7,eol");
  EXPECT_EQ(text("030307 00 00010000"), "wscale 7,eol,padding 0x00010000");
  EXPECT_EQ(text("0101 0200"), "nop,nop,malformed 0x0200");
  EXPECT_EQ(text(""), "");
}

TEST(OptionList, NamesTheFault) {
  const OptionList list = decode_options(from_hex("020405b4 01 08ff 00"));
  EXPECT_EQ(list.error, OptionError::kOverrun);
  EXPECT_EQ(list.error_offset, 5);
  EXPECT_EQ(list.options.size(), 2u);
  EXPECT_EQ(to_bytes(list.trailing.span()), from_hex("08ff00"));
}

TEST(OptionList, CraftsWhatIsWrong) {
  EXPECT_EQ(encode({{TcpOption::crafted(2, 0, from_hex("05b4"))}}), from_hex("020005b4"));
  EXPECT_EQ(encode({{TcpOption::crafted(8, 255, {})}}, OptionPadding::kNone), from_hex("08ff"));
  EXPECT_EQ(encode({{TcpOption{.kind = 200}}}, OptionPadding::kNone), from_hex("c8"));
  EXPECT_EQ(TcpOption::crafted(2, 0, {}), (TcpOption{.kind = 2, .length = 0}));
  EXPECT_EQ((OptionList{{TcpOption::crafted(8, 255, {}), TcpOption{.kind = 9}}}).to_text(),
            "kind 8 len 255,kind 9");
}

TEST(OptionList, PaddingPolicies) {
  const OptionList list{{TcpOption::window_scale(7), TcpOption::sack_permitted()}};
  EXPECT_EQ(encode(list, OptionPadding::kZeroes), from_hex("030307 0402 000000"));
  EXPECT_EQ(encode(list, OptionPadding::kNops), from_hex("030307 0402 010101"));
  EXPECT_EQ(encode(list, OptionPadding::kNone), from_hex("030307 0402"));
}

TEST(OptionList, EveryFactory) {
  const SackBlock blocks[] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}};
  EXPECT_EQ(TcpOption::sack(blocks).length, 34);  // the fifth has no room in any header
  EXPECT_EQ(encode({{TcpOption::user_timeout({.minutes = false, .value = 300})}}),
            from_hex("1c04012c"));
  EXPECT_EQ(encode({{TcpOption::fast_open(from_hex("aabbccdd")), TcpOption::eol()}}),
            from_hex("2206aabbccdd 00 00"));
  EXPECT_EQ(encode({{TcpOption::md5(Bytes(16, 7))}}).size(), 20u);
  EXPECT_EQ(TcpOption::of_kind(254, Bytes(100)).data.size(), 38u);
}

TEST(OptionList, MoreThan40OctetsAreRefused) {
  OptionList list;
  for (int i = 0; i < 10; ++i) list.options.push_back(TcpOption::mss(536));
  EXPECT_EQ(encode(list).size(), 40u);
  list.options.push_back(TcpOption::nop());
  const auto bytes = encode_options(list);
  ASSERT_FALSE(bytes.ok());
  EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("take 41 octets"));
}

TEST(OptionList, DecodeThenEncodeGivesTheSameOctets) {
  Random random;
  for (int round = 0; round < 50000; ++round) {
    Bytes bytes = random.bytes(random.up_to(40));
    for (uint8_t& byte : bytes) {
      if (random.coin()) byte = static_cast<uint8_t>(byte % 12);
    }
    const OptionList list = decode_options(bytes);
    ASSERT_EQ(encode(list, OptionPadding::kNone), bytes) << list.to_text();

    TcpOptions options;
    parse_options(bytes, options);
    // Both readers cut the octets apart alike.
    if (options.error != OptionError::kWrongLength) {
      ASSERT_EQ(options.error, list.error);
      ASSERT_EQ(options.error_offset, list.error_offset);
    } else {
      ASSERT_EQ(list.error, OptionError::kNone);
    }
  }
}

}  // namespace
}  // namespace tcproctor::packet
