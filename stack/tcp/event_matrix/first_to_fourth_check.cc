// SPDX-License-Identifier: Apache-2.0
// SEGMENT ARRIVES: sequence number, RST and SYN (RFC 9293 §3.10.7.4 first to fourth).
#include "stack/tcp/event_matrix/event_matrix.h"

namespace tcproctor::tcp::testing {

using absl::StrCat;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

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

}  // namespace tcproctor::tcp::testing
