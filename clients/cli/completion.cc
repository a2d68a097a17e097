// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/completion.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "conformance/runner/suite.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

// A person waits for the answer.
constexpr absl::Duration kAtOnce = absl::Seconds(1);

// What was typed as far as the word in question.
struct Typed {
  std::vector<std::string> operands;
  const FlagSet::Flag* awaits = nullptr;  // the flag whose value is in question
  bool no_flags = false;                  // behind "--"
};

Typed read_typed(const FlagSet& flags, const std::vector<std::string>& words) {
  Typed typed;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool flag = !typed.no_flags && words[i].size() > 1 && words[i][0] == '-';
    if (!flag) {
      typed.operands.push_back(words[i]);
    } else if (words[i] == "--") {
      typed.no_flags = true;
    } else if (flags.words_taken(words[i]) == 2 && ++i == words.size()) {
      typed.awaits = flags.named_by(words.back());
    }
  }
  return typed;
}

// The word of a verb's usage for operand `index`: "SESSION", "[CONNECTION]", "FILE...".
std::string operand_word(const VerbInfo& info, size_t index) {
  std::vector<absl::string_view> words = absl::StrSplit(info.operands, ' ', absl::SkipEmpty());
  words.erase(std::remove(words.begin(), words.end(), "--"), words.end());
  if (words.empty() || index >= info.max_operands) return "";
  absl::string_view word = words[std::min(index, words.size() - 1)];
  const bool again = absl::EndsWith(word, "...]") || absl::EndsWith(word, "...") ||
                     absl::EndsWith(word, "…]") || absl::EndsWith(word, "…");
  if (index >= words.size() && !again) return "";
  absl::ConsumePrefix(&word, "[");
  absl::ConsumeSuffix(&word, "]");
  if (!absl::ConsumeSuffix(&word, "...")) absl::ConsumeSuffix(&word, "…");
  return std::string(word);
}

class Completer {
 public:
  explicit Completer(Context& context) : context_(context) {}

  Completion complete(std::vector<std::string> words) {
    if (words.empty()) words.emplace_back();
    typed_ = words.back();
    words.pop_back();
    bool help = false;
    const FlagSet common = common_flags(context_, help);
    const size_t leading = count_leading(common, words);
    if (leading > words.size()) {
      value(*common.named_by(words.back()), "", {});
      return std::move(found_);
    }
    common.parse({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(leading)})
        .IgnoreError();
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(leading));
    if (words.empty() && absl::StartsWith(typed_, "-")) {
      flag_or_value(common, {});
    } else if (!words.empty() && words[0] == "help") {
      words.erase(words.begin());
      verb_words(words);
    } else if (Verb* verb = find_verb(verbs_, words)) {
      behind_verb(*verb, words);
    } else {
      if (words.empty()) offer("help", "explains a verb");
      verb_words(words);
    }
    return std::move(found_);
  }

 private:
  // Flags of every verb that stand before it; one more than there are words if the last of them
  // waits for its value.
  static size_t count_leading(const FlagSet& common, const std::vector<std::string>& words) {
    size_t count = 0;
    while (count < words.size() && common.words_taken(words[count]) != 0)
      count += common.words_taken(words[count]);
    return count;
  }

  // The next word of the verbs' names.
  void verb_words(const std::vector<std::string>& words) {
    if (words.size() > 1) return;
    for (const auto& verb : verbs_) {
      const VerbInfo& info = verb->info();
      const std::vector<std::string> name = absl::StrSplit(info.name, ' ');
      if (words.empty()) {
        // A group of verbs is told by the names of its members.
        offer(name[0], name.size() == 1 ? info.summary : name[1]);
      } else if (name.size() == 2 && name[0] == words[0]) {
        offer(name[1], info.summary);
      }
    }
  }

  void behind_verb(Verb& verb, const std::vector<std::string>& words) {
    bool help = false;
    const FlagSet flags = flags_of(context_, verb, help);
    // For the daemon's address; what is wrong with the line is told when it is run.
    flags.parse(words).IgnoreError();
    const Typed typed = read_typed(flags, words);
    if (typed.awaits) return value(*typed.awaits, "", typed.operands);
    if (!typed.no_flags && absl::StartsWith(typed_, "-"))
      return flag_or_value(flags, typed.operands);
    what(operand_word(verb.info(), typed.operands.size()), "", typed.operands);
  }

  void flag_or_value(const FlagSet& flags, const std::vector<std::string>& operands) {
    const size_t equals = typed_.find('=');
    const FlagSet::Flag* const named = flags.named_by(typed_);
    if (equals != std::string::npos) {
      if (named) value(*named, typed_.substr(0, equals + 1), operands);
      return;
    }
    for (const FlagSet::Flag& flag : flags.flags()) offer(flag.written(), flag.help);
  }

  // The value of a flag, behind `before` in the same word.
  void value(const FlagSet::Flag& flag, std::string before,
             const std::vector<std::string>& operands) {
    absl::string_view word = flag.value;
    if (absl::ConsumeSuffix(&word, ",...")) {
      const size_t comma = typed_.rfind(',');
      if (comma != std::string::npos) before = typed_.substr(0, comma + 1);
    }
    what(std::string(word), before, operands);
  }

  // What a word of the help or the usage stands for.
  void what(const std::string& word, const std::string& before,
            const std::vector<std::string>& operands) {
    for (const std::string& alternative : alternatives(word)) offer(before + alternative, "");
    if (word == "FILE" || word == "PATH" || word == "SCRIPT" || absl::EndsWith(word, ".json") ||
        word == "PROGRAM" || word == "ARGUMENT") {
      found_.files = Completion::Files::kFiles;
    }
    if (word == "DIR") found_.files = Completion::Files::kFolders;
    if (word == "SESSION") sessions(before);
    if (word == "CONNECTION" || word == "LISTENER") connections(word, before, operands);
    if (word == "CASE" || word == "GLOB") cases(before);
    if (word == "STATE") states(before);
    if (absl::StartsWith(word, "SERVICE")) methods(before);
    if (word == "NAME=VALUE") options(before);
  }

  void sessions(const std::string& before) {
    const absl::StatusOr<client::Client> client = context_.connect(kAtOnce);
    if (!client.ok()) return;
    const absl::StatusOr<v1::ListSessionsResponse> list = client->list_sessions(kAtOnce);
    if (!list.ok()) return;
    for (const v1::Session& session : list->sessions())
      offer(before + session.id(),
            absl::StrCat(end_kind_name(session.a().kind()), " ", end_kind_name(session.b().kind()),
                         session.label().empty() ? "" : " ", session.label()));
  }

  void connections(const std::string& word, const std::string& before,
                   const std::vector<std::string>& operands) {
    if (operands.empty()) return;
    const absl::StatusOr<client::Client> client = context_.connect(kAtOnce);
    if (!client.ok()) return;
    v1::ListRequest request;
    request.set_session(operands[0]);
    const absl::StatusOr<v1::ListResponse> list = client->list(request, kAtOnce);
    if (!list.ok()) return;
    for (const v1::ConnectionStatus& status : list->connections()) {
      if (word == "LISTENER" && status.state() != v1::TCP_STATE_LISTEN) continue;
      offer(absl::StrCat(before, status.connection()),
            absl::StrCat(conformance::end_name(status.end()), " ",
                         conformance::state_name(status.state()), " ",
                         to_text(status.pair().local())));
    }
  }

  void cases(const std::string& before) {
    const absl::StatusOr<conformance::Suite> suite = conformance::Suite::load();
    if (!suite.ok()) return;
    const absl::StatusOr<std::vector<v1::CaseInfo>> list = suite->list("");
    if (!list.ok()) return;
    for (const v1::CaseInfo& info : *list) offer(before + info.id(), info.title());
  }

  void states(const std::string& before) {
    const google::protobuf::EnumDescriptor& type = *v1::TcpState_descriptor();
    for (int i = 0; i < type.value_count(); ++i) {
      const auto state = static_cast<v1::TcpState>(type.value(i)->number());
      if (state != v1::TCP_STATE_UNSPECIFIED) offer(before + conformance::state_name(state), "");
    }
  }

  void methods(const std::string& before) {
    for (const google::protobuf::Descriptor* of :
         {v1::Session::descriptor(), v1::OpenRequest::descriptor(), v1::InjectRequest::descriptor(),
          v1::Command::descriptor(), v1::SocketCallRequest::descriptor(),
          v1::CaseInfo::descriptor()}) {
      for (int s = 0; s < of->file()->service_count(); ++s) {
        const google::protobuf::ServiceDescriptor& service = *of->file()->service(s);
        for (int m = 0; m < service.method_count(); ++m)
          offer(absl::StrCat(before, service.name(), "/", service.method(m)->name()), "");
      }
    }
  }

  void options(const std::string& before) {
    const google::protobuf::Descriptor& type = *v1::ConnectionOptions::descriptor();
    for (int i = 0; i < type.field_count(); ++i)
      offer(absl::StrCat(before, type.field(i)->name(), "="), "");
  }

  static std::string end_kind_name(v1::EndKind kind) {
    return conformance::hyphenated(v1::EndKind_Name(kind), "END_KIND_");
  }

  // Once, if it begins as was typed; the meanings of one text are joined.
  void offer(const std::string& text, const std::string& meaning) {
    if (!absl::StartsWith(text, typed_)) return;
    const auto there = std::find_if(found_.words.begin(), found_.words.end(),
                                    [&text](const Completion::Word& w) { return w.text == text; });
    if (there == found_.words.end())
      found_.words.push_back({text, meaning});
    else
      absl::StrAppend(&there->meaning, ", ", meaning);
  }

  Context& context_;
  const VerbList verbs_ = make_verbs();
  std::string typed_;
  Completion found_;
};

}  // namespace

Completion complete(Context& context, std::vector<std::string> words) {
  return Completer(context).complete(std::move(words));
}

}  // namespace tcproctor::cli
