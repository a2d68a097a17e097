// SPDX-License-Identifier: Apache-2.0
// A running SHA-256 (OpenSSL), readable at any point.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace tcproctor::server {

class Sha256 {
 public:
  Sha256();
  void update(std::span<const uint8_t> data);
  // Of what came so far, in lower-case hex; more may follow.
  std::string hex() const;

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace tcproctor::server
