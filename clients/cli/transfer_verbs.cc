// SPDX-License-Identifier: Apache-2.0
// send, receive
#include <fstream>
#include <istream>
#include <optional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

// The most a SEND or RECEIVE takes in one call (endpoint.proto).
constexpr size_t kLargestCall = size_t{1} << 20;

class Send : public Verb {
 public:
  Send()
      : Verb({.name = "send",
              .operands = "SESSION CONNECTION [TEXT]",
              .summary = "SEND: hands data to a connection",
              .help = "The data is TEXT, or --file FILE, or standard input. Prints how many octets "
                      "were\n"
                      "taken; exit status 1 when not all were.\n\n"
                      "  tcproctor send $ID $C 'hello'\n"
                      "  tcproctor send $ID $C --file picture.png --timeout 10s\n"
                      "  seq 1000 | tcproctor send $ID $C\n",
              .min_operands = 2,
              .max_operands = 3}) {}

  void define(FlagSet& flags) override {
    flags.add("file", &file_, "FILE", "send this file");
    flags.add("push", &push_, "", "PUSH flag");
    flags.add("urgent", &urgent_, "", "URGENT flag");
    flags.add("timeout", &timeout_, "DURATION",
              "how long each call of up to 1 MiB waits for room, session time; default 1m");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(operands[0], operands[1]);
    if (!ref.ok()) return ref.status();
    if (operands.size() == 3 && file_)
      return absl::InvalidArgumentError("give either TEXT or --file");
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    if (operands.size() == 3) {
      std::istringstream text(operands[2]);
      return send_all(context, *client, *ref, text);
    }
    if (!file_) return send_all(context, *client, *ref, context.in());
    std::ifstream file(*file_, std::ios::binary);
    if (!file) return absl::InvalidArgumentError(absl::StrCat(*file_, ": cannot be read"));
    return send_all(context, *client, *ref, file);
  }

 private:
  absl::StatusOr<int> send_all(Context& context, const client::Client& client,
                               const v1::ConnectionRef& ref, std::istream& input) const {
    v1::SendRequest request;
    *request.mutable_connection() = ref;
    *request.mutable_timeout() = client::to_proto(timeout_);
    request.set_urgent(urgent_);
    v1::SendResponse total;
    std::string chunk;
    bool last = false;
    while (!last) {
      chunk.resize(kLargestCall);
      input.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
      chunk.resize(static_cast<size_t>(input.gcount()));
      last = !input || input.peek() == std::istream::traits_type::eof();
      // PUSH belongs to the end of what the user handed over.
      request.set_push(push_ && last);
      request.set_data(chunk);
      const absl::StatusOr<v1::SendResponse> response = client.send(request);
      if (!response.ok()) return response.status();
      total.set_outcome(response->outcome());
      total.set_accepted(total.accepted() + response->accepted());
      if (response->outcome() != v1::OUTCOME_OK || response->accepted() != chunk.size()) {
        context.err() << conformance::outcome_name(response->outcome()) << " after "
                      << total.accepted() << " octets\n";
        if (absl::Status status = context.emit(total); !status.ok()) return status;
        return kExitOutcome;
      }
    }
    context.text() << total.accepted() << "\n";
    if (absl::Status status = context.emit(total); !status.ok()) return status;
    return kExitOk;
  }

  std::optional<std::string> file_;
  bool push_ = false;
  bool urgent_ = false;
  absl::Duration timeout_ = absl::Minutes(1);
};

class Receive : public Verb {
 public:
  Receive()
      : Verb({.name = "receive",
              .operands = "SESSION CONNECTION",
              .summary = "RECEIVE: takes data of a connection and writes it to standard output",
              .help =
                  "The outcome goes to standard error unless it is OK; exit status 1 unless it is "
                  "OK\n"
                  "or END-OF-STREAM.\n\n"
                  "  tcproctor receive $ID $D --timeout 1s\n"
                  "  tcproctor receive $ID $D --all > copy.png         # to the end of the stream\n"
                  "  tcproctor receive $ID $D --min 100 --max 100\n",
              .min_operands = 2,
              .max_operands = 2}) {}

  void define(FlagSet& flags) override {
    flags.add("max", &max_, "OCTETS", "at most that many, 1..1048576; default 65536");
    flags.add("min", &min_, "OCTETS",
              "wait until that many arrived or the stream ended; default 1");
    flags.add("all", &all_, "", "go on to the end of the stream");
    flags.add("timeout", &timeout_, "DURATION",
              "of each call, session time; default: no limit; 0: do not wait");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(operands[0], operands[1]);
    if (!ref.ok()) return ref.status();
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    v1::ReceiveRequest request;
    *request.mutable_connection() = *ref;
    if (all_) request.set_max_bytes(kLargestCall);
    if (max_) request.set_max_bytes(*max_);
    if (min_) request.set_min_bytes(*min_);
    if (timeout_) *request.mutable_timeout() = client::to_proto(*timeout_);
    while (true) {
      const absl::StatusOr<v1::ReceiveResponse> response = client->receive(request);
      if (!response.ok()) return response.status();
      context.text() << response->data() << std::flush;
      if (absl::Status status = context.emit_line(*response); !status.ok()) return status;
      if (response->outcome() == v1::OUTCOME_OK && all_) continue;
      if (response->outcome() == v1::OUTCOME_OK) return kExitOk;
      if (!all_ || response->outcome() != v1::OUTCOME_END_OF_STREAM)
        context.err() << conformance::outcome_name(response->outcome()) << "\n";
      return response->outcome() == v1::OUTCOME_END_OF_STREAM ? kExitOk : kExitOutcome;
    }
  }

 private:
  std::optional<uint32_t> max_, min_;
  std::optional<absl::Duration> timeout_;
  bool all_ = false;
};

}  // namespace

void add_transfer_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Send>());
  verbs.push_back(std::make_unique<Receive>());
}

}  // namespace tcproctor::cli
