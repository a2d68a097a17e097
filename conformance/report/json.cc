// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/escaping.h"
#include "conformance/report/fsm.h"
#include "conformance/report/json_writer.h"
#include "conformance/report/report.h"
#include "conformance/script/names.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

void write_failure(JsonWriter& json, const Failure& failure) {
  json.key("failure");
  json.open('{');
  json.text("requirement", failure.requirement);
  json.text("statement", failure.statement);
  json.text("location", failure.location);
  json.texts("expected", failure.expected);
  json.text("came", failure.came);
  json.texts("differences", failure.differences);
  json.number("session", failure.part);
  json.number("packet", failure.packet);
  json.close('}');
}

void write_clause(JsonWriter& json, const ClauseOutcome& clause) {
  json.element();
  json.open('{');
  json.text("name", clause.name);
  json.text("verdict", verdict_name(clause.verdict));
  json.text("reason", clause.reason);
  json.text("reference", clause.reference);
  json.boolean("skip_is_named", clause.skip_is_named);
  json.boolean("known", clause.known);
  if (!clause.failure.requirement.empty()) write_failure(json, clause.failure);
  json.close('}');
}

void write_attempt(JsonWriter& json, const Attempt& attempt) {
  json.element();
  json.open('{');
  json.text("clause", attempt.clause);
  json.text("verdict", verdict_name(attempt.verdict));
  json.text("reason", attempt.reason);
  json.text("location", attempt.location);
  json.seconds("late", attempt.late);
  json.close('}');
}

// Only what there is to tell: most keys of a row are absent.
void write_row(JsonWriter& json, const LadderRow& row) {
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) json.text(name, value);
  };
  json.element();
  json.open_line('{');
  json.text("kind", row_kind_name(row.kind));
  text("text", row.text);
  text("flow", row.flow);
  if (row.end != v1::END_UNSPECIFIED) json.text("end", end_name(row.end));
  text("state_a", row.states[0]);
  text("state_b", row.states[1]);
  json.seconds("time", absl::ToDoubleSeconds(row.time));
  if (row.line != 0) json.number("line", static_cast<uint64_t>(row.line));
  if (row.number != 0) {
    const SegmentText& segment = row.segment;
    json.number("number", row.number);
    if (row.way != LadderRow::Way::kArrives) json.text("way", way_name(row.way));
    if (row.forged) json.boolean("forged", true);
    if (row.duplicate) json.boolean("duplicate", true);
    text("flags", segment.flags);
    text("seq", segment.sequence);
    text("ack", segment.acknowledgment);
    if (segment.length != 0) json.number("length", segment.length);
    if (segment.tcp) json.number("window", segment.window);
    text("options", segment.options);
    text("other", segment.other);
    text("flaw", segment.flaw);
  }
  json.close('}');
}

void write_step(JsonWriter& json, const StateEdge& edge) {
  json.element();
  json.open_line('{');
  json.text("tcp", edge.tcp);
  json.text("from", state_name(edge.from));
  json.text("to", state_name(edge.to));
  if (edge.through) json.boolean("through", true);
  json.close('}');
}

void write_session(JsonWriter& json, const CasePart& part) {
  json.element();
  json.open('{');
  json.text("a", part.a);
  json.text("b", part.b);
  json.list("edges", part.edges, write_step);
  json.list("rows", part.rows, write_row);
  json.text("file", part.pcap_file);
  json.number("captured", part.captured);
  json.number("left_out", part.left_out);
  json.close('}');
}

void write_result(JsonWriter& json, const CaseOutcome& result) {
  json.element();
  json.open('{');
  json.text("case", result.id);
  json.text("title", result.title);
  json.text("level", result.level);
  json.texts("covers", result.covers);
  json.text("target", result.target);
  json.number("repetition", result.repetition);
  json.text("verdict", verdict_name(result.verdict));
  json.text("reason", result.reason);
  json.list("clauses", result.clauses, write_clause);
  json.list("attempts", result.attempts, write_attempt);
  json.list("sessions", result.parts, write_session);
  std::string capture;
  absl::Base64Escape(result.capture, &capture);
  json.text("capture", capture);
  json.seconds("seconds", result.seconds);
  json.number("seed", result.seed);
  json.text("reproduce", result.reproduce);
  // Of what passed nobody reads it, and the rows have it.
  if (result.verdict != v1::VERDICT_PASS) json.text("ladder", ladder_text(result));
  json.close('}');
}

void write_source(JsonWriter& json, const std::pair<const std::string, CaseSource>& of_case) {
  const auto& [id, source] = of_case;
  json.element();
  json.open('{');
  json.text("id", id);
  json.text("file", source.file);
  json.text("rule", source.rule);
  json.text("text", source.text);
  json.close('}');
}

void write_edge(JsonWriter& json, const EdgeCoverage& edge) {
  json.element();
  json.open('{');
  json.text("from", state_name(edge.from));
  json.text("to", state_name(edge.to));
  json.text("cause", edge.cause);
  json.key("results");
  json.open('{');
  for (const auto& [tcp, count] : edge.cases) json.number(tcp, count);
  json.close('}');
  json.texts("through", {edge.through.begin(), edge.through.end()});
  json.key("not_supported");
  json.open('{');
  for (const auto& [tcp, reason] : edge.not_supported) json.text(tcp, reason);
  json.close('}');
  json.close('}');
}

}  // namespace

void write_run(JsonWriter& json, const RunReport& report) {
  json.text("schema", kRunSchema);
  json.key("environment");
  json.open('{');
  json.text("version", report.version);
  json.text("kernel_release", report.kernel_release);
  json.number("seed", report.seed);
  json.key("targets");
  json.open('{');
  for (const auto& [target, facts] : report.environment) {
    json.key(target);
    json.open('{');
    for (const auto& [name, value] : facts) json.text(name, value);
    json.close('}');
  }
  json.close('}');
  json.close('}');
  json.key("summary");
  json.open('{');
  for (const auto& [name, count] : report.verdicts) json.number(name, count);
  json.number("exit_status", static_cast<uint64_t>(report.exit_status));
  json.seconds("seconds", report.seconds);
  json.boolean("interrupted", report.interrupted);
  json.number("known", report.known);
  json.number("shards", report.shards);
  std::vector<std::string> parts;
  for (const uint32_t part : report.parts) parts.push_back(cat(part));
  json.texts("parts", parts);
  json.texts("complaints", report.complaints);
  json.close('}');
  json.list("fsm", fsm_coverage(report), write_edge);
  json.list("cases", report.cases, write_source);
  json.list("results", report.results, write_result);
}

std::string json_report(const RunReport& report) {
  JsonWriter json;
  json.open('{');
  write_run(json, report);
  json.close('}');
  return json.finish();
}

}  // namespace tcproctor::conformance
