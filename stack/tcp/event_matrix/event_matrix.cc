// SPDX-License-Identifier: Apache-2.0
#include "stack/tcp/event_matrix/event_matrix.h"

#include <fstream>
#include <istream>

#include "absl/strings/match.h"

namespace tcproctor::tcp::testing {

using absl::StrCat;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace {

// One record of RFC 4180 CSV from `in`; empty at the end.
std::vector<std::string> read_record(std::istream& in) {
  std::vector<std::string> fields;
  std::string field;
  bool quoted = false;
  for (int c = in.get(); c != EOF; c = in.get()) {
    if (quoted) {
      if (c != '"') {
        field.push_back(static_cast<char>(c));
      } else if (in.peek() == '"') {
        field.push_back(static_cast<char>(in.get()));
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      fields.push_back(std::exchange(field, {}));
    } else if (c == '\n') {
      fields.push_back(field);
      return fields;
    } else if (c != '\r') {
      field.push_back(static_cast<char>(c));
    }
  }
  if (!fields.empty()) fields.push_back(field);
  return fields;
}

}  // namespace

std::vector<Row> read_matrix() {
  std::ifstream in(TCPROCTOR_EVENT_MATRIX);
  std::vector<Row> rows;
  read_record(in);  // the heading
  for (auto fields = read_record(in); fields.size() >= 7; fields = read_record(in)) {
    Row row{fields[0], fields[1], fields[2], fields[3], fields[5]};
    const std::string name = row.state_text.substr(0, row.state_text.find(' '));
    row.state = state_from_name(name).value_or(State::kClosed);
    row.passive = absl::StrContains(row.state_text, "(passive)");
    rows.push_back(row);
  }
  return rows;
}

// Runs `check` on an end in the row's state; a passive SYN-RECEIVED both as a small entry and as a
void each(const Row& row, RigConfig config, const std::function<void(Rig&)>& check) {
  config.passive = row.passive;
  for (const bool full : {false, true}) {
    if (full && !(row.passive && row.state == State::kSynReceived)) continue;
    SCOPED_TRACE(full ? "full connection" : "");
    config.full = full;
    Rig rig(config);
    rig.reach(row.state);
    EXPECT_EQ(rig.state(), row.state);
    (void)rig.events();
    check(rig);
  }
}

void each(const Row& row, const std::function<void(Rig&)>& check) {
  each(row, RigConfig(), check);
}

bool takes_text(State state) {
  return state == State::kEstablished || state == State::kFinWait1 || state == State::kFinWait2;
}

void reach_with_data(Rig& rig, State state) {
  const bool passive_close = state == State::kCloseWait || state == State::kLastAck;
  rig.reach(passive_close ? State::kCloseWait : State::kEstablished);
  EXPECT_EQ(rig.send(100).accepted, 100u);
  EXPECT_EQ(rig.sent().size(), 1u);
  if (state == State::kEstablished || state == State::kCloseWait) return;
  EXPECT_EQ(rig.close(), Outcome::kOk);
  EXPECT_EQ(rig.sent().size(), 1u);
  if (state != State::kClosing) return;
  rig.recv("F. 1(0) ack 1");
  EXPECT_THAT(rig.sent(), ElementsAre(rig.plain_ack()));
}

void answered(Rig& rig, const std::string& segment) {
  SCOPED_TRACE(segment);
  const State state = rig.state();
  const std::string ack = rig.plain_ack();
  rig.recv(segment);
  EXPECT_THAT(rig.sent(), ElementsAre(ack));
  EXPECT_EQ(rig.state(), state);
  EXPECT_EQ(rig.plain_ack(), ack);
}

void ignored(Rig& rig, const std::string& segment) {
  SCOPED_TRACE(segment);
  const State state = rig.state();
  const std::string ack = state == State::kClosed || state == State::kListen ? "" : rig.plain_ack();
  rig.recv(segment);
  EXPECT_THAT(rig.sent(), IsEmpty());
  EXPECT_EQ(rig.state(), state);
  if (!ack.empty()) {
    EXPECT_EQ(rig.plain_ack(), ack);
  }
}

void expect_next(const Rig& rig, const Row& row) {
  EXPECT_EQ(to_string(rig.state()), row.next_state.substr(0, row.next_state.find(' ')));
}

std::string seg(std::string_view flags, int64_t seq, size_t length, int64_t ack) {
  return StrCat(std::string(flags), " ", seq, "(", length, ") ack ", ack);
}

RigConfig small_buffer() {
  RigConfig config;
  config.options.receive_buffer_bytes = 100;
  return config;
}

RigConfig filled() {
  RigConfig config;
  config.fill = true;
  return config;
}

RigConfig with_timestamps() {
  RigConfig config;
  config.options.timestamps = true;
  config.peer_timestamps = true;
  return config;
}

void Matrix::reasons() {
  for (const char* call : {"SEND", "RECEIVE", "CLOSE", "ABORT", "STATUS"}) {
    no_check(StrCat(call, "|caller has no access to the connection"),
             "who may use a connection is the daemon's question: sessions are isolated there");
  }
  no_check("OPEN|caller has no access to the local socket", "as above: the daemon's question");
  no_check("EM-CLOSED-OPEN-03", "the host's: it makes the connection");
  no_check("OPEN|Diffserv or security/compartment not allowed for user",
           "every Diffserv value is allowed; there are no compartments");
  no_check("OPEN|no room for a new connection", "the host's: it owns the table");
  no_check("OPEN|invalid remote address (broadcast/multicast)", "the host's: it knows the subnet");
  no_check("OPEN|passive (another passive OPEN for the same port)",
           "the host's: it owns the ports");
  no_check("OPEN|active; no room to queue the request", "nothing is queued: OPEN acts at once");
  no_check("SEND|no room to queue", "a SEND on a listener opens first, then SYN-SENT's rule holds");
  for (const char* condition : {"no room to queue", "not enough data and no queue space"}) {
    no_check(
        StrCat("RECEIVE|", condition),
        "RECEIVE requests are not queued in the core: it answers kWouldBlock, the caller waits");
  }
  no_check("SEGMENT ARRIVES|SYN to broadcast/multicast destination",
           "the host's: such a segment never reaches the core");
  no_check("SEGMENT ARRIVES|SYN with invalid source address", "the host's, likewise");
  for (const char* condition : {"security/compartment mismatch (MLS only)",
                                "SYN (no ACK, no RST); security mismatch (MLS only)",
                                "ACK acceptable; RST off; security mismatch (MLS only)",
                                "ACK off; RST off; SYN on; security mismatch (MLS only)"}) {
    no_check(StrCat("SEGMENT ARRIVES|", condition), "there are no security compartments");
  }
  for (const char* condition :
       {"RST, in window, SEQ != RCV.NXT (stack without RFC 5961)",
        "SYN in window; stack without RFC 5961", "SYN outside window; stack without RFC 5961"}) {
    no_check(StrCat("SEGMENT ARRIVES|", condition), "this is a stack with RFC 5961");
  }
  no_check("SEGMENT ARRIVES|SYN,ACK that acknowledges only part of SYN data (TFO); ACK acceptable",
           "no data is sent on a SYN until there is TCP Fast Open");
  for (const char* id : {"EM-SYN-RECEIVED-passive-SEG-05", "EM-SYN-RECEIVED-passive-SEG-06",
                         "EM-SYN-RECEIVED-passive-SEG-07", "EM-SYN-RECEIVED-passive-SEG-09",
                         "EM-SYN-RECEIVED-active-SEG-05", "EM-SYN-RECEIVED-active-SEG-06",
                         "EM-SYN-RECEIVED-active-SEG-07", "EM-SYN-RECEIVED-active-SEG-09"}) {
    no_check(id, "a SYN or SYN,ACK of ours offers at least one octet: RCV.WND is never 0 here");
  }
  no_check("EM-FIN-WAIT-2-SEG-24", "our FIN is acknowledged, so SND.UNA = SND.NXT");
  for (const char* id : {"EM-LISTEN-UTO-01", "EM-FIN-WAIT-2-UTO-01", "EM-TIME-WAIT-UTO-01"}) {
    no_check(id,
             "nothing is outstanding, so the user timer does not run (S001-fw2: FIN-WAIT-2 "
             "lasts as long as the peer wants)");
  }
  no_check(
      "SEGMENT ARRIVES (reopened connection)|SYN accepted from TIME-WAIT turns out an old "
      "duplicate (RST received in SYN-RECEIVED)",
      "MAY-2 (2) is not done: the host forgets TIME-WAIT when the listener takes the SYN");
}

}  // namespace tcproctor::tcp::testing
