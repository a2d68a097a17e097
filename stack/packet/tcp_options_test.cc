// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/tcp_options.h"

#include <gtest/gtest.h>

#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

// The result points into `bytes`.
TcpOptions parse(const Bytes& bytes) {
  TcpOptions options;
  parse_options(bytes, options);
  return options;
}

// --- S003-options: the two layouts of the seed, byte for byte ---

TEST(S003Options, MssWindowScaleTimestamps) {
  const Bytes layout = from_hex("02040200 01 030300 01 01 080a 00023cd7 00000000");
  ASSERT_EQ(layout.size(), 20u);
  OptionWriter writer;
  writer.mss(512);
  writer.nop();
  writer.window_scale(0);
  writer.nop();
  writer.nop();
  writer.timestamps({146647, 0});
  EXPECT_EQ(to_bytes(writer.finish()), layout);
  const TcpOptions options = parse(layout);
  EXPECT_EQ(options.mss, 512);
  EXPECT_EQ(options.window_scale, 0);
  EXPECT_EQ(options.timestamps, (TimestampsOption{146647, 0}));
  EXPECT_FALSE(options.sack_permitted);
  EXPECT_EQ(options.error, OptionError::kNone);
}

TEST(S003Options, MssWindowScaleSackPermitted) {
  const Bytes layout = from_hex("020405b4 01 030308 01 01 0402");
  ASSERT_EQ(layout.size(), 12u);
  OptionWriter writer;
  writer.mss(1460);
  writer.nop();
  writer.window_scale(8);
  writer.nop();
  writer.nop();
  writer.sack_permitted();
  EXPECT_EQ(to_bytes(writer.finish()), layout);
  const TcpOptions options = parse(layout);
  EXPECT_EQ(options.mss, 1460);
  EXPECT_EQ(options.window_scale, 8);
  EXPECT_TRUE(options.sack_permitted);
  EXPECT_FALSE(options.timestamps.has_value());
}

TEST(S003Options, Window314WithShift7Reads40192) {
  const TcpOptions options = parse(from_hex("01 030307"));
  ASSERT_EQ(options.window_scale, 7);
  EXPECT_EQ(uint32_t{314} << *options.window_scale, 40192u);
}

TEST(S003Options, ObsoleteEchoIsSkipped) {
  const TcpOptions options = parse(from_hex("0606 00000001 0706 00000002 020405b4"));
  EXPECT_EQ(options.mss, 1460);
  EXPECT_EQ(options.error, OptionError::kNone);
}

// --- reading ---

TEST(ParseOptions, Empty) {
  const TcpOptions options = parse({});
  EXPECT_EQ(options.error, OptionError::kNone);
  EXPECT_FALSE(options.mss);
  EXPECT_TRUE(options.raw.empty());
}

TEST(ParseOptions, ForgetsWhatWasThereBefore) {
  TcpOptions options;
  parse_options(from_hex("020405b4 01010402"), options);
  parse_options({}, options);
  EXPECT_FALSE(options.mss);
  EXPECT_FALSE(options.sack_permitted);
}

TEST(ParseOptions, EveryKind) {
  const Bytes bytes = from_hex("1c04 8005 2206 a1b2c3d4 1d06 0102 aabb 050a 00000001 00000002");
  const TcpOptions mixed = parse(bytes);
  ASSERT_TRUE(mixed.user_timeout);
  EXPECT_EQ(*mixed.user_timeout, (UserTimeoutOption{true, 5}));
  ASSERT_TRUE(mixed.fast_open);
  EXPECT_EQ(to_bytes(*mixed.fast_open), from_hex("a1b2c3d4"));
  EXPECT_EQ(to_bytes(mixed.authentication), from_hex("0102aabb"));
  ASSERT_EQ(mixed.sack_blocks().size(), 1u);
  EXPECT_EQ(mixed.sack_blocks()[0], (SackBlock{1, 2}));
  EXPECT_EQ(mixed.error, OptionError::kNone);

  const Bytes signed_bytes = from_hex("1312 000102030405060708090a0b0c0d0e0f");
  EXPECT_EQ(to_bytes(parse(signed_bytes).md5), from_hex("000102030405060708090a0b0c0d0e0f"));
  const Bytes request = from_hex("2202");
  ASSERT_TRUE(parse(request).fast_open);
  EXPECT_TRUE(parse(request).fast_open->empty());
}

TEST(ParseOptions, FourSackBlocksFillTheHeader) {
  const Bytes bytes = from_hex(
      "0101 0522 00000001 00000002 00000003 00000004 00000005 00000006 fffffff0 00000008 0000");
  ASSERT_EQ(bytes.size(), 38u);
  const TcpOptions options = parse(bytes);
  ASSERT_EQ(options.sack_blocks().size(), 4u);
  EXPECT_EQ(options.sack_blocks()[3], (SackBlock{0xFFFFFFF0, 8}));
}

TEST(ParseOptions, WindowScaleAbove14IsKeptForTheConsumerToClamp) {
  EXPECT_EQ(parse(from_hex("030315 00")).window_scale, 21);
}

// RFC9293-MUST-64
TEST(ParseOptions, AnyAlignment) {
  for (size_t nops = 0; nops <= 30; ++nops) {
    Bytes bytes(nops, 0x01);
    const Bytes ts = from_hex("080a 01020304 05060708");
    bytes.insert(bytes.end(), ts.begin(), ts.end());
    const TcpOptions options = parse(bytes);
    EXPECT_EQ(options.timestamps, (TimestampsOption{0x01020304, 0x05060708})) << nops;
  }
  EXPECT_EQ(parse(from_hex("c803ff 0204 0218")).mss, 536);
}

// RFC9293-MUST-6
TEST(ParseOptions, UnknownKindsAreSkipped) {
  const TcpOptions options = parse(from_hex("c806 aabbccdd fd04 f989 fe02 0204 05b4 0101"));
  EXPECT_EQ(options.mss, 1460);
  EXPECT_EQ(options.error, OptionError::kNone);
}

TEST(ParseOptions, EolStops) {
  const TcpOptions options = parse(from_hex("00 020405b4 000000"));
  EXPECT_FALSE(options.mss);
  EXPECT_EQ(options.error, OptionError::kNone);
}

TEST(ParseOptions, TheLastOfTwoCounts) {
  EXPECT_EQ(parse(from_hex("02040001 02040002")).mss, 2);
}

TEST(ParseOptions, ReadsNoMoreThan40Octets) {
  Bytes bytes(40, 0x01);
  const Bytes mss = from_hex("020405b4");
  bytes.insert(bytes.end(), mss.begin(), mss.end());
  const TcpOptions options = parse(bytes);
  EXPECT_FALSE(options.mss);
  EXPECT_EQ(options.raw.size(), 40u);
}

// --- malformed: RFC9293-MUST-7 ---

struct Malformed {
  const char* bytes;
  OptionError error;
  uint8_t offset;
  bool mss_read;  // an MSS option in front or behind was read
};

class MalformedOptions : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedOptions, IsNamedWithItsOffset) {
  const TcpOptions options = parse(from_hex(GetParam().bytes));
  EXPECT_EQ(options.error, GetParam().error);
  EXPECT_EQ(options.error_offset, GetParam().offset);
  EXPECT_EQ(options.mss.has_value(), GetParam().mss_read);
}

INSTANTIATE_TEST_SUITE_P(
    Classes, MalformedOptions,
    testing::Values(
        Malformed{"0200 05b4", OptionError::kLengthTooSmall, 0, false},
        Malformed{"0201 05b4", OptionError::kLengthTooSmall, 0, false},
        Malformed{"c800 0204 05b4 0000", OptionError::kLengthTooSmall, 0, false},
        Malformed{"020405b4 c801 0101", OptionError::kLengthTooSmall, 4, true},
        Malformed{"020505b4", OptionError::kOverrun, 0, false},
        Malformed{"02ff05b4", OptionError::kOverrun, 0, false},
        Malformed{"020405b4 010108ff", OptionError::kOverrun, 6, true},
        Malformed{"020405b4 01010108", OptionError::kMissingLength, 7, true},
        Malformed{"02", OptionError::kMissingLength, 0, false},
        Malformed{"c8", OptionError::kMissingLength, 0, false},
        // No fault: an option twice, an unknown one without data.
        Malformed{"0303 07 0303 07 c8 02", OptionError::kNone, 0, false},
        // A length a known kind cannot have: skipped, and what is behind it is read.
        Malformed{"0304 0707 020405b4", OptionError::kWrongLength, 0, true},
        Malformed{"0203 05 01 0204 05b4", OptionError::kWrongLength, 0, true},
        Malformed{"0403 00 01 0204 05b4", OptionError::kWrongLength, 0, true},
        Malformed{"0502 0101 0204 05b4", OptionError::kWrongLength, 0, true},
        Malformed{"0509 00000001 000000 01 0204 05b4 0101", OptionError::kWrongLength, 0, true},
        Malformed{"0809 00000001 000000 0204 05b4 010101", OptionError::kWrongLength, 0, true},
        Malformed{"0205 05b400 020405b4", OptionError::kWrongLength, 0, true},
        Malformed{"080b 00000001 0000000000 020405b4 01", OptionError::kWrongLength, 0, true},
        // The first of two is the one that is named.
        Malformed{"01 0403 00 0203 05 020405b4", OptionError::kWrongLength, 1, true},
        Malformed{"1304 0000 020405b4", OptionError::kWrongLength, 0, true},
        Malformed{"1c03 00 01 020405b4", OptionError::kWrongLength, 0, true},
        Malformed{"1d03 00 01 020405b4", OptionError::kWrongLength, 0, true},
        Malformed{"2204 0000 020405b4", OptionError::kWrongLength, 0, true},
        Malformed{"2207 0000000000 0204 05b4 01", OptionError::kWrongLength, 0, true},
        // A fault that stops parsing hides a mere wrong length before it.
        Malformed{"0403 00 01 c800", OptionError::kLengthTooSmall, 4, false}));

TEST(MalformedOptionsText, EveryErrorHasWords) {
  EXPECT_EQ(to_string(OptionError::kOverrun), "option length runs over the header");
  EXPECT_EQ(to_string(OptionError::kLengthTooSmall), "option length is below 2");
}

TEST(ParseOptions, SurvivesAnyOctets) {
  Random random;
  for (int round = 0; round < 100000; ++round) {
    Bytes bytes = random.bytes(random.up_to(44));
    // Small numbers, or hardly any option would be lawful.
    for (uint8_t& byte : bytes) {
      if (random.coin()) byte = static_cast<uint8_t>(byte % 36);
    }
    const TcpOptions options = parse(bytes);
    ASSERT_LE(options.sack_count, kMaxSackBlocks);
    ASSERT_LE(options.error_offset, kMaxTcpOptionBytes);
    ASSERT_LE(options.raw.size(), kMaxTcpOptionBytes);
  }
}

// --- writing ---

Bytes syn_bytes(const SynOptions& options) {
  OptionWriter writer;
  write_syn_options(options, writer);
  return to_bytes(writer.finish());
}

TEST(WriteSynOptions, OrderOfLinuxWithTimestamps) {
  EXPECT_EQ(syn_bytes({.mss = 1460,
                       .window_scale = 8,
                       .sack_permitted = true,
                       .timestamps = TimestampsOption{100, 0}}),
            from_hex("020405b4 0402 080a 00000064 00000000 01 030308"));
}

TEST(WriteSynOptions, EveryOtherCombinationIsAligned) {
  EXPECT_EQ(syn_bytes({.mss = 1460, .window_scale = 8, .sack_permitted = true}),
            from_hex("020405b4 0101 0402 01 030308"));
  EXPECT_EQ(syn_bytes({.mss = 1460, .timestamps = TimestampsOption{1, 2}}),
            from_hex("020405b4 0101 080a 00000001 00000002"));
  EXPECT_EQ(syn_bytes({.mss = 536}), from_hex("02040218"));
  EXPECT_EQ(syn_bytes({.window_scale = 14}), from_hex("01 03030e"));
  EXPECT_TRUE(syn_bytes({}).empty());
}

TEST(WriteSynOptions, FastOpenCookieOrNothing) {
  const Bytes cookie = from_hex("0102030405060708");
  EXPECT_EQ(syn_bytes({.mss = 1460, .fast_open = cookie}),
            from_hex("020405b4 220a 0102030405060708 0000"));
  EXPECT_EQ(syn_bytes({.mss = 1460, .fast_open = std::span<const uint8_t>()}),
            from_hex("020405b4 2202 0000"));
  // 20 octets are left; 18 + 2 fit exactly, 20 + 2 do not.
  const Bytes longest(18, 0xAB), too_long(20, 0xAB);
  const SynOptions full = {.mss = 1460,
                           .window_scale = 8,
                           .sack_permitted = true,
                           .timestamps = TimestampsOption{1, 0},
                           .fast_open = longest};
  EXPECT_EQ(syn_bytes(full).size(), 40u);
  SynOptions over = full;
  over.fast_open = too_long;
  EXPECT_EQ(syn_bytes(over).size(), 20u);
}

TEST(WriteSegmentOptions, TimestampsAndSack) {
  const SackBlock blocks[] = {{1, 2}, {3, 4}, {5, 6}, {7, 8}};
  const auto bytes_of = [&](bool timestamps, size_t count) {
    OptionWriter writer;
    write_segment_options(timestamps ? std::optional(TimestampsOption{9, 10}) : std::nullopt,
                          std::span(blocks).first(count), writer);
    return to_bytes(writer.finish());
  };
  EXPECT_TRUE(bytes_of(false, 0).empty());
  EXPECT_EQ(bytes_of(true, 0), from_hex("0101080a 00000009 0000000a"));
  EXPECT_EQ(bytes_of(false, 1), from_hex("0101050a 00000001 00000002"));
  EXPECT_EQ(parse(bytes_of(false, 4)).sack_count, 4);
  EXPECT_EQ(parse(bytes_of(true, 4)).sack_count, 3);  // 12 + 4 + 24 = 40
  EXPECT_EQ(bytes_of(true, 4).size(), 40u);
}

TEST(OptionWriter, RefusesWhatDoesNotFitAndStaysWhole) {
  OptionWriter writer;
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(writer.mss(1));
  ASSERT_EQ(writer.room(), 4u);
  const SackBlock block{1, 2};
  EXPECT_FALSE(writer.timestamps({1, 2}));
  EXPECT_FALSE(writer.sack({&block, 1}));
  EXPECT_FALSE(writer.fast_open(Bytes(3)));
  EXPECT_FALSE(writer.fast_open(Bytes(300)));
  EXPECT_EQ(writer.room(), 4u);
  EXPECT_TRUE(writer.window_scale(1));
  EXPECT_FALSE(writer.sack_permitted());
  EXPECT_FALSE(writer.user_timeout({}));
  EXPECT_TRUE(writer.nop());
  EXPECT_FALSE(writer.nop());
  EXPECT_FALSE(writer.mss(1));
  EXPECT_FALSE(writer.window_scale(1));
  EXPECT_EQ(writer.finish().size(), 40u);
}

TEST(OptionWriter, SackWithoutBlocksIsNotWritten) {
  OptionWriter writer;
  EXPECT_FALSE(writer.sack({}));
  EXPECT_EQ(writer.size(), 0u);
}

// RFC9293-MUST-69
TEST(OptionWriter, PadsWithZeroes) {
  OptionWriter writer;
  writer.window_scale(7);
  writer.sack_permitted();
  EXPECT_EQ(to_bytes(writer.finish()), from_hex("030307 0402 000000"));
}

TEST(OptionWriter, UserTimeout) {
  OptionWriter writer;
  writer.user_timeout({.minutes = true, .value = 5});
  EXPECT_EQ(to_bytes(writer.finish()), from_hex("1c048005"));
}

}  // namespace
}  // namespace tcproctor::packet
