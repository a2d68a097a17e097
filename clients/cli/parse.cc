// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/parse.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/reflect.h"

namespace tcproctor::cli {

absl::StatusOr<v1::End> parse_end(const std::string& text) {
  if (const auto end = conformance::parse_end(text)) return *end;
  return absl::InvalidArgumentError(absl::StrCat("end \"", text, "\": want A or B"));
}

void set_end_kind(const std::string& kind, v1::EndSpec& end) {
  if (kind == "stack")
    end.mutable_stack();
  else if (kind == "kernel")
    end.mutable_kernel();
  else if (kind == "scripted")
    end.mutable_scripted();
  else if (kind == "remote")
    end.mutable_remote();
}

absl::StatusOr<v1::SocketAddress> parse_socket_address(const std::string& text) {
  const auto wrong = [&text](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\": ", why, "; want ADDRESS:PORT, [ADDRESS]:PORT or :PORT"));
  };
  const size_t colon = text.rfind(':');
  std::string host = colon == std::string::npos ? "" : text.substr(0, colon);
  const std::string digits = colon == std::string::npos ? text : text.substr(colon + 1);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':')) {
    return wrong("an IPv6 address stands in brackets");
  }
  uint32_t port = 0;
  if (!absl::SimpleAtoi(digits, &port) || port > 65535) return wrong("the port must be 0..65535");
  v1::SocketAddress address;
  address.set_address(host);
  address.set_port(port);
  return address;
}

absl::Status fill_peer_address(const v1::Session& session, v1::OpenRequest& request) {
  if (!request.remote().address().empty()) return absl::OkStatus();
  const v1::EndInfo& peer = request.end() == v1::END_A ? session.b() : session.a();
  if (peer.addresses().empty())
    return absl::InvalidArgumentError("--to: the other end has no address, name one");
  const std::string& address = peer.addresses(0);
  request.mutable_remote()->set_address(address.substr(0, address.find('/')));
  return absl::OkStatus();
}

absl::StatusOr<v1::ConnectionRef> parse_connection(const std::string& session,
                                                   const std::string& text) {
  v1::ConnectionRef ref;
  ref.set_session(session);
  if (uint64_t id = 0; absl::SimpleAtoi(text, &id)) {
    ref.set_id(id);
    return ref;
  }
  const auto wrong = [&text] {
    return absl::InvalidArgumentError(
        absl::StrCat("connection \"", text,
                     "\": want its id, or its socket pair as END/LOCAL-REMOTE[#INCARNATION], "
                     "B/192.0.2.2:80-192.0.2.1:40000"));
  };
  const std::vector<std::string> incarnation = absl::StrSplit(text, absl::MaxSplits('#', 1));
  if (incarnation.size() == 2) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(incarnation[1], &number)) return wrong();
    ref.set_incarnation(number);
  }
  const std::vector<std::string> parts = absl::StrSplit(incarnation[0], absl::MaxSplits('/', 1));
  if (parts.size() != 2) return wrong();
  const std::vector<std::string> sockets = absl::StrSplit(parts[1], '-');
  const absl::StatusOr<v1::End> end = parse_end(parts[0]);
  if (!end.ok() || sockets.size() != 2) return wrong();
  ref.set_end(*end);
  const absl::StatusOr<v1::SocketAddress> local = parse_socket_address(sockets[0]);
  if (!local.ok()) return local.status();
  const absl::StatusOr<v1::SocketAddress> remote = parse_socket_address(sockets[1]);
  if (!remote.ok()) return remote.status();
  *ref.mutable_pair()->mutable_local() = *local;
  *ref.mutable_pair()->mutable_remote() = *remote;
  return ref;
}

absl::StatusOr<std::vector<v1::TcpState>> parse_states(const std::string& text) {
  std::vector<v1::TcpState> states;
  for (const auto word : absl::StrSplit(text, ',')) {
    const auto state = conformance::parse_state(std::string(word));
    if (!state) {
      return absl::InvalidArgumentError(
          absl::StrCat("state \"", word, "\": want names of RFC 9293, as SYN-RECEIVED"));
    }
    states.push_back(*state);
  }
  return states;
}

absl::StatusOr<uint32_t> parse_tcp_flags(const std::string& text) {
  if (text == "0") return 0;
  uint32_t flags = 0;
  bool all_words = true;
  for (const auto word : absl::StrSplit(text, ',')) {
    const auto flag = std::find_if(
        conformance::kFlagLetters.begin(), conformance::kFlagLetters.end(),
        [word](const auto& f) { return absl::string_view(f.name.data(), f.name.size()) == word; });
    all_words = all_words && flag != conformance::kFlagLetters.end();
    if (all_words) flags |= flag->bit;
  }
  if (all_words) return flags;
  flags = 0;
  for (const char letter : text) {
    const std::optional<uint32_t> bit = conformance::flag_bit(letter);
    // A lone "A" is AE to packetdrill and ACK to everybody else: it must be written out.
    if (!bit || letter == 'A') {
      return absl::InvalidArgumentError(absl::StrCat(
          "flags \"", text, "\": want letters of F S R P . (ACK) U E W as in \"S.\", or names of ",
          "FIN SYN RST PSH ACK URG ECE CWR AE as in \"SYN,ACK\""));
    }
    flags |= *bit;
  }
  return flags;
}

absl::StatusOr<std::string> parse_hex(const std::string& text) {
  std::string digits;
  for (const char c : absl::StripPrefix(text, "0x")) {
    if (std::isxdigit(static_cast<unsigned char>(c))) {
      digits += c;
    } else if (c != ' ' && c != ':' && c != '\n') {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\": want hexadecimal digits, two for an octet"));
    }
  }
  if (digits.size() % 2 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\": an odd number of hexadecimal digits, want two for an octet"));
  }
  return absl::HexStringToBytes(digits);
}

absl::Status parse_option(const std::string& text, v1::ConnectionOptions& options) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\" is not of the form NAME=VALUE, as in no_delay=on"));
  }
  return conformance::set_field(options, text.substr(0, equals), text.substr(equals + 1));
}

bool AbslParseFlag(absl::string_view text, OptionsFlag* flag, std::string* error) {
  const absl::Status status = parse_option(std::string(text), flag->options);
  *error = std::string(status.message());
  return status.ok();
}

absl::Status parse_json(const std::string& text, google::protobuf::Message* message) {
  std::string json = text;
  if (absl::StartsWith(text, "@")) {
    std::ifstream file(text.substr(1), std::ios::binary);
    if (!file) return absl::InvalidArgumentError(absl::StrCat(text.substr(1), ": cannot be read"));
    json.assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto status = google::protobuf::util::JsonStringToMessage(json, message);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("this is not a ",
                                                 message->GetDescriptor()->full_name(),
                                                 " in JSON: ", std::string(status.message())));
}

std::string to_text(const v1::SocketAddress& address) {
  if (address.address().empty()) return absl::StrCat("*:", address.port());
  if (absl::StrContains(address.address(), ':'))
    return absl::StrCat("[", address.address(), "]:", address.port());
  return absl::StrCat(address.address(), ":", address.port());
}

}  // namespace tcproctor::cli
