// SPDX-License-Identifier: Apache-2.0
#include "server/access/rules_file.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/access/file_state.h"

namespace tcproctor::server {
namespace {

class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat(line + 1, ":", column + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<RulesFile>> RulesFile::open(const std::string& path) {
  const std::shared_ptr<RulesFile> file(new RulesFile(path));
  const std::lock_guard lock(file->mutex_);
  const absl::Status status = file->read();
  if (!status.ok()) return status;
  return file;
}

absl::Status RulesFile::read() {
  const auto wrong = [this](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("--client-rules ", path_, ": ", what));
  };
  looked_ = run::steady_now();
  std::ifstream file(path_);
  seen_ = state_of(path_);
  if (!file) return wrong(std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  access::ClientRules parsed;
  google::protobuf::TextFormat::Parser parser;
  FirstError error;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &parsed)) return wrong(error.text());
  Rules rules;
  for (const access::ClientRule& rule : parsed.client()) {
    const absl::StatusOr<std::shared_ptr<const Rights>> rights = Rights::create(rule);
    if (!rights.ok()) return wrong(rights.status().message());
    if (!rules.emplace(rule.name(), *rights).second) {
      return wrong(absl::StrCat("client \"", rule.name(), "\" has two rules"));
    }
  }
  if (rules.empty()) return wrong("there is no rule, so nobody could use the daemon");
  rules_ = std::move(rules);
  return absl::OkStatus();
}

void RulesFile::refresh() {
  if (run::steady_now() - looked_ < kRefresh) return;
  looked_ = run::steady_now();
  if (same_file(state_of(path_), seen_)) return;
  const absl::Status status = read();
  if (status.ok()) {
    spdlog::info("read the client rules again: {}", path_);
  } else {
    spdlog::error("{}; the rules read before stay in force", std::string(status.message()));
  }
}

absl::StatusOr<std::shared_ptr<const Rights>> RulesFile::find(
    const std::vector<std::string>& names) {
  const std::lock_guard lock(mutex_);
  refresh();
  for (const std::string& name : names) {
    const auto rule = rules_.find(name);
    if (rule != rules_.end()) return rule->second;
  }
  return absl::PermissionDeniedError(
      absl::StrCat("the daemon's client rules have none for this certificate; its names are: ",
                   names.empty() ? "none" : absl::StrJoin(names, ", ")));
}

std::vector<std::string> RulesFile::names() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, rights] : rules_) names.push_back(name);
  return names;
}

}  // namespace tcproctor::server
