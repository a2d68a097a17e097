// SPDX-License-Identifier: Apache-2.0
// Every row of the event matrix (RFC 9293 §3.10 as a table) is one test here, looked up by its
// event and condition; a row has a check or a written reason why it has none, or its test fails. A
// check that no row asks for fails too.
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {
namespace {

using absl::StrCat;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

struct Row {
  std::string id, state_text, event, condition, next_state;
  State state = State::kClosed;
  bool passive = false;
};

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

using Check = std::function<void(const Row&)>;

// Runs `check` on an end in the row's state; a passive SYN-RECEIVED both as a small entry and as a
// full connection.
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

// 100 octets sent and not acknowledged, then into the state; SND.UNA is 1.
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

// A segment that must be answered by exactly one plain ACK and change nothing.
void answered(Rig& rig, const std::string& segment) {
  SCOPED_TRACE(segment);
  const State state = rig.state();
  const std::string ack = rig.plain_ack();
  rig.recv(segment);
  EXPECT_THAT(rig.sent(), ElementsAre(ack));
  EXPECT_EQ(rig.state(), state);
  EXPECT_EQ(rig.plain_ack(), ack);
}

// A segment that must be dropped without a word.
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

class Matrix {
 public:
  Matrix() {
    reasons();
    open_rows();
    send_rows();
    receive_rows();
    close_rows();
    abort_and_status_rows();
    timeout_rows();
    closed_rows();
    listen_rows();
    syn_sent_rows();
    sequence_rows();
    rst_rows();
    syn_rows();
    syn_received_rows();
    ack_rows();
    urg_and_text_rows();
    fin_rows();
    time_wait_rows();
    icmp_rows();
  }

  static const Matrix& get() {
    static const Matrix matrix;
    return matrix;
  }

  // The check of a row; or the reason for none.
  const Check* find(const Row& row, std::string& key) const {
    for (const std::string& candidate :
         {row.id, StrCat(row.state_text, "|", row.event, "|", row.condition),
          StrCat(row.event, "|", row.condition)}) {
      const auto found = checks_.find(candidate);
      if (found == checks_.end()) continue;
      key = candidate;
      return &found->second;
    }
    return nullptr;
  }
  const std::string* reason(const Row& row, std::string& key) const {
    for (const std::string& candidate : {row.id, StrCat(row.event, "|", row.condition)}) {
      const auto found = reasons_.find(candidate);
      if (found == reasons_.end()) continue;
      key = candidate;
      return &found->second;
    }
    return nullptr;
  }
  std::set<std::string> keys() const {
    std::set<std::string> keys;
    for (const auto& [key, check] : checks_) keys.insert(key);
    for (const auto& [key, reason] : reasons_) keys.insert(key);
    return keys;
  }

 private:
  void on(const std::string& event, const std::string& condition, Check check) {
    checks_[StrCat(event, "|", condition)] = std::move(check);
  }
  void segment(const std::string& condition, Check check) {
    on("SEGMENT ARRIVES", condition, std::move(check));
  }
  void row(const std::string& id, Check check) { checks_[id] = std::move(check); }
  void no_check(const std::string& key, const std::string& reason) { reasons_[key] = reason; }

  void reasons();
  void open_rows();
  void send_rows();
  void receive_rows();
  void close_rows();
  void abort_and_status_rows();
  void timeout_rows();
  void closed_rows();
  void listen_rows();
  void syn_sent_rows();
  void sequence_rows();
  void rst_rows();
  void syn_rows();
  void syn_received_rows();
  void ack_rows();
  void urg_and_text_rows();
  void fin_rows();
  void time_wait_rows();
  void icmp_rows();

  std::map<std::string, Check> checks_;
  std::map<std::string, std::string> reasons_;
};

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

void Matrix::open_rows() {
  on("OPEN", "passive; parameters allowed", [](const Row&) {
    Rig rig;
    rig.listen();
    EXPECT_EQ(rig.state(), State::kListen);
    EXPECT_THAT(rig.sent(), IsEmpty());
  });
  row("EM-CLOSED-OPEN-02", [](const Row&) {
    Rig rig;
    rig.open_active();
    EXPECT_EQ(rig.state(), State::kSynSent);
    EXPECT_EQ(rig.snd_una(), 0u);
    EXPECT_EQ(rig.snd_nxt(), 1u);
    EXPECT_THAT(rig.sent(), ElementsAre("S 0(0)"));
  });
  row("EM-LISTEN-OPEN-01", [](const Row&) {
    Rig rig;
    rig.listen();
    const packet::SocketAddress remote{packet::IpAddress::v4(192, 0, 2, 2), 1025};
    EXPECT_EQ(rig.listener()->can_become_active(remote), Outcome::kOk);
  });
  row("EM-LISTEN-OPEN-02", [](const Row&) {
    Rig rig;
    rig.listen();
    EXPECT_EQ(rig.listener()->can_become_active(std::nullopt), Outcome::kRemoteUnspecified);
  });
  on("OPEN", "any", [](const Row& row) {
    each(row, [](Rig& rig) {
      const State state = rig.state();
      EXPECT_EQ(rig.open(), Outcome::kConnectionExists);
      EXPECT_EQ(rig.state(), state);
      EXPECT_THAT(rig.sent(), IsEmpty());
    });
  });
}

// CLOSED after a life: the calls find no connection.
void closed_connection(const std::function<void(Rig&)>& check) {
  Rig rig;
  rig.reach(State::kSynSent);
  EXPECT_EQ(rig.close(), Outcome::kOk);
  EXPECT_EQ(rig.state(), State::kClosed);
  check(rig);
  EXPECT_THAT(rig.sent(), IsEmpty());
}

void Matrix::send_rows() {
  on("SEND", "otherwise (no TCB)", [](const Row&) {
    closed_connection(
        [](Rig& rig) { EXPECT_EQ(rig.send(1).outcome, Outcome::kConnectionDoesNotExist); });
  });
  on("SEND", "remote socket specified", [](const Row&) {
    uint64_t ids = 1;
    const Settings settings;
    ListenerConfig config;
    config.next_id = &ids;
    config.settings = &settings;
    config.remote = packet::SocketAddress{packet::IpAddress::v4(192, 0, 2, 2), 1025};
    EXPECT_EQ(Listener(config).can_become_active(std::nullopt), Outcome::kOk);
  });
  on("SEND", "remote socket unspecified", [](const Row&) {
    Rig rig;
    rig.listen();
    EXPECT_EQ(rig.listener()->can_become_active(std::nullopt), Outcome::kRemoteUnspecified);
  });
  on("SEND", "space available", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_EQ(rig.send(10).accepted, 10u);
      expect_next(rig, row);
      const uint32_t next = rig.rcv_nxt();
      if (is_synchronized(row.state)) {
        EXPECT_THAT(rig.sent(), ElementsAre(StrCat("P. 1(10) ack ", next)));
        return;
      }
      EXPECT_THAT(rig.sent(), IsEmpty());  // queued until ESTABLISHED
      const bool syn_sent = row.state == State::kSynSent;
      rig.recv(syn_sent ? "S. 0(0) ack 1" : ". 1(0) ack 1");
      EXPECT_THAT(rig.sent(), ElementsAre("P. 1(10) ack 1"));
    });
  });
  const Check no_space = [](const Row& row) {
    RigConfig config;
    config.options.send_buffer_bytes = 10;
    each(row, config, [&row](Rig& rig) {
      EXPECT_EQ(rig.send(15).accepted, 10u);
      EXPECT_EQ(rig.send(1).outcome, Outcome::kWouldBlock);
      EXPECT_EQ(rig.status().send_queue_bytes, 10u);
      expect_next(rig, row);
    });
  };
  on("SEND", "no space to queue", no_space);
  on("SEND", "insufficient space to remember the buffer", no_space);
  on("SEND", "URGENT flag set", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_EQ(rig.send(10, true, true).accepted, 10u);
      EXPECT_THAT(rig.sent(), ElementsAre(StrCat("P.U 1(10) ack ", rig.rcv_nxt(), " urg 10")));
      EXPECT_EQ(rig.status().snd_up - rig.status().iss, 11u);
      expect_next(rig, row);
    });
  });
  on("SEND", "any", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_EQ(rig.send(10).outcome, Outcome::kConnectionClosing);
      EXPECT_THAT(rig.sent(), IsEmpty());
      expect_next(rig, row);
    });
  });
}

void Matrix::receive_rows() {
  on("RECEIVE", "otherwise (no TCB)", [](const Row&) {
    closed_connection(
        [](Rig& rig) { EXPECT_EQ(rig.receive(1).outcome, Outcome::kConnectionDoesNotExist); });
  });
  const Check waits = [](const Row& row) {
    each(row, [](Rig& rig) { EXPECT_EQ(rig.receive(10).outcome, Outcome::kWouldBlock); });
  };
  on("RECEIVE", "room available", waits);
  on("RECEIVE", "not enough data queued", waits);
  on("RECEIVE", "data available", [](const Row& row) {
    each(row, small_buffer(), [&row](Rig& rig) {
      rig.recv(seg("P.", 1, 100, rig.snd_una()));
      const std::string ack = rig.plain_ack();
      EXPECT_THAT(rig.sent(), ElementsAre(ack));
      EXPECT_EQ(rig.last().header.window, 0);
      EXPECT_EQ(rig.receive(20).received, 20u);
      EXPECT_THAT(rig.sent(), IsEmpty());  // RFC9293-MUST-39: not worth an update
      const ReceiveResult rest = rig.receive(100);
      EXPECT_EQ(rest.received, 80u);
      EXPECT_TRUE(rest.pushed);
      EXPECT_EQ(rig.received(), Rig::peer_bytes(1, 100));
      EXPECT_THAT(rig.sent(), ElementsAre(ack));
      EXPECT_EQ(rig.last().header.window, 100);
      expect_next(rig, row);
    });
  });
  on("RECEIVE", "RCV.UP ahead of data being passed", [](const Row& row) {
    each(row, [](Rig& rig) {
      rig.recv(StrCat(seg("U.", 1, 10, rig.snd_una()), " urg 6"));
      const ReceiveResult first = rig.receive(4);
      EXPECT_TRUE(first.urgent);
      EXPECT_EQ(first.urgent_remaining, 2u);
      EXPECT_EQ(rig.receive(100).received, 2u);  // up to the end of the urgent data
      const ReceiveResult after = rig.receive(100);
      EXPECT_FALSE(after.urgent);
      EXPECT_EQ(after.received, 4u);
    });
  });
  on("RECEIVE", "undelivered text on hand", [](const Row&) {
    Rig rig;
    rig.reach(State::kEstablished);
    rig.recv("FP. 1(10) ack 1");
    EXPECT_EQ(rig.state(), State::kCloseWait);
    EXPECT_EQ(rig.receive(100).received, 10u);
    EXPECT_EQ(rig.receive(100).outcome, Outcome::kEndOfStream);
  });
  const Check end_of_stream = [](const Row& row) {
    each(row, [](Rig& rig) { EXPECT_EQ(rig.receive(10).outcome, Outcome::kEndOfStream); });
  };
  on("RECEIVE", "no text awaiting delivery", end_of_stream);
  on("RECEIVE", "any", end_of_stream);
}

void Matrix::close_rows() {
  on("CLOSE", "otherwise (no TCB)", [](const Row&) {
    closed_connection([](Rig& rig) { EXPECT_EQ(rig.close(), Outcome::kConnectionDoesNotExist); });
  });
  row("EM-LISTEN-CLOSE-01", [](const Row&) {
    Rig rig;
    rig.listen();
    EXPECT_THAT(rig.sent(), IsEmpty());  // the host deletes it: there is nothing to say
  });
  row("EM-SYN-SENT-CLOSE-01", [](const Row& row) {
    each(row, [](Rig& rig) {
      EXPECT_EQ(rig.close(), Outcome::kOk);
      EXPECT_EQ(rig.state(), State::kClosed);
      EXPECT_EQ(rig.status().last_error, Outcome::kOk);
      EXPECT_THAT(rig.sent(), IsEmpty());
    });
  });
  row("EM-SYN-RECEIVED-CLOSE-01", [](const Row& row) {
    for (const bool passive : {false, true}) {
      Row variant = row;
      variant.passive = passive;
      each(variant, [&row](Rig& rig) {
        EXPECT_EQ(rig.close(), Outcome::kOk);
        EXPECT_THAT(rig.sent(), ElementsAre("F. 1(0) ack 1"));
        expect_next(rig, row);
        rig.recv(". 1(0) ack 2");  // SYN and FIN at once
        EXPECT_EQ(rig.state(), State::kFinWait2);
        EXPECT_THAT(rig.sent(), IsEmpty());
      });
    }
  });
  row("EM-SYN-RECEIVED-CLOSE-02", [](const Row& row) {
    for (const bool passive : {false, true}) {
      Row variant = row;
      variant.passive = passive;
      each(variant, [&row](Rig& rig) {
        EXPECT_EQ(rig.send(10).accepted, 10u);
        EXPECT_EQ(rig.close(), Outcome::kOk);
        EXPECT_THAT(rig.sent(), IsEmpty());
        expect_next(rig, row);
        rig.recv(". 1(0) ack 1");
        EXPECT_EQ(rig.state(), State::kFinWait1);
        EXPECT_THAT(rig.sent(), ElementsAre("FP. 1(10) ack 1"));
      });
    }
  });
  row("EM-ESTABLISHED-CLOSE-01", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_EQ(rig.close(), Outcome::kOk);
      expect_next(rig, row);
      EXPECT_THAT(rig.sent(), ElementsAre("F. 1(0) ack 1"));
    });
  });
  row("EM-ESTABLISHED-CLOSE-02", [](const Row& row) {
    RigConfig config;
    config.peer_window = 50;
    each(row, config, [&row](Rig& rig) {
      EXPECT_EQ(rig.send(80).accepted, 80u);
      EXPECT_EQ(rig.close(), Outcome::kOk);
      expect_next(rig, row);
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(50) ack 1"));
      rig.recv(". 1(0) ack 51");
      EXPECT_THAT(rig.sent(), ElementsAre("FP. 51(30) ack 1"));
      expect_next(rig, row);
    });
  });
  row("EM-ESTABLISHED-CLOSE-03", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("P. 1(10) ack 1");
      (void)rig.sent();
      EXPECT_EQ(rig.release(), Outcome::kOk);
      EXPECT_THAT(rig.sent(), ElementsAre("R 1(0)"));
      expect_next(rig, row);
    });
  });
  row("EM-CLOSE-WAIT-CLOSE-01", [](const Row& row) {
    RigConfig config;
    config.peer_window = 50;
    each(row, config, [&row](Rig& rig) {
      EXPECT_EQ(rig.send(80).accepted, 80u);
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(50) ack 2"));
      EXPECT_EQ(rig.close(), Outcome::kOk);
      EXPECT_EQ(rig.send(1).outcome, Outcome::kConnectionClosing);
      EXPECT_THAT(rig.sent(), IsEmpty());
      EXPECT_EQ(rig.state(), State::kCloseWait);  // until the SENDs before it are segmentized
      rig.recv(". 2(0) ack 51");
      EXPECT_THAT(rig.sent(), ElementsAre("FP. 51(30) ack 2"));
      expect_next(rig, row);
    });
    each(row, [&row](Rig& rig) {
      EXPECT_EQ(rig.close(), Outcome::kOk);
      EXPECT_THAT(rig.sent(), ElementsAre("F. 1(0) ack 2"));
      expect_next(rig, row);
    });
  });
  on("CLOSE", "any", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_EQ(rig.close(), Outcome::kConnectionClosing);
      EXPECT_THAT(rig.sent(), IsEmpty());  // no second FIN
      expect_next(rig, row);
    });
  });
}

void Matrix::abort_and_status_rows() {
  on("ABORT", "otherwise (no TCB)", [](const Row&) {
    closed_connection([](Rig& rig) { EXPECT_EQ(rig.abort(), Outcome::kConnectionDoesNotExist); });
  });
  row("EM-LISTEN-ABORT-01", [](const Row&) {
    Rig rig;
    rig.listen();
    EXPECT_THAT(rig.sent(), IsEmpty());
  });
  on("ABORT", "any", [](const Row& row) {
    for (const bool passive : {false, true}) {
      if (passive && row.state != State::kSynReceived) continue;
      Row variant = row;
      variant.passive = passive;
      each(variant, [&row](Rig& rig) {
        const std::string reset = StrCat("R ", rig.snd_nxt(), "(0)");
        EXPECT_EQ(rig.abort(), Outcome::kOk);
        const bool silent = row.state == State::kSynSent || row.state == State::kClosing ||
                            row.state == State::kLastAck || row.state == State::kTimeWait;
        if (silent) {
          EXPECT_THAT(rig.sent(), IsEmpty());
        } else {
          EXPECT_THAT(rig.sent(), ElementsAre(reset));
        }
        if (rig.connection() == nullptr) {  // a small entry: the listener is still there
          EXPECT_THAT(rig.events(), Contains("SYN-RECEIVED -> CLOSED"));
          return;
        }
        expect_next(rig, row);
        const bool told = !silent || row.state == State::kSynSent;
        EXPECT_EQ(rig.status().last_error, told ? Outcome::kConnectionAborted : Outcome::kOk);
        EXPECT_EQ(rig.next_timer(), false);
      });
    }
  });
  on("STATUS", "otherwise (no TCB)", [](const Row&) {
    Rig rig;
    EXPECT_EQ(rig.status().state, State::kClosed);
  });
  on("STATUS", "any", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_EQ(rig.status().state, row.state);
      expect_next(rig, row);
    });
  });
}

void Matrix::timeout_rows() {
  on("USER TIMEOUT", "expires", [](const Row& row) {
    RigConfig config;
    config.options.user_timeout = 5min;
    config.options.syn_timeout = 3min;
    Rig rig(config);
    if (row.state == State::kSynSent || row.state == State::kSynReceived) {
      rig.reach(row.state);
    } else {
      reach_with_data(rig, row.state);
    }
    const bool handshake = !is_synchronized(row.state);
    (void)rig.advance((handshake ? 3min : 5min) - 1ms);
    EXPECT_EQ(rig.state(), row.state);
    EXPECT_THAT(rig.events(), Contains("trouble"));  // R1 came before R2
    (void)rig.advance(1ms);
    expect_next(rig, row);
    EXPECT_EQ(rig.status().last_error, Outcome::kTimedOut);
    EXPECT_THAT(rig.events(), Contains("error TIMED-OUT"));
    EXPECT_EQ(rig.send(1).outcome, Outcome::kTimedOut);
    EXPECT_EQ(rig.receive(1).outcome, Outcome::kTimedOut);
    EXPECT_EQ(rig.status().send_queue_bytes, 0u);
    EXPECT_FALSE(rig.next_timer());
  });
  on("RETRANSMISSION TIMEOUT", "retransmission queue empty", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_FALSE(rig.status().retransmission_timer.has_value());
      EXPECT_THAT(rig.advance(10s), IsEmpty());
      expect_next(rig, row);
    });
  });
  on("RETRANSMISSION TIMEOUT", "a segment is on the retransmission queue", [](const Row& row) {
    for (const bool passive : {false, true}) {
      if (passive && row.state != State::kSynReceived) continue;
      RigConfig config;
      config.passive = passive;
      Rig rig(config);
      std::string again;
      if (row.state == State::kSynSent || row.state == State::kSynReceived) {
        rig.reach(row.state);
        again = row.state == State::kSynSent ? "S 0(0)" : "S. 0(0) ack 1";
      } else {
        reach_with_data(rig, row.state);
        again = StrCat(rig.snd_nxt() == 102 ? "FP." : "P.", " 1(100) ack ", rig.rcv_nxt());
      }
      // RFC6298-5.5-1: 1, 2, 4 s after each other.
      EXPECT_THAT(rig.advance(7s), ElementsAre("+1 " + again, "+3 " + again, "+7 " + again));
      expect_next(rig, row);
    }
  });
  on("TIME-WAIT TIMEOUT", "2MSL expires", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      EXPECT_THAT(rig.advance(4min - 1ms), IsEmpty());
      EXPECT_EQ(rig.state(), State::kTimeWait);
      EXPECT_THAT(rig.advance(1ms), IsEmpty());
      expect_next(rig, row);
      EXPECT_EQ(rig.status().last_error, Outcome::kOk);
    });
  });
}

void Matrix::closed_rows() {
  const auto answer = [this](const std::string& condition, std::string arriving,
                             std::vector<std::string> expected) {
    segment(condition, [arriving, expected](const Row&) {
      Rig rig;
      rig.recv(arriving);
      EXPECT_EQ(rig.sent(), expected);
      EXPECT_EQ(rig.state(), State::kClosed);
    });
  };
  answer("RST set (any other flags)", "RSFP. 5(3) ack 9", {});
  answer("RST off; ACK off; SYN (no ACK), LEN=1", "S 5(0)", {"R. 0(0) ack 6"});
  answer("RST off; ACK off; SYN + n data octets, no ACK", "S 5(7)", {"R. 0(0) ack 13"});
  answer("RST off; ACK off; SYN,FIN no ACK", "SF 5(0)", {"R. 0(0) ack 7"});
  answer("RST off; ACK off; FIN no ACK", "F 5(0)", {"R. 0(0) ack 6"});
  answer("RST off; ACK off; data of n octets, no ACK", "P 5(7)", {"R. 0(0) ack 12"});
  answer("RST off; ACK off; no control bits, no data", "- 5(0)", {"R. 0(0) ack 5"});
  answer("RST off; ACK on; ACK only", ". 5(0) ack 9", {"R 9(0)"});
  answer("RST off; ACK on; SYN,ACK", "S. 5(0) ack 9", {"R 9(0)"});
  answer("RST off; ACK on; FIN,ACK", "F. 5(0) ack 9", {"R 9(0)"});
  answer("RST off; ACK on; ACK with data", ". 5(7) ack 9", {"R 9(0)"});
  answer("RST off; ACK on; PSH/URG,ACK", "P.U 5(0) ack 9 urg 1", {"R 9(0)"});
}

void Matrix::listen_rows() {
  const auto answer = [this](const std::string& condition, std::string arriving,
                             std::vector<std::string> expected) {
    segment(condition, [arriving, expected](const Row& row) {
      each(row, [&](Rig& rig) {
        rig.recv(arriving);
        EXPECT_EQ(rig.sent(), expected);
        expect_next(rig, row);
      });
    });
  };
  answer("RST", "R 5(0)", {});
  answer("RST,ACK", "R. 5(0) ack 9", {});
  answer("RST,SYN", "RS 5(0)", {});
  answer("RST off; ACK only", ". 5(0) ack 9", {"R 9(0)"});
  answer("RST off; SYN,ACK", "S. 5(0) ack 9", {"R 9(0)"});
  answer("RST off; FIN,ACK", "F. 5(0) ack 9", {"R 9(0)"});
  answer("RST off; ACK with data", "P. 5(3) ack 9", {"R 9(0)"});
  answer("neither RST, ACK nor SYN: no control bits", "- 5(0)", {});
  answer("neither RST, ACK nor SYN: data, no ACK", "P 5(4)", {});
  answer("neither RST, ACK nor SYN: FIN, no ACK", "F 5(0)", {});
  answer("neither RST, ACK nor SYN: URG/PSH data, no ACK", "PU 5(4) urg 2", {});
  segment("SYN only", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("S 0(0)");
      EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
      expect_next(rig, row);
      EXPECT_EQ(rig.snd_una(), 0u);
      EXPECT_EQ(rig.snd_nxt(), 1u);
      EXPECT_TRUE(rig.status().passive);
      EXPECT_EQ(rig.status().remote.port, 1025);
    });
  });
  segment("SYN with data", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("S 0(10)");
      EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
      expect_next(rig, row);
      EXPECT_EQ(rig.receive(100).outcome, Outcome::kWouldBlock);  // RFC9293-3.5-L1
      rig.recv(". 1(0) ack 1");
      EXPECT_EQ(rig.state(), State::kEstablished);
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 11"));
      EXPECT_EQ(rig.receive(100).received, 10u);
      EXPECT_EQ(rig.received(), Rig::peer_bytes(1, 10));
    });
  });
  segment("SYN,FIN", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("SF 0(0)");
      EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
      expect_next(rig, row);
      rig.recv(". 1(0) ack 1");
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 2"));
      EXPECT_EQ(rig.state(), State::kCloseWait);
    });
  });
  segment("SYN,URG with data", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("SU 0(10) urg 4");
      EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
      expect_next(rig, row);
      EXPECT_THAT(rig.events(), Not(Contains("urgent")));
      rig.recv(". 1(0) ack 1");
      EXPECT_THAT(rig.events(), Contains("urgent"));
      EXPECT_EQ(rig.receive(100).received, 3u);
    });
  });
}

void Matrix::syn_sent_rows() {
  const auto answer = [this](const std::string& condition, std::vector<std::string> arriving,
                             std::vector<std::string> expected) {
    segment(condition, [arriving, expected](const Row& row) {
      for (const std::string& text : arriving) {
        SCOPED_TRACE(text);
        each(row, [&](Rig& rig) {
          rig.recv(text);
          EXPECT_EQ(rig.sent(), expected);
          expect_next(rig, row);
        });
      }
    });
  };
  answer("ACK on, SEG.ACK =< ISS; RST off (with or without SYN/FIN/data)",
         {". 0(0) ack 0", "S. 0(0) ack 0", "F. 0(5) ack 0"}, {"R 0(0)"});
  answer("ACK on, SEG.ACK =< ISS; RST on", {"R. 0(0) ack 0", "R. 0(0) ack -5"}, {});
  answer("ACK on, SEG.ACK > SND.NXT; RST off (with or without SYN/FIN/data)",
         {". 0(0) ack 2", "S. 0(0) ack 2", "FP. 7(5) ack 2"}, {"R 2(0)"});
  answer("ACK on, SEG.ACK > SND.NXT; RST on", {"R. 0(0) ack 2"}, {});
  answer("RST on; ACK off", {"R 0(0)", "R 1(0)"}, {});
  answer("ACK acceptable; neither SYN nor RST (incl. FIN,ACK or data)",
         {". 0(0) ack 1", "F. 0(0) ack 1", "P. 0(5) ack 1"}, {});
  answer("neither ACK, SYN nor RST (data, FIN, null)", {"P 0(5)", "F 0(0)", "- 0(0)"}, {});
  segment("ACK acceptable (SND.UNA < SEG.ACK =< SND.NXT); RST on", [](const Row& row) {
    for (const char* text : {"R. 0(0) ack 1", "R. 987654(0) ack 1"}) {  // erratum 8167: any SEQ
      each(row, [&](Rig& rig) {
        rig.recv(text);
        EXPECT_THAT(rig.sent(), IsEmpty());
        expect_next(rig, row);
        EXPECT_EQ(rig.status().last_error, Outcome::kConnectionRefused);
      });
    }
  });
  segment("SYN,ACK; ACK acceptable and covers our SYN (SND.UNA > ISS)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("S. 0(0) ack 1 win 4321");
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 1"));
      expect_next(rig, row);
      const Status status = rig.status();
      EXPECT_EQ(rig.snd_una(), 1u);
      EXPECT_EQ(status.snd_wnd, 4321u);  // ruling 2
      EXPECT_EQ(status.snd_wl1, status.irs);
      EXPECT_EQ(status.snd_wl2, status.iss + 1);
      EXPECT_FALSE(status.retransmission_timer.has_value());
    });
  });
  segment("SYN,ACK with data; ACK acceptable", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("SP. 0(10) ack 1");
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 11"));
      expect_next(rig, row);
      EXPECT_EQ(rig.receive(100).received, 10u);
      EXPECT_EQ(rig.received(), Rig::peer_bytes(1, 10));
    });
  });
  segment("SYN,ACK,FIN; ACK acceptable", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("SF. 0(0) ack 1");
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 2"));
      expect_next(rig, row);
      EXPECT_EQ(rig.receive(1).outcome, Outcome::kEndOfStream);
    });
  });
  segment("SYN without ACK (simultaneous open)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("S 0(0) win 4321");
      EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
      expect_next(rig, row);
      EXPECT_FALSE(rig.status().passive);
      EXPECT_EQ(rig.status().snd_wnd, 4321u);
      EXPECT_EQ(rig.status().snd_wl1, rig.status().irs);
    });
  });
  segment("SYN without ACK, with text/FIN/URG", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("SFU 0(10) urg 4");
      EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
      expect_next(rig, row);
      EXPECT_EQ(rig.receive(1).outcome, Outcome::kWouldBlock);
      (void)rig.events();
      rig.recv(". 1(0) ack 1");
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 12"));
      EXPECT_EQ(rig.state(), State::kCloseWait);
      EXPECT_THAT(rig.events(), Contains("urgent"));
      EXPECT_EQ(rig.receive(100).received, 3u);
      EXPECT_EQ(rig.receive(100).received, 7u);
      EXPECT_EQ(rig.received(), Rig::peer_bytes(1, 10));
    });
  });
}

void Matrix::sequence_rows() {
  segment("seq: LEN=0, RCV.WND>0, SEQ < RCV.NXT; RST off", [](const Row& row) {
    each(row, [](Rig& rig) {
      answered(rig, seg(".", rig.rcv_nxt() - 1, 0, rig.snd_una()));
      answered(rig, seg(".", int64_t{rig.rcv_nxt()} - 100000, 0, rig.snd_nxt()));
    });
  });
  segment("seq: LEN=0, RCV.WND>0, SEQ >= RCV.NXT+RCV.WND; RST off", [](const Row& row) {
    each(row, [](Rig& rig) {
      answered(rig, seg(".", rig.rcv_nxt() + rig.rcv_wnd(), 0, rig.snd_nxt()));
    });
  });
  segment("seq: LEN>0, whole segment left of RCV.NXT (old duplicate, keep-alive probe); RST off",
          [](const Row& row) {
            each(row, [](Rig& rig) {
              answered(rig, seg(".", int64_t{rig.rcv_nxt()} - 2, 1, rig.snd_nxt()));
              answered(rig, seg("P.", int64_t{rig.rcv_nxt()} - 10, 10, rig.snd_nxt()));
            });
          });
  segment("seq: LEN>0, whole segment right of window; RST off", [](const Row& row) {
    each(row, [](Rig& rig) {
      answered(rig, seg("P.", rig.rcv_nxt() + rig.rcv_wnd(), 10, rig.snd_nxt()));
    });
  });
  segment("seq: RCV.WND=0, LEN=0, SEQ != RCV.NXT; RST off", [](const Row& row) {
    each(row, filled(), [](Rig& rig) {
      EXPECT_EQ(rig.rcv_wnd(), 0u);
      answered(rig, seg(".", rig.rcv_nxt() + 1, 0, rig.snd_nxt()));
      EXPECT_EQ(rig.last().header.window, 0);
    });
  });
  segment("seq: RCV.WND=0, LEN=0, SEQ = RCV.NXT", [](const Row& row) {
    each(row, filled(), [](Rig& rig) {
      ignored(rig, seg(".", rig.rcv_nxt(), 0, rig.snd_una()));  // nothing to object to
    });
  });
  segment("seq: RCV.WND=0, LEN>0 (e.g. window probe); RST off", [](const Row& row) {
    each(row, filled(), [&row](Rig& rig) {
      answered(rig, seg(".", rig.rcv_nxt(), 1, rig.snd_una()));
      EXPECT_EQ(rig.last().header.window, 0);
      answered(rig, seg("F.", rig.rcv_nxt(), 0, rig.snd_una()));
      // MUST-66: its ACK and URG count.
      if (!takes_text(row.state)) return;
      (void)rig.events();
      rig.recv(StrCat(seg("U.", rig.rcv_nxt(), 1, rig.snd_nxt()), " urg 9 win 777"));
      EXPECT_THAT(rig.sent(), ElementsAre(rig.plain_ack()));
      EXPECT_EQ(rig.snd_una(), rig.snd_nxt());
      EXPECT_EQ(rig.status().snd_wnd, 777u);
      EXPECT_THAT(rig.events(), Contains("urgent"));
    });
  });
  segment("seq: starts before RCV.NXT, ends inside window", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      const uint32_t ack = is_synchronized(row.state) ? rig.snd_una() : 1;
      rig.recv(seg("P.", next - 1, 5, ack));
      if (row.state == State::kClosing) {
        EXPECT_THAT(rig.sent(), IsEmpty());
      } else {
        EXPECT_THAT(rig.sent(), ElementsAre(rig.plain_ack()));
      }
      const bool taken = takes_text(row.state) || !is_synchronized(row.state);
      EXPECT_EQ(rig.rcv_nxt(), taken ? next + 4 : next);
      if (taken) {
        EXPECT_EQ(rig.receive(100).received, 4u);
        EXPECT_EQ(rig.received(), Rig::peer_bytes(next, 4));
      } else {
        expect_next(rig, row);
      }
    });
  });
  segment("seq: starts in window, extends past right edge", [](const Row& row) {
    each(row, small_buffer(), [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      const uint32_t room = rig.rcv_wnd();
      const uint32_t ack = is_synchronized(row.state) ? rig.snd_una() : 1;
      rig.recv(seg("FP.", next, 150, ack));
      if (row.state == State::kClosing) {
        EXPECT_THAT(rig.sent(), IsEmpty());
      } else {
        EXPECT_THAT(rig.sent(), ElementsAre(rig.plain_ack()));
      }
      const bool taken = takes_text(row.state) || !is_synchronized(row.state);
      EXPECT_EQ(rig.rcv_nxt(), taken ? next + room : next);
      // The FIN lies beyond the edge.
      EXPECT_EQ(rig.state(), is_synchronized(row.state) ? row.state : State::kEstablished);
    });
  });
  segment("seq: SEQ > RCV.NXT, in window (gap); RST off, SYN off", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      const uint32_t ack = is_synchronized(row.state) ? rig.snd_una() : 1;
      if (!is_synchronized(row.state)) ignored(rig, StrCat("P ", next + 10, "(5)"));
      rig.recv(seg("P.", next + 10, 5, ack));
      EXPECT_THAT(rig.sent(), ElementsAre(StrCat(". ", rig.snd_nxt(), "(0) ack ", next)));
      EXPECT_EQ(rig.status().reassembly_bytes, 5u);
      EXPECT_EQ(rig.receive(100).outcome, Outcome::kWouldBlock);
      rig.recv(seg(".", next, 10, ack));
      EXPECT_THAT(rig.sent(), ElementsAre(StrCat(". ", rig.snd_nxt(), "(0) ack ", next + 15)));
      EXPECT_EQ(rig.receive(100).received, 15u);
      EXPECT_EQ(rig.received(), Rig::peer_bytes(next, 15));
    });
  });
  segment("seq: SEQ > RCV.NXT, in window (text beyond the peer FIN); RST off, SYN off",
          [](const Row& row) {
            each(row, [&row](Rig& rig) {
              rig.recv(seg("P.", rig.rcv_nxt() + 3, 5, rig.snd_una()));
              (void)rig.sent();
              expect_next(rig, row);
              EXPECT_EQ(rig.status().reassembly_bytes, 0u);
              EXPECT_EQ(rig.receive(10).outcome, Outcome::kEndOfStream);
            });
          });
}

void Matrix::rst_rows() {
  segment("seq: unacceptable (any case); RST on", [](const Row& row) {
    each(row, [](Rig& rig) {
      ignored(rig, seg("R.", rig.rcv_nxt() - 1, 0, rig.snd_nxt()));
      ignored(rig, StrCat("R ", rig.rcv_nxt() + rig.rcv_wnd(), "(0)"));
    });
  });
  segment("RST, outside window", [](const Row& row) {
    each(row, [](Rig& rig) {
      ignored(rig, StrCat("R ", rig.rcv_nxt() - 1, "(0)"));
      ignored(rig, StrCat("R ", rig.rcv_nxt() - 1, "(5)"));  // judged by SEQ alone
      ignored(rig, StrCat("R ", rig.rcv_nxt() + rig.rcv_wnd(), "(0)"));
      ignored(rig, StrCat("R ", int64_t{rig.rcv_nxt()} - 1000000, "(0)"));
    });
  });
  const auto resets = [](const Row& row, const RigConfig& config,
                         const std::vector<std::string>& flags) {
    for (const std::string& flag : flags) {
      SCOPED_TRACE(flag);
      each(row, config, [&](Rig& rig) {
        const bool quiet = row.state == State::kClosing || row.state == State::kLastAck ||
                           row.state == State::kTimeWait;
        rig.recv(StrCat(flag.substr(0, flag.find('(')), " ", rig.rcv_nxt(),
                        flag.substr(flag.find('('))));
        EXPECT_THAT(rig.sent(), IsEmpty());
        expect_next(rig, row);
        if (row.next_state == "LISTEN") {
          EXPECT_THAT(rig.events(), Contains("SYN-RECEIVED -> LISTEN"));
          return;
        }
        const Outcome expected = quiet                              ? Outcome::kOk
                                 : row.state == State::kSynReceived ? Outcome::kConnectionRefused
                                                                    : Outcome::kConnectionReset;
        EXPECT_EQ(rig.status().last_error, expected);
        if (!quiet) {
          EXPECT_EQ(rig.send(1).outcome, expected);
          EXPECT_EQ(rig.receive(1).outcome, expected);
        }
        EXPECT_FALSE(rig.next_timer());
      });
    }
  };
  segment("RST, SEQ = RCV.NXT (any ACK value, with or without data)", [resets](const Row& row) {
    resets(row, RigConfig(), {"R(0)", "R.(0) ack 777777", "R(9)"});
  });
  segment("RST with SYN and/or FIN/URG/data, SEQ = RCV.NXT", [resets](const Row& row) {
    resets(row, RigConfig(), {"RS(0)", "RF(0)", "RFP.U(9) ack 1 urg 3", "RS.(4) ack 1"});
  });
  segment("seq: RCV.WND=0; RST on, SEQ = RCV.NXT",
          [resets](const Row& row) { resets(row, filled(), {"R(0)"}); });
  segment("RST, in window, SEQ != RCV.NXT (RFC 5961 stack)", [](const Row& row) {
    each(row, [](Rig& rig) {
      answered(rig, StrCat("R ", rig.rcv_nxt() + 1, "(0)"));
      answered(rig, StrCat("R ", rig.rcv_nxt() + rig.rcv_wnd() - 1, "(0)"));
      answered(rig, seg("R.", rig.rcv_nxt() + rig.rcv_wnd() / 2, 0, rig.snd_nxt()));
    });
  });
  segment("RST with SYN and/or FIN/URG/data, in window, SEQ ≠ RCV.NXT", [](const Row& row) {
    each(row, [](Rig& rig) {
      for (const char* flags : {"RS", "RF", "RFPU"}) {
        answered(rig, StrCat(flags, " ", rig.rcv_nxt() + 5, "(4) urg 3"));
      }
      EXPECT_EQ(rig.status().reassembly_bytes, 0u);
      EXPECT_THAT(rig.events(), Not(Contains("urgent")));
    });
  });
}

void Matrix::syn_rows() {
  segment("SYN in window (RST off), with or without ACK", [](const Row& row) {
    for (const char* flags : {"S", "S."}) {
      each(row, [&](Rig& rig) {
        rig.recv(seg(flags, rig.rcv_nxt() + 1, 0, 1));
        EXPECT_THAT(rig.sent(), IsEmpty());
        expect_next(rig, row);
        EXPECT_THAT(rig.events(), Contains("SYN-RECEIVED -> LISTEN"));
      });
    }
  });
  segment("SYN outside window (e.g. retransmitted SYN, SEQ=IRS)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("S 0(0)");  // ruling 4
      EXPECT_THAT(rig.sent(), ElementsAre("S. 0(0) ack 1"));
      expect_next(rig, row);
      answered(rig, StrCat("S ", rig.rcv_nxt() + rig.rcv_wnd(), "(0)"));
      answered(rig, "S. 0(0) ack 1");
    });
  });
  segment("SYN, any SEQ (RST off); RFC 5961 stack", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      answered(rig, StrCat("S ", rig.rcv_nxt(), "(0)"));
      answered(rig, StrCat("S ", rig.rcv_nxt() + 1, "(7)"));
      answered(rig, StrCat("SF ", rig.rcv_nxt() + rig.rcv_wnd() + 10, "(0)"));
      answered(rig, StrCat("S ", int64_t{rig.rcv_nxt()} - 1000, "(0)"));
      answered(rig, seg("S.", rig.rcv_nxt(), 0, rig.snd_nxt()));
      EXPECT_EQ(rig.status().reassembly_bytes, 0u);
      expect_next(rig, row);
    });
  });
  segment("SYN,ACK of the simultaneous-open peer (SEQ=IRS, ACK=ISS+1)", [](const Row& row) {
    each(row, [](Rig& rig) {  // ruling 1: the second of the two tolerated outcomes
      rig.recv("S. 0(0) ack 1");
      EXPECT_THAT(rig.sent(), IsEmpty());
      EXPECT_EQ(rig.state(), State::kEstablished);
    });
  });
}

void Matrix::syn_received_rows() {
  segment("ACK acceptable (SND.UNA < SEG.ACK =< SND.NXT)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(". 1(0) ack 1 win 4321");
      EXPECT_THAT(rig.sent(), IsEmpty());
      expect_next(rig, row);
      const Status status = rig.status();
      EXPECT_EQ(status.snd_wnd, 4321u);
      EXPECT_EQ(status.snd_wl1, status.irs + 1);
      EXPECT_EQ(status.snd_wl2, status.iss + 1);
      EXPECT_EQ(rig.snd_una(), 1u);
      EXPECT_FALSE(status.retransmission_timer.has_value());
    });
  });
  segment("ACK not acceptable: SEG.ACK =< SND.UNA", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(". 1(0) ack 0");
      EXPECT_THAT(rig.sent(), ElementsAre("R 0(0)"));  // ruling 3
      expect_next(rig, row);
      rig.recv("P. 1(5) ack -77");
      EXPECT_THAT(rig.sent(), ElementsAre("R -77(0)"));
      expect_next(rig, row);
    });
  });
  segment("ACK not acceptable: SEG.ACK > SND.NXT", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(". 1(0) ack 2");
      EXPECT_THAT(rig.sent(), ElementsAre("R 2(0)"));
      expect_next(rig, row);
    });
  });
  segment("acceptable ACK + in-sequence data", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("P. 1(5) ack 1");
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 6"));
      expect_next(rig, row);
      EXPECT_EQ(rig.receive(10).received, 5u);
      EXPECT_EQ(rig.received(), Rig::peer_bytes(1, 5));
    });
  });
  segment("acceptable ACK + FIN in sequence", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("F. 1(0) ack 1");
      EXPECT_THAT(rig.sent(), ElementsAre(". 1(0) ack 2"));
      expect_next(rig, row);
      EXPECT_EQ(rig.receive(1).outcome, Outcome::kEndOfStream);
    });
  });
  segment("acceptable ACK + URG", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv("U. 1(5) ack 1 urg 3");
      expect_next(rig, row);
      EXPECT_EQ(rig.status().rcv_up - rig.status().irs, 4u);
      EXPECT_THAT(rig.events(), Contains("urgent"));
    });
  });
}

void Matrix::ack_rows() {
  segment("in sequence, RST off, SYN off, ACK off (data/FIN/null)", [](const Row& row) {
    each(row, [](Rig& rig) {
      ignored(rig, StrCat("P ", rig.rcv_nxt(), "(5)"));
      ignored(rig, StrCat("F ", rig.rcv_nxt(), "(0)"));
      ignored(rig, StrCat("- ", rig.rcv_nxt(), "(0)"));
    });
  });
  segment("SND.UNA < SEG.ACK =< SND.NXT", [](const Row& row) {
    Rig rig;
    reach_with_data(rig, row.state);
    rig.recv(seg(".", rig.rcv_nxt(), 0, 51));
    EXPECT_EQ(rig.snd_una(), 51u);
    EXPECT_EQ(rig.status().send_queue_bytes, 50u);
    EXPECT_EQ(rig.state(), row.state);
    rig.recv(StrCat(seg(".", rig.rcv_nxt(), 0, rig.snd_nxt()), " win 777"));
    if (row.state != State::kLastAck) {
      EXPECT_EQ(rig.status().snd_wnd, 777u);
    }
    EXPECT_EQ(rig.status().send_queue_bytes, 0u);
    EXPECT_FALSE(rig.status().retransmission_timer.has_value());
    EXPECT_THAT(rig.sent(), IsEmpty());
    const State next = row.state == State::kFinWait1  ? State::kFinWait2
                       : row.state == State::kClosing ? State::kTimeWait
                       : row.state == State::kLastAck ? State::kClosed
                                                      : row.state;
    EXPECT_EQ(rig.state(), next);
  });
  segment("SEG.ACK =< SND.UNA (duplicate), within 5961 range or stack without it",
          [](const Row& row) {
            Rig rig;
            if (row.state == State::kFinWait2) {
              rig.reach(State::kFinWait2);
            } else {
              reach_with_data(rig, row.state);
              rig.recv(seg(".", rig.rcv_nxt(), 0, 51));
            }
            const uint32_t una = rig.snd_una();
            const uint32_t next = rig.rcv_nxt();
            const uint32_t window = rig.status().snd_wnd;
            rig.recv(StrCat(seg("P.", next, 5, una - 1), " win 99"));  // older: no window either
            EXPECT_EQ(rig.snd_una(), una);
            EXPECT_EQ(rig.status().snd_wnd, window);
            EXPECT_EQ(rig.rcv_nxt(), takes_text(row.state) ? next + 5 : next);
            rig.recv(StrCat(seg(".", rig.rcv_nxt(), 0, una), " win 99"));
            EXPECT_EQ(rig.status().snd_wnd, 99u);
            EXPECT_EQ(rig.state(), row.state);
          });
  segment("SEG.ACK < SND.UNA-MAX.SND.WND (RFC 5961 section 5 stack, MAY-12)", [](const Row& row) {
    RigConfig config;
    config.peer_window = 1000;
    each(row, config, [&row](Rig& rig) {
      answered(rig, seg("P.", rig.rcv_nxt(), 5, int64_t{rig.snd_una()} - 1001));
      EXPECT_EQ(rig.receive(10).received, 0u);
      // The oldest that is still good.
      const uint32_t next = rig.rcv_nxt();
      rig.recv(seg("P.", next, 5, int64_t{rig.snd_una()} - 1000));
      EXPECT_EQ(rig.rcv_nxt(), takes_text(row.state) ? next + 5 : next);
    });
  });
  segment("SEG.ACK > SND.NXT (unsent data)", [](const Row& row) {
    each(row, [](Rig& rig) {
      answered(rig, seg("FP.", rig.rcv_nxt(), 5, rig.snd_nxt() + 1));
      answered(rig, seg(".", rig.rcv_nxt(), 0, rig.snd_nxt() + 100000));
    });
  });
  segment(
      "window update: SND.UNA =< SEG.ACK =< SND.NXT and (WL1 < SEG.SEQ or (WL1 = SEG.SEQ and WL2 "
      "=< SEG.ACK))",
      [](const Row& row) {
        each(row, [&row](Rig& rig) {
          const uint32_t next = rig.rcv_nxt();
          rig.recv(StrCat(seg(".", next, 0, rig.snd_una()), " win 777"));
          EXPECT_EQ(rig.status().snd_wnd, 777u);
          EXPECT_EQ(rig.status().snd_wl1 - rig.status().irs, next);
          EXPECT_EQ(rig.status().snd_wl2, rig.status().snd_una);
          rig.recv(StrCat(seg(".", next, 0, rig.snd_una()), " win 666"));
          EXPECT_EQ(rig.status().snd_wnd, 666u);
          expect_next(rig, row);
        });
      });
  segment("stale window: WL1/WL2 condition false", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      rig.recv(StrCat(seg(".", next, 0, rig.snd_una()), " win 777"));
      rig.recv(StrCat(seg("P.", next - 1, 2, rig.snd_una()), " win 5"));  // sent before it
      EXPECT_EQ(rig.status().snd_wnd, 777u);
      expect_next(rig, row);
    });
  });
  segment("ACK covers our FIN", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(seg(".", rig.rcv_nxt(), 0, rig.snd_nxt()));
      EXPECT_THAT(rig.sent(), IsEmpty());
      expect_next(rig, row);
      if (row.state == State::kClosing) {
        EXPECT_EQ(rig.status().time_wait_timer, Duration(4min));
      }
    });
  });
  const Check data_only = [](const Row& row) {
    Rig rig;
    reach_with_data(rig, row.state);
    rig.recv(seg(".", rig.rcv_nxt(), 0, 101));
    EXPECT_THAT(rig.sent(), IsEmpty());
    EXPECT_EQ(rig.snd_una(), 101u);
    EXPECT_EQ(rig.state(), row.state);
    EXPECT_TRUE(rig.status().retransmission_timer.has_value());
  };
  segment("ACK of data but not of our FIN", data_only);
  segment("ACK does not cover our FIN", data_only);
  segment("retransmission queue empty", [](const Row& row) {
    each(row, [](Rig& rig) {
      EXPECT_EQ(rig.snd_una(), rig.snd_nxt());
      ignored(rig, seg(".", rig.rcv_nxt(), 0, rig.snd_nxt()));
    });
  });
  segment("timestamps in use: SEG.TSval < TS.Recent (valid), RST off (PAWS R1)",
          [](const Row& row) {
            each(row, with_timestamps(), [](Rig& rig) {
              answered(rig, StrCat(seg("P.", rig.rcv_nxt(), 5, rig.snd_nxt()), " ts 999 0"));
              answered(rig, StrCat(seg("F.", rig.rcv_nxt(), 0, rig.snd_nxt()), " ts 1 0"));
            });
          });
}

void Matrix::urg_and_text_rows() {
  segment("URG on, SEG.UP ahead of data consumed, not already in urgent mode", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      rig.recv(StrCat(seg("U.", next, 10, rig.snd_una()), " urg 5"));
      EXPECT_THAT(rig.events(), Contains("urgent"));
      EXPECT_EQ(rig.status().rcv_up - rig.status().irs, next + 5);
      expect_next(rig, row);
      // RFC9293-3.1-L2: without URG the pointer means nothing.
      rig.recv(StrCat(seg(".", next + 10, 1, rig.snd_una()), " urg 500"));
      EXPECT_EQ(rig.status().rcv_up - rig.status().irs, next + 5);
    });
  });
  segment("URG on, already in urgent mode for this sequence", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      rig.recv(StrCat(seg("U.", next, 10, rig.snd_una()), " urg 50"));
      EXPECT_THAT(rig.events(), Contains("urgent"));
      rig.recv(StrCat(seg("U.", next + 10, 10, rig.snd_una()), " urg 40"));
      EXPECT_THAT(rig.events(), Not(Contains("urgent")));
      rig.recv(StrCat(seg("U.", next + 20, 10, rig.snd_una()), " urg 70"));
      EXPECT_THAT(rig.events(), Contains("urgent"));  // RFC9293-MUST-32: it advanced
      EXPECT_EQ(rig.status().rcv_up - rig.status().irs, next + 90);
      expect_next(rig, row);
    });
  });
  segment("URG on, pointer at or behind data consumed", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      rig.recv(seg("P.", next, 10, rig.snd_una()));
      EXPECT_EQ(rig.receive(100).received, 10u);
      (void)rig.events();
      rig.recv(StrCat(seg("U.", next + 10, 10, rig.snd_una()), " urg 0"));
      rig.recv(StrCat(seg("U.", next, 20, rig.snd_una()), " urg 3"));
      EXPECT_THAT(rig.events(), Not(Contains("urgent")));
      expect_next(rig, row);
    });
  });
  segment("in-sequence text (SEQ=RCV.NXT)", [](const Row& row) {
    each(row, small_buffer(), [&row](Rig& rig) {
      const uint32_t edge = rig.rcv_nxt() + rig.rcv_wnd();
      const uint32_t next = rig.rcv_nxt();
      rig.recv(seg(".", next, 30, rig.snd_una()));
      EXPECT_THAT(rig.sent(), ElementsAre(StrCat(". ", rig.snd_nxt(), "(0) ack ", next + 30)));
      EXPECT_EQ(rig.rcv_nxt() + rig.rcv_wnd(), edge);  // not reduced
      EXPECT_EQ(rig.last().header.window, 70);
      EXPECT_EQ(rig.receive(100).received, 30u);
      EXPECT_EQ(rig.received(), Rig::peer_bytes(next, 30));
      expect_next(rig, row);
    });
  });
  segment("in-sequence text with PSH", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(seg("P.", rig.rcv_nxt(), 30, rig.snd_una()));
      EXPECT_FALSE(rig.receive(10).pushed);
      EXPECT_TRUE(rig.receive(100).pushed);
      rig.recv(seg(".", rig.rcv_nxt(), 30, rig.snd_una()));
      EXPECT_FALSE(rig.receive(100).pushed);
      expect_next(rig, row);
    });
  });
  segment("new text after half-duplex CLOSE by user (MAY-1)", [](const Row& row) {
    Rig rig;
    rig.reach(State::kEstablished);
    EXPECT_EQ(rig.release(), Outcome::kOk);
    EXPECT_THAT(rig.sent(), ElementsAre("F. 1(0) ack 1"));
    if (row.state == State::kFinWait2) rig.recv(". 1(0) ack 2");
    EXPECT_EQ(rig.state(), row.state);
    rig.recv(seg("P.", 1, 5, rig.snd_una()));
    EXPECT_THAT(rig.sent(), ElementsAre("R 2(0)"));
    expect_next(rig, row);
  });
  segment("URG on", [](const Row& row) {
    each(row, [](Rig& rig) {
      ignored(rig, StrCat(seg("U.", rig.rcv_nxt(), 0, rig.snd_una()), " urg 9"));
      EXPECT_THAT(rig.events(), Not(Contains("urgent")));
    });
  });
  segment("text in segment", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      rig.recv(StrCat(seg("P.", next, 5, rig.snd_una()), " win 777"));
      (void)rig.sent();
      expect_next(rig, row);
      EXPECT_EQ(rig.rcv_nxt(), next);
      EXPECT_EQ(rig.receive(10).outcome, Outcome::kEndOfStream);
      if (row.state != State::kTimeWait) {
        EXPECT_EQ(rig.status().snd_wnd, 777u);
      }
    });
  });
}

void Matrix::fin_rows() {
  segment("FIN out of order (gap before it)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      const uint32_t next = rig.rcv_nxt();
      const uint32_t ack = is_synchronized(row.state) ? rig.snd_una() : 1;
      if (!is_synchronized(row.state)) ignored(rig, StrCat("F ", next + 5, "(0)"));
      rig.recv(seg("F.", next + 5, 0, ack));
      EXPECT_THAT(rig.sent(), ElementsAre(StrCat(". ", rig.snd_nxt(), "(0) ack ", next)));
      EXPECT_EQ(rig.state(), is_synchronized(row.state) ? row.state : State::kEstablished);
      rig.recv(seg("P.", next, 5, ack));
      EXPECT_THAT(rig.sent(), ElementsAre(StrCat(". ", rig.snd_nxt(), "(0) ack ", next + 6)));
      const State then = row.state == State::kFinWait1   ? State::kClosing
                         : row.state == State::kFinWait2 ? State::kTimeWait
                                                         : State::kCloseWait;
      EXPECT_EQ(rig.state(), then);
      EXPECT_EQ(rig.receive(100).received, 5u);
      EXPECT_EQ(rig.receive(100).outcome, Outcome::kEndOfStream);
    });
  });
  segment("FIN in sequence (with or without data)", [](const Row& row) {
    for (const uint32_t length : {0u, 10u}) {
      each(row, [&](Rig& rig) {
        rig.recv(seg("F.", 1, length, 1));
        EXPECT_THAT(rig.sent(), ElementsAre(StrCat(". 1(0) ack ", length + 2)));
        expect_next(rig, row);
        EXPECT_THAT(rig.events(), Contains("readable"));  // RFC 2525 2.15: at once
        EXPECT_EQ(rig.receive(100).received, length);
        EXPECT_EQ(rig.receive(100).outcome, Outcome::kEndOfStream);
      });
    }
  });
  segment("FIN in sequence and our FIN acked (possibly by this segment)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(seg("F.", 1, 0, 2));
      EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
      expect_next(rig, row);
      EXPECT_EQ(rig.status().time_wait_timer, Duration(4min));
      EXPECT_FALSE(rig.status().retransmission_timer.has_value());
      EXPECT_FALSE(rig.status().user_timer.has_value());
    });
  });
  segment("FIN in sequence and our FIN not yet acked (simultaneous close)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(seg("F.", 1, 0, 1));
      EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
      expect_next(rig, row);
    });
  });
  segment("FIN in sequence", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.recv(seg("F.", 1, 0, 2));
      EXPECT_THAT(rig.sent(), ElementsAre(". 2(0) ack 2"));
      expect_next(rig, row);
      EXPECT_EQ(rig.status().time_wait_timer, Duration(4min));
    });
  });
  segment("FIN (retransmission; normally caught by step 1)", [](const Row& row) {
    each(row, [](Rig& rig) { answered(rig, seg("F.", rig.rcv_nxt() - 1, 0, rig.snd_una())); });
  });
  segment("FIN", [](const Row& row) {
    Rig rig;
    rig.reach(row.state);
    rig.recv("F 0(0)");
    expect_next(rig, row);
    if (row.state == State::kClosed) {
      EXPECT_THAT(rig.sent(), ElementsAre("R. 0(0) ack 1"));
    } else {
      EXPECT_THAT(rig.sent(), IsEmpty());
    }
  });
}

void Matrix::time_wait_rows() {
  // The listener that a new incarnation needs.
  const auto reopens = [](const RigConfig& config, const std::string& syn, bool accepted) {
    Rig rig(config);
    rig.reach(State::kTimeWait);
    rig.listen();
    const uint32_t old_nxt = rig.status().snd_nxt;
    const std::string ack = rig.plain_ack();
    rig.recv(syn);
    if (!accepted) {
      EXPECT_THAT(rig.sent(), ElementsAre(ack));  // ruling 17
      EXPECT_EQ(rig.state(), State::kTimeWait);
      return;
    }
    EXPECT_EQ(rig.sent().size(), 1u);
    EXPECT_EQ(rig.last().header.flags, packet::kSyn | packet::kAck);
    EXPECT_EQ(rig.state(), State::kSynReceived);
    EXPECT_TRUE(SeqNum(rig.status().iss).after(SeqNum(old_nxt)));  // RFC9293-MAY-2 (1)
  };
  RigConfig plain;
  RigConfig now_only;  // the old incarnation without timestamps, the new SYN with
  const RigConfig stamped = with_timestamps();
  segment("SYN; RFC 6191 conditions met (see RFC6191 rows)",
          [=](const Row&) { reopens(plain, "S 2(0)", true); });
  segment("SYN; new connection not accepted; RFC 5961 stack",
          [=](const Row&) { reopens(plain, "S 1(0)", false); });
  const std::string event = "SEGMENT ARRIVES (SYN, RFC 6191)";
  on(event, "prev. conn. used TS; new would use TS; SYN TSval > last TSval",
     [=](const Row&) { reopens(stamped, "S -500(0) ts 1001 0", true); });
  on(event, "prev. used TS; new would use TS; TSval = last and SYN SEQ > last seq (of FIN)",
     [=](const Row&) { reopens(stamped, "S 2(0) ts 1000 0", true); });
  on(event, "prev. used TS; new would not use TS; SYN SEQ > last seq",
     [=](const Row&) { reopens(stamped, "S 2(0) nots", true); });
  on(event, "prev. used TS; otherwise", [=](const Row&) {
    reopens(stamped, "S 100(0) ts 999 0", false);
    reopens(stamped, "S 1(0) ts 1000 0", false);
    reopens(stamped, "S 1(0) nots", false);
  });
  on(event, "prev. no TS; new would use TS",
     [=](const Row&) { reopens(now_only, "S -500(0) ts 5 0", true); });
  on(event, "prev. no TS; new no TS; SYN SEQ > last seq",
     [=](const Row&) { reopens(plain, "S 2(0)", true); });
  on(event, "prev. no TS; otherwise", [=](const Row&) { reopens(plain, "S 1(0)", false); });

  const Check fin_again = [](const Row& row) {
    each(row, [](Rig& rig) {
      (void)rig.advance(1min);
      EXPECT_EQ(rig.status().time_wait_timer, Duration(3min));
      answered(rig, seg("F.", rig.rcv_nxt() - 1, 0, rig.snd_nxt()));
      EXPECT_EQ(rig.status().time_wait_timer, Duration(4min));  // ruling 8
      // A bare ACK is what it waits for; answering it could go on for ever.
      (void)rig.advance(1min);
      ignored(rig, seg(".", rig.rcv_nxt(), 0, rig.snd_nxt()));
      EXPECT_EQ(rig.status().time_wait_timer, Duration(3min));
    });
  };
  segment("ACK on; retransmission of the remote FIN (or any acceptable segment)", fin_again);
  segment("FIN (retransmission)", fin_again);
  segment("ACK > SND.NXT", [](const Row& row) {
    each(row, [](Rig& rig) { answered(rig, seg(".", rig.rcv_nxt(), 0, rig.snd_nxt() + 1)); });
  });
}

void Matrix::icmp_rows() {
  using packet::IcmpClass;
  on("ICMP ERROR", "Source Quench (type 4)", [](const Row& row) {
    each(row, [&row](Rig& rig) {
      rig.icmp(IcmpClass::kSourceQuench, rig.snd_una());
      EXPECT_THAT(rig.sent(), IsEmpty());
      EXPECT_THAT(rig.events(), IsEmpty());
      expect_next(rig, row);
    });
  });
  on("ICMP ERROR", "soft error (v4 3/0 3/1 3/5, 11, 12; v6 1/0 1/3, 3, 4)", [](const Row& row) {
    for (const bool passive : {false, true}) {
      if (passive && row.state != State::kSynReceived) continue;
      Row variant = row;
      variant.passive = passive;
      each(variant, [&row](Rig& rig) {
        rig.icmp(IcmpClass::kSoft, int64_t{rig.snd_una()} - 1);  // RFC5927-4.1-1
        rig.icmp(IcmpClass::kSoft, rig.snd_nxt() + 1);
        EXPECT_THAT(rig.events(), IsEmpty());
        rig.icmp(IcmpClass::kSoft, rig.snd_una());
        if (row.state != State::kTimeWait) {
          EXPECT_THAT(rig.events(), ElementsAre("soft 3/1"));
        }
        expect_next(rig, row);
      });
    }
  });
  on("ICMP ERROR", "hard error (v4 3/2 3/3; 3/4 only without PMTUD)", [](const Row& row) {
    for (const bool aborts : {false, true}) {
      RigConfig config;
      config.settings.hard_icmp_aborts = aborts;
      each(row, config, [&](Rig& rig) {
        rig.icmp(IcmpClass::kHard, rig.snd_una());
        if (row.state == State::kTimeWait) return;  // nobody is left to tell
        const bool ends = aborts || !is_synchronized(row.state);
        EXPECT_EQ(rig.state(), ends ? State::kClosed : row.state);  // ruling 19
        if (ends) {
          EXPECT_EQ(rig.status().last_error, Outcome::kUnreachable);
        }
        EXPECT_THAT(rig.sent(), IsEmpty());
      });
    }
  });
}

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.id;
}

class EventMatrix : public ::testing::TestWithParam<Row> {};

TEST_P(EventMatrix, Row) {
  const Row& row = GetParam();
  std::string key;
  if (Matrix::get().reason(row, key) != nullptr) return;
  const Check* check = Matrix::get().find(row, key);
  ASSERT_NE(check, nullptr) << row.id << " has neither a check nor a reason: " << row.event << " | "
                            << row.condition;
  SCOPED_TRACE(StrCat(row.id, ": ", row.state_text, ", ", row.condition, " -> ", row.next_state));
  (*check)(row);
}

std::string test_name(const ::testing::TestParamInfo<Row>& info) {
  return absl::StrReplaceAll(info.param.id, {{"-", "_"}});
}

INSTANTIATE_TEST_SUITE_P(Rfc9293, EventMatrix, ::testing::ValuesIn(read_matrix()), test_name);

TEST(EventMatrixTable, IsThereAndComplete) {
  EXPECT_EQ(read_matrix().size(), 518u);
}

TEST(EventMatrixTable, EveryCheckAndReasonHasARow) {
  std::set<std::string> unused = Matrix::get().keys();
  for (const Row& row : read_matrix()) {
    std::string key;
    if (Matrix::get().reason(row, key) != nullptr) {
      unused.erase(key);
    } else if (Matrix::get().find(row, key) != nullptr) {
      unused.erase(key);
    }
  }
  EXPECT_THAT(unused, IsEmpty());
}

}  // namespace
}  // namespace tcproctor::tcp::testing
