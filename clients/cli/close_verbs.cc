// SPDX-License-Identifier: Apache-2.0
// close, release, abort
#include <optional>

#include "absl/time/time.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

class EndingVerb : public Verb {
 public:
  EndingVerb(std::string name, std::string summary, std::string help)
      : Verb({.name = std::move(name),
              .operands = "SESSION CONNECTION",
              .summary = std::move(summary),
              .help = std::move(help),
              .min_operands = 2,
              .max_operands = 2}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<v1::ConnectionRef> ref = parse_connection(operands[0], operands[1]);
    if (!ref.ok()) return ref.status();
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::CallResponse> response = call(*client, *ref);
    if (!response.ok()) return response.status();
    context.text() << conformance::outcome_name(response->outcome()) << "\n";
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    return response->outcome() == v1::OUTCOME_OK ? kExitOk : kExitOutcome;
  }

 protected:
  virtual absl::StatusOr<v1::CallResponse> call(const client::Client& client,
                                                const v1::ConnectionRef& ref) = 0;
};

class Close : public EndingVerb {
 public:
  Close()
      : EndingVerb(
            "close", "CLOSE: FIN after queued data, then go on receiving",
            "\n  tcproctor close $ID $C\n"
            "  tcproctor close $ID $C --linger 5s    # until all is acknowledged, or ABORT\n") {}

  void define(FlagSet& flags) override {
    flags.add("linger", &linger_, "DURATION",
              "return when data and FIN are acknowledged; ABORT after that time");
  }

 protected:
  absl::StatusOr<v1::CallResponse> call(const client::Client& client,
                                        const v1::ConnectionRef& ref) override {
    v1::CloseRequest request;
    *request.mutable_connection() = ref;
    if (linger_) *request.mutable_linger() = client::to_proto(*linger_);
    return client.close(request);
  }

 private:
  std::optional<absl::Duration> linger_;
};

class Release : public EndingVerb {
 public:
  Release()
      : EndingVerb("release", "Gives a connection up, as close(2) does",
                   "\n  tcproctor release $ID $C\n") {}

 protected:
  absl::StatusOr<v1::CallResponse> call(const client::Client& client,
                                        const v1::ConnectionRef& ref) override {
    return client.release(ref);
  }
};

class Abort : public EndingVerb {
 public:
  Abort()
      : EndingVerb(
            "abort", "ABORT: RST at once, queued data is dropped",
            "\n  tcproctor abort $ID $C\n"
            "  tcproctor abort $ID B/192.0.2.2:80-192.0.2.1:40000   # by its socket pair\n") {}

 protected:
  absl::StatusOr<v1::CallResponse> call(const client::Client& client,
                                        const v1::ConnectionRef& ref) override {
    return client.abort(ref);
  }
};

}  // namespace

void add_close_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Close>());
  verbs.push_back(std::make_unique<Release>());
  verbs.push_back(std::make_unique<Abort>());
}

}  // namespace tcproctor::cli
