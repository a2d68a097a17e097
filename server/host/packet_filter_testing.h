// SPDX-License-Identifier: Apache-2.0
// For tests: packet filters in a namespace, and a process that is killed while it has one.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/host/namespace.h"
#include "server/host/namespace_testing.h"
#include "server/host/packet_filter.h"

namespace tcproctor::server::testing {

inline std::vector<std::string> filter_tables_in(const NetworkNamespace& ns) {
  std::vector<std::string> names;
  const absl::Status status = run_in(ns, [&] {
    auto found = filter_tables();
    if (found.ok()) names = std::move(*found);
    return found.status();
  });
  EXPECT_TRUE(status.ok()) << status;
  return names;
}

// `owned`: as PacketFilter::install does it; else as on an old kernel. Null: it failed.
inline std::unique_ptr<PacketFilter> install_filter(const NetworkNamespace& ns, bool owned,
                                                    const QuietPorts& ports) {
  std::unique_ptr<PacketFilter> filter;
  const absl::Status status = run_in(ns, [&] {
    auto made = owned ? PacketFilter::install(ports) : PacketFilter::install_unowned(ports);
    if (made.ok()) filter = std::move(*made);
    return made.status();
  });
  EXPECT_TRUE(status.ok()) << status;
  return filter;
}

// A process that has installed the filter and waits.
class FilteringProcess {
 public:
  FilteringProcess(const NetworkNamespace& ns, bool owned, const QuietPorts& ports) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
      const std::unique_ptr<PacketFilter> filter = install_filter(ns, owned, ports);
      const char done = filter != nullptr ? 'y' : 'n';
      if (write(ready[1], &done, 1) != 1) _exit(1);
      for (;;) pause();
    }
    char done = 0;
    EXPECT_EQ(read(ready[0], &done, 1), 1);
    EXPECT_EQ(done, 'y');
    close(ready[0]);
    close(ready[1]);
  }
  ~FilteringProcess() { kill_it(); }
  FilteringProcess(const FilteringProcess&) = delete;
  FilteringProcess& operator=(const FilteringProcess&) = delete;

  void kill_it() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace tcproctor::server::testing
