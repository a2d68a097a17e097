// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/context.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "clients/cpp/channel.h"

namespace tcproctor::cli {

absl::StatusOr<std::string> to_json(const google::protobuf::Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  // Free JSON has what it has: each object would be printed with an empty list "values".
  options.always_print_primitive_fields =
      message.GetDescriptor()->file() != google::protobuf::Struct::descriptor()->file();
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat("cannot write ", message.GetTypeName(),
                                            " as JSON: ", std::string(status.message())));
  }
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

Context::Context(std::istream& in, std::ostream& out, std::ostream& err, bool colours)
    : in_(in), out_(out), err_(err), text_(out.rdbuf()), colours_(colours) {}

bool shows_colours(bool terminal, const char* term, const char* no_color) {
  return terminal && (!no_color || *no_color == '\0') && !(term && std::strcmp(term, "dumb") == 0);
}

absl::Status Context::open_json() {
  if (output_ == "json") {
    if (!json_.empty() && json_ != "-")
      return absl::InvalidArgumentError("--output json and --json FILE: say one of them");
    json_.assign(1, '-');  // GCC 12 warns of json_ = "-" for no reason
  }
  if (json_.empty()) return absl::OkStatus();
  if (json_ == "-") {
    text_.rdbuf(nullptr);
    return absl::OkStatus();
  }
  json_file_.open(json_, std::ios::binary | std::ios::trunc);
  if (!json_file_) {
    return absl::InvalidArgumentError(
        absl::StrCat("--json ", json_, ": cannot write: ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::StatusOr<client::Client> Context::connect_to(const std::string& address,
                                                   absl::Duration timeout) const {
  return client::Client::connect(address, timeout, tls_);
}

absl::StatusOr<client::Client> Context::connect(absl::Duration timeout) const {
  if (!address_.empty()) return connect_to(address_, timeout);
  if (!tls_.empty()) {
    return absl::InvalidArgumentError(
        "--tls-ca: is for a daemon that is named, --address HOST:PORT");
  }
  absl::StatusOr<client::Client> client =
      client::Client::connect(client::default_address(), timeout);
  if (client.ok()) return client;
  return absl::Status(client.status().code(),
                      absl::StrCat(client.status().message(),
                                   "; start tcproctord, or say --address unix:PATH or HOST:PORT"));
}

absl::Status Context::emit_text(const std::string& json) {
  if (json_.empty()) return absl::OkStatus();
  std::ostream& target = json_ == "-" ? out_ : json_file_;
  target << json << std::flush;
  // Who reads has enough (`| head`): no error of ours.
  if (!target && json_ == "-" && errno == EPIPE) return absl::OkStatus();
  if (!target) return absl::DataLossError(absl::StrCat("--json ", json_, ": writing failed"));
  return absl::OkStatus();
}

absl::Status Context::emit(const google::protobuf::Message& message) {
  if (json_.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> json = to_json(message, /*indented=*/true);
  return json.ok() ? emit_text(*json) : json.status();
}

absl::Status Context::emit_line(const google::protobuf::Message& message) {
  if (json_.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> json = to_json(message, /*indented=*/false);
  return json.ok() ? emit_text(*json) : json.status();
}

}  // namespace tcproctor::cli
