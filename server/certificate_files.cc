// SPDX-License-Identifier: Apache-2.0
#include "server/certificate_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/access/file_state.h"

namespace tcproctor::server {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::array kFlags = {"--tls-cert", "--tls-key", "--tls-client-ca"};

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

absl::Status wrong(const char* flag, const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", path, ": ", what));
}

// The first part of that kind in a PEM file's text; null: there is none.
template <class Part, class Read>
std::unique_ptr<Part, Free> first_of(const std::string& pem, Read read) {
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // A password would be asked for on the terminal.
  const auto no_password = [](char*, int, int, void*) { return 0; };
  return std::unique_ptr<Part, Free>(read(bio.get(), nullptr, no_password, nullptr));
}

absl::StatusOr<std::string> text_of(const char* flag, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return wrong(flag, path, std::strerror(errno));
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<CertificateFiles>> CertificateFiles::open(
    const std::string& certificate, const std::string& key, const std::string& client_ca) {
  std::unique_ptr<CertificateFiles> made(new CertificateFiles);
  made->files_[kCertificate].path = certificate;
  made->files_[kKey].path = key;
  made->files_[kClientCa].path = client_ca;
  for (File& file : made->files_) {
    file.shown = UniqueFd(memfd_create("tcproctor-tls", MFD_CLOEXEC));
    if (!file.shown.valid()) return absl::ErrnoToStatus(errno, "memory for a copy of " + file.path);
  }
  if (absl::Status status = made->read(); !status.ok()) return status;
  made->watcher_ = std::thread([watching = made.get()] { watching->watch(); });
  return made;
}

CertificateFiles::~CertificateFiles() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  wake_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

std::string CertificateFiles::shown_path(Part part) const {
  return absl::StrCat("/proc/self/fd/", files_[part].shown.get());
}

absl::Status CertificateFiles::read() {
  std::array<std::string, kParts> texts;
  for (size_t i = 0; i < kParts; ++i) {
    files_[i].seen = state_of(files_[i].path);
    absl::StatusOr<std::string> text = text_of(kFlags[i], files_[i].path);
    if (!text.ok()) return text.status();
    texts[i] = *std::move(text);
  }
  const auto no = [this](Part part, absl::string_view what) {
    return wrong(kFlags[part], files_[part].path, what);
  };
  const auto certificate = first_of<X509>(texts[kCertificate], PEM_read_bio_X509);
  if (certificate == nullptr) return no(kCertificate, "holds no certificate as PEM");
  const auto key = first_of<EVP_PKEY>(texts[kKey], PEM_read_bio_PrivateKey);
  if (key == nullptr) return no(kKey, "holds no private key without a password as PEM");
  const auto ca = first_of<X509>(texts[kClientCa], PEM_read_bio_X509);
  if (ca == nullptr) return no(kClientCa, "holds no certificate as PEM");
  if (X509_check_private_key(certificate.get(), key.get()) != 1) {
    return no(kKey, "is not the key of the certificate in " + files_[kCertificate].path);
  }
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.get())) < 0) {
    return no(kCertificate, "the certificate has expired");
  }
  // gRPC compares the files' times before and after it reads them: it takes no half of this.
  for (size_t i = 0; i < kParts; ++i) {
    const int fd = files_[i].shown.get();
    const auto size = static_cast<ssize_t>(texts[i].size());
    if (pwrite(fd, texts[i].data(), texts[i].size(), 0) != size || ftruncate(fd, size) != 0) {
      return absl::ErrnoToStatus(errno, "copying " + files_[i].path);
    }
  }
  return absl::OkStatus();
}

bool CertificateFiles::changed() const {
  return std::ranges::any_of(
      files_, [](const File& file) { return !same_file(state_of(file.path), file.seen); });
}

void CertificateFiles::watch() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kLookEvery,
                         [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return over_; })) {
    if (!changed()) continue;
    const absl::Status status = read();
    if (status.ok()) {
      spdlog::info("read the certificates again: {}", files_[kCertificate].path);
    } else {
      spdlog::error("{}; the certificates read before stay in force",
                    std::string(status.message()));
    }
  }
}

}  // namespace tcproctor::server
