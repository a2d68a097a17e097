// SPDX-License-Identifier: Apache-2.0
// IP packets over an Ethernet for somebody who has no TCP there: addresses of its own that it
// answers for (ARP, ND), and the next hops towards its peers. What a scripted end on a real network
// speaks through.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stack/host/address_book.h"
#include "stack/host/host.h"
#include "stack/link/link.h"
#include "stack/packet/address.h"
#include "stack/packet/ethernet.h"

namespace tcproctor::link {

struct NeighbourLinkConfig {
  std::vector<host::InterfaceAddress> addresses;  // at least one
  packet::MacAddress mac;
  std::optional<packet::IpAddress> gateway_v4;  // for peers off the prefixes
  std::optional<packet::IpAddress> gateway_v6;
  // Packets of others than these are not received. Of each family the first one's next hop is
  // where everything of that family is sent.
  std::vector<packet::IpAddress> peers;
};

class NeighbourLink final : public Link {
 public:
  // `ethernet` receives frames for every destination (PacketSocket). INVALID_ARGUMENT: see
  // AddressBook::check.
  static absl::StatusOr<std::unique_ptr<NeighbourLink>> create(std::unique_ptr<Link> ethernet,
                                                               NeighbourLinkConfig config);

  // Asks for the next hop towards the peers of each family that we have an address of and waits
  // for the answers, at most so long: not for a thread that others wait for.
  // FAILED_PRECONDITION: nobody answers, or a peer is off the prefixes and there is no gateway.
  absl::Status resolve(std::chrono::milliseconds patience);

  host::LinkLayer layer() const override { return host::LinkLayer::kRawIp; }
  int fd() const override { return ethernet_->fd(); }
  absl::Status receive(std::vector<ReceivedFrame>& frames) override;
  std::span<uint8_t> send_buffer() override;
  // A packet of a family without a next hop is counted as refused.
  absl::Status send(std::span<const uint8_t> packet, const host::FrameMeta& meta) override;
  absl::Status flush() override { return ethernet_->flush(); }
  LinkCounters counters() override;

 private:
  struct Hop {
    packet::IpAddress address;
    std::optional<packet::MacAddress> mac;
  };

  NeighbourLink(std::unique_ptr<Link> ethernet, const host::HostConfig& book,
                NeighbourLinkConfig config);

  bool take(const ReceivedFrame& frame, ReceivedFrame& packet);
  void on_arp(std::span<const uint8_t> bytes);
  // False: it is no message of neighbour discovery.
  bool on_neighbour_message(std::span<const uint8_t> packet,
                            const packet::EthernetHeader& ethernet);
  void learn(const packet::IpAddress& address, const packet::MacAddress& mac);
  void send_own(const std::vector<uint8_t>& frame);
  absl::Status find_hops();
  bool ask_for_missing();
  std::optional<Hop>& hop_of(packet::IpFamily family) {
    return family == packet::IpFamily::kV4 ? hop_v4_ : hop_v6_;
  }

  const std::unique_ptr<Link> ethernet_;
  const NeighbourLinkConfig config_;
  const host::AddressBook addresses_;
  std::optional<Hop> hop_v4_, hop_v6_;
  std::vector<ReceivedFrame> frames_;
  uint64_t received_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace tcproctor::link
