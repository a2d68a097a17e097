// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/flows.h"

#include <google/protobuf/struct.pb.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/interrupt.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {

Flows::~Flows() {
  stop_ = true;
  wait();
}

void Flows::add(Join join) {
  join_ended();
  Running& mine = running_.emplace_back();
  mine.thread = std::thread([this, &mine, join = std::move(join)] {
    run(join);
    mine.ended = true;
  });
}

void Flows::run(const Join& join) {
  const absl::StatusOr<Joined> joined = join(stop_);
  if (!joined.ok()) {
    failed_ = true;
    return tell(std::string(joined.status().message()));
  }
  report(joined->connection, forward(joined->connection, joined->socket, stop_));
}

void Flows::report(const client::Connection& connection, const Forwarded& done) {
  if (done.outcome != v1::OUTCOME_OK || !done.status.ok()) failed_ = true;
  const std::string outcome = conformance::outcome_name(done.outcome);
  google::protobuf::Struct json;
  auto& fields = *json.mutable_fields();
  fields["connection"].set_number_value(static_cast<double>(connection.id()));
  fields["sent"].set_number_value(static_cast<double>(done.to_connection));
  fields["received"].set_number_value(static_cast<double>(done.to_socket));
  fields["outcome"].set_string_value(outcome);
  std::string line = absl::StrCat("connection ", connection.id(), ": sent ", done.to_connection,
                                  ", received ", done.to_socket, ", ", outcome);
  if (!done.status.ok()) {
    fields["error"].set_string_value(std::string(done.status.message()));
    absl::StrAppend(&line, " (", done.status.message(), ")");
  }
  const absl::MutexLock lock(&mutex_);
  context_.text() << line << std::endl;
  if (!context_.emit_line(json).ok()) failed_ = true;
}

void Flows::tell(const std::string& line) {
  const absl::MutexLock lock(&mutex_);
  context_.text() << line << std::endl;
}

void Flows::wait() {
  while (!running_.empty()) {
    if (Interrupt::noted()) stop_ = true;
    absl::SleepFor(absl::Milliseconds(20));
    join_ended();
  }
}

void Flows::join_ended() {
  running_.remove_if([](Running& flow) {
    if (!flow.ended) return false;
    flow.thread.join();
    return true;
  });
}

}  // namespace tcproctor::cli
