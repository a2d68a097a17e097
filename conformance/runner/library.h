// SPDX-License-Identifier: Apache-2.0
// The cases, read, checked and sorted by id.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/catalog/catalog.h"
#include "conformance/runner/ledger.h"
#include "conformance/runner/on_wrong_case.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/suite.pb.h"

namespace tcproctor::conformance {

// Id of the case that is run first and last on every target; it is not selected by filters.
inline constexpr std::string_view kSanityId = "sanity";

struct Library {
  Catalog catalog;
  std::vector<Case> cases;
  Case sanity;
  Ledger ledger;
  // The ledger was written for these cases: one of its entries that names none of them is stale.
  bool own_ledger = true;
  // By id, why a case cannot be run (OnWrongCase::kKeep). It is among the cases, with nothing in it
  // but its file's name for an id.
  std::map<std::string, std::string> wrong;
  // Where the cases are, as `tcproctor run` is told: a folder, or files; neither: built in.
  std::string cases_dir;
  bool of_files = false;
};

// As Suite::load(). An empty folder = the files built into the binary, of which none is wrong.
absl::StatusOr<Library> load_library(const std::string& cases_dir,
                                     OnWrongCase on_wrong = OnWrongCase::kRefuse);
// Of these files only.
absl::StatusOr<Library> load_library_of(const std::vector<std::string>& files,
                                        OnWrongCase on_wrong = OnWrongCase::kRefuse);

// What is wrong with these files, by file, as a run of them would say it; those that it would take
// are not there.
absl::StatusOr<std::map<std::string, std::string>> what_is_wrong(
    const std::vector<std::string>& files);

// The cases selected by globs ("S00*,-S001-keepalive"). INVALID_ARGUMENT: a glob, or the whole
// filter, that selects nothing.
absl::StatusOr<std::vector<const Case*>> select_cases(const Library& library,
                                                      std::string_view filter);

// What the case and its clauses cover, sorted.
std::vector<std::string> covered_ids(const Case& test_case);

// Whether the case, and any clause of it, is meant for the target.
bool runs_on(const Case& test_case, std::string_view target);

v1::CaseInfo case_info(const Case& test_case);

}  // namespace tcproctor::conformance
