// SPDX-License-Identifier: Apache-2.0
// Two connections joined by a wire in memory that is perfect, or loses, delays, duplicates and
// reorders by a seed. What is checked: every octet arrives in order, both ends close, and on the
// way no rule of the sender is broken (the window, SND.NXT, what a retransmission holds).
#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "stack/tcp/closed.h"
#include "stack/tcp/connection.h"
#include "stack/tcp/initial_sequence.h"
#include "stack/tcp/listener.h"

namespace tcproctor::tcp {
namespace {

using namespace std::chrono_literals;

struct WireSettings {
  Duration delay = 10ms;
  Duration jitter = 0ms;  // reorders when it is large
  double loss = 0;
  double duplication = 0;
  uint32_t max_payload = 0;       // super-segments
  uint32_t bytes_per_second = 0;  // of each direction, with a queue without end; 0: no limit
  uint64_t seed = 1;
};

// A segment with its bytes, on its way.
struct Flying {
  Instant arrives;
  uint64_t order;
  SegmentOut segment;
  std::vector<uint8_t> payload;
  bool to_b;
};

// One end with the stream it sends and the one it gets.
struct End {
  std::unique_ptr<Listener> listener;
  std::unique_ptr<Connection> connection;
  std::vector<uint8_t> to_send;
  size_t sent = 0;
  std::vector<uint8_t> got;
  bool end_of_stream = false;
  bool closed_by_us = false;
  bool slow_reader = false;

  // The sender's rules, checked on everything it sends.
  uint32_t highest_edge = 0;  // SND.UNA + SND.WND as the peer announced it at most
  bool edge_known = false;
};

class Pipe {
 public:
  Pipe(const WireSettings& wire, const ConnectionOptions& options, const Settings& settings)
      : wire_(wire), options_(options), settings_(settings), random_(wire.seed) {
    tuple_.local = {packet::IpAddress::v4(10, 0, 0, 1), 40000};
    tuple_.remote = {packet::IpAddress::v4(10, 0, 0, 2), 80};
  }

  void connect() {
    a_.connection = std::make_unique<Connection>(config(tuple_, 0xFFFFF000));
    ASSERT_EQ(a_.connection->open_active(now_), Outcome::kOk);
    ListenerConfig listener;
    listener.id = 1;
    listener.next_id = &next_id_;
    listener.local = tuple_.remote;
    listener.settings = &settings_;
    listener.options = options_;
    listener.secret = {3, 4};
    b_.listener = std::make_unique<Listener>(listener);
  }
  void connect_simultaneously() {
    a_.connection = std::make_unique<Connection>(config(tuple_, 0xFFFFF000));
    b_.connection = std::make_unique<Connection>(config(tuple_.reversed(), 77));
    ASSERT_EQ(a_.connection->open_active(now_), Outcome::kOk);
    ASSERT_EQ(b_.connection->open_active(now_), Outcome::kOk);
  }

  // Until nothing happens any more or `limit` passed.
  void run(Duration limit) {
    const Instant end = now_ + limit;
    while (now_ < end) {
      drive(a_, true);
      drive(b_, false);
      const std::optional<Instant> next = next_moment();
      if (!next.has_value() || *next > end) break;
      now_ = std::max(now_, *next);
      deliver();
      for (End* end_point : {&a_, &b_}) {
        if (end_point->connection != nullptr) end_point->connection->on_deadline(now_);
        if (end_point->listener != nullptr) end_point->listener->on_deadline(now_);
      }
    }
  }

  End& a() { return a_; }
  End& b() { return b_; }
  Instant now() const { return now_; }
  uint64_t segments() const { return segments_; }

 private:
  ConnectionConfig config(const packet::FourTuple& tuple, uint32_t iss) const {
    return {.tuple = tuple,
            .iss = SeqNum(iss),
            .timestamp_offset = iss * 3,
            .settings = &settings_,
            .options = options_};
  }

  // The user of an end, and its output.
  void drive(End& end, bool is_a) {
    pull(end, is_a);
    if (end.connection == nullptr) return;
    Connection& connection = *end.connection;
    const State state = connection.state();
    if (end.sent < end.to_send.size()) {
      const auto rest = std::span<const uint8_t>(end.to_send).subspan(end.sent);
      end.sent += connection.send(now_, rest, true, false).accepted;
    }
    if (end.sent == end.to_send.size() && !end.closed_by_us && is_synchronized(state)) {
      end.closed_by_us = true;
      EXPECT_EQ(connection.close(now_), Outcome::kOk);
    }
    std::vector<uint8_t> buffer(end.slow_reader ? 700 : 65536);
    for (;;) {
      const ReceiveResult result = connection.receive(now_, buffer);
      end.got.insert(end.got.end(), buffer.begin(),
                     buffer.begin() + static_cast<std::ptrdiff_t>(result.received));
      if (result.outcome == Outcome::kEndOfStream) end.end_of_stream = true;
      if (result.received == 0 || end.slow_reader) break;
    }
    pull(end, is_a);
    Event event;
    while (connection.next_event(event)) {
      EXPECT_NE(event.kind, Event::Kind::kError)
          << to_string(event.outcome) << " " << event.cause << " at "
          << std::chrono::duration<double>(now_.time_since_epoch()).count();
    }
  }

  void pull(End& end, bool is_a) {
    SegmentOut out;
    while (
        (end.listener != nullptr && end.listener->next_segment(now_, out)) ||
        (end.connection != nullptr && end.connection->next_segment(now_, out, wire_.max_payload))) {
      check_sender(end, out);
      for (SegmentOut& piece : cut(out)) send(piece, is_a);
    }
  }

  // A super-segment becomes segments, as the link would do it.
  std::vector<SegmentOut> cut(const SegmentOut& out) {
    if (out.gso_size == 0) {
      EXPECT_LE(out.payload_size() + out.option_size, 1460u);
      return {out};
    }
    EXPECT_LE(out.gso_size + out.option_size, 1460u);
    EXPECT_LE(out.payload_size(), wire_.max_payload);
    std::vector<uint8_t> all(out.payload.begin(), out.payload.end());
    all.insert(all.end(), out.payload_rest.begin(), out.payload_rest.end());
    pieces_.push_back(std::move(all));
    const std::span<const uint8_t> bytes = pieces_.back();
    std::vector<SegmentOut> result;
    for (size_t at = 0; at < bytes.size(); at += out.gso_size) {
      SegmentOut piece = out;
      piece.gso_size = 0;
      piece.header.sequence_number += static_cast<uint32_t>(at);
      piece.payload = bytes.subspan(at, std::min<size_t>(out.gso_size, bytes.size() - at));
      piece.payload_rest = {};
      if (at + out.gso_size < bytes.size()) {
        piece.header.flags &= static_cast<uint16_t>(~(packet::kFin | packet::kPsh));
      }
      result.push_back(piece);
    }
    return result;
  }

  void check_sender(End& end, const SegmentOut& out) {
    if (end.connection == nullptr) return;
    const Status status = end.connection->status(now_);
    const uint32_t end_seq = out.header.sequence_number +
                             static_cast<uint32_t>(out.payload_size()) +
                             (out.header.has(packet::kFin) ? 1u : 0u);
    if (out.payload_size() == 0) return;
    EXPECT_FALSE(SeqNum(end_seq).after(SeqNum(status.snd_nxt)));
    // RFC5681-2-1: never beyond the window, save the single octet of a probe.
    if (end.edge_known && out.payload_size() > 1) {
      EXPECT_FALSE(SeqNum(end_seq).after(SeqNum(end.highest_edge)))
          << "sent " << end_seq - end.highest_edge << " octets beyond the window";
    }
  }

  void send(const SegmentOut& out, bool from_a) {
    ++segments_;
    std::uniform_real_distribution<double> chance(0, 1);
    const int copies = chance(random_) < wire_.duplication ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      if (chance(random_) < wire_.loss) continue;
      Flying flying{transmitted(out, from_a) + wire_.delay, ++order_, out, {}, from_a};
      flying.arrives += Duration(
          static_cast<Duration::rep>(chance(random_) * static_cast<double>(wire_.jitter.count())));
      flying.payload.assign(out.payload.begin(), out.payload.end());
      flying.payload.insert(flying.payload.end(), out.payload_rest.begin(), out.payload_rest.end());
      in_flight_.push_back(std::move(flying));
    }
  }

  // When the last octet has left.
  Instant transmitted(const SegmentOut& out, bool from_a) {
    if (wire_.bytes_per_second == 0) return now_;
    Instant& free = free_at_[from_a ? 0 : 1];
    const auto octets = static_cast<int64_t>(out.payload_size()) + 40;
    free = std::max(free, now_) + Duration(octets * 1'000'000'000 / wire_.bytes_per_second);
    return free;
  }

  std::optional<Instant> next_moment() const {
    std::optional<Instant> next;
    const auto take = [&next](std::optional<Instant> moment) {
      if (moment.has_value() && (!next.has_value() || *moment < *next)) next = moment;
    };
    for (const Flying& flying : in_flight_) take(flying.arrives);
    for (const End* end : {&a_, &b_}) {
      if (end->connection != nullptr) take(end->connection->next_deadline());
      if (end->listener != nullptr) take(end->listener->next_deadline());
      if (end->slow_reader && end->connection != nullptr &&
          (end->connection->readable_bytes() != 0 ||
           (end->connection->end_of_stream() && !end->end_of_stream))) {
        take(now_ + 5ms);
      }
    }
    return next;
  }

  void deliver() {
    std::vector<Flying> due;
    std::erase_if(in_flight_, [&](Flying& flying) {
      if (flying.arrives > now_) return false;
      due.push_back(std::move(flying));
      return true;
    });
    std::ranges::sort(due, [](const Flying& x, const Flying& y) {
      return x.arrives != y.arrives ? x.arrives < y.arrives : x.order < y.order;
    });
    for (const Flying& flying : due) arrive(flying);
  }

  void arrive(const Flying& flying) {
    End& end = flying.to_b ? b_ : a_;
    packet::TcpSegment segment;
    segment.source = flying.segment.tuple.local.address;
    segment.destination = flying.segment.tuple.remote.address;
    segment.header = flying.segment.header;
    packet::parse_options(flying.segment.options(), segment.options);
    segment.payload = flying.payload;
    note_window(end, segment);
    if (end.connection != nullptr && end.connection->state() != State::kClosed) {
      end.connection->on_segment(now_, segment);
    } else if (end.listener != nullptr) {
      if (auto promoted = end.listener->on_segment(now_, segment)) {
        end.connection = std::move(promoted->connection);
      }
    }
    // The last ACK of a close may be lost until TIME-WAIT is over: then a reset ends LAST-ACK.
    SegmentOut reset;
    if (end.connection != nullptr && end.connection->state() == State::kClosed &&
        reset_for(segment, reset)) {
      send(reset, !flying.to_b);
    }
  }

  void note_window(End& end, const packet::TcpSegment& segment) {
    if (!segment.has(packet::kAck) || end.connection == nullptr) return;
    const Status status = end.connection->status(now_);
    const uint8_t shift = segment.has(packet::kSyn) ? 0 : status.snd_wind_shift;
    const uint32_t edge = segment.header.acknowledgment_number +
                          (static_cast<uint32_t>(segment.header.window) << shift);
    if (!end.edge_known || SeqNum(edge).after(SeqNum(end.highest_edge))) end.highest_edge = edge;
    end.edge_known = true;
  }

  WireSettings wire_;
  ConnectionOptions options_;
  Settings settings_;
  std::mt19937_64 random_;
  packet::FourTuple tuple_;
  Instant now_{std::chrono::hours(1)};
  uint64_t next_id_ = 10;
  uint64_t order_ = 0;
  uint64_t segments_ = 0;
  std::array<Instant, 2> free_at_{};
  std::vector<Flying> in_flight_;
  std::deque<std::vector<uint8_t>> pieces_;
  End a_, b_;
};

std::vector<uint8_t> stream(size_t size, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

void transfer(const WireSettings& wire, size_t a_bytes, size_t b_bytes,
              ConnectionOptions options = {}, bool simultaneous = false, bool slow = false,
              const Settings& settings = {}) {
  SCOPED_TRACE(absl::StrCat("seed ", wire.seed));
  options.user_timeout = 1h;
  options.syn_timeout = 1h;
  Pipe pipe(wire, options, settings);
  pipe.a().to_send = stream(a_bytes, wire.seed + 1);
  pipe.b().to_send = stream(b_bytes, wire.seed + 2);
  pipe.a().slow_reader = pipe.b().slow_reader = slow;
  if (simultaneous) {
    pipe.connect_simultaneously();
  } else {
    pipe.connect();
  }
  pipe.run(10h);
  ASSERT_NE(pipe.b().connection, nullptr);
  EXPECT_EQ(pipe.b().got.size(), a_bytes);
  EXPECT_EQ(pipe.a().got.size(), b_bytes);
  EXPECT_TRUE(pipe.b().got == pipe.a().to_send);
  EXPECT_TRUE(pipe.a().got == pipe.b().to_send);
  EXPECT_TRUE(pipe.a().end_of_stream);
  EXPECT_TRUE(pipe.b().end_of_stream);
  EXPECT_EQ(to_string(pipe.a().connection->state()), "CLOSED");
  EXPECT_EQ(to_string(pipe.b().connection->state()), "CLOSED");
  EXPECT_FALSE(pipe.a().connection->next_deadline().has_value());
  EXPECT_FALSE(pipe.b().connection->next_deadline().has_value());
}

TEST(Pipe, PerfectWire) {
  transfer({}, 0, 0);
  transfer({}, 1, 0);
  transfer({}, 1000000, 0);
  transfer({}, 300000, 200000);
}

TEST(Pipe, SuperSegments) {
  WireSettings wire;
  wire.max_payload = 65000;
  transfer(wire, 3000000, 1000000);
  wire.loss = 0.02;
  transfer(wire, 1000000, 300000);
}

TEST(Pipe, SimultaneousOpenAndClose) {
  transfer({}, 0, 0, {}, true);
  transfer({}, 100000, 100000, {}, true);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    transfer({.jitter = 20ms, .loss = 0.2, .seed = seed}, 3000, 3000, {}, true);
  }
}

TEST(Pipe, LossyWire) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    transfer({.jitter = 2ms, .loss = 0.05, .duplication = 0.02, .seed = seed}, 60000, 40000);
  }
}

TEST(Pipe, VeryLossyWire) {
  for (uint64_t seed = 100; seed < 140; ++seed) {
    transfer({.jitter = 30ms, .loss = 0.3, .duplication = 0.1, .seed = seed}, 6000, 9000);
  }
}

TEST(Pipe, WithoutOptions) {
  ConnectionOptions options;
  options.timestamps = false;
  options.window_scale = false;
  options.sack_permitted = false;
  for (uint64_t seed = 200; seed < 220; ++seed) {
    transfer({.jitter = 15ms, .loss = 0.1, .duplication = 0.05, .seed = seed}, 50000, 50000,
             options);
  }
}

TEST(Pipe, EveryKindOfLossRecovery) {
  for (uint64_t seed = 400; seed < 440; ++seed) {
    ConnectionOptions options;
    options.sack_permitted = seed % 5 != 0;
    options.timestamps = seed % 3 != 0;
    Settings settings;
    settings.rack_tlp = seed % 2 == 0;
    settings.frto = seed % 4 < 2;
    transfer({.jitter = 8ms, .loss = 0.1, .duplication = 0.05, .seed = seed}, 200000, 30000,
             options, false, false, settings);
  }
}

TEST(Pipe, SmallBuffersAndSlowReaders) {
  for (const uint32_t buffer : {1u, 7u, 100u, 1460u, 4000u, 70000u}) {
    ConnectionOptions options;
    options.receive_buffer_bytes = buffer;
    options.send_buffer_bytes = 5000;
    transfer({.loss = 0.02, .seed = buffer}, buffer < 100 ? 300 : 30000, 500, options, false, true);
  }
}

TEST(Pipe, NoDelayAndNoDelayedAck) {
  ConnectionOptions options;
  options.no_delay = true;
  options.delayed_ack = 0ms;
  for (uint64_t seed = 300; seed < 310; ++seed) {
    transfer({.jitter = 5ms, .loss = 0.05, .seed = seed}, 50000, 1, options);
  }
}

// 10 MB/s and 100 ms of round trip, which is 1 MB on its way: 256 KiB let a quarter of that
// through.
TEST(BufferTuning, FillsALongPath) {
  constexpr size_t kBytes = 20'000'000;
  for (const bool open : {true, false}) {
    ConnectionOptions options;
    if (!open) options.send_buffer_bytes = options.receive_buffer_bytes = 262144;
    const Settings settings;
    Pipe pipe({.delay = 50ms, .bytes_per_second = 10'000'000}, options, settings);
    pipe.a().to_send = std::vector<uint8_t>(kBytes);
    pipe.connect();
    const Instant start = pipe.now();
    while (pipe.b().got.size() < kBytes && pipe.now() < start + 1min) pipe.run(100ms);
    EXPECT_EQ(pipe.b().got.size(), kBytes);
    const std::chrono::duration<double> took = pipe.now() - start;
    if (open) {
      EXPECT_LT(took.count(), 4) << "2 s at the full rate, and slow start";
      EXPECT_GT(pipe.a().connection->status(pipe.now()).send_buffer_bytes, 1'000'000u);
      EXPECT_GT(pipe.b().connection->status(pipe.now()).receive_buffer_bytes, 1'000'000u);
    } else {
      EXPECT_GT(took.count(), 7) << "a size that the user set does not grow";
    }
  }
}

TEST(BufferTuning, SlowReaderDoesNotGrow) {
  Settings settings;
  Pipe pipe({.delay = 50ms}, {}, settings);
  pipe.a().to_send = std::vector<uint8_t>(2'000'000);
  pipe.b().slow_reader = true;
  pipe.connect();
  pipe.run(8s);
  const Status status = pipe.b().connection->status(pipe.now());
  EXPECT_EQ(status.receive_buffer_bytes, settings.initial_buffer_bytes);
  EXPECT_GT(pipe.b().got.size(), 500'000u);
  EXPECT_LT(pipe.b().got.size(), 2'000'000u);
}

TEST(BufferTuning, LimitIsKept) {
  Settings settings;
  settings.initial_buffer_bytes = 10'000;
  settings.receive_buffer_limit_bytes = 50'000;
  settings.send_buffer_limit_bytes = 70'000;
  Pipe pipe({.delay = 10ms}, {}, settings);
  pipe.a().to_send = std::vector<uint8_t>(2'000'000);
  pipe.connect();
  pipe.run(1s);
  EXPECT_EQ(pipe.b().connection->status(pipe.now()).receive_buffer_bytes, 50'000u);
  EXPECT_EQ(pipe.a().connection->status(pipe.now()).send_buffer_bytes, 70'000u);
}

// The same seed gives the same run.
TEST(Pipe, RunsRepeat) {
  const auto run = [] {
    Pipe pipe({.jitter = 10ms, .loss = 0.1, .duplication = 0.05, .seed = 42}, {}, Settings());
    pipe.a().to_send = stream(50000, 1);
    pipe.connect();
    pipe.run(1h);
    return std::pair(pipe.now(), pipe.segments());
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace tcproctor::tcp
