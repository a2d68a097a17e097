// SPDX-License-Identifier: Apache-2.0
// One case on one target, from the first clause to the verdict.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <grpcpp/channel.h>

#include "absl/time/time.h"
#include "conformance/runner/apart.h"
#include "conformance/runner/foreign_checks.h"
#include "conformance/runner/ledger.h"
#include "conformance/runner/result.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

struct CaseRunOptions {
  std::shared_ptr<grpc::Channel> channel;
  Apart apart;
  std::string target;
  uint32_t repetition = 1;
  // What `tcproctor run` must be told so that its filter finds the case: "--cases DIR" or a file;
  // empty: nothing, it is built in.
  std::string where;
  uint64_t seed = 0;  // of the run
  bool slow = false;
  ForeignChecks foreign;
  absl::Duration watchdog = absl::Minutes(2);  // real time that a session may take at most
  std::string kernel_release;
  std::string pcap_dir;  // empty: none
  std::function<bool()> cancelled;
  const Ledger* ledger = nullptr;  // null: nothing is expected
  // Id of the mutant planted in the examined end (of two real ends: A); empty: none.
  std::string mutant;
  // Fill in CaseOutcome::mutants_passed.
  bool note_mutants = false;
};

// Never fails: what goes wrong is in the outcome.
CaseOutcome run_case(const Case& test_case, const CaseRunOptions& options);

}  // namespace tcproctor::conformance
