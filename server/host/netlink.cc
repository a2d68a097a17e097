// SPDX-License-Identifier: Apache-2.0
#include "server/host/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tcproctor::server {
namespace {

// The kernel's explanation of an error (extended acknowledgement), if there is one.
absl::string_view explanation(nlmsghdr* header) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  // NETLINK_CAP_ACK: of the failed request only its header is echoed.
  constexpr int kErrorBytes = sizeof(nlmsgerr);
  const nlattr* text = nlmsg_find_attr(header, kErrorBytes, NLMSGERR_ATTR_MSG);
  if (text == nullptr || nla_len(text) < 1) return {};
  const char* begin = static_cast<const char*>(nla_data(text));
  return {begin, ::strnlen(begin, static_cast<size_t>(nla_len(text)))};
}

absl::Status error_of(nlmsghdr* header, absl::string_view what) {
  const int error = -static_cast<const nlmsgerr*>(nlmsg_data(header))->error;
  if (error == 0) return absl::OkStatus();
  const absl::string_view detail = explanation(header);
  return absl::ErrnoToStatus(
      error, detail.empty() ? std::string(what) : absl::StrCat(what, " (", detail, ")"));
}

}  // namespace

RouteMessage::RouteMessage(uint16_t type, uint16_t flags, std::string what)
    : message_(nlmsg_alloc()), what_(std::move(what)) {
  complete_ = message_ != nullptr && nlmsg_put(message_.get(), 0, 0, type, 0,
                                               NLM_F_REQUEST | NLM_F_ACK | flags) != nullptr;
}

RouteMessage RouteMessage::bracket(uint16_t type, std::string what) {
  RouteMessage message(type, 0, std::move(what));
  message.acknowledged_ = false;
  if (message.complete_) {
    nlmsg_hdr(message.message_.get())->nlmsg_flags &= static_cast<uint16_t>(~NLM_F_ACK);
  }
  return message;
}

RouteMessage& RouteMessage::append(const void* data, size_t length) {
  complete_ = complete_ &&
              nlmsg_append(message_.get(), const_cast<void*>(data), length, NLMSG_ALIGNTO) == 0;
  return *this;
}

RouteMessage& RouteMessage::attribute(int type, const void* data, size_t length) {
  complete_ = complete_ && nla_put(message_.get(), type, static_cast<int>(length), data) == 0;
  return *this;
}

RouteMessage& RouteMessage::attribute_string(int type, absl::string_view text) {
  const std::string terminated(text);
  return attribute(type, terminated.c_str(), terminated.size() + 1);
}

RouteMessage& RouteMessage::begin_nested(int type) {
  nested_.push_back(complete_ ? nla_nest_start(message_.get(), type) : nullptr);
  complete_ = nested_.back() != nullptr;
  return *this;
}

RouteMessage& RouteMessage::end_nested() {
  if (complete_) nla_nest_end(message_.get(), nested_.back());
  nested_.pop_back();
  return *this;
}

absl::Status RouteBatch::execute(int socket, const OnAnswer& on_answer) {
  const std::vector<RouteMessage> messages = std::exchange(messages_, {});
  std::vector<iovec> parts;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!messages[i].complete_) {
      return absl::InternalError(absl::StrCat(messages[i].what_, ": the request is too long"));
    }
    nlmsghdr* header = nlmsg_hdr(messages[i].message_.get());
    header->nlmsg_seq = static_cast<uint32_t>(i + 1);
    parts.push_back({header, header->nlmsg_len});
  }
  if (parts.empty()) return absl::OkStatus();

  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr request{};
  request.msg_name = &kernel;
  request.msg_namelen = sizeof kernel;
  request.msg_iov = parts.data();
  request.msg_iovlen = parts.size();
  if (::sendmsg(socket, &request, 0) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(messages[0].what_, ": sending to netlink"));
  }

  absl::Status first_error;
  size_t expected = 0;
  for (const RouteMessage& message : messages) expected += message.acknowledged_;
  size_t answered = 0;
  std::array<uint8_t, 16384> buffer;
  while (answered < expected) {
    const ssize_t length = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat(messages.back().what_, ": netlink"));
    }
    int remaining = static_cast<int>(length);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(header, remaining);
         header = nlmsg_next(header, &remaining)) {
      if (header->nlmsg_seq == 0 || header->nlmsg_seq > messages.size()) continue;
      // The end of a dump, which is not acknowledged otherwise.
      if (header->nlmsg_type == NLMSG_DONE) {
        ++answered;
        continue;
      }
      if (header->nlmsg_type != NLMSG_ERROR) {
        if (on_answer) on_answer(header);
        continue;
      }
      ++answered;
      // Refused as a whole: nothing else is answered.
      if (!messages[header->nlmsg_seq - 1].acknowledged_) answered = expected;
      first_error.Update(error_of(header, messages[header->nlmsg_seq - 1].what_));
    }
  }
  return first_error;
}

namespace {

// Options that every netlink socket of ours has.
UniqueFd prepared(UniqueFd socket) {
  const int on = 1;
  // Both are conveniences of 4.12+; without them errors are terser.
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  // Answers are there when sendmsg returns; this only keeps a surprise from hanging the caller.
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return socket;
}

absl::StatusOr<UniqueFd> open_in(const NetworkNamespace& ns, int protocol) {
  absl::StatusOr<UniqueFd> socket = ns.open_socket(AF_NETLINK, SOCK_RAW, protocol);
  if (!socket.ok()) return socket.status();
  return prepared(*std::move(socket));
}

}  // namespace

uint8_t netlink_family(const packet::IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

absl::StatusOr<UniqueFd> open_route_socket(const NetworkNamespace& ns) {
  return open_in(ns, NETLINK_ROUTE);
}

absl::StatusOr<UniqueFd> open_generic_socket(const NetworkNamespace& ns) {
  return open_in(ns, NETLINK_GENERIC);
}

absl::StatusOr<UniqueFd> open_filter_socket() {
  UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket.valid()) return absl::ErrnoToStatus(errno, "opening a netfilter netlink socket");
  return prepared(std::move(socket));
}

}  // namespace tcproctor::server
