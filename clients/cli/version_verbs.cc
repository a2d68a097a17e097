// SPDX-License-Identifier: Apache-2.0
// version
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"

namespace tcproctor::cli {
namespace {

class Version : public Verb {
 public:
  Version()
      : Verb({.name = "version",
              .operands = "",
              .summary = "The version of this command, and of the daemon if one answers",
              .help =
                  "Also what sessions the daemon can make, and what it lacks for the others. With\n"
                  "--address it is an error when no daemon answers.\n\n"
                  "  tcproctor version --address unix:/run/tcproctor.sock\n"}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>&) override {
    context.text() << "tcproctor " TCPROCTOR_VERSION "\n";
    const absl::StatusOr<client::Client> client = context.connect();
    absl::StatusOr<v1::ServerInfo> info =
        client.ok() ? client->server_info() : absl::StatusOr<v1::ServerInfo>(client.status());
    if (!info.ok()) {
      if (!context.address().empty()) return info.status();
      context.text() << "no daemon at the default address\n";
      info = v1::ServerInfo();
      info->set_version(TCPROCTOR_VERSION);
    } else {
      context.text() << "daemon " << info->version() << "  " << info->api() << "  kernel "
                     << info->kernel_release() << "\n";
      for (const std::string& capability : info->capabilities())
        context.text() << "  can   " << capability << "\n";
      for (const auto& [capability, lacks] : info->missing())
        context.text() << "  lacks " << capability << ": " << lacks << "\n";
    }
    if (absl::Status status = context.emit(*info); !status.ok()) return status;
    return kExitOk;
  }
};

}  // namespace

void add_version_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Version>());
}

}  // namespace tcproctor::cli
