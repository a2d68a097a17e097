// SPDX-License-Identifier: Apache-2.0
// Where a connection meets its authenticator (TCP-MD5, TCP-AO): on the way out last, on the way in
// first.
#include "stack/tcp/connection.h"

namespace tcproctor::tcp {

bool Connection::next_segment(Instant now, SegmentOut& out, uint32_t max_payload) {
  if (authentication_ == nullptr) return make_segment(now, out, max_payload);
  // A signature is of one segment: a link could not cut a super-segment into signed ones.
  while (make_segment(now, out, 0)) {
    if (authentication_->sign(out)) return true;
  }
  return false;
}

bool Connection::is_authentic(Instant now, const packet::TcpSegment& segment) {
  const std::string_view cause = authentication_ != nullptr
                                     ? authentication_->verify(segment)
                                     : unexpected_signature(segment.options, settings_);
  if (cause.empty()) return true;
  ++signature_failures_;
  drop(now, cause);
  return false;
}

// For all options but the signature.
size_t Connection::option_room() const {
  const size_t taken = authentication_ == nullptr ? 0 : authentication_->option_bytes();
  return packet::kMaxTcpOptionBytes - taken;
}

// RFC5925-7.8-1: who can forge ICMP must not do to a TCP-AO connection what signing keeps him from
// doing with TCP.
bool Connection::ignores_icmp(const IcmpError& error) const {
  if (authentication_ == nullptr || authentication_->kind() != AuthenticationKind::kAo) {
    return false;
  }
  if (!is_synchronized(state_)) return false;
  if (tuple_.remote.address.is_v4()) {
    return error.type == 3 && error.code >= 2 && error.code <= 4;
  }
  return error.type == 1 && (error.code == 1 || error.code == 4);
}

absl::Status Connection::update_keys(const ConnectionOptions& options) {
  ConnectionOptions wanted = options;
  // What was asked for before is done; the peer may have asked for another key since.
  if (options.ao_current_key == options_->ao_current_key) wanted.ao_current_key.reset();
  if (options.ao_rnext_key == options_->ao_rnext_key) wanted.ao_rnext_key.reset();
  if (authentication_ != nullptr) {
    const bool nothing_new = options.keys == options_->keys && !wanted.ao_current_key.has_value() &&
                             !wanted.ao_rnext_key.has_value();
    return nothing_new ? absl::OkStatus() : authentication_->update(wanted);
  }
  auto authentication = make_authenticator(options, tuple_, iss_);
  if (authentication == nullptr) return absl::OkStatus();
  if (state_ != State::kClosed || snd_nxt_ != iss_) {
    return absl::FailedPreconditionError(
        "keys: this connection began without; whether segments are signed is settled in the SYN");
  }
  authentication_ = std::move(authentication);
  return absl::OkStatus();
}

}  // namespace tcproctor::tcp
