// SPDX-License-Identifier: Apache-2.0
// Our TCP, the kernel's and lwIP in turns against the same kernel peer, in namespaces of their own.
// What counts is the ratio within one run: round after round each contestant has its turn, and of
// all rounds the median is taken. The contestant has one core, the peer another.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/benchmark/contestant.h"
#include "server/benchmark/peer.h"
#include "server/host/interface.h"
#include "server/host/namespace.h"
#include "server/host/namespace_testing.h"
#include "server/host/sysctl.h"

ABSL_FLAG(int, rounds, 5, "turns of each contestant; the median counts");
ABSL_FLAG(int, milliseconds, 700, "length of one measurement");
ABSL_FLAG(std::string, only, "", "measure only contestants whose name contains this");
ABSL_FLAG(std::string, quantity, "", "measure only quantities whose id contains this");
ABSL_FLAG(bool, all, false, "also contestants that no goal speaks of");
ABSL_FLAG(std::string, json, "", "write all values to this file; - is standard output");

namespace tcproctor::server::benchmark {
namespace {

constexpr int kPeerCore = 0;
constexpr int kContestantCore = 1;

struct Contestant {
  const char* name;
  Serve* serve;
  bool tun = false;
  bool offloads = true;  // of the device, as the contestant can take them
  bool kernel = false;   // its address is the kernel's
  bool busy_poll = false;
  bool always = true;  // without --all
};
constexpr std::array<Contestant, 9> kContestants = {{
    {.name = "kernel, veth", .serve = serve_kernel, .kernel = true},
    {.name = "ours, AF_PACKET", .serve = serve_stack},
    {.name = "ours, TUN", .serve = serve_stack, .tun = true},
    {.name = "lwIP, AF_PACKET", .serve = serve_lwip, .offloads = false},
    {.name = "lwIP, TUN", .serve = serve_lwip, .tun = true, .offloads = false},
    {.name = "ours, AF_PACKET, 1500", .serve = serve_stack, .offloads = false, .always = false},
    {.name = "ours, TUN, 1500",
     .serve = serve_stack,
     .tun = true,
     .offloads = false,
     .always = false},
    {.name = "busy poll: ours, AF_PACKET",
     .serve = serve_stack,
     .busy_poll = true,
     .always = false},
    {.name = "busy poll: kernel, veth",
     .serve = serve_kernel,
     .kernel = true,
     .busy_poll = true,
     .always = false},
}};

struct Sample {
  double value = 0;
  double cpu = 0;  // of one core, by the contestant
};

void pin_to(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

double cpu_seconds(pid_t process) {
  clockid_t clock;
  timespec time{};
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// A child process that serves until this object goes.
class Process {
 public:
  ~Process() {
    if (id_ <= 0) return;
    kill(id_, SIGKILL);
    waitpid(id_, nullptr, 0);
  }
  Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // `inside`: the namespace it lives in.
  absl::Status start(const Contestant& contestant, const NetworkNamespace& inside, Place place) {
    std::array<int, 2> pipe_ends;
    if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return absl::InternalError("pipe2");
    const UniqueFd reading(pipe_ends[0]);
    UniqueFd writing(pipe_ends[1]);
    id_ = fork();
    if (id_ < 0) return absl::InternalError("fork");
    if (id_ == 0) live(contestant, inside, std::move(place), writing.get());
    writing.reset();
    pollfd wait{.fd = reading.get(), .events = POLLIN, .revents = 0};
    char ready;
    if (poll(&wait, 1, 5000) == 1 && read(reading.get(), &ready, 1) == 1) return absl::OkStatus();
    return absl::InternalError(absl::StrCat(contestant.name, " did not start"));
  }

  pid_t id() const { return id_; }

 private:
  [[noreturn]] static void live(const Contestant& contestant, const NetworkNamespace& inside,
                                Place place, int ready_fd) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin_to(kContestantCore);
    absl::Status status = absl::InternalError("setns");
    if (setns(inside.fd(), CLONE_NEWNET) == 0) {
      status = contestant.serve(std::move(place), [ready_fd] {
        [[maybe_unused]] const ssize_t written = write(ready_fd, "r", 1);
      });
    }
    std::cerr << contestant.name << ": " << status << "\n";
    _exit(1);
  }

  pid_t id_ = -1;
};

// A fresh wire, the contestant at its one end and the peer at the other.
class Arena {
 public:
  absl::Status set_up(const Contestant& contestant) {
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> peer = NetworkNamespace::create();
    if (!peer.ok()) return peer.status();
    peer_ = *std::move(peer);
    // Or the ports run out: its TIME-WAITs last a minute.
    const std::array<Sysctl, 1> settings = {{{"net.ipv4.tcp_max_tw_buckets", "0", ""}}};
    if (absl::Status status = apply_sysctls(*peer_, settings); !status.ok()) return status;
    InterfaceSpec spec{.name = "peer0",
                       .addresses = {{*packet::IpAddress::parse(kPeerAddress), 24}},
                       .offloads = contestant.offloads};
    if (contestant.tun) return set_up_tun(contestant, spec);
    return set_up_veth(contestant, spec);
  }

  absl::StatusOr<Sample> run(Quantity quantity, std::chrono::milliseconds length) {
    Sample sample;
    std::optional<double> before;
    const auto start = [&] { before = cpu_seconds(process_.id()); };
    const absl::Status status = testing::run_in(*peer_, [&]() -> absl::Status {
      pin_to(kPeerCore);
      const absl::StatusOr<double> value = measure(quantity, length, start);
      if (!value.ok()) return value.status();
      sample.value = *value;
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    const std::chrono::duration<double> seconds = length;
    sample.cpu = (cpu_seconds(process_.id()) - before.value_or(0)) / seconds.count();
    return sample;
  }

 private:
  absl::Status set_up_tun(const Contestant& contestant, const InterfaceSpec& spec) {
    absl::StatusOr<TunDevice> tun = create_tun(*peer_, spec, contestant.offloads);
    if (!tun.ok()) return tun.status();
    tun_ = std::move(tun->fd);
    return process_.start(contestant, *peer_,
                          {.tun_fd = tun_.get(),
                           .vnet_header = contestant.offloads,
                           .busy_poll = contestant.busy_poll});
  }

  absl::Status set_up_veth(const Contestant& contestant, InterfaceSpec& peer_spec) {
    absl::StatusOr<std::unique_ptr<NetworkNamespace>> own = NetworkNamespace::create();
    if (!own.ok()) return own.status();
    own_ = *std::move(own);
    InterfaceSpec spec{.name = "own0", .offloads = contestant.offloads};
    spec.mac = packet::MacAddress{{2, 0, 0, 0, 0, 2}};
    peer_spec.mac = packet::MacAddress{{2, 0, 0, 0, 0, 1}};
    peer_spec.neighbours = {{*packet::IpAddress::parse(kContestantAddress), *spec.mac}};
    if (contestant.kernel) {
      spec.addresses = {{*packet::IpAddress::parse(kContestantAddress), 24}};
      spec.neighbours = {{*packet::IpAddress::parse(kPeerAddress), *peer_spec.mac}};
    }
    const absl::StatusOr<VethPair> pair = create_veth(*peer_, peer_spec, *own_, spec);
    if (!pair.ok()) return pair.status();
    return process_.start(contestant, *own_,
                          {.interface = spec.name,
                           .mac = *spec.mac,
                           .peer_mac = *peer_spec.mac,
                           .vnet_header = contestant.offloads,
                           .busy_poll = contestant.busy_poll});
  }

  std::unique_ptr<NetworkNamespace> peer_;
  std::unique_ptr<NetworkNamespace> own_;
  UniqueFd tun_;
  Process process_;
};

absl::StatusOr<Sample> measure_once(const Contestant& contestant, size_t quantity,
                                    std::chrono::milliseconds length) {
  Arena arena;
  if (absl::Status status = arena.set_up(contestant); !status.ok()) return status;
  return arena.run(kQuantities[quantity].quantity, length);
}

double median(std::vector<double> values) {
  if (values.empty()) return NAN;
  std::ranges::sort(values);
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

using Samples = std::map<std::pair<size_t, size_t>, std::vector<Sample>>;  // quantity, contestant

double median_value(const Samples& samples, size_t quantity, size_t contestant) {
  const auto it = samples.find({quantity, contestant});
  if (it == samples.end()) return NAN;
  std::vector<double> values;
  for (const Sample& sample : it->second) values.push_back(sample.value);
  return median(std::move(values));
}

// The best of those whose name begins so.
double best(const Samples& samples, size_t quantity, const char* prefix) {
  double found = NAN;
  for (size_t i = 0; i < kContestants.size(); ++i) {
    if (!absl::StartsWith(kContestants[i].name, prefix)) continue;
    const double value = median_value(samples, quantity, i);
    found =
        kQuantities[quantity].more_is_better ? std::fmax(found, value) : std::fmin(found, value);
  }
  return found;
}

std::string ratio(double value, double reference) {
  const double result = value / reference;
  return std::isnan(result) ? "-" : absl::StrFormat("%.2f", result);
}

void print_table(const Samples& samples) {
  for (size_t quantity = 0; quantity < kQuantities.size(); ++quantity) {
    const double kernel = best(samples, quantity, "kernel");
    const double lwip = best(samples, quantity, "lwIP");
    bool headed = false;
    for (size_t i = 0; i < kContestants.size(); ++i) {
      const auto it = samples.find({quantity, i});
      if (it == samples.end()) continue;
      if (!headed) {
        absl::PrintF("\n%-34s %9s %9s %9s %5s %9s %9s\n", kQuantities[quantity].title, "median",
                     "least", "most", "core", "/ kernel", "/ lwIP");
        headed = true;
      }
      std::vector<double> values, cpu;
      for (const Sample& sample : it->second) {
        values.push_back(sample.value);
        cpu.push_back(sample.cpu);
      }
      const auto [least, most] = std::ranges::minmax(values);
      const double middle = median(values);
      absl::PrintF("  %-32s %9.*f %9.*f %9.*f %4.0f%% %9s %9s\n", kContestants[i].name,
                   middle < 1000 ? 2 : 0, middle, middle < 1000 ? 2 : 0, least,
                   middle < 1000 ? 2 : 0, most, 100 * median(cpu), ratio(middle, kernel),
                   ratio(middle, lwip));
    }
  }
}

std::string to_json(const Samples& samples) {
  std::string out = "[";
  for (const auto& [key, list] : samples) {
    std::vector<double> values, cpu;
    std::string all;
    for (const Sample& sample : list) {
      values.push_back(sample.value);
      cpu.push_back(sample.cpu);
      absl::StrAppend(&all, all.empty() ? "" : ", ", sample.value);
    }
    absl::StrAppend(&out, out.size() == 1 ? "\n" : ",\n", "  {\"quantity\": \"",
                    kQuantities[key.first].id, "\", \"contestant\": \"",
                    kContestants[key.second].name, "\", \"median\": ", median(values),
                    ", \"core\": ", median(cpu), ", \"values\": [", all, "]}");
  }
  return out + "\n]\n";
}

bool wanted(const Contestant& contestant) {
  const std::string only = absl::GetFlag(FLAGS_only);
  if (!only.empty()) return absl::StrContains(contestant.name, only);
  return contestant.always || absl::GetFlag(FLAGS_all);
}

int run() {
  const std::chrono::milliseconds length(absl::GetFlag(FLAGS_milliseconds));
  Samples samples;
  int failures = 0;
  for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
    for (size_t quantity = 0; quantity < kQuantities.size(); ++quantity) {
      if (!absl::StrContains(kQuantities[quantity].id, absl::GetFlag(FLAGS_quantity))) continue;
      for (size_t i = 0; i < kContestants.size(); ++i) {
        if (!wanted(kContestants[i])) continue;
        absl::StatusOr<Sample> sample = measure_once(kContestants[i], quantity, length);
        if (sample.ok()) {
          samples[{quantity, i}].push_back(*sample);
        } else {
          ++failures;
          std::cerr << kContestants[i].name << ", " << kQuantities[quantity].id << ": "
                    << sample.status() << "\n";
        }
      }
    }
  }
  print_table(samples);
  const std::string json = absl::GetFlag(FLAGS_json);
  if (json == "-") std::cout << to_json(samples);
  if (!json.empty() && json != "-") std::ofstream(json) << to_json(samples);
  return failures == 0 && !samples.empty() ? 0 : 1;
}

}  // namespace
}  // namespace tcproctor::server::benchmark

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "our TCP, the kernel's and lwIP against one kernel peer; needs root");
  absl::ParseCommandLine(argc, argv);
  return tcproctor::server::benchmark::run();
}
