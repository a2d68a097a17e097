// SPDX-License-Identifier: Apache-2.0
// What every segment costs before TCP sees it: its checksum, and its headers there and back.
#include <benchmark/benchmark.h>

#include <vector>

#include "stack/packet/checksum.h"
#include "stack/packet/ip.h"
#include "stack/packet/tcp_header.h"
#include "stack/packet/tcp_options.h"

namespace tcproctor::packet {
namespace {

void checksum(benchmark::State& state) {
  const std::vector<uint8_t> bytes(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(internet_checksum(bytes));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(checksum)->Arg(20)->Arg(1460)->Arg(65000);

TcpPacketParts segment(std::span<const uint8_t> payload, std::span<const uint8_t> options,
                       ChecksumFill fill) {
  return {.ip = {.source = IpAddress::v4(192, 0, 2, 1), .destination = IpAddress::v4(192, 0, 2, 2)},
          .header = {.source_port = 40000,
                     .destination_port = 80,
                     .sequence_number = 1,
                     .acknowledgment_number = 2,
                     .flags = kAck,
                     .window = 1000},
          .options = options,
          .payload = payload,
          .checksum = fill};
}

std::vector<uint8_t> timestamps() {
  OptionWriter writer(40);
  write_segment_options(TimestampsOption{.value = 1, .echo_reply = 2}, {}, writer);
  const auto bytes = writer.finish();
  return {bytes.begin(), bytes.end()};
}

void build(benchmark::State& state) {
  const std::vector<uint8_t> payload(static_cast<size_t>(state.range(0)));
  const std::vector<uint8_t> options = timestamps();
  const auto fill = state.range(1) != 0 ? ChecksumFill::kPseudoHeader : ChecksumFill::kFull;
  const TcpPacketParts parts = segment(payload, options, fill);
  std::vector<uint8_t> buffer(65600);
  for (auto _ : state) benchmark::DoNotOptimize(build_tcp_packet(parts, buffer));
}
BENCHMARK(build)
    ->ArgNames({"payload", "offload"})
    ->Args({0, 0})
    ->Args({1448, 0})
    ->Args({1448, 1})
    ->Args({63712, 1});

void parse(benchmark::State& state) {
  const std::vector<uint8_t> payload(static_cast<size_t>(state.range(0)));
  const std::vector<uint8_t> options = timestamps();
  std::vector<uint8_t> buffer(65600);
  buffer.resize(build_tcp_packet(segment(payload, options, ChecksumFill::kFull), buffer));
  const auto policy = state.range(1) != 0 ? ChecksumPolicy::kTrusted : ChecksumPolicy::kVerify;
  for (auto _ : state) {
    TcpSegment parsed;
    benchmark::DoNotOptimize(parse_tcp_packet(buffer, policy, parsed));
  }
}
BENCHMARK(parse)
    ->ArgNames({"payload", "offload"})
    ->Args({0, 0})
    ->Args({1448, 0})
    ->Args({1448, 1})
    ->Args({63712, 1});

}  // namespace
}  // namespace tcproctor::packet
