// SPDX-License-Identifier: Apache-2.0
// The shell commands that scripts of packetdrill's dialect make. They are recognised and never
// executed: each becomes settings of the session, or a question about its counters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tcproctor::conformance {

// net.ipv4.tcp_sack = 1; module.tcp_cubic.hystart_detect = 3
struct ShellSetting {
  std::string name;
  std::string value;
  bool optional = false;  // the command does not mind if the kernel has no such setting
};
// From now on counters are counted from here (nstat -n, nstat).
struct ShellBaseline {};
// A counter has grown by that much since the baseline; nothing: by anything.
struct ShellCounter {
  std::string name;
  int64_t grown = -1;
  bool moves_baseline = false;
};
// Somebody listens on that port.
struct ShellListener {
  uint32_t port = 0;
};
// A file of so many zero octets has that name.
struct ShellFile {
  std::string name;
  uint32_t octets = 0;
};
// MTU of the script's device.
struct ShellMtu {
  uint32_t mtu = 0;
};
// The script's device cuts no segments and finishes no checksums.
struct ShellNoOffloads {};
// A queueing discipline of the script's device; empty: the default.
struct ShellQueue {
  std::string kind;
  std::optional<uint32_t> limit;
};
// What TCP has learnt of its peers is forgotten.
struct ShellForget {};
struct ShellUnknown {
  std::string command;
};

using ShellAction =
    std::variant<ShellSetting, ShellBaseline, ShellCounter, ShellListener, ShellFile, ShellMtu,
                 ShellNoOffloads, ShellQueue, ShellForget, ShellUnknown>;

// What the command asks for, in order; commands that ask for nothing here (restoring settings)
// leave nothing.
std::vector<ShellAction> recognise_shell(std::string_view command);

}  // namespace tcproctor::conformance
