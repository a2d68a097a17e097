// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/syn_cookie.h"

#include <algorithm>
#include <array>

namespace tcproctor::tcp {
namespace {

constexpr std::array<uint16_t, 8> kMssTable = {64, 536, 1024, 1220, 1300, 1440, 1460, 8960};
constexpr uint32_t kHashMask = 0xFFFFFF;
constexpr uint32_t kClockMask = 31;
constexpr uint32_t kOptionBits = 6;  // 4 of window scale, 1 of SACK-permitted, 1 of ECN
constexpr uint32_t kOptionMask = (1u << kOptionBits) - 1;
constexpr uint32_t kNoScale = 15;

uint32_t clock_at(Instant now) {
  return static_cast<uint32_t>(now.time_since_epoch() / SynCookie::kPeriod) & kClockMask;
}

}  // namespace

uint32_t SynCookie::hash(const packet::FourTuple& tuple, SeqNum irs, uint32_t clock,
                         uint32_t index) const {
  std::array<uint8_t, 42> input{};
  auto out = std::ranges::copy(tuple.local.address.bytes(), input.begin()).out;
  std::ranges::copy(tuple.remote.address.bytes(), out);
  const auto put = [&input](size_t at, uint32_t value, size_t size) {
    for (size_t i = 0; i < size; ++i) input[at + i] = static_cast<uint8_t>(value >> (8 * i));
  };
  put(32, tuple.local.port, 2);
  put(34, tuple.remote.port, 2);
  put(36, irs.value(), 4);
  put(40, clock, 1);
  put(41, index | static_cast<uint32_t>(tuple.local.address.family()) << 4, 1);
  return static_cast<uint32_t>(siphash(secret_, input)) & kHashMask;
}

SeqNum SynCookie::make(Instant now, const packet::FourTuple& tuple, SeqNum irs,
                       uint16_t peer_mss) const {
  const auto above = std::ranges::upper_bound(kMssTable, peer_mss);
  const auto index =
      static_cast<uint32_t>(above == kMssTable.begin() ? 0 : above - kMssTable.begin() - 1);
  const uint32_t clock = clock_at(now);
  return SeqNum(clock << 27 | index << 24 | hash(tuple, irs, clock, index));
}

std::optional<uint16_t> SynCookie::check(Instant now, const packet::FourTuple& tuple, SeqNum irs,
                                         SeqNum iss) const {
  const uint32_t clock = iss.value() >> 27;
  const uint32_t index = iss.value() >> 24 & 7;
  if (((clock_at(now) - clock) & kClockMask) > 1) return std::nullopt;
  if ((iss.value() & kHashMask) != hash(tuple, irs, clock, index)) return std::nullopt;
  return kMssTable[index];
}

uint32_t SynCookie::timestamp_with(uint32_t ts_value, const Options& options) {
  const uint32_t bits = options.window_scale.value_or(kNoScale) |
                        (options.sack_permitted ? 1u << 4 : 0u) | (options.ecn ? 1u << 5 : 0u);
  const uint32_t value = (ts_value & ~kOptionMask) | bits;
  // Never ahead of the clock: the connection's own TSvals must not go back.
  return static_cast<int32_t>(value - ts_value) > 0 ? value - (1u << kOptionBits) : value;
}

SynCookie::Options SynCookie::options_in(uint32_t ts_value) {
  Options options;
  const uint32_t scale = ts_value & 15;
  if (scale != kNoScale) options.window_scale = static_cast<uint8_t>(scale);
  options.sack_permitted = (ts_value >> 4 & 1) != 0;
  options.ecn = (ts_value >> 5 & 1) != 0;
  return options;
}

}  // namespace tcproctor::tcp
