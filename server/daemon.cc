// SPDX-License-Identifier: Apache-2.0
#include "server/daemon.h"

#include <sys/stat.h>

#include <chrono>
#include <utility>

#include <spdlog/spdlog.h>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/access/rules_file.h"
#include "server/host/namespace.h"
#include "server/host/offload.h"
#include "server/host/packet_filter.h"
#include "server/host/sysctl.h"
#include "server/host/user_namespace.h"
#include "server/service/drive_service.h"
#include "server/service/endpoint_service.h"
#include "server/service/gate.h"
#include "server/service/running_calls.h"
#include "server/service/sessions_service.h"
#include "server/service/sockets_service.h"
#include "server/service/suite_service.h"
#include "server/service/wire_service.h"
#include "server/session/worker.h"
#include "stack/run/loop_pool.h"

namespace tcproctor::server {
namespace {

// A train of 100,000 segments fits.
constexpr int kMaxRequestBytes = 64 << 20;
constexpr size_t kMaxSessionLimit = 10'000;
constexpr size_t kWorkers = 4;
// A client whose machine died is noticed after this long without a sign of life.
constexpr int kKeepaliveMs = 20'000;

absl::Status check_options(const DaemonOptions& options) {
  if (options.max_sessions < 1 || options.max_sessions > kMaxSessionLimit) {
    return absl::InvalidArgumentError(absl::StrCat("--max-sessions: ", options.max_sessions,
                                                   " is outside 1..", kMaxSessionLimit));
  }
  if (options.tls && options.insecure_listen) {
    return absl::InvalidArgumentError(
        "--insecure-listen: contradicts --tls-cert; TCP listeners are with TLS or without");
  }
  bool tcp = false;
  for (const ListenAddress& address : options.listen) {
    if (address.is_unix()) continue;
    tcp = true;
    if (options.tls || options.insecure_listen) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--listen ", address.to_string(),
        ": a TCP listener needs mutual TLS (--tls-cert, --tls-key, --tls-client-ca and "
        "--client-rules). Without it whoever reaches the port, any user of this machine among "
        "them, can do everything; give --insecure-listen if that is wanted."));
  }
  if (options.tls && !tcp) {
    return absl::InvalidArgumentError(
        "--tls-cert: no --listen ADDRESS:PORT is there that would use it");
  }
  if (options.disable_offloads && options.place.interface.empty()) {
    return absl::InvalidArgumentError("--disable-offloads: belongs to an --interface");
  }
  return absl::OkStatus();
}

// What a daemon that was killed has left, on a kernel that does not do it itself.
void tidy_up() {
  const absl::StatusOr<std::vector<std::string>> removed = remove_orphaned_filters();
  if (!removed.ok()) return spdlog::debug("{}", std::string(removed.status().message()));
  for (const std::string& table : *removed) {
    spdlog::info("removed nf_tables table {} of a daemon that is no more", table);
  }
}

v1::InterfaceInfo describe(const Place& place) {
  v1::InterfaceInfo info;
  info.set_name(place.interface);
  info.set_mac(place.mac.to_string());
  info.set_mtu(place.mtu);
  for (const auto& own : place.own_addresses) info.add_addresses(to_text(own));
  for (const auto& address : place.addresses) info.add_end_addresses(to_text(address));
  for (const auto& gateway : place.gateways) info.add_gateways(gateway.to_string());
  return info;
}

void log_listener(const ListenAddress& address, const DaemonOptions& options, RulesFile* rules) {
  if (address.is_unix()) return;
  if (!options.tls) {
    return spdlog::warn(
        "listening on {} WITHOUT TLS: everybody who reaches it can make sessions, open connections "
        "and read what they carry, send crafted packets in the sessions' namespaces, and use or "
        "delete the sessions of others",
        address.to_string());
  }
  spdlog::info("listening on {} with mutual TLS; clients with a rule: {}", address.to_string(),
               absl::StrJoin(rules->names(), ", "));
}

}  // namespace

v1::ServerInfo server_info(const DaemonOptions& options) {
  v1::ServerInfo info;
  info.set_version(TCPROCTOR_VERSION);
  info.set_api("tcproctor.v1");
  info.set_kernel_release(kernel_release());
  for (const char* always : {"end.stack", "link.memory", "environment", "request_id"})
    info.add_capabilities(always);
  auto add = [&info](const char* capability, const absl::Status& possible) {
    if (possible.ok()) {
      info.add_capabilities(capability);
    } else {
      (*info.mutable_missing())[capability] = std::string(possible.message());
    }
  };
  const absl::Status namespaces = options.machine.ok() ? check_namespaces() : options.machine;
  add("end.kernel", namespaces);
  add("link.veth", namespaces);
  add("link.tun", namespaces.ok() ? check_tun() : namespaces);
  Place now = options.place;
  absl::Status usable = options.machine;
  if (usable.ok()) {
    usable = now.interface.empty()
                 ? absl::FailedPreconditionError("no interface was given (--interface)")
                 : look_at(now);
  }
  add("link.interface", usable);
  if (usable.ok()) *info.mutable_interface() = describe(now);
  return info;
}

struct Daemon::Parts {
  std::unique_ptr<run::LoopPool> pool;
  std::unique_ptr<Worker> worker;
  std::unique_ptr<Registry> registry;
  std::shared_ptr<RulesFile> rules;  // null without TLS
  std::unique_ptr<Gate> gate;
  std::unique_ptr<SessionsService> sessions;
  std::unique_ptr<EndpointService> endpoint;
  std::unique_ptr<SocketsService> sockets;
  std::unique_ptr<WireService> wire;
  std::unique_ptr<DriveService> drive;
  std::unique_ptr<SuiteService> suite;
  std::vector<SocketPathClaim> claims;
  const std::shared_ptr<RunningCalls> running = std::make_shared<RunningCalls>();
  std::unique_ptr<CertificateFiles> certificates;  // null without TLS
  std::unique_ptr<grpc::Server> server;
  std::vector<std::string> addresses;
  bool shut_down = false;

  absl::Status make(const DaemonOptions& options);
  absl::Status serve(const DaemonOptions& options);
};

absl::Status Daemon::Parts::make(const DaemonOptions& options) {
  if (!options.place.interface.empty()) tidy_up();
  if (options.disable_offloads) {
    const absl::StatusOr<std::unique_ptr<NetworkNamespace>> here = NetworkNamespace::current();
    if (!here.ok()) return here.status();
    absl::Status status = disable_offloads(**here, options.place.interface);
    if (!status.ok()) return status;
  }
  absl::StatusOr<std::unique_ptr<run::LoopPool>> made = run::LoopPool::create(options.loops);
  if (!made.ok()) return made.status();
  pool = *std::move(made);
  worker = std::make_unique<Worker>(kWorkers);
  registry = std::make_unique<Registry>(*pool, *worker, options.max_sessions, options.place,
                                        options.machine);
  if (options.tls) {
    absl::StatusOr<std::shared_ptr<RulesFile>> opened = RulesFile::open(options.tls->rules);
    if (!opened.ok()) return opened.status();
    rules = *std::move(opened);
  }
  gate = std::make_unique<Gate>(*registry, rules);
  sessions = std::make_unique<SessionsService>(*gate, server_info(options));
  endpoint = std::make_unique<EndpointService>(*gate);
  sockets = std::make_unique<SocketsService>(*gate);
  wire = std::make_unique<WireService>(*gate);
  drive = std::make_unique<DriveService>(*gate);
  suite = std::make_unique<SuiteService>(
      *gate, [this](const Caller& caller) { return Gate::channel_for(*server, caller); });
  return absl::OkStatus();
}

absl::Status Daemon::Parts::serve(const DaemonOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetMaxSendMessageSize(-1);
  // Else two daemons could share a port without knowing of each other.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  std::shared_ptr<grpc::ServerCredentials> tls;
  if (options.tls) {
    absl::StatusOr<TlsCredentials> made = make_tls_credentials(*options.tls);
    if (!made.ok()) return made.status();
    certificates = std::move(made->files);
    tls = std::move(made->credentials);
    tls->SetAuthMetadataProcessor(gate->doorkeeper());
  }
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    const ListenAddress& address = options.listen[i];
    if (address.is_unix()) {
      absl::StatusOr<SocketPathClaim> claim = SocketPathClaim::take(address.unix_path);
      if (!claim.ok()) return claim.status();
      claims.push_back(*std::move(claim));
    }
    builder.AddListeningPort(
        address.to_string(),
        tls != nullptr && !address.is_unix() ? tls : grpc::InsecureServerCredentials(), &ports[i]);
  }
  for (grpc::Service* service : std::initializer_list<grpc::Service*>{
           sessions.get(), endpoint.get(), sockets.get(), wire.get(), drive.get(), suite.get()}) {
    builder.RegisterService(service);
  }
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<CallCounter>(running));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  // A Unix socket must not be open to others even for a moment.
  const mode_t mask = umask(0177);
  server = builder.BuildAndStart();
  umask(mask);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    ListenAddress address = options.listen[i];
    if (server == nullptr || ports[i] <= 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot listen on ", address.to_string(),
                       address.is_unix() ? ": is its folder there and writable?"
                                         : ": is the port taken by another program?"));
    }
    if (!address.is_unix()) address.tcp.port = static_cast<uint16_t>(ports[i]);
    addresses.push_back(address.to_string());
    log_listener(address, options, rules.get());
  }
  return server == nullptr ? absl::InternalError("gRPC does not start its server")
                           : absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::start(const DaemonOptions& options) {
  absl::Status status = check_options(options);
  if (!status.ok()) return status;
  std::unique_ptr<Daemon> daemon(new Daemon(std::make_unique<Parts>()));
  status = daemon->parts_->make(options);
  if (status.ok()) status = daemon->parts_->serve(options);
  if (!status.ok()) return status;
  return daemon;
}

Daemon::Daemon(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Daemon::~Daemon() {
  shut_down();
}

void Daemon::shut_down() {
  if (std::exchange(parts_->shut_down, true)) return;
  if (parts_->registry) parts_->registry->shut_down();
  // Its runs wait for answers of this very server.
  if (parts_->suite) parts_->suite->shut_down();
  // Whatever waited in a session was answered by its end: what still runs makes a session, or is
  // being read. gRPC's own grace would be spent on every client that holds a channel and idles.
  if (parts_->server) {
    parts_->running->wait_for_none(kShutdownGrace);
    parts_->server->Shutdown(std::chrono::system_clock::now());
  }
  // What is being made is posted to the loops, which run it before they stop.
  if (parts_->worker) parts_->worker->stop();
  if (parts_->pool) parts_->pool->stop();
}

const std::vector<std::string>& Daemon::addresses() const {
  return parts_->addresses;
}

std::shared_ptr<grpc::Channel> Daemon::in_process_channel() {
  return parts_->server->InProcessChannel(grpc::ChannelArguments());
}

}  // namespace tcproctor::server
