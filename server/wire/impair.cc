// SPDX-License-Identifier: Apache-2.0
#include "server/wire/impair.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/time_proto.h"
#include "server/wire/octets.h"
#include "server/wire/packet_meta.h"
#include "stack/packet/byte_order.h"
#include "stack/packet/checksum.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"

namespace tcproctor::server {
namespace {

constexpr tcp::Duration kDefaultReorderDelay = std::chrono::milliseconds(10);
constexpr uint64_t kMinRate = 8000;
constexpr uint64_t kMaxRate = 1'000'000'000'000;
constexpr uint64_t kDefaultQueueBytes = uint64_t{64} << 10;
constexpr uint64_t kMaxQueueBytes = uint64_t{64} << 20;
constexpr uint8_t kEcnMask = 3;  // of the traffic class; CE = both bits (RFC 3168 §5)

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
  status.Update(check_probability(request.congestion_experienced(), "congestion_experienced"));
  if (!status.ok()) return status;
  Impairer impairer;
  if (status = impairer.set_bottleneck(request); !status.ok()) return status;
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
  impairer.congestion_experienced_ = request.congestion_experienced();
  impairer.delay_ = *delay;
  impairer.jitter_ = *jitter;
  impairer.reorder_delay_ = *reorder_delay;
  impairer.random_ = Random(request.seed() != 0 ? request.seed() : default_seed);
  return impairer;
}

absl::Status Impairer::set_bottleneck(const v1::ImpairRequest& request) {
  const uint64_t rate = request.rate_bits_per_s();
  if (rate != 0 && (rate < kMinRate || rate > kMaxRate)) {
    return absl::InvalidArgumentError(
        absl::StrCat("rate_bits_per_s: ", rate, " is not 0 or ", kMinRate, "..", kMaxRate));
  }
  if (request.queue_bytes() > kMaxQueueBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("queue_bytes: ", request.queue_bytes(), " is more than ", kMaxQueueBytes));
  }
  if (rate == 0 && request.queue_bytes() != 0) {
    return absl::InvalidArgumentError("queue_bytes: is of a bottleneck: give rate_bits_per_s too");
  }
  rate_bits_per_s_ = rate;
  queue_bytes_ = request.queue_bytes() != 0 ? request.queue_bytes() : kDefaultQueueBytes;
  return absl::OkStatus();
}

bool Impairer::active() const {
  return loss_ > 0 || duplicate_ > 0 || corrupt_ > 0 || reorder_ > 0 ||
         congestion_experienced_ > 0 || rate_bits_per_s_ > 0 || delay_ > tcp::Duration::zero() ||
         jitter_ > tcp::Duration::zero();
}

std::optional<tcp::Instant> Impairer::pass_bottleneck(size_t octets, tcp::Instant now) {
  if (rate_bits_per_s_ == 0) return now;
  const tcp::Instant begin = std::max(now, bottleneck_free_at_);
  const double rate = static_cast<double>(rate_bits_per_s_);
  const double waiting_s = std::chrono::duration<double>(begin - now).count();
  const double queued = waiting_s * rate / 8;
  if (queued + static_cast<double>(octets) > static_cast<double>(queue_bytes_)) return std::nullopt;
  bottleneck_free_at_ =
      begin + std::chrono::duration_cast<tcp::Duration>(
                  std::chrono::duration<double>(static_cast<double>(octets) * 8 / rate));
  return bottleneck_free_at_;
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
  const double congestion = random_.unit();

  Impairments result;
  result.due = now;
  result.lost = loss < loss_;
  if (result.lost) return result;
  const std::optional<tcp::Instant> through = pass_bottleneck(packet.size(), now);
  result.lost = !through;
  if (result.lost) return result;
  result.congestion_experienced = congestion < congestion_experienced_;
  result.duplicated = duplicate < duplicate_;
  const size_t header = header_octets(packet);
  if (corrupt < corrupt_ && packet.size() > header) {
    result.corrupt_bit = header * 8 + bit % ((packet.size() - header) * 8);
  }
  const auto wait =
      tcp::Duration(static_cast<tcp::Duration::rep>(jitter * static_cast<double>(jitter_.count())));
  result.due = *through + delay_ + wait;
  if (reorder < reorder_) {
    result.due += reorder_delay_;  // others may overtake it
  } else {
    result.due = last_due_ = std::max(result.due, last_due_);
  }
  return result;
}

bool mark_congestion(std::span<uint8_t> packet) {
  if (packet.size() < packet::kIpv4MinHeaderBytes) return false;
  // The traffic class is the second octet of IPv4, the second and third half octets of IPv6.
  const bool v4 = family_of(packet) == packet::IpFamily::kV4;
  const uint8_t shift = v4 ? 0 : 4;
  const uint8_t ecn = packet[1] >> shift & kEcnMask;
  if (ecn == 0) return false;
  if (ecn == kEcnMask) return true;
  const uint16_t before = packet::load_be16(packet.data());
  packet[1] |= static_cast<uint8_t>(kEcnMask << shift);
  if (!v4) return true;
  uint8_t* const field = packet.data() + kIpv4ChecksumOffset;
  packet::store_be16(field, packet::update_checksum(packet::load_be16(field), before,
                                                    packet::load_be16(packet.data())));
  return true;
}

}  // namespace tcproctor::server
