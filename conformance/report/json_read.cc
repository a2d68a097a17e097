// SPDX-License-Identifier: Apache-2.0
// The JSON of a run back into a RunReport, so that runs can be merged, compared and shown again.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "conformance/report/report.h"
#include "conformance/runner/verdict.h"
#include "conformance/script/names.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using JsonStruct = google::protobuf::Struct;
using JsonValue = google::protobuf::Value;

// "TIME-WAIT" with prefix "TCP_STATE_" -> "TCP_STATE_TIME_WAIT".
std::string enum_name(std::string_view prefix, std::string_view name) {
  std::string out = cat(prefix, name);
  for (char& c : out) {
    if (c == '-') c = '_';
  }
  return out;
}

// Reads members of one object. The first member that is absent or of another kind is remembered,
// with its path; what is read of it is empty.
class Reader {
 public:
  Reader(const JsonStruct& object, std::string path, std::string& error)
      : object_(&object), path_(std::move(path)), error_(&error) {}

  std::string text(const std::string& key, bool required = true) const {
    const JsonValue* value = find(key, JsonValue::kStringValue, "a string", required);
    return value == nullptr ? "" : value->string_value();
  }
  double number(const std::string& key, bool required = true) const {
    const JsonValue* value = find(key, JsonValue::kNumberValue, "a number", required);
    return value == nullptr ? 0 : value->number_value();
  }
  bool boolean(const std::string& key, bool required = true) const {
    const JsonValue* value = find(key, JsonValue::kBoolValue, "true or false", required);
    return value != nullptr && value->bool_value();
  }
  absl::Duration time(const std::string& key) const { return absl::Seconds(number(key)); }
  // A value of an enumeration of the contract, by its name there. 0 if there is none.
  template <typename Parse>
  auto named(const std::string& key, const Parse& parse) const {
    const std::string name = text(key);
    auto value = parse(name);
    if (!value.has_value()) fail(cat(path_, ".", key, ": \"", name, "\" is no name known here"));
    return value.value_or(typename decltype(value)::value_type());
  }
  v1::Verdict verdict() const {
    return named("verdict", [](const std::string& name) -> std::optional<v1::Verdict> {
      v1::Verdict value = v1::VERDICT_UNSPECIFIED;
      if (!v1::Verdict_Parse(enum_name("VERDICT_", name), &value)) return std::nullopt;
      return value;
    });
  }
  std::vector<std::string> texts(const std::string& key, bool required = true) const {
    std::vector<std::string> out;
    const JsonValue* value = find(key, JsonValue::kListValue, "a list", required);
    if (value == nullptr) return out;
    for (const JsonValue& element : value->list_value().values())
      out.push_back(element.string_value());
    return out;
  }
  std::optional<Reader> object(const std::string& key, bool required = true) const {
    const JsonValue* value = find(key, JsonValue::kStructValue, "an object", required);
    if (value == nullptr) return std::nullopt;
    return Reader(value->struct_value(), cat(path_, ".", key), *error_);
  }
  std::vector<Reader> objects(const std::string& key) const {
    std::vector<Reader> out;
    const JsonValue* value = find(key, JsonValue::kListValue, "a list", true);
    if (value == nullptr) return out;
    for (const JsonValue& element : value->list_value().values()) {
      const std::string path = cat(path_, ".", key, "[", out.size(), "]");
      if (!element.has_struct_value()) fail(cat(path, ": is no object"));
      out.emplace_back(element.struct_value(), path, *error_);
    }
    return out;
  }
  std::map<std::string, std::string> facts() const {
    std::map<std::string, std::string> out;
    for (const auto& [name, value] : object_->fields()) out[name] = value.string_value();
    return out;
  }
  std::vector<std::string> keys() const {
    std::vector<std::string> out;
    for (const auto& [name, value] : object_->fields()) out.push_back(name);
    return out;
  }
  void fail(const std::string& message) const {
    if (error_->empty()) *error_ = message;
  }

 private:
  const JsonValue* find(const std::string& key, JsonValue::KindCase kind, std::string_view what,
                        bool required) const {
    const auto found = object_->fields().find(key);
    if (found == object_->fields().end()) {
      if (required) fail(cat(path_, ".", key, ": is not there"));
      return nullptr;
    }
    if (found->second.kind_case() == kind) return &found->second;
    fail(cat(path_, ".", key, ": is not ", what));
    return nullptr;
  }

  const JsonStruct* object_;
  std::string path_;
  std::string* error_;
};

ClauseOutcome read_clause(const Reader& in) {
  ClauseOutcome clause;
  clause.name = in.text("name");
  clause.verdict = in.verdict();
  clause.reason = in.text("reason");
  clause.reference = in.text("reference");
  clause.skip_is_named = in.boolean("skip_is_named");
  clause.known = in.boolean("known", /*required=*/false);  // reports of before have none
  const std::optional<Reader> failure = in.object("failure", false);
  if (!failure.has_value()) return clause;
  clause.failure.requirement = failure->text("requirement");
  clause.failure.statement = failure->text("statement");
  clause.failure.location = failure->text("location");
  clause.failure.expected = failure->texts("expected");
  clause.failure.came = failure->text("came");
  clause.failure.differences = failure->texts("differences");
  clause.failure.part = static_cast<uint32_t>(failure->number("session"));
  clause.failure.packet = static_cast<uint64_t>(failure->number("packet"));
  return clause;
}

LadderRow read_row(const Reader& in) {
  LadderRow row;
  row.kind = in.named("kind", parse_row_kind);
  row.text = in.text("text", false);
  row.flow = in.text("flow", false);
  row.end = parse_end(in.text("end", false)).value_or(v1::END_UNSPECIFIED);
  row.states = {in.text("state_a", false), in.text("state_b", false)};
  row.time = in.time("time");
  row.line = static_cast<int>(in.number("line", false));
  row.number = static_cast<uint64_t>(in.number("number", false));
  if (row.number == 0) return row;
  if (!in.text("way", false).empty()) row.way = in.named("way", parse_way);
  row.forged = in.boolean("forged", false);
  row.duplicate = in.boolean("duplicate", false);
  SegmentText& segment = row.segment;
  segment.flags = in.text("flags", false);
  segment.sequence = in.text("seq", false);
  segment.tcp = !segment.sequence.empty();
  segment.acknowledgment = in.text("ack", false);
  segment.length = static_cast<uint32_t>(in.number("length", false));
  segment.window = static_cast<uint32_t>(in.number("window", false));
  segment.options = in.text("options", false);
  segment.other = in.text("other", false);
  segment.flaw = in.text("flaw", false);
  return row;
}

CasePart read_session(const Reader& in) {
  CasePart part;
  part.a = in.text("a");
  part.b = in.text("b");
  for (const Reader& edge : in.objects("edges")) {
    part.edges.push_back({edge.text("tcp"), edge.named("from", parse_state),
                          edge.named("to", parse_state), edge.boolean("through", false)});
  }
  for (const Reader& row : in.objects("rows")) part.rows.push_back(read_row(row));
  part.pcap_file = in.text("file");
  part.captured = static_cast<uint32_t>(in.number("captured"));
  part.left_out = static_cast<uint32_t>(in.number("left_out"));
  return part;
}

CaseOutcome read_result(const Reader& in) {
  CaseOutcome result;
  result.id = in.text("case");
  result.title = in.text("title");
  result.level = in.text("level");
  result.covers = in.texts("covers");
  result.target = in.text("target");
  result.repetition = static_cast<uint32_t>(in.number("repetition"));
  result.verdict = in.verdict();
  result.reason = in.text("reason");
  for (const Reader& clause : in.objects("clauses")) result.clauses.push_back(read_clause(clause));
  for (const Reader& attempt : in.objects("attempts")) {
    result.attempts.push_back({attempt.text("clause"), attempt.verdict(), attempt.text("reason"),
                               attempt.text("location"), attempt.number("late")});
  }
  for (const Reader& session : in.objects("sessions")) {
    result.parts.push_back(read_session(session));
  }
  if (!absl::Base64Unescape(in.text("capture"), &result.capture)) {
    in.fail(cat(result.id, ": its capture is no base64"));
  }
  result.seconds = in.number("seconds");
  result.seed = static_cast<uint64_t>(in.number("seed"));
  result.reproduce = in.text("reproduce");
  return result;
}

void read_environment(const Reader& in, RunReport& report) {
  report.version = in.text("version");
  report.kernel_release = in.text("kernel_release");
  report.seed = static_cast<uint64_t>(in.number("seed"));
  const std::optional<Reader> targets = in.object("targets");
  if (!targets.has_value()) return;
  for (const std::string& target : targets->keys()) {
    const std::optional<Reader> facts = targets->object(target);
    if (facts.has_value()) report.environment[target] = facts->facts();
  }
}

void read_summary(const Reader& in, RunReport& report) {
  report.exit_status = static_cast<int>(in.number("exit_status"));
  report.seconds = in.number("seconds");
  report.interrupted = in.boolean("interrupted");
  report.known = static_cast<uint32_t>(in.number("known"));
  report.shards = static_cast<uint32_t>(in.number("shards", /*required=*/false));
  for (const std::string& part : in.texts("parts", /*required=*/false)) {
    uint32_t number = 0;
    if (absl::SimpleAtoi(part, &number)) report.parts.insert(number);
  }
  report.complaints = in.texts("complaints");
  count_verdicts(report);
}

}  // namespace

absl::StatusOr<RunReport> read_json_report(const std::string& json, const std::string& name) {
  JsonStruct root;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &root);
  if (!status.ok()) {
    return absl::InvalidArgumentError(cat(name, ": is no JSON object: ", status.ToString()));
  }
  std::string error;
  const Reader in(root, "", error);
  const std::string schema = in.text("schema");
  if (schema != kRunSchema) {
    return absl::InvalidArgumentError(
        cat(name, ": is no report of a run: its schema is \"", schema, "\", not ", kRunSchema));
  }
  RunReport report;
  for (const Reader& result : in.objects("results")) report.results.push_back(read_result(result));
  for (const Reader& test_case : in.objects("cases")) {
    report.cases[test_case.text("id")] = {test_case.text("file"), test_case.text("rule"),
                                          test_case.text("text")};
  }
  if (const auto environment = in.object("environment")) read_environment(*environment, report);
  if (const auto summary = in.object("summary")) read_summary(*summary, report);
  if (!error.empty()) return absl::InvalidArgumentError(cat(name, ": ", error));
  return report;
}

absl::StatusOr<RunReport> read_report_file(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return absl::InvalidArgumentError(cat(file, ": cannot be read"));
  return read_json_report(text.str(), file);
}

}  // namespace tcproctor::conformance
