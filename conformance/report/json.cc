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
  json.boolean("skip_is_named", clause.skip_is_named);
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

// Of a packet: its headers, and as much of the payload as one looks at. Cases that fill windows
// would make a report of 100 MB else; --pcap has all.
constexpr size_t kRawOctets = 128;

void write_segment(JsonWriter& json, const v1::LogEntry& entry, size_t session) {
  json.element();
  json.open('{');
  json.number("session", session);
  json.number("number", entry.number());
  json.seconds("time", absl::ToDoubleSeconds(from_proto(entry.time())));
  json.text("from", end_name(entry.from()));
  json.text("origin", hyphenated(v1::Origin_Name(entry.origin()), "ORIGIN_"));
  json.text("fate", hyphenated(v1::Fate_Name(entry.fate()), "FATE_"));
  json.text("raw", to_hex(entry.raw().substr(0, kRawOctets)));
  json.close('}');
}

// Only what there is to tell: most keys of a row are absent.
void write_row(JsonWriter& json, const LadderRow& row) {
  const auto text = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) json.text(name, value);
  };
  json.element();
  json.open('{');
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
    json.text("way", way_name(row.way));
    if (row.forged) json.boolean("forged", true);
    text("letters", segment.letters);
    text("flags", segment.flags);
    text("seq", segment.sequence);
    text("seq_end", segment.sequence_end);
    text("ack", segment.acknowledgment);
    if (segment.tcp) json.number("length", segment.length);
    if (segment.tcp) json.number("window", segment.window);
    text("options", segment.options);
    text("other", segment.other);
    text("flaw", segment.flaw);
  }
  json.close('}');
}

void write_session(JsonWriter& json, const CasePart& part) {
  json.element();
  json.open('{');
  json.text("a", part.a);
  json.text("b", part.b);
  json.key("edges");
  json.open('[');
  for (const StateEdge& edge : part.edges) {
    json.element();
    json.open('{');
    json.text("tcp", edge.tcp);
    json.text("from", state_name(edge.from));
    json.text("to", state_name(edge.to));
    json.boolean("through", edge.through);
    json.close('}');
  }
  json.close(']');
  json.key("rows");
  json.open('[');
  for (const LadderRow& row : part.rows) write_row(json, row);
  json.close(']');
  json.text("capture", part.pcap_file);
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
  for (size_t part = 0; part < result.parts.size(); ++part) {
    for (const v1::LogEntry& entry : result.parts[part].segments) {
      write_segment(json, entry, part + 1);
    }
  }
  json.close(']');
  json.key("sessions");
  json.open('[');
  for (const CasePart& part : result.parts) write_session(json, part);
  json.close(']');
  json.seconds("seconds", result.seconds);
  json.number("seed", result.seed);
  json.text("reproduce", result.reproduce);
  json.text("ladder", ladder_text(result));
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
  json.texts("complaints", report.complaints);
  json.close('}');
  json.key("fsm");
  json.open('[');
  for (const EdgeCoverage& edge : fsm_coverage(report)) write_edge(json, edge);
  json.close(']');
  json.key("cases");
  json.open('[');
  for (const auto& [id, source] : report.cases) {
    json.element();
    json.open('{');
    json.text("id", id);
    json.text("file", source.file);
    json.text("rule", source.rule);
    json.text("text", source.text);
    json.close('}');
  }
  json.close(']');
  json.key("results");
  json.open('[');
  for (const CaseOutcome& result : report.results) write_result(json, result);
  json.close(']');
}

std::string json_report(const RunReport& report) {
  JsonWriter json;
  json.open('{');
  write_run(json, report);
  json.close('}');
  return json.finish();
}

}  // namespace tcproctor::conformance
