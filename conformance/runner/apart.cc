// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/apart.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "conformance/runner/target.h"
#include "conformance/script/names.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// Where the examined TCP of that target is reached.
const google::protobuf::RepeatedPtrField<std::string>& addresses_of(std::string_view target,
                                                                    const Apart& apart) {
  return target == kTargetKernel ? apart.endpoint.addresses() : apart.endpoint.end_addresses();
}

bool has_family(const google::protobuf::RepeatedPtrField<std::string>& addresses, bool ipv6) {
  return std::any_of(addresses.begin(), addresses.end(), [ipv6](const std::string& address) {
    return (address.find(':') != std::string::npos) == ipv6;
  });
}

v1::EndSpec& spec_of(v1::CreateSessionRequest& request, v1::End end) {
  return end == v1::END_A ? *request.mutable_a() : *request.mutable_b();
}

// One half: where `away` stands is a remote end at `addresses`.
v1::CreateSessionRequest half(v1::CreateSessionRequest request, v1::End away,
                              const google::protobuf::RepeatedPtrField<std::string>& addresses) {
  request.mutable_wire()->Clear();
  request.mutable_wire()->set_link(v1::LINK_KIND_INTERFACE);
  // Their addresses are those of the places they are at.
  request.mutable_a()->clear_addresses();
  request.mutable_b()->clear_addresses();
  v1::EndSpec& remote = spec_of(request, away);
  remote.mutable_remote();
  *remote.mutable_addresses() = addresses;
  return request;
}

absl::Status plant_mutant(const Head& head, const std::string& mutant,
                          v1::CreateSessionRequest& request) {
  if (mutant.empty()) return absl::OkStatus();
  v1::EndSpec& end = spec_of(request, mutated_end(head));
  if (!end.has_stack()) return absl::InvalidArgumentError("a mutant wants our stack as the target");
  end.mutable_stack()->set_mutant(mutant);
  return absl::OkStatus();
}

// Why a statement cannot be carried out, or proves nothing, where a network is between the ends.
struct OneMachine {
  std::string operator()(const FloodStatement&) const {
    return "its flood comes from addresses to which the other machine would answer elsewhere";
  }
  std::string operator()(const FlowStatement& flow) const {
    if (flow.a.address.empty() && flow.b.address.empty()) return "";
    return "it uses addresses of its own, which belong to nobody on this network";
  }
  std::string operator()(const CallStatement& call) const {
    for (const Argument& argument : call.arguments) {
      // EndpointKeys as text: peers { peer: '192.0.2.1' … }
      if (argument.name != "keys" || argument.value.text.find("peer:") == std::string::npos)
        continue;
      return "its keys name peers by addresses, which are others on this network";
    }
    return "";
  }
  std::string operator()(const InjectStatement& inject) const { return of(inject.packet, true); }
  std::string operator()(const ExpectStatement& expect) const {
    for (const Packet& packet : expect.alternatives) {
      std::string reason = of(packet, false);
      if (!reason.empty()) return reason;
    }
    return "";
  }
  std::string operator()(const SentStatement& sent) const {
    for (const RawField& field : sent.fields) {
      if (field.key == "checksum" || field.key == "ip_checksum") {
        return "it judges a checksum, which covers addresses that are others on this network";
      }
    }
    return "";
  }
  template <typename Other>
  std::string operator()(const Other&) const {
    return "";
  }

 private:
  static std::string of(const Packet& packet, bool sent) {
    if (std::holds_alternative<OctetPacket>(packet.body)) {
      return "it sends whole packets, and with them addresses which are others on this network";
    }
    for (const RawField& field : packet.fields) {
      if (field.key == "src" || field.key == "dst") {
        return "it names addresses, which are others on this network";
      }
      if (field.key == "ttl" && !sent) return "a router changes the time to live that it judges";
      if (sent && std::count(kUnroutable.begin(), kUnroutable.end(), field.key) != 0) {
        return cat("a router does not pass on a packet with a ", field.key, " of its own");
      }
    }
    return "";
  }
  // With these a router drops or repairs a packet, so that silence would say nothing of the TCP.
  static constexpr std::array<std::string_view, 5> kUnroutable = {
      "version", "header_length", "total_length", "ip_checksum", "ip_options"};
};

}  // namespace

absl::StatusOr<Apart> meet(const std::shared_ptr<grpc::Channel>& endpoint_channel,
                           const v1::ServerInfo& endpoint, const v1::ServerInfo& wire) {
  for (const auto& [where, info] : {std::pair("endpoint", &endpoint), std::pair("wire", &wire)}) {
    if (info->has_interface()) continue;
    const auto why = info->missing().find("link.interface");
    return absl::FailedPreconditionError(
        cat("the ", where, "'s daemon is on no network: ",
            why == info->missing().end() ? "it knows no link.interface" : why->second));
  }
  if (wire.interface().end_addresses().empty()) {
    return absl::FailedPreconditionError(
        "the wire's daemon has no address for the scripted end (tcproctord --interface-addresses)");
  }
  return Apart{endpoint_channel, endpoint.interface(), wire.interface()};
}

std::string local_only(const Head& head, std::string_view target, const Apart& apart) {
  if (head.examines == Examines::kBoth) {
    return "both ends are a TCP, and the wire between them holds and releases what they send";
  }
  const auto& addresses = addresses_of(target, apart);
  if (!has_family(addresses, head.ipv6) || !has_family(apart.wire.end_addresses(), head.ipv6)) {
    return cat("the machines have no ", head.ipv6 ? "IPv6" : "IPv4", " addresses for ", target);
  }
  for (const Setting& setting : head.settings) {
    if (!setting.target.empty() && setting.target != target) continue;
    const std::string prefix = split_once(setting.key, '.').first;
    const bool of_machine = prefix == "wire" || (prefix == "kernel" && target == kTargetKernel);
    if (of_machine) return cat("it sets ", setting.key, ", and the other machine stays as it is");
  }
  return "";
}

std::string local_only(const Clause& clause) {
  for (const Statement& statement : clause.statements) {
    const std::string reason = std::visit(OneMachine(), statement.body);
    if (!reason.empty()) return reason;
  }
  return "";
}

absl::StatusOr<std::unique_ptr<Drive>> begin_session(const Head& head, std::string_view target,
                                                     uint64_t seed, const std::string& mutant,
                                                     const std::shared_ptr<grpc::Channel>& wire,
                                                     const Apart& apart, absl::Duration watchdog) {
  absl::StatusOr<v1::CreateSessionRequest> request = session_request(head, target, seed);
  if (!request.ok()) return request.status();
  const absl::Status planted = plant_mutant(head, mutant, *request);
  if (!planted.ok()) return planted;
  if (!apart) return Drive::create(wire, *request, watchdog);
  const v1::End examined = examined_end(head);
  if (examined == v1::END_UNSPECIFIED) {
    return absl::InvalidArgumentError("two TCPs of one case cannot be on different machines");
  }
  const DriveHalf there{apart.endpoint_channel,
                        half(*request, other(examined), apart.wire.end_addresses())};
  const DriveHalf here{wire, half(*request, examined, addresses_of(target, apart))};
  return Drive::create_apart(there, here, watchdog);
}

}  // namespace tcproctor::conformance
