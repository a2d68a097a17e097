// SPDX-License-Identifier: Apache-2.0
// One bulk transfer between the two ends of a session, over the API.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cpp/session.h"
#include "clients/transfers/combination.h"

namespace tcproctor::transfers {

struct TransferPlan {
  v1::CreateSessionRequest session;
  v1::End sender = v1::END_A;
  v1::End opener = v1::END_A;
  bool ipv6 = false;
  v1::ConnectionOptions sender_options;
  v1::ConnectionOptions receiver_options;
  // Of what the sender sends (`session` and `from` are filled in), and of the way back.
  v1::ImpairRequest data_path;
  v1::ImpairRequest ack_path;
  uint64_t bytes = 0;
  uint64_t seed = 1;  // of the octets
  absl::Duration limit = absl::Minutes(10);
  // Called with the sender's STATUS as often as it can be had, while the transfer runs.
  std::function<void(absl::Duration since_start, const v1::ConnectionStatus&)> on_status;
};

struct TransferResult {
  absl::Duration time;  // from the OPEN to the end of stream at the receiver
  std::string sent_sha256;
  std::string received_sha256;
  std::optional<uint64_t> retransmissions;  // as the sender counts them, where it still tells
  double goodput_bits_per_s = 0;
};

// Our stack (A) and the kernel (B) as the combination says.
TransferPlan plan_of(const Combination& combination, uint64_t bytes, uint64_t seed);

// " 17 retransmissions", or nothing.
std::string retransmissions_text(const TransferResult& result);

// DATA_LOSS: what arrived is not what was sent; DEADLINE_EXCEEDED: not all of it within the limit.
absl::StatusOr<TransferResult> transfer(const client::Client& client, const TransferPlan& plan);

}  // namespace tcproctor::transfers
