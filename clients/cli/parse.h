// SPDX-License-Identifier: Apache-2.0
// What people write on the command line, as messages. All errors are INVALID_ARGUMENT and say what
// would be right.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tcproctor/v1/endpoint.pb.h"
#include "tcproctor/v1/segment.pb.h"
#include "tcproctor/v1/sessions.pb.h"

namespace tcproctor::cli {

// "A" or "B".
absl::StatusOr<v1::End> parse_end(const std::string& text);

// What an end of a new session can be, as the value of a flag; sets it unless it is that already,
// so that settings stay.
inline constexpr char kEndKinds[] = "stack|kernel|scripted|remote";
void set_end_kind(const std::string& kind, v1::EndSpec& end);

// "192.0.2.1:80", "[2001:db8::1]:80", ":80" or "80"; the port is 0..65535.
absl::StatusOr<v1::SocketAddress> parse_socket_address(const std::string& text);

// An active OPEN that was told only a port goes to the first address of the other end.
absl::Status fill_peer_address(const v1::Session& session, v1::OpenRequest& request);

// A connection by its id, "3", or by its socket pair, "B/192.0.2.2:80-192.0.2.1:40000", with "#2"
// after it for its second incarnation.
absl::StatusOr<v1::ConnectionRef> parse_connection(const std::string& session,
                                                   const std::string& text);

// "SYN-SENT,ESTABLISHED".
absl::StatusOr<std::vector<v1::TcpState>> parse_states(const std::string& text);

// Letters, "S." for SYN and ACK, out of F S R P . U E W; or names, "SYN,ACK", out of FIN SYN RST
// PSH ACK URG ECE CWR AE. "0" is none. The value is TcpHeader.flags.
absl::StatusOr<uint32_t> parse_tcp_flags(const std::string& text);

// "0x01ff", "01 ff" or "01:ff" as octets.
absl::StatusOr<std::string> parse_hex(const std::string& text);

// One field of ConnectionOptions, "NAME=VALUE": numbers, on and off, times such as 300ms, the
// values of enums without their prefix, messages in the text form of protocol buffers.
absl::Status parse_option(const std::string& text, v1::ConnectionOptions& options);
// A flag for it that may be given again and again.
struct OptionsFlag {
  v1::ConnectionOptions options;
};
bool AbslParseFlag(absl::string_view text, OptionsFlag* flag, std::string* error);

// A message from JSON: the text itself, or the file that "@FILE" names.
absl::Status parse_json(const std::string& text, google::protobuf::Message* message);

// "192.0.2.1:80", "[2001:db8::1]:80", "*:80" for an address that is not specified.
std::string to_text(const v1::SocketAddress& address);

}  // namespace tcproctor::cli
