// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/authentication/ao_authenticator.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace tcproctor::tcp {
namespace {

using packet::kAck;
using packet::kSyn;

bool is_first_syn(uint16_t flags) {
  return (flags & (kSyn | kAck)) == kSyn;
}

}  // namespace

AoAuthenticator::AoAuthenticator(const ConnectionOptions& options, const PeerKeys& keys,
                                 const packet::FourTuple& tuple, SeqNum iss)
    : ring_(options.keys), keys_(&keys), tuple_(tuple), iss_(iss), traffic_(keys.ao.size()) {
  send_extension_.start(iss);
  (void)choose(options);  // one that names no MKT leaves the first: the ring may be another peer's
}

std::optional<size_t> AoAuthenticator::find_recv(uint8_t id) const {
  const auto it = std::ranges::find(keys_->ao, id, &MasterKeyTuple::recv_id);
  if (it == keys_->ao.end()) return std::nullopt;
  return static_cast<size_t>(it - keys_->ao.begin());
}

std::optional<size_t> AoAuthenticator::find_send(uint8_t id) const {
  const auto it = std::ranges::find(keys_->ao, id, &MasterKeyTuple::send_id);
  if (it == keys_->ao.end()) return std::nullopt;
  return static_cast<size_t>(it - keys_->ao.begin());
}

// RFC5925-7.1-1: the user's wish.
absl::Status AoAuthenticator::choose(const ConnectionOptions& options) {
  const auto no_such = [](absl::string_view field, int id) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " ", id, " names no TCP-AO key for this peer"));
  };
  std::optional<size_t> current;
  std::optional<size_t> rnext;
  if (options.ao_current_key && !(current = find_send(*options.ao_current_key))) {
    return no_such("ao_current_key", *options.ao_current_key);
  }
  if (options.ao_rnext_key && !(rnext = find_recv(*options.ao_rnext_key))) {
    return no_such("ao_rnext_key", *options.ao_rnext_key);
  }
  current_key_ = current.value_or(current_key_);
  rnext_key_ = rnext.value_or(rnext_key_);
  return absl::OkStatus();
}

Mac AoAuthenticator::sending_key(size_t index, SeqNum irs) const {
  return {mkt(index).algorithm,
          derive_traffic_key(mkt(index).algorithm, mkt(index).key, tuple_.local, tuple_.remote,
                             iss_.value(), irs.value())
              .span()};
}

Mac AoAuthenticator::receiving_key(size_t index, SeqNum source_isn, SeqNum destination_isn) const {
  return {mkt(index).algorithm,
          derive_traffic_key(mkt(index).algorithm, mkt(index).key, tuple_.remote, tuple_.local,
                             source_isn.value(), destination_isn.value())
              .span()};
}

Mac& AoAuthenticator::kept_sending_key(size_t index) {
  Mac& key = traffic_[index].send;
  if (!key) key = sending_key(index, irs_);
  return key;
}

Mac& AoAuthenticator::kept_receiving_key(size_t index) {
  Mac& key = traffic_[index].receive;
  if (!key) key = receiving_key(index, irs_, iss_);
  return key;
}

bool AoAuthenticator::sign(SegmentOut& out) {
  const bool first_syn = is_first_syn(out.header.flags);
  if (!first_syn && !irs_known_) return false;
  uint8_t* const option = append_option(out, kOptionBytes);
  option[0] = static_cast<uint8_t>(packet::OptionKind::kAuthentication);
  option[1] = kOptionBytes;
  option[2] = mkt(current_key_).send_id;
  option[3] = mkt(rnext_key_).recv_id;
  const SeqNum seq(out.header.sequence_number);
  std::array<uint8_t, Mac::kSize> mac{};
  if (first_syn) {  // RFC5925-5.2-1: the destination's ISN is 0
    Mac key = sending_key(current_key_, SeqNum());
    mac = ao_mac(key, signed_part(out), mkt(current_key_).covers_options, 0);
  } else {
    mac = ao_mac(kept_sending_key(current_key_), signed_part(out), mkt(current_key_).covers_options,
                 send_extension_.of(seq));
  }
  send_extension_.note(seq);
  std::ranges::copy(mac, option + 4);
  return true;
}

bool AoAuthenticator::matches(const packet::TcpSegment& segment, size_t index) {
  const SeqNum seq(segment.header.sequence_number);
  const auto received = segment.options.authentication.subspan(2);
  const bool covers_options = mkt(index).covers_options;
  const Signed part = signed_part(segment);
  // A SYN names its own ISN. It may be of a new incarnation of the socket pair.
  if (is_first_syn(segment.header.flags)) {
    Mac key = receiving_key(index, seq, SeqNum());
    return same(ao_mac(key, part, covers_options, 0), received);
  }
  if (!irs_known_) {  // SYN,ACK in SYN-SENT
    Mac key = receiving_key(index, seq, iss_);
    return same(ao_mac(key, part, covers_options, 0), received);
  }
  return same(ao_mac(kept_receiving_key(index), part, covers_options, receive_extension_.of(seq)),
              received);
}

std::string_view AoAuthenticator::verify(const packet::TcpSegment& segment) {
  const std::span<const uint8_t> option = segment.options.authentication;
  if (has_conflicting_signatures(segment.options)) {
    return "RFC 5925 §2.2: more than one signature";
  }
  if (option.empty()) return "RFC 5925 §7.3: no TCP-AO option";  // RFC5925-7.3-1
  const std::optional<size_t> index = find_recv(option[0]);
  if (!index) return "RFC 5925 §3.3: no MKT with this KeyID";  // RFC5925-3.3-1
  // RFC5925-2.2-3.
  if (option.size() != 2 + Mac::kSize) return "RFC 5925 §2.2: wrong length of the TCP-AO option";
  if (!irs_known_ && !segment.has(kSyn)) return "RFC 5925 §5.2: the peer's ISN is not known";
  if (!matches(segment, *index)) return "RFC 5925 §7.5: wrong MAC";
  if (irs_known_ && !segment.has(kSyn)) {
    receive_extension_.note(SeqNum(segment.header.sequence_number));
  }
  follow_key_ids(segment, *index);
  return "";
}

void AoAuthenticator::follow_key_ids(const packet::TcpSegment& segment, size_t index) {
  received_key_id_ = segment.options.authentication[0];
  received_rnext_key_id_ = segment.options.authentication[1];
  // A passive OPEN goes with what the peer's SYN says (RFC 5925 §7.5).
  if (!irs_known_ && is_first_syn(segment.header.flags)) rnext_key_ = index;
  // RFC5925-7.5-2: the peer is ready for another of our keys.
  current_key_ = find_send(received_rnext_key_id_).value_or(current_key_);
}

void AoAuthenticator::set_irs(SeqNum irs) {
  irs_ = irs;
  irs_known_ = true;
  receive_extension_.start(irs);
  for (TrafficKeys& keys : traffic_) keys = TrafficKeys{};
}

absl::Status AoAuthenticator::update(const ConnectionOptions& options) {
  const PeerKeys* const keys =
      options.keys == nullptr ? nullptr : options.keys->find(tuple_.remote.address);
  if (keys == nullptr || keys->ao.empty()) {
    return absl::FailedPreconditionError("keys: a connection that began with TCP-AO stays with it");
  }
  // RFC5925-3.1-2: MKTs may come, and go while they are not in use; none may change.
  for (size_t i = 0; i < keys_->ao.size(); ++i) {
    const MasterKeyTuple& old = mkt(i);
    const auto same_ids = [&old](const MasterKeyTuple& other) {
      return other.send_id == old.send_id && other.recv_id == old.recv_id;
    };
    const auto it = std::ranges::find_if(keys->ao, same_ids);
    const bool in_use = i == current_key_ || i == rnext_key_;
    if (it == keys->ao.end() ? in_use
                             : it->key != old.key || it->algorithm != old.algorithm ||
                                   it->covers_options != old.covers_options) {
      return absl::FailedPreconditionError(
          absl::StrCat("keys: the TCP-AO key with send_id ", old.send_id, " and recv_id ",
                       old.recv_id, " is in use: it can be neither changed nor taken away"));
    }
  }
  const uint8_t current_id = mkt(current_key_).send_id;
  const uint8_t rnext_id = mkt(rnext_key_).recv_id;
  const std::shared_ptr<const KeyRing> old_ring = std::exchange(ring_, options.keys);
  keys_ = keys;
  traffic_ = std::vector<TrafficKeys>(keys->ao.size());
  current_key_ = *find_send(current_id);
  rnext_key_ = *find_recv(rnext_id);
  return choose(options);
}

std::optional<AoKeyIds> AoAuthenticator::key_ids() const {
  return AoKeyIds{.current_key = mkt(current_key_).send_id,
                  .rnext_key = mkt(rnext_key_).recv_id,
                  .received_key_id = received_key_id_,
                  .received_rnext_key_id = received_rnext_key_id_};
}

}  // namespace tcproctor::tcp
