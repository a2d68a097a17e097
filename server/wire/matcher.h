// SPDX-License-Identifier: Apache-2.0
// v1::SegmentPattern: the one matcher of the project.
//
// Fields of the pattern that are present must be equal. In options: a MaximumSegmentSize,
// WindowScale or Timestamps field that is absent is any value; SackBlocks without blocks is any
// SACK option; md5_digest of no octets is any digest; RawOption without data and length is any
// option of that kind. fields.payload compares the whole payload. fields.icmp.quoted_segment is a
// pattern for the quoted packet, as much of it as is quoted; quoted_raw must be equal to the
// quotation; quoted_number must be a logged segment whose first octets are the quotation.
// checksums_valid = false does not look at checksums at all; absent in a member of any_of, the
// outer pattern decides.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/wire/decode.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::server {

// Patterns nested in any_of, one in the other; deeper is INVALID_ARGUMENT.
inline constexpr int kMaxPatternDepth = 16;

// INVALID_ARGUMENT names the field that is wrong, or the two that contradict each other, below
// `path`.
absl::Status check_pattern(const v1::SegmentPattern& pattern, absl::string_view path);

class Matcher {
 public:
  // `logged` as in CraftContext; may be empty where no segment has a number yet.
  static absl::StatusOr<Matcher> compile(
      const v1::SegmentPattern& pattern, absl::string_view path,
      const std::function<std::span<const uint8_t>(uint64_t number)>& logged);

  // What is different, in words, e.g. "window: expected 100..200, got 65535"; empty: it matches.
  // `decoded` is of `packet`.
  std::vector<std::string> differences(std::span<const uint8_t> packet,
                                       const Decoded& decoded) const;
  // The same for octets.
  std::vector<std::string> differences(std::span<const uint8_t> packet) const;
  bool matches(std::span<const uint8_t> packet) const;

 private:
  Matcher() = default;

  // Shared, so that a matcher is cheap to copy; never changed after compile().
  std::shared_ptr<const v1::SegmentPattern> pattern_;
  bool checksums_ = true;
  std::string quoted_;  // the packet that fields.icmp.quoted_number names
  std::vector<Matcher> any_of_;
};

}  // namespace tcproctor::server
