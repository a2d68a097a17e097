// SPDX-License-Identifier: Apache-2.0
// User calls: RFC 9293 §3.10.1 to §3.10.6.
#include "stack/tcp/event_matrix/event_matrix.h"

namespace tcproctor::tcp::testing {

using absl::StrCat;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace {

// CLOSED after a life: the calls find no connection.
void closed_connection(const std::function<void(Rig&)>& check) {
  Rig rig;
  rig.reach(State::kSynSent);
  EXPECT_EQ(rig.close(), Outcome::kOk);
  EXPECT_EQ(rig.state(), State::kClosed);
  check(rig);
  EXPECT_THAT(rig.sent(), IsEmpty());
}

}  // namespace

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

}  // namespace tcproctor::tcp::testing
