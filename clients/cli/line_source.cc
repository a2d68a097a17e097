// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/line_source.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <iostream>
#include <utility>

#include "clients/cli/interrupt.h"

namespace tcproctor::cli {
namespace {

constexpr int kIdle_ms = 300;

}  // namespace

LineSource::LineSource(std::istream& in)
    : in_(in), standard_(&in == &std::cin), terminal_(standard_ && isatty(STDIN_FILENO) == 1) {}

std::optional<std::string> LineSource::next(const std::function<void()>& idle) {
  if (!standard_) {
    std::string line;
    if (!std::getline(in_, line)) return std::nullopt;
    return line;
  }
  while (!Interrupt::noted()) {
    if (std::optional<std::string> line = buffered()) return line;
    if (ended_) return std::nullopt;
    ended_ = !read_more(idle);
  }
  return std::nullopt;
}

// A line that has come; at the end of the input the rest of it.
std::optional<std::string> LineSource::buffered() {
  const size_t end = buffer_.find('\n');
  if (end == std::string::npos && (!ended_ || buffer_.empty())) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end == std::string::npos ? end : end + 1);
  return line;
}

// False: there is no more.
bool LineSource::read_more(const std::function<void()>& idle) {
  pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  const int ready = poll(&wait, 1, kIdle_ms);
  if (ready == 0 && terminal_) idle();
  if (ready <= 0) return true;
  std::array<char, 4096> chunk;
  const ssize_t count = read(STDIN_FILENO, chunk.data(), chunk.size());
  if (count > 0) buffer_.append(chunk.data(), static_cast<size_t>(count));
  return count > 0;
}

}  // namespace tcproctor::cli
