// SPDX-License-Identifier: Apache-2.0
// A logged segment as a reader sees it: in relative numbers, field by field. Ladders, failures and
// comparisons are made of it.
#pragma once

#include <cstdint>
#include <string>

namespace tcproctor::conformance {

struct SegmentText {
  bool tcp = false;
  std::string flags;           // as ladders have them, "SYN,ACK"; empty: none
  std::string sequence;        // relative to the ISN; "@1234" where that is not known
  std::string acknowledgment;  // empty without ACK
  uint32_t length = 0;         // octets of payload
  uint32_t window = 0;         // as on the wire, unscaled
  std::string options;         // as a script has them, "<mss 1460,nop,wscale 7>"; empty: none
  std::string other;           // what is no TCP: "icmp 3/4"
  std::string flaw;            // "malformed: …", "wrong checksum"; empty: none
};

// "<SEQ=0><ACK=1><CTL=SYN,ACK>", as the RFC's ladders have it.
std::string ladder_form(const SegmentText& segment);

// "S. 0:0(0) ack 1 win 65535 <mss 1460>", as a script has it.
std::string script_form(const SegmentText& segment);

}  // namespace tcproctor::conformance
