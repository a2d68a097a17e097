// SPDX-License-Identifier: Apache-2.0
#include "server/tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

namespace tcproctor::server {
namespace {

constexpr unsigned kRefreshSeconds = 1;

}  // namespace

absl::StatusOr<TlsCredentials> make_tls_credentials(const TlsOptions& options) {
  absl::StatusOr<std::unique_ptr<CertificateFiles>> files =
      CertificateFiles::open(options.certificate, options.key, options.client_ca);
  if (!files.ok()) return files.status();
  grpc::experimental::TlsServerCredentialsOptions tls(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          (*files)->key(), (*files)->certificate(), (*files)->client_ca(), kRefreshSeconds));
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  // gRPC's own lowest version is TLS 1.2.
  return TlsCredentials{*std::move(files), grpc::experimental::TlsServerCredentials(tls)};
}

}  // namespace tcproctor::server
