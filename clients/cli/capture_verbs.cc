// SPDX-License-Identifier: Apache-2.0
// capture
#include <poll.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/parse.h"
#include "clients/cli/segment_text.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "conformance/report/pcap_file.h"

namespace tcproctor::cli {
namespace {

// How long a call that follows the log waits before it asks whether anybody wants more.
constexpr absl::Duration kFollowTurn = absl::Milliseconds(500);

class Capture : public Verb {
 public:
  Capture()
      : Verb(
            {.name = "capture",
             .operands = "SESSION",
             .summary = "Shows the log of a session's wire, or writes it as a pcap file",
             .help =
                 "With --json each entry is a line. -w - writes the pcap to standard output.\n\n"
                 "  tcproctor capture $ID\n"
                 "  tcproctor capture $ID --follow            # until the session ends, or Ctrl-C\n"
                 "  tcproctor capture $ID -w log.pcap\n"
                 "  tcproctor capture $ID --follow -w - | tshark -r -\n"
                 "  tcproctor capture $ID --follow -w - | wireshark -k -i -\n",
             .min_operands = 1,
             .max_operands = 1}) {}

  void define(FlagSet& flags) override {
    flags.add("w", &file_, "FILE", "write a pcap file (nanoseconds, raw IP), - = standard output");
    flags.add("follow", &follow_, "", "go on with what comes, until the session ends");
    flags.add("after", &after_, "N", "only what comes after that number");
    flags.add("from", &from_, "A|B", "only what A or B sent (not with -w)");
    flags.add("pattern", &pattern_, "JSON", "only what matches this SegmentPattern (not with -w)");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    v1::LogRequest request;
    request.set_session(operands[0]);
    request.set_after(after_);
    request.set_follow(follow_);
    if (file_ && (from_ || pattern_))
      return absl::InvalidArgumentError("-w writes everything: leave out --from and --pattern");
    if (file_ == "-" && context.json() == "-")
      return absl::InvalidArgumentError("-w - and --json - both want standard output");
    if (from_) {
      const absl::StatusOr<v1::End> end = parse_end(*from_);
      if (!end.ok()) return end.status();
      request.set_from(*end);
    }
    if (pattern_) {
      if (absl::Status status = parse_json(*pattern_, request.mutable_pattern()); !status.ok())
        return status;
    }
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    if (follow_) {
      const absl::Status there = client->get_session(operands[0]).status();
      if (!there.ok()) return there;
    }
    if (!file_) {
      return read(context, *client, request, [&context](const v1::LogEntry& entry) {
        context.text() << to_line(entry) << "\n" << std::flush;
      });
    }
    std::ofstream file;
    std::ostream* out = &context.out();
    if (*file_ != "-") {
      file.open(*file_, std::ios::binary | std::ios::trunc);
      if (!file) return absl::InvalidArgumentError(absl::StrCat("-w ", *file_, ": cannot write"));
      out = &file;
    }
    conformance::PcapFile pcap(*out);
    return read(context, *client, request, [&](const v1::LogEntry& entry) { pcap.append(entry); });
  }

 private:
  using Sink = std::function<void(const v1::LogEntry&)>;

  static absl::StatusOr<int> read(Context& context, const client::Client& client,
                                  v1::LogRequest request, const Sink& sink) {
    std::optional<Interrupt> interrupt;
    if (request.follow()) interrupt.emplace();
    absl::Status written;
    const auto on_entry = [&](const v1::LogEntry& entry) {
      request.set_after(entry.number());
      sink(entry);
      written = context.emit_line(entry);
      return written.ok() && !over(context);
    };
    while (true) {
      const absl::Status status = client.log(
          request, on_entry, request.follow() ? kFollowTurn : client::Client::kNoDeadline);
      if (!written.ok()) return written;
      if (request.follow() && absl::IsDeadlineExceeded(status) && !over(context)) continue;
      if (request.follow() && over(context)) return kExitOk;
      if (request.follow()) return end_of_following(context, status);
      if (!status.ok()) return status;
      return kExitOk;
    }
  }

  // Whether nobody wants more of what is followed: Ctrl-C, or a reader that went away.
  static bool over(Context& context) {
    if (Interrupt::noted() || !context.out().good()) return true;
    pollfd out = {.fd = STDOUT_FILENO, .events = 0, .revents = 0};
    return &context.out() == &std::cout && poll(&out, 1, 0) > 0;
  }

  std::optional<std::string> file_, from_, pattern_;
  uint64_t after_ = 0;
  bool follow_ = false;
};

}  // namespace

void add_capture_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Capture>());
}

}  // namespace tcproctor::cli
