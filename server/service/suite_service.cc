// SPDX-License-Identifier: Apache-2.0
#include "server/service/suite_service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "conformance/runner/suite.h"
#include "server/service/grpc_status.h"
#include "server/service/stream_writer.h"
#include "server/service/unary_call.h"

namespace tcproctor::server {
namespace {

constexpr uint32_t kMaxJobs = 64;

absl::StatusOr<const conformance::Suite*> suite() {
  static const auto* const loaded =
      new absl::StatusOr<conformance::Suite>(conformance::Suite::load());
  if (!loaded->ok()) return loaded->status();
  return &**loaded;
}

// Answered by the thread of its run.
class ExplainCall final : public grpc::ServerUnaryReactor {
 public:
  explicit ExplainCall(std::shared_ptr<std::atomic<bool>> cancelled)
      : cancelled_(std::move(cancelled)) {}
  void OnCancel() override { *cancelled_ = true; }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<std::atomic<bool>> cancelled_;
};

}  // namespace

SuiteService::~SuiteService() {
  shut_down();
}

void SuiteService::shut_down() {
  std::list<std::shared_ptr<Run>> runs;
  {
    const std::lock_guard lock(mutex_);
    shut_down_ = true;
    runs = std::move(runs_);
    runs_.clear();
  }
  for (const std::shared_ptr<Run>& run : runs) run->cancelled = true;
  for (const std::shared_ptr<Run>& run : runs) run->thread.join();
}

absl::Status SuiteService::start(absl::AnyInvocable<void(Run&)> work) {
  const std::lock_guard lock(mutex_);
  for (auto it = runs_.begin(); it != runs_.end();) {
    if ((*it)->over) {
      (*it)->thread.join();
      it = runs_.erase(it);
    } else {
      ++it;
    }
  }
  if (shut_down_) return absl::UnavailableError("the daemon is shutting down");
  if (runs_.size() >= kMaxRuns) {
    return absl::ResourceExhaustedError(
        absl::StrCat("suite: ", kMaxRuns, " runs are under way already, which is the limit"));
  }
  const auto run = std::make_shared<Run>();
  run->thread = std::thread([run, work = std::move(work)]() mutable {
    work(*run);
    work = nullptr;
    run->over = true;
  });
  runs_.push_back(run);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* SuiteService::ListCases(grpc::CallbackServerContext* context,
                                                  const v1::ListCasesRequest* request,
                                                  v1::ListCasesResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const absl::StatusOr<const conformance::Suite*> cases = suite();
  absl::Status status = cases.status();
  if (status.ok()) {
    absl::StatusOr<std::vector<v1::CaseInfo>> infos = (*cases)->list(request->filter());
    status = infos.status();
    if (status.ok()) {
      for (v1::CaseInfo& info : *infos) *response->add_cases() = std::move(info);
    }
  }
  reactor->Finish(to_grpc(status));
  return reactor;
}

grpc::ServerWriteReactor<v1::RunCasesResponse>* SuiteService::RunCases(
    grpc::CallbackServerContext* context, const v1::RunCasesRequest* request) {
  const auto writer = StreamWriter<v1::RunCasesResponse>::create();
  const absl::StatusOr<const conformance::Suite*> cases = suite();
  const absl::StatusOr<Caller> caller = gate_.caller(*context);
  absl::Status status = caller.ok() ? cases.status() : caller.status();
  if (status.ok() && request->jobs() > kMaxJobs) {
    status = absl::InvalidArgumentError(
        absl::StrCat("jobs: ", request->jobs(), " is outside 0..", kMaxJobs));
  }
  if (!status.ok()) {
    writer->finish(status);
    return writer.get();
  }
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  writer->set_on_cancelled([cancelled] { *cancelled = true; });
  conformance::RunOptions options;
  options.channel = channel_(*caller);
  options.filter = request->filter();
  options.targets.assign(request->targets().begin(), request->targets().end());
  options.jobs = request->jobs();
  options.slow = request->slow();
  options.seed = request->seed();
  options.level = request->level();
  options.shard = request->shard();
  options.shards = request->shards();
  options.repeat = request->repeat();
  options.order = request->order();
  options.strict = request->strict();
  options.fail_fast = request->fail_fast();
  for (const v1::KnownViolation& known : request->known()) {
    options.known.insert({known.case_id(), known.target(), known.clause(), known.statement()});
  }
  const absl::Status started =
      start([writer, cancelled, options, cases = *cases](Run& run) mutable {
        options.cancelled = [&run, cancelled] { return run.cancelled || *cancelled; };
        const absl::StatusOr<conformance::RunReport> report =
            cases->run(options, [&writer](const conformance::CaseOutcome& outcome) {
              v1::RunCasesResponse response;
              *response.mutable_result() = conformance::to_proto(outcome);
              writer->push(std::move(response));
            });
        if (!report.ok()) return writer->finish(report.status());
        v1::RunCasesResponse last;
        *last.mutable_summary() = conformance::summary_proto(*report);
        writer->push(std::move(last));
        writer->finish(absl::OkStatus());
      });
  if (!started.ok()) writer->finish(started);
  return writer.get();
}

grpc::ServerUnaryReactor* SuiteService::Explain(grpc::CallbackServerContext* context,
                                                const v1::ExplainRequest* request,
                                                v1::ExplainResponse* response) {
  const absl::StatusOr<Caller> caller = gate_.caller(*context);
  if (!caller.ok()) return finish_now(context, caller.status());
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  auto* const call = new ExplainCall(cancelled);
  const absl::StatusOr<const conformance::Suite*> cases = suite();
  if (!cases.ok()) {
    call->Finish(to_grpc(cases.status()));
    return call;
  }
  conformance::RunOptions options;
  options.channel = channel_(*caller);
  options.seed = request->seed();
  const absl::Status started =
      start([call, cancelled, options, cases = *cases, request, response](Run& run) mutable {
        options.cancelled = [&run, cancelled] { return run.cancelled || *cancelled; };
        absl::StatusOr<v1::CaseInfo> info = cases->info(request->case_id());
        absl::Status status = info.status();
        if (status.ok()) {
          const absl::StatusOr<conformance::CaseOutcome> outcome =
              cases->explain(options, request->case_id(), request->target());
          status = outcome.status();
          if (status.ok()) {
            *response->mutable_info() = *std::move(info);
            *response->mutable_result() = conformance::to_proto(*outcome);
          }
        }
        call->Finish(to_grpc(status));
      });
  if (!started.ok()) call->Finish(to_grpc(started));
  return call;
}

}  // namespace tcproctor::server
