// SPDX-License-Identifier: Apache-2.0
// Lines that a person types, or that a file holds.
#pragma once

#include <functional>
#include <istream>
#include <optional>
#include <string>

namespace tcproctor::cli {

class LineSource {
 public:
  // Standard input is read past the stream's buffer: a signal has to be noticed while nothing
  // comes.
  explicit LineSource(std::istream& in);

  // Whether somebody types them.
  bool at_terminal() const { return terminal_; }
  // The next line without its end; nothing at the end, or after SIGINT (see Interrupt). `idle` is
  // called a few times a second while a terminal is waited for.
  std::optional<std::string> next(const std::function<void()>& idle);

 private:
  std::optional<std::string> buffered();
  bool read_more(const std::function<void()>& idle);

  std::istream& in_;
  const bool standard_;
  const bool terminal_;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace tcproctor::cli
