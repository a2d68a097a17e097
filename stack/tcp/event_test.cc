// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/event.h"

#include <gtest/gtest.h>

namespace tcproctor::tcp {
namespace {

TEST(Cause, IsTakenApart) {
  const Cause check = parse_cause("RFC 9293 §3.10.7.4 fifth: no ACK");
  EXPECT_EQ(check.section, "RFC 9293 §3.10.7.4");
  EXPECT_EQ(check.check, 5);
  EXPECT_EQ(check.reason, "no ACK");

  const Cause rule = parse_cause("RFC 7323 §5.3 R1: old timestamp");
  EXPECT_EQ(rule.section, "RFC 7323 §5.3 R1");
  EXPECT_EQ(rule.check, 0);
  EXPECT_EQ(rule.reason, "old timestamp");

  const Cause own = parse_cause("orphan in FIN-WAIT-2: timed out");
  EXPECT_EQ(own.section, "");
  EXPECT_EQ(own.reason, "orphan in FIN-WAIT-2: timed out");
  EXPECT_EQ(parse_cause("").reason, "");
}

}  // namespace
}  // namespace tcproctor::tcp
