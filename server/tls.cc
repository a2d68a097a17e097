// SPDX-License-Identifier: Apache-2.0
#include "server/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {
namespace {

constexpr unsigned kRefreshSeconds = 1;

struct Free {
  void operator()(std::FILE* file) const { std::fclose(file); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

absl::Status wrong(const std::string& flag, const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", path, ": ", what));
}

// The first `Part` of a PEM file.
template <class Part, class Read>
absl::StatusOr<std::unique_ptr<Part, Free>> read_pem(const std::string& flag,
                                                     const std::string& path, const char* what,
                                                     Read read) {
  const std::unique_ptr<std::FILE, Free> file(std::fopen(path.c_str(), "re"));
  if (file == nullptr) return wrong(flag, path, std::strerror(errno));
  // A password would be asked for on the terminal.
  const auto no_password = [](char*, int, int, void*) { return 0; };
  std::unique_ptr<Part, Free> part(read(file.get(), nullptr, no_password, nullptr));
  if (part == nullptr) return wrong(flag, path, absl::StrCat("holds no ", what, " as PEM"));
  return part;
}

// gRPC would tell of these only when the first client comes, and only that client.
absl::Status check_files(const TlsOptions& options) {
  const auto certificate =
      read_pem<X509>("--tls-cert", options.certificate, "certificate", PEM_read_X509);
  if (!certificate.ok()) return certificate.status();
  const auto key = read_pem<EVP_PKEY>("--tls-key", options.key, "private key without a password",
                                      PEM_read_PrivateKey);
  if (!key.ok()) return key.status();
  const auto ca =
      read_pem<X509>("--tls-client-ca", options.client_ca, "certificate", PEM_read_X509);
  if (!ca.ok()) return ca.status();
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    return wrong("--tls-key", options.key,
                 absl::StrCat("is not the key of the certificate in ", options.certificate));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate->get())) < 0) {
    return wrong("--tls-cert", options.certificate, "the certificate has expired");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> make_tls_credentials(
    const TlsOptions& options) {
  const absl::Status status = check_files(options);
  if (!status.ok()) return status;
  grpc::experimental::TlsServerCredentialsOptions tls(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          options.key, options.certificate, options.client_ca, kRefreshSeconds));
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  // gRPC's own lowest version is TLS 1.2.
  return grpc::experimental::TlsServerCredentials(tls);
}

}  // namespace tcproctor::server
