// SPDX-License-Identifier: Apache-2.0
#include "server/wire/hold.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {

void Holder::hold(v1::End from, std::optional<Matcher> matcher) {
  side(from) = {true, std::move(matcher)};
}

void Holder::let_pass(v1::End from) {
  side(from) = {};
}

bool Holder::wants(v1::End from, std::span<const uint8_t> packet) const {
  const Side& of = side(from);
  return of.on && (!of.matcher || of.matcher->matches(packet));
}

bool Holder::keep(uint64_t number, v1::End from, std::span<const uint8_t> packet,
                  const PacketMeta& meta) {
  if (bytes_ + packet.size() > kMaxBytes) return false;
  bytes_ += packet.size();
  held_.emplace(number, HeldPacket{number, from, meta, {packet.begin(), packet.end()}});
  return true;
}

absl::StatusOr<std::vector<HeldPacket>> Holder::take(std::span<const uint64_t> numbers) {
  std::vector<uint64_t> wanted(numbers.begin(), numbers.end());
  if (wanted.empty()) {
    for (const auto& [number, packet] : held_) wanted.push_back(number);
  }
  std::set<uint64_t> seen;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!seen.insert(wanted[i]).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("numbers[", i, "]: segment ", wanted[i], " is named twice"));
    }
    if (!held_.contains(wanted[i])) {
      return absl::FailedPreconditionError(
          absl::StrCat("numbers[", i, "]: segment ", wanted[i], " is not held"));
    }
  }
  std::vector<HeldPacket> taken;
  for (const uint64_t number : wanted) {
    taken.push_back(std::move(held_.extract(number).mapped()));
    bytes_ -= taken.back().octets.size();
  }
  return taken;
}

}  // namespace tcproctor::server
