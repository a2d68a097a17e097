// SPDX-License-Identifier: Apache-2.0
// "No allocation per segment": a bulk transfer between two hosts, once its buffers have grown, asks
// for no memory at all. The test counts by replacing operator new, so it is a program of its own.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

#include "stack/host/host_test_util.h"

namespace {

uint64_t allocations = 0;

void* counted(std::size_t bytes) {
  ++allocations;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes);
}
void* operator new[](std::size_t bytes) {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace tcproctor::host {
namespace {

using namespace std::chrono_literals;

class AllocationTest : public testing::TestWithParam<bool> {
 protected:
  static HostConfig with_offload(HostConfig config) {
    config.checksum_offload = config.segmentation_offload = GetParam();
    config.neighbours = {{ip("192.0.2.1"), kMacA}, {ip("192.0.2.2"), kMacB}};
    return config;
  }

  bool carry(Host& from, Host& to) {
    FrameMeta meta;
    bool any = false;
    while (const size_t length = from.next_frame(pair_.now, frame_, meta)) {
      any = true;
      ++segments_;
      meta.checksum_trusted = meta.checksum_partial;
      // One in so many is lost, so that loss recovery has its part.
      if (segments_ % lose_one_in_ == 0) continue;
      to.on_frame(pair_.now, std::span(frame_).first(length), meta);
    }
    return any;
  }

  // B's user reads at once, A's writes as much as there is room for.
  void transfer(uint64_t bytes) {
    const uint64_t end = received_ + bytes;
    HostEvent event;
    while (received_ < end) {
      (void)pair_.a->send(pair_.now, pair_.a_id, data_, false, false);
      while (carry(*pair_.a, *pair_.b) | carry(*pair_.b, *pair_.a)) {
      }
      while (const size_t got = pair_.b->receive(pair_.now, pair_.b_id, data_).received) {
        received_ += got;
      }
      while (pair_.a->next_event(event) || pair_.b->next_event(event)) {
      }
      pair_.now += 100us;
      for (Host* host : {pair_.a.get(), pair_.b.get()}) {
        if (const auto deadline = host->next_deadline(); deadline && *deadline <= pair_.now) {
          host->on_deadline(pair_.now);
        }
      }
    }
  }

  HostPair pair_{with_offload(config_a()), with_offload(config_b())};
  std::vector<uint8_t> frame_ = std::vector<uint8_t>(65600);
  std::vector<uint8_t> data_ = std::vector<uint8_t>(100'000);
  uint64_t received_ = 0;
  uint64_t segments_ = 0;
  uint64_t lose_one_in_ = UINT64_MAX;
};

INSTANTIATE_TEST_SUITE_P(Offload, AllocationTest, testing::Bool(), [](const auto& offload) {
  return offload.param ? "SuperSegments" : "Segments";
});

TEST_P(AllocationTest, NoneInTheSteadyStateOfABulkTransfer) {
  pair_.connect(ip("192.0.2.2"));
  transfer(50'000'000);
  const uint64_t before = allocations;
  const uint64_t segments_before = segments_;
  transfer(50'000'000);
  EXPECT_EQ(allocations - before, 0u) << "in " << segments_ - segments_before << " segments";
  EXPECT_GT(segments_ - segments_before, 1000u);
}

TEST_P(AllocationTest, NoneWithLosses) {
  pair_.connect(ip("192.0.2.2"));
  lose_one_in_ = 199;
  transfer(20'000'000);
  const uint64_t before = allocations;
  const uint64_t segments_before = segments_;
  transfer(20'000'000);
  // A queue may still become longer than it ever was; none is for a segment.
  EXPECT_LE(allocations - before, 2u) << "in " << segments_ - segments_before << " segments";
}

}  // namespace
}  // namespace tcproctor::host
