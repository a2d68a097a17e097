// SPDX-License-Identifier: Apache-2.0
#include "server/host/packet_filter.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/host/inet_diag.h"
#include "server/host/netlink.h"
#include "server/host/sysctl.h"
#include "stack/packet/ipv4.h"

namespace tcproctor::server {
namespace {

constexpr char kPrefix[] = "tcproctor";
constexpr char kChain[] = "out";
constexpr uint32_t kRegister = NFT_REG_1;
// Of the TCP header.
constexpr uint32_t kSourcePortOffset = 0;
constexpr uint32_t kFlagsOffset = 13;
constexpr uint8_t kRst = 0x04;

RouteMessage bracket(uint16_t type) {
  RouteMessage message = RouteMessage::bracket(type, "nf_tables batch");
  message.header(nfgenmsg{
      .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)});
  return message;
}

RouteMessage filter_request(uint16_t type, uint16_t flags, std::string what) {
  RouteMessage message(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags,
                       std::move(what));
  message.header(nfgenmsg{.nfgen_family = NFPROTO_INET, .version = NFNETLINK_V0, .res_id = 0});
  return message;
}

// Numbers of nf_tables' attributes are in network order.
RouteMessage& put_number(RouteMessage& message, int type, uint32_t value) {
  return message.attribute_u32(type, htonl(value));
}

// --- the expressions of a rule, in the order in which they are looked at ---

void expression(RouteMessage& rule, const char* name, const std::function<void()>& data) {
  rule.begin_nested(NFTA_LIST_ELEM).attribute_string(NFTA_EXPR_NAME, name);
  rule.begin_nested(NFTA_EXPR_DATA);
  data();
  rule.end_nested().end_nested();
}

void load_meta(RouteMessage& rule, uint32_t key) {
  expression(rule, "meta", [&] {
    put_number(rule, NFTA_META_KEY, key);
    put_number(rule, NFTA_META_DREG, kRegister);
  });
}

void load_payload(RouteMessage& rule, uint32_t base, uint32_t offset, uint32_t length) {
  expression(rule, "payload", [&] {
    put_number(rule, NFTA_PAYLOAD_DREG, kRegister);
    put_number(rule, NFTA_PAYLOAD_BASE, base);
    put_number(rule, NFTA_PAYLOAD_OFFSET, offset);
    put_number(rule, NFTA_PAYLOAD_LEN, length);
  });
}

void data_value(RouteMessage& rule, int type, const void* value, size_t length) {
  rule.begin_nested(type).attribute(NFTA_DATA_VALUE, value, length).end_nested();
}

// The rule ends here for a packet of which this does not hold.
void require(RouteMessage& rule, uint32_t operation, const void* value, size_t length) {
  expression(rule, "cmp", [&] {
    put_number(rule, NFTA_CMP_SREG, kRegister);
    put_number(rule, NFTA_CMP_OP, operation);
    data_value(rule, NFTA_CMP_DATA, value, length);
  });
}
template <typename Value>
void require(RouteMessage& rule, uint32_t operation, Value value) {
  require(rule, operation, &value, sizeof value);
}

void keep_bits(RouteMessage& rule, uint8_t mask) {
  const uint8_t none = 0;
  expression(rule, "bitwise", [&] {
    put_number(rule, NFTA_BITWISE_SREG, kRegister);
    put_number(rule, NFTA_BITWISE_DREG, kRegister);
    put_number(rule, NFTA_BITWISE_LEN, 1);
    data_value(rule, NFTA_BITWISE_MASK, &mask, 1);
    data_value(rule, NFTA_BITWISE_XOR, &none, 1);
  });
}

void drop_it(RouteMessage& rule) {
  expression(rule, "immediate", [&] {
    put_number(rule, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    rule.begin_nested(NFTA_IMMEDIATE_DATA).begin_nested(NFTA_DATA_VERDICT);
    put_number(rule, NFTA_VERDICT_CODE, NF_DROP);
    rule.end_nested().end_nested();
  });
}

RouteMessage rule_for(const packet::IpAddress& address, const QuietPorts& ports,
                      const std::string& table) {
  RouteMessage rule = filter_request(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
                                     absl::StrCat("nf_tables rule for ", address.to_string()));
  rule.attribute_string(NFTA_RULE_TABLE, table).attribute_string(NFTA_RULE_CHAIN, kChain);
  rule.begin_nested(NFTA_RULE_EXPRESSIONS);
  load_meta(rule, NFT_META_NFPROTO);
  require(rule, NFT_CMP_EQ, static_cast<uint8_t>(address.is_v4() ? NFPROTO_IPV4 : NFPROTO_IPV6));
  load_meta(rule, NFT_META_L4PROTO);
  require(rule, NFT_CMP_EQ, packet::kProtocolTcp);
  const std::span<const uint8_t> source = address.bytes();
  load_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, address.is_v4() ? 12 : 8,
               static_cast<uint32_t>(source.size()));
  require(rule, NFT_CMP_EQ, source.data(), source.size());
  load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, kSourcePortOffset, 2);
  require(rule, NFT_CMP_GTE, htons(ports.first_port));
  require(rule, NFT_CMP_LTE, htons(ports.last_port));
  load_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, kFlagsOffset, 1);
  keep_bits(rule, kRst);
  require(rule, NFT_CMP_NEQ, uint8_t{0});
  load_meta(rule, NFT_META_MARK);
  require(rule, NFT_CMP_NEQ, ports.mark);  // in the machine's order, as the mark is
  drop_it(rule);
  rule.end_nested();
  return rule;
}

RouteMessage chain_for(const std::string& table) {
  RouteMessage chain = filter_request(NFT_MSG_NEWCHAIN, NLM_F_CREATE, "nf_tables chain");
  chain.attribute_string(NFTA_CHAIN_TABLE, table).attribute_string(NFTA_CHAIN_NAME, kChain);
  chain.begin_nested(NFTA_CHAIN_HOOK);
  put_number(chain, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
  put_number(chain, NFTA_HOOK_PRIORITY, 0);
  chain.end_nested();
  chain.attribute_string(NFTA_CHAIN_TYPE, "filter");
  return chain;
}

absl::Status remove_table(int socket, const std::string& table) {
  RouteBatch batch;
  batch.add(bracket(NFNL_MSG_BATCH_BEGIN));
  RouteMessage message =
      filter_request(NFT_MSG_DELTABLE, 0, absl::StrCat("removing table ", table));
  message.attribute_string(NFTA_TABLE_NAME, table);
  batch.add(std::move(message));
  batch.add(bracket(NFNL_MSG_BATCH_END));
  return batch.execute(socket);
}

// When the process was started, in clock ticks since the machine was; 0: there is none.
uint64_t start_of(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text;
  std::getline(file, text);
  // The name, which may have any octets, is in the last parentheses; then the 3rd field begins.
  constexpr size_t kAfterTheName = 22 - 3;
  const std::vector<std::string> fields =
      absl::StrSplit(text.substr(std::min(text.rfind(')') + 2, text.size())), ' ');
  uint64_t start = 0;
  if (fields.size() <= kAfterTheName || !absl::SimpleAtoi(fields[kAfterTheName], &start)) return 0;
  return start;
}

// "tcproctor-PID-START-N". The start: another process may have the number by now, and the first one
// in a container always has.
std::string table_name() {
  static std::atomic<int> count = 0;
  return absl::StrCat(kPrefix, "-", ::getpid(), "-", start_of(::getpid()), "-", ++count);
}

struct PortSpan {
  uint32_t first = 0, last = 0;
};

// "32768 60999" and "8080,9148-9200".
std::vector<PortSpan> read_spans(const std::string& text, char separator, char dash) {
  std::vector<PortSpan> spans;
  for (const absl::string_view part : absl::StrSplit(text, separator, absl::SkipEmpty())) {
    const std::vector<std::string> ends = absl::StrSplit(part, dash);
    PortSpan span;
    if (!absl::SimpleAtoi(ends.front(), &span.first)) continue;
    if (ends.size() < 2 || !absl::SimpleAtoi(ends.back(), &span.last)) span.last = span.first;
    spans.push_back(span);
  }
  return spans;
}

bool within(uint32_t port, const std::vector<PortSpan>& spans) {
  return std::any_of(spans.begin(), spans.end(), [port](const PortSpan& span) {
    return port >= span.first && port <= span.last;
  });
}

absl::Status check_not_chosen(const NetworkNamespace& ns, uint16_t first_port, uint16_t last_port) {
  const absl::StatusOr<std::string> range = read_sysctl(ns, "net.ipv4.ip_local_port_range");
  const absl::StatusOr<std::string> kept = read_sysctl(ns, "net.ipv4.ip_local_reserved_ports");
  if (!range.ok()) return range.status();
  const std::vector<PortSpan> chosen = read_spans(*range, '\n', ' ');
  const std::vector<PortSpan> reserved = read_spans(kept.ok() ? *kept : "", ',', '-');
  for (uint32_t port = first_port; port <= last_port; ++port) {
    if (!within(port, chosen) || within(port, reserved)) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("port ", port, " may be chosen by the kernel for a connection of its own (",
                     "net.ipv4.ip_local_port_range is ", *range, "): take others, or set ",
                     "net.ipv4.ip_local_reserved_ports=", first_port, "-", last_port));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status check_ports_free(const NetworkNamespace& ns, uint16_t first_port, uint16_t last_port) {
  absl::StatusOr<std::unique_ptr<InetDiag>> diag = InetDiag::open(ns);
  if (!diag.ok()) return diag.status();
  const absl::StatusOr<std::vector<DiagnosedSocket>> sockets = (*diag)->dump();
  if (!sockets.ok()) return sockets.status();
  for (const DiagnosedSocket& socket : *sockets) {
    if (socket.local.port < first_port || socket.local.port > last_port) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("port ", socket.local.port, " is in use by this machine's kernel"));
  }
  return check_not_chosen(ns, first_port, last_port);
}

absl::StatusOr<std::unique_ptr<PacketFilter>> PacketFilter::install(const QuietPorts& ports,
                                                                    bool owned) {
  const std::string table = table_name();
  absl::StatusOr<UniqueFd> socket = open_filter_socket();
  if (!socket.ok()) return socket.status();
  RouteBatch batch;
  batch.add(bracket(NFNL_MSG_BATCH_BEGIN));
  RouteMessage made = filter_request(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL,
                                     absl::StrCat("nf_tables table ", table));
  made.attribute_string(NFTA_TABLE_NAME, table);
  if (owned) put_number(made, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
  batch.add(std::move(made));
  batch.add(chain_for(table));
  for (const packet::IpAddress& address : ports.addresses) {
    batch.add(rule_for(address, ports, table));
  }
  batch.add(bracket(NFNL_MSG_BATCH_END));
  const absl::Status status = batch.execute(socket->get());
  if (!status.ok()) return status;
  return std::unique_ptr<PacketFilter>(new PacketFilter(*std::move(socket), table, owned));
}

absl::StatusOr<std::unique_ptr<PacketFilter>> PacketFilter::install(const QuietPorts& ports) {
  absl::StatusOr<std::unique_ptr<PacketFilter>> filter = install(ports, true);
  // The flag is unknown.
  if (absl::IsUnimplemented(filter.status()) || absl::IsInvalidArgument(filter.status())) {
    filter = install(ports, false);
  }
  return filter;
}

absl::StatusOr<std::unique_ptr<PacketFilter>> PacketFilter::install_unowned(
    const QuietPorts& ports) {
  return install(ports, false);
}

PacketFilter::~PacketFilter() {
  // What fails here is found again.
  if (!owned_) remove_table(socket_.get(), table_).IgnoreError();
}

absl::StatusOr<std::vector<std::string>> filter_tables() {
  absl::StatusOr<UniqueFd> socket = open_filter_socket();
  if (!socket.ok()) return socket.status();
  RouteBatch batch;
  batch.add(filter_request(NFT_MSG_GETTABLE, NLM_F_DUMP, "listing nf_tables tables"));
  std::vector<std::string> names;
  const absl::Status status = batch.execute(socket->get(), [&names](nlmsghdr* header) {
    const nlattr* name = nlmsg_find_attr(header, sizeof(nfgenmsg), NFTA_TABLE_NAME);
    if (name != nullptr) names.emplace_back(nla_get_string(name));
  });
  if (!status.ok()) return status;
  return names;
}

bool is_orphaned_filter(const std::string& table) {
  const std::vector<std::string> parts = absl::StrSplit(table, '-');
  pid_t pid = 0;
  uint64_t start = 0;
  return parts.size() == 4 && parts[0] == kPrefix && absl::SimpleAtoi(parts[1], &pid) &&
         absl::SimpleAtoi(parts[2], &start) && start_of(pid) != start;
}

absl::StatusOr<std::vector<std::string>> remove_orphaned_filters() {
  absl::StatusOr<std::vector<std::string>> names = filter_tables();
  if (!names.ok()) return names.status();
  absl::StatusOr<UniqueFd> socket = open_filter_socket();
  if (!socket.ok()) return socket.status();
  std::vector<std::string> removed;
  for (const std::string& name : *names) {
    if (!is_orphaned_filter(name)) continue;
    const absl::Status status = remove_table(socket->get(), name);
    // It has an owner, whose process is of another process id namespace.
    if (absl::IsPermissionDenied(status)) continue;
    if (!status.ok()) return status;
    removed.push_back(name);
  }
  return removed;
}

}  // namespace tcproctor::server
