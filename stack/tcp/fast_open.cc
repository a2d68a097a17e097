// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/fast_open.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "stack/tcp/connection.h"
#include "stack/tcp/mss.h"

namespace tcproctor::tcp {

FastOpenCookie FastOpenCookies::of_period(uint64_t period, const packet::IpAddress& client) const {
  std::array<uint8_t, 24> input{};
  std::memcpy(input.data(), &period, sizeof period);
  const std::span<const uint8_t> address = client.bytes();
  std::memcpy(input.data() + sizeof period, address.data(), address.size());
  const uint64_t hash = siphash(secret_, std::span(input).first(sizeof period + address.size()));
  std::array<uint8_t, kBytes> bytes{};
  std::memcpy(bytes.data(), &hash, sizeof hash);
  return FastOpenCookie(bytes);
}

FastOpenCookie FastOpenCookies::make(Instant now, const packet::IpAddress& client) const {
  return of_period(static_cast<uint64_t>(now.time_since_epoch() / kPeriod), client);
}

bool FastOpenCookies::check(Instant now, const packet::IpAddress& client,
                            std::span<const uint8_t> cookie) const {
  const auto period = static_cast<uint64_t>(now.time_since_epoch() / kPeriod);
  for (const uint64_t made_in : {period, period - 1}) {
    if (std::ranges::equal(of_period(made_in, client).span(), cookie)) return true;
  }
  return false;
}

// ------------------------------------------------------------------------- a connection's part

// What our SYN carries: an empty one asks (RFC7413-4.2.1-1). A SYN that goes again is plain
// (RFC7413-4.2.1-2, 4.2.2-2).
std::optional<std::span<const uint8_t>> Connection::fast_open_offer() const {
  if (fast_open_ == nullptr || state_ != State::kSynSent || syn_sent_before_) return std::nullopt;
  const std::span<const uint8_t> cookie = fast_open_->path.cookie.span();
  constexpr size_t kOthers = 20;  // octets of MSS, SACK-permitted, timestamps and window scale
  if (fast_open_->path.failed || kOthers + 2 + cookie.size() > option_room()) return std::nullopt;
  return cookie;
}

// RFC7413-4.2.2-1: only with a cookie, and no more than one segment as the server announced it.
void Connection::put_data_on_syn(SegmentOut& out) {
  if (fast_open_->path.cookie.empty() || send_buffer_.size() == 0) return;
  const packet::IpFamily family = tuple_.remote.address.family();
  const uint16_t peer_mss = fast_open_->path.mss != 0 ? fast_open_->path.mss : default_mss(family);
  const uint32_t mss = effective_send_mss(peer_mss, family, path_mtu_.mtu());
  if (mss <= out.option_size) return;
  const auto length =
      static_cast<uint32_t>(std::min<size_t>(send_buffer_.size(), mss - out.option_size));
  attach_payload(out, iss_ + 1, length, 0);
  out.header.flags &= static_cast<uint16_t>(~packet::kPsh);  // filters know no PSH on a SYN
  fast_open_->data_in_syn = static_cast<uint16_t>(length);
  snd_nxt_ = iss_ + 1 + length;
}

// What the SYN carried counts as unsent when the SYN,ACK does not acknowledge it. The peer may have
// it all the same: then it does not go again.
bool Connection::acknowledges_data_of_syn(SeqNum ack) {
  if (fast_open_ == nullptr || ack.after(iss_ + 1 + fast_open_->data_in_syn)) return false;
  recovery(last_send_).on_sent(sender(last_send_), snd_nxt_, ack, false);
  snd_nxt_ = ack;
  return true;
}

// SND.UNA is what the SYN,ACK acknowledges.
void Connection::learn_fast_open(const packet::TcpSegment& syn_ack) {
  if (fast_open_ == nullptr) return;
  fast_open_->syn_data_taken = fast_open_->data_in_syn != 0 && snd_una_.after(iss_ + 1);
  const auto& cookie = syn_ack.options.fast_open;
  if (cookie.has_value() && !cookie->empty() && !fast_open_->path.failed) {
    fast_open_->news = {.cookie = FastOpenCookie(*cookie), .mss = peer_mss_};
    fast_open_->has_news = true;
  } else if (fast_open_->data_in_syn != 0 && !fast_open_->syn_data_taken) {
    fast_open_failed();
  }
}

// RFC7413-4.1.3.1-1: something on the path, or the server, does not bear it.
void Connection::fast_open_failed() {
  if (fast_open_ == nullptr || state_ != State::kSynSent || fast_open_->path.failed) return;
  fast_open_->news = {.failed = true};
  fast_open_->has_news = true;
}

std::optional<FastOpenReport> Connection::fast_open_report() const {
  if (fast_open_ == nullptr) return std::nullopt;
  const bool has_cookie = !fast_open_->path.cookie.empty();
  return FastOpenReport{.cookie_requested = fast_open_->offered && !has_cookie,
                        .cookie_sent = fast_open_->offered && has_cookie,
                        .data_in_syn = fast_open_->data_in_syn,
                        .data_taken = fast_open_->syn_data_taken,
                        .failed = fast_open_->path.failed};
}

std::optional<FastOpenNews> Connection::take_fast_open_news() {
  if (fast_open_ == nullptr || !std::exchange(fast_open_->has_news, false)) return std::nullopt;
  return fast_open_->news;
}

void Connection::take_text_of_syn(Instant now, const packet::TcpSegment& segment) {
  if (fast_open_ == nullptr) fast_open_ = std::make_unique<FastOpenState>();
  fast_open_->early = true;
  hold_text_of_syn(segment);
  receive_buffer_.release_held();
  if (receive_buffer_.next() == rcv_nxt_) return;
  rcv_nxt_ = receive_buffer_.next();
  fast_open_->syn_data_taken = true;
  emit({.kind = Event::Kind::kReadable, .time = now, .from = state_, .to = state_});
}

}  // namespace tcproctor::tcp
