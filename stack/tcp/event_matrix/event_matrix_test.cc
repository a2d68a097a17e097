// SPDX-License-Identifier: Apache-2.0
// Every row of the event matrix is one test; a row without a check and without a reason fails, and
// so does a check that no row asks for.
#include "stack/tcp/event_matrix/event_matrix.h"

#include <ostream>

#include "absl/strings/str_replace.h"

namespace tcproctor::tcp::testing {

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.id;
}

namespace {

using absl::StrCat;
using ::testing::IsEmpty;

class EventMatrix : public ::testing::TestWithParam<Row> {};

TEST_P(EventMatrix, Row) {
  const Row& row = GetParam();
  std::string key;
  if (Matrix::get().reason(row, key) != nullptr) return;
  const Check* check = Matrix::get().find(row, key);
  ASSERT_NE(check, nullptr) << row.id << " has neither a check nor a reason: " << row.event << " | "
                            << row.condition;
  SCOPED_TRACE(StrCat(row.id, ": ", row.state_text, ", ", row.condition, " -> ", row.next_state));
  (*check)(row);
}

std::string test_name(const ::testing::TestParamInfo<Row>& info) {
  return absl::StrReplaceAll(info.param.id, {{"-", "_"}});
}

INSTANTIATE_TEST_SUITE_P(Rfc9293, EventMatrix, ::testing::ValuesIn(read_matrix()), test_name);

TEST(EventMatrixTable, IsThereAndComplete) {
  EXPECT_EQ(read_matrix().size(), 518u);
}

TEST(EventMatrixTable, EveryCheckAndReasonHasARow) {
  std::set<std::string> unused = Matrix::get().keys();
  for (const Row& row : read_matrix()) {
    std::string key;
    if (Matrix::get().reason(row, key) != nullptr) {
      unused.erase(key);
    } else if (Matrix::get().find(row, key) != nullptr) {
      unused.erase(key);
    }
  }
  EXPECT_THAT(unused, IsEmpty());
}

}  // namespace
}  // namespace tcproctor::tcp::testing
