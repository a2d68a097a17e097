// SPDX-License-Identifier: Apache-2.0
// The daemon as a process: how it starts, ends, and what is left when it is killed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "server/host/offload.h"
#include "server/host/packet_filter_testing.h"
#include "server/host/two_kernels_testing.h"
#include "server/service/service_testing.h"

namespace tcproctor::server {
namespace {

using ::testing::HasSubstr;

// One tcproctord, its output in a file.
class Process {
 public:
  Process(const std::string& folder, std::vector<std::string> arguments,
          const std::string& program = TCPROCTORD)
      : output_(folder + "/out-" + std::to_string(++count)) {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    arguments.insert(arguments.begin(), program);
    arguments.push_back("--ready-fd=" + std::to_string(ready[1]));
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      const int out = open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(out, STDOUT_FILENO);
      dup2(out, STDERR_FILENO);
      close(ready[0]);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(ready[1]);
    char buffer[512];
    for (ssize_t n; (n = read(ready[0], buffer, sizeof buffer)) > 0;) {
      ready_line_.append(buffer, static_cast<size_t>(n));
    }
    close(ready[0]);
  }
  ~Process() {
    if (pid_ > 0) end(SIGKILL);
  }

  pid_t pid() const { return pid_; }
  // Empty when it did not come to serve.
  const std::string& ready_line() const { return ready_line_; }
  std::string output() const {
    std::ifstream file(output_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Its wait status after the signal (0: none is sent).
  int end(int signal) {
    if (signal != 0) kill(pid_, signal);
    int status = -1;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  static inline int count = 0;
  const std::string output_;
  std::string ready_line_;
  pid_t pid_ = -1;
};

template <typename Base>
class WithDaemons : public Base {
 protected:
  WithDaemons() {
    std::string name = ::testing::TempDir() + "tcproctord-XXXXXX";
    folder_ = mkdtemp(name.data());
    listen_ = "unix:" + folder_ + "/d.sock";
  }
  ~WithDaemons() override { std::filesystem::remove_all(folder_); }

  Stubs stubs() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return Stubs(grpc::CreateCustomChannel(listen_, grpc::InsecureChannelCredentials(), arguments));
  }

  std::string folder_;
  std::string listen_;
};
using DaemonProcessTest = WithDaemons<testing::RootTest>;

TEST_F(DaemonProcessTest, SaysWhereItListensAndEndsOrderly) {
  Process daemon(folder_, {"--listen=" + listen_ + ",127.0.0.1:0", "--insecure-listen"});
  EXPECT_THAT(daemon.ready_line(), HasSubstr("listening on " + listen_ + ", 127.0.0.1:"));
  EXPECT_EQ(stubs().list_sessions().sessions_size(), 0);
  EXPECT_EQ(daemon.end(SIGTERM), 0);
  EXPECT_THAT(daemon.output(), HasSubstr("listening on " + listen_));
  EXPECT_THAT(daemon.output(), HasSubstr("WITHOUT TLS: everybody who reaches it"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/d.sock"));
}

TEST_F(DaemonProcessTest, TheSecondOnASocketSaysWhy) {
  Process first(folder_, {"--listen=" + listen_});
  ASSERT_FALSE(first.ready_line().empty()) << first.output();
  Process second(folder_, {"--listen=" + listen_});
  EXPECT_EQ(second.ready_line(), "");
  EXPECT_EQ(WEXITSTATUS(second.end(0)), 1);
  EXPECT_THAT(second.output(), HasSubstr("another tcproctord is running on " + listen_));
  EXPECT_EQ(stubs().list_sessions().sessions_size(), 0);
}

TEST_F(DaemonProcessTest, AWrongFlagIsExplained) {
  Process daemon(folder_, {"--listen=nowhere"});
  EXPECT_EQ(WEXITSTATUS(daemon.end(0)), 2);
  EXPECT_THAT(daemon.output(), HasSubstr("unix:PATH"));
}

TEST_F(DaemonProcessTest, EndsWithItsParent) {
  int go_on[2];
  ASSERT_EQ(pipe(go_on), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    Process daemon(folder_, {"--listen=" + listen_, "--exit-with-parent"});
    char go = 0;
    if (read(go_on[0], &go, 1) != 1) _exit(1);
    _exit(daemon.ready_line().empty() ? 1 : 0);  // without the destructor, which would end it
  }
  EXPECT_TRUE(testing::eventually([&] { return std::filesystem::exists(folder_ + "/d.sock"); }));
  EXPECT_EQ(stubs().list_sessions().sessions_size(), 0);
  ASSERT_EQ(write(go_on[1], "x", 1), 1);
  int status = -1;
  waitpid(parent, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(testing::eventually([&] { return !std::filesystem::exists(folder_ + "/d.sock"); }));
}

TEST_F(DaemonProcessTest, DoesNotOutliveAParentThatEndedBeforeItCouldAsk) {
  int report[2];
  ASSERT_EQ(pipe(report), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    const std::string parent_pid = "--parent-pid=" + std::to_string(getpid());
    const pid_t self = getpid();
    const pid_t daemon = fork();
    if (daemon != 0) _exit(write(report[1], &daemon, sizeof daemon) == sizeof daemon ? 0 : 1);
    while (getppid() == self) usleep(1000);
    const std::string listen = "--listen=" + listen_;
    execl(TCPROCTORD, TCPROCTORD, listen.c_str(), "--exit-with-parent", parent_pid.c_str(),
          nullptr);
    _exit(127);
  }
  close(report[1]);
  pid_t daemon = 0;
  ASSERT_EQ(read(report[0], &daemon, sizeof daemon), static_cast<ssize_t>(sizeof daemon));
  waitpid(parent, nullptr, 0);
  // The daemon holds the other end of the pipe: end of file is its end.
  pollfd end{.fd = report[0], .events = POLLIN, .revents = 0};
  const bool ended = poll(&end, 1, 10'000) == 1;
  EXPECT_TRUE(ended) << "it lives on";
  if (!ended) kill(daemon, SIGKILL);
  close(report[0]);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/d.sock"));
}

// --- capabilities ---

constexpr uint64_t kKept = 1ULL << CAP_NET_ADMIN | 1ULL << CAP_NET_RAW;

// A line of /proc/PID/status, e.g. "CapEff", as a number.
uint64_t capabilities(const std::filesystem::path& process, const std::string& name) {
  std::ifstream status(process / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1), nullptr, 16);
  }
  ADD_FAILURE() << process << " has no " << name;
  return ~uint64_t{0};
}

std::filesystem::path process(pid_t pid) {
  return "/proc/" + std::to_string(pid);
}

// The daemon's only child.
pid_t broker_of(pid_t daemon) {
  std::ifstream list(process(daemon) / "task" / std::to_string(daemon) / "children");
  pid_t first = 0, second = 0;
  list >> first >> second;
  EXPECT_GT(first, 0);
  EXPECT_EQ(second, 0);
  return first;
}

TEST_F(DaemonProcessTest, HasTwoCapabilitiesAndItsBrokerTheThird) {
  Process daemon(folder_, {"--listen=" + listen_});
  ASSERT_FALSE(daemon.ready_line().empty()) << daemon.output();
  int threads = 0;
  for (const auto& task : std::filesystem::directory_iterator(process(daemon.pid()) / "task")) {
    for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) {
      EXPECT_EQ(capabilities(task.path(), set), kKept) << set << " of " << task.path();
    }
    for (const char* set : {"CapInh", "CapAmb"}) EXPECT_EQ(capabilities(task.path(), set), 0u);
    EXPECT_EQ(capabilities(task.path(), "NoNewPrivs"), 1u);
    ++threads;
  }
  EXPECT_GT(threads, 1);
  const std::filesystem::path broker = process(broker_of(daemon.pid()));
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) {
    EXPECT_EQ(capabilities(broker, set),
              kKept | 1ULL << CAP_SYS_ADMIN | 1ULL << CAP_NET_BIND_SERVICE)
        << set;
  }

  // It is enough for every kind of session.
  Stubs client = stubs();
  for (const v1::LinkKind link : {v1::LINK_KIND_VETH, v1::LINK_KIND_TUN}) {
    for (const bool stack : {true, false}) {
      v1::CreateSessionRequest request;
      if (stack) {
        request.mutable_a()->mutable_stack();
      } else {
        request.mutable_a()->mutable_kernel();
      }
      request.mutable_b()->mutable_kernel();
      request.mutable_wire()->set_link(link);
      const v1::Session session = client.create(request);
      const uint64_t listener = client.listen(session.id(), v1::END_B, 80).connection();
      const uint64_t one = client.connect(session.id(), v1::END_A, "192.0.2.2", 80).connection();
      const uint64_t other = client.accept(session.id(), listener).connection();
      client.send(session.id(), one, "hello");
      EXPECT_EQ(client.receive(session.id(), other, 5).data(), "hello");
      EXPECT_TRUE(client.remove(session.id()).ok());
    }
  }
}

// Its right to such a port ends with the others otherwise.
TEST_F(DaemonProcessTest, ListensBelow1024) {
  Process daemon(folder_, {"--listen=127.0.0.1:1021", "--insecure-listen"});
  EXPECT_THAT(daemon.ready_line(), HasSubstr("listening on 127.0.0.1:1021")) << daemon.output();
  EXPECT_EQ(capabilities(process(daemon.pid()), "CapEff"), kKept | 1ULL << CAP_NET_BIND_SERVICE);
}

// As in a container to which it was not given.
TEST_F(DaemonProcessTest, NamesACapabilityThatWasTakenAwayAndGoesOnInMemory) {
  for (const auto& [taken, name] : {std::pair{"-net_raw", "missing CAP_NET_RAW"},
                                    std::pair{"-net_admin", "missing CAP_NET_ADMIN"}}) {
    Process daemon(folder_,
                   {std::string("--bounding-set=") + taken, TCPROCTORD, "--listen=" + listen_},
                   "/usr/bin/setpriv");
    ASSERT_FALSE(daemon.ready_line().empty()) << daemon.output();
    Stubs client = stubs();
    v1::ServerInfo info;
    Call info_call;
    ASSERT_TRUE(client.sessions->GetServerInfo(&info_call, {}, &info).ok());
    for (const char* capability : {"end.kernel", "link.veth", "link.tun", "link.interface"}) {
      EXPECT_THAT(info.missing().at(capability), HasSubstr(name)) << capability;
    }
    v1::CreateSessionRequest request;
    request.mutable_a()->mutable_stack();
    request.mutable_b()->mutable_kernel();
    v1::Session session;
    Call call;
    const grpc::Status status = client.sessions->CreateSession(&call, request, &session);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    EXPECT_THAT(status.error_message(), HasSubstr(name));
    EXPECT_FALSE(client.create(memory_pair()).id().empty());
  }
}

TEST_F(DaemonProcessTest, SaysThatItsBrokerEndedAndGoesOnInMemory) {
  Process daemon(folder_, {"--listen=" + listen_});
  ASSERT_FALSE(daemon.ready_line().empty()) << daemon.output();
  Stubs client = stubs();
  v1::CreateSessionRequest request;
  request.mutable_a()->mutable_stack();
  request.mutable_b()->mutable_kernel();
  const v1::Session before = client.create(request);
  ASSERT_EQ(kill(broker_of(daemon.pid()), SIGKILL), 0);
  v1::Session session;
  Call call;
  const grpc::Status status = client.sessions->CreateSession(&call, request, &session);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("namespace broker ended"));
  v1::OpenRequest open;
  open.set_session(before.id());
  open.set_end(v1::END_B);
  open.mutable_local()->set_port(80);
  v1::OpenResponse opened;
  Call open_call;
  const grpc::Status said = client.endpoint->Open(&open_call, open, &opened);
  EXPECT_EQ(said.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(said.error_message(), HasSubstr("namespace broker ended"));
  EXPECT_TRUE(client.remove(before.id()).ok());
  v1::ServerInfo info;
  Call info_call;
  EXPECT_TRUE(client.sessions->GetServerInfo(&info_call, {}, &info).ok());
  EXPECT_THAT(info.missing().at("end.kernel"), HasSubstr("namespace broker ended"));
  EXPECT_FALSE(client.create(memory_pair()).id().empty());
  EXPECT_EQ(daemon.end(SIGTERM), 0);
}

// --- kill -9 ---

// Ties a device in a namespace of the test to a namespace of the daemon: it vanishes when the
// kernel has freed the daemon's namespace, and not before, whatever kept it alive.
void tie_device(const NetworkNamespace& watcher, const std::string& namespace_path,
                const std::string& name) {
  std::thread([&] {
    const UniqueFd ns(open(namespace_path.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(ns.valid()) << namespace_path;
    ASSERT_EQ(setns(ns.get(), CLONE_NEWNET), 0);
    const auto inside = NetworkNamespace::current();
    ASSERT_TRUE(inside.ok());
    InterfaceSpec spec;
    spec.name = name;
    const absl::StatusOr<VethPair> pair = create_veth(**inside, spec, watcher, spec);
    ASSERT_TRUE(pair.ok()) << pair.status();
  }).join();
}

bool is_there(const NetworkNamespace& watcher, const std::string& name) {
  return offloads_on(watcher, name).ok();
}

std::vector<std::string> devices_of_the_machine() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/net")) {
    names.push_back(entry.path().filename());
  }
  return names;
}

TEST_F(DaemonProcessTest, KillInTheMidstOfWorkLeavesNothing) {
  const std::vector<std::string> devices = devices_of_the_machine();
  const std::unique_ptr<NetworkNamespace> watcher = *NetworkNamespace::create();
  Process daemon(folder_, {"--listen=" + listen_});
  ASSERT_FALSE(daemon.ready_line().empty()) << daemon.output();
  std::vector<std::string> tied;
  {
    const Stubs served = stubs();
    Stubs& client = const_cast<Stubs&>(served);
    for (const auto& [a, link] :
         {std::pair("stack", v1::LINK_KIND_VETH), std::pair("kernel", v1::LINK_KIND_VETH),
          std::pair("stack", v1::LINK_KIND_TUN)}) {
      v1::CreateSessionRequest request;
      if (std::string(a) == "stack") {
        request.mutable_a()->mutable_stack();
      } else {
        request.mutable_a()->mutable_kernel();
      }
      request.mutable_b()->mutable_kernel();
      request.mutable_wire()->set_link(link);
      const v1::Session session = client.create(request);
      // Data on their way, a connection waiting for ACCEPT, one released with data unacknowledged.
      const uint64_t listener = client.listen(session.id(), v1::END_B, 80).connection();
      const uint64_t one = client.connect(session.id(), v1::END_A, "192.0.2.2", 80).connection();
      client.connect(session.id(), v1::END_A, "192.0.2.2", 80);
      const uint64_t accepted = client.accept(session.id(), listener).connection();
      client.serve(session.id(), one, v1::SERVICE_KIND_SOURCE, uint64_t{1} << 40);
      client.serve(session.id(), accepted, v1::SERVICE_KIND_SINK);
      tied.push_back("watch" + std::to_string(tied.size()));
      tie_device(*watcher, session.b().namespace_path(), tied.back());
    }
  }
  for (const std::string& name : tied) ASSERT_TRUE(is_there(*watcher, name)) << name;

  EXPECT_TRUE(WIFSIGNALED(daemon.end(SIGKILL)));
  for (const std::string& name : tied) {
    EXPECT_TRUE(
        testing::eventually([&] { return !is_there(*watcher, name); }, std::chrono::seconds(5)))
        << "the namespace of " << name << " is still alive";
  }
  EXPECT_EQ(devices_of_the_machine(), devices);

  // The stale socket does not keep the next one from starting.
  Process next(folder_, {"--listen=" + listen_});
  EXPECT_THAT(next.ready_line(), HasSubstr(listen_)) << next.output();
  EXPECT_EQ(stubs().list_sessions().sessions_size(), 0);
}

// Daemons in b, where wire0 is their interface of the machine.
class DaemonOnAnInterfaceTest : public WithDaemons<testing::TwoKernels> {
 protected:
  std::unique_ptr<Process> start(std::vector<std::string> flags = {}) {
    flags.insert(flags.end(), {"--listen=" + listen_, "--interface=wire0"});
    std::unique_ptr<Process> daemon;
    EXPECT_TRUE(testing::run_in(*b_, [&] {
                  daemon = std::make_unique<Process>(folder_, flags);
                  return absl::OkStatus();
                }).ok());
    EXPECT_THAT(daemon->ready_line(), HasSubstr(listen_)) << daemon->output();
    return daemon;
  }
  // Whether b's kernel answers a SYN to a port where nobody listens.
  bool is_refused(uint16_t port) {
    KernelSocket socket = make(*a_);
    EXPECT_EQ(socket.connect(testing::at("192.0.2.2", port)).outcome, tcp::Outcome::kWouldBlock);
    pollfd request{socket.fd(), POLLOUT, 0};
    return ::poll(&request, 1, 300) == 1;
  }
  std::vector<std::string> tables() const { return testing::filter_tables_in(*b_); }
};

TEST_F(DaemonOnAnInterfaceTest, OffloadsAreSwitchedOffIfAskedFor) {
  const std::string offload = "tx-checksum-ip-generic";
  ASSERT_TRUE(set_feature(*b_, "wire0", offload, true).ok());
  start()->end(SIGTERM);
  EXPECT_THAT(*offloads_on(*b_, "wire0"), ::testing::ElementsAre(offload));
  start({"--disable-offloads"})->end(SIGTERM);
  EXPECT_THAT(*offloads_on(*b_, "wire0"), ::testing::IsEmpty());
}

TEST_F(DaemonOnAnInterfaceTest, EveryEndGivesSharedPortsBack) {
  v1::CreateSessionRequest request;
  request.mutable_a()->mutable_stack();
  request.mutable_b()->mutable_remote();
  request.mutable_wire()->set_link(v1::LINK_KIND_INTERFACE);
  v1::PortRange& ports = *request.mutable_wire()->mutable_interface()->mutable_shared_ports();
  ports.set_first(7000);
  ports.set_last(7009);
  for (const int signal : {SIGTERM, SIGKILL}) {
    SCOPED_TRACE(strsignal(signal));
    const std::unique_ptr<Process> daemon = start();
    stubs().create(request);
    EXPECT_EQ(tables().size(), 1u);
    EXPECT_TRUE(is_refused(7010));
    daemon->end(signal);
    EXPECT_TRUE(testing::eventually([&] { return tables().empty(); }));
    EXPECT_TRUE(is_refused(7000));
  }
}

// On a kernel that does not do it itself.
TEST_F(DaemonOnAnInterfaceTest, TheNextStartRemovesTheFilterOfAKilledDaemon) {
  const QuietPorts ports = {
      .addresses = {testing::ip("192.0.2.2")}, .first_port = 7000, .last_port = 7009, .mark = 1};
  testing::FilteringProcess other(*b_, false, ports);
  other.kill_it();
  ASSERT_EQ(tables().size(), 1u);
  EXPECT_FALSE(is_refused(7000));
  const std::unique_ptr<Process> daemon = start();
  EXPECT_TRUE(tables().empty());
  EXPECT_TRUE(is_refused(7000));
  EXPECT_THAT(daemon->output(), HasSubstr("removed nf_tables table tcproctor-"));
}

// --- without root ---

TEST_F(DaemonProcessTest, AnUnprivilegedUserGetsANamespaceOfHisOwnOrAReason) {
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  // The build may lie where only root can look.
  const std::string program = folder_ + "/tcproctord";
  ASSERT_TRUE(std::filesystem::copy_file(TCPROCTORD, program));
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(100);
    Process daemon(folder_, {"--listen=" + listen_}, program);
    if (daemon.ready_line().empty()) _exit(101);
    const std::string said = daemon.output();
    const bool explained = said.find("user namespace of its own") != std::string::npos ||
                           said.find("only sessions in memory") != std::string::npos;
    _exit(explained && daemon.end(SIGTERM) == 0 ? 0 : 102);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace tcproctor::server
