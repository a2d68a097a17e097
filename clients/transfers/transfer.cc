// SPDX-License-Identifier: Apache-2.0
#include "clients/transfers/transfer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cpp/convert.h"

namespace tcproctor::transfers {
namespace {

constexpr uint16_t kPort = 5001;
constexpr uint64_t kLogBytes = 1 << 20;
constexpr double kMarked = 0.001;
constexpr absl::Duration kPoll = absl::Milliseconds(5);

v1::End other(v1::End end) {
  return end == v1::END_A ? v1::END_B : v1::END_A;
}

void weather(Weather weather, v1::ImpairRequest& path) {
  switch (weather) {
    case Weather::kFair:
      break;
    case Weather::kLoss1In1000:
      path.set_loss(0.001);
      break;
    case Weather::kLoss1In50:
      path.set_loss(0.02);
      break;
    case Weather::kReordering:
      path.set_reorder(0.02);
      path.mutable_reorder_delay()->set_nanos(2'000'000);
      break;
  }
}

// Addresses are as the daemon chooses them: the first IPv4 and the first IPv6 one of each end.
absl::StatusOr<std::string> address_of(const client::Session& session, v1::End end, bool ipv6) {
  const v1::EndInfo& info = end == v1::END_A ? session.info().a() : session.info().b();
  for (const std::string& entry : info.addresses()) {
    if ((entry.find(':') != std::string::npos) == ipv6) return entry.substr(0, entry.find('/'));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("end ", v1::End_Name(end), " has no ", ipv6 ? "IPv6" : "IPv4", " address"));
}

absl::Status set_weather(const client::Client& client, const client::Session& session, v1::End from,
                         v1::ImpairRequest path) {
  path.set_session(session.id());
  path.set_from(from);
  return client.impair(path);
}

// Both ends of an established connection.
struct Joined {
  client::Connection sender;
  client::Connection receiver;
};

absl::StatusOr<Joined> join(const client::Session& session, const TransferPlan& plan) {
  const v1::End listening = other(plan.opener);
  const absl::StatusOr<std::string> local = address_of(session, plan.opener, plan.ipv6);
  const absl::StatusOr<std::string> remote = address_of(session, listening, plan.ipv6);
  if (!local.ok()) return local.status();
  if (!remote.ok()) return remote.status();
  const auto options_of = [&plan](v1::End end) {
    return end == plan.sender ? plan.sender_options : plan.receiver_options;
  };
  const absl::StatusOr<client::Connection> listener =
      session.listen(listening, kPort, {.address = *remote, .options = options_of(listening)});
  if (!listener.ok()) return listener.status();
  const absl::StatusOr<client::Opened> opened =
      session.connect(plan.opener, kPort,
                      {.remote_address = *remote,
                       .local_address = *local,
                       .wait = true,
                       .timeout = absl::Seconds(30),
                       .options = options_of(plan.opener)});
  if (!opened.ok()) return opened.status();
  if (opened->outcome != v1::OUTCOME_OK) {
    return absl::UnavailableError(absl::StrCat("OPEN: ", v1::Outcome_Name(opened->outcome)));
  }
  const absl::StatusOr<client::Accepted> accepted = listener->accept(absl::Seconds(30));
  if (!accepted.ok()) return accepted.status();
  if (accepted->outcome != v1::OUTCOME_OK) {
    return absl::UnavailableError(absl::StrCat("accept: ", v1::Outcome_Name(accepted->outcome)));
  }
  if (plan.opener == plan.sender) return Joined{opened->connection, accepted->connection};
  return Joined{accepted->connection, opened->connection};
}

// The one flow of the connection.
absl::StatusOr<v1::TrafficResponse::Flow> flow_of(const client::Connection& connection,
                                                  bool wait = false,
                                                  absl::Duration timeout = absl::ZeroDuration()) {
  absl::StatusOr<v1::TrafficResponse> traffic = connection.traffic(wait, timeout);
  if (!traffic.ok()) return traffic.status();
  if (traffic->flows_size() != 1) return absl::InternalError("the service has no flow");
  return std::move(*traffic->mutable_flows(0));
}

absl::StatusOr<v1::TrafficResponse::Flow> receive_all(const Joined& joined,
                                                      const TransferPlan& plan, absl::Time start) {
  if (!plan.on_status) return flow_of(joined.receiver, true, plan.limit);
  while (absl::Now() - start < plan.limit) {
    const absl::StatusOr<v1::ConnectionStatus> status = joined.sender.status();
    if (!status.ok()) return status.status();
    plan.on_status(absl::Now() - start, *status);
    absl::StatusOr<v1::TrafficResponse::Flow> flow = flow_of(joined.receiver);
    if (!flow.ok() || flow->ended()) return flow;
    absl::SleepFor(kPoll);
  }
  return flow_of(joined.receiver);
}

}  // namespace

TransferPlan plan_of(const Combination& combination, uint64_t bytes, uint64_t seed) {
  TransferPlan plan;
  plan.session.mutable_a()->mutable_stack();
  v1::KernelEnd& kernel = *plan.session.mutable_b()->mutable_kernel();
  plan.session.mutable_wire()->set_link(combination.link);
  plan.session.mutable_wire()->set_mtu(combination.mtu);
  plan.session.set_seed(seed);
  plan.sender = combination.inward ? v1::END_B : v1::END_A;
  plan.ipv6 = combination.ipv6;
  // An extension is used when both ends want it, so ours decides.
  v1::ConnectionOptions& ours = combination.inward ? plan.receiver_options : plan.sender_options;
  ours.set_timestamps(combination.timestamps);
  ours.set_sack_permitted(combination.sack);
  ours.set_window_scale(combination.window_scale);
  ours.set_ecn(combination.ecn ? v1::ECN_USE_REQUEST : v1::ECN_USE_OFF);
  kernel.mutable_sysctls()->insert({"net.ipv4.tcp_ecn", std::string(combination.ecn ? "1" : "0")});
  weather(combination.weather, plan.data_path);
  if (combination.ecn) plan.data_path.set_congestion_experienced(kMarked);
  plan.bytes = bytes;
  plan.seed = seed;
  return plan;
}

std::string retransmissions_text(const TransferResult& result) {
  if (!result.retransmissions) return {};
  return absl::StrCat("  ", *result.retransmissions, " retransmissions");
}

absl::StatusOr<TransferResult> transfer(const client::Client& client, const TransferPlan& plan) {
  v1::CreateSessionRequest request = plan.session;
  request.mutable_wire()->set_log_bytes(kLogBytes);
  const absl::StatusOr<client::Session> session = client::Session::create(client, request);
  if (!session.ok()) return session.status();
  absl::Status status = set_weather(client, *session, plan.sender, plan.data_path);
  status.Update(set_weather(client, *session, other(plan.sender), plan.ack_path));
  if (!status.ok()) return status;

  const absl::Time start = absl::Now();
  const absl::StatusOr<Joined> joined = join(*session, plan);
  if (!joined.ok()) return joined.status();
  status.Update(joined->receiver.serve_sink());
  status.Update(joined->sender.serve_source(plan.bytes, plan.seed));
  if (!status.ok()) return status;
  const absl::StatusOr<v1::TrafficResponse::Flow> received = receive_all(*joined, plan, start);
  if (!received.ok()) return received.status();
  TransferResult result;
  result.time = absl::Now() - start;
  if (!received->ended()) {
    return absl::DeadlineExceededError(absl::StrCat(received->received(), " of ", plan.bytes,
                                                    " octets in ",
                                                    absl::FormatDuration(result.time)));
  }
  const absl::StatusOr<v1::TrafficResponse::Flow> sent = flow_of(joined->sender);
  if (!sent.ok()) return sent.status();
  const absl::StatusOr<v1::ConnectionStatus> sender = joined->sender.status();
  if (sender.ok() && sender->has_total_retransmissions()) {
    result.retransmissions = sender->total_retransmissions();
  }
  result.sent_sha256 = sent->sent_sha256();
  result.received_sha256 = received->received_sha256();
  result.goodput_bits_per_s =
      static_cast<double>(plan.bytes) * 8 / absl::ToDoubleSeconds(result.time);
  if (received->received() != plan.bytes || result.sent_sha256 != result.received_sha256) {
    return absl::DataLossError(absl::StrCat(
        received->received(), " of ", plan.bytes, " octets, sha256 ", result.received_sha256,
        " instead of ", result.sent_sha256, ", ", v1::Outcome_Name(received->outcome())));
  }
  return result;
}

}  // namespace tcproctor::transfers
