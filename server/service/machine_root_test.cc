// SPDX-License-Identifier: Apache-2.0
// Sessions that need the machine: veth, TUN, the kernel's TCP, real programs.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <tuple>

#include "server/host/two_kernels_testing.h"
#include "server/service/service_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;

constexpr char kAddressA[] = "192.0.2.1";
constexpr char kAddressB[] = "192.0.2.2";

class MachineTest : public testing::RootTest {
 protected:
  static v1::EndSpec spec_of(const std::string& kind) {
    v1::EndSpec spec;
    if (kind == "stack") spec.mutable_stack();
    if (kind == "kernel") spec.mutable_kernel();
    if (kind == "scripted") spec.mutable_scripted();
    return spec;
  }
  static v1::CreateSessionRequest request_for(const std::string& a, const std::string& b,
                                              v1::LinkKind link = v1::LINK_KIND_VETH,
                                              bool direct = false) {
    v1::CreateSessionRequest request;
    *request.mutable_a() = spec_of(a);
    *request.mutable_b() = spec_of(b);
    request.mutable_wire()->set_link(link);
    request.mutable_wire()->set_direct(direct);
    return request;
  }
  grpc::Status refused(const v1::CreateSessionRequest& request) {
    Call call;
    v1::Session session;
    return stubs_.sessions->CreateSession(&call, request, &session);
  }
  v1::ReadLogResponse log_of(const std::string& session) {
    Call call;
    v1::LogRequest request;
    request.set_session(session);
    const auto reader = stubs_.wire->Log(&call, request);
    v1::ReadLogResponse log;
    v1::LogEntry entry;
    while (reader->Read(&entry)) *log.add_entries() = entry;
    EXPECT_TRUE(reader->Finish().ok());
    return log;
  }

  std::unique_ptr<Daemon> daemon_ = *Daemon::start({});
  Stubs stubs_{daemon_->in_process_channel()};
};

// --- every pair of real ends on every link ---

struct Topology {
  const char* a;
  const char* b;
  v1::LinkKind link;
  bool direct;
};

void PrintTo(const Topology& topology, std::ostream* out) {
  *out << topology.a << " to " << topology.b << " on " << v1::LinkKind_Name(topology.link)
       << (topology.direct ? ", direct" : "");
}

class TopologyTest : public MachineTest, public ::testing::WithParamInterface<Topology> {
 protected:
  std::string create() {
    const Topology& topology = GetParam();
    return stubs_.create(request_for(topology.a, topology.b, topology.link, topology.direct)).id();
  }
};

TEST_P(TopologyTest, AConnectionLivesAndDies) {
  const std::string id = create();
  for (const char* address : {kAddressB, "2001:db8::2"}) {
    SCOPED_TRACE(address);
    v1::OpenRequest listen;
    listen.set_session(id);
    listen.set_end(v1::END_B);
    listen.mutable_local()->set_address(address);
    listen.mutable_local()->set_port(80);
    const uint64_t listener = stubs_.open(listen).connection();
    const v1::OpenResponse a = stubs_.connect(id, v1::END_A, address, 80);
    ASSERT_EQ(a.outcome(), v1::OUTCOME_OK);
    const v1::AcceptResponse b = stubs_.accept(id, listener);
    ASSERT_EQ(b.outcome(), v1::OUTCOME_OK);
    EXPECT_EQ(stubs_.send(id, a.connection(), "there").accepted(), 5u);
    EXPECT_EQ(stubs_.receive(id, b.connection(), 5).data(), "there");
    EXPECT_EQ(stubs_.send(id, b.connection(), "and back").accepted(), 8u);
    EXPECT_EQ(stubs_.receive(id, a.connection(), 8).data(), "and back");
    EXPECT_EQ(stubs_.close(id, a.connection()), v1::OUTCOME_OK);
    EXPECT_EQ(stubs_.receive(id, b.connection()).outcome(), v1::OUTCOME_END_OF_STREAM);
    EXPECT_EQ(stubs_.wait_state(id, a.connection(), v1::TCP_STATE_FIN_WAIT_2).outcome(),
              v1::OUTCOME_OK);
    EXPECT_EQ(stubs_.wait_state(id, b.connection(), v1::TCP_STATE_CLOSE_WAIT).outcome(),
              v1::OUTCOME_OK);
    EXPECT_EQ(stubs_.close(id, b.connection()), v1::OUTCOME_OK);
    EXPECT_EQ(stubs_.wait_state(id, b.connection(), v1::TCP_STATE_CLOSED).outcome(),
              v1::OUTCOME_OK);
    EXPECT_EQ(stubs_.wait_state(id, a.connection(), v1::TCP_STATE_TIME_WAIT).outcome(),
              v1::OUTCOME_OK);
  }
}

TEST_P(TopologyTest, BulkArrivesOctetForOctetBothWays) {
  constexpr uint64_t kBytes = 30'000'000;
  const std::string id = create();
  for (const v1::End sender : {v1::END_A, v1::END_B}) {
    const v1::End receiver = sender == v1::END_A ? v1::END_B : v1::END_A;
    const uint64_t listener = stubs_.listen(id, receiver, 5000).connection();
    stubs_.serve(id, listener, v1::SERVICE_KIND_SINK);
    const uint64_t source =
        stubs_.connect(id, sender, sender == v1::END_A ? kAddressB : kAddressA, 5000).connection();
    stubs_.serve(id, source, v1::SERVICE_KIND_SOURCE, kBytes);
    const v1::TrafficResponse received = stubs_.traffic(id, listener);
    ASSERT_EQ(received.flows_size(), 1);
    EXPECT_EQ(received.flows(0).received(), kBytes);
    EXPECT_EQ(received.flows(0).outcome(), v1::OUTCOME_OK);
    EXPECT_EQ(received.flows(0).received_sha256(),
              stubs_.traffic(id, source).flows(0).sent_sha256());
  }
}

TEST_P(TopologyTest, TheLogIsThereUnlessDirect) {
  const std::string id = create();
  stubs_.listen(id, v1::END_B, 80);
  EXPECT_EQ(stubs_.connect(id, v1::END_A, kAddressB, 80).outcome(), v1::OUTCOME_OK);
  if (GetParam().direct) {
    Call call;
    v1::ExpectRequest expect;
    expect.set_session(id);
    expect.set_from(v1::END_A);
    v1::ExpectResponse response;
    EXPECT_EQ(stubs_.wire->Expect(&call, expect, &response).error_code(),
              grpc::StatusCode::FAILED_PRECONDITION);
    return;
  }
  // The last ACK of the handshake may still be on its way to the wire.
  v1::ReadLogResponse log;
  ASSERT_TRUE(testing::eventually([&] { return (log = log_of(id)).entries_size() >= 3; }));
  EXPECT_EQ(log.entries(0).from(), v1::END_A);
  EXPECT_EQ(log.entries(0).segment().tcp().flags(), 0x02u);
  for (const v1::LogEntry& entry : log.entries()) {
    EXPECT_TRUE(entry.transport_checksum_valid()) << "segment " << entry.number();
    // Kernel stamps on veth; TUN and memory have none, so the wire's own are taken.
    EXPECT_GT(entry.wall_time().seconds(), 1'000'000'000) << "segment " << entry.number();
  }
}

INSTANTIATE_TEST_SUITE_P(All, TopologyTest,
                         ::testing::Values(Topology{"stack", "kernel", v1::LINK_KIND_VETH, false},
                                           Topology{"kernel", "stack", v1::LINK_KIND_VETH, false},
                                           Topology{"kernel", "kernel", v1::LINK_KIND_VETH, false},
                                           Topology{"stack", "stack", v1::LINK_KIND_VETH, false},
                                           Topology{"stack", "kernel", v1::LINK_KIND_VETH, true},
                                           Topology{"kernel", "kernel", v1::LINK_KIND_VETH, true},
                                           Topology{"stack", "stack", v1::LINK_KIND_VETH, true},
                                           Topology{"stack", "kernel", v1::LINK_KIND_TUN, false},
                                           Topology{"kernel", "stack", v1::LINK_KIND_TUN, false},
                                           Topology{"kernel", "kernel", v1::LINK_KIND_TUN, false},
                                           Topology{"kernel", "stack", v1::LINK_KIND_TUN, true}));

// --- a script against the kernel ---

TEST_F(MachineTest, AScriptExaminesTheKernelFromAForgedAddress) {
  const std::string id = stubs_.create(request_for("scripted", "kernel")).id();
  stubs_.listen(id, v1::END_B, 80);
  v1::InjectRequest inject;
  inject.set_session(id);
  inject.set_from(v1::END_A);
  v1::Segment& syn = *inject.add_train()->mutable_segment();
  syn.mutable_ipv4()->set_source("198.18.0.77");
  syn.mutable_tcp()->set_source_port(4000);
  syn.mutable_tcp()->set_destination_port(80);
  syn.mutable_tcp()->set_sequence_number(100);
  syn.mutable_tcp()->set_flags(0x02);
  Call inject_call;
  v1::InjectResponse injected;
  ASSERT_TRUE(stubs_.wire->Inject(&inject_call, inject, &injected).ok());
  EXPECT_EQ(injected.sent(), 1u);
  v1::ExpectRequest expect;
  expect.set_session(id);
  expect.set_from(v1::END_B);
  expect.mutable_pattern()->mutable_fields()->mutable_ipv4()->set_destination("198.18.0.77");
  expect.mutable_pattern()->mutable_fields()->mutable_tcp()->set_flags(0x12);
  *expect.mutable_timeout() = duration_ms(3000);
  Call expect_call;
  v1::ExpectResponse answer;
  ASSERT_TRUE(stubs_.wire->Expect(&expect_call, expect, &answer).ok());
  EXPECT_EQ(answer.result(), v1::ExpectResponse::RESULT_MATCHED) << answer.ShortDebugString();
  EXPECT_EQ(answer.entry().state_b(), v1::TCP_STATE_SYN_RECEIVED);
}

TEST_F(MachineTest, TheKernelTellsWhatBecomesOfAHalfOpenConnection) {
  Call call;
  const auto stream = stubs_.drive->Drive(&call);
  uint64_t operation = 0;
  std::vector<std::string> changes;
  // Sends a command and takes what is reported up to its answer.
  const auto carry_out = [&](v1::Command command) {
    command.set_operation(++operation);
    stream->Write(command);
    v1::Report report;
    while (stream->Read(&report)) {
      if (report.operation() == operation && !report.registered()) break;
      if (!report.event().has_state_change()) continue;
      const v1::StateChange& change = report.event().state_change();
      changes.push_back(v1::TcpState_Name(change.from()).substr(10) + ">" +
                        v1::TcpState_Name(change.to()).substr(10));
    }
    EXPECT_EQ(report.error_code(), 0) << report.error_message();
  };
  v1::Command create;
  *create.mutable_create() = request_for("scripted", "kernel");
  carry_out(create);
  v1::Command open;
  open.mutable_open()->set_end(v1::END_B);
  open.mutable_open()->mutable_local()->set_port(80);
  carry_out(open);
  v1::Command inject;
  inject.mutable_inject()->set_from(v1::END_A);
  v1::Segment& segment = *inject.mutable_inject()->add_train()->mutable_segment();
  segment.mutable_ipv4()->set_source("198.18.0.77");
  segment.mutable_tcp()->set_source_port(4000);
  segment.mutable_tcp()->set_destination_port(80);
  segment.mutable_tcp()->set_sequence_number(100);
  segment.mutable_tcp()->set_flags(0x02);
  carry_out(inject);
  v1::Command expect;
  expect.mutable_expect()->set_from(v1::END_B);
  *expect.mutable_expect()->mutable_timeout() = duration_ms(3000);
  carry_out(expect);
  segment.mutable_tcp()->set_sequence_number(101);
  segment.mutable_tcp()->set_flags(0x04);
  carry_out(inject);
  v1::Command wait;
  *wait.mutable_run_until()->mutable_duration() = duration_ms(100);
  carry_out(wait);
  EXPECT_THAT(changes, ::testing::ElementsAre("CLOSED>LISTEN", "LISTEN>SYN_RECEIVED",
                                              "SYN_RECEIVED>LISTEN"));
  stream->WritesDone();
}

TEST_F(MachineTest, ResetGivesAFreshKernel) {
  const std::string id = stubs_.create(request_for("stack", "kernel")).id();
  stubs_.listen(id, v1::END_B, 80);
  EXPECT_EQ(stubs_.connect(id, v1::END_A, kAddressB, 80).outcome(), v1::OUTCOME_OK);
  Call call;
  v1::ResetSessionRequest reset;
  reset.set_session(id);
  v1::Session session;
  ASSERT_TRUE(stubs_.sessions->ResetSession(&call, reset, &session).ok());
  EXPECT_EQ(session.id(), id);
  EXPECT_EQ(log_of(id).entries_size(), 0);
  EXPECT_EQ(stubs_.connect(id, v1::END_A, kAddressB, 80).outcome(), v1::OUTCOME_CONNECTION_REFUSED);
}

TEST_F(MachineTest, SysctlsAreSetOrRefusedByName) {
  v1::CreateSessionRequest request = request_for("scripted", "kernel");
  auto& sysctls = *request.mutable_b()->mutable_kernel()->mutable_sysctls();
  sysctls["net.ipv4.tcp_fin_timeout"] = "7";
  EXPECT_FALSE(stubs_.create(request).id().empty());
  sysctls["net.ipv4.tcp_no_such_thing"] = "1";
  const grpc::Status unknown = refused(request);
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(unknown.error_message(), HasSubstr("tcp_no_such_thing"));
  sysctls.erase("net.ipv4.tcp_no_such_thing");
  sysctls["net.ipv4.tcp_fin_timeout"] = "soon";
  const grpc::Status wrong = refused(request);
  EXPECT_EQ(wrong.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(wrong.error_message(), HasSubstr("tcp_fin_timeout"));
}

// --- a program with sockets of its own ---

// Runs `work` on a thread inside the namespace.
void in_namespace(const std::string& path, const std::function<void()>& work) {
  std::thread([&] {
    const UniqueFd ns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(ns.valid()) << path;
    ASSERT_EQ(setns(ns.get(), CLONE_NEWNET), 0);
    work();
  }).join();
}

// Sends `data` to an echo service and returns what came back until the end of the stream.
std::string exchange(const char* address, uint16_t port, const std::string& data) {
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, address, &to.sin_addr);
  if (connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    return "no connection";
  std::thread writer([&] {
    for (size_t sent = 0; sent < data.size();) {
      const ssize_t n = write(client.get(), data.data() + sent, data.size() - sent);
      if (n <= 0) break;
      sent += static_cast<size_t>(n);
    }
    shutdown(client.get(), SHUT_WR);
  });
  std::string back;
  std::string buffer(1 << 16, '\0');
  for (ssize_t n; (n = read(client.get(), buffer.data(), buffer.size())) > 0;) {
    back.append(buffer, 0, static_cast<size_t>(n));
  }
  writer.join();
  return back;
}

class ProgramTest : public MachineTest,
                    public ::testing::WithParamInterface<std::tuple<v1::LinkKind, bool>> {};

TEST_P(ProgramTest, TalksToOurStackFromWithinTheKernelsNamespace) {
  const auto& [link, direct] = GetParam();
  const v1::Session session = stubs_.create(request_for("stack", "kernel", link, direct));
  const uint64_t listener = stubs_.listen(session.id(), v1::END_A, 7).connection();
  stubs_.serve(session.id(), listener, v1::SERVICE_KIND_ECHO);
  std::string data(5'000'000, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 2654435761u >> 13);
  in_namespace(session.b().namespace_path(), [&] {
    // EXPECT_EQ would print megabytes.
    EXPECT_TRUE(exchange(kAddressA, 7, data) == data);
  });
  const v1::TrafficResponse traffic = stubs_.traffic(session.id(), listener);
  ASSERT_EQ(traffic.flows_size(), 1);
  EXPECT_EQ(traffic.flows(0).received_sha256(), traffic.flows(0).sent_sha256());
  EXPECT_EQ(traffic.flows(0).received(), data.size());
}

INSTANTIATE_TEST_SUITE_P(All, ProgramTest,
                         ::testing::Combine(::testing::Values(v1::LINK_KIND_VETH,
                                                              v1::LINK_KIND_TUN),
                                            ::testing::Bool()));

}  // namespace
}  // namespace tcproctor::server
