// SPDX-License-Identifier: Apache-2.0
#include "server/wire/pcap_writer.h"

#include <pcap/pcap.h>

#include <utility>

namespace tcproctor::server {
namespace {

constexpr int kSnapLength = 262144;  // above any IP packet
constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

ssize_t append_to(void* cookie, const char* octets, size_t size) {
  static_cast<std::string*>(cookie)->append(octets, size);
  return static_cast<ssize_t>(size);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PcapWriter>> PcapWriter::create(std::shared_ptr<const WireLog> log,
                                                               uint64_t after) {
  std::unique_ptr<PcapWriter> writer(new PcapWriter(std::move(log), after));
  writer->pcap_ =
      pcap_open_dead_with_tstamp_precision(DLT_RAW, kSnapLength, PCAP_TSTAMP_PRECISION_NANO);
  if (writer->pcap_ == nullptr) return absl::ResourceExhaustedError("pcap: no memory");
  // The dumper writes through a stream into pending_.
  cookie_io_functions_t functions{};
  functions.write = append_to;
  FILE* const stream = fopencookie(&writer->pending_, "w", functions);
  if (stream == nullptr) return absl::ResourceExhaustedError("pcap: no memory for a stream");
  writer->dumper_ = pcap_dump_fopen(writer->pcap_, stream);
  if (writer->dumper_ == nullptr) {
    fclose(stream);
    return absl::InternalError(pcap_geterr(writer->pcap_));
  }
  return writer;
}

PcapWriter::PcapWriter(std::shared_ptr<const WireLog> log, uint64_t after)
    : log_(std::move(log)), cursor_(after), end_(log_->last()) {}

PcapWriter::~PcapWriter() {
  if (dumper_ != nullptr) pcap_dump_close(dumper_);
  if (pcap_ != nullptr) pcap_close(pcap_);
}

absl::StatusOr<bool> PcapWriter::next(std::string& chunk) {
  // stdio holds back up to a buffer of its own; that is why each packet is not seen at once.
  while (cursor_ < end_ && pending_.size() < kChunkBytes) {
    if (absl::Status status = log_->check_readable(cursor_); !status.ok()) return status;
    write(*log_->find(++cursor_));
  }
  if (cursor_ >= end_) pcap_dump_flush(dumper_);
  chunk = std::exchange(pending_, {});
  return !chunk.empty();
}

void PcapWriter::write(const LogRecord& record) {
  const int64_t time =
      record.wall_time_ns != 0 ? record.wall_time_ns : record.time.time_since_epoch().count();
  pcap_pkthdr header{};
  header.ts.tv_sec = time / kNanosecondsPerSecond;
  header.ts.tv_usec = time % kNanosecondsPerSecond;  // nanoseconds, by the file's magic number
  header.caplen = header.len = static_cast<bpf_u_int32>(record.packet.size());
  pcap_dump(reinterpret_cast<u_char*>(dumper_), &header, record.packet.data());
}

}  // namespace tcproctor::server
