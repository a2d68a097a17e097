// SPDX-License-Identifier: Apache-2.0
#include "server/wire/log.h"

#include <memory>
#include <string>

#include "server/wire/log_reader.h"
#include "server/wire/pcap_writer.h"
#include "server/wire/test_util.h"

namespace tcproctor::server {
namespace {

using std::chrono::milliseconds;

LogRecord record_of(const std::string& packet, v1::End from = v1::END_A) {
  LogRecord record;
  record.time = tcp::Instant(milliseconds(5));
  record.packet = octets(packet);
  record.from = from;
  record.origin = v1::ORIGIN_END;
  record.fate = v1::FATE_DELIVERED;
  return record;
}

TEST(WireLog, NumbersFromOneAndKeepsOctets) {
  WireLog log(1000);
  EXPECT_EQ(log.last(), 0u);
  EXPECT_EQ(log.find(1), nullptr);
  std::string packet = packet_of("tcp { source_port: 4 }");
  EXPECT_EQ(log.append(record_of(packet)), 1u);
  EXPECT_EQ(log.append(record_of(packet)), 2u);
  const std::string kept = packet;
  packet.assign(packet.size(), 'x');
  ASSERT_NE(log.find(1), nullptr);
  EXPECT_EQ(std::string(log.find(1)->packet.begin(), log.find(1)->packet.end()), kept);
  EXPECT_EQ(log.find(0), nullptr);
  EXPECT_EQ(log.find(3), nullptr);
}

TEST(WireLog, DropsTheOldestBeyondItsBudget) {
  WireLog log(100);
  for (int i = 0; i < 10; ++i) log.append(record_of(packet_of("tcp {}")));  // 40 octets each
  EXPECT_EQ(log.first(), 9u);
  EXPECT_EQ(log.last(), 10u);
  EXPECT_EQ(log.find(8), nullptr);
  EXPECT_TRUE(log.check_readable(8).ok());
  expect_error(log.check_readable(3), absl::StatusCode::kDataLoss, "segments 4..8 were dropped");
  log.set_fate(1, v1::FATE_DROPPED);  // gone: nothing happens
  log.set_fate(10, v1::FATE_DROPPED);
  EXPECT_EQ(log.find(10)->fate, v1::FATE_DROPPED);
}

TEST(WireLog, KeepsTheNewestWhateverItsSize) {
  WireLog log(100);
  log.append(record_of(std::string(70'000, 'E')));
  EXPECT_EQ(log.find(1)->packet.size(), 70'000u);
  log.append(record_of(std::string(300'000, 'E')));
  EXPECT_EQ(log.first(), 2u);
  EXPECT_EQ(log.find(2)->packet.size(), 300'000u);
}

// Blocks are freed and reused while records of others are read: octets stay right.
TEST(WireLog, ManyPacketsThroughASmallBudget) {
  WireLog log(600'000);
  for (int i = 0; i < 20'000; ++i) {
    const std::string packet(static_cast<size_t>(100 + i % 1400), static_cast<char>(i));
    log.append(record_of(packet));
  }
  uint64_t bytes = 0;
  for (uint64_t number = log.first(); number <= log.last(); ++number) {
    const LogRecord& record = *log.find(number);
    const auto i = static_cast<int>(number - 1);
    ASSERT_EQ(record.packet.size(), static_cast<size_t>(100 + i % 1400));
    for (const uint8_t octet : record.packet) ASSERT_EQ(octet, static_cast<uint8_t>(i));
    bytes += record.packet.size();
  }
  EXPECT_LE(bytes, 600'000u);
  EXPECT_GT(bytes, 590'000u);
}

TEST(WireLog, KnowsWhatIsExamined) {
  WireLog log(100'000);
  const auto examined = [&](const std::string& text) {
    return log.find(log.append(record_of(packet_of(text))))->examined;
  };
  EXPECT_TRUE(examined("tcp {}"));
  EXPECT_TRUE(examined("ipv6 {} tcp {}"));
  EXPECT_TRUE(examined("icmp { type: 3 }"));
  EXPECT_TRUE(examined("ipv6 {} icmp { type: 1 }"));
  EXPECT_TRUE(examined("tcp { data_offset: 1 }"));
  EXPECT_FALSE(examined("ipv4 { protocol: 17 }"));
  EXPECT_FALSE(examined("ipv6 { next_header: 17 }"));
  EXPECT_FALSE(examined("raw: 'E'"));
  // Hop-by-hop options of 8 octets in front of TCP.
  EXPECT_TRUE(
      examined("ipv6 { next_header: 0 } payload: '\\x06\\x00\\x01\\x04\\x00\\x00\\x00\\x00"
               "01234567890123456789'"));
  EXPECT_FALSE(examined("ipv6 { next_header: 0 } payload: '\\x06\\xff'"));
}

TEST(WireLog, EntryHasEverything) {
  WireLog log(100'000);
  const std::string packet = packet_of("tcp { source_port: 4 checksum: 1 data_offset: 4 }");
  LogRecord record = record_of(packet, v1::END_B);
  record.wall_time_ns = 1'700'000'000'000'000'005;
  record.corrupted = true;
  record.state_a = v1::TCP_STATE_LISTEN;
  log.append(record);
  v1::LogEntry entry;
  entry.set_malformed("left over");
  fill_log_entry(*log.find(1), entry);
  EXPECT_EQ(entry.number(), 1u);
  EXPECT_EQ(entry.time().nanos(), 5'000'000);
  EXPECT_EQ(entry.wall_time().seconds(), 1'700'000'000);
  EXPECT_EQ(entry.wall_time().nanos(), 5);
  EXPECT_EQ(entry.from(), v1::END_B);
  EXPECT_EQ(entry.origin(), v1::ORIGIN_END);
  EXPECT_EQ(entry.fate(), v1::FATE_DELIVERED);
  EXPECT_EQ(entry.segment().tcp().source_port(), 4u);
  EXPECT_FALSE(entry.segment().has_raw());
  EXPECT_EQ(entry.raw().size(), 40u);
  EXPECT_TRUE(entry.ip_checksum_valid());
  EXPECT_FALSE(entry.transport_checksum_valid());
  EXPECT_EQ(entry.malformed(), "TCP data offset of 4 words in 20 octets");
  EXPECT_TRUE(entry.corrupted());
  EXPECT_EQ(entry.state_a(), v1::TCP_STATE_LISTEN);
}

TEST(LogReader, ReadsOnFromItsCursorWhatIsAskedFor) {
  auto log = std::make_shared<WireLog>(100'000);
  log->append(record_of(packet_of("tcp { flags: 2 }")));
  log->append(record_of(packet_of("tcp { flags: 18 }"), v1::END_B));
  log->append(record_of(packet_of("tcp { flags: 16 }")));
  LogReader all(log, 1, v1::END_UNSPECIFIED, std::nullopt);
  v1::LogEntry entry;
  ASSERT_TRUE(*all.next(entry));
  EXPECT_EQ(entry.number(), 2u);
  ASSERT_TRUE(*all.next(entry));
  EXPECT_FALSE(*all.next(entry));
  EXPECT_FALSE(all.more_now());
  log->append(record_of(packet_of("tcp {}")));
  ASSERT_TRUE(*all.next(entry)) << "following";
  EXPECT_EQ(entry.number(), 4u);

  const absl::StatusOr<Matcher> ack = Matcher::compile(
      from_text<v1::SegmentPattern>("fields { tcp { flags: 16 } } flags_mask: 16"), "p", nullptr);
  LogReader some(log, 0, v1::END_A, *ack);
  ASSERT_TRUE(*some.next(entry));
  EXPECT_EQ(entry.number(), 3u);
  EXPECT_FALSE(*some.next(entry));
}

TEST(LogReader, SaysWhatWasLostAndPausesOnLongLogs) {
  auto log = std::make_shared<WireLog>(40 * 5000);
  const std::string packet = packet_of("tcp {}");
  LogReader reader(log, 0, v1::END_B, std::nullopt);
  for (int i = 0; i < 5000; ++i) log->append(record_of(packet));
  v1::LogEntry entry;
  EXPECT_FALSE(*reader.next(entry));
  EXPECT_TRUE(reader.more_now());
  for (int i = 0; i < 5000; ++i) log->append(record_of(packet));
  expect_error(reader.next(entry).status(), absl::StatusCode::kDataLoss, "were dropped");
}

uint32_t u32_at(const std::string& file, size_t at) {
  uint32_t value = 0;
  std::memcpy(&value, file.data() + at, 4);
  return value;
}

std::string pcap_of(const std::shared_ptr<WireLog>& log, uint64_t after) {
  absl::StatusOr<std::unique_ptr<PcapWriter>> writer = PcapWriter::create(log, after);
  EXPECT_TRUE(writer.ok()) << writer.status();
  std::string file;
  std::string chunk;
  while (true) {
    const absl::StatusOr<bool> more = (*writer)->next(chunk);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) return file;
    file += chunk;
  }
}

TEST(PcapWriter, NanosecondsAndRawIp) {
  auto log = std::make_shared<WireLog>(100'000);
  EXPECT_EQ(pcap_of(log, 0).size(), 24u) << "the file header alone";
  const std::string packet = packet_of("tcp {}");
  log->append(record_of(packet));
  LogRecord stamped = record_of(packet);
  stamped.wall_time_ns = 7'000'000'009;
  log->append(stamped);
  const std::string file = pcap_of(log, 0);
  ASSERT_EQ(file.size(), 24u + 2 * (16 + 40));
  EXPECT_EQ(u32_at(file, 0), 0xA1B23C4Du) << "nanosecond magic";
  EXPECT_EQ(u32_at(file, 20), 101u) << "LINKTYPE_RAW";
  EXPECT_EQ(u32_at(file, 24), 0u);
  EXPECT_EQ(u32_at(file, 28), 5'000'000u) << "session time where there is no wall time";
  EXPECT_EQ(u32_at(file, 32), 40u);
  EXPECT_EQ(file.substr(40, 40), packet);
  EXPECT_EQ(u32_at(file, 80), 7u);
  EXPECT_EQ(u32_at(file, 84), 9u);
  EXPECT_EQ(pcap_of(log, 1).size(), 24u + 56);
  EXPECT_EQ(pcap_of(log, 9).size(), 24u);
}

TEST(PcapWriter, LongLogsInPieces) {
  auto log = std::make_shared<WireLog>(10'000'000);
  const std::string packet(1000, 'E');
  for (int i = 0; i < 3000; ++i) log->append(record_of(packet));
  EXPECT_EQ(pcap_of(log, 0).size(), 24u + 3000 * 1016);
  absl::StatusOr<std::unique_ptr<PcapWriter>> writer = PcapWriter::create(log, 0);
  std::string chunk;
  ASSERT_TRUE(*(*writer)->next(chunk));
  EXPECT_LT(chunk.size(), 100'000u);
  for (int i = 0; i < 20'000; ++i) log->append(record_of(packet));
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = (*writer)->next(chunk);
  expect_error(more.status(), absl::StatusCode::kDataLoss, "were dropped");
}

}  // namespace
}  // namespace tcproctor::server
