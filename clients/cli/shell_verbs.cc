// SPDX-License-Identifier: Apache-2.0
// shell
#include <unistd.h>

#include <iostream>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "clients/cli/segment_text.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cli/words.h"
#include "clients/cpp/convert.h"
#include "clients/cpp/session.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

// How long the wire is watched after a line, at least: what answers at once is shown with it.
constexpr absl::Duration kAnswers = absl::Milliseconds(60);
constexpr absl::Duration kShellLease = absl::Minutes(5);

// One session that is driven line by line.
class Driven {
 public:
  Driven(Context& context, const client::Client& client, std::string session)
      : context_(context), client_(client), session_(std::move(session)) {}

  // False: the session is over.
  absl::StatusOr<bool> run_line(const std::string& line) {
    absl::StatusOr<std::vector<std::string>> words = split_words(line);
    if (!words.ok()) {
      context_.err() << words.status().message() << "\n";
      return true;
    }
    if (words->empty()) return true;
    if (words->front() == "quit" || words->front() == "exit") return false;
    if (words->front() == "help" && words->size() == 1) {
      context_.text() << kHelp;
      return true;
    }
    carry_out(*std::move(words));
    absl::SleepFor(kAnswers);
    const absl::Status status = show_news();
    if (!status.ok()) return status;
    return true;
  }

  absl::Status show_news() {
    v1::LogRequest request;
    request.set_session(session_);
    request.set_after(shown_);
    const absl::Status status = client_.log(request, [this](const v1::LogEntry& entry) {
      context_.text() << to_line(entry) << "\n";
      shown_ = entry.number();
      return true;
    });
    if (!status.ok()) return status;
    return show_states();
  }

  static constexpr char kHelp[] =
      "  VERB …                 any verb of tcproctor; the session is filled in:\n"
      "                           open --end B --local :80\n"
      "                           status 1        send 1 hello        close 1\n"
      "  A> FLAGS [FLAG VALUE]  a crafted segment in A's name (B> in B's), with inject's flags:\n"
      "                           A> S sport 4000 dport 80 seq 100 mss 1460\n"
      "  wait DURATION          lets time pass: wait 500ms\n"
      "  help [VERB]   quit\n";

 private:
  void carry_out(std::vector<std::string> words) {
    const std::string& first = words[0];
    if (first == "A>" || first == "B>") return inject(words);
    if (first == "wait") return wait(words);
    if (first == "shell") {
      context_.err() << "this is one already\n";
      return;
    }
    const VerbList verbs = make_verbs();
    const std::optional<size_t> where = session_operand(verbs, words);
    if (where.has_value())
      words.insert(words.begin() + static_cast<std::ptrdiff_t>(*where), session_);
    run(std::move(words));
  }

  // Verbs run on their own context: flags of one line are not those of the next.
  void run(std::vector<std::string> words) {
    if (!context_.address().empty()) words.insert(words.begin(), {"--address", context_.address()});
    Context own(context_.in(), context_.out(), context_.err(), context_.colours());
    run_command(own, words);
  }

  // "A> S sport 4000 seq 1": inject --from A --flags S --sport 4000 --seq 1
  void inject(const std::vector<std::string>& words) {
    if (words.size() < 2 || words.size() % 2 != 0) {
      context_.err() << "want " << words[0] << " FLAGS [FLAG VALUE]…\n";
      return;
    }
    std::vector<std::string> made = {"inject",  session_, "--from", words[0].substr(0, 1),
                                     "--flags", words[1]};
    for (size_t i = 2; i < words.size(); i += 2) {
      made.push_back(absl::StrCat("--", words[i]));
      made.push_back(words[i + 1]);
    }
    run(made);
  }

  void wait(const std::vector<std::string>& words) {
    absl::Duration duration;
    if (words.size() == 2 && absl::ParseDuration(words[1], &duration)) {
      absl::SleepFor(duration);
    } else {
      context_.err() << "want wait DURATION, as wait 500ms\n";
    }
  }

  // What is new in the states of both ends' connections, in one line.
  absl::Status show_states() {
    v1::ListRequest request;
    request.set_session(session_);
    const absl::StatusOr<v1::ListResponse> list = client_.list(request);
    if (!list.ok()) return list.status();
    std::vector<std::string> states;
    for (const v1::ConnectionStatus& status : list->connections()) {
      states.push_back(absl::StrCat(conformance::end_name(status.end()), " ", status.connection(),
                                    " ", conformance::state_name(status.state())));
    }
    std::string text = absl::StrJoin(states, ", ");
    if (text == states_) return absl::OkStatus();
    states_ = std::move(text);
    context_.text() << "      == " << states_ << "\n";
    return absl::OkStatus();
  }

  Context& context_;
  const client::Client& client_;
  const std::string session_;
  uint64_t shown_ = 0;
  std::string states_;
};

class Shell : public Verb {
 public:
  Shell()
      : Verb({.name = "shell",
              .operands = "[SESSION]",
              .summary = "Types calls and packets, and shows what goes over the wire",
              .help = absl::StrCat(
                  "Reads lines, from standard input if that is no terminal. After each it shows\n"
                  "the new segments and the new states. Without SESSION it makes one, for its own\n"
                  "lifetime.\n\n",
                  Driven::kHelp,
                  "\n"
                  "  tcproctor shell --b kernel\n"
                  "  tcproctor shell $ID < calls.txt\n"),
              .min_operands = 0,
              .max_operands = 1}) {}

  void define(FlagSet& flags) override {
    flags.add("a", &a_, "KIND", "without SESSION: end A, default scripted");
    flags.add("b", &b_, "KIND", "without SESSION: end B, default stack");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    if (!operands.empty()) {
      const absl::Status there = client->get_session(operands[0]).status();
      if (!there.ok()) return there;
      return drive(context, *client, operands[0]);
    }
    v1::CreateSessionRequest request;
    absl::Status status = set_kind(a_, *request.mutable_a());
    if (status.ok()) status = set_kind(b_, *request.mutable_b());
    if (!status.ok()) return status;
    *request.mutable_lease() = client::to_proto(kShellLease);
    request.set_label("tcproctor shell");
    const absl::StatusOr<client::Session> session = client::Session::create(*client, request);
    if (!session.ok()) return session.status();
    return drive(context, *client, session->id());
  }

 private:
  static absl::Status set_kind(const std::string& kind, v1::EndSpec& end) {
    if (kind == "stack")
      end.mutable_stack();
    else if (kind == "kernel")
      end.mutable_kernel();
    else if (kind == "scripted")
      end.mutable_scripted();
    else
      return absl::InvalidArgumentError(
          absl::StrCat("\"", kind, "\": want stack, kernel or scripted"));
    return absl::OkStatus();
  }

  static absl::StatusOr<int> drive(Context& context, const client::Client& client,
                                   const std::string& session) {
    const bool asks = &context.in() == &std::cin && isatty(STDIN_FILENO) == 1;
    if (asks) context.text() << "session " << session << "; help says what can be typed\n";
    Driven driven(context, client, session);
    std::string line;
    for (;;) {
      if (asks) context.text() << "tcproctor> " << std::flush;
      if (!std::getline(context.in(), line)) return kExitOk;
      if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(line), "#")) continue;
      if (!asks && !line.empty()) context.text() << "> " << line << "\n";
      const absl::StatusOr<bool> more = driven.run_line(line);
      if (!more.ok()) return more.status();
      context.text().flush();
      if (!*more) return kExitOk;
    }
  }

  std::string a_ = "scripted";
  std::string b_ = "stack";
};

}  // namespace

void add_shell_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Shell>());
}

}  // namespace tcproctor::cli
