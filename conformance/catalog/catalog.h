// SPDX-License-Identifier: Apache-2.0
// The ids that cases may cover, and the capabilities they may require.
//
// requirements.csv  589 requirements of RFC 9293 and related RFCs; ids are frozen
// event_matrix.csv  518 rows state × event × condition of RFC 9293 §3.10; ids are frozen
// seed_rows.csv     the rows of the seed documents: id, title
// unexamined.csv    ids that no case examines, and for which of unexamined_reasons.csv
// capabilities.csv  names of what an end can do, as EndInfo.capabilities tells them
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tcproctor::conformance {

// Why nothing examines an id.
struct Unexamined {
  std::string reason;  // of unexamined_reasons
  std::string why;
};

struct Catalog {
  std::map<std::string, std::string> requirements;        // id -> summary in our words
  std::map<std::string, std::string> levels;              // id of a requirement -> "MUST NOT"
  std::map<std::string, std::string> matrix_rows;         // id -> "STATE EVENT: action"
  std::map<std::string, std::string> seed_rows;           // id -> title
  std::map<std::string, std::string> capabilities;        // name -> meaning
  std::map<std::string, std::string> unexamined_reasons;  // name -> meaning
  std::map<std::string, Unexamined> unexamined;           // by id

  bool knows(const std::string& id) const {
    return requirements.count(id) != 0 || matrix_rows.count(id) != 0 || seed_rows.count(id) != 0;
  }
};

// From the files built into the binary.
absl::StatusOr<Catalog> load_catalog();

}  // namespace tcproctor::conformance
