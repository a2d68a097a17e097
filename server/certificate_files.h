// SPDX-License-Identifier: Apache-2.0
// The PEM files of a TLS listener, checked before gRPC sees them. gRPC reads its files again by
// itself, but lets nobody in while what it finds there cannot be used: half of a pair that is just
// being replaced, a file that is being written. So it is shown copies, in memory, which are only
// ever whole.
#pragma once

#include <sys/stat.h>

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "server/host/unique_fd.h"

namespace tcproctor::server {

class CertificateFiles {
 public:
  // PEM files: the daemon's certificate with those between it and its CA, its key, and the CAs of
  // clients. INVALID_ARGUMENT: one cannot be used, and why, by the flag that named it.
  static absl::StatusOr<std::unique_ptr<CertificateFiles>> open(const std::string& certificate,
                                                                const std::string& key,
                                                                const std::string& client_ca);
  ~CertificateFiles();

  // Where gRPC finds the copies. Once a second the files are looked at; what changed and can be
  // used is copied, what cannot be used is told in the log, and what was read before stays.
  std::string certificate() const { return shown_path(kCertificate); }
  std::string key() const { return shown_path(kKey); }
  std::string client_ca() const { return shown_path(kClientCa); }

 private:
  enum Part { kCertificate, kKey, kClientCa, kParts };
  struct File {
    std::string path;
    UniqueFd shown;
    struct stat seen {};
  };

  CertificateFiles() = default;
  std::string shown_path(Part part) const;
  absl::Status read();
  bool changed() const;
  void watch();

  std::array<File, kParts> files_;  // of the watching thread, once it runs
  std::mutex mutex_;
  std::condition_variable wake_;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watcher_;
};

}  // namespace tcproctor::server
