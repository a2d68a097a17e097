// SPDX-License-Identifier: Apache-2.0
// What a verb works with: streams, the daemon's address, and where JSON goes.
#pragma once

#include <google/protobuf/message.h>

#include <fstream>
#include <iosfwd>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/client.h"

namespace tcproctor::cli {

// protobuf's JSON with the field names of the .proto files and every plain field present, on one
// line or indented.
absl::StatusOr<std::string> to_json(const google::protobuf::Message& message, bool indented);

// Whether text may have colours: on a terminal that shows them (`term`, TERM) and unless the user
// wants none (`no_color`, NO_COLOR, that is neither null nor empty: https://no-color.org).
bool shows_colours(bool terminal, const char* term, const char* no_color);

class Context {
 public:
  // How long a daemon has to answer.
  static constexpr absl::Duration kConnectTimeout = absl::Seconds(10);

  // `colours`: the text goes to a terminal that shows them.
  Context(std::istream& in, std::ostream& out, std::ostream& err, bool colours);

  std::istream& in() { return in_; }
  // Where text for people goes. With `--json -` that is nowhere: standard output is JSON alone.
  std::ostream& text() { return text_; }
  // Standard output itself, for data that was asked for (received octets, a capture).
  std::ostream& out() { return out_; }
  std::ostream& err() { return err_; }
  bool colours() const { return colours_; }

  // --address; empty where it was not given.
  const std::string& address() const { return address_; }
  // --json; empty where it was not given.
  const std::string& json() const { return json_; }

  // The flags every verb has.
  std::string* address_flag() { return &address_; }
  std::string* json_flag() { return &json_; }
  std::string* output_flag() { return &output_; }
  client::Tls* tls_flags() { return &tls_; }
  // To be called when flags have been read: settles --output, and opens the JSON file.
  absl::Status open_json();

  // Whether a daemon is asked for that is there: by its address, or by what it would need.
  bool daemon_named() const { return !address_.empty() || !tls_.empty(); }
  // A client for --address, or for the default address. INVALID_ARGUMENT: --tls-* without the
  // former.
  absl::StatusOr<client::Client> connect(absl::Duration timeout = kConnectTimeout) const;
  // A client for another daemon, as --address would give it.
  absl::StatusOr<client::Client> connect_to(const std::string& address,
                                            absl::Duration timeout = kConnectTimeout) const;

  // Writes a response as JSON, if JSON was asked for: indented when it is the only one, one line
  // each when there are many.
  absl::Status emit(const google::protobuf::Message& message);
  absl::Status emit_line(const google::protobuf::Message& message);
  // The same for text that is JSON already.
  absl::Status emit_text(const std::string& json);

 private:
  std::istream& in_;
  std::ostream& out_;
  std::ostream& err_;
  std::ostream text_;
  const bool colours_;
  std::string address_;
  client::Tls tls_;
  std::string json_;
  std::string output_;  // as given; open_json() settles it in json_
  std::ofstream json_file_;
};

}  // namespace tcproctor::cli
