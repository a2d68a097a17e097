// SPDX-License-Identifier: Apache-2.0
// A capture file that grows with the log, so that it can be read while it is followed. Its octets
// are those of the daemon's Wire.Pcap.
#pragma once

#include <cstdint>
#include <limits>
#include <ostream>

#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::conformance {

class PcapFile {
 public:
  // Writes the file header: nanoseconds, LINKTYPE_RAW, little endian on every machine.
  explicit PcapFile(std::ostream& out);
  // Appends one packet, with its wall time where the log has one and session time otherwise. Of a
  // longer one the first `octets` are captured, and its whole length is told.
  void append(const v1::LogEntry& entry, size_t octets = std::numeric_limits<size_t>::max());

 private:
  void put32(uint32_t value);

  std::ostream& out_;
};

}  // namespace tcproctor::conformance
