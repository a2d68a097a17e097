// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/testing/rig.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/closed.h"
#include "stack/tcp/initial_sequence.h"

namespace tcproctor::tcp::testing {
namespace {

constexpr uint32_t kIss = 0xFFFFFF00;
constexpr Secret kSecret{0x0706050403020100, 0x0f0e0d0c0b0a0908};

uint32_t number(absl::string_view text) {
  uint32_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    ADD_FAILURE() << "rig: not a number: " << text;
  }
  return value;
}

}  // namespace

RigConfig::RigConfig() {
  options.delayed_ack = Duration{0};
  options.timestamps = false;
  options.window_scale = false;
  options.sack_permitted = false;
  options.congestion_control = CongestionAlgorithm::kReno;
  options.initial_window = InitialWindow::kRfc5681;
}

Rig::Rig(RigConfig config) : config_(std::move(config)) {
  tuple_.local = {packet::IpAddress::v4(192, 0, 2, 1), 80};
  tuple_.remote = {packet::IpAddress::v4(192, 0, 2, 2), 1025};
  if (config_.fill) config_.options.receive_buffer_bytes = 100;
}

std::vector<uint8_t> Rig::peer_bytes(uint32_t from, size_t count) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>((from + i) * 7 + 3);
  return bytes;
}

std::vector<uint8_t> Rig::own_bytes(uint32_t from, size_t count) {
  std::vector<uint8_t> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>((from + i) * 13 + 5);
  return bytes;
}

ConnectionConfig Rig::connection_config(SeqNum iss) const {
  return {.tuple = tuple_,
          .iss = iss,
          .timestamp_offset = timestamp_offset(kSecret, tuple_),
          .mtu = config_.mtu,
          .settings = &config_.settings,
          .options = config_.options,
          .fast_open = config_.fast_open,
          .trace = true};
}

void Rig::open_active() {
  iss_ = kIss;
  connection_ = std::make_unique<Connection>(connection_config(SeqNum(iss_)));
  EXPECT_EQ(connection_->open_active(now_), Outcome::kOk);
  collect_events();
}

void Rig::listen() {
  ListenerConfig config;
  config.id = 1;
  config.next_id = &next_id_;
  config.local = tuple_.local;
  config.mtu = config_.mtu;
  config.settings = &config_.settings;
  config.options = config_.options;
  config.secret = kSecret;
  config.trace = true;
  listener_ = std::make_unique<Listener>(config);
}

void Rig::must_send(std::vector<std::string> expected) {
  EXPECT_THAT(sent(), ::testing::ElementsAreArray(expected));
}

void Rig::reach(State state) {
  const bool behind_fin = state == State::kCloseWait || state == State::kClosing ||
                          state == State::kLastAck || state == State::kTimeWait;
  if (state == State::kClosed) return;
  if (config_.passive || state == State::kListen) {
    listen();
    if (state == State::kListen) return;
    recv("S 0(0)");
    must_send({"S. 0(0) ack 1"});
    if (config_.full) take(listener_->promote(now_, id_));
    if (state == State::kSynReceived) return;
    recv(". 1(0) ack 1");
    must_send({});
  } else {
    open_active();
    must_send({"S 0(0)"});
    if (state == State::kSynSent) return;
    if (state == State::kSynReceived) {
      recv("S 0(0)");
      must_send({"S. 0(0) ack 1"});
      return;
    }
    recv("S. 0(0) ack 1");
    must_send({". 1(0) ack 1"});
  }
  uint32_t next = 1;
  if (config_.fill) {
    next = behind_fin ? 100 : 101;
    recv(absl::StrCat("P. 1(", next - 1, ") ack 1"));
    must_send({absl::StrCat(". 1(0) ack ", next)});
  }
  if (state == State::kEstablished) return;
  if (state == State::kCloseWait || state == State::kLastAck) {
    recv(absl::StrCat("F. ", next, "(0) ack 1"));
    must_send({absl::StrCat(". 1(0) ack ", next + 1)});
    if (state == State::kCloseWait) return;
    EXPECT_EQ(close(), Outcome::kOk);
    must_send({absl::StrCat("F. 1(0) ack ", next + 1)});
    return;
  }
  EXPECT_EQ(close(), Outcome::kOk);
  must_send({absl::StrCat("F. 1(0) ack ", next)});
  if (state == State::kFinWait1) return;
  if (state == State::kClosing) {
    recv(absl::StrCat("F. ", next, "(0) ack 1"));
    must_send({absl::StrCat(". 2(0) ack ", next + 1)});
    return;
  }
  recv(absl::StrCat(". ", next, "(0) ack 2"));
  must_send({});
  if (state == State::kFinWait2) return;
  recv(absl::StrCat("F. ", next, "(0) ack 2"));
  must_send({absl::StrCat(". 2(0) ack ", next + 1)});
}

void Rig::recv(std::string_view text) {
  const std::vector<std::string> words = absl::StrSplit(std::string(text), ' ', absl::SkipEmpty());
  ASSERT_GE(words.size(), 2u) << "rig: " << text;
  packet::TcpSegment segment;
  segment.source = tuple_.remote.address;
  segment.destination = tuple_.local.address;
  segment.header.source_port = tuple_.remote.port;
  segment.header.destination_port = tuple_.local.port;
  segment.header.window = config_.peer_window;
  if (words[0] != "-") {
    const auto flags = packet::parse_flags(words[0]);
    ASSERT_TRUE(flags.ok()) << flags.status();
    segment.header.flags = *flags;
  }
  const std::vector<std::string> place = absl::StrSplit(words[1], absl::ByAnyChar("()"));
  ASSERT_EQ(place.size(), 3u) << "rig: " << text;
  const auto seq = static_cast<uint32_t>(std::atoll(place[0].c_str()));
  const size_t length = number(place[1]);
  segment.header.sequence_number = kIrs + seq;
  const bool syn = segment.has(packet::kSyn);
  const std::vector<uint8_t> payload = peer_bytes(syn ? seq + 1 : seq, length);
  segment.payload = payload;
  bool no_timestamps = false;
  for (size_t i = 2; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto argument = [&] { return i + 1 < words.size() ? words[++i] : std::string("?"); };
    if (word == "ack") {
      segment.header.acknowledgment_number =
          iss_ + static_cast<uint32_t>(std::atoll(argument().c_str()));
    } else if (word == "win") {
      segment.header.window = static_cast<uint16_t>(number(argument()));
    } else if (word == "urg") {
      segment.header.urgent_pointer = static_cast<uint16_t>(number(argument()));
    } else if (word == "mss") {
      segment.options.mss = static_cast<uint16_t>(number(argument()));
    } else if (word == "ws") {
      segment.options.window_scale = static_cast<uint8_t>(number(argument()));
    } else if (word == "uto") {
      segment.options.user_timeout = {.minutes = false,
                                      .value = static_cast<uint16_t>(number(argument()))};
    } else if (word == "fo") {
      segment.options.fast_open = cookie_.span();
    } else if (word == "sackok") {
      segment.options.sack_permitted = true;
    } else if (word == "ce") {
      segment.ecn = kCe;
    } else if (word == "nots") {
      no_timestamps = true;
    } else if (word == "ts") {
      const uint32_t value = number(argument());
      segment.options.timestamps = {.value = value, .echo_reply = number(argument())};
    } else if (word == "sack") {
      const std::vector<std::string> edges = absl::StrSplit(argument(), ':');
      segment.options.sack[segment.options.sack_count++] = {iss_ + number(edges[0]),
                                                            iss_ + number(edges[1])};
    } else {
      ADD_FAILURE() << "rig: what is '" << word << "' in " << text;
    }
  }
  if (syn) {
    if (!segment.options.mss.has_value()) segment.options.mss = config_.peer_mss;
    if (config_.peer_window_scale.has_value() && !segment.options.window_scale.has_value()) {
      segment.options.window_scale = config_.peer_window_scale;
    }
    if (config_.peer_sack) segment.options.sack_permitted = true;
  }
  if (config_.peer_timestamps && !no_timestamps && !segment.options.timestamps.has_value()) {
    segment.options.timestamps = {.value = peer_ts_, .echo_reply = 0};
    if (segment.has(packet::kAck)) {
      segment.options.timestamps->echo_reply =
          timestamp_value(now_, timestamp_offset(kSecret, tuple_));
    }
  }
  if (segment.options.timestamps.has_value()) {
    peer_ts_ = std::max(peer_ts_, segment.options.timestamps->value);
  }
  const State at = state();
  if (connection_ != nullptr && at != State::kClosed && at != State::kListen) {
    connection_->on_segment(now_, segment);
    if (connection_->take_reopen_request()) reopen(segment);
  } else if (listener_ != nullptr) {
    take(listener_->on_segment(now_, segment));
  } else {
    SegmentOut reset;
    if (reset_for(segment, reset)) resets_.push_back(reset);
  }
  collect_events();
}

// What a host does with TimeWait::Action::kReopen.
void Rig::reopen(const packet::TcpSegment& segment) {
  if (listener_ == nullptr || !listener_->takes(tuple_.remote)) {
    return connection_->refuse_reopen(now_);
  }
  const SeqNum above(connection_->status(now_).snd_nxt);
  collect_events();
  connection_.reset();
  take(listener_->on_segment(now_, segment, above));
}

void Rig::take(std::optional<Promoted> promoted) {
  if (!promoted.has_value()) return;
  id_ = promoted->id;
  sent_octets_ = 0;
  connection_ = std::move(promoted->connection);
  iss_ = connection_->status(now_).iss;
}

namespace {

absl::string_view name_of(RecoveryPhase phase) {
  constexpr std::array<absl::string_view, 4> kNames = {"OPEN", "DISORDER", "RECOVERY", "LOSS"};
  return kNames[static_cast<size_t>(phase)];
}

absl::string_view name_of(ProbeKind kind) {
  constexpr std::array<absl::string_view, 3> kNames = {"keep-alive", "window", "tail"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

void Rig::collect_events() {
  const auto note = [this](const Event& event) {
    using Kind = Event::Kind;
    switch (event.kind) {
      case Kind::kStateChange:
        events_.push_back(absl::StrCat(std::string(to_string(event.from)), " -> ",
                                       std::string(to_string(event.to))));
        break;
      case Kind::kError:
        events_.push_back(absl::StrCat("error ", std::string(to_string(event.outcome))));
        break;
      case Kind::kSoftError:
        events_.push_back(absl::StrCat("soft ", event.icmp_type, "/", event.icmp_code));
        break;
      case Kind::kUrgent:
        events_.push_back("urgent");
        break;
      case Kind::kDeliveryTrouble:
        events_.push_back("trouble");
        break;
      case Kind::kReadable:
        events_.push_back("readable");
        break;
      case Kind::kWritable:
        events_.push_back("writable");
        break;
      case Kind::kAcceptable:
        events_.push_back("acceptable");
        break;
      case Kind::kHalfOpenAlarm:
        events_.push_back("alarm");
        break;
      case Kind::kDropped:
        drops_.emplace_back(event.cause);
        break;
      case Kind::kRecovery:
        trace_.push_back(absl::StrCat("recovery ", name_of(event.phase_before), " -> ",
                                      name_of(event.phase_after)));
        break;
      case Kind::kTimeout:
        trace_.push_back(absl::StrCat("timeout ", event.count));
        break;
      case Kind::kSpurious:
        trace_.push_back(event.count != 0 ? "undone: F-RTO" : "undone: D-SACK");
        break;
      case Kind::kPathMtu:
        trace_.push_back(absl::StrCat("path MTU ", event.mtu_before, " -> ", event.mtu_after));
        break;
      case Kind::kProbe:
        trace_.push_back(absl::StrCat("probe ", name_of(event.probe), " ", event.count));
        break;
    }
  };
  ListenerEvent event;
  while (listener_ != nullptr && listener_->next_event(event)) {
    note(event.event);
    if (event.event.to == State::kSynReceived) {
      id_ = event.id;
      if (const auto status = listener_->status(now_, id_)) iss_ = status->iss;
    }
  }
  Event own;
  while (connection_ != nullptr && connection_->next_event(own)) note(own);
}

bool Rig::pull(SegmentOut& out, uint32_t max_payload) {
  if (!resets_.empty()) {
    out = resets_.front();
    resets_.pop_front();
    return true;
  }
  if (listener_ != nullptr && listener_->next_segment(now_, out)) return true;
  return connection_ != nullptr && connection_->next_segment(now_, out, max_payload);
}

std::vector<std::string> Rig::sent(uint32_t max_payload) {
  std::vector<std::string> lines;
  SegmentOut out;
  while (lines.size() < 1000 && pull(out, max_payload)) {
    lines.push_back(describe(out));
    last_ = out;
    last_payload_.assign(out.payload.begin(), out.payload.end());
    last_payload_.insert(last_payload_.end(), out.payload_rest.begin(), out.payload_rest.end());
    // Content follows the sequence number whatever was segmented how (RFC 2525 2.4).
    if (!last_payload_.empty()) {
      const uint32_t first =
          out.header.sequence_number - iss_ + (out.header.has(packet::kSyn) ? 1 : 0);
      EXPECT_EQ(last_payload_, own_bytes(first, last_payload_.size())) << lines.back();
    }
  }
  EXPECT_LT(lines.size(), 1000u) << "rig: it never stops sending";
  collect_events();
  return lines;
}

packet::TcpOptions Rig::last_options() const {
  packet::TcpOptions options;
  packet::parse_options(last_.options(), options);
  return options;
}

std::string Rig::describe(const SegmentOut& out) const {
  std::string flags = packet::flags_to_text(out.header.flags);
  const uint32_t seq = out.header.sequence_number;
  const bool absolute = seq == 0 && out.header.has(packet::kRst);  // <SEQ=0> of a reset
  std::string line = absl::StrCat(flags, " ", absolute ? 0 : static_cast<int32_t>(seq - iss_), "(",
                                  out.payload_size(), ")");
  if (out.header.has(packet::kAck)) {
    absl::StrAppend(&line, " ack ", static_cast<int32_t>(out.header.acknowledgment_number - kIrs));
  } else {
    EXPECT_EQ(out.header.acknowledgment_number, 0u);
  }
  if (out.header.has(packet::kUrg)) absl::StrAppend(&line, " urg ", out.header.urgent_pointer);
  packet::TcpOptions options;
  packet::parse_options(out.options(), options);
  EXPECT_EQ(options.error, packet::OptionError::kNone);
  for (const auto& block : options.sack_blocks()) {
    absl::StrAppend(&line, " sack ", block.left - kIrs, ":", block.right - kIrs);
  }
  if (out.ecn != kNotEct) absl::StrAppend(&line, out.ecn == kEct0 ? " ect0" : " wrong ECN");
  // RFC9293-MUST-65, RFC2018-2-1: only SYNs carry these.
  if (!out.header.has(packet::kSyn)) {
    EXPECT_FALSE(options.mss.has_value() || options.sack_permitted ||
                 options.window_scale.has_value())
        << line;
  }
  return line;
}

std::optional<Instant> Rig::next_deadline() const {
  std::optional<Instant> deadline;
  if (connection_ != nullptr) deadline = connection_->next_deadline();
  if (listener_ != nullptr && listener_->next_deadline().has_value()) {
    const Instant other = *listener_->next_deadline();
    deadline = deadline.has_value() ? std::min(*deadline, other) : other;
  }
  return deadline;
}

std::vector<std::string> Rig::advance(Duration duration) {
  const Instant start = now_;
  const Instant end = now_ + duration;
  std::vector<std::string> lines;
  for (int i = 0; i < 100000; ++i) {
    const std::optional<Instant> deadline = next_deadline();
    if (!deadline.has_value() || *deadline > end) break;
    next_timer();
    const double seconds = std::chrono::duration<double>(now_ - start).count();
    for (const std::string& line : sent()) lines.push_back(absl::StrCat("+", seconds, " ", line));
  }
  now_ = end;
  return lines;
}

bool Rig::next_timer() {
  const std::optional<Instant> deadline = next_deadline();
  if (!deadline.has_value()) return false;
  now_ = std::max(now_, *deadline);
  if (connection_ != nullptr) connection_->on_deadline(now_);
  if (listener_ != nullptr) listener_->on_deadline(now_);
  collect_events();
  return true;
}

Outcome Rig::open() {
  if (connection_ != nullptr) return connection_->open_active(now_);
  return Outcome::kConnectionDoesNotExist;
}

SendResult Rig::send(size_t octets, bool push, bool urgent) {
  if (connection_ == nullptr && listener_ != nullptr) take(listener_->promote(now_, id_));
  if (connection_ == nullptr) return {Outcome::kConnectionDoesNotExist, 0};
  const auto data = own_bytes(sent_octets_ + 1, octets);
  const SendResult result = connection_->send(now_, data, push, urgent);
  sent_octets_ += static_cast<uint32_t>(result.accepted);
  collect_events();
  return result;
}

ReceiveResult Rig::receive(size_t at_most) {
  if (connection_ == nullptr) return {.outcome = Outcome::kWouldBlock};
  std::vector<uint8_t> buffer(at_most);
  const ReceiveResult result = connection_->receive(now_, buffer);
  received_.insert(received_.end(), buffer.begin(),
                   buffer.begin() + static_cast<std::ptrdiff_t>(result.received));
  collect_events();
  return result;
}

Outcome Rig::close() {
  if (connection_ == nullptr && listener_ != nullptr) take(listener_->promote(now_, id_));
  if (connection_ == nullptr) return Outcome::kConnectionDoesNotExist;
  const Outcome outcome = connection_->close(now_);
  collect_events();
  return outcome;
}

Outcome Rig::release() {
  if (connection_ == nullptr && listener_ != nullptr) take(listener_->promote(now_, id_));
  if (connection_ == nullptr) return Outcome::kConnectionDoesNotExist;
  const Outcome outcome = connection_->release(now_);
  collect_events();
  return outcome;
}

Outcome Rig::abort() {
  Outcome outcome = Outcome::kOk;
  if (connection_ != nullptr) {
    outcome = connection_->abort(now_);
  } else if (listener_ == nullptr || !listener_->abort(now_, id_)) {
    outcome = Outcome::kConnectionDoesNotExist;
  }
  collect_events();
  return outcome;
}

void Rig::too_big(int64_t quoted_seq, uint32_t mtu, uint32_t quoted_length) {
  connection_->on_icmp(now_, {.kind = packet::IcmpClass::kPacketTooBig,
                              .type = 3,
                              .code = 4,
                              .quoted_sequence_number = iss_ + static_cast<uint32_t>(quoted_seq),
                              .quoted_length = quoted_length,
                              .mtu = mtu});
  collect_events();
}

void Rig::icmp(packet::IcmpClass kind, int64_t quoted_seq) {
  const IcmpError error{.kind = kind,
                        .type = 3,
                        .code = 1,
                        .quoted_sequence_number = iss_ + static_cast<uint32_t>(quoted_seq)};
  if (connection_ != nullptr) {
    connection_->on_icmp(now_, error);
  } else if (listener_ != nullptr) {
    listener_->on_icmp(now_, tuple_, error);
  }
  collect_events();
}

State Rig::state() const {
  if (connection_ != nullptr) return connection_->state();
  if (listener_ == nullptr) return State::kClosed;
  if (id_ == 0) return State::kListen;
  const auto status = listener_->status(now_, id_);
  return status.has_value() ? status->state : State::kListen;
}

Status Rig::status() const {
  if (connection_ != nullptr) return connection_->status(now_);
  if (listener_ == nullptr) return {};
  if (id_ != 0) {
    if (const auto status = listener_->status(now_, id_)) return *status;
  }
  return listener_->status(now_);
}

std::string Rig::plain_ack() const {
  return absl::StrCat(". ", snd_nxt(), "(0) ack ", rcv_nxt());
}

std::vector<std::string> Rig::events() {
  return std::exchange(events_, {});
}
std::vector<std::string> Rig::trace() {
  return std::exchange(trace_, {});
}

std::vector<std::string> Rig::drops() {
  return std::exchange(drops_, {});
}

}  // namespace tcproctor::tcp::testing
