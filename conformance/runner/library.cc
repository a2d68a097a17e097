// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/library.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "conformance/catalog/embedded.h"
#include "conformance/catalog/glob.h"
#include "conformance/catalog/name_filter.h"
#include "conformance/runner/script_file.h"
#include "conformance/script/check.h"
#include "conformance/script/names.h"
#include "conformance/script/parser.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// The file of procedures that every case may call.
constexpr std::string_view kPrelude = "cases/prelude.pkt";
// The case that examines the harness.
constexpr std::string_view kSanity = "cases/sanity/sanity.pkt";

struct Source {
  std::string file;
  std::string text;
};

absl::StatusOr<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return absl::InvalidArgumentError(cat(path.string(), ": cannot be read"));
  return text.str();
}

absl::StatusOr<std::vector<Source>> folder_sources(const std::string& folder) {
  std::vector<Source> sources;
  std::error_code error;
  std::filesystem::recursive_directory_iterator walk(folder, error);
  if (error) {
    return absl::InvalidArgumentError(cat(folder, ": cannot be read: ", error.message()));
  }
  for (const auto& entry : walk) {
    if (!entry.is_regular_file(error) || entry.path().extension() != ".pkt") continue;
    // A copy of the built-in cases has their procedures, which are known.
    if (entry.path().filename() == std::filesystem::path(kPrelude).filename()) continue;
    absl::StatusOr<std::string> text = read_file(entry.path());
    if (!text.ok()) return text.status();
    sources.push_back({entry.path().string(), *std::move(text)});
  }
  if (sources.empty()) {
    return absl::InvalidArgumentError(cat(folder, ": there is no case (*.pkt) in this folder"));
  }
  return sources;
}

std::vector<Source> built_in_sources() {
  std::vector<Source> sources;
  for (const EmbeddedFile& file : embedded_files()) {
    if (file.path.ends_with(".pkt") && file.path != kPrelude) {
      sources.push_back({cat("conformance/", file.path), std::string(file.text)});
    }
  }
  return sources;
}

// What is wrong, by file.
using Errors = std::map<std::string, std::string>;

void add_error(Errors& errors, const std::string& file, absl::string_view message) {
  std::string& told = errors[file];
  append(told, told.empty() ? "" : "\n", std::string(message));
}

// Ids that the case covers or requires must exist.
void check_ids(const Case& test_case, const Catalog& catalog, Errors& errors) {
  const auto add = [&](std::string_view what, const std::string& id) {
    add_error(errors, test_case.file, cat(test_case.file, ":1:1: ", what, " \"", id, "\""));
  };
  for (const std::string& id : covered_ids(test_case)) {
    if (!catalog.knows(id)) add("covers an id that no catalogue has:", id);
  }
  std::vector<std::string> needs = test_case.head.needs;
  for (const Clause& clause : test_case.clauses) {
    needs.insert(needs.end(), clause.needs.begin(), clause.needs.end());
  }
  for (const std::string& name : needs) {
    const auto [prefix, rest] = split_once(name, '.');
    const std::string& capability = parse_end(prefix).has_value() ? rest : name;
    if (catalog.capabilities.count(capability) == 0) add("requires an unknown capability:", name);
  }
}

void add_case(Case added, std::map<std::string, std::string>& ids, Errors& errors,
              Library& library) {
  const absl::Status status = check(added);
  if (!status.ok()) return add_error(errors, added.file, status.message());
  check_ids(added, library.catalog, errors);
  if (errors.count(added.file) != 0) return;
  const auto [known, fresh] = ids.emplace(added.head.id, added.file);
  if (!fresh) {
    add_error(
        errors, added.file,
        cat(added.file, ":1:1: the id ", added.head.id, " is that of ", known->second, " already"));
  } else if (added.head.id == kSanityId) {
    library.sanity = std::move(added);
  } else {
    library.cases.push_back(std::move(added));
  }
}

// Scripts of others are named by their files, and collections have files of one name in several
// folders: such are told apart by as many of the folders as it takes.
void name_scripts(std::vector<Case>& cases) {
  std::map<std::string, std::vector<Case*>> alike;
  for (Case& one : cases) {
    if (one.dialect == Dialect::kPacketdrill) alike[one.head.id].push_back(&one);
  }
  for (auto& [id, scripts] : alike) {
    if (scripts.size() < 2) continue;
    const auto with_folders = [](const Case& script, int count) {
      std::filesystem::path folder = std::filesystem::path(script.file).parent_path();
      std::string name = script.head.id;
      for (; count > 0 && folder.has_filename(); --count, folder = folder.parent_path()) {
        name = cat(folder.filename().string(), "-", name);
      }
      for (char& c : name) {
        if (std::string_view(" \t,*?").find(c) != std::string_view::npos) c = '_';
      }
      return name;
    };
    constexpr int kMostFolders = 16;
    int folders = 1;
    for (std::set<std::string> names; folders < kMostFolders; ++folders, names.clear()) {
      for (const Case* script : scripts) names.insert(with_folders(*script, folders));
      if (names.size() == scripts.size()) break;
    }
    std::vector<std::string> names;
    for (const Case* script : scripts) names.push_back(with_folders(*script, folders));
    // The very same file twice stays an error.
    if (std::set(names.begin(), names.end()).size() < names.size()) continue;
    for (size_t i = 0; i < scripts.size(); ++i) scripts[i]->head.id = names[i];
  }
}

// A case of which nothing is known but its file.
Case wrong_case(const Source& source, const std::map<std::string, std::string>& ids) {
  Case wrong;
  wrong.file = source.file;
  wrong.source = source.text;
  wrong.head.id = std::filesystem::path(source.file).stem().string();
  if (ids.count(wrong.head.id) != 0 || wrong.head.id == kSanityId) wrong.head.id = source.file;
  wrong.head.title = "a case that is wrong";
  wrong.head.targets = all_targets();
  wrong.clauses.emplace_back().name = "setup";
  return wrong;
}

// The cases that can be run go to the library, and what is wrong with others to `errors`. `ids`: id
// -> file.
absl::Status read_sound_cases(const std::vector<Source>& sources,
                              std::map<std::string, std::string>& ids, Errors& errors,
                              Library& library) {
  std::vector<Case> cases;
  const absl::StatusOr<Procedures> procedures = built_in_procedures();
  if (!procedures.ok()) return procedures.status();
  for (const Source& source : sources) {
    absl::StatusOr<std::vector<Case>> parsed = parse_all(source.text, source.file, *procedures);
    if (!parsed.ok()) {
      add_error(errors, source.file, parsed.status().message());
      continue;
    }
    std::move(parsed->begin(), parsed->end(), std::back_inserter(cases));
  }
  name_scripts(cases);
  for (Case& one : cases) add_case(std::move(one), ids, errors, library);
  return absl::OkStatus();
}

absl::Status read_cases(const std::vector<Source>& sources, OnWrongCase on_wrong,
                        Library& library) {
  Errors errors;
  std::map<std::string, std::string> ids;
  absl::Status status = read_sound_cases(sources, ids, errors, library);
  if (!status.ok()) return status;
  if (!errors.empty() && (on_wrong == OnWrongCase::kRefuse || library.cases.empty())) {
    return absl::InvalidArgumentError(
        join(errors, "\n", [](std::string& out, const auto& error) { out += error.second; }));
  }
  for (const Source& source : sources) {
    const auto found = errors.find(source.file);
    if (found == errors.end()) continue;
    Case wrong = wrong_case(source, ids);
    ids.emplace(wrong.head.id, source.file);
    library.wrong[wrong.head.id] = found->second;
    library.cases.push_back(std::move(wrong));
  }
  std::sort(library.cases.begin(), library.cases.end(),
            [](const Case& a, const Case& b) { return a.head.id < b.head.id; });
  return absl::OkStatus();
}

absl::Status use_built_in_sanity(Library& library) {
  if (!library.sanity.head.id.empty()) return absl::OkStatus();
  absl::StatusOr<Case> parsed = parse(embedded_file(kSanity), cat("conformance/", kSanity));
  if (!parsed.ok()) return parsed.status();
  library.sanity = *std::move(parsed);
  return absl::OkStatus();
}

absl::Status read_ledger(const std::string& cases_dir, Library& library) {
  std::string file = "conformance/catalog/deviations.csv";
  std::string text(embedded_file("catalog/deviations.csv"));
  const std::filesystem::path own = std::filesystem::path(cases_dir) / "deviations.csv";
  std::error_code error;
  if (!cases_dir.empty() && std::filesystem::exists(own, error)) {
    const absl::StatusOr<std::string> read = read_file(own);
    if (!read.ok()) return read.status();
    file = own.string();
    text = *read;
    library.own_ledger = true;
  }
  absl::StatusOr<Ledger> ledger = Ledger::parse(text, file);
  if (!ledger.ok()) return ledger.status();
  library.ledger = *std::move(ledger);
  return absl::OkStatus();
}

absl::StatusOr<Library> load_sources(const std::vector<Source>& sources,
                                     const std::string& cases_dir, OnWrongCase on_wrong,
                                     bool built_in) {
  Library library;
  library.own_ledger = built_in;
  absl::StatusOr<Catalog> catalog = load_catalog();
  if (!catalog.ok()) return catalog.status();
  library.catalog = *std::move(catalog);
  absl::Status status = read_cases(sources, on_wrong, library);
  if (status.ok()) status = use_built_in_sanity(library);
  if (status.ok()) status = read_ledger(cases_dir, library);
  if (!status.ok()) return status;
  return library;
}

}  // namespace

absl::StatusOr<Library> load_library(const std::string& cases_dir, OnWrongCase on_wrong) {
  if (cases_dir.empty()) return load_sources(built_in_sources(), "", OnWrongCase::kRefuse, true);
  const absl::StatusOr<std::vector<Source>> sources = folder_sources(cases_dir);
  if (!sources.ok()) return sources.status();
  absl::StatusOr<Library> library = load_sources(*sources, cases_dir, on_wrong, false);
  if (library.ok()) library->cases_dir = cases_dir;
  return library;
}

absl::StatusOr<Library> load_library_of(const std::vector<std::string>& files,
                                        OnWrongCase on_wrong) {
  std::vector<Source> sources;
  for (const std::string& file : files) {
    absl::StatusOr<std::string> text = read_file(file);
    if (!text.ok()) return text.status();
    sources.push_back({file, *std::move(text)});
  }
  absl::StatusOr<Library> library = load_sources(sources, "", on_wrong, false);
  if (library.ok()) library->of_files = true;
  return library;
}

absl::StatusOr<std::map<std::string, std::string>> what_is_wrong(
    const std::vector<std::string>& files) {
  Library library;
  absl::StatusOr<Catalog> catalog = load_catalog();
  if (!catalog.ok()) return catalog.status();
  library.catalog = *std::move(catalog);
  Errors errors;
  std::vector<Source> sources;
  for (const std::string& file : files) {
    absl::StatusOr<std::string> text = read_file(file);
    if (text.ok()) {
      sources.push_back({file, *std::move(text)});
    } else {
      add_error(errors, file, text.status().message());
    }
  }
  std::map<std::string, std::string> ids;
  const absl::Status status = read_sound_cases(sources, ids, errors, library);
  if (!status.ok()) return status;
  return errors;
}

absl::StatusOr<Procedures> built_in_procedures() {
  return parse_procedures(embedded_file(kPrelude), cat("conformance/", kPrelude));
}

absl::StatusOr<std::vector<Case>> read_script(const std::string& file) {
  const absl::StatusOr<std::string> text = read_file(file);
  if (!text.ok()) return text.status();
  const absl::StatusOr<Procedures> procedures = built_in_procedures();
  if (!procedures.ok()) return procedures.status();
  return parse_all(*text, file, *procedures);
}

absl::StatusOr<std::vector<const Case*>> select_cases(const Library& library,
                                                      std::string_view filter) {
  const NameFilter names(filter);
  for (const std::string& glob : names.includes()) {
    const bool used = std::any_of(library.cases.begin(), library.cases.end(),
                                  [&](const Case& c) { return glob_matches(glob, c.head.id); });
    if (!used) return absl::InvalidArgumentError(cat("no case matches \"", glob, "\""));
  }
  std::vector<const Case*> selected;
  for (const Case& candidate : library.cases) {
    if (names.selects(candidate.head.id)) selected.push_back(&candidate);
  }
  if (selected.empty()) {
    return absl::InvalidArgumentError(cat("the filter \"", filter, "\" selects no case"));
  }
  return selected;
}

std::vector<std::string> covered_ids(const Case& test_case) {
  std::set<std::string> ids(test_case.head.covers.begin(), test_case.head.covers.end());
  for (const Clause& clause : test_case.clauses) {
    ids.insert(clause.covers.begin(), clause.covers.end());
  }
  return {ids.begin(), ids.end()};
}

bool runs_on(const Case& test_case, std::string_view target) {
  const auto& targets = test_case.head.targets;
  if (std::find(targets.begin(), targets.end(), target) == targets.end()) return false;
  return std::any_of(test_case.clauses.begin(), test_case.clauses.end(), [&](const Clause& clause) {
    return clause.targets.empty() ||
           std::find(clause.targets.begin(), clause.targets.end(), target) != clause.targets.end();
  });
}

v1::CaseInfo case_info(const Case& test_case) {
  v1::CaseInfo info;
  info.set_id(test_case.head.id);
  info.set_title(test_case.head.title);
  info.set_level(test_case.head.level);
  const std::vector<std::string> covers = covered_ids(test_case);
  info.mutable_covers()->Assign(covers.begin(), covers.end());
  info.mutable_targets()->Assign(test_case.head.targets.begin(), test_case.head.targets.end());
  std::set<std::string> needs(test_case.head.needs.begin(), test_case.head.needs.end());
  for (const Clause& clause : test_case.clauses) {
    needs.insert(clause.needs.begin(), clause.needs.end());
    info.add_clauses(clause.name);
  }
  info.mutable_needs()->Assign(needs.begin(), needs.end());
  info.set_file(test_case.file);
  info.set_slow(test_case.head.slow);
  return info;
}

}  // namespace tcproctor::conformance
