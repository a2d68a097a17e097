// SPDX-License-Identifier: Apache-2.0
// What a connection costs, measured: every allocation of this program is counted, the tables and
// timers of the host included. Prints what it found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "stack/host/host_test_util.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/syn_cache.h"
#include "stack/tcp/syn_cookie.h"
#include "stack/tcp/time_wait.h"

namespace {

// What malloc really gives, its own header included.
size_t g_allocated = 0;

size_t cost(void* memory) {
  return malloc_usable_size(memory) + sizeof(size_t);
}

void* take(size_t size) {
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  g_allocated += cost(memory);
  return memory;
}

void give_back(void* memory) noexcept {
  if (memory == nullptr) return;
  g_allocated -= cost(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) {
  return take(size);
}
void* operator new[](size_t size) {
  return take(size);
}
void operator delete(void* memory) noexcept {
  give_back(memory);
}
void operator delete[](void* memory) noexcept {
  give_back(memory);
}
void operator delete(void* memory, size_t) noexcept {
  give_back(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  give_back(memory);
}

namespace tcproctor::host {
namespace {

#if defined(__SANITIZE_THREAD__)  // there each takes a hundred times as long
constexpr size_t kConnections = 1'000;
#else
constexpr size_t kConnections = 10'000;
#endif

// One host that opens and one that accepts: the mean of both sides.
class Sizes : public testing::Test {
 protected:
  Sizes() {
    connect(0);  // the listener, and what the first connection leaves behind
  }

  // `octets` go each way and are read.
  void connect(size_t octets) {
    pair_.connect(ip("192.0.2.2"), 81);
    exchange(*pair_.a, pair_.a_id, *pair_.b, pair_.b_id, octets);
    exchange(*pair_.b, pair_.b_id, *pair_.a, pair_.a_id, octets);
    pair_.events_a = {};
    pair_.events_b = {};
  }

  void exchange(Host& from, ConnectionId from_id, Host& to, ConnectionId to_id, size_t octets) {
    if (octets == 0) return;
    std::vector<uint8_t> data(octets, 'x');
    ASSERT_EQ(from.send(pair_.now, from_id, data, true, false).accepted, octets);
    pair_.pump();
    ASSERT_EQ(to.receive(pair_.now, to_id, data).received, octets);
    pair_.pump();
  }

  size_t per_connection(size_t octets) {
    const size_t before = g_allocated;
    for (size_t i = 0; i < kConnections; ++i) connect(octets);
    pair_.run_for(std::chrono::minutes(10));  // no timer runs any more
    pair_.events_a = {};
    pair_.events_b = {};
    return (g_allocated - before) / (2 * kConnections);
  }

  HostPair pair_;
};

TEST_F(Sizes, EstablishedIdleConnection) {
  const size_t fresh = per_connection(0);
  std::printf("established idle connection: %zu octets (sizeof(Connection) %zu)\n", fresh,
              sizeof(tcp::Connection));
  RecordProperty("established_idle", static_cast<int>(fresh));
  EXPECT_LE(fresh, 1024u);
}

TEST_F(Sizes, EstablishedIdleConnectionThatHasMovedData) {
  const size_t used = per_connection(1000);
  std::printf("the same after 1,000 octets each way, its two buffers of 2,048 included: %zu\n",
              used);
  RecordProperty("established_used", static_cast<int>(used));
  EXPECT_LE(used, 1024u + 2 * 2048u + 1024u);
}

TEST_F(Sizes, SmallEntries) {
  std::printf("SYN cache entry: %zu, with its share of the index %u\n", sizeof(tcp::SynEntry),
              tcp::SynCache::bytes_per_entry());
  std::printf("TIME-WAIT entry: %zu\n", sizeof(tcp::TimeWait));
  EXPECT_LE(sizeof(tcp::SynEntry), 64u);
  EXPECT_LE(sizeof(tcp::TimeWait), 64u);
}

// RFC 4987 §3.6: nothing is kept of a SYN that was answered with a cookie.
TEST_F(Sizes, CookiesCostNothing) {
  HostConfig config = config_b(LinkLayer::kRawIp);
  config.tcp.syn_cache_size = 16;
  const std::unique_ptr<Host> host = make_host(std::move(config));
  (void)host->open(pair_.now, {.local = {ip("192.0.2.2"), 80}});
  const auto flood = [&](uint16_t first, uint16_t count) {
    for (uint16_t i = 0; i < count; ++i) {
      Crafted syn;
      syn.header.source_port = static_cast<uint16_t>(first + i);
      syn.header.flags = packet::kSyn;
      host->on_frame(pair_.now, syn.frame().bytes, {});
      EXPECT_EQ(pull_all(*host, pair_.now).size(), 1u);
      HostEvent event;
      while (host->next_event(event)) {
      }
    }
  };
  flood(1000, 500);  // fills the cache, and what the queues keep
  const size_t before = g_allocated;
  flood(2000, 20'000);
  std::printf("cookies for 20,000 SYNs: %zd octets\n", static_cast<ssize_t>(g_allocated - before));
  EXPECT_LE(g_allocated, before);
}

}  // namespace
}  // namespace tcproctor::host
