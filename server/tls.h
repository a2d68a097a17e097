// SPDX-License-Identifier: Apache-2.0
// Mutual TLS for listeners that others can reach.
#pragma once

#include <memory>
#include <string>

#include <grpcpp/security/server_credentials.h>

#include "absl/status/statusor.h"
#include "server/certificate_files.h"

namespace tcproctor::server {

struct TlsOptions {
  std::string certificate;  // PEM file: the daemon's certificate, and those between it and its CA
  std::string key;          // PEM file: the key of that certificate
  std::string client_ca;    // PEM file: the CAs whose certificates clients must show
  std::string rules;        // what they may do: see access/client_rules.proto
};

struct TlsCredentials {
  std::unique_ptr<CertificateFiles> files;  // must live as long as the server
  std::shared_ptr<grpc::ServerCredentials> credentials;
};

// Credentials that ask each client for a certificate of one of the CAs and refuse those without,
// TLS 1.2 or later. The files are read again within seconds after they changed, if they can be
// used; connections that are there go on. INVALID_ARGUMENT: a file cannot be used, and why.
absl::StatusOr<TlsCredentials> make_tls_credentials(const TlsOptions& options);

}  // namespace tcproctor::server
