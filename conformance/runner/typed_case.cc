// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/typed_case.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "conformance/report/ladder.h"
#include "conformance/runner/script_file.h"
#include "conformance/runner/stage.h"
#include "conformance/script/check.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr char kFile[] = "typed";
// A person may think for a while.
constexpr absl::Duration kShellWatchdog = absl::Hours(24 * 7);

std::string head_of(Examines examines) {
  const char* const end = examines == Examines::kBoth ? "both"
                          : examines == Examines::kA  ? "A"
                                                      : "B";
  return cat("//: id: ", kFile,
             "\n//: title: typed line by line\n//: covers: nothing\n//: examines: ", end, "\n");
}

// Without the place, which is the line that was typed.
absl::Status without_place(const absl::Status& status) {
  std::string message;
  for (absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    if (absl::ConsumePrefix(&line, cat(kFile, ":"))) {
      const size_t end = line.find(": ");
      if (end != absl::string_view::npos) line.remove_prefix(end + 2);
    }
    append(message, message.empty() ? "" : "\n", std::string(line));
  }
  return absl::Status(status.code(), message);
}

}  // namespace

TypedCase::TypedCase(std::string head, Procedures procedures)
    : script_(std::move(head)), procedures_(std::move(procedures)) {}

absl::StatusOr<std::unique_ptr<TypedCase>> TypedCase::begin(const TypedCaseOptions& options) {
  absl::StatusOr<Procedures> procedures = built_in_procedures();
  if (!procedures.ok()) return procedures.status();
  std::unique_ptr<TypedCase> typed(
      new TypedCase(head_of(options.examines), *std::move(procedures)));
  const absl::StatusOr<Case> empty = parse(typed->script_ + "note \"\"\n", kFile);
  if (!empty.ok()) return empty.status();
  typed->head_ = empty->head;
  StageOptions stage;
  stage.channel = options.channel;
  stage.target = options.target;
  stage.seed = options.seed;
  stage.watchdog = kShellWatchdog;
  absl::StatusOr<std::unique_ptr<Stage>> begun = Stage::begin(typed->head_, stage);
  if (!begun.ok()) return begun.status();
  typed->stage_ = *std::move(begun);
  return typed;
}

absl::StatusOr<std::vector<Statement>> TypedCase::statements_of(const std::string& script) const {
  absl::StatusOr<std::vector<Case>> cases = parse_all(script, kFile, procedures_);
  if (!cases.ok()) return without_place(cases.status());
  const std::vector<Clause>& clauses = cases->front().clauses;
  if (cases->size() != 1 || clauses.size() > 1 || (!clauses.empty() && clauses[0].name != "setup"))
    return absl::InvalidArgumentError("there is one session here: no clauses, no parameters");
  if (const absl::Status status = check(cases->front()); !status.ok()) return without_place(status);
  if (cases->front().clauses.empty()) return std::vector<Statement>();
  return std::move(cases->front().clauses.front().statements);
}

absl::StatusOr<Result> TypedCase::carry_out(const std::string& line) {
  std::string grown = cat(script_, line, "\n");
  const absl::StatusOr<std::vector<Statement>> statements = statements_of(grown);
  if (!statements.ok()) return statements.status();
  for (size_t i = carried_out_; i < statements->size(); ++i) {
    Result result = stage_->run((*statements)[i]);
    if (result.has_value()) return result;
  }
  script_ = std::move(grown);
  carried_out_ = statements->size();
  return Result();
}

Result TypedCase::observe() {
  // Every statement ends with a look; this one does nothing else, and is not shown.
  Statement nothing;
  nothing.body = NoteStatement();
  return stage_->run(nothing);
}

std::vector<std::string> TypedCase::new_lines() {
  std::vector<LadderItem> items = stage_->ladder();
  items.erase(std::remove_if(items.begin(), items.end(),
                             [](const LadderItem& item) {
                               return item.kind == LadderItem::Kind::kNote && item.text.empty();
                             }),
              items.end());
  std::vector<std::string> lines = absl::StrSplit(
      absl::StripSuffix(render_ladder(ladder_rows(items), stage_->end_description(v1::END_A),
                                      stage_->end_description(v1::END_B)),
                        "\n"),
      '\n');
  const auto [changed, old] =
      std::mismatch(lines.begin(), lines.end(), shown_.begin(), shown_.end());
  std::vector<std::string> news(changed, lines.end());
  shown_ = std::move(lines);
  return news;
}

}  // namespace tcproctor::conformance
