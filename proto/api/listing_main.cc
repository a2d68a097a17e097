// SPDX-License-Identifier: Apache-2.0
// Prints the API as it is, for proto/api/released.txt: see proto/README.md.
#include <fstream>
#include <iostream>

#include "proto/api/listing.h"

int main() {
  std::ifstream file(TCPROCTOR_API_DESCRIPTORS, std::ios::binary);
  google::protobuf::FileDescriptorSet files;
  if (!files.ParseFromIstream(&file)) {
    std::cerr << "api_listing: cannot read " TCPROCTOR_API_DESCRIPTORS "\n";
    return 1;
  }
  std::cout << "# The API as released with tcproctor " TCPROCTOR_VERSION
               "; build/bin/api_listing wrote it. What stands here stays:\n"
               "# see proto/README.md. Only a release changes this file.\n"
            << tcproctor::api::to_text(tcproctor::api::list_api(files));
}
