// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/gzip.h"

#include <google/protobuf/io/gzip_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>

namespace tcproctor::conformance {

std::string gzip(const std::string& octets) {
  std::string zipped;
  {
    google::protobuf::io::StringOutputStream out(&zipped);
    google::protobuf::io::GzipOutputStream::Options options;
    options.compression_level = 9;
    google::protobuf::io::GzipOutputStream stream(&out, options);
    void* buffer = nullptr;
    int size = 0;
    for (size_t at = 0; at < octets.size();) {
      if (!stream.Next(&buffer, &size)) break;
      const size_t taken = std::min(static_cast<size_t>(size), octets.size() - at);
      std::copy_n(octets.data() + at, taken, static_cast<char*>(buffer));
      at += taken;
      stream.BackUp(size - static_cast<int>(taken));
    }
    stream.Close();
  }
  return zipped;
}

}  // namespace tcproctor::conformance
