// SPDX-License-Identifier: Apache-2.0
// TCP options: any octets are read without harm, both readers agree, and a list is written back as
// it stood.
#include <algorithm>

#include "cmake/fuzzing/fuzz.h"
#include "stack/packet/option_list.h"
#include "stack/packet/tcp_options.h"

namespace tcproctor::packet {

std::vector<std::vector<uint8_t>> fuzz_seeds() {
  std::vector<std::vector<uint8_t>> seeds;
  OptionWriter syn;
  write_syn_options({.mss = 1460,
                     .window_scale = 7,
                     .sack_permitted = true,
                     .timestamps = TimestampsOption{.value = 1, .echo_reply = 2}},
                    syn);
  const auto syn_bytes = syn.finish();
  seeds.emplace_back(syn_bytes.begin(), syn_bytes.end());
  OptionWriter data;
  const std::vector<SackBlock> blocks = {{1, 2}, {5, 9}, {20, 30}};
  write_segment_options(TimestampsOption{.value = 1, .echo_reply = 2}, blocks, data);
  const auto data_bytes = data.finish();
  seeds.emplace_back(data_bytes.begin(), data_bytes.end());
  seeds.push_back({34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 28, 4, 0x80, 5, 29, 6, 1, 2, 3, 4});
  return seeds;
}

}  // namespace tcproctor::packet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tcproctor::packet;
  const std::span<const uint8_t> bytes(data, size);
  const auto read = bytes.first(std::min(size, kMaxTcpOptionBytes));
  TcpOptions options;
  parse_options(bytes, options);
  TCPROCTOR_FUZZ_EXPECT(options.sack_count <= kMaxSackBlocks);
  TCPROCTOR_FUZZ_EXPECT(options.error == OptionError::kNone || options.error_offset < read.size());
  TCPROCTOR_FUZZ_EXPECT(!options.fast_open || options.fast_open->size() <= 16);

  const OptionList list = decode_options(bytes);
  TCPROCTOR_FUZZ_EXPECT(list.to_text().size() < 10'000);
  const auto again = encode_options(list, OptionPadding::kNone);
  TCPROCTOR_FUZZ_EXPECT(again.ok());
  TCPROCTOR_FUZZ_EXPECT(std::ranges::equal(again->span(), read));
  if (options.error != OptionError::kWrongLength) {
    TCPROCTOR_FUZZ_EXPECT(list.error == options.error);
  }
  return 0;
}
