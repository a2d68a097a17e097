// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <pugixml.hpp>

#include "absl/strings/str_format.h"
#include "conformance/report/report.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// XML 1.0 has no way to write most control characters.
std::string clean(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') c = '?';
  }
  return text;
}

void set(pugi::xml_node node, const char* name, const std::string& value) {
  node.append_attribute(name).set_value(clean(value).c_str());
}

std::string seconds(double value) {
  return absl::StrFormat("%.3f", value);
}

// The kind of element that tells a result; null for PASS. What the baseline had too is no failure
// to who reads this alone; what was not run for a cause that others share is told with the cause,
// once.
const char* element(const CaseOutcome& result) {
  if (is_known(result) || result.told_by_complaint) return "skipped";
  switch (result.verdict) {
    case v1::VERDICT_PASS:
      return nullptr;
    case v1::VERDICT_FAIL:
    case v1::VERDICT_XPASS:
      return "failure";
    case v1::VERDICT_SKIP:
    case v1::VERDICT_XFAIL:
      return "skipped";
    default:
      return "error";
  }
}

struct Counts {
  int tests = 0, failures = 0, errors = 0, skipped = 0;
  double time = 0;

  void add(const CaseOutcome& result) {
    const char* kind = element(result);
    ++tests;
    time += result.seconds;
    if (kind == nullptr) return;
    const std::string_view name = kind;
    failures += name == "failure";
    errors += name == "error";
    skipped += name == "skipped";
  }
  void write(pugi::xml_node node) const {
    set(node, "tests", cat(tests));
    set(node, "failures", cat(failures));
    set(node, "errors", cat(errors));
    set(node, "skipped", cat(skipped));
    set(node, "time", seconds(time));
  }
};

void write_case(pugi::xml_node suite, const CaseOutcome& result) {
  pugi::xml_node node = suite.append_child("testcase");
  set(node, "name", result.id);
  set(node, "classname", cat("tcproctor.", result.target));
  set(node, "time", seconds(result.seconds));
  const char* kind = element(result);
  if (kind != nullptr) {
    pugi::xml_node told = node.append_child(kind);
    set(told, "message", cat(verdict_name(result.verdict), ": ", result.reason));
    if (std::string_view(kind) != "skipped") {
      set(told, "type", verdict_name(result.verdict));
      told.text().set(clean(console_failure(result, {})).c_str());
    }
  }
  // Viewers show it beside what did not pass; the JSON and HTML reports have every ladder.
  if (kind != nullptr) {
    node.append_child("system-out").text().set(clean(ladder_text(result)).c_str());
  }
}

// What makes the run red although no result says so.
void write_complaints(pugi::xml_node suites, const std::vector<std::string>& complaints) {
  if (complaints.empty()) return;
  pugi::xml_node suite = suites.append_child("testsuite");
  set(suite, "name", "run");
  Counts counts;
  counts.tests = counts.errors = static_cast<int>(complaints.size());
  counts.write(suite);
  for (const std::string& complaint : complaints) {
    pugi::xml_node node = suite.append_child("testcase");
    set(node, "name", complaint.substr(0, complaint.find('\n')));
    set(node, "classname", "tcproctor.run");
    set(node, "time", seconds(0));
    pugi::xml_node told = node.append_child("error");
    set(told, "message", complaint);
    set(told, "type", "run");
  }
}

}  // namespace

std::string junit_report(const RunReport& report) {
  pugi::xml_document document;
  pugi::xml_node declaration = document.append_child(pugi::node_declaration);
  declaration.append_attribute("version") = "1.0";
  declaration.append_attribute("encoding") = "UTF-8";
  pugi::xml_node suites = document.append_child("testsuites");
  Counts all;
  std::map<std::string, Counts> of_target;
  for (const CaseOutcome& result : report.results) {
    all.add(result);
    of_target[result.target].add(result);
  }
  all.tests += static_cast<int>(report.complaints.size());
  all.errors += static_cast<int>(report.complaints.size());
  set(suites, "name", "tcproctor");
  all.write(suites);
  std::map<std::string, pugi::xml_node> nodes;
  for (const CaseOutcome& result : report.results) {
    pugi::xml_node& suite = nodes[result.target];
    if (!suite) {
      suite = suites.append_child("testsuite");
      set(suite, "name", result.target);
      of_target[result.target].write(suite);
      pugi::xml_node properties = suite.append_child("properties");
      const auto property = [&](const char* name, const std::string& value) {
        pugi::xml_node node = properties.append_child("property");
        set(node, "name", name);
        set(node, "value", value);
      };
      property("kernel_release", report.kernel_release);
      property("version", report.version);
      property("seed", cat(report.seed));
    }
    write_case(suite, result);
  }
  write_complaints(suites, report.complaints);
  std::ostringstream out;
  document.save(out, "  ");
  return out.str();
}

absl::Status write_report(const std::string& file, const std::string& text) {
  if (file == "-") {
    const size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
    if (written == text.size() && std::fflush(stdout) == 0) return absl::OkStatus();
    return absl::UnavailableError("standard output cannot be written");
  }
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) return absl::OkStatus();
  return absl::InvalidArgumentError(cat(file, ": cannot be written: ", std::strerror(errno)));
}

}  // namespace tcproctor::conformance
