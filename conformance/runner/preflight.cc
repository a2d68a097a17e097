// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/preflight.h"

#include <grpcpp/client_context.h>

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "conformance/runner/drive.h"
#include "conformance/runner/target.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/sessions.grpc.pb.h"

namespace tcproctor::conformance {
namespace {

constexpr absl::Duration kPreflightWatchdog = absl::Seconds(60);
// Segments to a port where nobody listens; each is answered with a RST (RFC 9293 §3.10.7.1).
constexpr int kBurst = 200;
constexpr uint32_t kClosedPort = 9;
// How long the answers may take, and a span by which both clocks are compared.
constexpr absl::Duration kAnswersWithin = absl::Seconds(2);
constexpr absl::Duration kStep = absl::Milliseconds(20);

absl::Status send_burst(Drive& drive, v1::End from) {
  v1::Command command;
  v1::InjectRequest& request = *command.mutable_inject();
  request.set_session(drive.session().id());
  request.set_from(from);
  for (int i = 0; i < kBurst; ++i) {
    v1::TcpHeader& tcp = *request.add_train()->mutable_segment()->mutable_tcp();
    tcp.set_source_port(40000);
    tcp.set_destination_port(kClosedPort);
    tcp.set_flags(kAck);
    tcp.set_sequence_number(1000);
    tcp.set_acknowledgment_number(static_cast<uint32_t>(i));
  }
  return drive.call(std::move(command)).status();
}

// How many of them the examined end has answered.
absl::StatusOr<int> count_answers(Drive& drive, v1::End examined) {
  int answers = 0;
  uint64_t after = 0;
  const absl::Duration begin = drive.now();
  while (answers < kBurst && drive.now() - begin < kAnswersWithin) {
    const absl::Status passed = drive.run_for(kStep);
    if (!passed.ok()) return passed;
    v1::Command command;
    command.mutable_read_log()->set_after(after);
    const absl::StatusOr<v1::Report> report = drive.call(std::move(command));
    if (!report.ok()) return report.status();
    for (const v1::LogEntry& entry : report->log().entries()) {
      after = entry.number();
      answers += entry.from() == examined && entry.origin() == v1::ORIGIN_END;
    }
  }
  return answers;
}

absl::StatusOr<v1::Environment> ask(const std::shared_ptr<grpc::Channel>& channel,
                                    const std::string& session) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kPreflightWatchdog));
  v1::GetEnvironmentRequest request;
  request.set_session(session);
  v1::Environment environment;
  const grpc::Status status =
      v1::Sessions::NewStub(channel)->GetEnvironment(&context, request, &environment);
  if (!status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  }
  return environment;
}

// "4096\t131072" and "4096 131072" are one value.
std::string plain(const std::string& value) {
  std::string out;
  for (const char c : value) {
    if (c != ' ' && c != '\t') {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

void judge_end(const v1::EndEnvironment& end, Preflight& preflight) {
  const auto fault = [&](const std::string& text) {
    append(preflight.fault, preflight.fault.empty() ? "" : "; ", "end ", end_name(end.end()), ": ",
           text);
  };
  const std::string prefix = cat(end_name(end.end()), " ");
  for (const auto& [name, value] : end.settings())
    preflight.facts[cat(prefix, name)] = plain(value);
  for (const auto& [name, value] : end.given()) {
    const auto found = end.settings().find(name);
    const std::string now = found == end.settings().end() ? "not there" : plain(found->second);
    if (now != plain(value)) fault(cat(name, " must be ", plain(value), " and is ", now));
  }
  preflight.facts[cat(prefix, "offloads")] =
      end.offloads_on().empty() ? "off" : join(end.offloads_on(), ", ");
  if (!end.offloads_wanted() && !end.offloads_on().empty()) {
    fault(cat("offloads that must be off are on: ", join(end.offloads_on(), ", ")));
  }
}

void judge(const v1::Environment& environment, Preflight& preflight) {
  std::map<std::string, std::string>& facts = preflight.facts;
  facts["kernel"] = cat(environment.kernel_release(), " ", environment.machine());
  facts["processors"] = cat(environment.processors());
  facts["load at the beginning"] = environment.load();
  facts["clock"] = environment.clock() == v1::CLOCK_VIRTUAL
                       ? "virtual"
                       : cat("real, ", environment.clock_source());
  for (const v1::EndEnvironment& end : environment.ends()) judge_end(end, preflight);
  if (environment.lost() == 0) return;
  append(preflight.fault, preflight.fault.empty() ? "" : "; ", "the capture lost ",
         environment.lost(), " frames");
}

absl::Status look(const std::shared_ptr<grpc::Channel>& channel, const Head& head,
                  const std::string& target, uint64_t seed, const Apart& apart,
                  Preflight& preflight) {
  const absl::StatusOr<std::unique_ptr<Drive>> drive =
      begin_session(head, target, seed, "", channel, apart, kPreflightWatchdog);
  if (!drive.ok()) return drive.status();
  const v1::End examined = examined_end(head);
  absl::Status status = send_burst(**drive, other(examined));
  if (!status.ok()) return status;
  const absl::StatusOr<int> answers = count_answers(**drive, examined);
  if (!answers.ok()) return answers.status();
  const absl::Time before = absl::Now();
  status = (*drive)->run_for(kStep);
  if (!status.ok()) return status;
  const absl::StatusOr<v1::Environment> environment = ask(channel, (*drive)->session().id());
  if (!environment.ok()) return environment.status();
  preflight.facts["capture"] = cat(kBurst, " segments sent at once, ", *answers, " answers seen, ",
                                   environment->lost(), " frames lost");
  if (!(*drive)->virtual_clock()) {
    preflight.facts["timer"] =
        absl::StrFormat("20 ms took %.1f ms", absl::ToDoubleMilliseconds(absl::Now() - before));
  }
  judge(*environment, preflight);
  if (!apart) return absl::OkStatus();
  // What was just said is the wire's machine.
  preflight.facts["the wire's machine"] = preflight.facts["kernel"];
  preflight.facts["clocks"] = cat("compared to ", print_duration((*drive)->clock_error()));
  const absl::StatusOr<v1::Environment> there =
      ask(apart.endpoint_channel, (*drive)->endpoint_session().id());
  if (!there.ok()) return there.status();
  judge(*there, preflight);
  return absl::OkStatus();
}

}  // namespace

Preflight run_preflight(const std::shared_ptr<grpc::Channel>& channel, const Head& head,
                        const std::string& target, uint64_t seed, const Apart& apart) {
  Preflight preflight;
  const absl::Status status = look(channel, head, target, seed, apart, preflight);
  if (!status.ok()) preflight.fault = status.ToString();
  return preflight;
}

}  // namespace tcproctor::conformance
