// SPDX-License-Identifier: Apache-2.0
#include "server/daemon.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <sys/stat.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/service/drive_service.h"
#include "server/service/endpoint_service.h"
#include "server/service/sessions_service.h"
#include "server/service/suite_service.h"
#include "server/service/wire_service.h"
#include "server/session/registry.h"
#include "server/session/worker.h"
#include "stack/run/loop_pool.h"

namespace tcproctor::server {
namespace {

constexpr size_t kWorkerThreads = 2;
// A SendRequest of 1 MiB or a train of 100,000 segments fits; nothing sensible is larger.
constexpr int kMaxMessageBytes = 64 << 20;
constexpr std::chrono::seconds kShutdownGrace{1};

}  // namespace

struct Daemon::Impl {
  std::vector<SocketPathLock> locks;
  std::unique_ptr<run::LoopPool> pool;
  Worker worker{kWorkerThreads};
  std::unique_ptr<Registry> registry;
  std::unique_ptr<SessionsService> sessions;
  std::unique_ptr<EndpointService> endpoint;
  std::unique_ptr<WireService> wire;
  std::unique_ptr<DriveService> drive;
  SuiteService suite;
  std::unique_ptr<grpc::Server> server;

  absl::Status make_services(const DaemonConfig& config) {
    absl::StatusOr<std::unique_ptr<run::LoopPool>> loops = run::LoopPool::create();
    if (!loops.ok()) return loops.status();
    pool = *std::move(loops);
    registry = std::make_unique<Registry>(*pool, worker, config.max_sessions);
    sessions = std::make_unique<SessionsService>(*registry, probe_machine());
    endpoint = std::make_unique<EndpointService>(*registry);
    wire = std::make_unique<WireService>(*registry);
    drive = std::make_unique<DriveService>(*registry);
    return absl::OkStatus();
  }

  absl::Status listen(const DaemonConfig& config) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    // Two daemons on one port must not share it silently.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // gRPC reports a bind that failed only by a port of 0.
    std::vector<int> ports(config.addresses.size(), 0);
    for (size_t i = 0; i < config.addresses.size(); ++i) {
      builder.AddListeningPort(config.addresses[i].grpc_target, grpc::InsecureServerCredentials(),
                               &ports[i]);
    }
    builder.RegisterService(sessions.get());
    builder.RegisterService(endpoint.get());
    builder.RegisterService(wire.get());
    builder.RegisterService(drive.get());
    builder.RegisterService(&suite);
    server = builder.BuildAndStart();
    for (size_t i = 0; i < ports.size(); ++i) {
      if (server == nullptr || ports[i] == 0) {
        return absl::FailedPreconditionError(absl::StrCat(
            "cannot listen on ", config.addresses[i].text, ": the address is in use or not ours"));
      }
    }
    suite.set_channel(server->InProcessChannel(grpc::ChannelArguments()));
    return absl::OkStatus();
  }
};

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::start(const DaemonConfig& config) {
  auto impl = std::make_unique<Impl>();
  for (const ListenAddress& address : config.addresses) {
    if (address.unix_path.empty()) continue;
    absl::StatusOr<SocketPathLock> lock = SocketPathLock::take(address.unix_path);
    if (!lock.ok()) return lock.status();
    impl->locks.push_back(*std::move(lock));
  }
  if (absl::Status status = impl->make_services(config); !status.ok()) return status;
  // Sockets are born with mode 0600: there is no moment at which another user could connect.
  const mode_t umask_before = ::umask(0177);
  absl::Status status = impl->listen(config);
  ::umask(umask_before);
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(impl)));
  if (!status.ok()) return status;
  return daemon;
}

// Sessions end first: that answers every waiting call, so the server has nothing to wait for; the
// loops stop when nobody posts to them any more.
Daemon::~Daemon() {
  impl_->suite.stop();
  if (impl_->registry) impl_->registry->shut_down();
  if (impl_->server) impl_->server->Shutdown(std::chrono::system_clock::now() + kShutdownGrace);
  impl_->worker.stop();
  if (impl_->pool) impl_->pool->stop();
}

}  // namespace tcproctor::server
