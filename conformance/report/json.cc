// SPDX-License-Identifier: Apache-2.0
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

void write_segment(JsonWriter& json, const v1::LogEntry& entry, size_t session) {
  json.element();
  json.open('{');
  json.number("session", session);
  json.number("number", entry.number());
  json.seconds("time", absl::ToDoubleSeconds(from_proto(entry.time())));
  json.text("from", end_name(entry.from()));
  json.text("origin", hyphenated(v1::Origin_Name(entry.origin()), "ORIGIN_"));
  json.text("fate", hyphenated(v1::Fate_Name(entry.fate()), "FATE_"));
  json.text("raw", to_hex(entry.raw()));
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
  json.text("verdict", verdict_name(result.verdict));
  json.text("reason", result.reason);
  json.key("clauses");
  json.open('[');
  for (const ClauseOutcome& clause : result.clauses) write_clause(json, clause);
  json.close(']');
  json.key("attempts");
  json.open('[');
  for (const Attempt& attempt : result.attempts) write_attempt(json, attempt);
  json.close(']');
  json.key("segments");
  json.open('[');
  std::vector<std::string> captures;
  for (size_t part = 0; part < result.parts.size(); ++part) {
    for (const v1::LogEntry& entry : result.parts[part].segments) {
      write_segment(json, entry, part + 1);
    }
    if (!result.parts[part].pcap_file.empty()) captures.push_back(result.parts[part].pcap_file);
  }
  json.close(']');
  json.texts("captures", captures);
  json.seconds("seconds", result.seconds);
  json.number("seed", result.seed);
  json.text("reproduce", result.reproduce);
  json.text("ladder", result.ladder);
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

std::string json_report(const RunReport& report) {
  JsonWriter json;
  json.open('{');
  json.text("schema", "tcproctor.run/1");
  json.key("environment");
  json.open('{');
  json.text("version", report.version);
  json.text("kernel_release", report.kernel_release);
  json.number("seed", report.seed);
  json.close('}');
  json.key("summary");
  json.open('{');
  for (const auto& [name, count] : report.verdicts) json.number(name, count);
  json.number("exit_status", static_cast<uint64_t>(report.exit_status));
  json.seconds("seconds", report.seconds);
  json.boolean("interrupted", report.interrupted);
  json.texts("complaints", report.complaints);
  json.close('}');
  json.key("fsm");
  json.open('[');
  for (const EdgeCoverage& edge : fsm_coverage(report)) write_edge(json, edge);
  json.close(']');
  json.key("results");
  json.open('[');
  for (const CaseOutcome& result : report.results) write_result(json, result);
  json.close(']');
  json.close('}');
  return json.finish();
}

}  // namespace tcproctor::conformance
