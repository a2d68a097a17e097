// SPDX-License-Identifier: Apache-2.0
// A capture file that grows with the log, so that it can be read while it is followed. Its octets
// are those of the daemon's Wire.Pcap.
#pragma once

#include <ostream>

#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::cli {

class PcapFile {
 public:
  // Writes the file header: nanoseconds, LINKTYPE_RAW, little endian on every machine.
  explicit PcapFile(std::ostream& out);
  // Appends one packet, with its wall time where the log has one and session time otherwise.
  void append(const v1::LogEntry& entry);

 private:
  void put32(uint32_t value);

  std::ostream& out_;
};

}  // namespace tcproctor::cli
