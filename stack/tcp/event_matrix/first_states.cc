// SPDX-License-Identifier: Apache-2.0
// SEGMENT ARRIVES in CLOSED, LISTEN, SYN-SENT and SYN-RECEIVED.
#include "stack/tcp/event_matrix/event_matrix.h"

namespace tcproctor::tcp::testing {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

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

}  // namespace tcproctor::tcp::testing
