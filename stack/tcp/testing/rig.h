// SPDX-License-Identifier: Apache-2.0
// A TCP end on the bench: one listener or connection under virtual time, its peer played by the
// test in one-line segments. Numbers are relative as in the ladders: SEQ of the peer to IRS and ACK
// to ISS going in, the other way round coming out, so that data begins at 1 on both sides. Both
// initial numbers lie just below the wrap.
//
//   Rig rig;
//   rig.reach(State::kEstablished);
//   rig.recv("P. 1(100) ack 1");
//   EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 101"));   // exactly this, and then nothing
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stack/tcp/connection.h"
#include "stack/tcp/listener.h"

namespace tcproctor::tcp::testing {

struct RigConfig {
  Settings settings;
  ConnectionOptions options;
  FastOpenPath fast_open;
  // What the peer's SYN carries.
  uint16_t peer_window = 65535;
  std::optional<uint16_t> peer_mss = 1460;
  std::optional<uint8_t> peer_window_scale;
  bool peer_sack = false;
  bool peer_timestamps = false;
  bool passive = false;  // reach states through a listener
  bool full = false;     // passive SYN-RECEIVED as a full connection
  bool fill = false;     // reach states with a closed receive window: 100 octets, not read
  uint32_t mtu = 1500;

  RigConfig();  // delayed ACK off, no options on either side but MSS; Reno, small initial window
};

class Rig {
 public:
  static constexpr uint32_t kIrs = 0xFFFFFFF0;

  explicit Rig(RigConfig config = RigConfig());

  // Walks from CLOSED to `state` with the shortest exchange, all of it checked and collected.
  void reach(State state);
  void listen();
  void open_active();

  // "FLAGS SEQ(LEN) [ack N] [win N] [urg N] [ts V E] [mss N] [ws N] [sackok] [sack L:R …] [uto S]
  // [fo] [ce]" (fo: with the cookie given to set_cookie, empty at first) with packetdrill's flags,
  // "-" for none. Without `win`: the peer's window of the config. On a connection with timestamps
  // `ts` is added where it is missing, unless "nots" is given.
  void recv(std::string_view text);
  void set_cookie(const FastOpenCookie& cookie) { cookie_ = cookie; }
  const FastOpenCookie& cookie() const { return cookie_; }
  // Of the last segment sent() saw.
  packet::TcpOptions last_options() const;
  // Everything the end sends now: "FLAGS SEQ(LEN) [ack N] [urg N] [sack L:R …] [ect0]".
  std::vector<std::string> sent(uint32_t max_payload = 0);
  // The last segment sent() saw, whole; its payload copied.
  const SegmentOut& last() const { return last_; }
  const std::vector<uint8_t>& last_payload() const { return last_payload_; }

  // Time passes; every deadline on the way is served in turn, and what it lets go is sent at that
  // very time: it is the result, each line with "+SECONDS " from the start before it.
  std::vector<std::string> advance(Duration duration);
  // The next deadline comes. False: there is none.
  bool next_timer();
  Instant now() const { return now_; }
  Duration elapsed_since(Instant start) const { return now_ - start; }

  // User calls on whatever there is.
  Outcome open();
  SendResult send(size_t octets, bool push = true, bool urgent = false);
  ReceiveResult receive(size_t at_most);
  Outcome close();
  Outcome release();
  Outcome abort();
  void icmp(packet::IcmpClass kind, int64_t quoted_seq);
  // "Packet too big" with this next-hop MTU; `quoted_length`: of the packet that was too big.
  void too_big(int64_t quoted_seq, uint32_t mtu, uint32_t quoted_length = 1500);

  State state() const;
  Status status() const;
  // SND.NXT and RCV.NXT relative to ISS and IRS.
  uint32_t snd_nxt() const { return status().snd_nxt - status().iss; }
  uint32_t snd_una() const { return status().snd_una - status().iss; }
  uint32_t rcv_nxt() const { return status().rcv_nxt - status().irs; }
  uint32_t rcv_wnd() const { return status().rcv_wnd; }
  // <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>
  std::string plain_ack() const;

  // Events since the last call, as text: "ESTABLISHED -> CLOSE-WAIT", "urgent", "readable", "error
  // CONNECTION-RESET", "soft 3/1", "trouble", "writable", "alarm", "acceptable", "dropped".
  std::vector<std::string> events();
  // The causes of kDropped since the last call; needs trace.
  std::vector<std::string> drops();
  // The rest of the trace since the last call: "recovery OPEN -> LOSS", "timeout 1", "undone:
  // F-RTO", "path MTU 1500 -> 1400", "probe keep-alive 1", "probe window 1", "probe tail 1".
  std::vector<std::string> trace();

  Connection* connection() { return connection_.get(); }
  Listener* listener() { return listener_.get(); }
  // The bytes of the peer's stream from octet `from` (1 = first) on.
  static std::vector<uint8_t> peer_bytes(uint32_t from, size_t count);
  static std::vector<uint8_t> own_bytes(uint32_t from, size_t count);
  std::vector<uint8_t> received() const { return received_; }

 private:
  void take(std::optional<Promoted> promoted);
  void reopen(const packet::TcpSegment& segment);
  void collect_events();
  bool pull(SegmentOut& out, uint32_t max_payload);
  std::string describe(const SegmentOut& out) const;
  std::optional<Instant> next_deadline() const;
  void must_send(std::vector<std::string> expected);
  ConnectionConfig connection_config(SeqNum iss) const;

  RigConfig config_;
  packet::FourTuple tuple_;
  Instant now_{std::chrono::hours(1)};
  uint64_t next_id_ = 100;
  uint64_t id_ = 0;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Connection> connection_;
  std::deque<SegmentOut> resets_;
  uint32_t iss_ = 0;
  uint32_t peer_ts_ = 1000;
  FastOpenCookie cookie_;
  uint32_t sent_octets_ = 0;
  SegmentOut last_;
  std::vector<uint8_t> last_payload_;
  std::vector<uint8_t> received_;
  std::vector<std::string> events_;
  std::vector<std::string> drops_;
  std::vector<std::string> trace_;
};

}  // namespace tcproctor::tcp::testing
