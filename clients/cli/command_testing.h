// SPDX-License-Identifier: Apache-2.0
// The command against a daemon that answers what a test wants.
#pragma once

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "clients/cli/run_testing.h"
#include "clients/testing/fake_daemon.h"

namespace tcproctor::cli {

class CommandTest : public ::testing::Test {
 protected:
  // Runs "VERB …" against the fake.
  int run(std::vector<std::string> words) {
    words.insert(words.end(), {"--address", daemon_.address()});
    return run_bare(words);
  }
  int run_bare(const std::vector<std::string>& words) {
    Printed printed = run_words(words, input_);
    out_ = std::move(printed.out);
    err_ = std::move(printed.err);
    return printed.exit;
  }
  template <typename Message>
  Message json() const {
    Message message;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(out_, &message).ok()) << out_;
    return message;
  }

  tcproctor::testing::FakeDaemon daemon_;
  std::string input_, out_, err_;
};

inline v1::Session session_answer() {
  v1::Session session;
  session.set_id("s1");
  session.mutable_a()->set_kind(v1::END_KIND_STACK);
  session.mutable_a()->add_addresses("192.0.2.1/24");
  session.mutable_b()->set_kind(v1::END_KIND_KERNEL);
  session.mutable_b()->add_addresses("192.0.2.2/24");
  session.set_link(v1::LINK_KIND_VETH);
  return session;
}

}  // namespace tcproctor::cli
