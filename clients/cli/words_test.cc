// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tcproctor::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Words, AreSplitAtBlanks) {
  EXPECT_THAT(*split_words("  open  --end\tB "), ElementsAre("open", "--end", "B"));
  EXPECT_THAT(*split_words(" \t"), IsEmpty());
}

TEST(Words, QuotesKeepTogether) {
  EXPECT_THAT(*split_words(R"(send 1 'a "b"' "c 'd'" e"f g"h '')"),
              ElementsAre("send", "1", "a \"b\"", "c 'd'", "ef gh", ""));
}

TEST(Words, ABackslashTakesTheNextAsItIs) {
  EXPECT_THAT(*split_words(R"(a\ b "\"" '\' \)"), ElementsAre("a b", "\"", "\\", "\\"));
}

TEST(Words, AQuoteThatDoesNotEnd) {
  EXPECT_EQ(split_words("send 'x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(split_words("send 'x").status().message()), HasSubstr("'"));
}

}  // namespace
}  // namespace tcproctor::cli
