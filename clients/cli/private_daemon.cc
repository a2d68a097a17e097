// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/private_daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace tcproctor::cli {
namespace {

namespace fs = std::filesystem;

// Folders are named tcproctor-run-PID-RANDOM, so that those of dead processes can be told.
constexpr char kFolderPrefix[] = "tcproctor-run-";

bool is_alive(pid_t pid) {
  return kill(pid, 0) == 0 || errno == EPERM;
}

void remove_folders_of_the_dead(const fs::path& parent) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
    const std::string name = entry.path().filename();
    if (!absl::StartsWith(name, kFolderPrefix)) continue;
    struct stat info = {};
    if (lstat(entry.path().c_str(), &info) != 0 || info.st_uid != geteuid()) continue;
    const std::vector<std::string> parts =
        absl::StrSplit(name.substr(std::strlen(kFolderPrefix)), '-');
    pid_t pid = 0;
    if (!absl::SimpleAtoi(parts[0], &pid) || is_alive(pid)) continue;
    std::error_code ignored;  // another process may be removing it too
    fs::remove_all(entry.path(), ignored);
  }
}

absl::StatusOr<std::string> find_program(const std::string& program) {
  std::error_code error;
  const fs::path path = program.empty()
                            ? fs::read_symlink("/proc/self/exe", error).parent_path() / "tcproctord"
                            : fs::path(program);
  if (access(path.c_str(), X_OK) == 0) return path.string();
  return absl::NotFoundError(
      absl::StrCat("no daemon to start: ", path.string(), ": ", std::strerror(errno),
                   "; name one with --daemon, or a running one with --address"));
}

std::string by_signal(int status) {
  return WIFSIGNALED(status) ? absl::StrCat(" by signal ", WTERMSIG(status)) : "";
}

// Between fork and exec only calls that are safe after a fork of a threaded process.
[[noreturn]] void exec_daemon(char* const* arguments, int log) {
  // Ctrl-C is for the command, which ends the daemon when it has said what was done.
  setpgid(0, 0);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  // An ignored SIGPIPE would be inherited.
  signal(SIGPIPE, SIG_DFL);
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateDaemon>> PrivateDaemon::start(const std::string& program,
                                                                    absl::Duration timeout) {
  const absl::StatusOr<std::string> path = find_program(program);
  if (!path.ok()) return path.status();
  const char* const temporary = std::getenv("TMPDIR");
  const fs::path parent = temporary && *temporary ? temporary : "/tmp";
  remove_folders_of_the_dead(parent);
  std::string folder = parent / absl::StrCat(kFolderPrefix, getpid(), "-XXXXXX");
  if (!mkdtemp(folder.data())) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make a folder in ", parent.string(), ": ", std::strerror(errno)));
  }
  std::unique_ptr<PrivateDaemon> daemon(new PrivateDaemon(folder));
  absl::Status status = daemon->spawn(*path);
  if (status.ok()) status = daemon->wait_until_listening(timeout);
  if (!status.ok()) return status;
  return daemon;
}

absl::Status PrivateDaemon::spawn(const std::string& program) {
  const int log = open(log_path().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0)
    return absl::FailedPreconditionError(absl::StrCat(log_path(), ": ", std::strerror(errno)));
  std::string listen = absl::StrCat("--listen=", address());
  std::string name = program;
  std::string die = "--exit_with_parent";
  std::string with = absl::StrCat("--parent_pid=", getpid());
  char* const arguments[] = {name.data(), listen.data(), die.data(), with.data(), nullptr};
  pid_ = fork();
  if (pid_ == 0) exec_daemon(arguments, log);
  const int error = errno;
  ::close(log);
  if (pid_ < 0) return absl::ResourceExhaustedError(absl::StrCat("fork: ", std::strerror(error)));
  return absl::OkStatus();
}

absl::Status PrivateDaemon::wait_until_listening(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  sockaddr_un address = {.sun_family = AF_UNIX};
  const std::string path = socket_path();
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is too long for a socket; set TMPDIR to a shorter path"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  while (absl::Now() < deadline) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      const std::string last = said();
      return absl::FailedPreconditionError(
          absl::StrCat("the daemon ended at once", by_signal(status),
                       last.empty() ? " and said nothing" : ": ", last));
    }
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool listens =
        connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    ::close(probe);
    if (listens) return absl::OkStatus();
    absl::SleepFor(absl::Milliseconds(2));
  }
  return absl::DeadlineExceededError(
      absl::StrCat("the daemon did not listen within ", absl::FormatDuration(timeout)));
}

std::string PrivateDaemon::said() const {
  std::ifstream log(log_path());
  return {std::istreambuf_iterator<char>(log), {}};
}

std::string PrivateDaemon::death() {
  int status = 0;
  if (pid_ < 0 || waitpid(pid_, &status, WNOHANG) != pid_) return "";
  pid_ = -1;
  constexpr size_t kLastWords = 2000;
  std::string last = said();
  if (last.size() > kLastWords) last.erase(0, last.size() - kLastWords);
  return absl::StrCat("the daemon ended in mid-run", by_signal(status),
                      last.empty() ? " and said nothing" : "; its last words:\n", last, "\n");
}

PrivateDaemon::~PrivateDaemon() {
  if (pid_ > 0) {
    kill(pid_, SIGTERM);
    const absl::Time deadline = absl::Now() + absl::Seconds(5);
    pid_t ended = 0;
    while ((ended = waitpid(pid_, nullptr, WNOHANG)) == 0 && absl::Now() < deadline)
      absl::SleepFor(absl::Milliseconds(2));
    if (ended == 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  std::error_code ignored;  // nobody to tell; the next start removes what is left
  fs::remove_all(folder_, ignored);
}

absl::StatusOr<client::Client> connect_or_start(const Context& context, const std::string& program,
                                                std::unique_ptr<PrivateDaemon>& daemon) {
  if (context.daemon_named()) return context.connect();
  absl::StatusOr<std::unique_ptr<PrivateDaemon>> started = PrivateDaemon::start(program);
  if (!started.ok()) return started.status();
  daemon = *std::move(started);
  return client::Client::connect(daemon->address());
}

std::string PrivateDaemon::socket_path() const {
  return folder_ + "/socket";
}
std::string PrivateDaemon::log_path() const {
  return folder_ + "/log";
}
std::string PrivateDaemon::address() const {
  return absl::StrCat("unix:", socket_path());
}

}  // namespace tcproctor::cli
