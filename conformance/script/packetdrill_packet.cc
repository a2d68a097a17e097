// SPDX-License-Identifier: Apache-2.0
// Packets of packetdrill's dialect: [ect0] P. 1:1001(1000) ack 1 win 257 urg 5 <mss 1460,nop>,
// ICMP.
#include <limits>

#include "conformance/script/flags.h"
#include "conformance/script/packetdrill_parser.h"
#include "conformance/script/packetdrill_symbols.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr int64_t kMax32 = std::numeric_limits<uint32_t>::max();

class ForeignPacketParser {
 public:
  ForeignPacketParser(ForeignLexer& lexer, bool outbound) : lexer_(lexer), outbound_(outbound) {}
  Packet parse();

 private:
  void ip_fields(std::vector<RawField>& fields);
  bool tos(std::vector<RawField>& fields);
  void ports(std::vector<RawField>& fields);
  TcpPacket tcp();
  void flags(TcpPacket& packet);
  void one_flag(TcpPacket& packet, char letter, Position position);
  void sequence(Number& start, uint32_t& length);
  Options options();
  size_t option(std::vector<Option>& list);
  std::string octets(Option& option, size_t max);
  void accurate_ecn(Option& option);
  IcmpPacket icmp();
  [[noreturn]] void unsupported(std::string_view what) {
    lexer_.fail_here(cat(what, " is not supported: a script's packets are TCP and ICMP over IP"));
  }

  ForeignLexer& lexer_;
  const bool outbound_;
};

void add_number(std::vector<RawField>& fields, Position position, std::string key, int64_t value,
                std::optional<int64_t> max = std::nullopt) {
  RawField field;
  field.position = position;
  field.key = std::move(key);
  field.number.value = value;
  field.number.max = max;
  fields.push_back(std::move(field));
}

// ect0, ect1, ce, noecn, ect01, tos 0x04; false: none of them.
bool ForeignPacketParser::tos(std::vector<RawField>& fields) {
  const Position position = lexer_.peek().position;
  if (lexer_.take_word("noecn")) {
    add_number(fields, position, "ecn", 0);
  } else if (lexer_.take_word("ect1")) {
    add_number(fields, position, "ecn", 1);
  } else if (lexer_.take_word("ect0")) {
    add_number(fields, position, "ecn", 2);
  } else if (lexer_.take_word("ce")) {
    add_number(fields, position, "ecn", 3);
  } else if (lexer_.take_word("ect01")) {
    if (!outbound_)
      lexer_.fail(position, "[ect01] is for outbound packets: a sent one has one mark");
    add_number(fields, position, "ecn", 1, 2);
  } else if (lexer_.take_word("tos")) {
    const ForeignToken value =
        lexer_.expect(ForeignKind::kHexadecimal, "the octet, as in tos 0x04");
    if (value.number < 0 || value.number > 255) {
      lexer_.fail(value.position, "tos must be 0x00 to 0xff");
    }
    add_number(fields, position, "dscp", value.number >> 2);
    add_number(fields, position, "ecn", value.number & 3);
  } else {
    return false;
  }
  return true;
}

// [ect0], (tos 0x04, flowlabel 0x5), [ttl 64]
void ForeignPacketParser::ip_fields(std::vector<RawField>& fields) {
  const bool square = lexer_.at_symbol("[");
  if (!square && !lexer_.at_symbol("(")) return;
  lexer_.next();
  const Position position = lexer_.peek().position;
  bool more = true;
  if (tos(fields)) {
    more = lexer_.take_symbol(",");
  } else if (lexer_.take_word("ttl")) {
    add_number(fields, position, "ttl", lexer_.integer("ttl", 0, 255));
    more = false;
  }
  if (more) {
    const Position at = lexer_.peek().position;
    if (!lexer_.take_word("flowlabel")) {
      lexer_.fail_here(cat("expected noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel, found ",
                           ForeignLexer::describe(lexer_.peek())));
    }
    const ForeignToken value =
        lexer_.expect(ForeignKind::kHexadecimal, "the flow label, as in flowlabel 0x1");
    if (value.number < 0 || value.number > 0xfffff) {
      lexer_.fail(value.position, "a flow label has 20 bits");
    }
    add_number(fields, at, "flow_label", value.number);
  }
  lexer_.expect_symbol(square ? "]" : ")", "after what the IP header has");
}

// 40000 > 8080
void ForeignPacketParser::ports(std::vector<RawField>& fields) {
  const Position position = lexer_.peek().position;
  if (!lexer_.at(ForeignKind::kInteger)) return;
  add_number(fields, position, "sport", lexer_.integer("the source port", 0, 65535));
  lexer_.expect_symbol(">", "and the destination port after the source port");
  add_number(fields, position, "dport", lexer_.integer("the destination port", 0, 65535));
}

Packet ForeignPacketParser::parse() {
  Packet packet;
  packet.position = lexer_.peek().position;
  for (const std::string_view word : {"ipv4", "ipv6", "GREv0", "gre", "mpls"}) {
    if (lexer_.at_word(word)) unsupported("a tunnel header");
  }
  ip_fields(packet.fields);
  if (lexer_.at_word("encap")) unsupported("an encapsulation");
  if (lexer_.at_word("udp")) unsupported("UDP");
  if (lexer_.take_word("icmp")) {
    packet.body = icmp();
    return packet;
  }
  ports(packet.fields);
  packet.body = tcp();
  return packet;
}

void ForeignPacketParser::one_flag(TcpPacket& packet, char letter, Position position) {
  if (letter >= '0' && letter <= '7') {
    constexpr uint32_t kCounter = 0x1c0;
    if (packet.accurate_ecn || (packet.flags & kCounter) != 0) {
      lexer_.fail(position, "a digit stands for the flags E, W and A, and stands once");
    }
    packet.accurate_ecn = true;
    const auto digit = static_cast<uint32_t>(letter - '0');
    packet.flags |= ((digit & 1) != 0 ? 0x40U : 0) | ((digit & 2) != 0 ? 0x80U : 0) |
                    ((digit & 4) != 0 ? 0x100U : 0);
    return;
  }
  const auto bit = flag_bit(letter);
  if (!bit.has_value()) {
    lexer_.fail(position,
                cat("expected the flags of a segment (letters of S F R P U E W A, \".\" for ACK, a "
                    "digit 0 to 7, or \"-\" for none), found \"",
                    letter, "\""));
  }
  packet.flags |= *bit;
}

// S, P., ".", ".5" (which the lexer takes for a number), "-"
void ForeignPacketParser::flags(TcpPacket& packet) {
  if (lexer_.take_symbol("-")) return;
  bool any = false;
  if (lexer_.at(ForeignKind::kWord)) {
    const ForeignToken word = lexer_.next();
    for (const char letter : word.text) one_flag(packet, letter, word.position);
    any = true;
  }
  if (lexer_.at(ForeignKind::kFloat)) {
    const ForeignToken number = lexer_.next();
    if (number.text.size() != 2 || number.text[0] != '.') {
      lexer_.fail(number.position, cat("\"", number.text, "\" is no flag: expected one as in .5"));
    }
    for (const char letter : number.text) one_flag(packet, letter, number.position);
    any = true;
  } else if (lexer_.take_symbol(".")) {
    packet.flags |= kAck;
    any = true;
  }
  if (!any) {
    lexer_.fail_here(cat("expected a packet, found ", ForeignLexer::describe(lexer_.peek())));
  }
}

void ForeignPacketParser::sequence(Number& start, uint32_t& length) {
  const Position position = lexer_.peek().position;
  start.value = lexer_.integer("the sequence number", 0, kMax32);
  lexer_.expect_symbol(":", "and the number after the last octet, as in 1:11(10)");
  const int64_t end = lexer_.integer("the number after the last octet", 0, kMax32);
  lexer_.expect_symbol("(", "and the length, as in 1:11(10)");
  length = static_cast<uint32_t>(lexer_.integer("the length of the payload", 0, 65535));
  lexer_.expect_symbol(")", "after the length");
  if (end - start.value != length) {
    lexer_.fail(position, cat("the length says ", length, " but the sequence numbers cover ",
                              end - start.value));
  }
}

TcpPacket ForeignPacketParser::tcp() {
  TcpPacket packet;
  const Position position = lexer_.peek().position;
  flags(packet);
  uint32_t length = 0;
  sequence(packet.sequence, length);
  packet.length = length;
  const auto number = [&](std::string_view word, std::string_view what, int64_t max,
                          std::optional<Number>& out) {
    if (!lexer_.take_word(word)) return;
    out = Number{};
    out->value = lexer_.integer(what, 0, max);
  };
  number("ack", "the acknowledgment number", kMax32, packet.acknowledgment);
  number("win", "the window", 65535, packet.window);
  number("urg", "the urgent pointer", 65535, packet.urgent);
  if (!packet.window.has_value() && !outbound_) {
    lexer_.fail(position, "an inbound packet needs a window: \"win N\"");
  }
  packet.options.mode = Options::Mode::kNone;
  if (lexer_.take_symbol("<")) packet.options = options();
  return packet;
}

Options ForeignPacketParser::options() {
  Options options;
  const Position position = lexer_.peek().position;
  if (lexer_.take_symbol("...")) {
    if (!outbound_) lexer_.fail(position, "<...> is for outbound packets");
    options.mode = Options::Mode::kAny;
    lexer_.expect_symbol(">", "after the options");
    return options;
  }
  options.mode = Options::Mode::kExact;
  size_t octets = 0;
  do {
    octets += option(options.list);
  } while (lexer_.take_symbol(","));
  lexer_.expect_symbol(">", "or \",\" after an option");
  if (octets > 40) lexer_.fail(position, cat("the options have ", octets, " octets; 40 fit"));
  if (octets % 4 != 0) {
    lexer_.fail(position, cat("the options have ", octets,
                              " octets: they must be filled up to a multiple of 4 with nop"));
  }
  return options;
}

// Pairs of hexadecimal digits, or a name that a definition stands behind.
std::string ForeignPacketParser::octets(Option& option, size_t max) {
  const ForeignToken token = lexer_.next();
  const bool word = token.kind == ForeignKind::kWord || token.kind == ForeignKind::kInteger;
  if (!word) {
    lexer_.fail(token.position,
                cat("expected pairs of hexadecimal digits, found ", ForeignLexer::describe(token)));
  }
  std::string digits = token.text;
  if (const std::string defined = foreign_definition(digits, false); !defined.empty()) {
    option.symbol = digits;
    digits = defined;
  }
  if (digits.size() % 2 != 0 || digits.size() > 2 * max ||
      digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    lexer_.fail(token.position, cat("expected at most ", max,
                                    " pairs of hexadecimal digits, found \"", token.text, "\""));
  }
  return option.symbol.empty() ? from_hex(digits) : std::string(digits.size() / 2, '\0');
}

// ECN e0b 1 ceb 0 e1b 1
void ForeignPacketParser::accurate_ecn(Option& option) {
  option.kind = Option::Kind::kAccEcn;
  const bool first_is_e0b = lexer_.at_word("e0b");
  const std::string_view order[3] = {first_is_e0b ? "e0b" : "e1b", "ceb",
                                     first_is_e0b ? "e1b" : "e0b"};
  for (const std::string_view name : order) {
    if (!lexer_.take_word(name)) {
      if (option.counters.empty()) lexer_.fail_here("expected e0b or e1b after ECN");
      return;
    }
    option.counters.emplace_back(
        name, static_cast<uint32_t>(lexer_.integer("a counter of 24 bits", 0, 0xffffff)));
  }
}

// How many octets it takes.
size_t ForeignPacketParser::option(std::vector<Option>& list) {
  const ForeignToken word = lexer_.expect(ForeignKind::kWord, "an option");
  Option option;
  size_t octets_taken = 0;
  const auto has_value = [&] {
    return lexer_.at(ForeignKind::kWord) || lexer_.at(ForeignKind::kInteger);
  };
  if (word.text == "nop" || word.text == "eol") {
    option.kind = word.text == "nop" ? Option::Kind::kNop : Option::Kind::kEnd;
    octets_taken = 1;
  } else if (word.text == "mss") {
    option.kind = Option::Kind::kMss;
    option.number.value = lexer_.integer("mss", 0, 65535);
    octets_taken = 4;
  } else if (word.text == "wscale") {
    option.kind = Option::Kind::kWindowScale;
    option.number.value = lexer_.integer("wscale", 0, 255);
    octets_taken = 3;
  } else if (word.text == "sackOK") {
    option.kind = Option::Kind::kSackPermitted;
    octets_taken = 2;
  } else if (word.text == "sack") {
    option.kind = Option::Kind::kSack;
    do {
      Number left, right;
      left.value = lexer_.integer("the left edge of a block", 0, kMax32);
      lexer_.expect_symbol(":", "and the right edge, as in sack 1:11");
      right.value = lexer_.integer("the right edge of a block", 0, kMax32);
      option.blocks.emplace_back(left, right);
    } while (lexer_.at(ForeignKind::kInteger));
    octets_taken = 2 + 8 * option.blocks.size();
  } else if (word.text == "TS") {
    option.kind = Option::Kind::kTimestamps;
    if (!lexer_.take_word("val")) lexer_.fail_here("expected \"val\" after TS");
    option.value.value = lexer_.integer("TS val", 0, kMax32);
    if (!lexer_.take_word("ecr")) lexer_.fail_here("expected \"ecr\" after TS val N");
    option.echo.value = lexer_.integer("TS ecr", 0, kMax32);
    octets_taken = 10;
  } else if (word.text == "md5") {
    option.kind = Option::Kind::kMd5;
    option.data = octets(option, 16);
    octets_taken = 2 + option.data.size();
  } else if (word.text == "FO" || word.text == "FOEXP") {
    const bool experimental = word.text == "FOEXP";
    option.kind = experimental ? Option::Kind::kFastOpenExperimental : Option::Kind::kFastOpen;
    // Wrong cookies too.
    if (has_value()) option.data = octets(option, 36);
    octets_taken = (experimental ? 4 : 2) + option.data.size();
  } else if (word.text == "ECN") {
    accurate_ecn(option);
    octets_taken = 2 + 3 * option.counters.size();
  } else {
    lexer_.fail(word.position, cat("unknown option \"", word.text,
                                   "\": one of nop, eol, mss, wscale, sackOK, sack, TS, md5, FO, "
                                   "FOEXP, ECN"));
  }
  list.push_back(std::move(option));
  return octets_taken;
}

// icmp unreachable frag_needed mtu 1400 [1:1001(1000)]
IcmpPacket ForeignPacketParser::icmp() {
  IcmpPacket packet;
  const ForeignToken type = lexer_.expect(ForeignKind::kWord, "the kind of ICMP message");
  packet.name = type.text;
  if (lexer_.at(ForeignKind::kWord) && !lexer_.at_word("mtu") && !lexer_.at_word("id")) {
    append(packet.name, " ", lexer_.next().text);
  }
  std::string resolved = packet.name;
  const auto [kind, code] = split_once(packet.name, ' ');
  if (const std::string defined = foreign_definition(code, false); !defined.empty()) {
    resolved = cat(kind, " ", defined);
  }
  if (own_icmp_name(resolved).empty()) {
    lexer_.fail(type.position, cat("unknown ICMP message \"", packet.name, "\""));
  }
  if (lexer_.take_word("mtu")) {
    packet.mtu = static_cast<uint32_t>(lexer_.integer("mtu", 0, kMax32));
  }
  if (lexer_.at_word("id")) unsupported("an echo message");
  if (!lexer_.take_symbol("[")) return packet;
  if (lexer_.at_word("udp") || lexer_.at_word("raw")) unsupported("what is quoted");
  uint32_t length = 0;
  packet.quoted_sequence = Number{};
  sequence(*packet.quoted_sequence, length);
  packet.quoted_length = length;
  lexer_.expect_symbol("]", "after what is quoted");
  return packet;
}

}  // namespace

Packet parse_foreign_packet(ForeignLexer& lexer, bool outbound) {
  return ForeignPacketParser(lexer, outbound).parse();
}

}  // namespace tcproctor::conformance
