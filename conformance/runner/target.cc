// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/target.h"

#include <array>

#include "conformance/script/reflect.h"
#include "conformance/script/targets.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// A case may let session time pass for long without naming the session otherwise.
constexpr absl::Duration kLease = absl::Hours(1);

enum class Kind { kScripted, kStack, kKernel };

// With two real ends the target names what A is; the other is B, so that each TCP is seen on either
// side. On the memory wire both are our stack.
Kind kind_of(const Head& head, v1::End end, std::string_view target) {
  if (!is_real(head, end)) return Kind::kScripted;
  if (target == kTargetVirtual) return Kind::kStack;
  const bool kernel = target == kTargetKernel;
  if (head.examines != Examines::kBoth || end == v1::END_A) {
    return kernel ? Kind::kKernel : Kind::kStack;
  }
  return kernel ? Kind::kStack : Kind::kKernel;
}

void make_end(const Head& head, v1::End end, Kind kind, v1::EndSpec& spec) {
  switch (kind) {
    case Kind::kScripted:
      spec.mutable_scripted();
      break;
    case Kind::kStack:
      spec.mutable_stack();
      break;
    case Kind::kKernel:
      // Linux spaces its answers to invalid segments 500 ms apart, which hides them
      // (rfc_notes.md §3).
      spec.mutable_kernel()->mutable_sysctls()->insert({"net.ipv4.tcp_invalid_ratelimit", "0"});
      break;
  }
  const auto address = head.addresses.find(end);
  if (address != head.addresses.end()) {
    spec.mutable_addresses()->Assign(address->second.begin(), address->second.end());
  }
}

absl::Status apply(const Setting& setting, v1::CreateSessionRequest& request) {
  const auto [prefix, name] = split_once(setting.key, '.');
  if (prefix == "wire") {
    if (name == "link") {
      // A virtual clock needs the memory wire.
      if (request.clock() != v1::CLOCK_VIRTUAL) {
        request.mutable_wire()->set_link(setting.value == "tun" ? v1::LINK_KIND_TUN
                                                                : v1::LINK_KIND_VETH);
      }
      return absl::OkStatus();
    }
    return set_field(*request.mutable_wire(), name, setting.value);
  }
  for (v1::EndSpec* spec : std::array<v1::EndSpec*, 2>{request.mutable_a(), request.mutable_b()}) {
    if (prefix == "kernel" && spec->has_kernel()) {
      (*spec->mutable_kernel()->mutable_sysctls())[name] = setting.value;
    }
    if (prefix == "stack" && spec->has_stack()) {
      const absl::Status status = set_field(*spec->mutable_stack(), name, setting.value);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool is_real(const Head& head, v1::End end) {
  return head.examines == Examines::kBoth || end == examined_end(head);
}

v1::End examined_end(const Head& head) {
  switch (head.examines) {
    case Examines::kA:
      return v1::END_A;
    case Examines::kB:
      return v1::END_B;
    case Examines::kBoth:
      break;
  }
  return v1::END_UNSPECIFIED;
}

v1::End mutated_end(const Head& head) {
  return head.examines == Examines::kB ? v1::END_B : v1::END_A;
}

absl::StatusOr<v1::CreateSessionRequest> session_request(const Head& head, std::string_view target,
                                                         uint64_t seed) {
  v1::CreateSessionRequest request;
  make_end(head, v1::END_A, kind_of(head, v1::END_A, target), *request.mutable_a());
  make_end(head, v1::END_B, kind_of(head, v1::END_B, target), *request.mutable_b());
  const bool simulated = target == kTargetVirtual;
  request.set_clock(simulated ? v1::CLOCK_VIRTUAL : v1::CLOCK_REAL);
  request.mutable_wire()->set_link(simulated ? v1::LINK_KIND_MEMORY : v1::LINK_KIND_VETH);
  to_proto(kLease, *request.mutable_lease());
  request.set_seed(seed);
  request.set_label(cat(head.id, " on ", target));
  for (const Setting& setting : head.settings) {
    if (!setting.target.empty() && setting.target != target) continue;
    const absl::Status status = apply(setting, request);
    if (!status.ok()) return status;
  }
  return request;
}

}  // namespace tcproctor::conformance
