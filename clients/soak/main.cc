// SPDX-License-Identifier: Apache-2.0
// tcproctor_soak: many sessions from many clients for a long time; what the daemon holds of the
// machine must stay as it was. Exit status 0: it did; 1: it grew, or a call failed; 3: no daemon,
// wrong flags.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "clients/cli/private_daemon.h"
#include "clients/soak/gate.h"
#include "clients/soak/holdings.h"
#include "clients/soak/load.h"

ABSL_FLAG(absl::Duration, time, absl::Minutes(5), "how long");
ABSL_FLAG(uint32_t, clients, 16, "each with a connection of its own, 1..64");
ABSL_FLAG(uint32_t, sessions, 200, "at once, of all clients together; as many as clients, or more");
ABSL_FLAG(std::string, daemon, "", "tcproctord to start; empty: the one beside this program");

namespace tcproctor::soak {
namespace {

// What is given up is torn down in the background.
constexpr absl::Duration kSettle = absl::Seconds(20);
constexpr absl::Duration kPoll = absl::Milliseconds(200);
// Descriptors that gRPC may open and close by itself.
constexpr uint64_t kSpareDescriptors = 4;
// Looks while there is load, one each fifth of the time. In the first fifth the sessions come to be
// of all ages, and the daemon's threads of the size that the load asks for.
constexpr int kLooks = 5;
// Memory that grows from the first of these looks to the last as little as this stays.
constexpr double kGrowth = 1.1;
// What is left of the threads' arenas and of gRPC's own when the sessions are gone.
constexpr uint64_t kSpareKib = 16 << 10;
#ifdef __SANITIZE_ADDRESS__
constexpr bool kJudgesMemory = false;  // AddressSanitizer keeps what is freed
#else
constexpr bool kJudgesMemory = true;
#endif
// The daemon gives free memory back to the system every five seconds.
constexpr absl::Duration kGivesBack = absl::Seconds(6);

struct Moment {
  std::string name;
  Holdings held;
};

// When two looks show the same.
absl::StatusOr<Holdings> settled(pid_t pid) {
  absl::StatusOr<Holdings> before = holdings_of(pid);
  const absl::Time end = absl::Now() + kSettle;
  while (before.ok() && absl::Now() < end) {
    absl::SleepFor(kPoll);
    absl::StatusOr<Holdings> now = holdings_of(pid);
    if (!now.ok()) return now;
    if (now->descriptors == before->descriptors && now->namespaces == before->namespaces)
      return now;
    before = now;
  }
  return before;
}

class Soak {
 public:
  Soak(const cli::PrivateDaemon& daemon, uint32_t clients, uint32_t sessions)
      : daemon_(daemon), gate_(clients), sessions_(sessions) {}

  absl::Status connect(uint32_t clients) {
    for (uint32_t i = 0; i < clients; ++i) {
      const absl::StatusOr<client::Client> client = client::Client::connect(daemon_.address());
      if (!client.ok()) return client.status();
      const uint32_t first = i * sessions_ / clients;
      const uint32_t next = (i + 1) * sessions_ / clients;
      loads_.push_back(std::make_unique<Load>(*client, first, next - first));
    }
    return look("before", false);
  }

  absl::Status run(absl::Duration time) {
    std::vector<std::thread> threads;
    for (const std::unique_ptr<Load>& load : loads_) {
      threads.emplace_back([this, &load] { work(*load); });
    }
    absl::Status status;
    const absl::Time begin = absl::Now();
    for (int i = 1; i <= kLooks && status.ok(); ++i) {
      const absl::Duration passed = time * i / kLooks;
      while (absl::Now() < begin + passed && !failed_) absl::SleepFor(kPoll);
      status = look(absl::FormatDuration(passed), true);
    }
    over_ = true;
    for (std::thread& thread : threads) thread.join();
    status.Update(first_error_);
    for (const std::unique_ptr<Load>& load : loads_) status.Update(load->clear());
    if (!status.ok()) return status;
    absl::SleepFor(kGivesBack);
    return look("after", false);
  }

  // How many are not as they were.
  int tell(std::ostream& out) const;

 private:
  void work(Load& load) {
    absl::Status status = load.fill();
    while (status.ok()) {
      gate_.pass();
      if (over_) break;
      status = load.step();
    }
    gate_.leave();
    failed_ = failed_ || !status.ok();
    const std::lock_guard lock(mutex_);
    first_error_.Update(status);
  }

  // `working`: with nobody between two steps.
  absl::Status look(const std::string& name, bool working) {
    if (working) gate_.shut();
    const absl::StatusOr<Holdings> held = settled(daemon_.pid());
    if (working) gate_.open();
    if (held.ok()) moments_.push_back({name, *held});
    return held.status();
  }

  const cli::PrivateDaemon& daemon_;
  Gate gate_;
  const uint32_t sessions_;
  std::vector<std::unique_ptr<Load>> loads_;
  std::vector<Moment> moments_;
  std::atomic<bool> over_ = false;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  absl::Status first_error_;
};

int Soak::tell(std::ostream& out) const {
  out << absl::StrFormat("%-8s %12s %12s %14s\n", "", "descriptors", "namespaces", "resident KiB");
  for (const Moment& moment : moments_) {
    out << absl::StrFormat("%-8s %12d %12d %14d\n", moment.name, moment.held.descriptors,
                           moment.held.namespaces, moment.held.resident_kib);
  }
  Tally all;
  for (const std::unique_ptr<Load>& load : loads_) {
    const Tally& part = load->tally();
    all.sessions += part.sessions;
    all.octets += part.octets;
    all.status_us.insert(all.status_us.end(), part.status_us.begin(), part.status_us.end());
  }
  std::ranges::sort(all.status_us);
  const auto percentile = [&](size_t percent) {
    const size_t count = all.status_us.size();
    return count == 0 ? 0.0 : all.status_us[(count - 1) * percent / 100] / 1000.0;
  };
  out << absl::StrFormat(
      "%d sessions made, %d octets moved; Status: %d calls, p50 %.2f ms, p99 %.2f "
      "ms, longest %.2f ms\n",
      all.sessions, all.octets, all.status_us.size(), percentile(50), percentile(99),
      percentile(100));
  const Holdings& before = moments_.front().held;
  const Holdings& first = moments_.at(1).held;
  const Holdings& last = moments_.at(kLooks).held;
  const Holdings& after = moments_.back().held;
  int grown = 0;
  const auto check = [&](bool flat, const char* what) {
    if (flat) return;
    ++grown;
    out << "NOT FLAT: " << what << "\n";
  };
  check(last.descriptors <= first.descriptors + kSpareDescriptors, "descriptors under load");
  check(after.descriptors <= before.descriptors + kSpareDescriptors,
        "descriptors, before to after");
  check(last.namespaces <= first.namespaces, "namespaces under load");
  check(after.namespaces <= before.namespaces, "namespaces, before to after");
  if (!kJudgesMemory) return grown;
  check(static_cast<double>(last.resident_kib) <= kGrowth * static_cast<double>(first.resident_kib),
        "memory under load");
  check(after.resident_kib <= before.resident_kib + kSpareKib, "memory, before to after");
  return grown;
}

int run() {
  const uint32_t clients = absl::GetFlag(FLAGS_clients);
  const uint32_t sessions = absl::GetFlag(FLAGS_sessions);
  if (clients < 1 || clients > 64 || sessions < clients) {
    std::cerr << "--clients: 1..64, --sessions: as many or more\n";
    return 3;
  }
  const absl::StatusOr<std::unique_ptr<cli::PrivateDaemon>> daemon =
      cli::PrivateDaemon::start(absl::GetFlag(FLAGS_daemon));
  if (!daemon.ok()) {
    std::cerr << daemon.status() << "\n";
    return 3;
  }
  Soak soak(**daemon, clients, sessions);
  absl::Status status = soak.connect(clients);
  if (status.ok()) status = soak.run(absl::GetFlag(FLAGS_time));
  if (!status.ok()) {
    std::cerr << status << "\n" << (*daemon)->death();
    return 1;
  }
  std::cout << absl::StrFormat("%d clients, %d sessions at once, %s\n", clients, sessions,
                               absl::FormatDuration(absl::GetFlag(FLAGS_time)));
  return soak.tell(std::cout) == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tcproctor::soak

int main(int argc, char** argv) {
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "/main.cc");
  };
  absl::SetFlagsUsageConfig(usage);
  absl::SetProgramUsageMessage(
      "Many sessions from many clients: whether the daemon holds more and more of the machine, and "
      "how long Status takes meanwhile.");
  absl::ParseCommandLine(argc, argv);
  return tcproctor::soak::run();
}
