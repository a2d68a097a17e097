// SPDX-License-Identifier: Apache-2.0
#include "conformance/mutants/report.h"

#include <map>
#include <set>

#include "absl/strings/str_format.h"
#include "conformance/report/json_writer.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

std::string filled_up(std::string_view text, size_t width) {
  std::string out(text);
  if (out.size() < width) out.resize(width, ' ');
  return out;
}

// A case, and what it means there: a crash or a hang instead of a verdict.
std::string killer(const Kill& kill) {
  const std::string name = kill.case_id.empty() ? "-" : kill.case_id;
  return kill.by == Fate::kKilled ? name : cat(name, " (", fate_name(kill.by), ")");
}

std::string matrix(const HuntReport& report) {
  size_t width = 0;
  for (const MutantOutcome& outcome : report.mutants) {
    width = std::max(width, outcome.mutant.id.size());
  }
  std::string out = report.all ? "\nmutant × every case that kills it\n"
                               : "\nmutant × the first case that kills it\n";
  for (const MutantOutcome& outcome : report.mutants) {
    append(out, filled_up(outcome.mutant.id, width), "  ");
    if (outcome.kills.empty()) append(out, fate_name(outcome.fate));
    append(out, join(outcome.kills, " ",
                     [](std::string& text, const Kill& kill) { text += killer(kill); }));
    append(out, "\n");
  }
  return out;
}

std::string survivors(const HuntReport& report) {
  std::map<std::string, std::vector<const MutantOutcome*>> by_file;
  for (const MutantOutcome& outcome : report.mutants) {
    if (!is_dead(outcome.fate) && outcome.mutant.equivalent.empty()) {
      by_file[outcome.mutant.file].push_back(&outcome);
    }
  }
  if (by_file.empty()) return "";
  std::string out = "\nsurvivors\n";
  for (const auto& [file, outcomes] : by_file) {
    append(out, file, "\n");
    for (const MutantOutcome* outcome : outcomes) {
      append(out, "  ", outcome->mutant.id, ": ", outcome->mutant.bug, " [",
             join(outcome->mutant.breaks, ", "), "]",
             outcome->fate == Fate::kNotReached ? " (no case comes past it)" : "", "\n");
    }
  }
  return out;
}

std::string wrongly_equivalent(const HuntReport& report) {
  std::string out;
  for (const MutantOutcome& outcome : report.mutants) {
    if (outcome.mutant.equivalent.empty() || !is_dead(outcome.fate)) continue;
    append(out, outcome.mutant.id, " is called equivalent, but ", killer(outcome.kills[0]),
           " sees it\n");
  }
  return out;
}

std::string cases_without_use(const HuntReport& report) {
  std::string out;
  for (const CaseFacts& facts : report.cases) {
    if (!facts.sound) append(out, "left out: ", facts.id, ": ", facts.reason, "\n");
  }
  if (!report.all) return out;
  std::set<std::string> killers;
  for (const MutantOutcome& outcome : report.mutants) {
    for (const Kill& kill : outcome.kills) killers.insert(kill.case_id);
  }
  for (const CaseFacts& facts : report.cases) {
    if (facts.sound && killers.count(facts.id) == 0) append(out, "kills none: ", facts.id, "\n");
  }
  return out;
}

void write_kill(JsonWriter& json, const Kill& kill) {
  json.element();
  json.open('{');
  json.text("case", kill.case_id);
  json.text("clause", kill.clause);
  json.text("by", fate_name(kill.by));
  json.text("reason", kill.reason);
  json.close('}');
}

void write_mutant(JsonWriter& json, const MutantOutcome& outcome) {
  json.element();
  json.open('{');
  json.text("id", outcome.mutant.id);
  json.text("file", outcome.mutant.file);
  json.text("bug", outcome.mutant.bug);
  json.texts("breaks", outcome.mutant.breaks);
  json.text("equivalent", outcome.mutant.equivalent);
  json.text("fate", fate_name(outcome.fate));
  json.number("cases_reaching", outcome.reaching);
  json.number("cases_run", outcome.ran);
  json.key("kills");
  json.open('[');
  for (const Kill& kill : outcome.kills) write_kill(json, kill);
  json.close(']');
  json.seconds("seconds", outcome.seconds);
  json.close('}');
}

void write_facts(JsonWriter& json, const CaseFacts& facts) {
  json.element();
  json.open('{');
  json.text("id", facts.id);
  json.boolean("sound", facts.sound);
  json.text("reason", facts.reason);
  json.number("mutants_reached", facts.reaches);
  json.seconds("seconds", facts.seconds);
  json.close('}');
}

void write_totals(JsonWriter& json, const Sharpness& totals) {
  json.key("totals");
  json.open('{');
  json.number("mutants", totals.mutants);
  json.number("equivalent", totals.equivalent);
  json.number("wrongly_equivalent", totals.wrongly_equivalent);
  json.number("killed", totals.killed);
  json.number("crashed", totals.crashed);
  json.number("timed_out", totals.timed_out);
  json.number("survived", totals.survived);
  json.number("not_reached", totals.not_reached);
  json.seconds("percent", totals.percent());
  json.close('}');
}

}  // namespace

double Sharpness::percent() const {
  const size_t judged = mutants - equivalent;
  if (judged == 0) return 100;
  return 100.0 * static_cast<double>(dead()) / static_cast<double>(judged);
}

Sharpness sharpness(const HuntReport& report) {
  Sharpness totals;
  totals.mutants = report.mutants.size();
  for (const MutantOutcome& outcome : report.mutants) {
    if (!outcome.mutant.equivalent.empty() && !is_dead(outcome.fate)) {
      ++totals.equivalent;
      continue;
    }
    if (!outcome.mutant.equivalent.empty()) ++totals.wrongly_equivalent;
    switch (outcome.fate) {
      case Fate::kKilled:
        ++totals.killed;
        break;
      case Fate::kCrashed:
        ++totals.crashed;
        break;
      case Fate::kTimedOut:
        ++totals.timed_out;
        break;
      case Fate::kSurvived:
        ++totals.survived;
        break;
      case Fate::kNotReached:
        ++totals.not_reached;
        break;
    }
  }
  return totals;
}

std::string mutant_line(const MutantOutcome& outcome) {
  std::string out = cat(filled_up(fate_name(outcome.fate), 12), " ", outcome.mutant.id);
  if (!outcome.kills.empty()) {
    const Kill& kill = outcome.kills.front();
    append(out, "  by ", killer(kill), " \"", kill.clause, "\"");
  }
  if (!outcome.mutant.equivalent.empty()) append(out, "  (equivalent)");
  return cat(out, absl::StrFormat("; %d of %d cases that come past it, %.1f s\n", outcome.ran,
                                  outcome.reaching, outcome.seconds));
}

std::string hunt_summary(const HuntReport& report) {
  const Sharpness totals = sharpness(report);
  std::string out = cat(matrix(report), survivors(report));
  const std::string remarks = cat(wrongly_equivalent(report), cases_without_use(report));
  if (!remarks.empty()) append(out, "\n", remarks);
  append(
      out,
      absl::StrFormat(
          "\n%d mutants, %d of them equivalent; %.1f %% of the others are noticed: %d killed, %d "
          "crashed, %d timed out; %d survive, %d are not reached; seed %d, %.0f s\n",
          totals.mutants, totals.equivalent, totals.percent(), totals.killed, totals.crashed,
          totals.timed_out, totals.survived, totals.not_reached, report.seed, report.seconds));
  return out;
}

std::string hunt_json(const HuntReport& report) {
  JsonWriter json;
  json.open('{');
  json.number("seed", report.seed);
  json.seconds("seconds", report.seconds);
  json.boolean("all", report.all);
  json.boolean("interrupted", report.interrupted);
  write_totals(json, sharpness(report));
  json.key("mutants");
  json.open('[');
  for (const MutantOutcome& outcome : report.mutants) write_mutant(json, outcome);
  json.close(']');
  json.key("cases");
  json.open('[');
  for (const CaseFacts& facts : report.cases) write_facts(json, facts);
  json.close(']');
  json.close('}');
  return json.finish();
}

}  // namespace tcproctor::conformance
