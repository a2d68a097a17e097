// SPDX-License-Identifier: Apache-2.0
// Packets: flags sequence:end(length) ack win urg <options> payload {fields}, ICMP errors, octets.
#include <limits>

#include "conformance/script/fields.h"
#include "conformance/script/flags.h"
#include "conformance/script/parse_context.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

class PacketParser {
 public:
  explicit PacketParser(ParseContext& context) : context_(context) {}
  Packet parse();

 private:
  TcpPacket tcp(std::vector<RawField>& fields);
  IcmpPacket icmp();
  bool take_flags(TcpPacket& packet, bool compared);
  void flags(TcpPacket& packet);
  void sequence(TcpPacket& packet);
  void attributes(TcpPacket& packet);
  bool attribute(TcpPacket& packet);
  void payload(TcpPacket& packet);
  Options options();
  void option_list(Options& options, std::string_view close);
  Option option();
  Option sack(Option option);
  Option timestamps(Option option);
  Option ao(Option option);
  Option unknown_kind(Option option);
  TimestampNumber timestamp_bound(std::string_view what);
  TimestampNumber timestamp(std::string_view what);

  ParseContext& context_;
};

Packet PacketParser::parse() {
  Packet packet;
  packet.position = context_.lexer().peek().position;
  if (context_.take_word("icmp")) {
    packet.body = icmp();
  } else if (context_.take_word("octets")) {
    packet.body = OctetPacket{context_.octets("a whole IP packet, e.g. hex \"45 00 …\"")};
  } else if (context_.take_symbol("*")) {
    packet.body = AnyPacket{};
  } else {
    packet.body = tcp(packet.fields);
  }
  if (context_.take_symbol("{")) packet.fields = parse_fields(context_);
  return packet;
}

bool PacketParser::take_flags(TcpPacket& packet, bool compared) {
  const Token token = context_.lexer().peek();
  const bool dot = token.kind == TokenKind::kSymbol && token.text == ".";
  if (!dot && (token.kind != TokenKind::kWord || context_.at_variable())) return false;
  for (const char letter : token.text) {
    const auto bit = flag_bit(letter);
    if (!bit.has_value()) {
      context_.fail(token.position,
                    cat("expected the flags of a segment (letters of S F R P U E W A, \".\" "
                        "for ACK, or \"-\" for none), found \"",
                        token.text, "\""));
    }
    packet.flags |= *bit;
    if (!compared) packet.flags_mask &= ~*bit;
  }
  context_.lexer().next();
  return true;
}

void PacketParser::flags(TcpPacket& packet) {
  if (context_.take_symbol("-")) return;
  bool any = false;
  while (true) {
    if (context_.take_symbol("[")) {
      while (take_flags(packet, false)) {
      }
      context_.expect_symbol("]", "flags that are not compared");
      any = true;
    } else if (take_flags(packet, true)) {
      any = true;
    } else {
      break;
    }
  }
  if (!any) {
    context_.fail_here(
        cat("expected a packet, found ", ParseContext::describe(context_.lexer().peek())));
  }
}

void PacketParser::sequence(TcpPacket& packet) {
  const Position position = context_.lexer().peek().position;
  packet.sequence = context_.number("the sequence number", false);
  Number end = packet.sequence;
  bool has_end = false;
  // Of what is relative to a variable only the length is written.
  const bool start_only = packet.sequence.any || !packet.sequence.variables.empty();
  if (packet.sequence.variables.empty() && context_.take_symbol(":")) {
    end = context_.number("the number after the last octet", false);
    has_end = true;
  } else if (!start_only) {
    context_.fail_here("expected \":\" and the number after the last octet, as in 1:11(10)");
  }
  context_.expect_symbol("(", "the sequence numbers (the length follows, as in 1:11(10))");
  if (context_.take_symbol("*")) {
    packet.length = std::nullopt;
  } else {
    packet.length =
        static_cast<uint32_t>(context_.unsigned_number("the length of the payload", 0, 65000));
  }
  context_.expect_symbol(")", "the length");
  if (!has_end) return;
  if (packet.sequence.any || !packet.length.has_value()) {
    if (!end.any) context_.fail(position, "the end is \"*\" where the start or the length is");
    return;
  }
  const auto covered = static_cast<uint32_t>(end.value - packet.sequence.value);
  if (end.any || end.absolute != packet.sequence.absolute || covered != *packet.length) {
    context_.fail(position, cat("the length says ", *packet.length,
                                " but the sequence numbers cover ", static_cast<int32_t>(covered)));
  }
}

bool PacketParser::attribute(TcpPacket& packet) {
  const Position position = context_.lexer().peek().position;
  const auto once = [&](bool given, std::string_view what) {
    if (given) context_.fail(position, cat("\"", what, "\" was given already"));
  };
  if (context_.take_word("ack")) {
    once(packet.acknowledgment.has_value(), "ack");
    packet.acknowledgment = context_.number("the acknowledgment number", true);
  } else if (context_.take_word("win")) {
    once(packet.window.has_value(), "win");
    packet.window = context_.field_number("the window", 65535);
  } else if (context_.take_word("urg")) {
    once(packet.urgent.has_value(), "urg");
    packet.urgent = context_.field_number("the urgent pointer", 65535);
  } else if (context_.take_symbol("<")) {
    once(packet.options.mode != Options::Mode::kUnwritten, "<options>");
    packet.options = options();
  } else if (context_.at_octets()) {
    once(packet.payload.has_value(), "payload");
    payload(packet);
  } else {
    return false;
  }
  return true;
}

void PacketParser::payload(TcpPacket& packet) {
  const Position position = context_.lexer().peek().position;
  packet.payload = context_.octets("the payload");
  if (packet.length.has_value() && *packet.length != packet.payload->size()) {
    context_.fail(position, cat("the payload has ", packet.payload->size(),
                                " octets but the length says ", *packet.length));
  }
}

TcpPacket PacketParser::tcp(std::vector<RawField>& fields) {
  TcpPacket packet;
  flags(packet);
  const bool written = context_.at(TokenKind::kNumber) || context_.at_symbol("@") ||
                       context_.at_symbol("-") || context_.at_symbol("*") || context_.at_variable();
  if (written) {
    sequence(packet);
  } else {
    packet.has_sequence = false;
    packet.length = std::nullopt;
  }
  // What follows the numbers may come in any order, the fields in braces among it.
  while (attribute(packet) || context_.at_symbol("{")) {
    if (context_.take_symbol("{")) fields = parse_fields(context_);
  }
  return packet;
}

Options PacketParser::options() {
  Options options;
  if (context_.take_symbol(">")) {
    options.mode = Options::Mode::kNone;
    return options;
  }
  if (context_.take_word("octets")) {
    options.mode = Options::Mode::kOctets;
    options.octets = context_.octets("the octets of the option field");
    context_.expect_symbol(">", "the octets");
    return options;
  }
  if (context_.take_symbol("...")) {
    options.mode = Options::Mode::kAny;
    if (context_.take_symbol(">")) return options;
    options.mode = Options::Mode::kContains;
    context_.take_symbol(",");
    option_list(options, ">");
    return options;
  }
  if (context_.take_symbol("{")) {
    options.mode = Options::Mode::kSet;
    option_list(options, "}");
    context_.expect_symbol(">", "the set of options");
    return options;
  }
  options.mode = Options::Mode::kExact;
  option_list(options, ">");
  return options;
}

void PacketParser::option_list(Options& options, std::string_view close) {
  while (true) {
    options.list.push_back(option());
    if (context_.take_symbol(close)) return;
    context_.expect_symbol(",", cat("an option (or \"", close, "\" to end)"));
  }
}

Option PacketParser::option() {
  const Token name = context_.expect(TokenKind::kWord, "the name of an option");
  Option option;
  if (name.text == "nop") {
    option.kind = Option::Kind::kNop;
  } else if (name.text == "eol") {
    option.kind = Option::Kind::kEnd;
  } else if (name.text == "mss") {
    option.kind = Option::Kind::kMss;
    option.number = context_.field_number("the MSS", 65535);
  } else if (name.text == "wscale") {
    option.kind = Option::Kind::kWindowScale;
    option.number = context_.field_number("the shift of the window scale", 255);
    if (option.number.max.has_value()) context_.fail(name.position, "wscale takes no range");
  } else if (name.text == "sackOK") {
    option.kind = Option::Kind::kSackPermitted;
  } else if (name.text == "sack") {
    option = sack(option);
  } else if (name.text == "TS") {
    option = timestamps(option);
  } else if (name.text == "uto") {
    option.kind = Option::Kind::kUserTimeout;
    option.timeout = context_.duration("the user timeout");
  } else if (name.text == "FO") {
    option.kind = Option::Kind::kFastOpen;
    if (context_.take_symbol("*")) {
      option.number.any = true;
    } else if (context_.take_word("last")) {
      option.last = true;
    } else if (context_.at_octets()) {
      option.data = context_.octets("the cookie");
    }
  } else if (name.text == "md5") {
    option.kind = Option::Kind::kMd5;
    if (context_.take_symbol("*")) {
      option.number.any = true;
    } else if (context_.take_word("key")) {
      option.key = context_.octets("the key");
    } else {
      option.data = context_.octets("the digest, or key and the key");
    }
  } else if (name.text == "ao") {
    option = ao(option);
  } else if (name.text == "kind") {
    option = unknown_kind(option);
  } else {
    context_.fail(name.position,
                  cat("unknown option \"", name.text,
                      "\": one of mss, nop, eol, wscale, sackOK, sack, TS, uto, FO, md5, ao, "
                      "kind"));
  }
  return option;
}

Option PacketParser::sack(Option option) {
  option.kind = Option::Kind::kSack;
  do {
    const Number left = context_.number("the left edge", false);
    context_.expect_symbol(":", "the left edge of a SACK block");
    option.blocks.emplace_back(left, context_.number("the right edge", false));
  } while (context_.at(TokenKind::kNumber) || context_.at_symbol("@") || context_.at_symbol("-") ||
           context_.at_variable());
  return option;
}

TimestampNumber PacketParser::timestamp_bound(std::string_view what) {
  TimestampNumber number;
  if (context_.take_symbol("*")) {
    number.any = true;
    return number;
  }
  if (context_.take_word("last")) {
    number.last = true;
    if (context_.take_symbol("(")) {
      number.flow = context_.expect(TokenKind::kWord, "the name of a flow").text;
      context_.expect_symbol(")", "the name of the flow");
    }
    const bool plus = context_.take_symbol("+");
    if (plus || context_.take_symbol("-")) {
      const auto offset = static_cast<int64_t>(
          context_.unsigned_number("the offset", 0, std::numeric_limits<uint32_t>::max()));
      number.value = plus ? offset : -offset;
    }
    return number;
  }
  // "last-5" is one word for the lexer.
  if (context_.at(TokenKind::kWord) && context_.lexer().peek().text.starts_with("last-")) {
    const Token token = context_.lexer().next();
    number.last = true;
    for (const char digit : token.text.substr(5)) {
      if (digit < '0' || digit > '9' || number.value > 0xffff'ffff) {
        context_.fail(token.position, "expected last-N with a number N");
      }
      number.value = number.value * 10 + (digit - '0');
    }
    number.value = -number.value;
    return number;
  }
  number.value =
      static_cast<int64_t>(context_.unsigned_number(what, 0, std::numeric_limits<uint32_t>::max()));
  return number;
}

// N, last, last+N, last-N, a range of two of them, or *.
TimestampNumber PacketParser::timestamp(std::string_view what) {
  TimestampNumber number = timestamp_bound(what);
  const Position position = context_.lexer().peek().position;
  if (number.any || !context_.take_symbol("~")) return number;
  const TimestampNumber top = timestamp_bound(what);
  if (top.any || top.last != number.last || top.flow != number.flow) {
    context_.fail(position, "a range needs two numbers, or last twice, as in last+990~last+1030");
  }
  number.max = top.value;
  return number;
}

Option PacketParser::timestamps(Option option) {
  option.kind = Option::Kind::kTimestamps;
  context_.take_word("val");
  option.value = timestamp("the timestamp value");
  context_.take_word("ecr");
  option.echo = timestamp("the timestamp echo reply");
  return option;
}

Option PacketParser::ao(Option option) {
  option.kind = Option::Kind::kAo;
  option.key_id = context_.field_number("the KeyID", 255);
  option.rnext_key_id = context_.field_number("the RNextKeyID", 255);
  if (context_.take_symbol("*")) {
    option.number.any = true;
    return option;
  }
  if (!context_.take_word("key")) {
    context_.fail(context_.lexer().peek().position, "expected key and the master key, or *");
  }
  option.key = context_.octets("the master key");
  option.cmac = context_.take_word("cmac");
  option.bare = context_.take_word("bare");
  if (context_.take_word("sne")) {
    option.extension = static_cast<uint32_t>(context_.unsigned_number(
        "the sequence number extension", 0, std::numeric_limits<uint32_t>::max()));
  }
  return option;
}

Option PacketParser::unknown_kind(Option option) {
  option.kind = Option::Kind::kRaw;
  option.raw_kind = static_cast<uint32_t>(context_.unsigned_number("the kind", 0, 255));
  if (context_.take_word("len")) {
    option.raw_length = static_cast<uint32_t>(context_.unsigned_number("the length octet", 0, 255));
  }
  if (context_.at_octets()) option.data = context_.octets("the octets of the option");
  return option;
}

IcmpPacket PacketParser::icmp() {
  IcmpPacket packet;
  if (context_.at(TokenKind::kNumber)) {
    packet.type = static_cast<uint32_t>(context_.unsigned_number("the ICMP type", 0, 255));
    context_.expect_symbol("/", "the ICMP type (as in icmp 3/1)");
    packet.code = static_cast<uint32_t>(context_.unsigned_number("the ICMP code", 0, 255));
  } else {
    const Token token = context_.expect(TokenKind::kWord, "the name of an ICMP error or TYPE/CODE");
    packet.name = token.text;
    if (token.text == "unreachable" || token.text == "time_exceeded") {
      append(packet.name, " ", context_.expect(TokenKind::kWord, "which, e.g. \"port\"").text);
    }
    if (find_icmp(packet.name) == nullptr) {
      context_.fail(token.position, cat("unknown ICMP error \"", packet.name, "\""));
    }
  }
  while (true) {
    if (context_.take_word("mtu")) {
      packet.mtu = static_cast<uint32_t>(
          context_.unsigned_number("the MTU", 0, std::numeric_limits<uint32_t>::max()));
    } else if (context_.take_word("pointer")) {
      packet.pointer = static_cast<uint32_t>(
          context_.unsigned_number("the pointer", 0, std::numeric_limits<uint32_t>::max()));
    } else if (context_.take_word("quoting")) {
      packet.quoted_sequence = context_.number("the quoted sequence number", false);
    } else if (context_.take_word("octets")) {
      packet.quoted_octets =
          static_cast<uint32_t>(context_.unsigned_number("how many octets are quoted", 0, 65000));
    } else {
      return packet;
    }
  }
}

}  // namespace

Packet parse_packet(ParseContext& context) {
  return PacketParser(context).parse();
}

std::vector<RawField> parse_fields(ParseContext& context) {
  std::vector<RawField> result;
  do {
    context.skip_newlines();
    const Token name = context.expect(TokenKind::kWord, "the name of a header field");
    const FieldName* known = find_field(name.text);
    if (known == nullptr) {
      context.fail(name.position, cat("unknown field \"", name.text, "\": one of ", field_names()));
    }
    RawField field{name.position, name.text, "", {}};
    if (known->kind == FieldKind::kAddress) {
      field.text = context.lexer().word_until(",}").text;
      if (field.text.empty()) context.fail(name.position, "expected an address");
    } else if (known->kind == FieldKind::kOctets) {
      const Token digits = context.lexer().word_until(",}");
      field.text = context.hex_octets(digits.text, digits.position);
    } else {
      field.number = context.field_number(name.text, known->max);
    }
    result.push_back(std::move(field));
    context.skip_newlines();
  } while (context.take_symbol(","));
  context.expect_symbol("}", "the header fields");
  return result;
}

}  // namespace tcproctor::conformance
