// SPDX-License-Identifier: Apache-2.0
#include "stack/host/host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "stack/host/host_impl.h"

namespace tcproctor::host {
namespace {

absl::Status check(const HostConfig& config) {
  if (absl::Status status = AddressBook::check(config); !status.ok()) return status;
  const bool has_v6 =
      std::ranges::any_of(config.addresses, [](const auto& own) { return own.address.is_v6(); });
  const uint32_t least = has_v6 ? 1280 : 68;  // RFC 8200 §5, RFC 791 §3.2
  if (config.mtu < least || config.mtu > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("mtu: ", config.mtu, ", must be ", least,
                                                   has_v6 ? " (IPv6)" : "", " to 65535"));
  }
  if (config.link_layer == LinkLayer::kEthernet &&
      (config.mac.is_multicast() || config.mac == packet::MacAddress{})) {
    return absl::InvalidArgumentError(
        absl::StrCat("mac: ", config.mac.to_string(), " is no unicast address"));
  }
  for (const Neighbour& neighbour : config.neighbours) {
    if (neighbour.mac.is_multicast()) {
      return absl::InvalidArgumentError(absl::StrCat("neighbours: ", neighbour.address.to_string(),
                                                     " at ", neighbour.mac.to_string(),
                                                     ", which is no unicast address"));
    }
  }
  if (absl::Status status = tcp::validate(config.tcp); !status.ok()) return status;
  if (config.segmentation_offload && !config.checksum_offload) {
    return absl::InvalidArgumentError("segmentation_offload: needs checksum_offload as well");
  }
  return absl::OkStatus();
}

}  // namespace

Host::Impl::Impl(HostConfig config)
    : config_(std::move(config)),
      addresses_(config_),
      secret_(SecretHash::derive(config_.seed, "initial sequence numbers")),
      neighbours_(SecretHash(config_.seed, "neighbours")),
      path_mtus_(SecretHash(config_.seed, "path MTUs")),
      fast_open_(SecretHash(config_.seed, "fast open")),
      ports_(config_.tcp.ephemeral_first, config_.tcp.ephemeral_last, config_.seed),
      identification_hash_(config_.seed, "identification"),
      reassembly_(config_.tcp.reassembly_limit_bytes),
      table_(SecretHash(config_.seed, "socket pairs")) {
  for (const Neighbour& neighbour : config_.neighbours) neighbours_.add_permanent(neighbour);
}

absl::StatusOr<std::unique_ptr<Host>> Host::create(HostConfig config) {
  if (absl::Status status = check(config); !status.ok()) return status;
  return std::unique_ptr<Host>(new Host(std::make_unique<Impl>(std::move(config))));
}

Host::Host(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Host::~Host() = default;

void Host::on_frame(tcp::Instant now, std::span<const uint8_t> frame, const FrameMeta& meta) {
  impl_->on_frame(now, frame, meta);
}
size_t Host::next_frame(tcp::Instant now, std::span<uint8_t> buffer, FrameMeta& meta) {
  return impl_->next_frame(now, buffer, meta);
}
std::optional<tcp::Instant> Host::next_deadline() const {
  return impl_->next_deadline();
}
void Host::on_deadline(tcp::Instant now) {
  impl_->on_deadline(now);
}

OpenResult Host::open(tcp::Instant now, const OpenParameters& parameters) {
  return impl_->open(now, parameters);
}
tcp::Outcome Host::open_active(tcp::Instant now, ConnectionId listener,
                               const packet::SocketAddress& remote) {
  return impl_->open_active(now, listener, remote);
}
OpenResult Host::accept(tcp::Instant now, ConnectionId listener) {
  return impl_->accept(now, listener);
}
SendResult Host::send(tcp::Instant now, ConnectionId id, std::span<const uint8_t> data, bool push,
                      bool urgent) {
  return impl_->send(now, id, data, push, urgent);
}
ReceiveResult Host::receive(tcp::Instant now, ConnectionId id, std::span<uint8_t> buffer) {
  return impl_->receive(now, id, buffer);
}
tcp::Outcome Host::close(tcp::Instant now, ConnectionId id) {
  return impl_->close(now, id);
}
tcp::Outcome Host::release(tcp::Instant now, ConnectionId id) {
  return impl_->release(now, id);
}
tcp::Outcome Host::abort(tcp::Instant now, ConnectionId id) {
  return impl_->abort(now, id);
}
absl::StatusOr<tcp::Status> Host::status(tcp::Instant now, ConnectionId id) const {
  return impl_->status(now, id);
}
std::vector<ConnectionId> Host::list() const {
  return impl_->list();
}
absl::StatusOr<tcp::ConnectionOptions> Host::options(ConnectionId id) const {
  return impl_->options(id);
}
absl::Status Host::set_options(tcp::Instant now, ConnectionId id,
                               const tcp::ConnectionOptions& options) {
  return impl_->set_options(now, id, options);
}
HalfOpenSummary Host::half_open(tcp::Instant now, ConnectionId listener) const {
  return impl_->half_open(now, listener);
}
bool Host::next_event(HostEvent& event) {
  return impl_->next_event(event);
}
const HostCounters& Host::counters() const {
  return impl_->counters();
}

}  // namespace tcproctor::host
