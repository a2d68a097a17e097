// SPDX-License-Identifier: Apache-2.0
// The bookkeeping of a case: flows, the initial sequence numbers of their ends, and the streams of
// octets each end sends, so that scripts can speak in relative numbers and payloads can be
// verified.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "conformance/script/ast.h"
#include "tcproctor/v1/endpoint.pb.h"
#include "tcproctor/v1/wire.pb.h"

namespace tcproctor::conformance {

inline constexpr std::array<v1::End, 2> kEnds = {v1::END_A, v1::END_B};

// Octet of the stream that a scripted end sends, and of bytes(n) handed to SEND. Depends on the end
// and the place, so that a shifted, swapped or echoed octet shows.
char stream_octet(v1::End end, int64_t place);

// One end of a flow. Place 0 of a stream is the octet after the SYN.
struct FlowSide {
  v1::SocketAddress address;
  bool scripted = false;
  std::optional<uint32_t> isn;
  uint32_t incarnation = 0;
  // Log entries up to this number say nothing about the ISN: they are of an older incarnation.
  uint64_t forgotten_up_to = 0;
  std::string sent;                 // real end: what SEND handed over
  std::map<int64_t, char> crafted;  // scripted end: octets given in the script
  int64_t received = 0;             // how far the user at this end has read the other's stream
  std::optional<uint32_t> last_timestamp;   // TSval of the newest segment of this end
  std::optional<uint32_t> taken_timestamp;  // and of the newest that the script has awaited
  // Variables of this end, by what it sent: SND.NXT, RCV.NXT and the right edge of the window.
  std::optional<uint32_t> snd_nxt, rcv_nxt, rcv_edge;
  std::optional<uint32_t> window_shift;  // of the option in its SYN
  uint64_t cursor = 0;  // log number up to which segments of this end were consumed
};

struct Flow {
  std::string name;
  std::array<FlowSide, 2> sides;  // A, B

  FlowSide& side(v1::End end) { return sides[end == v1::END_A ? 0 : 1]; }
  const FlowSide& side(v1::End end) const { return sides[end == v1::END_A ? 0 : 1]; }

  // The ISN as far as it is known; an unknown one counts as 0, so that answers to segments out of
  // the blue keep their relation to them.
  uint32_t isn(v1::End end) const { return side(end).isn.value_or(0); }
  uint32_t absolute(v1::End end, const Number& number) const;
  // Of the end that is not scripted; what is not known yet counts as 0.
  uint32_t variable(Variable variable) const;
  // Distance from the ISN, -2^31 .. 2^31-1.
  int64_t relative(v1::End end, uint32_t sequence) const;

  // `length` octets of the end's stream from `place` on. OUT_OF_RANGE: a real end was never given
  // so many.
  absl::StatusOr<std::string> octets(v1::End end, int64_t place, size_t length) const;
  // What bytes(n) means for the next SEND at that end.
  std::string next_octets(v1::End end, size_t length) const;

  // Whether a logged segment belongs to this flow, and from which end.
  bool owns(const v1::LogEntry& entry) const;
  bool owns(const v1::ConnectionStatus& status) const;
  // A segment that the script has awaited: the variables of its end are now as it says.
  void take(const v1::LogEntry& entry);
};

// Source and destination of a logged packet, empty where it has none.
std::string source_address(const v1::Segment& segment);
std::string destination_address(const v1::Segment& segment);

class Flows {
 public:
  // `seed`: of the scripted ends' ISNs. `fixed`: ISNs given in the head, for all flows.
  Flows(uint64_t seed, std::map<v1::End, uint32_t> fixed) : seed_(seed), fixed_(std::move(fixed)) {}

  Flow& define(const std::string& name, const v1::SocketAddress& a, const v1::SocketAddress& b,
               bool a_scripted, bool b_scripted, uint64_t log_position);
  Flow* find(const std::string& name);
  // The flow of a connection or a segment; null if it is of none.
  Flow* owner(const v1::LogEntry& entry);
  Flow* owner(const v1::FourTuple& pair, v1::End end);
  std::vector<Flow*> all();

  // A new incarnation of one end: its ISN is learned anew, or drawn anew if it is scripted.
  void forget(Flow& flow, v1::End end, uint64_t log_position);
  // Learns from a segment on the wire: ISN of a real end, timestamps, window scale.
  void learn(const v1::LogEntry& entry);
  // TCP Fast Open: the newest cookie that a real end gave, on whatever flow; empty: none yet.
  const std::string& newest_cookie() const { return newest_cookie_; }

 private:
  uint64_t seed_;
  std::map<v1::End, uint32_t> fixed_;
  std::map<std::string, Flow> flows_;
  std::string newest_cookie_;
};

}  // namespace tcproctor::conformance
