// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/names.h"

#include <algorithm>

namespace tcproctor::conformance {
namespace {

constexpr std::string_view kStatePrefix = "TCP_STATE_";
constexpr std::string_view kOutcomePrefix = "OUTCOME_";

// The name of the enumerator that people write as `name`.
std::string enumerator(std::string_view name, std::string_view prefix) {
  std::string out(prefix);
  out += name;
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

}  // namespace

std::string hyphenated(std::string_view enum_name, std::string_view prefix) {
  if (enum_name.starts_with(prefix)) enum_name.remove_prefix(prefix.size());
  std::string out(enum_name);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

std::string state_name(v1::TcpState state) {
  return hyphenated(v1::TcpState_Name(state), kStatePrefix);
}

std::string outcome_name(v1::Outcome outcome) {
  return hyphenated(v1::Outcome_Name(outcome), kOutcomePrefix);
}

std::string end_name(v1::End end) {
  return end == v1::END_A ? "A" : end == v1::END_B ? "B" : "?";
}

std::optional<v1::TcpState> parse_state(std::string_view name) {
  v1::TcpState state;
  if (name.find('_') != std::string_view::npos || name == "UNSPECIFIED" ||
      !v1::TcpState_Parse(enumerator(name, kStatePrefix), &state)) {
    return std::nullopt;
  }
  return state;
}

std::optional<v1::Outcome> parse_outcome(std::string_view name) {
  v1::Outcome outcome;
  if (name.find('_') != std::string_view::npos || name == "UNSPECIFIED" ||
      !v1::Outcome_Parse(enumerator(name, kOutcomePrefix), &outcome)) {
    return std::nullopt;
  }
  return outcome;
}

std::optional<v1::End> parse_end(std::string_view name) {
  if (name == "A") return v1::END_A;
  if (name == "B") return v1::END_B;
  return std::nullopt;
}

v1::End other(v1::End end) {
  if (end == v1::END_A) return v1::END_B;
  if (end == v1::END_B) return v1::END_A;
  return end;
}

}  // namespace tcproctor::conformance
