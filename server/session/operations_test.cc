// SPDX-License-Identifier: Apache-2.0
#include "server/session/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tcproctor::server {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

// Writes down what happens to it.
class Probe : public Operation {
 public:
  Probe(std::string name, std::vector<std::string>& story, const bool& ready,
        std::optional<tcp::Instant> deadline)
      : name_(std::move(name)), story_(story), ready_(ready), deadline_(deadline) {}
  bool poll() override {
    if (ready_) story_.push_back(name_ + " done");
    return ready_;
  }
  bool expire() override {
    story_.push_back(name_ + " expired");
    return true;
  }
  void give_up(const absl::Status& why) override {
    story_.push_back(name_ + " " + std::string(why.message()));
  }
  std::optional<tcp::Instant> deadline() const override { return deadline_; }

 private:
  const std::string name_;
  std::vector<std::string>& story_;
  const bool& ready_;
  const std::optional<tcp::Instant> deadline_;
};

class OperationsTest : public ::testing::Test {
 protected:
  OperationId add(const std::string& name, const bool& ready,
                  std::optional<tcp::Duration> deadline = std::nullopt) {
    std::optional<tcp::Instant> at;
    if (deadline) at = tcp::Instant(*deadline);
    return operations_.add(std::make_unique<Probe>(name, story_, ready, at));
  }
  Operations operations_;
  std::vector<std::string> story_;
  bool ready_ = false;
  bool never_ = false;
};

TEST_F(OperationsTest, AreAskedInTheOrderOfTheirCalls) {
  add("first", ready_);
  add("never", never_);
  add("second", ready_);
  operations_.poll_all();
  EXPECT_THAT(story_, ElementsAre());
  ready_ = true;
  operations_.poll_all();
  EXPECT_THAT(story_, ElementsAre("first done", "second done"));
  EXPECT_FALSE(operations_.empty());
}

TEST_F(OperationsTest, ExpireAtTheirDeadline) {
  add("late", never_, seconds(5));
  add("early", never_, seconds(2));
  add("patient", never_);
  EXPECT_EQ(operations_.next_deadline(), tcp::Instant(seconds(2)));
  operations_.expire(tcp::Instant(seconds(2)));
  EXPECT_THAT(story_, ElementsAre("early expired"));
  EXPECT_EQ(operations_.next_deadline(), tcp::Instant(seconds(5)));
  operations_.expire(tcp::Instant(seconds(9)));
  EXPECT_THAT(story_, ElementsAre("early expired", "late expired"));
  EXPECT_EQ(operations_.next_deadline(), std::nullopt);
}

TEST_F(OperationsTest, AreGivenUpOnce) {
  const OperationId id = add("it", never_);
  EXPECT_TRUE(operations_.waiting(id));
  EXPECT_TRUE(operations_.cancel(id, absl::CancelledError("given up")));
  EXPECT_FALSE(operations_.cancel(id, absl::CancelledError("given up")));
  add("one", never_);
  add("two", never_);
  operations_.end_all(absl::NotFoundError("gone"));
  EXPECT_THAT(story_, ElementsAre("it given up", "one gone", "two gone"));
  EXPECT_TRUE(operations_.empty());
}

}  // namespace
}  // namespace tcproctor::server
