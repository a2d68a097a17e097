// SPDX-License-Identifier: Apache-2.0
// The daemon as others see it: real handshakes over loopback, with certificates made for the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/access/rules_file.h"
#include "server/service/service_testing.h"
#include "tcproctor/v1/suite.grpc.pb.h"

namespace tcproctor::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kRules[] = R"(
client { name: "ci" targets: [STACK, SCRIPTED] interfaces: "memory"
         prefixes: ["192.0.2.0/24", "2001:db8::/64"] quota { sessions: 3 } }
client { name: "robot.example.org" targets: STACK interfaces: ["memory", "veth"]
         prefixes: ["0.0.0.0/0", "::/0"] }
)";

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int run(const std::string& command) {
  return WEXITSTATUS(std::system(command.c_str()));
}

class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = ::testing::TempDir() + "tcproctor-tls-XXXXXX";
    folder_ = mkdtemp(name.data());
    make_certificates("good", "ci guest robot=DNS:robot.example.org,URI:urn:robot");
    make_certificates("evil", "ci");
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  // `folder`: has its CA, server.pem for this machine, and a certificate for each client.
  static void make_certificates(const std::string& folder, const std::string& clients) {
    ASSERT_EQ(run(absl::StrCat(TCPROCTOR_MAKE_CERTIFICATES, " ", folder_, "/", folder,
                               " DNS:localhost,IP:127.0.0.1 ", clients)),
              0);
  }
  static TlsOptions tls_options(const std::string& folder = "good") {
    const std::string path = absl::StrCat(folder_, "/", folder, "/");
    return {.certificate = path + "server.pem",
            .key = path + "server.key",
            .client_ca = path + "ca.pem",
            .rules = folder_ + "/clients.textproto"};
  }

  TlsTest() {
    std::ofstream(folder_ + "/clients.textproto") << kRules;
    start("good");
  }
  void start(const std::string& folder) {
    auto daemon = Daemon::start({.listen = {*parse_listen_address("127.0.0.1:0"),
                                            *parse_listen_address("unix:" + socket())},
                                 .tls = tls_options(folder)});
    ASSERT_TRUE(daemon.ok()) << daemon.status();
    daemon_ = *std::move(daemon);
  }
  static std::string socket() { return folder_ + "/d.sock"; }
  const std::string& address() const { return daemon_->addresses().at(0); }

  std::shared_ptr<grpc::Channel> channel(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address(), credentials, arguments);
  }
  // With the certificate of `client` (none: empty), both of that folder.
  std::shared_ptr<grpc::Channel> channel_of(const std::string& client,
                                            const std::string& folder = "good",
                                            const std::string& trusted = "good") const {
    grpc::SslCredentialsOptions ssl;
    const auto file = [](const std::string& in, const std::string& name) {
      return contents(absl::StrCat(folder_, "/", in, "/", name));
    };
    ssl.pem_root_certs = file(trusted, "ca.pem");
    if (!client.empty()) {
      ssl.pem_cert_chain = file(folder, client + ".pem");
      ssl.pem_private_key = file(folder, client + ".key");
    }
    return channel(grpc::SslCredentials(ssl));
  }
  Stubs local() const {
    return Stubs(grpc::CreateChannel("unix:" + socket(), grpc::InsecureChannelCredentials()));
  }

  static grpc::Status ask(const std::shared_ptr<grpc::Channel>& channel) {
    Call call;
    v1::ServerInfo info;
    return v1::Sessions::NewStub(channel)->GetServerInfo(&call, {}, &info);
  }
  // With all that is in the folder, for ten seconds at most.
  grpc::Status ask_until_taken(const std::string& folder) const {
    grpc::Status status;
    for (int i = 0; i < 100 && (i == 0 || !status.ok()); ++i) {
      if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
      status = ask(channel_of("ci", folder, folder));
    }
    return status;
  }
  static grpc::Status try_create(Stubs& stubs, const v1::CreateSessionRequest& request) {
    Call call;
    v1::Session session;
    return stubs.sessions->CreateSession(&call, request, &session);
  }

  static inline std::string folder_;
  std::unique_ptr<Daemon> daemon_;
};

TEST_F(TlsTest, ACertificateOfTheCaAndARuleAreNeeded) {
  EXPECT_TRUE(ask(channel_of("ci")).ok()) << ask(channel_of("ci")).error_message();
  EXPECT_EQ(ask(channel_of("")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ask(channel_of("ci", "evil")).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ask(channel(grpc::InsecureChannelCredentials())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  const grpc::Status guest = ask(channel_of("guest"));
  EXPECT_EQ(guest.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(guest.error_message(),
              HasSubstr("client rules have none for this certificate; its names are: guest"));
}

TEST_F(TlsTest, ClientsSeeWhetherItIsTheirDaemon) {
  const grpc::Status status = ask(channel_of("ci", "good", "evil"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("andshake"));
}

TEST_F(TlsTest, NothingAtAllIsThereForWhoHasNoRule) {
  for (const char* method :
       {"/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/tcproctor.v1.Sessions/ListSessions", "/tcproctor.v1.Suite/ListCases",
        "/tcproctor.v1.Drive/Drive", "/tcproctor.v1.Sockets/Call", "/tcproctor.v1.Wire/Log"}) {
    for (const std::string client : {"guest", "ci"}) {
      const grpc::Status status = call_without_content(channel_of(client), method);
      const bool denied = status.error_code() == grpc::StatusCode::PERMISSION_DENIED;
      EXPECT_EQ(denied, client == "guest") << method << " " << status.error_message();
    }
  }
}

TEST_F(TlsTest, AlternativeNamesCountBeforeTheCommonName) {
  Stubs robot(channel_of("robot"));
  v1::CreateSessionRequest scripted = memory_pair();
  scripted.mutable_a()->mutable_scripted();
  const grpc::Status status = try_create(robot, scripted);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(),
              HasSubstr("a: the rule for client \"robot.example.org\" does not have targets: "
                        "SCRIPTED"));
  // Its common name "robot" is none of its names.
  std::ofstream(folder_ + "/clients.textproto") << "client { name: \"robot\" targets: STACK }";
  std::this_thread::sleep_for(RulesFile::kRefresh);
  const grpc::Status none = ask(channel_of("robot"));
  EXPECT_EQ(none.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(none.error_message(), HasSubstr("robot.example.org, urn:robot"));
}

TEST_F(TlsTest, WhatTheRuleDoesNotNameIsRefused) {
  Stubs ci(channel_of("ci"));
  v1::CreateSessionRequest kernel;
  kernel.mutable_a()->mutable_scripted();
  kernel.mutable_b()->mutable_kernel();
  v1::CreateSessionRequest veth = memory_pair();
  veth.mutable_wire()->set_link(v1::LINK_KIND_VETH);
  v1::CreateSessionRequest address = memory_pair();
  address.mutable_a()->add_addresses("10.0.0.1/8");
  for (const auto& [request, what] :
       {std::pair(kernel, "targets: KERNEL"), std::pair(veth, "interfaces: \"veth\""),
        std::pair(address, "prefixes that hold 10.0.0.1/8")}) {
    const grpc::Status status = try_create(ci, request);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_THAT(status.error_message(), HasSubstr(what));
    // A Drive stream is no way around it.
    Call call;
    const auto drive = ci.drive->Drive(&call);
    v1::Command command;
    command.set_operation(1);
    *command.mutable_create() = request;
    drive->Write(command);
    v1::Report report;
    EXPECT_FALSE(drive->Read(&report));
    EXPECT_EQ(drive->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  const std::string id = ci.create(memory_pair()).id();
  EXPECT_EQ(ci.listen(id, v1::END_B, 80).outcome(), v1::OUTCOME_OK);
  EXPECT_EQ(ci.connect(id, v1::END_A, "192.0.2.2", 80).outcome(), v1::OUTCOME_OK);
}

TEST_F(TlsTest, AForeignSessionIsOneThatNeverWas) {
  Stubs ci(channel_of("ci"));
  Stubs robot(channel_of("robot"));
  const std::string id = ci.create(memory_pair()).id();
  const uint64_t listener = ci.listen(id, v1::END_B, 80).connection();
  const std::string gone = ci.create(memory_pair()).id();
  EXPECT_TRUE(ci.remove(gone).ok());
  std::string of_unix = local().create(memory_pair()).id();

  for (const std::string& foreign : {id, gone, of_unix, std::string("s77-0000")}) {
    std::vector<grpc::Status> statuses{robot.remove(foreign)};
    const auto call_each = [&](auto& stub, auto method, auto request, auto response) {
      Call call;
      statuses.push_back((stub.*method)(&call, request, &response));
    };
    v1::GetSessionRequest get;
    get.set_session(foreign);
    call_each(*robot.sessions, &v1::Sessions::Stub::GetSession, get, v1::Session());
    v1::RenewLeaseRequest renew;
    renew.set_session(foreign);
    call_each(*robot.sessions, &v1::Sessions::Stub::RenewLease, renew, v1::Session());
    v1::ResetSessionRequest reset;
    reset.set_session(foreign);
    call_each(*robot.sessions, &v1::Sessions::Stub::ResetSession, reset, v1::Session());
    v1::OpenRequest open;
    open.set_session(foreign);
    call_each(*robot.endpoint, &v1::Endpoint::Stub::Open, open, v1::OpenResponse());
    call_each(*robot.endpoint, &v1::Endpoint::Stub::Accept, robot.accept_request(foreign, listener),
              v1::AcceptResponse());
    v1::InjectRequest inject;
    inject.set_session(foreign);
    call_each(*robot.wire, &v1::Wire::Stub::Inject, inject, v1::InjectResponse());
    Call log_call;
    v1::LogRequest log;
    log.set_session(foreign);
    const auto entries = robot.wire->Log(&log_call, log);
    v1::LogEntry entry;
    EXPECT_FALSE(entries->Read(&entry));
    statuses.push_back(entries->Finish());
    Call watch_call;
    v1::WatchRequest watch;
    watch.set_session(foreign);
    const auto events = robot.endpoint->Watch(&watch_call, watch);
    v1::ConnectionEvent event;
    EXPECT_FALSE(events->Read(&event));
    statuses.push_back(events->Finish());
    Call drive_call;
    const auto drive = robot.drive->Drive(&drive_call);
    v1::Command attach;
    attach.set_operation(1);
    attach.mutable_attach()->set_session(foreign);
    drive->Write(attach);
    v1::Report report;
    EXPECT_FALSE(drive->Read(&report));
    statuses.push_back(drive->Finish());
    ASSERT_EQ(statuses.size(), 10u);
    for (const grpc::Status& status : statuses) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
      EXPECT_EQ(status.error_message(), absl::StrCat("session ", foreign, ": no such session"));
    }
  }
  // Nor is it told whose a connection is.
  const std::string own = robot.create(memory_pair()).id();
  Call call;
  v1::AcceptResponse response;
  const grpc::Status status =
      robot.endpoint->Accept(&call, robot.accept_request(own, listener), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), ::testing::Not(HasSubstr(id)));
  EXPECT_EQ(robot.list_sessions().sessions_size(), 1);

  EXPECT_EQ(ci.list_sessions().sessions_size(), 1);
  EXPECT_EQ(ci.listen(id, v1::END_B, 81).outcome(), v1::OUTCOME_OK);  // nothing was lost
  // Who comes over the Unix socket has all of them.
  EXPECT_EQ(local().list_sessions().sessions_size(), 3);
  EXPECT_TRUE(local().remove(id).ok());
  EXPECT_THAT(ci.remove(id).error_message(), HasSubstr("was deleted"));
}

TEST_F(TlsTest, RequestIdsOfOneClientAreNotAnothers) {
  Stubs ci(channel_of("ci"));
  Stubs robot(channel_of("robot"));
  v1::CreateSessionRequest request = memory_pair();
  request.set_request_id("once");
  const std::string first = ci.create(request).id();
  EXPECT_NE(robot.create(request).id(), first);
  EXPECT_NE(local().create(request).id(), first);
  EXPECT_EQ(ci.create(request).id(), first);
  EXPECT_EQ(ci.list_sessions().sessions_size(), 1);
  request.set_label("another");
  const grpc::Status other = try_create(ci, request);
  EXPECT_EQ(other.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(other.error_message(), HasSubstr("request_id: was used for another request"));
}

size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

size_t resident_kib() {
  std::ifstream file("/proc/self/statm");
  size_t pages = 0;
  file >> pages >> pages;
  return pages * 4;
}

TEST_F(TlsTest, TenThousandSessionsAskedForDoNoHarm) {
  constexpr int kAsked = 10'000;
  constexpr int kClients = 4;
  constexpr size_t kLimit = 3;
  Stubs robot(channel_of("robot"));
  const std::string of_robot = robot.create(memory_pair()).id();
  std::deque<Stubs> stubs;
  for (int i = 0; i < kClients; ++i) {
    stubs.emplace_back(channel_of("ci"));
    stubs.back().list_sessions();  // connects
  }
  const size_t descriptors_before = descriptors();
  const size_t resident_before = resident_kib();
  std::mutex mutex;
  std::map<grpc::StatusCode, int> answers;
  std::string message;
  std::vector<std::thread> threads;
  threads.reserve(kClients);
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      for (int number = 0; number < kAsked / kClients; ++number) {
        v1::CreateSessionRequest request = memory_pair();
        request.set_request_id(absl::StrCat(i, "-", number));
        const grpc::Status status = try_create(stubs[static_cast<size_t>(i)], request);
        const std::lock_guard lock(mutex);
        ++answers[status.error_code()];
        if (!status.ok()) message = status.error_message();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answers[grpc::StatusCode::OK], static_cast<int>(kLimit));
  EXPECT_EQ(answers[grpc::StatusCode::RESOURCE_EXHAUSTED], kAsked - static_cast<int>(kLimit));
  EXPECT_THAT(message, AllOf(HasSubstr("sessions: the limit of 3 is reached"),
                             HasSubstr("quota.sessions of client \"ci\"")));
  EXPECT_EQ(stubs[0].list_sessions().sessions_size(), static_cast<int>(kLimit));
  // A session in memory has no descriptor of its own.
  EXPECT_LE(descriptors(), descriptors_before + 2);
#ifndef __SANITIZE_ADDRESS__  // which keeps what is freed
  EXPECT_LT(resident_kib(), resident_before + (64 << 10));
#endif
  // Others do not notice.
  EXPECT_EQ(robot.listen(of_robot, v1::END_B, 80).outcome(), v1::OUTCOME_OK);
  EXPECT_TRUE(try_create(robot, memory_pair()).ok());
}

TEST_F(TlsTest, ASuiteRunsWithTheRightsOfItsCaller) {
  const auto verdicts = [&](const std::string& target) {
    const auto suite = v1::Suite::NewStub(channel_of("ci"));
    Call call(std::chrono::seconds(60));
    v1::RunCasesRequest request;
    request.set_filter("S000-2.1");
    request.add_targets(target);
    request.set_jobs(1);
    const auto stream = suite->RunCases(&call, request);
    std::string told;
    v1::RunCasesResponse response;
    while (stream->Read(&response)) {
      for (const std::string& complaint : response.summary().complaints()) {
        absl::StrAppend(&told, complaint);
      }
      if (response.has_result() && response.result().case_id() == "S000-2.1") {
        absl::StrAppend(&told, v1::Verdict_Name(response.result().verdict()), " ",
                        response.result().reason());
      }
    }
    const grpc::Status status = stream->Finish();
    return absl::StrCat(told, status.ok() ? "" : status.error_message());
  };
  EXPECT_THAT(verdicts("stack-virtual"), HasSubstr("VERDICT_PASS"));
  const std::string kernel = verdicts("kernel");
  EXPECT_THAT(kernel, HasSubstr("targets: KERNEL"));
  EXPECT_THAT(kernel, ::testing::Not(HasSubstr("VERDICT_PASS")));
}

TEST_F(TlsTest, NobodySpeaksForAnother) {
  // What the daemon tells itself who a call is for is not heard from outside.
  Stubs robot(channel_of("robot"));
  Call call;
  call.AddMetadata("tcproctor-on-behalf-of", "ci");
  v1::CreateSessionRequest scripted = memory_pair();
  scripted.mutable_a()->mutable_scripted();
  v1::Session session;
  EXPECT_EQ(robot.sessions->CreateSession(&call, scripted, &session).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(TlsTest, Tls12IsTheLowest) {
  // Without the machine's settings, so that it is not the client who refuses.
  const auto said = [&](const std::string& version, const std::string& expected) {
    const std::string path = folder_ + "/good/";
    return run(absl::StrCat("OPENSSL_CONF=/dev/null openssl s_client -connect ", address(),
                            " -CAfile ", path, "ca.pem -cert ", path, "ci.pem -key ", path,
                            "ci.key -alpn h2 -cipher ALL:@SECLEVEL=0 ", version,
                            " </dev/null 2>&1 | grep -q '", expected, "'")) == 0;
  };
  // The client says hello; what comes is nothing, or an alert of 7 octets.
  const std::string refused = "handshake has read [07] bytes and written [1-9]";
  EXPECT_TRUE(said("-tls1", refused));
  EXPECT_TRUE(said("-tls1_1", refused));
  EXPECT_TRUE(said("-tls1_2", "New, TLSv1.2, Cipher is "));
  EXPECT_TRUE(said("-tls1_3", "New, TLSv1.3, Cipher is "));
}

TEST_F(TlsTest, FilesThatChangeAreReadAgain) {
  daemon_.reset();
  make_certificates("first", "ci");
  make_certificates("second", "ci");
  make_certificates("live", "ci");
  const auto use = [](const std::string& folder) {
    // Both at once, as gRPC asks for: a folder is replaced by renaming.
    const std::string live = folder_ + "/live";
    std::filesystem::copy(folder_ + "/" + folder, live + "-new");
    std::filesystem::rename(live, live + "-old");
    std::filesystem::rename(live + "-new", live);
    std::filesystem::remove_all(live + "-old");
  };
  use("first");
  start("live");
  EXPECT_TRUE(ask(channel_of("ci", "first", "first")).ok());
  EXPECT_FALSE(ask(channel_of("ci", "second", "second")).ok());
  const auto there = channel_of("ci", "first", "first");
  EXPECT_TRUE(ask(there).ok());
  use("second");
  const grpc::Status status = ask_until_taken("second");
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_FALSE(ask(channel_of("ci", "first", "second")).ok());  // a client of the old CA
  EXPECT_FALSE(ask(channel_of("ci", "second", "first")).ok());  // the old daemon's certificate
  EXPECT_TRUE(ask(there).ok());  // a connection that was there goes on
}

TEST_F(TlsTest, RulesThatChangeAreReadAgain) {
  const auto guest = channel_of("guest");
  const auto ci = channel_of("ci");
  EXPECT_EQ(ask(guest).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(ask(ci).ok());
  std::ofstream(folder_ + "/clients.textproto") << "client { name: \"guest\" }";
  std::this_thread::sleep_for(RulesFile::kRefresh);
  EXPECT_TRUE(ask(guest).ok());
  EXPECT_EQ(ask(ci).error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

// Half of a pair, a file that is being written, none at all: nobody is locked out by that.
TEST_F(TlsTest, FilesThatCannotBeUsedStayOut) {
  daemon_.reset();
  make_certificates("careless", "ci");
  start("careless");
  const std::string key = folder_ + "/careless/server.key";
  const std::string sound = contents(key);
  for (const std::string& unsound : {contents(folder_ + "/good/server.key"), std::string("PEM")}) {
    std::ofstream(key) << unsound;
    std::this_thread::sleep_for(std::chrono::milliseconds(2500));
    EXPECT_TRUE(ask(channel_of("ci", "careless", "careless")).ok()) << unsound;
  }
  std::filesystem::remove(key);
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  EXPECT_TRUE(ask(channel_of("ci", "careless", "careless")).ok());
  // A new pair, file by file.
  make_certificates("fresh", "ci");
  for (const char* file : {"server.pem", "server.key", "ca.pem"}) {
    std::filesystem::copy_file(absl::StrCat(folder_, "/fresh/", file),
                               absl::StrCat(folder_, "/careless/", file),
                               std::filesystem::copy_options::overwrite_existing);
    std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  }
  const grpc::Status status = ask_until_taken("fresh");
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(TlsTest, RulesThatChangeBindSessionsThatAreThere) {
  Stubs ci(channel_of("ci"));
  const std::string id = ci.create(memory_pair()).id();
  EXPECT_EQ(ci.listen(id, v1::END_B, 80).outcome(), v1::OUTCOME_OK);
  const auto refusal = [&](const std::string& rule) {
    std::ofstream(folder_ + "/clients.textproto") << rule;
    std::this_thread::sleep_for(RulesFile::kRefresh);
    v1::OpenRequest open;
    open.set_session(id);
    open.set_end(v1::END_B);
    open.mutable_local()->set_port(81);
    v1::OpenResponse response;
    Call call;
    return ci.endpoint->Open(&call, open, &response);
  };
  constexpr char kAll[] = "prefixes: [\"192.0.2.0/24\", \"2001:db8::/64\"]";
  for (const auto& [rule, what] :
       {std::pair(absl::StrCat("targets: SCRIPTED interfaces: \"memory\" ", kAll),
                  "targets: STACK"),
        std::pair(absl::StrCat("targets: STACK interfaces: \"veth\" ", kAll),
                  "interfaces: \"memory\""),
        std::pair(
            std::string("targets: STACK interfaces: \"memory\" prefixes: \"198.51.100.0/24\""),
            "prefixes that hold 192.0.2.1/24")}) {
    const grpc::Status status = refusal(absl::StrCat("client { name: \"ci\" ", rule, " }"));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_THAT(status.error_message(), HasSubstr(what));
    // A Drive stream is no way around it.
    Call call;
    const auto drive = ci.drive->Drive(&call);
    v1::Command command;
    command.set_operation(1);
    command.mutable_attach()->set_session(id);
    drive->Write(command);
    v1::Report report;
    EXPECT_FALSE(drive->Read(&report));
    EXPECT_EQ(drive->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
  }
  const std::string allowed = absl::StrCat("targets: STACK interfaces: \"memory\" ", kAll);
  const grpc::Status full =
      refusal(absl::StrCat("client { name: \"ci\" ", allowed, " quota { connections: 1 } }"));
  EXPECT_EQ(full.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << full.error_message();
  EXPECT_TRUE(refusal(absl::StrCat("client { name: \"ci\" ", allowed, " }")).ok());
  // Who may no longer use it may still end it.
  EXPECT_FALSE(refusal("client { name: \"ci\" }").ok());
  EXPECT_TRUE(ci.remove(id).ok());
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreToldAtTheStart) {
  const auto refusal = [](const TlsOptions& tls) {
    const auto daemon =
        Daemon::start({.listen = {*parse_listen_address("127.0.0.1:0")}, .tls = tls});
    EXPECT_EQ(daemon.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(daemon.status().message());
  };
  TlsOptions tls = tls_options();
  tls.certificate = "/nonexistent";
  EXPECT_EQ(refusal(tls), "--tls-cert /nonexistent: No such file or directory");
  tls = tls_options();
  tls.key = folder_ + "/good/ci.key";
  EXPECT_THAT(refusal(tls), HasSubstr("is not the key of the certificate in"));
  tls.key = tls.certificate;
  EXPECT_THAT(refusal(tls), HasSubstr("holds no private key without a password as PEM"));
  tls = tls_options();
  tls.client_ca = tls.key;
  EXPECT_THAT(refusal(tls), AllOf(HasSubstr("--tls-client-ca"), HasSubstr("holds no certificate")));
  tls = tls_options();
  tls.rules = tls.key;
  EXPECT_THAT(refusal(tls), HasSubstr("--client-rules"));
  const auto no_listener = Daemon::start({.listen = {}, .tls = tls_options()});
  EXPECT_THAT(std::string(no_listener.status().message()), HasSubstr("no --listen ADDRESS:PORT"));
  const auto both = Daemon::start({.listen = {*parse_listen_address("127.0.0.1:0")},
                                   .tls = tls_options(),
                                   .insecure_listen = true});
  EXPECT_THAT(std::string(both.status().message()), HasSubstr("contradicts"));
}

}  // namespace
}  // namespace tcproctor::server
