// SPDX-License-Identifier: Apache-2.0
#include "server/session/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;

v1::CreateSessionRequest stack_and_kernel() {
  v1::CreateSessionRequest request;
  request.mutable_a()->mutable_stack();
  request.mutable_b()->mutable_kernel();
  return request;
}

TEST(PlanTest, DefaultsAreFilledIn) {
  const absl::StatusOr<SessionPlan> plan = plan_session(stack_and_kernel());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->link, v1::LINK_KIND_VETH);
  EXPECT_EQ(plan->clock, v1::CLOCK_REAL);
  EXPECT_EQ(plan->mtu, 1500u);
  EXPECT_EQ(plan->lease, std::chrono::seconds(30));
  EXPECT_NE(plan->seed, 0u);
  EXPECT_FALSE(plan->offloads);
  EXPECT_THAT(plan->a.address_texts, ::testing::ElementsAre("192.0.2.1/24", "2001:db8::1/64"));
  EXPECT_THAT(plan->b.address_texts, ::testing::ElementsAre("192.0.2.2/24", "2001:db8::2/64"));
  EXPECT_EQ(plan->a.settings.msl, std::chrono::minutes(2));
}

TEST(PlanTest, AVirtualClockIsOnTheMemoryLink) {
  v1::CreateSessionRequest request;
  request.mutable_a()->mutable_stack();
  request.mutable_b()->mutable_scripted();
  request.set_clock(v1::CLOCK_VIRTUAL);
  const absl::StatusOr<SessionPlan> plan = plan_session(request);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->link, v1::LINK_KIND_MEMORY);
}

TEST(PlanTest, DirectMeansOffloads) {
  v1::CreateSessionRequest request = stack_and_kernel();
  request.mutable_wire()->set_direct(true);
  EXPECT_TRUE(plan_session(request)->offloads);
  request.mutable_wire()->set_offloads(false);
  EXPECT_FALSE(plan_session(request)->offloads);
}

TEST(PlanTest, ASmallMtuLeavesIPv6Out) {
  v1::CreateSessionRequest request = stack_and_kernel();
  request.mutable_wire()->set_mtu(576);
  EXPECT_THAT(plan_session(request)->a.address_texts, ::testing::ElementsAre("192.0.2.1/24"));
}

TEST(PlanTest, SettingsOfTheStackAreTaken) {
  v1::CreateSessionRequest request = stack_and_kernel();
  v1::StackEnd& stack = *request.mutable_a()->mutable_stack();
  stack.mutable_msl()->set_seconds(1);
  stack.set_syn_cache_size(16);
  stack.set_reassembly_limit_bytes(0);
  stack.set_rfc1337(true);
  stack.set_trace(true);
  stack.set_rack_tlp(false);
  stack.set_frto(false);
  stack.set_refuse_unexpected_signatures(true);
  stack.mutable_challenge_ack_interval()->set_seconds(5);
  stack.mutable_user_timeout_lower_limit()->set_seconds(10);
  stack.set_ephemeral_first(1024);
  stack.set_ephemeral_last(1024);
  stack.mutable_defaults()->set_congestion_control(v1::CONGESTION_ALGORITHM_RENO);
  const absl::StatusOr<SessionPlan> plan = plan_session(request);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->a.settings.msl, std::chrono::seconds(1));
  EXPECT_EQ(plan->a.settings.syn_cache_size, 16u);
  EXPECT_EQ(plan->a.settings.reassembly_limit_bytes, 0u);
  EXPECT_TRUE(plan->a.settings.rfc1337);
  EXPECT_TRUE(plan->a.trace);
  EXPECT_FALSE(plan->a.settings.rack_tlp);
  EXPECT_FALSE(plan->a.settings.frto);
  EXPECT_TRUE(plan->a.settings.refuse_unexpected_signatures);
  EXPECT_EQ(plan->a.settings.challenge_ack_interval, std::chrono::seconds(5));
  EXPECT_EQ(plan->a.settings.user_timeout_lower_limit, std::chrono::seconds(10));
  EXPECT_EQ(plan->a.settings.ephemeral_last, 1024);
  EXPECT_EQ(plan->a.settings.defaults.congestion_control, tcp::CongestionAlgorithm::kReno);
}

struct Refusal {
  const char* field;  // the message begins with it
  std::function<void(v1::CreateSessionRequest&)> spoil;
};

class RefusalTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, NamesTheField) {
  v1::CreateSessionRequest request = stack_and_kernel();
  GetParam().spoil(request);
  const absl::StatusOr<SessionPlan> plan = plan_session(request);
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(plan.status().message()),
              ::testing::StartsWith(std::string(GetParam().field) + ":"));
}

using Request = v1::CreateSessionRequest;
INSTANTIATE_TEST_SUITE_P(
    All, RefusalTest,
    ::testing::Values(
        Refusal{"a", [](Request& r) { r.clear_a(); }},
        Refusal{"a.stack.ephemeral_first",
                [](Request& r) { r.mutable_a()->mutable_stack()->set_ephemeral_first(0); }},
        Refusal{"a.stack.ephemeral_first",
                [](Request& r) { r.mutable_a()->mutable_stack()->set_ephemeral_last(1); }},
        Refusal{"a.stack.user_timeout_lower_limit",
                [](Request& r) {
                  r.mutable_a()->mutable_stack()->mutable_user_timeout_upper_limit()->set_seconds(1);
                }},
        Refusal{"a.stack.defaults",
                [](Request& r) { r.mutable_a()->mutable_stack()->mutable_defaults()->set_ttl(0); }},
        Refusal{"b", [](Request& r) { r.clear_b(); }},
        Refusal{"b",
                [](Request& r) {
                  r.mutable_a()->mutable_scripted();
                  r.mutable_b()->mutable_scripted();
                }},
        Refusal{"wire.link", [](Request& r) { r.mutable_wire()->set_link(v1::LINK_KIND_MEMORY); }},
        Refusal{"wire.link", [](Request& r) { r.set_clock(v1::CLOCK_VIRTUAL); }},
        Refusal{"wire.link",
                [](Request& r) {
                  r.mutable_b()->mutable_stack();
                  r.mutable_wire()->set_link(v1::LINK_KIND_TUN);
                }},
        Refusal{"wire.link",
                [](Request& r) {
                  r.mutable_b()->mutable_stack();
                  r.mutable_wire()->set_link(v1::LINK_KIND_VETH);
                  r.set_clock(v1::CLOCK_VIRTUAL);
                }},
        Refusal{"wire.link", [](Request& r) { r.mutable_wire()->set_link(v1::LinkKind(77)); }},
        Refusal{"b", [](Request& r) { r.mutable_b()->mutable_remote(); }},
        Refusal{"wire.interface", [](Request& r) { r.mutable_wire()->mutable_interface(); }},
        Refusal{"wire.direct",
                [](Request& r) {
                  r.mutable_a()->mutable_scripted();
                  r.mutable_wire()->set_direct(true);
                }},
        Refusal{"wire.direct",
                [](Request& r) {
                  r.mutable_a()->mutable_kernel();
                  r.mutable_wire()->set_direct(true);
                  r.mutable_wire()->set_link(v1::LINK_KIND_TUN);
                }},
        Refusal{"wire.mtu", [](Request& r) { r.mutable_wire()->set_mtu(67); }},
        Refusal{"wire.mtu", [](Request& r) { r.mutable_wire()->set_mtu(65536); }},
        Refusal{"wire.mtu",
                [](Request& r) {
                  r.mutable_wire()->set_mtu(1000);
                  r.mutable_a()->add_addresses("2001:db8::7/64");
                }},
        Refusal{"wire.log_bytes", [](Request& r) { r.mutable_wire()->set_log_bytes(1ull << 31); }},
        Refusal{"lease", [](Request& r) { r.mutable_lease()->set_seconds(0); }},
        Refusal{"lease", [](Request& r) { r.mutable_lease()->set_seconds(3601); }},
        Refusal{"label", [](Request& r) { r.set_label(std::string(201, 'x')); }},
        Refusal{"request_id", [](Request& r) { r.set_request_id(std::string(201, 'x')); }},
        Refusal{"a.addresses", [](Request& r) { r.mutable_a()->add_addresses("192.0.2.1"); }},
        Refusal{"a.addresses", [](Request& r) { r.mutable_a()->add_addresses("nonsense/24"); }},
        Refusal{"a.addresses", [](Request& r) { r.mutable_a()->add_addresses("192.0.2.1/33"); }},
        Refusal{"a.addresses", [](Request& r) { r.mutable_a()->add_addresses("224.0.0.1/24"); }},
        Refusal{"b.addresses", [](Request& r) { r.mutable_b()->add_addresses("192.0.2.1/24"); }},
        Refusal{"b.addresses",
                [](Request& r) {
                  r.mutable_a()->add_addresses("192.0.2.1/24");
                  r.mutable_b()->add_addresses("2001:db8::2/64");
                }},
        Refusal{"b.kernel.sysctls",
                [](Request& r) {
                  (*r.mutable_b()->mutable_kernel()->mutable_sysctls())["kernel.panic"] = "1";
                }},
        Refusal{"a.stack.msl",
                [](Request& r) { r.mutable_a()->mutable_stack()->mutable_msl()->set_seconds(-1); }},
        Refusal{"a.stack.msl",
                [](Request& r) {
                  r.mutable_a()->mutable_stack()->mutable_msl()->set_nanos(1'000'000'000);
                }},
        Refusal{"a.stack.min_rto",
                [](Request&
                       r) { r.mutable_a()->mutable_stack()->mutable_min_rto()->set_seconds(300); }},
        Refusal{"a.stack.syn_cache_size",
                [](Request& r) { r.mutable_a()->mutable_stack()->set_syn_cache_size(0); }},
        Refusal{"a.stack.half_open_alarm",
                [](Request& r) { r.mutable_a()->mutable_stack()->set_half_open_alarm(0); }}));

// eth0 of a machine that is 192.0.2.1, with 192.0.2.10 free for us.
Place place() {
  Place place = *place_from("eth0", {"192.0.2.10/24", "2001:db8::10/64"}, {"192.0.2.254"});
  place.mac = {{0x52, 0x54, 0, 1, 2, 3}};
  place.mtu = 1400;
  place.own_addresses = {{*packet::IpAddress::parse("192.0.2.1"), 24}};
  return place;
}
Request on_interface() {
  Request request;
  request.mutable_a()->mutable_stack();
  request.mutable_b()->mutable_remote();
  request.mutable_wire()->set_link(v1::LINK_KIND_INTERFACE);
  return request;
}

TEST(InterfacePlan, DefaultsAreThePlaces) {
  const absl::StatusOr<SessionPlan> plan = plan_session(on_interface(), place());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->direct);
  EXPECT_FALSE(plan->offloads);
  EXPECT_EQ(plan->mtu, 1400u);
  EXPECT_EQ(plan->interface, "eth0");
  EXPECT_EQ(plan->gateway_v4->to_string(), "192.0.2.254");
  EXPECT_FALSE(plan->gateway_v6);
  EXPECT_THAT(plan->a.address_texts, ::testing::ElementsAre("192.0.2.10/24", "2001:db8::10/64"));
  // The same in the next session, and nobody else's.
  EXPECT_EQ(plan->a.mac, plan_session(on_interface(), place())->a.mac);
  EXPECT_NE(plan->a.mac, place().mac);
  EXPECT_EQ(plan->a.mac.bytes[0], 0x02);
  EXPECT_NE(plan->owner, plan_session(on_interface(), place())->owner);
}

TEST(InterfacePlan, TheKernelHasTheMachinesAddresses) {
  Request request = on_interface();
  request.mutable_a()->mutable_kernel();
  const absl::StatusOr<SessionPlan> plan = plan_session(request, place());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->a.address_texts, ::testing::ElementsAre("192.0.2.1/24"));
  EXPECT_EQ(plan->a.mac, place().mac);
}

TEST(InterfacePlan, AScriptedEndKeepsTheWire) {
  Request request = on_interface();
  request.mutable_a()->mutable_scripted();
  EXPECT_EQ(
      plan_session(request, place()).status().message(),
      "b.addresses: the address of the remote end is needed, so that its packets can be told");
  request.mutable_b()->add_addresses("198.51.100.7");
  const absl::StatusOr<SessionPlan> plan = plan_session(request, place());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->direct);
  EXPECT_THAT(plan->b.address_texts, ::testing::ElementsAre("198.51.100.7/32"));
}

TEST(InterfacePlan, SharedPorts) {
  Request request = on_interface();
  request.mutable_wire()->mutable_interface()->mutable_shared_ports()->set_first(7000);
  request.mutable_wire()->mutable_interface()->mutable_shared_ports()->set_last(7099);
  const absl::StatusOr<SessionPlan> plan = plan_session(request, place());
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_THAT(plan->a.address_texts, ::testing::ElementsAre("192.0.2.1/24"));
  EXPECT_EQ(plan->a.settings.ephemeral_first, 7000);
  EXPECT_EQ(plan->a.settings.ephemeral_last, 7099);
}

struct InterfaceRefusal {
  const char* begins;
  std::function<void(Request&, Place&)> change;
};
class InterfaceRefused : public ::testing::TestWithParam<InterfaceRefusal> {};

TEST_P(InterfaceRefused, SaysWhy) {
  Request request = on_interface();
  Place here = place();
  GetParam().change(request, here);
  EXPECT_THAT(std::string(plan_session(request, here).status().message()),
              ::testing::StartsWith(GetParam().begins));
}

INSTANTIATE_TEST_SUITE_P(
    Each, InterfaceRefused,
    ::testing::Values(
        InterfaceRefusal{"wire.link: this daemon was given no interface",
                         [](Request&, Place& p) { p = {}; }},
        InterfaceRefusal{
            "wire.interface.name: sessions of this daemon may use eth0, not eth1",
            [](Request& r, Place&) { r.mutable_wire()->mutable_interface()->set_name("eth1"); }},
        InterfaceRefusal{"b: on LINK_KIND_INTERFACE one end is remote",
                         [](Request& r, Place&) {
                           r.mutable_b()->mutable_scripted();
                           r.mutable_b()->add_addresses("192.0.2.11/24");
                         }},
        InterfaceRefusal{"b: both ends are remote",
                         [](Request& r, Place&) { r.mutable_a()->mutable_remote(); }},
        InterfaceRefusal{"a.addresses: 192.0.2.1 is this machine's own",
                         [](Request& r, Place&) { r.mutable_a()->add_addresses("192.0.2.1/24"); }},
        InterfaceRefusal{"a.addresses: 192.0.2.10 is none of this machine's",
                         [](Request& r, Place&) {
                           r.mutable_a()->mutable_kernel();
                           r.mutable_a()->add_addresses("192.0.2.10/24");
                         }},
        InterfaceRefusal{"a.addresses: must name one that is free on the link",
                         [](Request&, Place& p) { p.addresses.clear(); }},
        InterfaceRefusal{"wire.mtu: 1500 is above 1400",
                         [](Request& r, Place&) { r.mutable_wire()->set_mtu(1500); }},
        InterfaceRefusal{"wire.offloads",
                         [](Request& r, Place&) { r.mutable_wire()->set_offloads(true); }},
        InterfaceRefusal{"wire.interface.gateways: 192.0.2.253 and 192.0.2.252 are of one family",
                         [](Request& r, Place&) {
                           r.mutable_wire()->mutable_interface()->add_gateways("192.0.2.253");
                           r.mutable_wire()->mutable_interface()->add_gateways("192.0.2.252");
                         }},
        InterfaceRefusal{"wire.interface.shared_ports: 80 to 79 is no range",
                         [](Request& r, Place&) {
                           auto* ports =
                               r.mutable_wire()->mutable_interface()->mutable_shared_ports();
                           ports->set_first(80);
                           ports->set_last(79);
                         }},
        InterfaceRefusal{"wire.interface.shared_ports: is for a stack end", [](Request& r, Place&) {
                           r.mutable_a()->mutable_kernel();
                           auto* ports =
                               r.mutable_wire()->mutable_interface()->mutable_shared_ports();
                           ports->set_first(80);
                           ports->set_last(81);
                         }}));

TEST(SeedTest, EachPurposeHasItsOwn) {
  EXPECT_NE(derive_seed(1, 1), derive_seed(1, 2));
  EXPECT_NE(derive_seed(1, 1), derive_seed(2, 1));
  EXPECT_EQ(derive_seed(5, 3), derive_seed(5, 3));
}

}  // namespace
}  // namespace tcproctor::server
