// SPDX-License-Identifier: Apache-2.0
// tcproctor_mutate ROOT OUT FILE…: copies of source files (named from ROOT) below OUT, with every
// mutant of the catalogue behind its switch, and OUT/names.cc, the mutants' ids. Run as a build
// step of the preset `mutants`. A copy that would not change is not touched.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "conformance/catalog/mutants.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

namespace fs = std::filesystem;

constexpr char kCatalog[] = "conformance/catalog/mutants.csv";

// The header of the Host, where its inside gets doors (stack/mutants/switch.h).
constexpr char kHost[] = "stack/host/host.h";
constexpr std::string_view kInside = "std::unique_ptr<Impl> impl_;";
constexpr std::string_view kDoors = "::tcproctor::mutants::Doors<Impl> impl_;";

absl::StatusOr<std::string> read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return absl::NotFoundError(cat(file.string(), " cannot be read"));
  return text;
}

absl::Status write(const fs::path& file, const std::string& text) {
  const absl::StatusOr<std::string> before = read(file);
  if (before.ok() && *before == text) return absl::OkStatus();
  std::error_code ignored;  // opening the file will tell
  fs::create_directories(file.parent_path(), ignored);
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  return out ? absl::OkStatus() : absl::UnavailableError(cat(file.string(), " cannot be written"));
}

absl::StatusOr<std::string> copy_of(const std::vector<Mutant>& mutants, const fs::path& root,
                                    const std::string& file) {
  absl::StatusOr<std::string> source = read(root / file);
  if (!source.ok()) return source.status();
  if (file == kHost) {
    const size_t at = source->find(kInside);
    if (at == std::string::npos || source->find(kInside, at + 1) != std::string::npos) {
      return absl::InvalidArgumentError(cat(file, " does not have \"", kInside, "\" just once"));
    }
    source->replace(at, kInside.size(), kDoors);
  }
  const absl::StatusOr<std::string> planted = plant(mutants, file, *source);
  if (!planted.ok()) return planted.status();
  // No warnings of a header where it is included: both readings need not be as tidy as one.
  const std::string_view quiet = file.ends_with(".h") ? "#pragma GCC system_header\n" : "";
  return cat("#include \"stack/mutants/switch.h\"\n", quiet, "#line 1 \"", (root / file).string(),
             "\"\n", *planted);
}

std::string names_source(const std::vector<Mutant>& mutants) {
  std::string out = cat("// Generated from ", kCatalog,
                        ".\n#include \"stack/mutants/planted.h\"\n\nnamespace tcproctor::mutants "
                        "{\n\nstd::span<const std::string_view> names() {\n  static constexpr "
                        "std::string_view kNames[] = {\n");
  for (const Mutant& mutant : mutants) append(out, "      \"", mutant.id, "\",\n");
  return out + "  };\n  return kNames;\n}\n\n}  // namespace tcproctor::mutants\n";
}

absl::Status generate(const fs::path& root, const fs::path& out,
                      const std::vector<std::string>& files) {
  const absl::StatusOr<std::string> catalog = read(root / kCatalog);
  if (!catalog.ok()) return catalog.status();
  const absl::StatusOr<std::vector<Mutant>> mutants = parse_mutants(*catalog, kCatalog);
  if (!mutants.ok()) return mutants.status();
  const std::set<std::string> known(files.begin(), files.end());
  for (const Mutant& mutant : *mutants) {
    if (known.count(mutant.file) != 0) continue;
    return absl::InvalidArgumentError(cat(kCatalog, ":", mutant.line, ": ", mutant.file,
                                          " is not among the files that mutants live in"));
  }
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> copy = copy_of(*mutants, root, file);
    if (!copy.ok()) return copy.status();
    const absl::Status status = write(out / file, *copy);
    if (!status.ok()) return status;
  }
  return write(out / "names.cc", names_source(*mutants));
}

}  // namespace
}  // namespace tcproctor::conformance

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: tcproctor_mutate ROOT OUT FILE...\n";
    return 3;
  }
  const absl::Status status =
      tcproctor::conformance::generate(argv[1], argv[2], {argv + 3, argv + argc});
  if (status.ok()) return 0;
  std::cerr << "tcproctor_mutate: " << status.message() << "\n";
  return 1;
}
