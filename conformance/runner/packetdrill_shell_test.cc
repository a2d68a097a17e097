// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/packetdrill_shell.h"

#include <gtest/gtest.h>

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// One word for each action.
std::string told(std::string_view command) {
  struct Printer {
    std::string operator()(const ShellSetting& s) const {
      return cat(s.name, "=", s.value, s.optional ? "?" : "");
    }
    std::string operator()(const ShellBaseline&) const { return "baseline"; }
    std::string operator()(const ShellCounter& s) const {
      return cat(s.name, "+", s.grown, s.moves_baseline ? "!" : "");
    }
    std::string operator()(const ShellListener& s) const { return cat("listener ", s.port); }
    std::string operator()(const ShellFile& s) const { return cat(s.name, ":", s.octets); }
    std::string operator()(const ShellMtu& s) const { return cat("mtu ", s.mtu); }
    std::string operator()(const ShellNoOffloads&) const { return "no offloads"; }
    std::string operator()(const ShellQueue& s) const {
      return cat("queue ", s.kind, s.limit.has_value() ? cat(" ", *s.limit) : "");
    }
    std::string operator()(const ShellForget&) const { return "forget"; }
    std::string operator()(const ShellUnknown& s) const { return cat("unknown ", s.command); }
  };
  return join(recognise_shell(command), "; ", [](std::string& out, const ShellAction& action) {
    append(out, std::visit(Printer{}, action));
  });
}

TEST(PacketdrillShell, Settings) {
  EXPECT_EQ(told("sysctl -q net.ipv4.tcp_sack=1"), "net.ipv4.tcp_sack=1");
  EXPECT_EQ(told("sysctl -e -q net.ipv4.tcp_min_tso_segs=2"), "net.ipv4.tcp_min_tso_segs=2?");
  EXPECT_EQ(told("sysctl -q net/ipv4/tcp_ecn=1  # fully"), "net.ipv4.tcp_ecn=1");
  EXPECT_EQ(told("sysctl -q net.ipv4.tcp_rmem=\"4096 32768 $((32*1024*1024))\""),
            "net.ipv4.tcp_rmem=4096 32768 33554432");
  EXPECT_EQ(
      told("../common/set_sysctls.py /proc/sys/net/ipv4/a=1 \\\n  /proc/sys/net/ipv4/b=2\\\n"),
      "net.ipv4.a=1; net.ipv4.b=2");
  EXPECT_EQ(told("sysctl -q net.ipv4.a=0 net.ipv4.b=10 &> /dev/null || true"),
            "net.ipv4.a=0?; net.ipv4.b=10?");
  // Nothing but settings of the network.
  EXPECT_EQ(told("sysctl -w kernel.panic=1"), "unknown sysctl -w kernel.panic=1");
}

TEST(PacketdrillShell, DefaultsStandForSettingsThatMayBeMissing) {
  const std::vector<ShellAction> actions = recognise_shell("../../common/defaults.sh\n");
  ASSERT_GT(actions.size(), 15u);
  for (const ShellAction& action : actions) {
    ASSERT_TRUE(std::holds_alternative<ShellSetting>(action));
    EXPECT_TRUE(std::get<ShellSetting>(action).optional);
  }
}

TEST(PacketdrillShell, Counters) {
  EXPECT_EQ(told("nstat -n"), "baseline");
  EXPECT_EQ(told("nstat > /dev/null"), "baseline");
  EXPECT_EQ(told("nstat | grep TcpExtA > /dev/null"), "TcpExtA+-1!");
  EXPECT_EQ(told("nstat -s | grep TcpExtA| grep -q \" 3 \""), "TcpExtA+3");
}

TEST(PacketdrillShell, OtherCommands) {
  EXPECT_EQ(told("/tmp/sysctl_restore_${PPID}.sh"), "");
  EXPECT_EQ(told("tc qdisc add dev tun0 root pfifo\nethtool -K tun0 tso off gso off"),
            "no offloads");
  EXPECT_EQ(told("ip link set dev tun0 mtu 9000"), "mtu 9000");
  EXPECT_EQ(told("/bin/rm -f /tmp/f\n/bin/dd bs=1 count=5 if=/dev/zero of=/tmp/f status=none"),
            "/tmp/f:5");
  EXPECT_EQ(told("grep \" 0A \" /proc/net/tcp /proc/net/tcp6 | grep \":1F90\""), "listener 8080");
}

TEST(PacketdrillShell, QueueParameterAndMetrics) {
  EXPECT_EQ(told("tc qdisc replace dev tun0 root fq"), "queue fq");
  EXPECT_EQ(told("tc qdisc replace dev tun0 root pfifo limit 0"), "queue pfifo 0");
  EXPECT_EQ(
      told("tc qdisc delete dev tun0 root 2>/dev/null ; tc qdisc add dev tun0 root pfifo limit 0"),
      "queue ; queue pfifo 0");
  EXPECT_EQ(told("echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect"),
            "module.tcp_cubic.hystart_detect=3");
  EXPECT_EQ(told("ip tcp_metrics flush all > /dev/null 2>&1"), "forget");
}

TEST(PacketdrillShell, WhatIsNotInTheTableIsSaidSo) {
  EXPECT_EQ(told("rm -rf /"), "unknown rm -rf /");
  EXPECT_EQ(told("tc qdisc add dev eth0 root fq"), "unknown tc qdisc add dev eth0 root fq");
  EXPECT_EQ(told("tc qdisc add dev tun0 root pfifo limit"),
            "unknown tc qdisc add dev tun0 root pfifo limit");
  EXPECT_EQ(told("tc qdisc add dev tun0 root netem loss 1%"),
            "unknown tc qdisc add dev tun0 root netem loss 1%");
  EXPECT_EQ(told("echo 1 > /sys/module/../parameters/x"),
            "unknown echo 1 > /sys/module/../parameters/x");
  EXPECT_EQ(told("echo 1 > /etc/passwd"), "unknown echo 1 > /etc/passwd");
  EXPECT_EQ(told("ethtool -K tun0 tso on"), "unknown ethtool -K tun0 tso on");
  EXPECT_EQ(told("sysctl -q net.ipv4.a=1; reboot"), "net.ipv4.a=1; unknown reboot");
  EXPECT_EQ(told("dd if=/dev/sda of=/tmp/f bs=1 count=1"),
            "unknown dd if=/dev/sda of=/tmp/f bs=1 count=1");
  const std::string endless(1'000'000, 'a');
  EXPECT_EQ(told(cat("sync > ", endless)), cat("unknown sync > ", endless));
}

}  // namespace
}  // namespace tcproctor::conformance
