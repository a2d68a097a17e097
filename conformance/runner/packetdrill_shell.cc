// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/packetdrill_shell.h"

#include <array>
#include <functional>
#include <optional>
#include <regex>
#include <utility>

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using Actions = std::vector<ShellAction>;

// What `defaults.sh` stands for, in either collection of scripts.
constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
    {"tcp_rmem", "4096 540000 15728640"},
    {"tcp_wmem", "4096 262144 4194304"},
    {"tcp_timestamps", "1"},
    {"tcp_syn_retries", "5"},
    {"tcp_synack_retries", "5"},
    {"tcp_frto", "2"},
    {"tcp_sack", "1"},
    {"tcp_dsack", "1"},
    {"tcp_fack", "0"},
    {"tcp_reordering", "3"},
    {"tcp_congestion_control", "cubic"},
    {"tcp_slow_start_after_idle", "0"},
    {"tcp_early_retrans", "4"},
    {"tcp_recovery", "1"},
    {"tcp_tso_win_divisor", "3"},
    {"tcp_ecn", "0"},
    {"tcp_ecn_option", "2"},
    {"tcp_pacing_ss_ratio", "200"},
    {"tcp_pacing_ca_ratio", "120"},
    {"tcp_notsent_lowat", "4294967295"},
    {"tcp_fastopen", "0x70403"},
    {"tcp_fastopen_key", "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4"},
    {"tcp_syncookies", "1"},
};

// Words of a simple command: blanks separate, double quotes hold together, redirections go.
std::vector<std::string> words_of(std::string_view command) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, begun = false;
  const auto flush = [&] {
    if (begun) words.push_back(std::exchange(word, ""));
    begun = false;
  };
  for (const char c : command) {
    if (c == '"') {
      quoted = !quoted;
      begun = true;
    } else if (!quoted && (c == ' ' || c == '\t')) {
      flush();
    } else {
      word += c;
      begun = true;
    }
  }
  flush();
  return words;
}

// "$((32*1024*1024))" -> "33554432"
std::string with_products(const std::string& text) {
  std::string out = text;
  for (size_t at = out.find("$(("); at != std::string::npos; at = out.find("$((", at)) {
    const size_t end = out.find("))", at);
    if (end == std::string::npos) return text;
    uint64_t product = 1;
    for (const std::string& factor : split(out.substr(at + 3, end - at - 3), '*')) {
      uint64_t number = 0;
      if (!parse_number(trim(factor), number)) return text;
      product *= number;
    }
    out.replace(at, end + 2 - at, cat(product));
  }
  return out;
}

// "net/ipv4/tcp_ecn", "/proc/sys/net/ipv4/tcp_ecn", "net.ipv4.tcp_ecn" = "…"
std::optional<ShellSetting> assignment(std::string text, bool optional) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return std::nullopt;
  std::string name = text.substr(0, equals);
  constexpr std::string_view kFolder = "/proc/sys/";
  if (name.starts_with(kFolder)) name.erase(0, kFolder.size());
  for (char& c : name) {
    if (c == '/') c = '.';
  }
  if (!name.starts_with("net.")) return std::nullopt;
  return ShellSetting{std::move(name), with_products(text.substr(equals + 1)), optional};
}

bool settings(const std::vector<std::string>& words, bool forgiving, Actions& actions) {
  bool any = false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (words[i].starts_with("-")) {
      forgiving |= words[i].find('e') != std::string::npos;
      continue;
    }
    const std::optional<ShellSetting> setting = assignment(words[i], forgiving);
    if (!setting.has_value()) return false;
    actions.push_back(*setting);
    any = true;
  }
  return any;
}

std::string base_name(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

bool is_device(const std::string& word) {
  return word == "tun0" || word == "$DEV";
}

// nstat -n; nstat | grep NAME | grep -q " N "
bool counters(const std::string& line, Actions& actions) {
  static const std::regex* const kQuestion = new std::regex(
      R"re(nstat( -s)? *\| *grep (-q )?"?([A-Za-z0-9]+)"? *(\| *grep -q " *([0-9]+) *")?)re");
  std::smatch match;
  if (std::regex_match(line, match, *kQuestion)) {
    ShellCounter counter;
    counter.name = match[3];
    counter.moves_baseline = !match[1].matched;
    if (match[5].matched && !parse_number(match[5].str(), counter.grown)) return false;
    actions.emplace_back(std::move(counter));
    return true;
  }
  if (line != "nstat" && line != "nstat -n") return false;
  actions.emplace_back(ShellBaseline{});
  return true;
}

bool file(const std::vector<std::string>& words, bool, Actions& actions) {
  ShellFile made;
  uint32_t block = 512, count = 0;
  for (const std::string& word : words) {
    const auto [name, value] = split_once(word, '=');
    if (name == "if" && value != "/dev/zero") return false;
    if (name == "of") made.name = value;
    if (name == "bs" && !parse_number(value, block)) return false;
    if (name == "count" && !parse_number(value, count)) return false;
  }
  constexpr uint64_t kMax = 1 << 20;
  if (made.name.empty() || uint64_t{block} * count > kMax) return false;
  made.octets = block * count;
  actions.emplace_back(std::move(made));
  return true;
}

// tc qdisc add|replace dev tun0 root KIND [limit N]; tc qdisc del|delete dev tun0 root
bool queue(const std::vector<std::string>& words, bool, Actions& actions) {
  if (words.size() < 6 || words[1] != "qdisc" || words[3] != "dev" || !is_device(words[4]) ||
      words[5] != "root") {
    return false;
  }
  // The device has no queue that could pace.
  if (words.size() == 7 && words[2] == "add" && words[6] == "pfifo") return true;
  const bool removes = words[2] == "del" || words[2] == "delete";
  if (!removes && words[2] != "add" && words[2] != "replace") return false;
  ShellQueue made;
  if (removes) {
    if (words.size() > 6) return false;
  } else {
    const bool limited = words.size() == 9 && words[7] == "limit";
    if (words.size() != 7 && !limited) return false;
    made.kind = words[6];
    uint32_t limit = 0;
    if (limited && !parse_number(words[8], limit)) return false;
    if (limited) made.limit = limit;
  }
  actions.emplace_back(std::move(made));
  return true;
}

// echo 3 > /sys/module/tcp_cubic/parameters/hystart_detect
bool parameter(const std::string& line, bool forgiving, Actions& actions) {
  static const std::regex* const kParameter = new std::regex(
      R"re(echo +([^ >]+) *> */sys/module/([A-Za-z0-9_]+)/parameters/([A-Za-z0-9_]+))re");
  std::smatch match;
  if (!std::regex_match(line, match, *kParameter)) return false;
  actions.emplace_back(
      ShellSetting{cat("module.", match[2].str(), ".", match[3].str()), match[1], forgiving});
  return true;
}

bool defaults(const std::vector<std::string>& words, bool, Actions& actions) {
  for (const auto& [setting, value] : kDefaults) {
    actions.emplace_back(ShellSetting{cat("net.ipv4.", setting), std::string(value), true});
  }
  // The Linux kernel's own collection keeps it beside its scripts.
  if (words[0].find("common/") == std::string::npos) {
    actions.emplace_back(ShellSetting{"net.ipv4.tcp_fastopen", "0x3", true});
  }
  return true;
}

// ethtool -K tun0 tso off gso off
bool offloads(const std::vector<std::string>& words, bool, Actions& actions) {
  if (words.size() < 3 || words[1] != "-K" || !is_device(words[2])) return false;
  for (size_t i = 4; i < words.size(); i += 2) {
    if (words[i] != "off") return false;
  }
  actions.emplace_back(ShellNoOffloads{});
  return true;
}

// ip tcp_metrics flush all; ip link set dev tun0 mtu N
bool address_tool(const std::vector<std::string>& words, bool, Actions& actions) {
  if (words == std::vector<std::string>{"ip", "tcp_metrics", "flush", "all"}) {
    actions.emplace_back(ShellForget{});
    return true;
  }
  ShellMtu mtu;
  if (words.size() != 7 || words[1] != "link" || words[2] != "set" || !is_device(words[4]) ||
      words[5] != "mtu" || !parse_number(words[6], mtu.mtu)) {
    return false;
  }
  actions.emplace_back(mtu);
  return true;
}

// What goes with the session, or has nothing to wait for.
bool nothing(const std::vector<std::string>&, bool, Actions&) {
  return true;
}

bool removal(const std::vector<std::string>& words, bool, Actions&) {
  return words.size() == 3 && words[1] == "-f";
}

// By the name of the program. False: it is not one of those that are known.
struct Program {
  std::string_view name;
  bool (*recognise)(const std::vector<std::string>& words, bool forgiving, Actions& actions);
};
constexpr Program kPrograms[] = {
    {"defaults.sh", defaults},
    {"sysctl", settings},
    {"set_sysctls.py", settings},
    {"dd", file},
    {"rm", removal},
    {"ethtool", offloads},
    {"tc", queue},
    {"ip", address_tool},
    {"sync", nothing},
    {"true", nothing},
};

// Longer than any command that is known; it bounds what the regular expressions see.
constexpr size_t kLongestCommand = 4096;

// One command without ; && and pipes but its own.
bool simple(std::string line, bool forgiving, Actions& actions) {
  if (line.size() > kLongestCommand) return false;
  if (parameter(std::string(trim(line)), forgiving, actions)) return true;
  static const std::regex* const kRedirection = new std::regex(R"re( *([0-9]|&)?> *(&1|[^ ]+))re");
  line = std::string(trim(std::regex_replace(line, *kRedirection, "")));
  if (line.empty() || line.front() == '#') return true;
  const size_t comment = line.find(" #");
  if (comment != std::string::npos) line = std::string(trim(line.substr(0, comment)));
  if (counters(line, actions)) return true;
  if (line == "grep \" 0A \" /proc/net/tcp /proc/net/tcp6 | grep \":1F90\"") {
    actions.emplace_back(ShellListener{0x1f90});
    return true;
  }
  const std::vector<std::string> words = words_of(line);
  const std::string name = base_name(words[0]);
  if (name.starts_with("sysctl_restore_")) return true;  // the namespace goes with the session
  for (const Program& program : kPrograms) {
    if (program.name == name) return program.recognise(words, forgiving, actions);
  }
  return false;
}

// The simple commands of a text, and whether the failure of each does not matter.
std::vector<std::pair<std::string, bool>> simple_commands(std::string_view text) {
  std::vector<std::pair<std::string, bool>> commands;
  std::string joined(text);
  for (size_t at = joined.find("\\\n"); at != std::string::npos; at = joined.find("\\\n", at)) {
    joined.replace(at, 2, " ");
  }
  for (const std::string& line : split(joined, '\n')) {
    for (const std::string& part : split(line, ';')) {
      // What stands behind || is for when the first fails.
      const size_t otherwise = part.find("||");
      std::string rest = part.substr(0, otherwise);
      const bool forgiving = otherwise != std::string::npos;
      for (size_t at = rest.find("&&"); at != std::string::npos; at = rest.find("&&")) {
        commands.emplace_back(rest.substr(0, at), forgiving);
        rest.erase(0, at + 2);
      }
      commands.emplace_back(std::move(rest), forgiving);
    }
  }
  return commands;
}

}  // namespace

std::vector<ShellAction> recognise_shell(std::string_view command) {
  Actions actions;
  for (const auto& [line, forgiving] : simple_commands(command)) {
    Actions of_line;
    if (simple(line, forgiving, of_line)) {
      std::move(of_line.begin(), of_line.end(), std::back_inserter(actions));
    } else {
      actions.emplace_back(ShellUnknown{std::string(trim(line))});
    }
  }
  return actions;
}

}  // namespace tcproctor::conformance
