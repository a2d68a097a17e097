// SPDX-License-Identifier: Apache-2.0
#include "server/session/request_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tcproctor/v1/endpoint.pb.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RequestBookTest : public ::testing::Test {
 protected:
  static v1::SendRequest send(const std::string& data) {
    v1::SendRequest request;
    request.set_data(data);
    return request;
  }
  static RequestBook::Answer accepted(uint64_t octets, size_t padding = 0) {
    auto response = std::make_shared<v1::ReceiveResponse>();
    response->set_urgent_remaining(static_cast<uint32_t>(octets));
    response->set_data(std::string(padding, 'x'));
    return response;
  }
  absl::StatusOr<bool> enter(const std::string& id, const google::protobuf::Message& request) {
    return book_.enter(id, request, [this](const RequestBook::Answer& answer) {
      answers_.push_back(
          answer.ok() ? static_cast<const v1::ReceiveResponse&>(**answer).urgent_remaining() : 0);
    });
  }

  RequestBook book_;
  std::vector<uint64_t> answers_;  // 0: an error
};

TEST_F(RequestBookTest, ARepetitionGetsTheFirstAnswer) {
  EXPECT_TRUE(*enter("1", send("x")));
  EXPECT_THAT(answers_, IsEmpty());
  book_.answer("1", accepted(7));
  EXPECT_FALSE(*enter("1", send("x")));
  EXPECT_FALSE(*enter("1", send("x")));
  EXPECT_THAT(answers_, ElementsAre(7, 7, 7));
}

TEST_F(RequestBookTest, WhoComesInBetweenWaitsForTheFirst) {
  EXPECT_TRUE(*enter("1", send("x")));
  EXPECT_FALSE(*enter("1", send("x")));
  EXPECT_THAT(answers_, IsEmpty());
  book_.answer("1", accepted(7));
  EXPECT_THAT(answers_, ElementsAre(7, 7));
}

TEST_F(RequestBookTest, AnIdStandsForOneRequest) {
  EXPECT_TRUE(*enter("1", send("x")));
  EXPECT_EQ(enter("1", send("y")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(enter("1", v1::SendResponse()).status().code(), absl::StatusCode::kInvalidArgument);
  book_.answer("1", accepted(7));
  EXPECT_EQ(enter("1", send("y")).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(*enter("2", send("y")));
  EXPECT_THAT(answers_, ElementsAre(7));
  EXPECT_FALSE(enter(std::string(kMaxRequestIdOctets + 1, 'x'), send("x")).ok());
}

TEST_F(RequestBookTest, AnErrorIsNotRemembered) {
  EXPECT_TRUE(*enter("1", send("x")));
  book_.answer("1", absl::ResourceExhaustedError("later"));
  EXPECT_THAT(answers_, ElementsAre(0));
  EXPECT_TRUE(*enter("1", send("x")));
}

TEST_F(RequestBookTest, TheLastWhoLeavesGivesTheOperationUp) {
  EXPECT_TRUE(*enter("1", send("x")));
  book_.set_operation("1", 5);
  EXPECT_FALSE(*enter("1", send("x")));
  EXPECT_EQ(book_.leave("1"), 0u);
  EXPECT_EQ(book_.leave("1"), 5u);
  EXPECT_EQ(book_.leave("never"), 0u);
}

TEST_F(RequestBookTest, TheOldestIsForgotten) {
  for (size_t i = 0; i <= RequestBook::kMaxCalls; ++i) {
    EXPECT_TRUE(*enter(std::to_string(i), send("x")));
    book_.answer(std::to_string(i), accepted(1));
  }
  EXPECT_EQ(book_.size(), RequestBook::kMaxCalls);
  EXPECT_FALSE(*enter("1", send("x")));
  EXPECT_TRUE(*enter("0", send("x")));
}

TEST_F(RequestBookTest, AnswersTakeLimitedMemory) {
  constexpr size_t kQuarter = RequestBook::kMaxOctets / 4;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(*enter(std::to_string(i), send("x")));
    book_.answer(std::to_string(i), accepted(1, kQuarter));
  }
  EXPECT_EQ(book_.size(), 3u);
  EXPECT_TRUE(*enter("1", send("x")));
  EXPECT_FALSE(*enter("2", send("x")));
}

TEST_F(RequestBookTest, CallsUnderWayAreLimited) {
  for (size_t i = 0; i < RequestBook::kMaxCalls; ++i) {
    EXPECT_TRUE(*enter(std::to_string(i), send("x")));
  }
  EXPECT_EQ(enter("more", send("x")).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(*enter("5", send("x")));
}

TEST(Fingerprint, DoesNotDependOnTheOrderOfMaps) {
  v1::CreateSessionRequest one;
  v1::CreateSessionRequest other;
  for (int i = 0; i < 50; ++i) {
    (*one.mutable_a()->mutable_kernel()->mutable_sysctls())[std::to_string(i)] = "1";
    (*other.mutable_a()->mutable_kernel()->mutable_sysctls())[std::to_string(49 - i)] = "1";
  }
  EXPECT_EQ(fingerprint(one), fingerprint(other));
  other.set_seed(1);
  EXPECT_NE(fingerprint(one), fingerprint(other));
}

}  // namespace
}  // namespace tcproctor::server
