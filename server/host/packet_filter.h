// SPDX-License-Identifier: Apache-2.0
// Keeps this machine's kernel from answering for ports that our stack has of its addresses: a
// nf_tables rule over netlink. The kernel sees every segment to them, knows no such connection and
// would send RST.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/host/namespace.h"
#include "server/host/unique_fd.h"
#include "stack/packet/address.h"

namespace tcproctor::server {

struct QuietPorts {
  std::vector<packet::IpAddress> addresses;  // of the machine
  uint16_t first_port = 0, last_port = 0;
  uint32_t mark = 0;  // segments with this SO_MARK pass: they are ours
};

// A table of our own, "tcproctor-PID-START-N" of family inet, in the calling thread's network
// namespace: what leaves from these ports with RST set and without the mark is dropped. The kernel
// takes the table away when this object's socket is closed, however the process ends.
class PacketFilter {
 public:
  // PERMISSION_DENIED: CAP_NET_ADMIN is missing; FAILED_PRECONDITION: a kernel without nf_tables.
  static absl::StatusOr<std::unique_ptr<PacketFilter>> install(const QuietPorts& ports);
  // The same on a kernel that cannot tie a table to a socket (before 5.12): there it is removed by
  // this object, or else found again by remove_orphaned_filters(). For tests.
  static absl::StatusOr<std::unique_ptr<PacketFilter>> install_unowned(const QuietPorts& ports);
  ~PacketFilter();

  const std::string& table() const { return table_; }

 private:
  PacketFilter(UniqueFd socket, std::string table, bool owned)
      : socket_(std::move(socket)), table_(std::move(table)), owned_(owned) {}
  static absl::StatusOr<std::unique_ptr<PacketFilter>> install(const QuietPorts& ports, bool owned);

  const UniqueFd socket_;
  const std::string table_;
  const bool owned_;
};

// Whether nobody else has or may get these TCP ports of the machine. FAILED_PRECONDITION names one
// that a socket uses, or that the kernel may choose for a connection.
absl::Status check_ports_free(const NetworkNamespace& ns, uint16_t first_port, uint16_t last_port);

// Names of all nf_tables tables of family inet in the calling thread's namespace.
absl::StatusOr<std::vector<std::string>> filter_tables();
// Whether a table of that name is of ours, and the process that made it is no more.
bool is_orphaned_filter(const std::string& table);
// Removes the tables of processes that are no more; returns their names.
absl::StatusOr<std::vector<std::string>> remove_orphaned_filters();

}  // namespace tcproctor::server
