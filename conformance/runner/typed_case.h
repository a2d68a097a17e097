// SPDX-License-Identifier: Apache-2.0
// A case that is typed line by line and carried out as it grows.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/channel.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "conformance/runner/performer.h"
#include "conformance/runner/problem.h"
#include "conformance/script/ast.h"
#include "conformance/script/parser.h"

namespace tcproctor::conformance {

struct TypedCaseOptions {
  std::shared_ptr<grpc::Channel> channel;
  std::string target;                // of kernel, stack, stack-virtual
  Examines examines = Examines::kB;  // which end has a TCP
  uint64_t seed = 1;                 // of every random choice
};

class TypedCase {
 public:
  // Makes the session, which ends with this object.
  static absl::StatusOr<std::unique_ptr<TypedCase>> begin(const TypedCaseOptions& options);

  // Carries one line out: a statement, or a procedure that every case may call. INVALID_ARGUMENT:
  // it is none, or names what is not there; the message shows where, and nothing was done. What did
  // not hold is in the result, and the next line may be given all the same.
  absl::StatusOr<Result> carry_out(const std::string& line);
  // Looks what happened meanwhile.
  Result observe();

  // The lines of the ladder that are new since the last call, or have changed.
  std::vector<std::string> new_lines();
  // All lines that held, as a case.
  const std::string& script() const { return script_; }
  const v1::Session& session() const { return stage_->session(); }

 private:
  TypedCase(std::string head, Procedures procedures);
  absl::StatusOr<std::vector<Statement>> statements_of(const std::string& script) const;

  std::string script_;
  const Procedures procedures_;
  Head head_;  // the stage looks at it
  std::unique_ptr<Performer> stage_;
  size_t carried_out_ = 0;  // statements of script_
  std::vector<std::string> shown_;
};

}  // namespace tcproctor::conformance
