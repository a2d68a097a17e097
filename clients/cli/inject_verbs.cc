// SPDX-License-Identifier: Apache-2.0
// inject
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"

namespace tcproctor::cli {
namespace {

class Inject : public Verb {
 public:
  Inject()
      : Verb({.name = "inject",
              .operands = "SESSION",
              .summary = "Puts a crafted segment on the wire and prints its number in the log",
              .help =
                  "Fields left out take their lawful default; a wrong value is sent as given. "
                  "Sequence\n"
                  "numbers are absolute (status shows them). --segment is a Segment of "
                  "segment.proto\n"
                  "and the base for the flags; --raw is a whole IP packet; --request is "
                  "everything.\n\n"
                  "  tcproctor inject $ID --from A --sport 4000 --dport 80 --flags S --seq 100\n"
                  "  tcproctor inject $ID --from A --sport 4000 --dport 80 --flags R. --seq 101 "
                  "--ack 1\n"
                  "  tcproctor inject $ID --from B --sport 80 --dport 4000 --flags SYN,ACK \\\n"
                  "      --seq 300 --ack 101 --mss 1460 --checksum 0xdead\n"
                  "  tcproctor inject $ID --from A --segment \\\n"
                  "      '{\"icmp\":{\"type\":3,\"code\":3,\"quoted_number\":\"2\"}}'\n"
                  "  tcproctor inject $ID --from A --count 5 --gap 10ms --dport 80 --flags S\n"
                  "  tcproctor inject $ID --from A --raw 45000028…\n",
              .min_operands = 1,
              .max_operands = 1}) {}

  void define(FlagSet& flags) override {
    flags.add("from", &from_, "A|B", "in whose name it travels; needed unless in --request");
    flags.add("src", &source_, "ADDRESS", "source address; default: of that end");
    flags.add("dst", &destination_, "ADDRESS", "destination address; default: of the other end");
    flags.add("sport", &source_port_, "PORT", "source port");
    flags.add("dport", &destination_port_, "PORT", "destination port");
    flags.add("flags", &flags_, "FLAGS", "letters (S. is SYN and ACK) or names (SYN,ACK)");
    flags.add("seq", &sequence_, "N", "sequence number");
    flags.add("ack", &acknowledgment_, "N", "acknowledgment number; sets no flag");
    flags.add("win", &window_, "N", "window, unscaled; default 65535");
    flags.add("urg", &urgent_, "N", "urgent pointer");
    flags.add("mss", &mss_, "N", "option: maximum segment size");
    flags.add("options", &options_, "HEX", "the octets of the option field");
    flags.add("checksum", &checksum_, "N", "TCP checksum; default: the right one");
    flags.add("offset", &data_offset_, "WORDS", "data offset, 0..15; default: the right one");
    flags.add("ttl", &ttl_, "N", "0..255; default 64");
    flags.add("payload", &payload_, "TEXT", "data");
    flags.add("payload-hex", &payload_hex_, "HEX", "data");
    flags.add("raw", &raw_, "HEX", "a whole IP packet, sent as it is");
    flags.add("count", &count_, "N", "send it so many times; default 1");
    flags.add("gap", &gap_, "DURATION", "between them; default none");
    flags.add("segment", &segment_, "JSON", "a Segment, or @FILE with one");
    flags.add("request", &request_, "JSON", "an InjectRequest, or @FILE with one");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    v1::InjectRequest request;
    if (absl::Status status = fill(request); !status.ok()) return status;
    request.set_session(operands[0]);
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::InjectResponse> response = client->inject(request);
    if (!response.ok()) return response.status();
    context.text() << absl::StrJoin(response->numbers(), "\n")
                   << (response->numbers().empty() ? "" : "\n");
    if (absl::Status status = context.emit(*response); !status.ok()) return status;
    return kExitOk;
  }

 private:
  absl::Status fill(v1::InjectRequest& request) const {
    if (request_) {
      if (absl::Status status = parse_json(*request_, &request); !status.ok()) return status;
    }
    if (from_) {
      const absl::StatusOr<v1::End> end = parse_end(*from_);
      if (!end.ok()) return end.status();
      request.set_from(*end);
    }
    if (request.from() == v1::END_UNSPECIFIED)
      return absl::InvalidArgumentError("--from is needed: A or B");
    if (!request.train().empty() || request.has_flood()) return absl::OkStatus();
    v1::Segment segment;
    if (absl::Status status = fill_segment(segment); !status.ok()) return status;
    for (uint32_t i = 0; i < count_; ++i) {
      v1::TimedSegment* timed = request.add_train();
      *timed->mutable_segment() = segment;
      if (gap_ && i > 0) *timed->mutable_gap() = client::to_proto(*gap_);
    }
    return absl::OkStatus();
  }

  absl::Status fill_segment(v1::Segment& segment) const {
    if (segment_) {
      if (absl::Status status = parse_json(*segment_, &segment); !status.ok()) return status;
    }
    if (raw_) {
      const absl::StatusOr<std::string> octets = parse_hex(*raw_);
      if (!octets.ok()) return octets.status();
      segment.set_raw(*octets);
      return absl::OkStatus();
    }
    fill_network(segment);
    if (payload_) segment.set_payload(*payload_);
    if (payload_hex_) {
      const absl::StatusOr<std::string> octets = parse_hex(*payload_hex_);
      if (!octets.ok()) return octets.status();
      segment.set_payload(*octets);
    }
    return segment.has_icmp() ? absl::OkStatus() : fill_tcp(*segment.mutable_tcp());
  }

  void fill_network(v1::Segment& segment) const {
    if (!source_ && !destination_ && !ttl_) return;
    const std::string& address = source_ ? *source_ : destination_ ? *destination_ : "";
    if (segment.has_ipv6() || address.find(':') != std::string::npos) {
      v1::Ipv6Header* ip = segment.mutable_ipv6();
      if (source_) ip->set_source(*source_);
      if (destination_) ip->set_destination(*destination_);
      if (ttl_) ip->set_hop_limit(*ttl_);
    } else {
      v1::Ipv4Header* ip = segment.mutable_ipv4();
      if (source_) ip->set_source(*source_);
      if (destination_) ip->set_destination(*destination_);
      if (ttl_) ip->set_ttl(*ttl_);
    }
  }

  absl::Status fill_tcp(v1::TcpHeader& tcp) const {
    if (flags_) {
      const absl::StatusOr<uint32_t> flags = parse_tcp_flags(*flags_);
      if (!flags.ok()) return flags.status();
      tcp.set_flags(*flags);
    }
    if (source_port_) tcp.set_source_port(*source_port_);
    if (destination_port_) tcp.set_destination_port(*destination_port_);
    if (sequence_) tcp.set_sequence_number(*sequence_);
    if (acknowledgment_) tcp.set_acknowledgment_number(*acknowledgment_);
    if (window_) tcp.set_window(*window_);
    if (urgent_) tcp.set_urgent_pointer(*urgent_);
    if (checksum_) tcp.set_checksum(*checksum_);
    if (data_offset_) tcp.set_data_offset(*data_offset_);
    if (mss_) tcp.add_options()->mutable_mss()->set_octets(*mss_);
    if (!options_) return absl::OkStatus();
    if (mss_) return absl::InvalidArgumentError("--mss and --options contradict each other");
    const absl::StatusOr<std::string> octets = parse_hex(*options_);
    if (!octets.ok()) return octets.status();
    tcp.set_raw_options(*octets);
    return absl::OkStatus();
  }

  std::optional<std::string> from_, source_, destination_, flags_, options_, payload_, payload_hex_,
      raw_, segment_, request_;
  std::optional<uint32_t> source_port_, destination_port_, sequence_, acknowledgment_, window_,
      urgent_, mss_, checksum_, data_offset_, ttl_;
  std::optional<absl::Duration> gap_;
  uint32_t count_ = 1;
};

}  // namespace

void add_inject_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<Inject>());
}

}  // namespace tcproctor::cli
