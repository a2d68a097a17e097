// SPDX-License-Identifier: Apache-2.0
// The log as a pcap file, in pieces: nanosecond time stamps, LINKTYPE_RAW. Stamps are the kernel's
// wall time; under a virtual clock, session time counted from 1970.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/wire/log.h"

struct pcap;
struct pcap_dumper;

namespace tcproctor::server {

class PcapWriter {
 public:
  // Packets after number `after`.
  static absl::StatusOr<std::unique_ptr<PcapWriter>> create(std::shared_ptr<const WireLog> log,
                                                            uint64_t after);
  ~PcapWriter();
  PcapWriter(const PcapWriter&) = delete;
  PcapWriter& operator=(const PcapWriter&) = delete;

  // The next piece of the file, of about kChunkBytes; false when there is no more. The first piece
  // has the file header, so a log without packets gives a file too. DATA_LOSS: packets after the
  // cursor were dropped from the log before they were written.
  absl::StatusOr<bool> next(std::string& chunk);

 private:
  static constexpr size_t kChunkBytes = size_t{64} << 10;

  PcapWriter(std::shared_ptr<const WireLog> log, uint64_t after);
  void write(const LogRecord& record);

  const std::shared_ptr<const WireLog> log_;
  uint64_t cursor_;
  const uint64_t end_;  // the log's last packet when the call was made
  pcap* pcap_ = nullptr;
  pcap_dumper* dumper_ = nullptr;
  std::string pending_;
};

}  // namespace tcproctor::server
