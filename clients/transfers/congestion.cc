// SPDX-License-Identifier: Apache-2.0
#include "clients/transfers/congestion.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "clients/cpp/convert.h"
#include "clients/transfers/transfer.h"

namespace tcproctor::transfers {
namespace {

constexpr double kLoss = 0.01;
constexpr int32_t kOneWayNanos = 10'000'000;
constexpr double kLossyBits = 8'000'000;  // about what CUBIC reaches there
constexpr uint64_t kBottleneckBits = 20'000'000;
constexpr int32_t kLongOneWayNanos = 20'000'000;
// Bandwidth times round trip: 20 Mbit/s * 40 ms.
constexpr uint64_t kQueueBytes = 100'000;

void make_end(bool stack, v1::EndSpec& end) {
  if (stack) {
    end.mutable_stack();
  } else {
    end.mutable_kernel();
  }
}

TransferPlan plan_between(bool stack_sends, bool stack_receives, uint64_t bytes, uint64_t seed) {
  TransferPlan plan;
  make_end(stack_sends, *plan.session.mutable_a());
  make_end(stack_receives, *plan.session.mutable_b());
  plan.session.set_seed(seed);
  plan.bytes = bytes;
  plan.seed = seed;
  return plan;
}

void set_path(Path path, TransferPlan& plan) {
  const int32_t delay = path == Path::kLossy ? kOneWayNanos : kLongOneWayNanos;
  plan.data_path.mutable_delay()->set_nanos(delay);
  plan.ack_path.mutable_delay()->set_nanos(delay);
  if (path == Path::kLossy) {
    plan.data_path.set_loss(kLoss);
  } else {
    plan.data_path.set_rate_bits_per_s(kBottleneckBits);
    plan.data_path.set_queue_bytes(kQueueBytes);
  }
}

std::string csv_line(const char* sender, absl::Duration since, const v1::ConnectionStatus& status) {
  return absl::StrFormat("%s,%.3f,%u,%u,%.1f,%u,%d,%u,%u\n", sender, absl::ToDoubleSeconds(since),
                         status.cwnd_bytes(), status.ssthresh_bytes(),
                         absl::ToDoubleMilliseconds(client::from_proto(status.srtt())),
                         status.recovery().pipe_bytes(), status.recovery().state(),
                         status.recovery().recoveries(), status.recovery().timeouts());
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

absl::Status compare_goodput(const client::Client& client, uint32_t rounds, uint64_t bytes,
                             uint64_t seed, std::ostream& out) {
  struct Pairing {
    const char* name;
    bool stack_sends;
    bool stack_receives;
    std::vector<double> goodputs = {};
  };
  std::array<Pairing, 3> pairings = {Pairing{"kernel to kernel", false, false},
                                     Pairing{"stack to kernel", true, false},
                                     Pairing{"kernel to stack", false, true}};
  for (uint32_t round = 0; round < rounds; ++round) {
    for (Pairing& pairing : pairings) {
      TransferPlan plan =
          plan_between(pairing.stack_sends, pairing.stack_receives, bytes, seed + round);
      set_path(Path::kLossy, plan);
      const absl::StatusOr<TransferResult> result = transfer(client, plan);
      if (!result.ok()) return result.status();
      pairing.goodputs.push_back(result->goodput_bits_per_s);
      out << absl::StrFormat("round %u  %-16s  %6.2f Mbit/s%s\n", round + 1, pairing.name,
                             result->goodput_bits_per_s / 1e6, retransmissions_text(*result))
          << std::flush;
    }
  }
  const double reference = median(pairings[0].goodputs);
  for (const Pairing& pairing : pairings) {
    const double middle = median(pairing.goodputs);
    out << absl::StrFormat("median   %-16s  %6.2f Mbit/s  %.2f of the kernels'\n", pairing.name,
                           middle / 1e6, middle / reference);
  }
  return absl::OkStatus();
}

absl::Status trace_congestion(const client::Client& client, Path path, absl::Duration time,
                              uint64_t seed, std::ostream& csv) {
  struct Sender {
    const char* name;
    bool stack;
    v1::CongestionAlgorithm congestion_control;
  };
  csv << "sender,seconds,cwnd_bytes,ssthresh_bytes,srtt_ms,pipe_bytes,recovery_state,recoveries,"
         "timeouts\n";
  for (const Sender& sender : {Sender{"stack Reno", true, v1::CONGESTION_ALGORITHM_RENO},
                               Sender{"stack CUBIC", true, v1::CONGESTION_ALGORITHM_CUBIC},
                               Sender{"kernel CUBIC", false, v1::CONGESTION_ALGORITHM_CUBIC}}) {
    const double rate = path == Path::kLossy ? kLossyBits : kBottleneckBits;
    const auto bytes = static_cast<uint64_t>(rate / 8 * absl::ToDoubleSeconds(time));
    TransferPlan plan = plan_between(sender.stack, false, bytes, seed);
    plan.sender_options.set_congestion_control(sender.congestion_control);
    plan.sender_options.set_send_buffer_bytes(1 << 20);
    set_path(path, plan);
    plan.on_status = [&](absl::Duration since, const v1::ConnectionStatus& status) {
      csv << csv_line(sender.name, since, status);
    };
    const absl::StatusOr<TransferResult> result = transfer(client, plan);
    if (!result.ok()) return result.status();
  }
  return absl::OkStatus();
}

}  // namespace tcproctor::transfers
