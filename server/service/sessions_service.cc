// SPDX-License-Identifier: Apache-2.0
#include "server/service/sessions_service.h"

#include <sys/utsname.h>

#include <map>
#include <utility>

#include "server/host/user_namespace.h"
#include "server/service/unary.h"

namespace tcproctor::server {
namespace {

constexpr char kStopping[] = "the daemon is stopping";

// Collects the descriptions of all sessions, each made on its own loop.
struct Listing {
  std::mutex mutex;
  size_t left ABSL_GUARDED_BY(mutex) = 0;
  std::map<uint64_t, v1::Session> sessions ABSL_GUARDED_BY(mutex);
  v1::ListSessionsResponse* response = nullptr;
  grpc::ServerUnaryReactor* reactor = nullptr;

  void add(uint64_t serial, std::optional<v1::Session> session) {
    std::unique_lock lock(mutex);
    if (session) sessions[serial] = *std::move(session);
    if (--left > 0) return;
    for (auto& [key, value] : sessions) *response->add_sessions() = std::move(value);
    lock.unlock();
    reactor->Finish(grpc::Status::OK);
  }
};

// Runs `work` on the loop of a live session and answers with what it returns.
template <class Work>
void on_loop(const std::shared_ptr<Session>& session, grpc::ServerUnaryReactor* reactor,
             Work work) {
  const bool posted = session->post([reactor, work = std::move(work)](Session& live) mutable {
    absl::Status status = live.check();
    if (status.ok()) status = work(live);
    reactor->Finish(to_grpc(status));
  });
  if (!posted) reactor->Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, kStopping));
}

}  // namespace

v1::ServerInfo probe_machine() {
  v1::ServerInfo info;
  info.set_version(TCPROCTOR_VERSION);
  info.set_api("tcproctor.v1");
  utsname name{};
  if (uname(&name) == 0) info.set_kernel_release(name.release);
  const auto note = [&info](const char* capability, const absl::Status& status) {
    if (status.ok()) {
      info.add_capabilities(capability);
    } else {
      (*info.mutable_missing())[capability] = std::string(status.message());
    }
  };
  const absl::Status namespaces = check_namespaces();
  note("end.stack", absl::OkStatus());
  note("end.kernel", namespaces);
  note("link.memory", absl::OkStatus());
  note("link.veth", namespaces);
  note("link.tun", namespaces.ok() ? check_tun() : namespaces);
  return info;
}

SessionsService::Reactor* SessionsService::CreateSession(Context* context,
                                                         const v1::CreateSessionRequest* request,
                                                         v1::Session* response) {
  Reactor* reactor = context->DefaultReactor();
  registry_.create(*request, /*hold_lease=*/false,
                   [reactor, response](absl::StatusOr<Registry::Created> created) {
                     if (created.ok()) *response = std::move(created->description);
                     reactor->Finish(to_grpc(created.status()));
                   });
  return reactor;
}

SessionsService::Reactor* SessionsService::GetSession(Context* context,
                                                      const v1::GetSessionRequest* request,
                                                      v1::Session* response) {
  absl::StatusOr<std::shared_ptr<Session>> session = registry_.find(request->session());
  if (!session.ok()) return refuse(context, session.status());
  Reactor* reactor = context->DefaultReactor();
  on_loop(*session, reactor, [response](Session& live) {
    live.renew();
    *response = live.describe();
    return absl::OkStatus();
  });
  return reactor;
}

// Listing names no session, so it renews no lease.
SessionsService::Reactor* SessionsService::ListSessions(Context* context,
                                                        const v1::ListSessionsRequest*,
                                                        v1::ListSessionsResponse* response) {
  Reactor* reactor = context->DefaultReactor();
  const std::vector<std::shared_ptr<Session>> sessions = registry_.all();
  if (sessions.empty()) {
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  auto listing = std::make_shared<Listing>();
  listing->left = sessions.size();
  listing->response = response;
  listing->reactor = reactor;
  for (const std::shared_ptr<Session>& session : sessions) {
    const uint64_t serial = session->serial();
    const bool posted = session->post([listing, serial](Session& live) {
      listing->add(serial, live.alive() ? std::optional(live.describe()) : std::nullopt);
    });
    if (!posted) listing->add(serial, std::nullopt);
  }
  return reactor;
}

SessionsService::Reactor* SessionsService::RenewLease(Context* context,
                                                      const v1::RenewLeaseRequest* request,
                                                      v1::Session* response) {
  absl::StatusOr<std::shared_ptr<Session>> session = registry_.find(request->session());
  if (!session.ok()) return refuse(context, session.status());
  Reactor* reactor = context->DefaultReactor();
  on_loop(*session, reactor, [request, response](Session& live) {
    absl::Status status = live.renew(*request);
    if (status.ok()) *response = live.describe();
    return status;
  });
  return reactor;
}

SessionsService::Reactor* SessionsService::ResetSession(Context* context,
                                                        const v1::ResetSessionRequest* request,
                                                        v1::Session* response) {
  return call_session(registry_, context, request->session(), request, response, &Session::reset);
}

SessionsService::Reactor* SessionsService::DeleteSession(Context* context,
                                                         const v1::DeleteSessionRequest* request,
                                                         v1::DeleteSessionResponse*) {
  absl::StatusOr<std::shared_ptr<Session>> session = registry_.find(request->session());
  if (!session.ok()) return refuse(context, session.status());
  Reactor* reactor = context->DefaultReactor();
  registry_.remove(*session, session_deleted((*session)->id()),
                   [reactor] { reactor->Finish(grpc::Status::OK); });
  return reactor;
}

SessionsService::Reactor* SessionsService::GetServerInfo(Context* context,
                                                         const v1::GetServerInfoRequest*,
                                                         v1::ServerInfo* response) {
  *response = info_;
  Reactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace tcproctor::server
