// SPDX-License-Identifier: Apache-2.0
#include "clients/cpp/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tcproctor::client {
namespace {

absl::Status bad_address(absl::string_view address, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("address \"", address, "\": ", why, "; want unix:PATH or HOST:PORT"));
}

absl::StatusOr<std::string> read_file(absl::string_view what, const std::string& path) {
  if (path.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tls: the file of the ", what, " is not named; CA, certificate and key are needed"));
  }
  std::ifstream file(path);
  if (!file) {
    return absl::InvalidArgumentError(absl::StrCat("tls: ", path, ": ", std::strerror(errno)));
  }
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!absl::StrContains(text, "-----BEGIN")) {
    return absl::InvalidArgumentError(absl::StrCat("tls: ", path, " holds no ", what, " as PEM"));
  }
  return text;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> make_credentials(absl::string_view target,
                                                                           const Tls& tls) {
  if (tls.empty()) return grpc::InsecureChannelCredentials();
  if (absl::StartsWith(target, "unix:")) {
    return absl::InvalidArgumentError("tls: a Unix socket is without; want HOST:PORT");
  }
  const absl::StatusOr<std::string> ca = read_file("CA", tls.ca);
  if (!ca.ok()) return ca.status();
  const absl::StatusOr<std::string> cert = read_file("certificate", tls.cert);
  if (!cert.ok()) return cert.status();
  const absl::StatusOr<std::string> key = read_file("key", tls.key);
  if (!key.ok()) return key.status();
  return grpc::SslCredentials(
      {.pem_root_certs = *ca, .pem_private_key = *key, .pem_cert_chain = *cert});
}

}  // namespace

absl::StatusOr<std::string> parse_address(std::string_view text) {
  // Debian's Abseil has a string_view of its own.
  const absl::string_view address(text.data(), text.size());
  constexpr absl::string_view kUnix = "unix:";
  if (absl::StartsWith(address, kUnix)) {
    const absl::string_view path = address.substr(kUnix.size());
    if (path.empty()) return bad_address(address, "the path is empty");
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
      return bad_address(address, "a socket's path has at most 107 octets");
    }
    return std::string(address);
  }
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos) return bad_address(address, "no port");
  const absl::string_view host = address.substr(0, colon);
  if (host.empty()) return bad_address(address, "no host");
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (!bracketed && absl::StrContains(host, ':')) {
    return bad_address(address, "an IPv6 address stands in brackets, [2001:db8::1]:7070");
  }
  if (absl::StrContains(host, '/')) return bad_address(address, "no URL");
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return bad_address(address, "the port must be 1..65535");
  }
  return absl::StrCat("dns:", address);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> make_channel(std::string_view address,
                                                            const Tls& tls) {
  absl::StatusOr<std::string> target = parse_address(address);
  if (!target.ok()) return target.status();
  const absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials =
      make_credentials(*target, tls);
  if (!credentials.ok()) return credentials.status();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(-1);
  // No path whose capacity had to be probed; the probes of a busy stream cost more than it carries.
  if (absl::StartsWith(*target, "unix:")) arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // Two clients of one process that talk to two daemons on the same address, one after the other
  // (tests do), must not share a broken connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(*target, *credentials, arguments);
}

std::string default_address() {
  if (geteuid() == 0) return "unix:/run/tcproctor.sock";
  if (const char* directory = std::getenv("XDG_RUNTIME_DIR"); directory && *directory) {
    return absl::StrCat("unix:", directory, "/tcproctor.sock");
  }
  return absl::StrCat("unix:/tmp/tcproctor-", geteuid(), ".sock");
}

}  // namespace tcproctor::client
