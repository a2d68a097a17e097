// SPDX-License-Identifier: Apache-2.0
// The syntax tree of a case: plain structs, each with the place in the source it came from. What
// the parts mean is said in LANGUAGE.md; nothing here is resolved (names, relative numbers,
// defaults).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "tcproctor/v1/segment.pb.h"

namespace tcproctor::conformance {

// Line and column count from 1.
struct Position {
  int line = 0;
  int column = 0;
};

// When a statement happens or has to happen.
struct TimeSpec {
  enum class Kind { kNone, kRelative, kAbsolute, kAny };
  Kind kind = Kind::kNone;
  absl::Duration at = absl::ZeroDuration();
  std::optional<absl::Duration> latest;  // `0.1~0.5`
  std::optional<absl::Duration> ends;    // `0.1...0.5`: a call that goes on until then
};

// The variables of RFC 9293 §3.3.1 of the examined end, as far as the wire shows them.
enum class Variable { kRcvNxt, kRcvWnd, kSndNxt };

// A number that may be any (`*`), a range (`1~5`), and for sequence and acknowledgment numbers
// absolute (`@5`), relative to the ISN of the sender of the octets, or relative to variables
// (`RCV.NXT+RCV.WND-1`: the value is the offset).
struct Number {
  bool any = false;
  bool absolute = false;
  int64_t value = 0;
  std::optional<int64_t> max;
  std::vector<Variable> variables;  // their sum
};

// TSval and TSecr: a number, `*`, or the last one seen in that direction plus an offset.
struct TimestampNumber {
  bool any = false;
  bool last = false;
  std::string flow;   // whose last; empty: that of the statement
  int64_t value = 0;  // the number, or the offset to the last
  // The upper end of a range, counted on from `value` modulo 2^32.
  std::optional<int64_t> max;
};

struct Option {
  enum class Kind {
    kEnd,
    kNop,
    kMss,
    kWindowScale,
    kSackPermitted,
    kSack,
    kTimestamps,
    kUserTimeout,
    kFastOpen,
    kFastOpenExperimental,  // kind 254 with the number 0xf989
    kMd5,
    kAo,
    kAccEcn,  // kind 172 or 174, draft-ietf-tcpm-accurate-ecn
    kRaw
  };
  Kind kind = Kind::kNop;
  Number number;                                  // kMss, kWindowScale
  std::vector<std::pair<Number, Number>> blocks;  // kSack
  TimestampNumber value, echo;                    // kTimestamps
  absl::Duration timeout = absl::ZeroDuration();  // kUserTimeout
  uint32_t raw_kind = 0;                          // kRaw
  std::optional<uint32_t> raw_length;             // kRaw: the length octet if it lies
  std::string data;                               // kFastOpen, kFastOpenExperimental, kMd5, kRaw
  bool last = false;  // kFastOpen: the newest cookie that the examined end gave
  std::string key;    // kMd5, kAo: signed with it, or right for it; empty: `data`, or any signature
  // kAo: KeyID, RNextKeyID; AES-128-CMAC-96 instead of HMAC-SHA-1-96; the MAC leaves the other
  // options out; sequence number extension.
  Number key_id, rnext_key_id;
  bool cmac = false;
  bool bare = false;
  uint32_t extension = 0;
  std::string symbol;  // packetdrill: a name that stands for `data` ("TFO_COOKIE")
  // kAccEcn, in the order written: "e0b", "ceb", "e1b" and their values.
  std::vector<std::pair<std::string, uint32_t>> counters;
};

struct Options {
  enum class Mode {
    kUnwritten,  // not compared; none are sent
    kNone,       // <>
    kExact,      // <mss 1460,nop>
    kAny,        // <...>
    kContains,   // <... mss 1460>
    kSet,        // <{mss 1460}>
    kOctets,     // <octets "02 04 05">
  };
  Mode mode = Mode::kUnwritten;
  std::vector<Option> list;
  std::string octets;  // kOctets
};

// `{ttl 64, src 198.18.0.1}`; the keys are those of fields.h.
struct RawField {
  Position position;
  std::string key;
  std::string text;  // addresses and octets
  Number number;     // everything else
};

struct TcpPacket {
  uint32_t flags = 0;
  uint32_t flags_mask = 0x1ff;         // bits in brackets, `[P].`, are not compared
  bool has_sequence = true;            // `> R`: neither sequence number nor length are compared
  Number sequence;                     // any = `*`
  std::optional<uint32_t> length = 0;  // nullopt = `(*)`
  std::optional<Number> acknowledgment;
  std::optional<Number> window;
  std::optional<Number> urgent;
  Options options;
  std::optional<std::string> payload;  // given in the script; else the stream's
  bool accurate_ecn = false;           // packetdrill: E, W and A were written as one digit
};

struct IcmpPacket {
  std::string name;  // "unreachable port"; empty if given by numbers
  uint32_t type = 0;
  uint32_t code = 0;
  std::optional<uint32_t> mtu;
  std::optional<uint32_t> pointer;
  // What is quoted: a segment of that sequence number, else the last of the examined end.
  std::optional<Number> quoted_sequence;
  std::optional<uint32_t> quoted_octets;
  std::optional<uint32_t> quoted_length;  // packetdrill: of the quoted segment, for readers
};

struct OctetPacket {
  std::string octets;  // a whole IP packet
};

struct AnyPacket {};  // `maybe > *`

struct Packet {
  Position position;
  std::variant<TcpPacket, IcmpPacket, OctetPacket, AnyPacket> body;
  std::vector<RawField> fields;
};

struct InjectStatement {
  v1::End towards = v1::END_UNSPECIFIED;  // unspecified: the examined end
  Packet packet;
};

struct ExpectStatement {
  v1::End from = v1::END_UNSPECIFIED;
  bool maybe = false;
  std::vector<Packet> alternatives;
};

struct SilenceStatement {
  v1::End from = v1::END_UNSPECIFIED;
  absl::Duration duration;
};

struct HoldStatement {
  enum class Verb { kHold, kUnhold, kRelease, kDrop };
  Verb verb = Verb::kHold;
  v1::End from = v1::END_UNSPECIFIED;
  enum class Which { kAll, kFirst, kLast };
  Which which = Which::kAll;  // kRelease, kDrop: of those held
};

struct ClaimStatement {  // A is [ESTABLISHED]
  v1::End end = v1::END_UNSPECIFIED;
  std::string state;
};

struct FlowEnd {
  std::string address;  // empty: the end's own
  uint32_t port = 0;
};

struct FlowStatement {
  std::string name;
  FlowEnd a, b;
};

struct FreshFlowStatement {
  std::string name;
  v1::End end = v1::END_UNSPECIFIED;  // unspecified: both
};
struct ForgetStatement {
  v1::End end = v1::END_UNSPECIFIED;
};

struct IsnStatement {  // isn A = 100
  v1::End end = v1::END_UNSPECIFIED;
  uint32_t value = 0;
};

struct WaitStatement {
  absl::Duration duration;
};
struct NoteStatement {
  std::string text;
};

struct SentStatement {
  std::vector<RawField> fields;
};  // sent {checksum 0x7d19}

struct FloodStatement {
  uint64_t count = 0;
  std::string prefix;
  uint32_t rate = 0;
};

struct FillStatement {  // fill window with FIN ack SND.NXT-1
  bool fin = false;
  std::optional<Number> acknowledgment;  // SND.NXT
};

struct ImpairStatement {
  v1::End from = v1::END_UNSPECIFIED;
  std::vector<std::pair<std::string, std::string>> settings;  // fields of ImpairRequest
};

// The value of an argument or of a result.
struct MapEntry;

struct Value {
  enum class Kind { kWord, kNumber, kDuration, kText, kStream, kMap, kAny };
  Kind kind = Kind::kWord;
  Position position;
  std::string text;           // kWord (several words joined by one space), kText
  Number number;              // kNumber; kStream: how many octets
  absl::Duration from, to;    // kDuration: equal unless a range
  std::vector<MapEntry> map;  // kMap, in the order written
};

struct MapEntry {
  std::string name;
  Value value;
};

// A result: the end refuses the call as misuse.
inline bool is_refusal(const Value& value) {
  return value.kind == Value::Kind::kWord && value.text == "REFUSED";
}

struct Argument {
  std::string name;  // empty: by position
  Value value;
};

// OPEN, SEND, …: the calls of RFC 9293 §3.9.1.
struct CallStatement {
  std::string assigned;               // C = …
  v1::End end = v1::END_UNSPECIFIED;  // B.OPEN
  std::string task;                   // start a = …: the call goes on beside the script
  bool negated = false;               // no EVENT(…)
  std::string name;
  std::vector<Argument> arguments;
  std::vector<Value> results;  // alternatives; empty: as the call is meant to end
};

struct JoinStatement {  // C = join a = OK
  std::string assigned;
  std::string task;
  std::vector<Value> results;
};
struct PendingStatement {
  std::string task;
};
struct CancelStatement {
  std::string task;
};

// --- packetdrill proper (LANGUAGE.md, "packetdrill's dialect") ---

// An argument or the result of a system call.
struct Expression {
  enum class Kind {
    kEllipsis,  // ...
    kNumber,    // 5, 0x1f, htons(8080): `text` is then the function
    kWord,      // SO_REUSEADDR
    kText,      // "…", or inet_addr("…"): `text` is then the function
    kOr,        // A | B
    kList,      // [a, b]
    kStruct,    // {name = a, b}
    kFollows,   // "…"...: a text of which only the beginning is written
  };
  Kind kind = Kind::kEllipsis;
  Position position;
  int64_t number = 0;
  bool hexadecimal = false;
  std::string text;
  std::string function;           // htons, inet_addr, inet6_addr
  std::vector<Expression> items;  // kOr, kList, kStruct
  // Of a member of a kStruct: `name(size) = `. Empty: by position.
  std::string member;
  std::string member_size;  // "...", "1"; empty: none
};

// 0.000...0.200 connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
struct SystemCall {
  std::string name;
  std::vector<Expression> arguments;
  Expression result;
  std::string error;                  // errno by name; empty: not judged
  std::string error_text, note_text;  // in brackets; for readers
};

// %{ assert tcpi_snd_cwnd == 10 }%: Python over what the socket told.
struct CodeStatement {
  std::string text;
};

// `sysctl -q net.ipv4.tcp_sack=1`
struct ShellStatement {
  std::string command;
};

// --ip_version=ipv4
struct ScriptFlag {
  Position position;
  std::string name;  // without the hyphens
  std::string value;
};

enum class Dialect {
  kCase,         // with our head
  kPacketdrill,  // without
};

struct Statement {
  Position position;      // of a procedure's statement: where it was called
  std::string procedure;  // that the statement is of; empty: of none
  TimeSpec time;
  std::string flow;  // empty: main
  std::variant<InjectStatement, ExpectStatement, SilenceStatement, HoldStatement, ClaimStatement,
               FlowStatement, FreshFlowStatement, ForgetStatement, IsnStatement, WaitStatement,
               NoteStatement, SentStatement, FloodStatement, FillStatement, ImpairStatement,
               CallStatement, JoinStatement, PendingStatement, CancelStatement, SystemCall,
               CodeStatement, ShellStatement>
      body;
};

struct Clause {
  Position position;
  std::string name;
  bool fresh = false;
  bool slow = false;
  std::vector<std::string> covers;   // besides what the head covers
  std::vector<std::string> needs;    // capabilities; "A.x" names an end
  std::vector<std::string> targets;  // empty: all of the case
  std::vector<Statement> statements;
};

enum class Examines { kA, kB, kBoth };

struct Setting {
  Position position;
  std::string target;  // empty: all
  std::string key;     // "stack.msl"
  std::string value;
};

struct Head {
  std::string id;
  std::string title;
  std::string rule;  // the requirement in our words; empty: the title
  std::vector<std::string> covers;
  bool covers_nothing = false;  // and that was said
  std::string level = "must";
  Examines examines = Examines::kB;
  std::vector<std::string> targets;  // never empty once parsed
  std::vector<std::string> needs;
  std::vector<Setting> settings;
  std::map<v1::End, uint32_t> isn;
  std::map<v1::End, std::vector<std::string>> addresses;  // "172.16.12.1/24"; flows take the first
  bool ipv6 = false;
  absl::Duration tolerance = absl::Milliseconds(50);
  absl::Duration patience = absl::Seconds(2);
  bool slow = false;
};

struct Case {
  std::string file;    // as it is named in messages
  std::string source;  // the text, for messages that show a line
  Dialect dialect = Dialect::kCase;
  Head head;                      // kPacketdrill: the id is the file's name
  std::vector<ScriptFlag> flags;  // kPacketdrill
  std::vector<Clause> clauses;    // the first is "setup" if the script opens none
};

}  // namespace tcproctor::conformance
