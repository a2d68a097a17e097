// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace tcproctor::conformance {

// What becomes of all cases if one of them is wrong.
enum class OnWrongCase {
  kRefuse,  // none is loaded
  kKeep,    // it is loaded as one that ends as an ERROR; if all are wrong, none is loaded
};

}  // namespace tcproctor::conformance
