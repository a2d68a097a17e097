// SPDX-License-Identifier: Apache-2.0
// From a case and a target to the session it runs in.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::conformance {

// Which ends have a TCP.
bool is_real(const Head& head, v1::End end);
// The end a statement means that names none; END_UNSPECIFIED when both are real.
v1::End examined_end(const Head& head);
// In which end a mutant is planted: the examined one, of two A.
v1::End mutated_end(const Head& head);

// INVALID_ARGUMENT: a setting that the contract does not have (check() finds it before).
absl::StatusOr<v1::CreateSessionRequest> session_request(const Head& head, std::string_view target,
                                                         uint64_t seed);

}  // namespace tcproctor::conformance
