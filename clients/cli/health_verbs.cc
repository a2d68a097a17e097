// SPDX-License-Identifier: Apache-2.0
// health
#include <google/protobuf/struct.pb.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "clients/cli/generic_call.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"

namespace tcproctor::cli {
namespace {

// grpc.health.v1.HealthCheckResponse with status SERVING (1) in field 1. The server does not
// describe this service, and no header of it is installed.
constexpr std::string_view kServing("\x08\x01", 2);

class Health : public Verb {
 public:
  Health()
      : Verb({.name = "health",
              .operands = "",
              .summary = "Does a daemon serve? By gRPC's health service, as a container asks",
              .help = "Exit status 0: it serves; 1: it answers but does not; 3: no answer.\n\n"
                      "  tcproctor health --address unix:/run/tcproctor.sock\n"}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>&) override {
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    bool asked = false;
    std::string answer;
    const absl::Status status = generic_call(
        client->channel(), "/grpc.health.v1.Health/Check",
        [&asked]() -> absl::StatusOr<std::optional<std::string>> {
          if (std::exchange(asked, true)) return std::nullopt;
          return "";  // the server as a whole
        },
        [&answer](const std::string& response) {
          answer = response;
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
    const bool serves = answer == kServing;
    context.text() << (serves ? "serving\n" : "not serving\n");
    google::protobuf::Struct json;
    (*json.mutable_fields())["serving"].set_bool_value(serves);
    if (absl::Status written = context.emit(json); !written.ok()) return written;
    return serves ? kExitOk : kExitOutcome;
  }
};

}  // namespace

void add_health_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Health>());
}

}  // namespace tcproctor::cli
