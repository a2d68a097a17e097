// SPDX-License-Identifier: Apache-2.0
// One client of the soak: a number of sessions, used in turns and replaced by fresh ones.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cpp/client.h"

namespace tcproctor::soak {

struct Tally {
  std::vector<uint32_t> status_us;  // how long each Status took, as its caller saw it
  uint64_t sessions = 0;            // made
  uint64_t octets = 0;              // sent and received
};

// One session with what is open in it.
class Use;

class Load {
 public:
  // The kinds of its sessions follow from their numbers, `first` and the ones after it: our stack
  // beside the kernel and the kernel beside itself over veth, our stack beside itself and scripted
  // in memory.
  Load(const client::Client& client, uint32_t first, uint32_t sessions);
  ~Load();

  // All sessions are there.
  absl::Status fill();
  // The next session in turn is used: octets both ways, Status of both ends; every kUses-th time it
  // is replaced. An error is the first thing that was not as it must be.
  absl::Status step();
  absl::Status clear();

  const Tally& tally() const { return tally_; }

 private:
  static constexpr uint32_t kUses = 10;

  client::Client client_;
  const uint32_t first_;
  std::vector<std::unique_ptr<Use>> uses_;
  uint32_t turn_ = 0;
  Tally tally_;
};

}  // namespace tcproctor::soak
