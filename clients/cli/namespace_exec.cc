// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/namespace_exec.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::cli {
namespace {

class File {
 public:
  explicit File(int fd = -1) : fd_(fd) {}
  ~File() { reset(); }
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

absl::StatusOr<File> open_namespace(const std::string& path, const char* kind) {
  File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() >= 0) return file;
  const int error = errno;
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(absl::StrCat("not allowed to open the end's ", kind,
                                                    " namespace ", path, ": ", std::strerror(error),
                                                    "; be root, or the user the daemon runs as"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the end's ", kind, " namespace ", path, " is not here: ", std::strerror(error),
                   "; session exec works on the daemon's own machine, outside other containers"));
}

// A process with the daemon's pid on this machine may have that path too.
absl::Status check_inode(const File& file, uint64_t inode, const std::string& path) {
  struct stat info = {};
  if (inode == 0 || (fstat(file.get(), &info) == 0 && info.st_ino == inode))
    return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path,
                   " is not the end's namespace; is the daemon on another machine, or did the "
                   "session end?"));
}

// What the child reports when it cannot become the program: a step and errno.
enum Step : int { kUserNamespace = 1, kNetworkNamespace, kExec };
struct Trouble {
  int step;
  int error;
};

struct Plan {
  int user_namespace;
  int network_namespace;
  int trouble_pipe;
  pid_t parent;
  char* const* arguments;
};

// Only system calls: the parent has threads of gRPC, and the child has none of them.
[[noreturn]] void become(const Plan& plan) {
  Trouble trouble = {};
  if (plan.user_namespace >= 0 && setns(plan.user_namespace, CLONE_NEWUSER) != 0)
    trouble = {kUserNamespace, errno};
  else if (setns(plan.network_namespace, CLONE_NEWNET) != 0)
    trouble = {kNetworkNamespace, errno};
  if (trouble.step == 0) {
    // After setns: a change of credentials clears it.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    if (getppid() == plan.parent) execvp(plan.arguments[0], plan.arguments);
    trouble = {kExec, errno};
  }
  const ssize_t ignored = write(plan.trouble_pipe, &trouble, sizeof(trouble));
  static_cast<void>(ignored);
  _exit(127);
}

absl::Status describe(const Trouble& trouble, const std::string& program) {
  const std::string why = std::strerror(trouble.error);
  switch (trouble.step) {
    case kExec:
      return absl::NotFoundError(absl::StrCat(program, ": ", why));
    case kUserNamespace:
      return absl::PermissionDeniedError(absl::StrCat(
          "cannot enter the daemon's user namespace: ", why, "; be the user the daemon runs as"));
    default:
      return absl::PermissionDeniedError(absl::StrCat(
          "cannot enter the end's network namespace: ", why, "; it takes CAP_SYS_ADMIN (root)"));
  }
}

int wait_for(pid_t child, int period_ms, const std::function<void()>& keep_alive) {
  // glibc 2.36 has no wrapper in every build; the number is the same everywhere.
  const File watch(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  while (true) {
    pollfd ended = {.fd = watch.get(), .events = POLLIN};
    if (poll(&ended, 1, period_ms) == 1) break;
    keep_alive();
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

absl::StatusOr<int> exec_in_namespace(const v1::EndInfo& end,
                                      const std::vector<std::string>& command, int period_ms,
                                      const std::function<void()>& keep_alive) {
  if (end.namespace_path().empty()) {
    return absl::FailedPreconditionError(
        "this end has no network namespace of its own (it is on a memory link)");
  }
  absl::StatusOr<File> network = open_namespace(end.namespace_path(), "network");
  if (!network.ok()) return network.status();
  if (absl::Status status = check_inode(*network, end.namespace_inode(), end.namespace_path());
      !status.ok())
    return status;
  File user;
  if (!end.user_namespace_path().empty()) {
    absl::StatusOr<File> opened = open_namespace(end.user_namespace_path(), "user");
    if (!opened.ok()) return opened.status();
    user = *std::move(opened);
  }

  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> ends = {};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return absl::ResourceExhaustedError(absl::StrCat("pipe: ", std::strerror(errno)));
  File reading(ends[0]);
  File writing(ends[1]);
  // The program decides what Ctrl-C means.
  signal(SIGINT, SIG_IGN);
  signal(SIGQUIT, SIG_IGN);
  const Plan plan = {user.get(), network->get(), writing.get(), getpid(), arguments.data()};
  const pid_t child = fork();
  if (child == 0) become(plan);
  if (child < 0) return absl::ResourceExhaustedError(absl::StrCat("fork: ", std::strerror(errno)));
  writing.reset();
  Trouble trouble = {};
  // End of file when the program runs: the pipe was closed by exec.
  const bool failed = read(reading.get(), &trouble, sizeof(trouble)) == sizeof(trouble);
  const int status = wait_for(child, period_ms, keep_alive);
  signal(SIGINT, SIG_DFL);
  signal(SIGQUIT, SIG_DFL);
  if (failed) return describe(trouble, command[0]);
  return status;
}

}  // namespace tcproctor::cli
