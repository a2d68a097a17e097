// SPDX-License-Identifier: Apache-2.0
// tcproctord: flags to daemon; nothing else.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/daemon.h"
#include "server/host/user_namespace.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(
    std::vector<std::string>, listen, {},
    "where to listen, comma separated: unix:PATH (mode 0600) or HOST:PORT (loopback only, unless "
    "--insecure_listen). Default: unix:$XDG_RUNTIME_DIR/tcproctor.sock, "
    "unix:/run/tcproctor.sock for root");
ABSL_FLAG(
    bool, insecure_listen, false,
    "allow a TCP address that is not loopback: whoever reaches it can open connections and inject "
    "packets inside sessions and use this machine's CPU and memory, without any authentication");
ABSL_FLAG(uint32_t, max_sessions, 256, "sessions at the same time, 1..10000");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warn, error or off");
ABSL_FLAG(bool, exit_with_parent, false, "end when the process that started this one ends");

namespace {

using tcproctor::server::Daemon;
using tcproctor::server::DaemonConfig;
using tcproctor::server::ListenAddress;

int fail(const absl::Status& status) {
  spdlog::error("{}", std::string(status.message()));
  return 1;
}

absl::StatusOr<DaemonConfig> config_from_flags() {
  DaemonConfig config;
  config.max_sessions = absl::GetFlag(FLAGS_max_sessions);
  if (config.max_sessions < 1 || config.max_sessions > 10000) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max_sessions=", config.max_sessions, " is out of range; 1..10000"));
  }
  std::vector<std::string> addresses = absl::GetFlag(FLAGS_listen);
  if (addresses.empty()) addresses = {tcproctor::server::default_listen_address()};
  for (const std::string& text : addresses) {
    absl::StatusOr<ListenAddress> address = tcproctor::server::parse_listen_address(text);
    if (!address.ok()) return address.status();
    if (!address->loopback && !absl::GetFlag(FLAGS_insecure_listen)) {
      return absl::FailedPreconditionError(
          absl::StrCat("--listen=", text,
                       " is not a loopback address; --insecure_listen allows it and says what "
                       "that exposes (see --help)"));
    }
    if (!address->loopback) {
      spdlog::warn("{} takes calls from everybody who can reach it, without authentication", text);
    }
    config.addresses.push_back(*std::move(address));
  }
  return config;
}

// The signals that end the daemon are blocked in every thread and awaited here.
void wait_for_end(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("ending: {}", strsignal(signal));
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "tcproctord: hosts our TCP stack and the kernel's behind one gRPC API.\n"
      "Example: tcproctord --listen=unix:/tmp/t.sock");
  absl::ParseCommandLine(argc, argv);
  spdlog::set_default_logger(spdlog::stderr_logger_mt("tcproctord"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l: %v");
  spdlog::set_level(spdlog::level::from_str(absl::GetFlag(FLAGS_log_level)));

  if (absl::GetFlag(FLAGS_exit_with_parent)) prctl(PR_SET_PDEATHSIG, SIGTERM);
  // Before any thread exists: gRPC makes some as soon as it is used.
  if (auto privilege = tcproctor::server::enter_user_namespace_if_needed(); !privilege.ok()) {
    spdlog::warn("only memory links: {}", std::string(privilege.status().message()));
  }
  // It is cleared when credentials change, which entering a user namespace does.
  if (absl::GetFlag(FLAGS_exit_with_parent)) prctl(PR_SET_PDEATHSIG, SIGTERM);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  absl::StatusOr<DaemonConfig> config = config_from_flags();
  if (!config.ok()) return fail(config.status());
  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::start(*config);
  if (!daemon.ok()) return fail(daemon.status());

  std::vector<std::string> listening;
  for (const ListenAddress& address : config->addresses) listening.push_back(address.text);
  std::printf("listening on %s\n", absl::StrJoin(listening, ", ").c_str());
  std::fflush(stdout);
  wait_for_end(signals);
  return 0;
}
