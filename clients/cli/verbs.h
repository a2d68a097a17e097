// SPDX-License-Identifier: Apache-2.0
// The groups of verbs, one file each; command.cc puts them together.
#pragma once

#include "clients/cli/verb.h"

namespace tcproctor::cli {

void add_run_verbs(VerbList& verbs);         // run
void add_list_verbs(VerbList& verbs);        // list, explain
void add_compare_verbs(VerbList& verbs);     // merge, diff
void add_script_verbs(VerbList& verbs);      // check, fmt
void add_mutant_verbs(VerbList& verbs);      // mutants
void add_session_verbs(VerbList& verbs);     // session create|list|get|renew|reset|delete
void add_exec_verbs(VerbList& verbs);        // session exec
void add_open_verbs(VerbList& verbs);        // open, accept
void add_transfer_verbs(VerbList& verbs);    // send, receive
void add_close_verbs(VerbList& verbs);       // close, release, abort
void add_status_verbs(VerbList& verbs);      // status, options
void add_watch_verbs(VerbList& verbs);       // watch
void add_inject_verbs(VerbList& verbs);      // inject
void add_capture_verbs(VerbList& verbs);     // capture
void add_serve_verbs(VerbList& verbs);       // serve
void add_forward_verbs(VerbList& verbs);     // forward
void add_shell_verbs(VerbList& verbs);       // shell
void add_call_verbs(VerbList& verbs);        // call
void add_health_verbs(VerbList& verbs);      // health
void add_version_verbs(VerbList& verbs);     // version
void add_completion_verbs(VerbList& verbs);  // completion

}  // namespace tcproctor::cli
