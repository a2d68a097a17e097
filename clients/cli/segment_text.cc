// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/segment_text.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/parse.h"
#include "clients/cpp/convert.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

std::string socket_text(const std::string& address, uint32_t port) {
  v1::SocketAddress socket;
  socket.set_address(address);
  socket.set_port(port);
  return to_text(socket);
}

std::string option_text(const v1::TcpOption& option) {
  switch (option.option_case()) {
    case v1::TcpOption::kEndOfOptions:
      return "eol";
    case v1::TcpOption::kNoOperation:
      return "nop";
    case v1::TcpOption::kMss:
      return absl::StrCat("mss ", option.mss().octets());
    case v1::TcpOption::kWindowScale:
      return absl::StrCat("wscale ", option.window_scale().shift());
    case v1::TcpOption::kSackPermitted:
      return "sackOK";
    case v1::TcpOption::kSack:
      return absl::StrCat(
          "sack", absl::StrJoin(option.sack().blocks(), "",
                                [](std::string* out, const v1::SackBlocks::Block& block) {
                                  absl::StrAppend(out, " ", block.left(), ":", block.right());
                                }));
    case v1::TcpOption::kTimestamps:
      return absl::StrCat("TS val ", option.timestamps().value(), " ecr ",
                          option.timestamps().echo_reply());
    case v1::TcpOption::kUserTimeout:
      return absl::StrCat("uto ", option.user_timeout().timeout(),
                          option.user_timeout().minutes() ? "min" : "s");
    case v1::TcpOption::kFastOpenCookie:
      return absl::StrCat("FO ", absl::BytesToHexString(option.fast_open_cookie()));
    case v1::TcpOption::kMd5Digest:
      return absl::StrCat("md5 ", absl::BytesToHexString(option.md5_digest()));
    case v1::TcpOption::kOther:
      return absl::StrCat("kind ", option.other().kind(), " ",
                          absl::BytesToHexString(option.other().data()));
    case v1::TcpOption::kMd5Signature:  // of what is to be sent or awaited, never of what came
    case v1::TcpOption::kAoSignature:
    case v1::TcpOption::kAnyFastOpenCookie:
    case v1::TcpOption::OPTION_NOT_SET:
      break;
  }
  return "?";
}

std::string tcp_text(const v1::TcpHeader& tcp, size_t payload) {
  std::string text =
      absl::StrCat(conformance::flag_letters(tcp.flags()), " seq ", tcp.sequence_number());
  if ((tcp.flags() & conformance::kAck) != 0)
    absl::StrAppend(&text, " ack ", tcp.acknowledgment_number());
  absl::StrAppend(&text, " win ", tcp.window());
  if (tcp.urgent_pointer() != 0) absl::StrAppend(&text, " urg ", tcp.urgent_pointer());
  if (!tcp.options().empty()) {
    absl::StrAppend(&text, " <",
                    absl::StrJoin(tcp.options(), ",",
                                  [](std::string* out, const v1::TcpOption& option) {
                                    *out += option_text(option);
                                  }),
                    ">");
  }
  return absl::StrCat(text, " len ", payload);
}

std::string segment_text(const v1::Segment& segment) {
  const bool v6 = segment.has_ipv6();
  const std::string& source = v6 ? segment.ipv6().source() : segment.ipv4().source();
  const std::string& destination = v6 ? segment.ipv6().destination() : segment.ipv4().destination();
  if (segment.has_tcp()) {
    const v1::TcpHeader& tcp = segment.tcp();
    return absl::StrCat(socket_text(source, tcp.source_port()), " > ",
                        socket_text(destination, tcp.destination_port()), "  ",
                        tcp_text(tcp, segment.payload().size()));
  }
  std::string text = absl::StrCat(source, " > ", destination);
  if (!segment.has_icmp()) return text;
  absl::StrAppend(&text, "  ", v6 ? "ICMPv6" : "ICMP", " type ", segment.icmp().type(), " code ",
                  segment.icmp().code());
  return text;
}

}  // namespace

std::string to_line(const v1::LogEntry& entry) {
  std::string text = absl::StrFormat(
      "%5d %12.6f  %s > %s  %s", entry.number(),
      absl::ToDoubleSeconds(client::from_proto(entry.time())), conformance::end_name(entry.from()),
      conformance::end_name(conformance::other(entry.from())), segment_text(entry.segment()));
  if (entry.origin() == v1::ORIGIN_INJECTED) text += "  injected";
  if (entry.origin() == v1::ORIGIN_DUPLICATE) text += "  duplicate";
  if (entry.fate() == v1::FATE_HELD) text += "  held";
  if (entry.fate() == v1::FATE_DROPPED) text += "  dropped";
  if (entry.fate() == v1::FATE_DELAYED) text += "  delayed";
  if (entry.corrupted()) text += "  corrupted";
  if (!entry.malformed().empty())
    absl::StrAppend(&text, "  malformed: ", entry.malformed());
  else if (!entry.ip_checksum_valid())
    text += "  wrong IP checksum";
  else if (!entry.transport_checksum_valid())
    text += "  wrong checksum";
  return text;
}

}  // namespace tcproctor::cli
