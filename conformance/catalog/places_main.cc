// SPDX-License-Identifier: Apache-2.0
// Build step: looks for ids of requirements in the sources of the stack and writes a table of the
// places as a C++ source. places ROOT OUT, where ROOT is the project's folder.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Place {
  std::string id;
  std::string place;
  bool operator<(const Place& other) const {
    return id != other.id ? id < other.id : place < other.place;
  }
};

// Tests name requirements too; they are no code that obeys them.
bool is_source(const fs::path& path) {
  const std::string name = path.filename().string();
  if (path.extension() != ".cc" && path.extension() != ".h") return false;
  if (name.find("_test.") != std::string::npos || name.find("_fuzz.") != std::string::npos ||
      name.find("_bench.") != std::string::npos) {
    return false;
  }
  return std::none_of(path.begin(), path.end(), [](const fs::path& part) {
    return part == "testing" || part == "event_matrix" || part == "sim";
  });
}

// "RFC5961-3.2-1", "EM-LISTEN-SEG-09"; a bare "MUST-58" is RFC 9293's.
void find_ids(const fs::path& path, const std::string& name, std::set<Place>& places) {
  static const std::regex kId(
      "(RFC[0-9]+-[A-Za-z0-9.]+-[A-Za-z]*[0-9]+|EM-[A-Za-z0-9-]+-[0-9]+)|"
      "(^|[^-A-Za-z0-9])((MUST|SHLD|MAY|REC)-[0-9]+)");
  std::ifstream in(path);
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    for (std::sregex_iterator at(line.begin(), line.end(), kId), end; at != end; ++at) {
      const std::string id = (*at)[1].matched ? (*at)[1].str() : "RFC9293-" + (*at)[3].str();
      places.insert({id, name + ":" + std::to_string(number)});
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: places ROOT OUT\n";
    return 1;
  }
  const fs::path root = argv[1];
  std::set<Place> places;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / "stack")) {
    if (!entry.is_regular_file() || !is_source(entry.path())) continue;
    find_ids(entry.path(), fs::relative(entry.path(), root).generic_string(), places);
  }
  std::ofstream out(argv[2]);
  out << "// Generated from the sources of the stack.\n#include "
         "\"conformance/catalog/places.h\"\n\n"
      << "namespace tcproctor::conformance {\nnamespace {\n\nconstexpr CodePlace kPlaces[] = {\n";
  for (const Place& place : places) {
    out << "    {\"" << place.id << "\", \"" << place.place << "\"},\n";
  }
  out << "};\n\n}  // namespace\n\nstd::span<const CodePlace> code_places() { return kPlaces; }\n\n"
      << "}  // namespace tcproctor::conformance\n";
  return out.flush() ? 0 : 1;
}
