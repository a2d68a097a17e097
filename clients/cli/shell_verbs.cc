// SPDX-License-Identifier: Apache-2.0
// shell
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/line_source.h"
#include "clients/cli/private_daemon.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cli/words.h"
#include "conformance/report/evidence.h"
#include "conformance/runner/typed_case.h"
#include "conformance/script/targets.h"

namespace tcproctor::cli {
namespace {

// What answers at once is shown with what was typed.
constexpr absl::Duration kAnswers = absl::Milliseconds(30);
constexpr char kPrompt[] = "tcproctor> ";

constexpr char kTyped[] =
    "  L = OPEN(passive)                    a user call of RFC 9293: OPEN ACCEPT SEND RECEIVE\n"
    "  C = ACCEPT(L)                        CLOSE ABORT STATUS …; names are kept\n"
    "  < S 0:0(0) win 65535 <mss 1460>      a segment, sent in the scripted end's name\n"
    "  > S. 0:0(0) ack 1 <...>              one that has to come: says what came instead\n"
    "  silence 300ms    wait 2s    STATE(C) = ESTABLISHED    reach CLOSE-WAIT\n"
    "  !VERB …          a verb of tcproctor on this session: !status, !capture, !options 2\n"
    "  save FILE        all that held, as a case for tcproctor run\n"
    "  help   quit      and an empty line looks what happened meanwhile\n";

class Session {
 public:
  Session(Context& context, const client::Client& client, conformance::TypedCase& typed)
      : context_(context), client_(client), typed_(typed), lines_(context.in()) {}

  // Until the end of the input, quit or Ctrl-C. An error: the session is gone.
  absl::StatusOr<int> run() {
    show();
    interrupt_.emplace();
    while (gone_.ok()) {
      if (lines_.at_terminal()) context_.text() << kPrompt << std::flush;
      const std::optional<std::string> line = lines_.next([this] { look(); });
      if (!line || !obey(std::string(absl::StripAsciiWhitespace(*line)))) break;
      context_.text().flush();
    }
    if (lines_.at_terminal()) context_.text() << std::endl;
    if (!gone_.ok()) return gone_;
    return failed_ ? kExitOutcome : kExitOk;
  }

 private:
  // False: enough.
  bool obey(const std::string& line) {
    if (absl::StartsWith(line, "#") || absl::StartsWith(line, "//")) return true;
    if (line == "quit" || line == "exit") return false;
    if (!lines_.at_terminal() && !line.empty()) context_.text() << kPrompt << line << "\n";
    absl::string_view rest = line;
    if (line == "help") {
      context_.text() << kTyped;
    } else if (absl::ConsumePrefix(&rest, "!")) {
      run_verb(rest);
    } else if (absl::ConsumePrefix(&rest, "save ")) {
      save(std::string(absl::StripAsciiWhitespace(rest)));
    } else if (!line.empty()) {
      carry_out(line);
    }
    settle();
    return true;
  }

  void carry_out(const std::string& line) {
    const absl::StatusOr<conformance::Result> result = typed_.carry_out(line);
    if (!result.ok()) return complain(result.status().message());
    tell(*result);
  }

  void tell(const conformance::Result& result) {
    if (!result.has_value()) return;
    complain(absl::StrCat(absl::StripPrefix(v1::Verdict_Name(result->verdict), "VERDICT_"), ": ",
                          result->reason));
    context_.err() << conformance::console_evidence(result->failure);
    if (result->verdict != v1::VERDICT_ERROR) return;
    // A mistake leaves the session as it is; without a session nothing can go on.
    gone_ = client_.get_session(typed_.session().id()).status();
  }

  void complain(absl::string_view text) {
    failed_ = true;
    show();
    context_.text().flush();
    context_.err() << text << "\n";
  }

  // What came at once, on whichever clock.
  void settle() {
    if (typed_.session().clock() == v1::CLOCK_REAL) absl::SleepFor(kAnswers);
    if (gone_.ok()) tell(typed_.observe());
    show();
  }

  // While nobody types.
  void look() {
    if (typed_.session().clock() != v1::CLOCK_REAL || !gone_.ok()) return;
    const conformance::Result result = typed_.observe();
    const std::vector<std::string> news = typed_.new_lines();
    if (!news.empty())
      context_.text() << "\n" << absl::StrJoin(news, "\n") << "\n" << kPrompt << std::flush;
    tell(result);
  }

  void show() {
    for (const std::string& line : typed_.new_lines()) context_.text() << line << "\n";
  }

  void save(const std::string& file) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << typed_.script();
    out.close();
    if (!out) complain(absl::StrCat(file, ": cannot be written"));
  }

  // Verbs run on a context of their own: flags of one line are not those of the next.
  void run_verb(absl::string_view line) {
    absl::StatusOr<std::vector<std::string>> words = split_words(std::string(line));
    if (!words.ok()) return complain(words.status().message());
    if (!words->empty() && words->front() == "shell") return complain("this is one already");
    name_session(*words);
    Context own(context_.in(), context_.out(), context_.err(), context_.colours());
    *own.address_flag() = context_.address();
    *own.tls_flags() = *context_.tls_flags();
    interrupt_.reset();  // the verb may want it for itself
    if (run_command(own, *words) != kExitOk) failed_ = true;
    interrupt_.emplace();
  }

  // Puts the session's id behind the verb, where the verb begins its operands with one.
  void name_session(std::vector<std::string>& words) const {
    std::vector<std::string> rest = words;
    const VerbList verbs = make_verbs();
    const Verb* const verb = find_verb(verbs, rest);
    if (!verb || !absl::StartsWith(verb->info().operands, "SESSION")) return;
    const size_t behind = words.size() - rest.size();
    words.insert(words.begin() + static_cast<std::ptrdiff_t>(behind), typed_.session().id());
  }

  Context& context_;
  const client::Client& client_;
  conformance::TypedCase& typed_;
  LineSource lines_;
  std::optional<Interrupt> interrupt_;
  absl::Status gone_;
  bool failed_ = false;
};

class Shell : public Verb {
 public:
  Shell()
      : Verb({.name = "shell",
              .operands = "",
              .summary = "Type calls and packets, and see the ladder grow",
              .help = absl::StrCat(
                  "Lines are statements of the case language (conformance/script/LANGUAGE.md),\n"
                  "carried out as they are typed; mistakes and what did not hold are told, and it\n"
                  "goes on. Without --address it starts a daemon for its own lifetime; the "
                  "session\n"
                  "ends with the shell: quit, the end of the input, Ctrl-C. At a terminal what\n"
                  "happens meanwhile is shown as it happens; rlwrap tcproctor shell adds a "
                  "history.\n"
                  "Exit status 1 when a line was wrong or did not hold.\n\n",
                  kTyped,
                  "\n"
                  "  tcproctor shell\n"
                  "  tcproctor shell --target kernel --examines both\n"
                  "  tcproctor shell --target stack-virtual < typed.pkt\n"),
              .has_json = false}) {}

  void define(FlagSet& flags) override {
    flags.add("target", &target_, absl::StrJoin(conformance::all_targets(), "|"),
              "whose TCP; default stack");
    flags.add("examines", &examines_, "A|B|both",
              "which end has it, the other is scripted; both: A is the target, B the other TCP; "
              "default B");
    flags.add("seed", &seed_, "N", "of every random choice; default 1");
    flags.add("daemon", &daemon_, "PATH", "tcproctord to start; default: beside this program");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>&) override {
    std::unique_ptr<PrivateDaemon> daemon;
    absl::StatusOr<client::Client> client = connect_or_start(context, daemon_, daemon);
    if (!client.ok()) return client.status();
    if (daemon) *context.address_flag() = daemon->address();
    absl::StatusOr<std::unique_ptr<conformance::TypedCase>> typed = conformance::TypedCase::begin(
        {.channel = client->channel(), .target = target_, .examines = examines(), .seed = seed_});
    if (!typed.ok()) return typed.status();
    const absl::StatusOr<int> exit = Session(context, *client, **typed).run();
    // The daemon ends sooner when nobody is connected.
    typed->reset();
    client = absl::UnavailableError("");
    if (daemon) context.err() << daemon->death();
    return exit;
  }

 private:
  conformance::Examines examines() const {
    if (examines_ == "both") return conformance::Examines::kBoth;
    return examines_ == "A" ? conformance::Examines::kA : conformance::Examines::kB;
  }

  std::string target_ = std::string(conformance::kTargetStack);
  std::string examines_ = "B";
  uint64_t seed_ = 1;
  std::string daemon_;
};

}  // namespace

void add_shell_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Shell>());
}

}  // namespace tcproctor::cli
