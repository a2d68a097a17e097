// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/flag_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace tcproctor::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class FlagSetTest : public ::testing::Test {
 protected:
  FlagSetTest() {
    flags_.add("name", &name_, "TEXT", "a name");
    flags_.add("port", &port_, "PORT", "a port");
    flags_.add("slow", &slow_, "", "slowly");
    flags_.add("direct", &direct_, "", "directly");
    flags_.add("timeout", &timeout_, "DURATION", "how long");
    flags_.add("target", &targets_, "TARGET,...", "which");
    flags_.add("w", &file_, "FILE", "where");
    flags_.add("clock", &clock_, "real|virtual", "which time");
    flags_.add("level", &levels_, "must|should|may,...", "how strong the word of the RFC is");
  }

  std::vector<std::string> parse(const std::vector<std::string>& arguments) {
    const absl::StatusOr<std::vector<std::string>> operands = flags_.parse(arguments);
    EXPECT_TRUE(operands.ok()) << operands.status();
    return operands.value_or(std::vector<std::string>{"failed"});
  }
  std::string error(const std::vector<std::string>& arguments) {
    const absl::Status status = flags_.parse(arguments).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }

  FlagSet flags_;
  std::string name_, file_;
  std::optional<uint32_t> port_;
  bool slow_ = false;
  std::optional<bool> direct_;
  absl::Duration timeout_;
  std::vector<std::string> targets_, levels_;
  std::optional<std::string> clock_;
};

TEST_F(FlagSetTest, FlagsStandAnywhere) {
  EXPECT_THAT(parse({"one", "--name", "x", "two", "--port=80", "-w", "f", "three"}),
              ElementsAre("one", "two", "three"));
  EXPECT_EQ(name_, "x");
  EXPECT_EQ(port_, 80U);
  EXPECT_EQ(file_, "f");
}

TEST_F(FlagSetTest, TwoDashesEndTheFlags) {
  EXPECT_THAT(parse({"--slow", "id", "--", "curl", "--slow", "--", "-s"}),
              ElementsAre("id", "curl", "--slow", "--", "-s"));
}

TEST_F(FlagSetTest, OneDashIsAnOperandAndAValue) {
  EXPECT_THAT(parse({"-", "-w", "-"}), ElementsAre("-"));
  EXPECT_EQ(file_, "-");
}

TEST_F(FlagSetTest, TruthValues) {
  parse({"--slow"});
  EXPECT_TRUE(slow_);
  parse({"--noslow"});
  EXPECT_FALSE(slow_);
  parse({"--slow=true"});
  EXPECT_TRUE(slow_);
  EXPECT_FALSE(direct_.has_value());
  parse({"--nodirect"});
  EXPECT_EQ(direct_, false);
}

TEST_F(FlagSetTest, ValuesAreAbseils) {
  parse({"--timeout", "1.5s", "--target", "kernel,stack", "--port", "0x50"});
  EXPECT_EQ(timeout_, absl::Milliseconds(1500));
  EXPECT_THAT(targets_, ElementsAre("kernel", "stack"));
  EXPECT_EQ(port_, 0x50U);
}

TEST_F(FlagSetTest, AnEmptyValueIsAValue) {
  name_ = "before";
  parse({"--name="});
  EXPECT_EQ(name_, "");
}

TEST_F(FlagSetTest, ErrorsNameTheFlag) {
  EXPECT_THAT(error({"--nam"}), HasSubstr("no flag --nam here; did you mean --name?"));
  EXPECT_THAT(error({"--x"}), Not(HasSubstr("did you mean")));
  EXPECT_THAT(error({"-x"}), HasSubstr("no flag -x here"));
  EXPECT_THAT(error({"--name"}), HasSubstr("--name needs a value: TEXT"));
  EXPECT_THAT(error({"--port", "eighty"}), HasSubstr("--port=eighty: not a PORT"));
  EXPECT_THAT(error({"--port=-1"}), HasSubstr("--port=-1: not a PORT"));
  EXPECT_THAT(error({"--timeout=5"}), HasSubstr("--timeout=5: not a DURATION"));
  EXPECT_THAT(error({"--slow=perhaps"}), HasSubstr("--slow=perhaps: not a truth value"));
  EXPECT_THAT(error({"--noname"}), HasSubstr("no flag --noname here"));
}

TEST_F(FlagSetTest, AlternativesAreAllThatIsTaken) {
  parse({"--clock", "virtual", "--level", "may,must"});
  EXPECT_EQ(clock_, "virtual");
  EXPECT_THAT(levels_, ElementsAre("may", "must"));
  EXPECT_EQ(error({"--clock=atomic"}), "--clock=atomic: want real or virtual");
  EXPECT_EQ(error({"--clock", ""}), "--clock=: want real or virtual");
  EXPECT_EQ(error({"--clock=real,virtual"}), "--clock=real,virtual: want real or virtual");
  EXPECT_EQ(error({"--level", "may,can"}), "--level=may,can: want must, should or may");
  parse({"--level="});
  EXPECT_THAT(levels_, ElementsAre());
}

TEST_F(FlagSetTest, AlternativesOfAWord) {
  EXPECT_THAT(alternatives("A|B"), ElementsAre("A", "B"));
  EXPECT_THAT(alternatives("A|B,..."), ElementsAre("A", "B"));
  EXPECT_THAT(alternatives("[sink|source|echo]"), ElementsAre("sink", "source", "echo"));
  EXPECT_THAT(alternatives("FILE"), ElementsAre());
  EXPECT_THAT(alternatives("STATE,..."), ElementsAre());
}

TEST_F(FlagSetTest, FindsAFlagByTheWordThatNamesIt) {
  ASSERT_NE(flags_.named_by("--name"), nullptr);
  EXPECT_EQ(flags_.named_by("--name")->value, "TEXT");
  EXPECT_EQ(flags_.named_by("--name=x"), flags_.named_by("--name"));
  EXPECT_EQ(flags_.named_by("-w")->written(), "-w");
  for (const char* other : {"name", "--nam", "--", "-", ""})
    EXPECT_EQ(flags_.named_by(other), nullptr) << other;
}

TEST_F(FlagSetTest, TellsHowManyWordsAFlagTakes) {
  EXPECT_EQ(flags_.words_taken("--name"), 2u);
  EXPECT_EQ(flags_.words_taken("--name=x"), 1u);
  EXPECT_EQ(flags_.words_taken("-w"), 2u);
  for (const char* other : {"--slow", "--nobody", "--nam", "name", "--", "-", ""}) {
    EXPECT_EQ(flags_.words_taken(other), 0u) << other;
  }
}

TEST_F(FlagSetTest, LongHelpIsWrapped) {
  FlagSet flags;
  std::string value;
  flags.add("a", &value, "first|second|third|fourth|fifth", "of many");
  flags.add("b", &value, "N", std::string(60, 'x') + " " + std::string(60, 'y'));
  EXPECT_EQ(flags.describe(),
            absl::StrCat("  -a first|second|third|fourth|fifth\n        of many\n  -b N  ",
                         std::string(60, 'x'), "\n        ", std::string(60, 'y'), "\n"));
}

TEST_F(FlagSetTest, DescribesEachFlagOnALine) {
  EXPECT_THAT(flags_.describe(), ContainsRegex("  --name TEXT +a name\n"));
  EXPECT_THAT(flags_.describe(), ContainsRegex("  --slow +slowly\n"));
  EXPECT_THAT(flags_.describe(), ContainsRegex("  -w FILE +where\n"));
}

}  // namespace
}  // namespace tcproctor::cli
