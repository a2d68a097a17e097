// SPDX-License-Identifier: Apache-2.0
// The services over gRPC, within the process and in memory: no rights are needed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "server/service/service_testing.h"
#include "tcproctor/v1/suite.grpc.pb.h"

namespace tcproctor::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() : daemon_(*Daemon::start({.listen = {}, .max_sessions = 4})) {}

  // Sends a request for which the daemon must have a clear answer, and which it must survive.
  template <class Request, class Response>
  void expect_refused(grpc::Status (v1::Endpoint::Stub::*method)(grpc::ClientContext*,
                                                                 const Request&, Response*),
                      const Request& request, grpc::StatusCode code,
                      const ::testing::Matcher<const std::string&>& message) {
    Call call;
    Response response;
    const grpc::Status status = (stubs_.endpoint.get()->*method)(&call, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), message);
    EXPECT_GE(stubs_.list_sessions().sessions_size(), 0);
  }
  template <class Request, class Response>
  void expect_refused(grpc::Status (v1::Wire::Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                      const Request& request, grpc::StatusCode code,
                      const ::testing::Matcher<const std::string&>& message) {
    Call call;
    Response response;
    const grpc::Status status = (stubs_.wire.get()->*method)(&call, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_THAT(status.error_message(), message);
  }

  std::unique_ptr<Daemon> daemon_;
  Stubs stubs_{daemon_->in_process_channel()};
};

TEST_F(ServiceTest, AConnectionFromOpenToClose) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  const v1::OpenResponse a = stubs_.connect(id, v1::END_A, "192.0.2.2", 80);
  EXPECT_EQ(a.outcome(), v1::OUTCOME_OK);
  EXPECT_EQ(a.pair().remote().port(), 80u);
  const v1::AcceptResponse b = stubs_.accept(id, listener);
  EXPECT_EQ(b.outcome(), v1::OUTCOME_OK);
  EXPECT_EQ(stubs_.send(id, a.connection(), "hello").accepted(), 5u);
  EXPECT_EQ(stubs_.receive(id, b.connection(), 5).data(), "hello");
  EXPECT_EQ(stubs_.close(id, a.connection()), v1::OUTCOME_OK);
  EXPECT_EQ(stubs_.receive(id, b.connection()).outcome(), v1::OUTCOME_END_OF_STREAM);
  EXPECT_EQ(stubs_.close(id, b.connection()), v1::OUTCOME_OK);
  EXPECT_EQ(stubs_.wait_state(id, a.connection(), v1::TCP_STATE_TIME_WAIT).outcome(),
            v1::OUTCOME_OK);
  EXPECT_TRUE(stubs_.remove(id).ok());
}

TEST_F(ServiceTest, ARefusedConnectionIsData) {
  const std::string id = stubs_.create(memory_pair()).id();
  EXPECT_EQ(stubs_.connect(id, v1::END_A, "192.0.2.2", 80).outcome(),
            v1::OUTCOME_CONNECTION_REFUSED);
}

TEST_F(ServiceTest, IPv6WorksLikeIPv4) {
  const std::string id = stubs_.create(memory_pair()).id();
  v1::OpenRequest listen;
  listen.set_session(id);
  listen.set_end(v1::END_B);
  listen.mutable_local()->set_address("2001:db8::2");
  listen.mutable_local()->set_port(80);
  EXPECT_EQ(stubs_.open(listen).outcome(), v1::OUTCOME_OK);
  EXPECT_EQ(stubs_.connect(id, v1::END_A, "2001:db8::2", 80).outcome(), v1::OUTCOME_OK);
}

TEST_F(ServiceTest, AListenerOnAnyAddressTakesBothFamilies) {
  const std::string id = stubs_.create(memory_pair()).id();
  stubs_.listen(id, v1::END_B, 80);
  EXPECT_EQ(stubs_.connect(id, v1::END_A, "192.0.2.2", 80).outcome(), v1::OUTCOME_OK);
  EXPECT_EQ(stubs_.connect(id, v1::END_A, "2001:db8::2", 80).outcome(), v1::OUTCOME_OK);
}

TEST_F(ServiceTest, SessionsAreListedRenewedAndDeleted) {
  v1::CreateSessionRequest request = memory_pair();
  request.set_label("mine");
  const v1::Session session = stubs_.create(request);
  EXPECT_EQ(session.link(), v1::LINK_KIND_MEMORY);
  EXPECT_EQ(session.clock(), v1::CLOCK_REAL);
  EXPECT_EQ(session.mtu(), 1500u);
  EXPECT_NE(session.seed(), 0u);
  EXPECT_EQ(session.lease().seconds(), 30);
  EXPECT_EQ(session.a().kind(), v1::END_KIND_STACK);
  ASSERT_EQ(stubs_.list_sessions().sessions_size(), 1);
  EXPECT_EQ(stubs_.list_sessions().sessions(0).label(), "mine");
  Call renew;
  v1::RenewLeaseRequest longer;
  longer.set_session(session.id());
  longer.mutable_lease()->set_seconds(600);
  v1::Session renewed;
  ASSERT_TRUE(stubs_.sessions->RenewLease(&renew, longer, &renewed).ok());
  EXPECT_EQ(renewed.lease().seconds(), 600);
  EXPECT_GT(renewed.lease_remaining().seconds(), 590);
  EXPECT_TRUE(stubs_.remove(session.id()).ok());
  EXPECT_EQ(stubs_.list_sessions().sessions_size(), 0);
  const grpc::Status again = stubs_.remove(session.id());
  EXPECT_EQ(again.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(again.error_message(), HasSubstr("was deleted"));
}

TEST_F(ServiceTest, TooManySessionsNamesTheLimit) {
  for (int i = 0; i < 4; ++i) stubs_.create(memory_pair());
  Call call;
  v1::Session session;
  const grpc::Status status = stubs_.sessions->CreateSession(&call, memory_pair(), &session);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("limit of 4"));
}

TEST_F(ServiceTest, ServerInfoSaysWhatIsPossible) {
  Call call;
  v1::ServerInfo info;
  ASSERT_TRUE(stubs_.sessions->GetServerInfo(&call, {}, &info).ok());
  EXPECT_EQ(info.api(), "tcproctor.v1");
  EXPECT_THAT(info.capabilities(), ::testing::Contains("link.memory"));
  // Each possibility is either there or explained.
  for (const char* name : {"end.kernel", "link.veth", "link.tun"}) {
    const bool possible =
        std::count(info.capabilities().begin(), info.capabilities().end(), name) != 0;
    EXPECT_NE(possible, info.missing().contains(name)) << name;
  }
}

// --- bad input: each has a clear answer, and the daemon lives on ---

TEST_F(ServiceTest, AnUnknownSessionIsNotFound) {
  v1::ListRequest list;
  list.set_session("s99-dead");
  expect_refused(&v1::Endpoint::Stub::List, list, grpc::StatusCode::NOT_FOUND,
                 HasSubstr("s99-dead"));
  list.set_session("");
  expect_refused(&v1::Endpoint::Stub::List, list, grpc::StatusCode::INVALID_ARGUMENT,
                 HasSubstr("session"));
}

TEST_F(ServiceTest, AForeignSessionsConnectionIsNotFound) {
  const std::string one = stubs_.create(memory_pair()).id();
  const std::string other = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(one, v1::END_B, 80).connection();
  v1::StatusRequest status;
  status.mutable_connection()->set_session(other);
  status.mutable_connection()->set_id(listener);
  expect_refused(&v1::Endpoint::Stub::Status, status, grpc::StatusCode::NOT_FOUND,
                 HasSubstr("is not of session " + other + " but of session " + one));
}

TEST_F(ServiceTest, PortsEndAt65535) {
  v1::OpenRequest open;
  open.set_session(stubs_.create(memory_pair()).id());
  open.set_end(v1::END_A);
  open.mutable_local()->set_port(70000);
  expect_refused(&v1::Endpoint::Stub::Open, open, grpc::StatusCode::INVALID_ARGUMENT,
                 AllOf(HasSubstr("local.port"), HasSubstr("70000")));
}

TEST_F(ServiceTest, APayloadOverTheLimitIsRefused) {
  const std::string id = stubs_.create(memory_pair()).id();
  v1::SendRequest send;
  send.mutable_connection()->set_session(id);
  send.mutable_connection()->set_id(stubs_.listen(id, v1::END_B, 80).connection());
  send.set_data(std::string((1 << 20) + 1, 'x'));
  expect_refused(&v1::Endpoint::Stub::Send, send, grpc::StatusCode::INVALID_ARGUMENT,
                 AllOf(HasSubstr("data"), HasSubstr("1048576")));
  v1::InjectRequest inject;
  inject.set_session(id);
  inject.set_from(v1::END_A);
  v1::Segment& segment = *inject.add_train()->mutable_segment();
  segment.mutable_tcp();
  segment.set_payload(std::string(65001, 'x'));
  expect_refused(&v1::Wire::Stub::Inject, inject, grpc::StatusCode::INVALID_ARGUMENT,
                 HasSubstr("payload"));
}

TEST_F(ServiceTest, APatternThatContradictsItselfIsRefused) {
  v1::ExpectRequest expect;
  expect.set_session(stubs_.create(memory_pair()).id());
  expect.set_from(v1::END_B);
  expect.mutable_pattern()->mutable_fields()->set_payload("abc");
  expect.mutable_pattern()->set_payload_length(4);
  expect_refused(&v1::Wire::Stub::Expect, expect, grpc::StatusCode::INVALID_ARGUMENT,
                 HasSubstr("payload_length"));
}

TEST_F(ServiceTest, OptionsOver40OctetsNeedRaw) {
  v1::InjectRequest inject;
  inject.set_session(stubs_.create(memory_pair()).id());
  inject.set_from(v1::END_A);
  v1::TcpHeader& tcp = *inject.add_train()->mutable_segment()->mutable_tcp();
  tcp.add_options()->mutable_other()->set_kind(253);
  tcp.mutable_options(0)->mutable_other()->set_data(std::string(41, 'x'));
  expect_refused(&v1::Wire::Stub::Inject, inject, grpc::StatusCode::INVALID_ARGUMENT,
                 AllOf(HasSubstr("options"), HasSubstr("40")));
}

TEST_F(ServiceTest, ALeaseThatRunsOutInMidCallSaysSo) {
  v1::CreateSessionRequest request = memory_pair();
  *request.mutable_lease() = duration_ms(1000);
  const std::string id = stubs_.create(request).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  expect_refused(&v1::Endpoint::Stub::Accept, stubs_.accept_request(id, listener),
                 grpc::StatusCode::NOT_FOUND, HasSubstr("lease ran out"));
  EXPECT_EQ(stubs_.list_sessions().sessions_size(), 0);
}

TEST_F(ServiceTest, AClientThatVanishesWhileAcceptWaitsTakesNoConnection) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  {
    Call call(std::chrono::milliseconds(50));
    v1::AcceptResponse response;
    const grpc::Status status =
        stubs_.endpoint->Accept(&call, stubs_.accept_request(id, listener), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  {
    Call call;
    v1::AcceptResponse response;
    std::thread canceller([&call] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      call.TryCancel();
    });
    const grpc::Status status =
        stubs_.endpoint->Accept(&call, stubs_.accept_request(id, listener), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
    canceller.join();
  }
  // Were one of the two still waiting, it would take the connection.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  stubs_.connect(id, v1::END_A, "192.0.2.2", 80);
  EXPECT_EQ(stubs_.accept(id, listener).outcome(), v1::OUTCOME_OK);
}

TEST_F(ServiceTest, DeletingASessionEndsWhatWaitsInIt) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  std::thread deleter([this, &id] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_TRUE(stubs_.remove(id).ok());
  });
  Call call;
  v1::AcceptResponse response;
  const grpc::Status status =
      stubs_.endpoint->Accept(&call, stubs_.accept_request(id, listener), &response);
  deleter.join();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.outcome(), v1::OUTCOME_CANCELLED);
}

// --- streams ---

TEST_F(ServiceTest, WatchTellsOfStateChanges) {
  const std::string id = stubs_.create(memory_pair()).id();
  stubs_.listen(id, v1::END_B, 80);
  Call call;
  v1::WatchRequest request;
  request.set_session(id);
  request.set_end(v1::END_A);
  const auto reader = stubs_.endpoint->Watch(&call, request);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until it is subscribed
  stubs_.connect(id, v1::END_A, "192.0.2.2", 80);
  v1::ConnectionEvent event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.end(), v1::END_A);
  EXPECT_EQ(event.state_change().to(), v1::TCP_STATE_SYN_SENT);
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.state_change().to(), v1::TCP_STATE_ESTABLISHED);
  EXPECT_TRUE(stubs_.remove(id).ok());
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServiceTest, TheLogIsFollowed) {
  const std::string id = stubs_.create(memory_pair()).id();
  stubs_.listen(id, v1::END_B, 80);
  Call call;
  v1::LogRequest request;
  request.set_session(id);
  request.set_follow(true);
  const auto reader = stubs_.wire->Log(&call, request);
  stubs_.connect(id, v1::END_A, "192.0.2.2", 80);
  for (uint64_t number = 1; number <= 3; ++number) {
    v1::LogEntry entry;
    ASSERT_TRUE(reader->Read(&entry));
    EXPECT_EQ(entry.number(), number);
  }
  call.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServiceTest, ALongLogAndItsCaptureAreStreamed) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  stubs_.serve(id, listener, v1::SERVICE_KIND_SINK);
  const uint64_t a = stubs_.connect(id, v1::END_A, "192.0.2.2", 80).connection();
  stubs_.serve(id, a, v1::SERVICE_KIND_SOURCE, 5'000'000);
  ASSERT_EQ(stubs_.traffic(id, listener).flows_size(), 1);
  Call log_call;
  v1::LogRequest log;
  log.set_session(id);
  const auto entries = stubs_.wire->Log(&log_call, log);
  uint64_t numbers = 0;
  size_t octets = 24;  // of the pcap file's header
  v1::LogEntry entry;
  while (entries->Read(&entry)) {
    EXPECT_EQ(entry.number(), ++numbers);
    octets += 16 + entry.raw().size();
  }
  EXPECT_TRUE(entries->Finish().ok());
  EXPECT_GT(numbers, 3400u);
  Call pcap_call;
  v1::PcapRequest pcap;
  pcap.set_session(id);
  const auto chunks = stubs_.wire->Pcap(&pcap_call, pcap);
  v1::PcapChunk chunk;
  std::string file;
  while (chunks->Read(&chunk)) file += chunk.data();
  EXPECT_TRUE(chunks->Finish().ok());
  EXPECT_GE(file.size(), octets);  // a last segment may have come in between
}

// The next report, but those that tell of a busy machine.
bool read_next(grpc::ClientReaderWriter<v1::Command, v1::Report>& stream, v1::Report& report) {
  do {
    if (!stream.Read(&report)) return false;
  } while (report.has_stalled());
  return true;
}

TEST_F(ServiceTest, ADriveStreamOwnsTheSessionItMakes) {
  Call call;
  const auto stream = stubs_.drive->Drive(&call);
  v1::Command create;
  create.set_operation(1);
  *create.mutable_create() = memory_pair();
  ASSERT_TRUE(stream->Write(create));
  v1::Report report;
  ASSERT_TRUE(read_next(*stream, report));
  ASSERT_EQ(report.operation(), 1u);
  EXPECT_EQ(stubs_.list_sessions().sessions_size(), 1);
  v1::Command list;
  list.set_operation(2);
  list.mutable_list();
  ASSERT_TRUE(stream->Write(list));
  ASSERT_TRUE(read_next(*stream, report));
  EXPECT_TRUE(report.has_list());
  stream->WritesDone();
  EXPECT_FALSE(read_next(*stream, report));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(stubs_.list_sessions().sessions_size(), 0);
}

TEST_F(ServiceTest, ADriveStreamThatBreaksTakesItsSessionAlong) {
  {
    Call call;
    const auto stream = stubs_.drive->Drive(&call);
    v1::Command create;
    create.set_operation(1);
    *create.mutable_create() = memory_pair();
    stream->Write(create);
    v1::Report report;
    ASSERT_TRUE(stream->Read(&report));
    call.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  for (int i = 0; i < 100 && stubs_.list_sessions().sessions_size() != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(stubs_.list_sessions().sessions_size(), 0);
}

TEST_F(ServiceTest, AStreamAttachedToASessionLeavesItAlive) {
  const std::string id = stubs_.create(memory_pair()).id();
  Call call;
  const auto stream = stubs_.drive->Drive(&call);
  v1::Command attach;
  attach.set_operation(1);
  attach.mutable_attach()->set_session(id);
  ASSERT_TRUE(stream->Write(attach));
  v1::Report report;
  ASSERT_TRUE(stream->Read(&report));
  EXPECT_EQ(report.session().id(), id);
  stream->WritesDone();
  EXPECT_FALSE(read_next(*stream, report));
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(stubs_.list_sessions().sessions_size(), 1);
}

TEST_F(ServiceTest, AStreamMustBeginWithASession) {
  Call call;
  const auto stream = stubs_.drive->Drive(&call);
  v1::Command list;
  list.set_operation(1);
  list.mutable_list();
  stream->Write(list);
  v1::Report report;
  EXPECT_FALSE(stream->Read(&report));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(ServiceTest, DeletingTheSessionEndsItsStreams) {
  Call call;
  const auto stream = stubs_.drive->Drive(&call);
  v1::Command create;
  create.set_operation(1);
  *create.mutable_create() = memory_pair();
  stream->Write(create);
  v1::Report report;
  ASSERT_TRUE(stream->Read(&report));
  EXPECT_TRUE(stubs_.remove(report.session().id()).ok());
  EXPECT_FALSE(read_next(*stream, report));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServiceTest, EndingTheDaemonEndsWhatWaits) {
  const std::string id = stubs_.create(memory_pair()).id();
  const uint64_t listener = stubs_.listen(id, v1::END_B, 80).connection();
  std::thread ender([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    daemon_->shut_down();
  });
  Call call;
  v1::AcceptResponse response;
  const grpc::Status status =
      stubs_.endpoint->Accept(&call, stubs_.accept_request(id, listener), &response);
  ender.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
}

// --- the suite ---

TEST_F(ServiceTest, TheSuiteRunsOnTheDaemonItself) {
  const auto suite = v1::Suite::NewStub(daemon_->in_process_channel());
  Call list_call;
  v1::ListCasesRequest list;
  list.set_filter("S000-2.1");
  v1::ListCasesResponse cases;
  ASSERT_TRUE(suite->ListCases(&list_call, list, &cases).ok());
  ASSERT_EQ(cases.cases_size(), 1);
  Call run_call;
  v1::RunCasesRequest run;
  run.set_filter("S000-2.1");
  run.add_targets("stack-virtual");
  const auto reader = suite->RunCases(&run_call, run);
  v1::RunCasesResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.result().case_id(), "S000-2.1");
  EXPECT_EQ(response.result().verdict(), v1::VERDICT_PASS) << response.result().reason();
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.summary().exit_status(), 0);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
  Call explain_call;
  v1::ExplainRequest explain;
  explain.set_case_id("S000-2.1");
  explain.set_target("stack-virtual");
  v1::ExplainResponse explained;
  ASSERT_TRUE(suite->Explain(&explain_call, explain, &explained).ok());
  EXPECT_THAT(explained.result().ladder(), HasSubstr("SYN-RECEIVED"));
}

TEST_F(ServiceTest, AnUnknownCaseIsRefused) {
  const auto suite = v1::Suite::NewStub(daemon_->in_process_channel());
  Call call;
  v1::ExplainRequest explain;
  explain.set_case_id("S999");
  explain.set_target("stack-virtual");
  v1::ExplainResponse explained;
  EXPECT_EQ(suite->Explain(&call, explain, &explained).error_code(), grpc::StatusCode::NOT_FOUND);
  Call run_call;
  v1::RunCasesRequest run;
  run.set_jobs(65);
  const auto reader = suite->RunCases(&run_call, run);
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace tcproctor::server
