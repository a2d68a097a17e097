// SPDX-License-Identifier: Apache-2.0
// tcproctor_transfers: bulk transfers between our stack and the kernel over every kind of wire,
// each compared by its sha256. Exit status 0: all equal; 1: one was not; 3: no daemon, wrong flags.
#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "clients/cli/context.h"
#include "clients/cli/private_daemon.h"
#include "clients/transfers/combination.h"
#include "clients/transfers/congestion.h"
#include "clients/transfers/transfer.h"

ABSL_FLAG(std::string, address, "", "unix:PATH or HOST:PORT of a daemon; empty: one of our own");
ABSL_FLAG(uint64_t, bytes, uint64_t{8} << 20, "octets of each transfer");
ABSL_FLAG(uint64_t, seed, 1, "of octets, wire and choice of combinations");
ABSL_FLAG(bool, all, false, "every combination instead of a pairwise choice");
ABSL_FLAG(std::string, filter, "", "only combinations whose name contains this");
ABSL_FLAG(absl::Duration, limit, absl::Minutes(10), "for one transfer");
ABSL_FLAG(uint32_t, compare, 0,
          "instead: so many rounds of goodput at 1 % loss and 20 ms, ours beside the kernel's");
ABSL_FLAG(std::string, congestion, "",
          "instead: writes cwnd over time of Reno, CUBIC and the kernel's CUBIC to this CSV file");
ABSL_FLAG(bool, congestion_lossy, false,
          "of --congestion: 1 % loss and 20 ms instead of a bottleneck with a queue");
ABSL_FLAG(absl::Duration, congestion_time, absl::Seconds(20), "about how long each of them runs");

namespace tcproctor::transfers {
namespace {

// How many did not go well.
int run_matrix(const client::Client& client) {
  const uint64_t seed = absl::GetFlag(FLAGS_seed);
  const uint64_t bytes = absl::GetFlag(FLAGS_bytes);
  std::vector<Combination> combinations =
      absl::GetFlag(FLAGS_all) ? every_combination() : pairwise_combinations(seed);
  std::erase_if(combinations, [](const Combination& combination) {
    return !absl::StrContains(name_of(combination), absl::GetFlag(FLAGS_filter));
  });
  int failures = 0;
  for (const Combination& combination : combinations) {
    TransferPlan plan = plan_of(combination, bytes, seed);
    plan.limit = absl::GetFlag(FLAGS_limit);
    const absl::StatusOr<TransferResult> result = transfer(client, plan);
    std::cout << absl::StrFormat("%-70s ", name_of(combination));
    if (result.ok()) {
      std::cout << absl::StrFormat("equal %8.2f s %9.1f Mbit/s%s\n",
                                   absl::ToDoubleSeconds(result->time),
                                   result->goodput_bits_per_s / 1e6, retransmissions_text(*result));
    } else {
      ++failures;
      std::cout << result.status() << "\n";
    }
    std::cout << std::flush;
  }
  const auto count = static_cast<int>(combinations.size());
  std::cout << absl::StrFormat("%d transfers of %d octets, seed %d: %d equal, %d not\n", count,
                               bytes, seed, count - failures, failures);
  return count == 0 ? 1 : failures;
}

int run() {
  cli::Context context(std::cin, std::cout, std::cerr, false);
  *context.address_flag() = absl::GetFlag(FLAGS_address);
  std::unique_ptr<cli::PrivateDaemon> daemon;
  const absl::StatusOr<client::Client> client = cli::connect_or_start(context, "", daemon);
  if (!client.ok()) {
    std::cerr << client.status() << "\n";
    return 3;
  }
  absl::Status status;
  if (absl::GetFlag(FLAGS_compare) > 0) {
    status = compare_goodput(*client, absl::GetFlag(FLAGS_compare), absl::GetFlag(FLAGS_bytes),
                             absl::GetFlag(FLAGS_seed), std::cout);
  } else if (!absl::GetFlag(FLAGS_congestion).empty()) {
    std::ofstream csv(absl::GetFlag(FLAGS_congestion));
    status = trace_congestion(
        *client, absl::GetFlag(FLAGS_congestion_lossy) ? Path::kLossy : Path::kBottleneck,
        absl::GetFlag(FLAGS_congestion_time), absl::GetFlag(FLAGS_seed), csv);
  } else {
    return run_matrix(*client) == 0 ? 0 : 1;
  }
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace tcproctor::transfers

int main(int argc, char** argv) {
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "/main.cc");
  };
  absl::SetFlagsUsageConfig(usage);
  absl::SetProgramUsageMessage(
      "Bulk transfers between our stack and the kernel: link, direction, family, MTU, loss, "
      "reordering\nand extensions in all pairs, each compared by its sha256.");
  absl::ParseCommandLine(argc, argv);
  return tcproctor::transfers::run();
}
