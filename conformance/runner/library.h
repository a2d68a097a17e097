// SPDX-License-Identifier: Apache-2.0
// The cases, read, checked and sorted by id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/catalog/catalog.h"
#include "conformance/runner/ledger.h"
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
  bool built_in = true;  // stale entries of the ledger are looked for only then
};

// As Suite::load(). An empty folder = the files built into the binary.
absl::StatusOr<Library> load_library(const std::string& cases_dir);
// Of these files only.
absl::StatusOr<Library> load_library_of(const std::vector<std::string>& files);

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
