// SPDX-License-Identifier: Apache-2.0
// SEGMENT ARRIVES: ACK, URG, text and FIN (RFC 9293 §3.10.7.4 fifth to eighth).
#include "stack/tcp/event_matrix/event_matrix.h"

namespace tcproctor::tcp::testing {

using absl::StrCat;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

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

}  // namespace tcproctor::tcp::testing
