// SPDX-License-Identifier: Apache-2.0
// What carries the statements of a case out in one session. A fresh clause gets a new one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>

#include "absl/time/time.h"
#include "conformance/report/ladder.h"
#include "conformance/runner/apart.h"
#include "conformance/runner/foreign_checks.h"
#include "conformance/runner/lateness.h"
#include "conformance/runner/problem.h"
#include "conformance/runner/result.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::conformance {

struct StageOptions {
  std::shared_ptr<grpc::Channel> channel;
  Apart apart;
  std::string target;
  uint64_t seed = 0;   // of this case
  std::string mutant;  // planted in the examined end; empty: none
  ForeignChecks foreign;
  absl::Duration watchdog = absl::Minutes(3);
};

class Performer {
 public:
  virtual ~Performer() = default;

  virtual void open_clause(const std::string& name) = 0;
  // Carries one statement out.
  virtual Result run(const Statement& statement) = 0;
  // What is left of a clause: calls that have to end within it.
  virtual Result close_clause() = 0;

  // Whether the end(s) that the name speaks of ("x.y" or "A.x.y") have the capability.
  virtual bool has_capability(const std::string& name) const = 0;

  // The changes of state of the real ends so far.
  virtual std::vector<StateEdge> edges() const = 0;
  virtual const v1::Session& session() const = 0;
  virtual const std::vector<v1::LogEntry>& segments() const = 0;
  virtual std::vector<LadderItem> ladder() const = 0;
  virtual std::string end_description(v1::End end) const = 0;
  // How late the harness was so far.
  virtual const Lateness& lateness() const = 0;
  virtual absl::Duration patience() const = 0;
};

}  // namespace tcproctor::conformance
