// SPDX-License-Identifier: Apache-2.0
#include "server/session/allowance.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/wire/octets.h"
#include "stack/packet/ipv4.h"
#include "stack/packet/ipv6.h"

namespace tcproctor::server {
namespace {

const packet::IpPrefix kAllV4{packet::IpAddress::any(packet::IpFamily::kV4), 0};
const packet::IpPrefix kAllV6{packet::IpAddress::any(packet::IpFamily::kV6), 0};
// IPv4-mapped addresses (RFC 4291 §2.5.5.2): kernel sockets of IPv6 speak IPv4 with them.
const packet::IpPrefix kMappedV4 = *packet::IpPrefix::parse("::ffff:0:0/96");

absl::Status check_end(const Rights& rights, const EndPlan& end, absl::string_view name) {
  // A remote end is no TCP of this daemon's.
  const bool here = end.kind != v1::END_KIND_REMOTE;
  absl::Status status = here ? rights.check_target(end.kind, name) : absl::OkStatus();
  for (const host::InterfaceAddress& address : end.addresses) {
    if (!status.ok()) return status;
    status = rights.check_prefix({address.address, address.prefix_length},
                                 absl::StrCat(name, ".addresses"));
  }
  return status;
}

// Of an IP packet of that family; false where it ends before.
bool packet_addresses(std::span<const uint8_t> packet, packet::IpFamily family,
                      packet::IpAddress& source, packet::IpAddress& destination) {
  if (family == packet::IpFamily::kV4) {
    if (packet.size() < packet::kIpv4MinHeaderBytes) return false;
    source = packet::IpAddress::v4_bytes(packet.subspan<12, 4>());
    destination = packet::IpAddress::v4_bytes(packet.subspan<16, 4>());
    return true;
  }
  if (packet.size() < packet::kIpv6HeaderBytes) return false;
  source = packet::IpAddress::v6_bytes(packet.subspan<8, 16>());
  destination = packet::IpAddress::v6_bytes(packet.subspan<24, 16>());
  return true;
}

// What would lead a packet on from its destination: a route in its options or a routing header, and
// a packet within the packet. Empty: nothing, it is TCP or ICMP to where it says.
std::string leads_on(std::span<const uint8_t> packet, packet::IpFamily family) {
  constexpr uint8_t kRouting = 43;
  uint8_t protocol = 0;
  if (family == packet::IpFamily::kV4) {
    const size_t header = std::min<size_t>((packet[0] & 0x0Fu) * 4u, packet.size());
    if (header > packet::kIpv4MinHeaderBytes &&
        packet::has_source_route(packet.first(header).subspan(packet::kIpv4MinHeaderBytes))) {
      return "a source route";
    }
    protocol = packet[9];
  } else {
    packet::Ipv6Extensions chain;
    const packet::ParseResult result =
        packet::parse_ipv6_extensions(packet[6], packet.subspan(packet::kIpv6HeaderBytes), chain);
    const auto kinds = std::span(chain.kinds).first(chain.count);
    if (result != packet::ParseResult::kOk || std::ranges::count(kinds, kRouting) != 0) {
      return "extension headers that it may be led on by";
    }
    protocol = chain.protocol;
  }
  for (const uint8_t told :
       {packet::kProtocolTcp, packet::kProtocolIcmp, packet::kProtocolIcmpV6}) {
    if (protocol == told) return "";
  }
  return absl::StrCat("protocol ", int{protocol}, ", not TCP or ICMP");
}

// A packet may say that it is of another family than it is sent as: then it counts as both.
absl::Status check_packet(const Rights& rights, std::span<const uint8_t> packet,
                          packet::IpFamily sent_as, bool source_is_drawn, absl::string_view field) {
  const int version = packet.empty() ? 0 : packet[0] >> 4;
  for (const packet::IpFamily family : {packet::IpFamily::kV4, packet::IpFamily::kV6}) {
    if (family != sent_as && version != static_cast<int>(family)) continue;
    packet::IpAddress source;
    packet::IpAddress destination;
    if (!packet_addresses(packet, family, source, destination)) continue;
    absl::Status status = rights.check_address(destination, absl::StrCat(field, " destination"));
    if (status.ok() && !source_is_drawn) {
      status = rights.check_address(source, absl::StrCat(field, " source"));
    }
    if (!status.ok()) return status;
    const bool confined =
        !rights.check_prefix(family == packet::IpFamily::kV4 ? kAllV4 : kAllV6, "").ok();
    const std::string beyond = confined ? leads_on(packet, family) : "";
    if (!beyond.empty()) {
      return absl::PermissionDeniedError(
          absl::StrCat(field, ": the packet has ", beyond, ", and could go beyond the prefixes of ",
                       "the rule for client \"", rights.name(), "\""));
    }
  }
  return absl::OkStatus();
}

uint64_t count_of(const PlannedInjection& injection) {
  return injection.flood != nullptr ? injection.flood->count() : injection.train.size();
}

uint64_t total_octets(const PlannedInjection& injection) {
  if (injection.flood != nullptr) {
    return injection.flood->count() * injection.flood->packet().size();
  }
  uint64_t octets = 0;
  for (const PlannedPacket& packet : injection.train) octets += packet.packet.size();
  return octets;
}

// How many segments must be there at once for all to be sent when they are due, while `per_second`
// come.
double at_once(const PlannedInjection& injection, double per_second) {
  const auto count = static_cast<double>(count_of(injection));
  if (injection.flood != nullptr) {
    const double rate = injection.flood->rate();
    // The last of them is due after (count - 1) / rate.
    return rate == 0 ? count : std::max(1.0, count - per_second * (count - 1) / rate);
  }
  double most = 1;
  double number = 0;
  for (const PlannedPacket& packet : injection.train) {
    const double due = std::chrono::duration<double>(packet.offset).count();
    most = std::max(most, ++number - per_second * due);
  }
  return most;
}

// Octets that a socket call hands over to be sent, and to where.
struct Handed {
  uint64_t octets = 0;
  const v1::SocketAddress* remote = nullptr;
};

Handed handed_by(const v1::SocketCallRequest& request) {
  Handed handed;
  switch (request.call_case()) {
    case v1::SocketCallRequest::kConnect:
      if (request.connect().has_address()) handed.remote = &request.connect().address();
      break;
    case v1::SocketCallRequest::kWrite:
      handed.octets = request.write().data().size();
      if (request.write().has_address()) handed.remote = &request.write().address();
      break;
    case v1::SocketCallRequest::kSendMessage:
      for (const std::string& buffer : request.send_message().buffers()) {
        handed.octets += buffer.size();
      }
      if (request.send_message().has_address()) handed.remote = &request.send_message().address();
      break;
    case v1::SocketCallRequest::kSplice:
      handed.octets = request.splice().length();
      break;
    case v1::SocketCallRequest::kSendFile:
      handed.octets = request.send_file().count();
      break;
    default:
      break;
  }
  return handed;
}

// Descriptors that a socket call makes when it succeeds.
uint64_t descriptors_of(const v1::SocketCallRequest& request) {
  switch (request.call_case()) {
    case v1::SocketCallRequest::kSocket:
    case v1::SocketCallRequest::kAccept:
    case v1::SocketCallRequest::kEpollCreate:
    case v1::SocketCallRequest::kScratchFile:
      return 1;
    case v1::SocketCallRequest::kPipe:
      return 2;
    default:
      return 0;
  }
}

// What a byte service will send by itself; 0 where that is not known.
uint64_t octets_sent_by(const v1::ServeRequest& request) {
  const bool sends =
      request.kind() == v1::SERVICE_KIND_SOURCE || request.kind() == v1::SERVICE_KIND_CHARGEN;
  return sends ? request.bytes() : 0;
}

}  // namespace

std::vector<std::string> interfaces_of(const SessionPlan& plan) {
  switch (plan.link) {
    case v1::LINK_KIND_VETH:
      return {"veth"};
    case v1::LINK_KIND_TUN:
      return {"tun"};
    case v1::LINK_KIND_INTERFACE:
      return {plan.interface};
    default:
      return {"memory"};
  }
}

absl::Status check_rights(const Rights& rights, const SessionPlan& plan) {
  absl::Status status = check_end(rights, plan.a, "a");
  if (status.ok()) status = check_end(rights, plan.b, "b");
  for (const std::string& interface : interfaces_of(plan)) {
    if (status.ok()) status = rights.check_interface(interface, "wire.link");
  }
  if (status.ok() && plan.log_bytes > rights.quota().log_bytes) {
    status = rights.exhausted(
        "log_bytes", absl::StrCat("wire.log_bytes: ", plan.log_bytes,
                                  " octets are over the limit of ", rights.quota().log_bytes));
  }
  return status;
}

Allowance::Allowance(std::shared_ptr<const Rights> rights, const SessionPlan& plan)
    : rights_(std::move(rights)), virtual_clock_(plan.virtual_clock()) {
  const bool kernel = plan.a.kind == v1::END_KIND_KERNEL || plan.b.kind == v1::END_KIND_KERNEL;
  on_the_machine_ = kernel && plan.on_interface();
}

absl::Status Allowance::check_socket(const v1::SocketAddress& socket,
                                     absl::string_view field) const {
  const absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(socket.address());
  // What is no address is refused by the end, in its own words.
  if (!address.ok() || address->is_unspecified()) return absl::OkStatus();
  if (kMappedV4.contains(*address)) {
    return rights_->check_address(packet::IpAddress::v4_bytes(address->bytes().last<4>()), field);
  }
  return rights_->check_address(*address, field);
}

// Sockets of the machine's own namespace reach all that the machine has, its loopback as well.
absl::Status Allowance::check_local(const v1::SocketAddress& local) const {
  if (!on_the_machine_) return absl::OkStatus();
  const absl::StatusOr<packet::IpAddress> address = packet::IpAddress::parse(local.address());
  const bool any = local.address().empty() || (address.ok() && address->is_unspecified());
  return any ? check_everywhere("local.address") : check_socket(local, "local.address");
}

absl::Status Allowance::check_everywhere(absl::string_view field) const {
  absl::Status status = rights_->check_prefix(kAllV4, field);
  return status.ok() ? rights_->check_prefix(kAllV6, field) : status;
}

absl::Status Allowance::check_open(const v1::OpenRequest& request) const {
  if (rights_ == nullptr) return absl::OkStatus();
  const bool connects = request.active() || request.from_listener() != 0;
  absl::Status status =
      connects ? check_socket(request.remote(), "remote.address") : check_local(request.local());
  // An active OPEN without a local address takes one of the end's.
  if (status.ok() && connects && on_the_machine_)
    status = check_socket(request.local(), "local.address");
  if (status.ok()) status = check_octets(request.data().size(), "data");
  return status;
}

absl::Status Allowance::check_socket_call(const v1::SocketCallRequest& request) const {
  if (rights_ == nullptr) return absl::OkStatus();
  const Handed handed = handed_by(request);
  absl::Status status = absl::OkStatus();
  if (handed.remote != nullptr) status = check_socket(*handed.remote, "address");
  // What a program may do with sockets of the machine is too much to be followed.
  if (status.ok() && on_the_machine_) status = check_everywhere("end");
  if (!status.ok()) return status;
  const uint64_t limit = rights_->quota().connections;
  const uint64_t made = descriptors_of(request);
  if (made != 0 && descriptors_ + made > limit) {
    return rights_->exhausted("connections", absl::StrCat(descriptors_, " descriptors are open; ",
                                                          "the limit is ", limit));
  }
  return check_octets(handed.octets, "data");
}

absl::Status Allowance::check_serve(const v1::ServeRequest& request) const {
  const bool chargen = request.kind() == v1::SERVICE_KIND_CHARGEN;
  if (chargen && request.bytes() == 0 && rights_ != nullptr) {
    return rights_->exhausted(
        "bytes", absl::StrCat("bytes: 0, a CHARGEN without an end, is over the session's limit of ",
                              rights_->quota().bytes));
  }
  return check_octets(octets_sent_by(request), "bytes");
}

absl::Status Allowance::check_octets(uint64_t octets, absl::string_view field) const {
  if (rights_ == nullptr) return absl::OkStatus();
  const uint64_t limit = rights_->quota().bytes;
  if (octets <= limit && octets_ <= limit - octets) return absl::OkStatus();
  return rights_->exhausted("bytes",
                            absl::StrCat(field, ": ", octets, " octets more than the ", octets_,
                                         " so far are over the session's limit of ", limit));
}

uint64_t Allowance::octets_left() const {
  if (rights_ == nullptr) return std::numeric_limits<uint64_t>::max();
  const uint64_t limit = rights_->quota().bytes;
  return limit - std::min(limit, octets_);
}

absl::Status Allowance::check_addresses(const PlannedInjection& injection) const {
  if (injection.flood != nullptr) {
    const FloodGenerator& flood = *injection.flood;
    absl::Status status = rights_->check_prefix(flood.sources(), "flood.source_prefix");
    if (!status.ok()) return status;
    return check_packet(*rights_, octets_of(flood.packet()), flood.family(), true, "flood.segment");
  }
  for (size_t i = 0; i < injection.train.size(); ++i) {
    const PlannedPacket& packet = injection.train[i];
    absl::Status status = check_packet(*rights_, octets_of(packet.packet), packet.meta.family,
                                       false, absl::StrCat("train[", i, "]"));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Allowance::take_injection(const PlannedInjection& injection) {
  if (rights_ == nullptr) return absl::OkStatus();
  const uint64_t octets = total_octets(injection);
  absl::Status status = check_addresses(injection);
  if (status.ok()) status = check_octets(octets, injection.flood != nullptr ? "flood" : "train");
  if (!status.ok()) return status;
  SegmentRate& rate = rights_->segment_rate();
  const uint64_t count = count_of(injection);
  const double now =
      virtual_clock_ ? static_cast<double>(count) : at_once(injection, rate.per_second());
  if (!rate.take(run::steady_now(), count, now)) {
    return rights_->exhausted("segments_per_second",
                              absl::StrCat(count, " segments, ", static_cast<uint64_t>(now),
                                           " of them at once, are over the limit of ",
                                           rate.per_second(), " a second; spread them, or wait"));
  }
  octets_ += octets;
  return absl::OkStatus();
}

absl::Status Allowance::check_room(absl::FunctionRef<bool(uint64_t)> over) {
  if (rights_ == nullptr) return absl::OkStatus();
  const uint64_t limit = rights_->quota().connections;
  if (connections_.size() >= limit) std::erase_if(connections_, over);
  if (connections_.size() < limit) return absl::OkStatus();
  return rights_->exhausted(
      "connections", absl::StrCat("the session has ", connections_.size(), "; the limit is ", limit,
                                  "; release or abort some"));
}

void Allowance::count_connection(uint64_t connection) {
  if (rights_ != nullptr && connection != 0) connections_.insert(connection);
}

void Allowance::count_socket_call(const v1::SocketCallRequest& request,
                                  const v1::SocketCallResponse& response) {
  if (rights_ == nullptr || response.result() < 0) return;
  count_octets(handed_by(request).octets);
  descriptors_ += descriptors_of(request);
  if (request.has_close() && descriptors_ > 0) --descriptors_;
}

void Allowance::forget_connections() {
  connections_.clear();
  descriptors_ = 0;
}

}  // namespace tcproctor::server
