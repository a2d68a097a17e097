// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/progress_line.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace tcproctor::cli {

std::string progress_text(const conformance::Progress& progress) {
  const auto whole = [](absl::Duration duration) {
    return absl::FormatDuration(absl::Ceil(duration, absl::Seconds(1)));
  };
  std::string text =
      absl::StrCat(progress.done, " of ", progress.total, ", ", whole(progress.elapsed));
  if (progress.left > absl::ZeroDuration()) {
    absl::StrAppend(&text, ", about ", whole(progress.left), " left");
  }
  return text;
}

void ProgressLine::show(const conformance::Progress& progress) {
  if (!is_terminal_) return;
  terminal_ << "\r\x1b[K" << progress_text(progress) << std::flush;
  shown_ = true;
}

void ProgressLine::clear() {
  if (!shown_) return;
  terminal_ << "\r\x1b[K" << std::flush;
  shown_ = false;
}

}  // namespace tcproctor::cli
