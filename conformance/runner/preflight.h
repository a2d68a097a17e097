// SPDX-License-Identifier: Apache-2.0
// Is a target's environment fit for an examination? Asked before the first case; see VERDICTS.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <grpcpp/channel.h>

#include "conformance/runner/apart.h"
#include "conformance/script/ast.h"

namespace tcproctor::conformance {

struct Preflight {
  // What was found, for the report: "clock source" -> "tsc".
  std::map<std::string, std::string> facts;
  std::string fault;  // why nothing can be judged there; empty: it is fit
};

// Makes a session as a case with that head has it, lets a burst of segments cross its wire, and
// asks the daemon what the session found on the machine. A virtual clock has less to find.
Preflight run_preflight(const std::shared_ptr<grpc::Channel>& channel, const Head& head,
                        const std::string& target, uint64_t seed, const Apart& apart = {});

}  // namespace tcproctor::conformance
