// SPDX-License-Identifier: Apache-2.0
// The names of the protocol's enumerations as people write them: "SYN-SENT", "CONNECTION-RESET".
// They are derived from the contract, so that a name exists once.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tcproctor/v1/endpoint.pb.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::conformance {

// "TCP_STATE_SYN_SENT" with prefix "TCP_STATE_" -> "SYN-SENT".
std::string hyphenated(std::string_view enum_name, std::string_view prefix);

std::string state_name(v1::TcpState state);
std::string outcome_name(v1::Outcome outcome);
std::string end_name(v1::End end);  // "A", "B"

std::optional<v1::TcpState> parse_state(std::string_view name);
std::optional<v1::Outcome> parse_outcome(std::string_view name);
std::optional<v1::End> parse_end(std::string_view name);

// The other end. END_UNSPECIFIED stays what it is.
v1::End other(v1::End end);

}  // namespace tcproctor::conformance
