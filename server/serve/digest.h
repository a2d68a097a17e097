// SPDX-License-Identifier: Apache-2.0
// SHA-256 of a stream, readable at any moment.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

typedef struct evp_md_ctx_st EVP_MD_CTX;

namespace tcproctor::server {

class Digest {
 public:
  Digest();
  void update(std::span<const uint8_t> octets);
  // Of everything so far; 64 hexadecimal digits.
  std::string hex() const;

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const;
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace tcproctor::server
