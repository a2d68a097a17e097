// SPDX-License-Identifier: Apache-2.0
#include "server/serve/sha256.h"

#include "absl/strings/escaping.h"
#include "stack/tcp/check.h"

namespace tcproctor::server {

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  TCPROCTOR_CHECK(context_ != nullptr);
  TCPROCTOR_CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::update(std::span<const uint8_t> data) {
  TCPROCTOR_CHECK(EVP_DigestUpdate(context_.get(), data.data(), data.size()) == 1);
}

std::string Sha256::hex() const {
  // Finishing consumes the state, so a copy is finished.
  std::unique_ptr<EVP_MD_CTX, Free> copy(EVP_MD_CTX_new());
  TCPROCTOR_CHECK(copy != nullptr && EVP_MD_CTX_copy_ex(copy.get(), context_.get()) == 1);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  TCPROCTOR_CHECK(EVP_DigestFinal_ex(copy.get(), digest, &length) == 1);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), length));
}

}  // namespace tcproctor::server
