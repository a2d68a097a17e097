// SPDX-License-Identifier: Apache-2.0
#include "server/wire/impair.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/time_proto.h"
#include "server/wire/packet_meta.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"

namespace tcproctor::server {
namespace {

constexpr tcp::Duration kDefaultReorderDelay = std::chrono::milliseconds(10);

absl::Status check_probability(double value, absl::string_view field) {
  if (value >= 0 && value <= 1) return absl::OkStatus();  // false for NaN
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", value, " is no probability, which is 0..1"));
}

absl::StatusOr<tcp::Duration> read_delay(bool given, const google::protobuf::Duration& value,
                                         absl::string_view field, tcp::Duration otherwise) {
  if (!given) return otherwise;
  return duration_from_proto(value, field, tcp::Duration::zero(), Impairer::kMaxDelay);
}

size_t header_octets(std::span<const uint8_t> packet) {
  if (family_of(packet) == packet::IpFamily::kV6) return packet::kIpv6HeaderBytes;
  return packet.empty() ? 0 : (packet[0] & 0x0F) * size_t{4};
}

}  // namespace

absl::StatusOr<Impairer> Impairer::create(const v1::ImpairRequest& request, uint64_t default_seed) {
  absl::Status status = check_probability(request.loss(), "loss");
  status.Update(check_probability(request.duplicate(), "duplicate"));
  status.Update(check_probability(request.corrupt(), "corrupt"));
  status.Update(check_probability(request.reorder(), "reorder"));
  if (!status.ok()) return status;
  Impairer impairer;
  const auto delay =
      read_delay(request.has_delay(), request.delay(), "delay", tcp::Duration::zero());
  if (!delay.ok()) return delay.status();
  const auto jitter =
      read_delay(request.has_jitter(), request.jitter(), "jitter", tcp::Duration::zero());
  if (!jitter.ok()) return jitter.status();
  const auto reorder_delay = read_delay(request.has_reorder_delay(), request.reorder_delay(),
                                        "reorder_delay", kDefaultReorderDelay);
  if (!reorder_delay.ok()) return reorder_delay.status();
  impairer.loss_ = request.loss();
  impairer.duplicate_ = request.duplicate();
  impairer.corrupt_ = request.corrupt();
  impairer.reorder_ = request.reorder();
  impairer.delay_ = *delay;
  impairer.jitter_ = *jitter;
  impairer.reorder_delay_ = *reorder_delay;
  impairer.random_ = Random(request.seed() != 0 ? request.seed() : default_seed);
  return impairer;
}

bool Impairer::active() const {
  return loss_ > 0 || duplicate_ > 0 || corrupt_ > 0 || reorder_ > 0 ||
         delay_ > tcp::Duration::zero() || jitter_ > tcp::Duration::zero();
}

Impairments Impairer::next(std::span<const uint8_t> packet, tcp::Instant now) {
  // As many draws for each packet, whatever they lead to: what happens to the n-th packet does not
  // hang on what happened to those before it.
  const double loss = random_.unit();
  const double duplicate = random_.unit();
  const double corrupt = random_.unit();
  const double reorder = random_.unit();
  const uint64_t bit = random_.next();
  const double jitter = random_.unit();

  Impairments result;
  result.due = now;
  result.lost = loss < loss_;
  if (result.lost) return result;
  result.duplicated = duplicate < duplicate_;
  const size_t header = header_octets(packet);
  if (corrupt < corrupt_ && packet.size() > header) {
    result.corrupt_bit = header * 8 + bit % ((packet.size() - header) * 8);
  }
  const auto wait =
      tcp::Duration(static_cast<tcp::Duration::rep>(jitter * static_cast<double>(jitter_.count())));
  result.due = now + delay_ + wait;
  if (reorder < reorder_) {
    result.due += reorder_delay_;  // others may overtake it
  } else {
    result.due = last_due_ = std::max(result.due, last_due_);
  }
  return result;
}

}  // namespace tcproctor::server
