// SPDX-License-Identifier: Apache-2.0
// Completion of the command line, written for a shell from the verbs and their flags.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "clients/cli/flag_set.h"
#include "clients/cli/verb.h"

namespace tcproctor::cli {

using VerbFlags = std::vector<std::pair<const VerbInfo*, FlagSet>>;

// To be sourced; needs nothing but the shell.
std::string bash_completion(const VerbFlags& verbs);
std::string zsh_completion(const VerbFlags& verbs);

}  // namespace tcproctor::cli
