// SPDX-License-Identifier: Apache-2.0
// tcproctord: flags to daemon, nothing else.
#include <linux/capability.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <spdlog/spdlog.h>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/daemon.h"
#include "server/host/user_namespace.h"

ABSL_FLAG(
    std::vector<std::string>, listen, {},
    "Where to listen: unix:PATH or ADDRESS:PORT (a number, [IPv6], or localhost), comma separated. "
    "Default: for root unix:/run/tcproctor.sock, else unix:$XDG_RUNTIME_DIR/tcproctor.sock or, "
    "where that is not "
    "set, unix:/tmp/tcproctor-UID.sock. Unix sockets have mode 0600.");
ABSL_FLAG(
    bool, insecure_listen, false,
    "Allow --listen ADDRESS:PORT without TLS. Everybody who reaches the port, any user of this "
    "machine among them, can open connections, read what they carry, send crafted packets within "
    "the sessions' namespaces, and use or delete the sessions of others.");
ABSL_FLAG(
    std::string, tls_cert, "",
    "PEM file with the daemon's certificate (and those between it and its CA). All --listen "
    "ADDRESS:PORT are then with mutual TLS; --tls-key, --tls-client-ca and --client-rules are "
    "needed as well. Files that change are read again within seconds.");
ABSL_FLAG(std::string, tls_key, "", "PEM file with the key of --tls-cert, without a password.");
ABSL_FLAG(std::string, tls_client_ca, "",
          "PEM file with the CAs: a client must show a certificate of one of them.");
ABSL_FLAG(
    std::string, client_rules, "",
    "What each client with a certificate may do: ClientRules of "
    "server/access/client_rules.proto in protobuf's text format. Who has no rule is refused.");
ABSL_FLAG(uint32_t, max_sessions, tcproctor::server::Registry::kDefaultMaxSessions,
          "Sessions at a time, 1..10000.");
ABSL_FLAG(std::string, interface, "",
          "An interface of this machine (of the daemon's network namespace) on which sessions may "
          "meet other machines: LINK_KIND_INTERFACE. Default: none, sessions stay on the machine.");
ABSL_FLAG(
    std::vector<std::string>, interface_addresses, {},
    "ADDRESS/PREFIX, comma separated, free on the link of --interface: taken by sessions' ends "
    "that are no kernel of this machine's and name none.");
ABSL_FLAG(std::vector<std::string>, interface_gateways, {},
          "The next hop of such ends towards other networks, at most one of each family.");
ABSL_FLAG(bool, disable_offloads, false,
          "Switch the offloads of --interface off at the start (checksums, segmentation, GRO), as "
          "the examination needs it. They stay off: the interface is the daemon's alone, as in a "
          "container, or nobody minds.");
ABSL_FLAG(std::string, log_level, "info", "trace, debug, info, warning, error or off.");
ABSL_FLAG(
    int32_t, ready_fd, -1,
    "When the daemon serves, the line \"listening on ADDRESS[, ADDRESS…]\" is written to this "
    "descriptor as well, which is then closed.");
ABSL_FLAG(bool, exit_with_parent, false, "End when the process that started this one ends.");
ABSL_FLAG(
    int32_t, parent_pid, 0,
    "With --exit-with-parent: the process id of that process, so that its end is noticed even when "
    "it came before this one could ask for it. Default: who is the parent at the start.");

namespace tcproctor::server {
namespace {

constexpr int kExitUsage = 2;

// All of them or none.
absl::StatusOr<std::optional<TlsOptions>> tls_from_flags() {
  TlsOptions tls;
  bool some = false;
  std::string missing;
  struct Flag {
    const char* name;
    std::string value;
    std::string& target;
  };
  for (const Flag& flag :
       {Flag{"--tls-cert", absl::GetFlag(FLAGS_tls_cert), tls.certificate},
        Flag{"--tls-key", absl::GetFlag(FLAGS_tls_key), tls.key},
        Flag{"--tls-client-ca", absl::GetFlag(FLAGS_tls_client_ca), tls.client_ca},
        Flag{"--client-rules", absl::GetFlag(FLAGS_client_rules), tls.rules}}) {
    flag.target = flag.value;
    some = some || !flag.value.empty();
    if (flag.value.empty()) absl::StrAppend(&missing, missing.empty() ? "" : ", ", flag.name);
  }
  if (!some) return std::nullopt;
  if (missing.empty()) return tls;
  return absl::InvalidArgumentError(absl::StrCat("mutual TLS needs ", missing, " as well"));
}

absl::StatusOr<DaemonOptions> options_from_flags(uid_t uid) {
  DaemonOptions options;
  for (const std::string& text : absl::GetFlag(FLAGS_listen)) {
    absl::StatusOr<ListenAddress> address = parse_listen_address(text);
    if (!address.ok()) return address.status();
    options.listen.push_back(*std::move(address));
  }
  if (options.listen.empty()) options.listen.push_back(default_listen_address(uid));
  options.insecure_listen = absl::GetFlag(FLAGS_insecure_listen);
  const absl::StatusOr<std::optional<TlsOptions>> tls = tls_from_flags();
  if (!tls.ok()) return tls.status();
  options.tls = *tls;
  options.max_sessions = absl::GetFlag(FLAGS_max_sessions);
  absl::StatusOr<Place> place =
      place_from(absl::GetFlag(FLAGS_interface), absl::GetFlag(FLAGS_interface_addresses),
                 absl::GetFlag(FLAGS_interface_gateways));
  if (!place.ok()) return place.status();
  options.place = *std::move(place);
  options.disable_offloads = absl::GetFlag(FLAGS_disable_offloads);
  return options;
}

// Abseil's flags have underscores in their names; "--ready-fd" is taken as well.
void allow_dashes(int argc, char** argv) {
  for (int i = 1; i < argc && std::strcmp(argv[i], "--") != 0; ++i) {
    if (std::strncmp(argv[i], "--", 2) != 0) continue;
    for (char* c = argv[i] + 2; *c != '\0' && *c != '='; ++c) {
      if (*c == '-') *c = '_';
    }
  }
}

// A session on the machine takes about ten descriptors; the usual soft limit of 1024 is soon
// reached.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// A session's buffers, from that of one frame up, live as long as it does: each goes back to the
// system with it. By itself glibc moves the threshold up to the largest that was freed, and what
// comes after that is cut out of arenas, which many sessions leave in pieces.
void give_large_blocks_back() {
  constexpr int kLarge = 64 << 10;
  mallopt(M_MMAP_THRESHOLD, kLarge);
  mallopt(M_TRIM_THRESHOLD, kLarge);
}

int fail(const absl::Status& status) {
  std::fprintf(stderr, "tcproctord: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? kExitUsage : 1;
}

// The kernel signals the end of a parent that has yet to come, not one that has been.
// `parent_at_start`: getppid() in the first moment. False: the parent is gone.
bool tie_to_parent(pid_t parent_at_start) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const pid_t named = absl::GetFlag(FLAGS_parent_pid);
  const pid_t parent = getppid();
  // 0: the parent is outside of our process id namespace and cannot be compared.
  return parent == 0 || parent == (named != 0 ? named : parent_at_start);
}

// Waits for one of these signals, and returns it. What sessions that have ended left free in the
// middle of malloc's arenas goes back to the system meanwhile: by itself glibc gives back their
// ends only, and a daemon that has seen many sessions would hold the most that it ever needed.
int wait_for(const sigset_t& signals) {
  constexpr timespec kPeriod = {.tv_sec = 5, .tv_nsec = 0};
  while (true) {
    const int received = sigtimedwait(&signals, nullptr, &kPeriod);
    if (received > 0) return received;
    malloc_trim(0);
  }
}

void tell_ready(const Daemon& daemon) {
  const std::string line =
      absl::StrCat("listening on ", absl::StrJoin(daemon.addresses(), ", "), "\n");
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
  const int fd = absl::GetFlag(FLAGS_ready_fd);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = write(fd, line.data(), line.size());
  close(fd);
}

// What the daemon needs to use what its broker opens, and to listen where it was told.
absl::Status drop_privilege(const DaemonOptions& options) {
  constexpr uint16_t kFirstOfEverybody = 1024;
  for (const ListenAddress& address : options.listen) {
    if (address.is_unix() || address.tcp.port == 0 || address.tcp.port >= kFirstOfEverybody) {
      continue;
    }
    return keep_only({CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE});
  }
  return keep_only({CAP_NET_ADMIN, CAP_NET_RAW});
}

int serve(uid_t uid, const absl::StatusOr<Privilege>& privilege) {
  absl::StatusOr<DaemonOptions> options = options_from_flags(uid);
  if (!options.ok()) return fail(options.status());
  options->machine = privilege.status();
  if (absl::Status status = drop_privilege(*options); !status.ok()) return fail(status);
  spdlog::set_level(spdlog::level::from_str(absl::GetFlag(FLAGS_log_level)));
  if (!privilege.ok()) {
    spdlog::warn("only sessions in memory are possible: {}",
                 std::string(privilege.status().message()));
  } else if (*privilege == Privilege::kUserNamespace) {
    spdlog::info("running in a user namespace of its own");
  }
  raise_descriptor_limit();
  give_large_blocks_back();
  // Waited for below; blocked before there are threads, so that none of them takes the signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::start(*options);
  if (!daemon.ok()) return fail(daemon.status());
  tell_ready(**daemon);
  const int received = wait_for(signals);
  spdlog::info("ending on signal {}", received);
  (*daemon)->shut_down();
  return 0;
}

}  // namespace
}  // namespace tcproctor::server

int main(int argc, char** argv) {
  const uid_t uid = geteuid();
  const pid_t parent = getppid();
  // Before anything can start a thread: the namespace broker is forked here.
  const auto privilege = tcproctor::server::acquire_privilege();
  absl::FlagsUsageConfig usage;
  usage.contains_help_flags = [](absl::string_view file) {
    return absl::EndsWith(file, "/main.cc");
  };
  absl::SetFlagsUsageConfig(usage);
  absl::SetProgramUsageMessage(
      "hosts TCP endpoints (our stack, the host kernel) behind a gRPC API.\n"
      "  tcproctord\n  tcproctord --listen=unix:/tmp/t.sock\n"
      "  tcproctord --listen=unix:/run/tcproctor.sock,0.0.0.0:7443 --tls-cert=server.pem\n"
      "             --tls-key=server.key --tls-client-ca=ca.pem --client-rules=clients.textproto\n"
      "  tcproctord --listen=unix:/run/tcproctor.sock,192.0.2.1:7443 --insecure-listen\n"
      "             --interface=eth0 --interface-addresses=192.0.2.10/24 --disable-offloads\n"
      "Names of flags may be written with dashes or with underscores. It ends on SIGTERM and "
      "SIGINT.\nExit status: 0 ended so; 1 it could not start, or a flag is unknown; 2 a flag's "
      "value is wrong.");
  tcproctor::server::allow_dashes(argc, argv);
  absl::ParseCommandLine(argc, argv);
  // After the namespace: a change of credentials clears it.
  if (absl::GetFlag(FLAGS_exit_with_parent) && !tcproctor::server::tie_to_parent(parent)) {
    std::fputs("tcproctord: the process that started this one has ended\n", stderr);
    return 1;
  }
  return tcproctor::server::serve(uid, privilege);
}
