// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace tcproctor::cli {

absl::StatusOr<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  bool within = false;  // a word has begun
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == 0 && absl::ascii_isspace(static_cast<unsigned char>(c))) {
      within = false;
      continue;
    }
    if (!within) words.emplace_back();
    within = true;
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      words.back() += line[++i];
    } else {
      words.back() += c;
    }
  }
  if (quote != 0)
    return absl::InvalidArgumentError(absl::StrCat("the ", std::string(1, quote), " does not end"));
  return words;
}

}  // namespace tcproctor::cli
