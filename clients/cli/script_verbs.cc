// SPDX-License-Identifier: Apache-2.0
// check, fmt
#include <google/protobuf/struct.pb.h>

#include <limits>
#include <memory>

#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/runner/library.h"
#include "conformance/runner/script_file.h"
#include "conformance/script/printer.h"

namespace tcproctor::cli {
namespace {

class Check : public Verb {
 public:
  Check()
      : Verb({.name = "check",
              .operands = "FILE...",
              .summary = "Says what is wrong with cases and packetdrill scripts; runs nothing",
              .help = "Needs no daemon. Prints file:line:column, what is wrong, and the line. Exit "
                      "status\n"
                      "0 if all are well, else 1. A file without a line \"//: ...\" is a script of "
                      "packetdrill's\ndialect.\n\n"
                      "  tcproctor check case.pkt scripts/*.pkt\n",
              .min_operands = 1,
              .max_operands = std::numeric_limits<size_t>::max()}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& files) override {
    const auto wrong = conformance::what_is_wrong(files);
    if (!wrong.ok()) return wrong.status();
    size_t well_count = 0;
    google::protobuf::ListValue json;
    for (const std::string& file : files) {
      const auto found = wrong->find(file);
      const bool well = found == wrong->end();
      auto& fields = *json.add_values()->mutable_struct_value()->mutable_fields();
      fields["file"].set_string_value(file);
      fields["well"].set_bool_value(well);
      well_count += well ? 1 : 0;
      if (well) continue;
      fields["error"].set_string_value(found->second);
      context.err() << found->second << "\n";
    }
    if (absl::Status written = context.emit(json); !written.ok()) return written;
    context.text() << well_count << " of " << files.size() << " are well\n";
    return wrong->empty() ? kExitOk : kExitOutcome;
  }
};

class Fmt : public Verb {
 public:
  Fmt()
      : Verb({.name = "fmt",
              .operands = "FILE...",
              .summary = "Prints cases and packetdrill scripts in their canonical form",
              .help = "Needs no daemon. One statement a line; comments are left out, and "
                      "each combination of\nparameters is a case. What is printed means the same, "
                      "and is printed the same again.\n\n"
                      "  tcproctor fmt case.pkt\n",
              .min_operands = 1,
              .max_operands = std::numeric_limits<size_t>::max(),
              .has_json = false}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& files) override {
    for (const std::string& file : files) {
      const absl::StatusOr<std::vector<conformance::Case>> cases = conformance::read_script(file);
      if (!cases.ok()) return cases.status();
      for (const conformance::Case& one : *cases) context.text() << conformance::print(one);
    }
    return kExitOk;
  }
};

}  // namespace

void add_script_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Check>());
  verbs.push_back(std::make_unique<Fmt>());
}

}  // namespace tcproctor::cli
