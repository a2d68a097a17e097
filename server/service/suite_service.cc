// SPDX-License-Identifier: Apache-2.0
#include "server/service/suite_service.h"

#include <utility>

#include "absl/status/statusor.h"
#include "conformance/runner/suite.h"
#include "server/service/unary.h"

namespace tcproctor::server {

grpc::Status SuiteService::ListCases(grpc::ServerContext*, const v1::ListCasesRequest* request,
                                     v1::ListCasesResponse* response) {
  absl::StatusOr<conformance::Suite> suite = conformance::Suite::load();
  if (!suite.ok()) return to_grpc(suite.status());
  absl::StatusOr<std::vector<v1::CaseInfo>> cases = suite->list(request->filter());
  if (!cases.ok()) return to_grpc(cases.status());
  for (v1::CaseInfo& one : *cases) *response->add_cases() = std::move(one);
  return grpc::Status::OK;
}

grpc::Status SuiteService::RunCases(grpc::ServerContext* context,
                                    const v1::RunCasesRequest* request,
                                    grpc::ServerWriter<v1::RunCasesResponse>* writer) {
  absl::StatusOr<conformance::Suite> suite = conformance::Suite::load();
  if (!suite.ok()) return to_grpc(suite.status());
  conformance::RunOptions options;
  options.channel = channel_;
  options.filter = request->filter();
  options.targets.assign(request->targets().begin(), request->targets().end());
  options.jobs = request->jobs();
  options.slow = request->slow();
  options.seed = request->seed();
  options.cancelled = [this, context] { return stopped_ || context->IsCancelled(); };
  absl::StatusOr<conformance::RunReport> report =
      suite->run(options, [writer](const conformance::CaseOutcome& outcome) {
        v1::RunCasesResponse message;
        *message.mutable_result() = conformance::to_proto(outcome);
        writer->Write(message);
      });
  if (!report.ok()) return to_grpc(report.status());
  v1::RunCasesResponse last;
  *last.mutable_summary() = conformance::summary_proto(*report);
  writer->Write(last);
  return grpc::Status::OK;
}

grpc::Status SuiteService::Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                                   v1::ExplainResponse* response) {
  absl::StatusOr<conformance::Suite> suite = conformance::Suite::load();
  if (!suite.ok()) return to_grpc(suite.status());
  absl::StatusOr<v1::CaseInfo> info = suite->info(request->case_id());
  if (!info.ok()) return to_grpc(info.status());
  conformance::RunOptions options;
  options.channel = channel_;
  options.seed = request->seed();
  options.cancelled = [this, context] { return stopped_ || context->IsCancelled(); };
  absl::StatusOr<conformance::CaseOutcome> outcome =
      suite->explain(options, request->case_id(), request->target());
  if (!outcome.ok()) return to_grpc(outcome.status());
  *response->mutable_info() = *std::move(info);
  *response->mutable_result() = conformance::to_proto(*outcome);
  return grpc::Status::OK;
}

}  // namespace tcproctor::server
