// SPDX-License-Identifier: Apache-2.0
#include "server/wire/expect.h"

#include <memory>
#include <string>

#include "server/wire/test_util.h"

namespace tcproctor::server {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

tcp::Instant at(int ms) {
  return tcp::Instant(milliseconds(ms));
}

class ExpectTest : public testing::Test {
 protected:
  uint64_t log(const std::string& text, int ms = 0, v1::End from = v1::END_A,
               v1::Origin origin = v1::ORIGIN_END) {
    const std::string packet = packet_of(text);
    LogRecord record;
    record.time = at(ms);
    record.packet = octets(packet);
    record.from = from;
    record.origin = origin;
    return log_->append(record);
  }

  Expectation expect(const std::string& pattern, v1::ExpectMode mode = v1::EXPECT_MODE_NEXT,
                     std::optional<int> deadline_ms = 100,
                     std::optional<uint64_t> after = std::nullopt) {
    ExpectPlan plan;
    plan.from = v1::END_A;
    plan.mode = mode;
    plan.after = after;
    if (deadline_ms) plan.deadline = at(*deadline_ms);
    if (pattern != "any") {
      plan.matcher = *Matcher::compile(from_text<v1::SegmentPattern>(pattern), "pattern", nullptr);
    }
    return {log_, cursors_, std::move(plan), [this] { return drops_; }};
  }

  static v1::ExpectResponse answer(Expectation& expectation, int now_ms) {
    const auto result = expectation.poll(at(now_ms));
    if (!result || !result->ok()) {
      ADD_FAILURE() << (result ? result->status().ToString() : "still waiting");
      return {};
    }
    return **result;
  }

  const std::string syn_ = "fields { tcp { flags: 2 } }";
  const std::string ack_ = "fields { tcp { flags: 16 } }";
  uint64_t drops_ = 0;
  std::shared_ptr<WireLog> log_ = std::make_shared<WireLog>(100'000);
  std::shared_ptr<ExpectCursors> cursors_ = std::make_shared<ExpectCursors>();
};

TEST_F(ExpectTest, NextWaitsAndMatches) {
  Expectation expectation = expect(syn_);
  EXPECT_EQ(expectation.deadline(), at(100));
  EXPECT_FALSE(expectation.poll(at(0)));
  log("tcp { flags: 2 }", 10);
  const v1::ExpectResponse response = answer(expectation, 10);
  EXPECT_EQ(response.result(), v1::ExpectResponse::RESULT_MATCHED);
  EXPECT_EQ(response.entry().number(), 1u);
  EXPECT_EQ(response.cursor(), 1u);
  EXPECT_TRUE(response.differences().empty());
}

TEST_F(ExpectTest, NextLooksOnlyAtWhatTheEndItselfSent) {
  log("tcp { flags: 4 }", 0, v1::END_B);
  log("tcp { flags: 4 }", 0, v1::END_A, v1::ORIGIN_INJECTED);
  log("tcp { flags: 4 }", 0, v1::END_A, v1::ORIGIN_DUPLICATE);
  log("ipv4 { protocol: 17 }");
  log("tcp { flags: 2 }");
  Expectation expectation = expect(syn_);
  EXPECT_EQ(answer(expectation, 0).entry().number(), 5u);
}

TEST_F(ExpectTest, NextMismatchSaysWhyAndKeepsTheCursor) {
  log("tcp { flags: 16 }");
  Expectation expectation = expect(syn_);
  const v1::ExpectResponse response = answer(expectation, 0);
  EXPECT_EQ(response.result(), v1::ExpectResponse::RESULT_MISMATCHED);
  EXPECT_THAT(response.differences(), ElementsAre("flags: expected S, got ."));
  EXPECT_EQ(response.entry().number(), 1u);
  EXPECT_EQ(response.cursor(), 1u);
  Expectation again = expect(ack_);
  EXPECT_EQ(answer(again, 0).result(), v1::ExpectResponse::RESULT_MATCHED);
}

TEST_F(ExpectTest, CursorsMoveByMatchesAndAreGivenByAfter) {
  log("tcp { flags: 2 }");
  log("tcp { flags: 16 }");
  Expectation first = expect(syn_);
  EXPECT_EQ(answer(first, 0).cursor(), 1u);
  Expectation second = expect("any");
  EXPECT_EQ(answer(second, 0).entry().number(), 2u);
  Expectation back = expect("any", v1::EXPECT_MODE_NEXT, 100, 0);
  EXPECT_EQ(answer(back, 0).entry().number(), 1u);
  EXPECT_EQ(cursors_->of(v1::END_A), 1u);
  EXPECT_EQ(cursors_->of(v1::END_B), 0u);
}

TEST_F(ExpectTest, TimesOutAtItsDeadlineAndNotBefore) {
  Expectation expectation = expect(syn_);
  EXPECT_FALSE(expectation.poll(at(99)));
  EXPECT_EQ(answer(expectation, 100).result(), v1::ExpectResponse::RESULT_TIMED_OUT);
}

TEST_F(ExpectTest, WhatCameAfterTheDeadlineDoesNotCount) {
  Expectation late = expect(syn_);
  EXPECT_FALSE(late.poll(at(0)));
  log("tcp { flags: 2 }", 101);
  EXPECT_EQ(answer(late, 120).result(), v1::ExpectResponse::RESULT_TIMED_OUT);
  Expectation silence = expect("any", v1::EXPECT_MODE_SILENCE);
  EXPECT_EQ(answer(silence, 120).result(), v1::ExpectResponse::RESULT_MATCHED);
}

TEST_F(ExpectTest, AtTheDeadlineStillCounts) {
  Expectation expectation = expect(syn_);
  log("tcp { flags: 2 }", 100);
  EXPECT_EQ(answer(expectation, 100).result(), v1::ExpectResponse::RESULT_MATCHED);
}

TEST_F(ExpectTest, SkipLetsOthersPass) {
  log("tcp { flags: 16 }");
  Expectation expectation = expect(syn_, v1::EXPECT_MODE_SKIP);
  EXPECT_FALSE(expectation.poll(at(0)));
  log("tcp { flags: 24 }", 10);
  log("tcp { flags: 2 }", 10);
  EXPECT_EQ(answer(expectation, 10).entry().number(), 3u);
  EXPECT_EQ(cursors_->of(v1::END_A), 3u);
}

TEST_F(ExpectTest, SkipThatTimedOutShowsWhatCame) {
  log("tcp { flags: 16 }");
  Expectation expectation = expect(syn_, v1::EXPECT_MODE_SKIP);
  EXPECT_FALSE(expectation.poll(at(0)));
  const v1::ExpectResponse response = answer(expectation, 100);
  EXPECT_EQ(response.result(), v1::ExpectResponse::RESULT_TIMED_OUT);
  EXPECT_EQ(response.entry().number(), 1u);
  EXPECT_THAT(response.differences(), ElementsAre("flags: expected S, got ."));
  EXPECT_EQ(response.cursor(), 0u);
}

TEST_F(ExpectTest, ALongLogIsReadInTurns) {
  log_ = std::make_shared<WireLog>(10'000'000);
  for (int i = 0; i < 2 * Expectation::kRecordsPerPoll; ++i) log("tcp { flags: 16 }");
  log("tcp { flags: 2 }", 100);
  for (const v1::ExpectMode mode : {v1::EXPECT_MODE_SKIP, v1::EXPECT_MODE_SILENCE}) {
    Expectation expectation = expect(syn_, mode, 100, 0);
    // Its deadline has passed, but what came before it counts.
    for (int turn = 0; turn < 2; ++turn) {
      EXPECT_FALSE(expectation.poll(at(120)));
      EXPECT_TRUE(expectation.more_now());
    }
    EXPECT_EQ(answer(expectation, 120).entry().number(), log_->last());
    EXPECT_FALSE(expectation.more_now());
  }
  Expectation none = expect("fields { tcp { flags: 4 } }", v1::EXPECT_MODE_SKIP, 100, 0);
  EXPECT_FALSE(none.poll(at(0)));
  EXPECT_FALSE(none.poll(at(0)));
  EXPECT_FALSE(none.poll(at(0)));
  EXPECT_FALSE(none.more_now()) << "now it waits";
  EXPECT_EQ(answer(none, 100).result(), v1::ExpectResponse::RESULT_TIMED_OUT);
}

TEST_F(ExpectTest, SilenceLastsToTheEnd) {
  Expectation expectation = expect("any", v1::EXPECT_MODE_SILENCE);
  EXPECT_FALSE(expectation.poll(at(99)));
  const v1::ExpectResponse response = answer(expectation, 100);
  EXPECT_EQ(response.result(), v1::ExpectResponse::RESULT_MATCHED);
  EXPECT_FALSE(response.has_entry());
}

TEST_F(ExpectTest, SilenceIsBrokenByWhatMatches) {
  log("tcp { flags: 16 }");
  Expectation none = expect("any", v1::EXPECT_MODE_SILENCE);
  const v1::ExpectResponse response = answer(none, 0);
  EXPECT_EQ(response.result(), v1::ExpectResponse::RESULT_MISMATCHED);
  EXPECT_EQ(response.entry().number(), 1u);
  EXPECT_THAT(response.differences(), ElementsAre(HasSubstr("expected silence")));
  Expectation no_syn = expect(syn_, v1::EXPECT_MODE_SILENCE);
  EXPECT_FALSE(no_syn.poll(at(0)));
  EXPECT_EQ(answer(no_syn, 100).result(), v1::ExpectResponse::RESULT_MATCHED);
  EXPECT_EQ(cursors_->of(v1::END_A), 0u) << "silence consumes nothing";
}

TEST_F(ExpectTest, WithoutDeadlineItWaitsUntilCancelled) {
  Expectation expectation = expect(syn_, v1::EXPECT_MODE_NEXT, std::nullopt);
  EXPECT_FALSE(expectation.deadline());
  EXPECT_FALSE(expectation.poll(at(1'000'000)));
  EXPECT_EQ(expectation.cancelled().result(), v1::ExpectResponse::RESULT_CANCELLED);
}

TEST_F(ExpectTest, LostEvidenceIsAnError) {
  drops_ = 3;
  Expectation expectation = expect(syn_);
  EXPECT_FALSE(expectation.poll(at(0)));
  const auto result = expectation.poll(at(100));
  ASSERT_TRUE(result);
  expect_error(result->status(), absl::StatusCode::kDataLoss, "3 frames were lost");
}

TEST_F(ExpectTest, DroppedLogIsAnError) {
  log_ = std::make_shared<WireLog>(40);
  Expectation expectation = expect(syn_);
  EXPECT_FALSE(expectation.poll(at(0)));
  log("tcp {}");
  log("tcp {}");
  const auto result = expectation.poll(at(0));
  ASSERT_TRUE(result);
  expect_error(result->status(), absl::StatusCode::kDataLoss, "segments 1..1 were dropped");
}

}  // namespace
}  // namespace tcproctor::server
