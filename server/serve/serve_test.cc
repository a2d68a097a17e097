// SPDX-License-Identifier: Apache-2.0
// The parts of the byte services that need no session; the rest is in session_test.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/serve/digest.h"
#include "server/serve/stream_pattern.h"

namespace tcproctor::server {
namespace {

TEST(StreamPatternTest, IsSplitmix64) {
  // The first two numbers of splitmix64 for seed 0, as published.
  std::vector<uint8_t> octets(16);
  fill_stream(0, 0, octets);
  std::vector<uint8_t> numbers;
  for (const uint64_t number : {0xE220A8397B1DCDAFu, 0x6E789E6AA1B965F4u}) {
    for (int i = 0; i < 8; ++i) numbers.push_back(static_cast<uint8_t>(number >> 8 * i));
  }
  EXPECT_EQ(octets, numbers);
}

TEST(StreamPatternTest, PiecesAreTheWhole) {
  std::vector<uint8_t> whole(1000);
  fill_stream(42, 0, whole);
  for (size_t cut = 0; cut <= 40; ++cut) {
    std::vector<uint8_t> rest(whole.size() - cut);
    fill_stream(42, cut, rest);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + static_cast<long>(cut)))
        << cut;
  }
}

TEST(StreamPatternTest, CharactersInLinesOfSeventyTwo) {
  std::string text(size_t{74} * 96, '\0');
  fill_chargen(0, {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  EXPECT_EQ(text.substr(0, 74),
            " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n");
  EXPECT_EQ(text.substr(74, 74),
            "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n");
  // Line 94 begins with the last character; after it the ring begins anew.
  EXPECT_EQ(text.substr(size_t{74} * 94, 3), "~ !");
  EXPECT_EQ(text.substr(size_t{74} * 95), text.substr(0, 74));
  std::string rest(100, '\0');
  fill_chargen(71, {reinterpret_cast<uint8_t*>(rest.data()), rest.size()});
  EXPECT_EQ(rest, text.substr(71, 100));
}

TEST(DigestTest, CanBeReadWhileItGrows) {
  Digest digest;
  EXPECT_EQ(digest.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string_view text = "abc";
  digest.update({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  // FIPS 180-2, B.1.
  EXPECT_EQ(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest.hex(), digest.hex());
}

}  // namespace
}  // namespace tcproctor::server
