// SPDX-License-Identifier: Apache-2.0
#include "stack/packet/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "stack/packet/byte_order.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/test_support.h"

namespace tcproctor::packet {
namespace {

// RFC 1071 §1 by the letter, to compare with.
uint16_t plain_sum(const Bytes& bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? uint64_t{bytes[i]} << 8 : bytes[i];
  }
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

TEST(Checksum, ExampleOfRfc1071) {
  const Bytes bytes = from_hex("0001 f203 f4f5 f6f7");
  EXPECT_EQ(Checksum().add(bytes).fold(), 0xDDF2);
  EXPECT_EQ(internet_checksum(bytes), static_cast<uint16_t>(~0xDDF2));
}

TEST(Checksum, NothingSumsToZero) {
  EXPECT_EQ(Checksum().fold(), 0);
  EXPECT_EQ(internet_checksum({}), 0xFFFF);
}

TEST(Checksum, OddLengthIsPaddedWithZero) {
  EXPECT_EQ(Checksum().add(from_hex("ab")).fold(), 0xAB00);
  EXPECT_EQ(Checksum().add(from_hex("0102 03")).fold(), 0x0402);
}

TEST(Checksum, AgreesWithThePlainSumAtEveryLengthAndAlignment) {
  Random random;
  const Bytes bytes = random.bytes(400);
  for (size_t start = 0; start < 9; ++start) {
    for (size_t length = 0; length < 300; ++length) {
      const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(start),
                        bytes.begin() + static_cast<std::ptrdiff_t>(start + length));
      ASSERT_EQ(Checksum().add(std::span(bytes).subspan(start, length)).fold(), plain_sum(piece))
          << "start " << start << " length " << length;
    }
  }
}

TEST(Checksum, CarriesAreNotLost) {
  for (size_t length = 1; length <= 1500; ++length) {
    const Bytes ones(length, 0xFF);
    EXPECT_EQ(Checksum().add(ones).fold(), plain_sum(ones)) << length;
  }
}

TEST(Checksum, PiecesOfAnyLengthSumAsOne) {
  Random random;
  for (int round = 0; round < 500; ++round) {
    const Bytes bytes = random.bytes(random.up_to(3000));
    Checksum pieces;
    for (size_t at = 0; at < bytes.size();) {
      const size_t length = std::min<size_t>(random.up_to(70), bytes.size() - at);
      pieces.add(std::span(bytes).subspan(at, length));
      at += length;
    }
    ASSERT_EQ(pieces.fold(), plain_sum(bytes)) << "round " << round;
  }
}

TEST(Checksum, PseudoHeaderV4) {
  const Bytes pseudo = from_hex("ac100c01 ac100c02 00 06 0018");
  Checksum sum;
  sum.add_pseudo_header(ip_of("172.16.12.1"), ip_of("172.16.12.2"), kProtocolTcp, 24);
  EXPECT_EQ(sum.fold(), plain_sum(pseudo));
}

TEST(Checksum, PseudoHeaderV6) {
  const Bytes pseudo = from_hex(
      "20010db8000000000000000000000001 20010db8000000000000000000000002 00012345 000000 3a");
  Checksum sum;
  sum.add_pseudo_header(ip_of("2001:db8::1"), ip_of("2001:db8::2"), kProtocolIcmpV6, 0x12345);
  EXPECT_EQ(sum.fold(), plain_sum(pseudo));
}

TEST(Checksum, SingleWordsAddUp) {
  EXPECT_EQ(Checksum().add_u16(0xFFFF).add_u16(2).fold(), 2);
  EXPECT_EQ(Checksum().add_u16(0x1234).fold(), 0x1234);
}

TEST(Checksum, EveryBitCounts) {
  Bytes bytes = from_hex("450000280001000040060000c0000201c0000202");
  store_be16(bytes.data() + 10, internet_checksum(bytes));
  ASSERT_EQ(internet_checksum(bytes), 0);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes wrong = bytes;
    wrong[bit / 8] = static_cast<uint8_t>(wrong[bit / 8] ^ 1u << bit % 8);
    EXPECT_NE(internet_checksum(wrong), 0) << "bit " << bit;
  }
}

TEST(Checksum, UpdateEqualsRecomputation) {
  Random random;
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes = random.bytes(20);
    bytes[0] = 0x45;  // an all-zero range has no unique checksum
    store_be16(bytes.data() + 10, 0);
    const uint16_t before = internet_checksum(bytes);
    const uint16_t old_word = load_be16(bytes.data() + 8);
    const auto new_word = random.up_to<uint16_t>(0xFFFF);
    store_be16(bytes.data() + 8, new_word);
    ASSERT_EQ(update_checksum(before, old_word, new_word), internet_checksum(bytes));
  }
}

}  // namespace
}  // namespace tcproctor::packet
