// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/packetdrill_symbols.h"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

struct Constant {
  std::string_view name;
  int64_t value;
};

#define TCPROCTOR_NAME(name)            \
  Constant {                            \
#name, static_cast < int64_t>(name) \
  }

// Newer than Debian 12's headers, or of the kernel's alone.
constexpr Constant kNewer[] = {{"SIOCINQ", 0x541b},
                               {"TCP_TX_DELAY", 37},
                               {"SO_EE_CODE_ZEROCOPY_COPIED", 1},
                               {"SO_EE_ORIGIN_ZEROCOPY", 5},
                               {"TCP_RTO_MAX_MS", 44},
                               {"TCP_RTO_MIN_US", 45},
                               {"TCP_DELACK_MAX_US", 46},
                               {"SOF_TIMESTAMPING_OPT_ID_TCP", 1 << 16},
                               {"SCM_TSTAMP_SND", 0},
                               {"SCM_TSTAMP_SCHED", 1},
                               {"SCM_TSTAMP_ACK", 2}};

constexpr Constant kConstants[] = {
    TCPROCTOR_NAME(AF_UNSPEC),
    TCPROCTOR_NAME(AF_INET),
    TCPROCTOR_NAME(AF_INET6),
    TCPROCTOR_NAME(SOCK_STREAM),
    TCPROCTOR_NAME(SOCK_DGRAM),
    TCPROCTOR_NAME(SOCK_NONBLOCK),
    TCPROCTOR_NAME(SOCK_CLOEXEC),
    TCPROCTOR_NAME(IPPROTO_IP),
    TCPROCTOR_NAME(IPPROTO_IPV6),
    TCPROCTOR_NAME(IPPROTO_TCP),
    TCPROCTOR_NAME(IPPROTO_UDP),
    TCPROCTOR_NAME(SOL_SOCKET),
    TCPROCTOR_NAME(SOL_IP),
    TCPROCTOR_NAME(SOL_IPV6),
    TCPROCTOR_NAME(SOL_TCP),
    TCPROCTOR_NAME(SO_ACCEPTCONN),
    TCPROCTOR_NAME(SO_BINDTODEVICE),
    TCPROCTOR_NAME(SO_BROADCAST),
    TCPROCTOR_NAME(SO_DEBUG),
    TCPROCTOR_NAME(SO_DONTROUTE),
    TCPROCTOR_NAME(SO_ERROR),
    TCPROCTOR_NAME(SO_KEEPALIVE),
    TCPROCTOR_NAME(SO_LINGER),
    TCPROCTOR_NAME(SO_MARK),
    TCPROCTOR_NAME(SO_MAX_PACING_RATE),
    TCPROCTOR_NAME(SO_OOBINLINE),
    TCPROCTOR_NAME(SO_PRIORITY),
    TCPROCTOR_NAME(SO_RCVBUF),
    TCPROCTOR_NAME(SO_RCVLOWAT),
    TCPROCTOR_NAME(SO_RCVTIMEO),
    TCPROCTOR_NAME(SO_REUSEADDR),
    TCPROCTOR_NAME(SO_REUSEPORT),
    TCPROCTOR_NAME(SO_SNDBUF),
    TCPROCTOR_NAME(SO_SNDLOWAT),
    TCPROCTOR_NAME(SO_SNDTIMEO),
    TCPROCTOR_NAME(SO_TIMESTAMP),
    TCPROCTOR_NAME(SO_TIMESTAMPING),
    TCPROCTOR_NAME(SO_TYPE),
    TCPROCTOR_NAME(SO_ZEROCOPY),
    TCPROCTOR_NAME(SO_EE_ORIGIN_LOCAL),
    TCPROCTOR_NAME(SO_EE_ORIGIN_ICMP),
    TCPROCTOR_NAME(SO_EE_ORIGIN_ICMP6),
    TCPROCTOR_NAME(SO_EE_ORIGIN_TIMESTAMPING),
    TCPROCTOR_NAME(SCM_TIMESTAMPING),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_TX_HARDWARE),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_TX_SOFTWARE),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_RX_HARDWARE),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_RX_SOFTWARE),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_SOFTWARE),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_SYS_HARDWARE),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_RAW_HARDWARE),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_OPT_ID),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_TX_SCHED),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_TX_ACK),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_OPT_CMSG),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_OPT_TSONLY),
    TCPROCTOR_NAME(SOF_TIMESTAMPING_OPT_STATS),
    TCPROCTOR_NAME(IP_TOS),
    TCPROCTOR_NAME(IP_TTL),
    TCPROCTOR_NAME(IP_MTU),
    TCPROCTOR_NAME(IP_MTU_DISCOVER),
    TCPROCTOR_NAME(IP_PMTUDISC_WANT),
    TCPROCTOR_NAME(IP_PMTUDISC_DONT),
    TCPROCTOR_NAME(IP_PMTUDISC_DO),
    TCPROCTOR_NAME(IP_PMTUDISC_PROBE),
    TCPROCTOR_NAME(IP_RECVERR),
    TCPROCTOR_NAME(IP_FREEBIND),
    TCPROCTOR_NAME(IPV6_MTU),
    TCPROCTOR_NAME(IPV6_MTU_DISCOVER),
    TCPROCTOR_NAME(IPV6_RECVERR),
    TCPROCTOR_NAME(IPV6_TCLASS),
    TCPROCTOR_NAME(IPV6_V6ONLY),
    TCPROCTOR_NAME(TCP_NODELAY),
    TCPROCTOR_NAME(TCP_MAXSEG),
    TCPROCTOR_NAME(TCP_CORK),
    TCPROCTOR_NAME(TCP_KEEPIDLE),
    TCPROCTOR_NAME(TCP_KEEPINTVL),
    TCPROCTOR_NAME(TCP_KEEPCNT),
    TCPROCTOR_NAME(TCP_SYNCNT),
    TCPROCTOR_NAME(TCP_LINGER2),
    TCPROCTOR_NAME(TCP_DEFER_ACCEPT),
    TCPROCTOR_NAME(TCP_WINDOW_CLAMP),
    TCPROCTOR_NAME(TCP_INFO),
    TCPROCTOR_NAME(TCP_QUICKACK),
    TCPROCTOR_NAME(TCP_CONGESTION),
    TCPROCTOR_NAME(TCP_MD5SIG),
    TCPROCTOR_NAME(TCP_THIN_LINEAR_TIMEOUTS),
    TCPROCTOR_NAME(TCP_THIN_DUPACK),
    TCPROCTOR_NAME(TCP_USER_TIMEOUT),
    TCPROCTOR_NAME(TCP_FASTOPEN),
    TCPROCTOR_NAME(TCP_FASTOPEN_CONNECT),
    TCPROCTOR_NAME(TCP_FASTOPEN_KEY),
    TCPROCTOR_NAME(TCP_FASTOPEN_NO_COOKIE),
    TCPROCTOR_NAME(TCP_TIMESTAMP),
    TCPROCTOR_NAME(TCP_NOTSENT_LOWAT),
    TCPROCTOR_NAME(TCP_INQ),
    TCPROCTOR_NAME(TCP_CM_INQ),
    TCPROCTOR_NAME(O_RDONLY),
    TCPROCTOR_NAME(O_WRONLY),
    TCPROCTOR_NAME(O_RDWR),
    TCPROCTOR_NAME(O_NONBLOCK),
    TCPROCTOR_NAME(F_GETFL),
    TCPROCTOR_NAME(F_SETFL),
    TCPROCTOR_NAME(F_GETFD),
    TCPROCTOR_NAME(F_SETFD),
    TCPROCTOR_NAME(FD_CLOEXEC),
    {"FIONREAD", 0x541b},
    {"SIOCATMARK", 0x8905},
    {"SIOCOUTQ", 0x5411},
    TCPROCTOR_NAME(MSG_OOB),
    TCPROCTOR_NAME(MSG_PEEK),
    TCPROCTOR_NAME(MSG_CTRUNC),
    TCPROCTOR_NAME(MSG_EOR),
    TCPROCTOR_NAME(MSG_WAITALL),
    TCPROCTOR_NAME(MSG_TRUNC),
    TCPROCTOR_NAME(MSG_ERRQUEUE),
    TCPROCTOR_NAME(MSG_DONTWAIT),
    TCPROCTOR_NAME(MSG_NOSIGNAL),
    TCPROCTOR_NAME(MSG_MORE),
    TCPROCTOR_NAME(MSG_FASTOPEN),
    TCPROCTOR_NAME(MSG_ZEROCOPY),
    TCPROCTOR_NAME(SHUT_RD),
    TCPROCTOR_NAME(SHUT_WR),
    TCPROCTOR_NAME(SHUT_RDWR),
    TCPROCTOR_NAME(POLLIN),
    TCPROCTOR_NAME(POLLPRI),
    TCPROCTOR_NAME(POLLOUT),
    TCPROCTOR_NAME(POLLRDNORM),
    TCPROCTOR_NAME(POLLRDBAND),
    TCPROCTOR_NAME(POLLWRNORM),
    TCPROCTOR_NAME(POLLWRBAND),
    TCPROCTOR_NAME(POLLRDHUP),
    TCPROCTOR_NAME(POLLERR),
    TCPROCTOR_NAME(POLLHUP),
    TCPROCTOR_NAME(POLLNVAL),
    TCPROCTOR_NAME(EPOLLIN),
    TCPROCTOR_NAME(EPOLLPRI),
    TCPROCTOR_NAME(EPOLLOUT),
    TCPROCTOR_NAME(EPOLLRDNORM),
    TCPROCTOR_NAME(EPOLLRDBAND),
    TCPROCTOR_NAME(EPOLLWRNORM),
    TCPROCTOR_NAME(EPOLLWRBAND),
    TCPROCTOR_NAME(EPOLLRDHUP),
    TCPROCTOR_NAME(EPOLLERR),
    TCPROCTOR_NAME(EPOLLHUP),
    TCPROCTOR_NAME(EPOLLONESHOT),
    TCPROCTOR_NAME(EPOLLET),
    TCPROCTOR_NAME(EPOLLEXCLUSIVE),
    TCPROCTOR_NAME(EPOLL_CTL_ADD),
    TCPROCTOR_NAME(EPOLL_CTL_MOD),
    TCPROCTOR_NAME(EPOLL_CTL_DEL),
    TCPROCTOR_NAME(SPLICE_F_MOVE),
    TCPROCTOR_NAME(SPLICE_F_NONBLOCK),
    TCPROCTOR_NAME(SPLICE_F_MORE),
    {"NULL", 0},
};

constexpr Constant kErrors[] = {
    TCPROCTOR_NAME(EPERM),         TCPROCTOR_NAME(ENOENT),       TCPROCTOR_NAME(EINTR),
    TCPROCTOR_NAME(EIO),           TCPROCTOR_NAME(EBADF),        TCPROCTOR_NAME(EAGAIN),
    TCPROCTOR_NAME(ENOMEM),        TCPROCTOR_NAME(EACCES),       TCPROCTOR_NAME(EFAULT),
    TCPROCTOR_NAME(EBUSY),         TCPROCTOR_NAME(EEXIST),       TCPROCTOR_NAME(ENODEV),
    TCPROCTOR_NAME(EINVAL),        TCPROCTOR_NAME(EMFILE),       TCPROCTOR_NAME(ENFILE),
    TCPROCTOR_NAME(ENOTTY),        TCPROCTOR_NAME(ENOSPC),       TCPROCTOR_NAME(EPIPE),
    TCPROCTOR_NAME(ERANGE),        TCPROCTOR_NAME(ENOSYS),       TCPROCTOR_NAME(ENOMSG),
    TCPROCTOR_NAME(ENODATA),       TCPROCTOR_NAME(ENONET),       TCPROCTOR_NAME(EPROTO),
    TCPROCTOR_NAME(ENOTSOCK),      TCPROCTOR_NAME(EDESTADDRREQ), TCPROCTOR_NAME(EMSGSIZE),
    TCPROCTOR_NAME(EPROTOTYPE),    TCPROCTOR_NAME(ENOPROTOOPT),  TCPROCTOR_NAME(EPROTONOSUPPORT),
    TCPROCTOR_NAME(EOPNOTSUPP),    TCPROCTOR_NAME(EAFNOSUPPORT), TCPROCTOR_NAME(EADDRINUSE),
    TCPROCTOR_NAME(EADDRNOTAVAIL), TCPROCTOR_NAME(ENETDOWN),     TCPROCTOR_NAME(ENETUNREACH),
    TCPROCTOR_NAME(ENETRESET),     TCPROCTOR_NAME(ECONNABORTED), TCPROCTOR_NAME(ECONNRESET),
    TCPROCTOR_NAME(ENOBUFS),       TCPROCTOR_NAME(EISCONN),      TCPROCTOR_NAME(ENOTCONN),
    TCPROCTOR_NAME(ESHUTDOWN),     TCPROCTOR_NAME(ETIMEDOUT),    TCPROCTOR_NAME(ECONNREFUSED),
    TCPROCTOR_NAME(EHOSTDOWN),     TCPROCTOR_NAME(EHOSTUNREACH), TCPROCTOR_NAME(EALREADY),
    TCPROCTOR_NAME(EINPROGRESS),   TCPROCTOR_NAME(ECANCELED),    TCPROCTOR_NAME(EKEYREJECTED),
    TCPROCTOR_NAME(EDOM),          TCPROCTOR_NAME(EOVERFLOW),    {"EWOULDBLOCK", EWOULDBLOCK},
};

// TCP_INFO's numbers, and what scripts commonly define beside them.
constexpr Constant kCodeConstants[] = {
    {"TCP_ESTABLISHED", 1},    {"TCP_SYN_SENT", 2},        {"TCP_SYN_RECV", 3},
    {"TCP_FIN_WAIT1", 4},      {"TCP_FIN_WAIT2", 5},       {"TCP_TIME_WAIT", 6},
    {"TCP_CLOSE", 7},          {"TCP_CLOSE_WAIT", 8},      {"TCP_LAST_ACK", 9},
    {"TCP_LISTEN", 10},        {"TCP_CLOSING", 11},        {"TCP_CA_Open", 0},
    {"TCP_CA_Disorder", 1},    {"TCP_CA_CWR", 2},          {"TCP_CA_Recovery", 3},
    {"TCP_CA_Loss", 4},        {"TCPI_OPT_TIMESTAMPS", 1}, {"TCPI_OPT_SACK", 2},
    {"TCPI_OPT_WSCALE", 4},    {"TCPI_OPT_ECN", 8},        {"TCPI_OPT_ECN_SEEN", 16},
    {"TCPI_OPT_SYN_DATA", 32}, {"TCPI_OPT_USEC_TS", 64},   {"TCPI_OPT_TFO_CHILD", 128},
};

#undef TCPROCTOR_NAME

std::optional<int64_t> find_in(std::span<const Constant> table, std::string_view name) {
  for (const Constant& constant : table) {
    if (constant.name == name) return constant.value;
  }
  return std::nullopt;
}

constexpr ForeignCall kForeignCalls[] = {
    {"socket", 3},     {"bind", 3},       {"listen", 2}, {"accept", 3},   {"connect", 3},
    {"read", 3},       {"readv", 3},      {"recv", 4},   {"recvfrom", 6}, {"recvmsg", 3},
    {"write", 3},      {"writev", 3},     {"send", 4},   {"sendto", 6},   {"sendmsg", 3},
    {"fcntl", 0},      {"ioctl", 0},      {"close", 1},  {"shutdown", 2}, {"getsockopt", 5},
    {"setsockopt", 5}, {"poll", 3},       {"open", 2},   {"sendfile", 4}, {"epoll_create", 1},
    {"epoll_ctl", 4},  {"epoll_wait", 4}, {"pipe", 1},   {"splice", 6},
};

constexpr std::string_view kStructures[] = {
    "sa_family sin_port sin_addr",
    "msg_name() msg_iov() msg_flags [msg_control]",
    "cmsg_level cmsg_type cmsg_data",
    "ee_errno ee_origin ee_type ee_code ee_info ee_data",
    "scm_sec scm_nsec",
    "fd events [revents]",
    "events fd",
    "events ptr",
    "events u32",
    "events u64",
    "onoff linger",
    "sec usec",
};

// Linux's include/uapi/linux/tcp.h; the structure only grows.
constexpr SocketField kSocketFields[] = {
    {"tcpi_state", false, 0, 1, 0, 0},
    {"tcpi_ca_state", false, 1, 1, 0, 0},
    {"tcpi_retransmits", false, 2, 1, 0, 0},
    {"tcpi_probes", false, 3, 1, 0, 0},
    {"tcpi_backoff", false, 4, 1, 0, 0},
    {"tcpi_options", false, 5, 1, 0, 0},
    {"tcpi_snd_wscale", false, 6, 1, 0, 4},
    {"tcpi_rcv_wscale", false, 6, 1, 4, 4},
    {"tcpi_delivery_rate_app_limited", false, 7, 1, 0, 1},
    {"tcpi_fastopen_client_fail", false, 7, 1, 1, 2},
    {"tcpi_rto", false, 8, 4, 0, 0},
    {"tcpi_ato", false, 12, 4, 0, 0},
    {"tcpi_snd_mss", false, 16, 4, 0, 0},
    {"tcpi_rcv_mss", false, 20, 4, 0, 0},
    {"tcpi_unacked", false, 24, 4, 0, 0},
    {"tcpi_sacked", false, 28, 4, 0, 0},
    {"tcpi_lost", false, 32, 4, 0, 0},
    {"tcpi_retrans", false, 36, 4, 0, 0},
    {"tcpi_fackets", false, 40, 4, 0, 0},
    {"tcpi_last_data_sent", false, 44, 4, 0, 0},
    {"tcpi_last_ack_sent", false, 48, 4, 0, 0},
    {"tcpi_last_data_recv", false, 52, 4, 0, 0},
    {"tcpi_last_ack_recv", false, 56, 4, 0, 0},
    {"tcpi_pmtu", false, 60, 4, 0, 0},
    {"tcpi_rcv_ssthresh", false, 64, 4, 0, 0},
    {"tcpi_rtt", false, 68, 4, 0, 0},
    {"tcpi_rttvar", false, 72, 4, 0, 0},
    {"tcpi_snd_ssthresh", false, 76, 4, 0, 0},
    {"tcpi_snd_cwnd", false, 80, 4, 0, 0},
    {"tcpi_advmss", false, 84, 4, 0, 0},
    {"tcpi_reordering", false, 88, 4, 0, 0},
    {"tcpi_rcv_rtt", false, 92, 4, 0, 0},
    {"tcpi_rcv_space", false, 96, 4, 0, 0},
    {"tcpi_total_retrans", false, 100, 4, 0, 0},
    {"tcpi_pacing_rate", false, 104, 8, 0, 0},
    {"tcpi_max_pacing_rate", false, 112, 8, 0, 0},
    {"tcpi_bytes_acked", false, 120, 8, 0, 0},
    {"tcpi_bytes_received", false, 128, 8, 0, 0},
    {"tcpi_segs_out", false, 136, 4, 0, 0},
    {"tcpi_segs_in", false, 140, 4, 0, 0},
    {"tcpi_notsent_bytes", false, 144, 4, 0, 0},
    {"tcpi_min_rtt", false, 148, 4, 0, 0},
    {"tcpi_data_segs_in", false, 152, 4, 0, 0},
    {"tcpi_data_segs_out", false, 156, 4, 0, 0},
    {"tcpi_delivery_rate", false, 160, 8, 0, 0},
    {"tcpi_busy_time", false, 168, 8, 0, 0},
    {"tcpi_rwnd_limited", false, 176, 8, 0, 0},
    {"tcpi_sndbuf_limited", false, 184, 8, 0, 0},
    {"tcpi_delivered", false, 192, 4, 0, 0},
    {"tcpi_delivered_ce", false, 196, 4, 0, 0},
    {"tcpi_bytes_sent", false, 200, 8, 0, 0},
    {"tcpi_bytes_retrans", false, 208, 8, 0, 0},
    {"tcpi_dsack_dups", false, 216, 4, 0, 0},
    {"tcpi_reord_seen", false, 220, 4, 0, 0},
    {"tcpi_rcv_ooopack", false, 224, 4, 0, 0},
    {"tcpi_snd_wnd", false, 228, 4, 0, 0},
    {"tcpi_rcv_wnd", false, 232, 4, 0, 0},
    {"tcpi_rehash", false, 236, 4, 0, 0},
    {"tcpi_total_rto", false, 240, 2, 0, 0},
    {"tcpi_total_rto_recoveries", false, 242, 2, 0, 0},
    {"tcpi_total_rto_time", false, 244, 4, 0, 0},
    {"tcpi_received_ce", false, 248, 4, 0, 0},
    {"tcpi_delivered_e1_bytes", false, 252, 4, 0, 0},
    {"tcpi_delivered_e0_bytes", false, 256, 4, 0, 0},
    {"tcpi_delivered_ce_bytes", false, 260, 4, 0, 0},
    {"tcpi_received_e1_bytes", false, 264, 4, 0, 0},
    {"tcpi_received_e0_bytes", false, 268, 4, 0, 0},
    {"tcpi_received_ce_bytes", false, 272, 4, 0, 0},
    {"tcpi_ecn_mode", false, 276, 4, 0, 2},
    {"tcpi_accecn_opt_seen", false, 276, 4, 2, 2},
    {"tcpi_accecn_fail_mode", false, 276, 4, 4, 4},
    {"tcpi_options2", false, 276, 4, 8, 24},
    {"SK_MEMINFO_RMEM_ALLOC", true, 0, 4, 0, 0},
    {"SK_MEMINFO_RCVBUF", true, 4, 4, 0, 0},
    {"SK_MEMINFO_WMEM_ALLOC", true, 8, 4, 0, 0},
    {"SK_MEMINFO_SNDBUF", true, 12, 4, 0, 0},
    {"SK_MEMINFO_FWD_ALLOC", true, 16, 4, 0, 0},
    {"SK_MEMINFO_WMEM_QUEUED", true, 20, 4, 0, 0},
    {"SK_MEMINFO_OPTMEM", true, 24, 4, 0, 0},
    {"SK_MEMINFO_BACKLOG", true, 28, 4, 0, 0},
    {"SK_MEMINFO_DROPS", true, 32, 4, 0, 0},
};

struct Definition {
  std::string_view name, v4, v6;
};
// The cookies are those of the key a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4 (and of zeroes) for the
// addresses that target.cc gives to scripts without a head.
constexpr Definition kDefinitions[] = {
    {"TFO_COOKIE", "3021b9d889017eeb", "c1d1e9742a47a9bc"},
    {"TFO_COOKIE_ZERO", "b7c12350a90dc8f5", "82af1a8f9a205c34"},
    {"CMSG_LEVEL_IP", "SOL_IP", "SOL_IPV6"},
    {"CMSG_TYPE_RECVERR", "IP_RECVERR", "IPV6_RECVERR"},
    {"CODE", "host_unreachable", "address_unreachable"},
};

struct ForeignIcmp {
  std::string_view foreign, own;
};
constexpr ForeignIcmp kIcmp[] = {
    {"unreachable", "unreachable net"},
    {"unreachable net_unreachable", "unreachable net"},
    {"unreachable no_route", "unreachable net"},
    {"unreachable host_unreachable", "unreachable host"},
    {"unreachable address_unreachable", "unreachable host"},
    {"unreachable protocol_unreachable", "unreachable protocol"},
    {"unreachable port_unreachable", "unreachable port"},
    {"unreachable frag_needed", "unreachable frag_needed"},
    {"unreachable source_route_failed", "unreachable source_route"},
    {"unreachable packet_filtered", "unreachable admin"},
    {"unreachable admin_prohibited", "unreachable admin"},
    {"packet_too_big", "unreachable frag_needed"},
    {"source_quench", "source_quench"},
    {"time_exceeded", "time_exceeded ttl"},
    {"time_exceeded ttl_exceeded", "time_exceeded ttl"},
    {"parameter_problem", "parameter_problem"},
};

}  // namespace

std::optional<int64_t> foreign_constant(std::string_view name) {
  for (const std::span<const Constant> table :
       {std::span<const Constant>(kConstants), std::span<const Constant>(kErrors),
        std::span<const Constant>(kNewer)}) {
    if (const auto found = find_in(table, name)) return found;
  }
  return std::nullopt;
}

std::string foreign_definition(std::string_view name, bool ipv6) {
  for (const Definition& definition : kDefinitions) {
    if (definition.name == name) return std::string(ipv6 ? definition.v6 : definition.v4);
  }
  return "";
}

std::string errno_name(int64_t error) {
  for (const Constant& constant : kErrors) {
    if (constant.value == error) return std::string(constant.name);
  }
  return cat("errno ", error);
}

const ForeignCall* find_foreign_call(std::string_view name) {
  for (const ForeignCall& call : kForeignCalls) {
    if (call.name == name) return &call;
  }
  return nullptr;
}

std::string foreign_call_names() {
  return join(std::span<const ForeignCall>(kForeignCalls), ", ",
              [](std::string& out, const ForeignCall& call) { append(out, call.name); });
}

std::span<const std::string_view> foreign_structures() {
  return kStructures;
}

const SocketField* find_socket_field(std::string_view name) {
  for (const SocketField& field : kSocketFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::optional<int64_t> code_constant(std::string_view name) {
  return find_in(kCodeConstants, name);
}

std::string_view own_icmp_name(std::string_view foreign) {
  for (const ForeignIcmp& icmp : kIcmp) {
    if (icmp.foreign == foreign) return icmp.own;
  }
  return "";
}

}  // namespace tcproctor::conformance
