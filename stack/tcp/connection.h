// SPDX-License-Identifier: Apache-2.0
// One connection: the transmission control block of RFC 9293 §3.3.1 and its doors. Sans-IO:
// segments, user calls and the passing of time come in as calls; segments and events are pulled
// out. It reads no clock, opens no socket and allocates nothing per segment (its buffers grow to
// what is used).
//
// After every call its owner asks: next_segment() until false, next_event() until false,
// next_deadline() to arm its timer.
//
// Where to look:  user_calls.cc §3.10.1-6   segment_arrives.cc §3.10.7   timeouts.cc §3.10.8
//                 transmit.cc §3.7, §3.8.6  acknowledgment.cc: what the fifth check does with an
//                 ACK
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "stack/packet/address.h"
#include "stack/packet/icmp.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/authentication/authenticator.h"
#include "stack/tcp/buffer_tuning.h"
#include "stack/tcp/challenge_ack.h"
#include "stack/tcp/congestion/congestion_control.h"
#include "stack/tcp/ecn.h"
#include "stack/tcp/event.h"
#include "stack/tcp/fast_open.h"
#include "stack/tcp/mtu_search.h"
#include "stack/tcp/outcome.h"
#include "stack/tcp/path_mtu.h"
#include "stack/tcp/receive_buffer.h"
#include "stack/tcp/recovery/loss_recovery.h"
#include "stack/tcp/rtt.h"
#include "stack/tcp/segment_out.h"
#include "stack/tcp/send_buffer.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/settings.h"
#include "stack/tcp/shared_options.h"
#include "stack/tcp/state.h"
#include "stack/tcp/status.h"
#include "stack/tcp/time.h"
#include "stack/tcp/time_wait.h"
#include "stack/tcp/timestamps_paws.h"

namespace tcproctor::tcp {

// An ICMP error about a segment of this connection, as the host read it.
struct IcmpError {
  packet::IcmpClass kind = packet::IcmpClass::kOther;
  uint8_t type = 0;
  uint8_t code = 0;
  uint32_t quoted_sequence_number = 0;  // SEQ of the quoted segment
  uint32_t quoted_length = 0;           // octets of the quoted packet as its header says
  uint32_t mtu = 0;                     // kPacketTooBig: next-hop MTU; 0 from an old router
};

// What a connection is made of. All of it is fixed for its life but `options`.
struct ConnectionConfig {
  packet::FourTuple tuple;              // local is ours; both fully specified
  SeqNum iss;                           // initial_sequence_number()
  uint32_t timestamp_offset = 0;        // timestamp_offset()
  uint32_t mtu = 1500;                  // octets of an IP packet on the path's first link
  std::optional<PathMtuNews> path_mtu;  // known of the whole path already
  const Settings* settings = nullptr;   // not null, outlives the connection
  SharedOptions options;
  ReassemblyBudget* reassembly = nullptr;  // the host's, outlives the connection; null: no limit
  FastOpenPath fast_open;                  // active, with options.fast_open
  bool trace = false;                      // the trace's events, see Event::Kind
};

// The peer's SYN as a listener keeps it (syn_cache.h): from it a passive connection begins.
struct PassiveStart {
  SeqNum irs;
  uint16_t peer_window = 0;  // of the SYN: never scaled (RFC7323-2.2-6)
  std::optional<uint16_t> peer_mss;
  std::optional<uint8_t> peer_window_scale;   // both sides sent the option
  bool sack_permitted = false;                // both sides sent the option
  bool timestamps = false;                    // both sides sent the option
  bool ecn = false;                           // the SYN asked for it and we grant it
  uint32_t ts_recent = 0;                     // TSval of the SYN
  Instant syn_received{};                     // when the SYN came
  bool syn_ack_sent = false;                  // the listener sent the SYN,ACK already
  std::optional<Instant> syn_ack_first_sent;  // nothing: not known, after a SYN cookie
  std::optional<Instant> next_syn_ack;        // when it is due again; nothing: an RTO from now
  // Not null: the SYN, already verified, whose TCP-AO KeyIDs the connection follows. Looked at
  // during construction only.
  const packet::TcpSegment* signed_syn = nullptr;
  uint32_t syn_ack_retransmissions = 0;  // RFC 5681 §3.1: a lost SYN,ACK limits the first window
};

// Members are grouped by concern; the 50 octets of padding that costs are nothing beside the
// buffers. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class Connection {
 public:
  // In CLOSED, for open_active().
  explicit Connection(const ConnectionConfig& config);
  // In SYN-RECEIVED, passive. Unless start.syn_ack_sent a SYN,ACK is pending.
  Connection(const ConnectionConfig& config, const PassiveStart& start, Instant now);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- door 1: SEGMENT ARRIVES (§3.10.7). The segment's checksum was verified and its four-tuple
  // is this connection's. In CLOSED and LISTEN it is ignored: those are closed.h's and the
  // listener's.
  void on_segment(Instant now, const packet::TcpSegment& segment);
  // Passive, right after construction: keeps the data, FIN and urgent pointer of the SYN itself, to
  // be processed once ESTABLISHED (EM-LISTEN-SEG-10..12).
  void keep_text_of_syn(const packet::TcpSegment& segment) { hold_text_of_syn(segment); }
  // Passive, right after construction, when the SYN came with a good cookie: its data can be
  // received, and answered, before the handshake is done (RFC7413-4.2.2-3, 4.2.2-5).
  void take_text_of_syn(Instant now, const packet::TcpSegment& segment);
  // TIME-WAIT only, after on_segment: a SYN arrived that may begin a new incarnation. True once;
  // the owner then either forgets this connection and hands the same segment to the listener (see
  // Listener::on_segment, iss_above = status().snd_nxt), or calls refuse_reopen().
  bool take_reopen_request();
  void refuse_reopen(Instant now);

  // --- door 2: user calls (§3.10.1-6); none waits.
  Outcome open_active(Instant now);  // CLOSED -> SYN-SENT
  // Octets are copied into the send buffer, as many as fit. `urgent` marks the end of `data` as the
  // end of urgent data; `push` sets PSH there (data never waits for a push: MUST-60).
  SendResult send(Instant now, std::span<const uint8_t> data, bool push, bool urgent);
  // Never reads across the end of urgent data in one call, so that `urgent` holds for all of it.
  ReceiveResult receive(Instant now, std::span<uint8_t> buffer);
  Outcome close(Instant now);    // CLOSE: FIN after the queued data; receiving goes on
  Outcome release(Instant now);  // the user is gone: close(2)
  Outcome abort(Instant now);    // ABORT: RST where a synchronized peer exists
  Status status(Instant now) const;
  // FAILED_PRECONDITION names an option that only matters before the SYN and that differs;
  // INVALID_ARGUMENT names one out of range.
  absl::Status set_options(Instant now, const ConnectionOptions& options);
  const ConnectionOptions& options() const { return *options_; }

  // --- door 3: time (§3.10.8).
  // The earliest moment at which on_deadline() has something to do; nothing = no timer runs.
  std::optional<Instant> next_deadline() const;
  // May be called early or late.
  void on_deadline(Instant now);

  // ICMP error that quotes this connection (§3.9.2.2, RFC 5927).
  void on_icmp(Instant now, const IcmpError& error);

  // The path's MTU as others found it: segments keep to it from now on, and what is in flight and
  // too large goes again in smaller segments (RFC 1191 §6.4).
  void set_path_mtu(Instant now, const PathMtuNews& news);
  // What was known of the path is old (RFC 1191 §6.3): packets of `mtu` octets may go again, or the
  // search for what the path carries begins anew.
  void path_mtu_aged(Instant now, uint32_t mtu);
  // What this connection found, for the others to the same destination; nothing: no news.
  std::optional<PathMtuNews> take_path_mtu_news();

  // What an active open with Fast Open learnt for the next one; nothing: no news.
  std::optional<FastOpenNews> take_fast_open_news();

  // --- what it wants sent. False: nothing now. `max_payload`: largest super-segment the link takes
  // in octets of payload; 0 = one MSS. The spans in `out` live until the next call of this
  // connection.
  [[nodiscard]] bool next_segment(Instant now, SegmentOut& out, uint32_t max_payload = 0);

  // --- what it tells its user, in order. False: nothing.
  [[nodiscard]] bool next_event(Event& event);

  // CLOSED: gone, see last_error; what is pending in next_segment() should still be pulled.
  // LISTEN: a passive connection returned to LISTEN (MUST-11): the owner forgets it, the listener
  // being there still.
  State state() const { return state_; }
  bool passive() const { return passive_; }
  bool released() const { return released_; }
  // Its segments are signed: TimeWait alone could not answer for it.
  bool is_signed() const { return authentication_ != nullptr; }
  // In SYN-RECEIVED, but its user has it already: the SYN came with a good Fast Open cookie.
  bool may_answer_early() const {
    return state_ == State::kSynReceived && fast_open_ != nullptr && fast_open_->early;
  }
  // SYN-RECEIVED (passive): while its listener has no room for it, the ACK of its SYN,ACK counts
  // for nothing, and the SYN,ACK goes again (S001-syn-2).
  void hold_back(bool without_room) { held_back_ = without_room; }
  const packet::FourTuple& tuple() const { return tuple_; }
  Outcome last_error() const { return last_error_; }
  size_t readable_bytes() const { return receive_buffer_.readable(); }
  bool end_of_stream() const { return fin_received_; }
  size_t unsent_or_unacknowledged_bytes() const { return send_buffer_.size(); }
  // TIME-WAIT only: the small stand-in. The host may keep it instead of this connection when
  // released() and readable_bytes() == 0.
  const TimeWait& time_wait() const { return *time_wait_; }

 private:
  enum Timer : uint8_t {
    kRetransmission,
    kPersist,  // zero window, and the override timer of §3.8.6.2.1
    kDelayedAck,
    kKeepAlive,
    kUser,  // R2: user_timeout or syn_timeout
    kTimeWaitEnd,
    kOrphan,  // FIN-WAIT-2 of a released connection
    kTimerCount,
  };
  static constexpr Instant kOff = Instant::max();
  static constexpr uint32_t kNoLimit = UINT32_MAX;
  static constexpr uint32_t kR1 = 3;  // timeouts of one segment: RFC9293-SHLD-10

  // For STATUS and the trace: what is counted of a connection that did not go smoothly.
  struct Ledger {
    uint64_t retransmitted_bytes = 0;
    uint32_t timeouts = 0;
    uint32_t recoveries = 0;
    uint32_t challenge_acks_sent = 0;
    uint32_t challenge_acks_throttled = 0;
    ChallengeAckLimiter challenge_limiter;
    ChallengeAckLimiter invalid_limiter;
    uint64_t total_retransmissions = 0;
    std::array<SeqNum, 4> resets{};  // SEQ of those that are to be sent: the first reset_count_
    // What the trace has told.
    RecoveryPhase phase = RecoveryPhase::kOpen;
    uint32_t spurious_recoveries = 0;
    uint32_t spurious_timeouts = 0;
  };

  // A segment on its way through the checks of §3.10.7.4: what is left of it after trimming.
  struct Arriving {
    const packet::TcpSegment& segment;
    SeqNum seq;  // of the first octet of `text` (or of FIN)
    SeqNum ack;
    std::span<const uint8_t> text;
    bool fin = false;
    bool reply = false;  // first check: unacceptable, an ACK is owed whatever comes (MUST-66)
  };

  // segment_arrives.cc
  void segment_arrives_syn_sent(Instant now, const packet::TcpSegment& segment);
  void segment_arrives_otherwise(Instant now, const packet::TcpSegment& segment);
  void segment_arrives_time_wait(Instant now, const packet::TcpSegment& segment);
  bool answer_syn_in_syn_received(Instant now, const packet::TcpSegment& segment);
  bool check_timestamps(Instant now, Arriving& arriving);
  bool check_sequence_number(Instant now, Arriving& arriving);
  bool check_rst(Instant now, Arriving& arriving);
  bool check_security(const Arriving& arriving);
  bool check_syn(Instant now, Arriving& arriving);
  bool check_ack(Instant now, Arriving& arriving);
  bool check_ack_syn_received(Instant now, Arriving& arriving);
  void check_urg(Instant now, Arriving& arriving);
  bool process_text(Instant now, Arriving& arriving);
  void check_fin(Instant now, Arriving& arriving);
  void fin_in_order(Instant now);
  void trim_to_window(Arriving& arriving);
  void return_to_listen(Instant now, std::string_view cause);
  void hold_text_of_syn(const packet::TcpSegment& segment);
  void signal_urgent(Instant now);
  void acknowledge_text(Instant now, const Arriving& arriving, bool filled_gap);
  void accept_syn(Instant now, const packet::TcpSegment& segment);
  void establish(Instant now, std::string_view cause);
  void unacceptable(Instant now, const Arriving& arriving, std::string_view cause);
  void note_duplicate(SeqNum left, SeqNum right);
  void drop(Instant now, std::string_view cause);

  // acknowledgment.cc
  bool process_ack(Instant now, Arriving& arriving);
  CongestionControl::AckSample acknowledge_up_to(Instant now, const Arriving& arriving);
  bool repeats_last_ack(const Arriving& arriving) const;
  void recover(Instant now, LossRecovery::Ack ack, const packet::TcpSegment& segment);
  void hold_timeout_for_reordering();
  void note_recovery();
  void ecn_echo(Instant now, const Arriving& arriving, uint32_t flight_before);
  void update_send_window(Instant now, const Arriving& arriving);
  void note_rtt(Duration rtt);
  // What this ACK tells about the round trip, 0 for nothing.
  Duration take_rtt_sample(Instant now, const packet::TcpSegment& segment);
  Duration rtt_by_timestamps(Instant now, const packet::TcpSegment& segment) const;
  bool segment_before_timed_end(const packet::TcpSegment& segment) const;
  void report_room(Instant now);
  void fin_acknowledged(Instant now);

  // user_calls.cc
  void start_queued_close(Instant now);
  void tune_receive_buffer(Instant now);
  bool grow_send_buffer();

  // timeouts.cc
  void recovery_deadline(Instant now);
  void retransmission_timeout(Instant now);
  void persist_timeout();
  void keepalive_timeout(Instant now);
  void user_timeout(Instant now);
  void restart_retransmission_timer(Instant now);
  void restart_keepalive(Instant now);
  void restart_user_timer(Instant now);
  void hear_user_timeout(Instant now, const packet::TcpSegment& segment);
  bool peer_alters_user_timeout() const;
  Duration user_timeout_in_force() const;
  bool user_timer_needed() const;
  void arm_persist(Instant now);
  Duration persist_interval() const;

  // signing.cc
  bool is_authentic(Instant now, const packet::TcpSegment& segment);
  size_t option_room() const;
  bool ignores_icmp(const IcmpError& error) const;
  absl::Status update_keys(const ConnectionOptions& options);
  // fast_open.cc
  std::optional<FastOpenReport> fast_open_report() const;
  std::optional<std::span<const uint8_t>> fast_open_offer() const;
  void put_data_on_syn(SegmentOut& out);
  bool acknowledges_data_of_syn(SeqNum ack);
  void learn_fast_open(const packet::TcpSegment& syn_ack);
  void fast_open_failed();

  // path_mtu_discovery.cc
  void packet_too_big(Instant now, const IcmpError& error);
  void adopt_path_mtu(Instant now, uint32_t mtu);
  void send_again_smaller(Instant now);
  uint32_t largest_path_mtu() const;
  uint32_t search_ceiling() const;
  void start_mtu_search(uint32_t eff_pmtu);
  void judge_mtu_probe(Instant now);
  void look_for_black_hole(Instant now);
  Instant after_headway(Instant now) const;

  // transmit.cc
  bool make_segment(Instant now, SegmentOut& out, uint32_t max_payload);
  bool send_reset(SegmentOut& out, Instant now);
  bool send_syn(Instant now, SegmentOut& out);
  uint16_t ecn_flags_of_syn(bool with_ack) const;
  // Our SYN asks for ECN, and none went out that did not.
  bool ecn_requested() const {
    return options_->ecn == EcnUse::kRequest && syn_retransmissions_ == 0;
  }
  bool send_pure_ack(Instant now, SegmentOut& out);
  bool send_retransmission(Instant now, SegmentOut& out);
  bool send_tail_loss_probe(Instant now, SegmentOut& out);
  bool send_probe(Instant now, SegmentOut& out);
  // kWait: ordinary data stays back, so that the window has room for the probe soon.
  enum class MtuProbe : uint8_t { kNone, kSent, kWait };
  MtuProbe send_mtu_probe(Instant now, SegmentOut& out);
  bool send_new_data(Instant now, SegmentOut& out, uint32_t max_payload);
  bool small_may_go(uint32_t queued, uint32_t usable) const;
  uint32_t sendable_now(Instant now, uint32_t mss, uint32_t max_payload);
  void fill(Instant now, SegmentOut& out, SeqNum seq, uint16_t flags, bool with_sack);
  void fill_header(SegmentOut& out, SeqNum seq, uint16_t flags) const;
  static void put_options(SegmentOut& out, packet::OptionWriter& writer);
  void attach_payload(SegmentOut& out, SeqNum seq, uint32_t length, uint32_t gso_size);
  void note_sent(Instant now, SeqNum seq, SeqNum end, bool tail_loss_probe = false);
  LossRecovery& recovery(Instant now);
  LossRecovery::Sender sender(Instant now) const;
  bool can_send_new(uint32_t unsent, uint32_t mss) const;
  std::optional<LossRecovery::Span> mtu_probe() const;
  void note_fin_sent(Instant now);
  void note_ack_sent();
  uint16_t advertise_window();
  bool window_update_due() const;
  uint32_t payload_mss(bool with_sack) const { return payload_of(path_mtu_.mtu(), with_sack); }
  uint32_t payload_of(uint32_t mtu, bool with_sack) const;
  uint32_t options_of_data() const;
  void mark_new_data(SegmentOut& out);
  std::span<const packet::SackBlock> sack_blocks(
      std::array<packet::SackBlock, packet::kMaxSackBlocks>& storage) const;
  uint32_t usable_window() const;
  void start_congestion_control();
  uint32_t flight() const { return snd_nxt_ - snd_una_; }
  // FlightSize (RFC 5681 §2) as the network had it when the segments came that are being answered:
  // of several that come together the first may acknowledge most of it before anything new is sent.
  uint32_t flight_size() const { return std::max(flight(), flight_after_turn_); }
  SeqNum send_end() const { return send_buffer_.end(); }  // after the last octet queued
  bool fin_sent() const { return fin_queued_ && snd_nxt_.after(send_end()); }
  bool fin_is_acknowledged() const { return fin_queued_ && snd_una_.after(send_end()); }
  bool syn_acknowledged() const { return snd_una_ != iss_; }

  // connection.cc
  void set_state(Instant now, State state, std::string_view cause, Outcome outcome = Outcome::kOk);
  void enter_closed(Instant now, std::string_view cause, Outcome outcome);
  void enter_time_wait(Instant now, std::string_view cause);
  void flush();
  void emit(Event event);
  Ledger& ledger();
  void trace_recovery(Instant now);
  void trace_probe(Instant now, ProbeKind kind, uint32_t count);
  void queue_reset(SeqNum seq);
  void ack_now() { ack_now_ = true; }
  void ack_at_once_each();  // one ACK for this very segment: duplicates and challenges
  void challenge_ack(Instant now);
  bool answer_allowed(Instant now, ChallengeAckLimiter Ledger::*limiter);
  bool timer_runs(Timer timer) const { return timers_[timer] != kOff; }
  void stop(Timer timer) { timers_[timer] = kOff; }
  void stop_all_timers() { timers_.fill(kOff); }
  uint16_t announced_mss() const;
  uint8_t receive_window_shift() const;
  uint32_t rcv_wnd() const { return rcv_adv_ - rcv_nxt_; }

  const Settings& settings_;
  SharedOptions options_;
  const packet::FourTuple tuple_;
  const uint32_t mtu_;
  PathMtu path_mtu_;
  std::unique_ptr<MtuSearch> mtu_search_;  // null: there is nothing to find out
  bool path_mtu_news_ = false;
  const bool trace_;
  State state_ = State::kClosed;
  bool passive_ = false;
  bool held_back_ = false;
  bool released_ = false;
  Outcome last_error_ = Outcome::kOk;

  // Send sequence variables (§3.3.1). snd_nxt_ is the highest sent plus one; it never goes back.
  const SeqNum iss_;
  SeqNum snd_una_;
  SeqNum snd_nxt_;
  SeqNum snd_up_;         // SND.UP: the octet following urgent data
  uint32_t snd_wnd_ = 0;  // octets, scaled
  SeqNum snd_wl1_;
  SeqNum snd_wl2_;
  uint32_t max_snd_wnd_ = 0;  // largest window the peer ever offered (RFC 5961 §5.2, SWS)
  uint32_t resend_allowance_ = kNoLimit;  // octets from SND.UNA on that may go again just now
  bool fin_queued_ = false;               // CLOSE was accepted: FIN follows the queued data
  bool close_waits_ = false;  // CLOSE in SYN-RECEIVED with data, or CLOSE-WAIT with data unsent
  bool syn_pending_ = false;
  bool probe_pending_ = false;  // zero-window probe or override: send at least one octet
  bool keepalive_pending_ = false;
  bool tail_loss_probe_pending_ = false;
  bool probed_ = false;             // the octet at SND.UNA went out as a probe into a zero window
  bool send_was_full_ = false;      // a SEND found no room: tell when there is some
  uint32_t flight_after_turn_ = 0;  // flight() when nothing was left that might be sent
  SendBuffer send_buffer_;
  uint32_t send_buffer_bytes_;  // how much may be in it just now
  SeqNum push_end_;             // PSH goes on the segment that ends here or beyond, if push_mark_

  // Receive sequence variables.
  SeqNum irs_;
  SeqNum rcv_nxt_;
  SeqNum rcv_adv_;  // RCV.NXT + RCV.WND: the right edge, never moved left (SHLD-14)
  SeqNum rcv_up_;
  bool urgent_ahead_ = false;  // rcv_up_ lies after what the user has read
  bool fin_received_ = false;  // the peer's FIN was processed
  bool eos_reported_ = false;
  bool push_received_ = false;
  SeqNum received_push_end_;  // end of the last segment that carried PSH, while push_received_
  ReceiveBuffer receive_buffer_;
  uint32_t receive_buffer_bytes_;  // how much may be in it just now
  ReceiveTuning receive_tuning_;

  // Options in force.
  uint16_t peer_mss_ = 0;  // SendMSS: what the peer announced, or 536 / 1220 (MUST-15)
  uint8_t snd_wind_shift_ = 0;
  uint8_t rcv_wind_shift_ = 0;
  bool window_scale_agreed_ = false;
  bool user_timeout_pending_ = false;                        // the option is to be sent
  std::optional<packet::UserTimeoutOption> remote_timeout_;  // REMOTE_UTO
  bool sack_permitted_ = false;
  Timestamps timestamps_;

  // ACKs owed to the peer.
  bool ack_now_ = false;
  uint8_t segments_unacknowledged_ = 0;  // data segments since the last ACK (SHLD-19)
  uint8_t extra_acks_ = 0;               // ACKs that must not be merged
  uint8_t reset_count_ = 0;              // of the ledger's resets
  packet::SackBlock duplicate_;          // what the next ACK reports as D-SACK; empty: nothing

  // Retransmission and congestion.
  RttEstimator rtt_;
  Instant timed_at_{};
  SeqNum timed_end_;
  uint32_t retransmissions_ = 0;     // in a row, of the segment at SND.UNA
  uint32_t events_head_ = 0;         // of events_
  std::unique_ptr<Ledger> ledger_;   // null until there is something to count
  bool timing_ = false;              // a segment is being timed (Karn: never a retransmitted one)
  bool trouble_reported_ = false;    // R1
  uint8_t syn_retransmissions_ = 0;  // of our SYN or SYN,ACK, by timeout
  bool syn_sent_before_ = false;
  uint32_t persist_backoff_ = 0;
  std::unique_ptr<CongestionControl> congestion_;
  uint64_t delivered_bytes_ = 0;            // octets of data acknowledged
  Duration min_rtt_{0};                     // 0: none yet
  std::unique_ptr<LossRecovery> recovery_;  // null until something was sent
  Ecn ecn_;
  SeqNum cwnd_limited_until_;  // ACKs below this are for data that cwnd held back
  Instant last_send_{};

  // Timers.
  std::array<Instant, kTimerCount> timers_;
  Instant last_received_{};
  std::unique_ptr<FastOpenState> fast_open_;  // null unless it takes part
  std::unique_ptr<TimeWait> time_wait_;       // null before TIME-WAIT

  std::unique_ptr<Authenticator> authentication_;  // null: segments are not signed
  uint32_t signature_failures_ = 0;
  uint32_t keepalive_probes_sent_ = 0;

  // Here they take no room of their own.
  bool urgent_mode_ = false;  // snd_up_ lies after snd_una_
  bool push_mark_ = false;
  bool reopen_requested_ = false;
  uint8_t soft_error_type_ = 0;
  uint8_t soft_error_code_ = 0;
  std::vector<Event> events_;  // a queue: [events_head_, end)
};

}  // namespace tcproctor::tcp
