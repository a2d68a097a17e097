// SPDX-License-Identifier: Apache-2.0
#include "clients/soak/load.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cpp/session.h"

namespace tcproctor::soak {
namespace {

constexpr uint16_t kPort = 7;
constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr size_t kOctets = 1000;
constexpr uint32_t kKinds = 4;
constexpr uint32_t kScripted = 3;
constexpr uint32_t kSequenceNumber = 100;
constexpr uint32_t kSyn = 0x02, kRst = 0x04, kAck = 0x10;

v1::CreateSessionRequest request_for(uint32_t kind) {
  v1::CreateSessionRequest request;
  switch (kind) {
    case 0:
      request.mutable_a()->mutable_stack();
      request.mutable_b()->mutable_kernel();
      break;
    case 1:
      request.mutable_a()->mutable_kernel();
      request.mutable_b()->mutable_kernel();
      break;
    case 2:
      request.mutable_a()->mutable_stack();
      request.mutable_b()->mutable_stack();
      request.mutable_wire()->set_link(v1::LINK_KIND_MEMORY);
      break;
    default:
      request.mutable_a()->mutable_scripted();
      request.mutable_b()->mutable_stack();
      request.mutable_wire()->set_link(v1::LINK_KIND_MEMORY);
      break;
  }
  return request;
}

absl::Status unexpected(std::string_view what, v1::Outcome outcome) {
  return absl::InternalError(absl::StrCat(std::string(what), ": ", v1::Outcome_Name(outcome)));
}

}  // namespace

class Use {
 public:
  static absl::StatusOr<std::unique_ptr<Use>> create(const client::Client& client, uint32_t kind) {
    absl::StatusOr<client::Session> session = client::Session::create(client, request_for(kind));
    if (!session.ok()) return session.status();
    absl::StatusOr<client::Connection> listener = session->listen(v1::END_B, kPort);
    if (!listener.ok()) return listener.status();
    std::unique_ptr<Use> use(new Use(*std::move(session), *std::move(listener)));
    const absl::Status status = kind == kScripted ? absl::OkStatus() : use->join();
    if (!status.ok()) return status;
    return use;
  }

  absl::Status exercise(Tally& tally) {
    if (!a_) return knock(tally);
    absl::Status status = move(*a_, *b_, tally);
    if (status.ok()) status = move(*b_, *a_, tally);
    if (status.ok()) status = look(*a_, tally);
    return status.ok() ? look(*b_, tally) : status;
  }

  absl::Status remove() { return session_.remove(); }
  uint32_t uses = 0;

 private:
  Use(client::Session session, client::Connection listener)
      : session_(std::move(session)), listener_(std::move(listener)) {}

  absl::Status join() {
    const absl::StatusOr<client::Opened> opened =
        session_.connect(v1::END_A, kPort, {.wait = true, .timeout = kPatience});
    if (!opened.ok()) return opened.status();
    if (opened->outcome != v1::OUTCOME_OK) return unexpected("OPEN", opened->outcome);
    const absl::StatusOr<client::Accepted> accepted = listener_.accept(kPatience);
    if (!accepted.ok()) return accepted.status();
    if (accepted->outcome != v1::OUTCOME_OK) return unexpected("accept", accepted->outcome);
    a_ = opened->connection;
    b_ = accepted->connection;
    return absl::OkStatus();
  }

  // A SYN from a port of its own, the listener's answer, and a RST.
  absl::Status knock(Tally& tally) {
    v1::Segment segment;
    v1::TcpHeader& tcp = *segment.mutable_tcp();
    tcp.set_source_port(next_port_);
    tcp.set_destination_port(kPort);
    tcp.set_sequence_number(kSequenceNumber);
    tcp.set_flags(kSyn);
    absl::Status status = session_.inject(v1::END_A, segment).status();
    if (status.ok()) status = await_syn_ack();
    if (status.ok()) status = look(listener_, tally);
    if (!status.ok()) return status;
    ++next_port_;
    tcp.set_sequence_number(kSequenceNumber + 1);
    tcp.set_flags(kRst);
    return session_.inject(v1::END_A, segment).status();
  }

  // On a busy machine that of an earlier SYN may have come a second time.
  absl::Status await_syn_ack() {
    v1::ExpectRequest expect;
    expect.set_session(session_.id());
    expect.set_from(v1::END_B);
    expect.set_mode(v1::EXPECT_MODE_SKIP);
    v1::TcpHeader& tcp = *expect.mutable_pattern()->mutable_fields()->mutable_tcp();
    tcp.set_destination_port(next_port_);
    tcp.set_flags(kSyn | kAck);
    expect.mutable_timeout()->set_seconds(absl::ToInt64Seconds(kPatience));
    const absl::StatusOr<v1::ExpectResponse> seen = session_.client().expect(expect);
    if (!seen.ok()) return seen.status();
    if (seen->result() == v1::ExpectResponse::RESULT_MATCHED) return absl::OkStatus();
    return absl::InternalError("no SYN,ACK for an injected SYN");
  }

  static absl::Status move(const client::Connection& from, const client::Connection& to,
                           Tally& tally) {
    const absl::StatusOr<v1::SendResponse> sent = from.send(std::string(kOctets, 'x'));
    if (!sent.ok()) return sent.status();
    if (sent->accepted() != kOctets) return unexpected("SEND", sent->outcome());
    const absl::StatusOr<v1::ReceiveResponse> received =
        to.receive({.min_bytes = kOctets, .timeout = kPatience});
    if (!received.ok()) return received.status();
    if (received->data().size() != kOctets) return unexpected("RECEIVE", received->outcome());
    tally.octets += kOctets;
    return absl::OkStatus();
  }

  static absl::Status look(const client::Connection& connection, Tally& tally) {
    const absl::Time begin = absl::Now();
    const absl::StatusOr<v1::ConnectionStatus> status = connection.status();
    tally.status_us.push_back(
        static_cast<uint32_t>(absl::ToInt64Microseconds(absl::Now() - begin)));
    return status.status();
  }

  client::Session session_;
  const client::Connection listener_;
  std::optional<client::Connection> a_;
  std::optional<client::Connection> b_;
  uint16_t next_port_ = 1024;
};

Load::Load(const client::Client& client, uint32_t first, uint32_t sessions)
    : client_(client), first_(first), uses_(sessions) {}

Load::~Load() = default;

absl::Status Load::fill() {
  for (uint32_t i = 0; i < uses_.size(); ++i) {
    if (uses_[i]) continue;
    absl::StatusOr<std::unique_ptr<Use>> made = Use::create(client_, (first_ + i) % kKinds);
    if (!made.ok()) return made.status();
    uses_[i] = *std::move(made);
    if (tally_.sessions < uses_.size()) uses_[i]->uses = i % kUses;  // of all ages, as later on
    ++tally_.sessions;
  }
  return absl::OkStatus();
}

absl::Status Load::step() {
  std::unique_ptr<Use>& use = uses_[turn_++ % uses_.size()];
  absl::Status status = use->exercise(tally_);
  if (!status.ok() || ++use->uses < kUses) return status;
  status = use->remove();
  use.reset();
  return status.ok() ? fill() : status;
}

absl::Status Load::clear() {
  absl::Status first;
  for (const std::unique_ptr<Use>& use : uses_) {
    if (use) first.Update(use->remove());
  }
  uses_.clear();
  return first;
}

}  // namespace tcproctor::soak
