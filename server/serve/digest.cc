// SPDX-License-Identifier: Apache-2.0
#include "server/serve/digest.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "stack/tcp/check.h"

namespace tcproctor::server {

void Digest::Free::operator()(EVP_MD_CTX* context) const {
  EVP_MD_CTX_free(context);
}

Digest::Digest() : context_(EVP_MD_CTX_new()) {
  TCPROCTOR_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Digest::update(std::span<const uint8_t> octets) {
  TCPROCTOR_CHECK(EVP_DigestUpdate(context_.get(), octets.data(), octets.size()) == 1);
}

std::string Digest::hex() const {
  // Finishing a digest ends it, so a copy is finished.
  const std::unique_ptr<EVP_MD_CTX, Free> copy(EVP_MD_CTX_new());
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  TCPROCTOR_CHECK(EVP_MD_CTX_copy_ex(copy.get(), context_.get()) == 1);
  TCPROCTOR_CHECK(EVP_DigestFinal_ex(copy.get(), out, &length) == 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(out), length));
}

}  // namespace tcproctor::server
