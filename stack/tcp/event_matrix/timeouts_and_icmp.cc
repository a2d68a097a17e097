// SPDX-License-Identifier: Apache-2.0
// Timeouts (RFC 9293 §3.10.8), TIME-WAIT and ICMP errors (§3.9.2.2).
#include "stack/tcp/event_matrix/event_matrix.h"

namespace tcproctor::tcp::testing {

using absl::StrCat;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

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
  now_only.options.timestamps = true;
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

}  // namespace tcproctor::tcp::testing
