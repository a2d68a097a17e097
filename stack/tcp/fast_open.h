// SPDX-License-Identifier: Apache-2.0
// TCP Fast Open (RFC 7413): data in the SYN for those who showed before that they own their
// address. A listener makes and checks the cookies; a client's host keeps what it was given, by
// destination.
#pragma once

#include <cstdint>
#include <span>

#include "stack/packet/address.h"
#include "stack/packet/inline_bytes.h"
#include "stack/packet/tcp_options.h"
#include "stack/tcp/siphash.h"
#include "stack/tcp/time.h"

namespace tcproctor::tcp {

using FastOpenCookie = packet::InlineBytes<packet::kMaxCookieBytes>;  // empty: none

// Cookies of a server: a keyed hash of the client's address, so that nobody can make one up
// (RFC7413-4.1.2-1). The key changes with time; a cookie is good for one to two periods.
class FastOpenCookies {
 public:
  static constexpr Duration kPeriod = std::chrono::hours(12);
  static constexpr size_t kBytes = 8;  // RFC7413-4.1.1-2: even, 4..16

  explicit FastOpenCookies(const Secret& secret) : secret_(secret) {}

  FastOpenCookie make(Instant now, const packet::IpAddress& client) const;
  bool check(Instant now, const packet::IpAddress& client, std::span<const uint8_t> cookie) const;

 private:
  FastOpenCookie of_period(uint64_t period, const packet::IpAddress& client) const;

  Secret secret_;
};

// What a client knows of a server when it opens (RFC7413-4.1.3-1, 4.1.3.1-1).
struct FastOpenPath {
  FastOpenCookie cookie;
  uint16_t mss = 0;     // the server announced when it gave the cookie; 0: unknown
  bool failed = false;  // not long ago: the SYN goes without the option
};

// What a client learnt in its handshake, for the next one.
struct FastOpenNews {
  FastOpenCookie cookie;  // a new one, with the server's MSS
  uint16_t mss = 0;
  bool failed = false;  // the SYN was lost, its data not taken, or an ICMP error came
};

// What a connection keeps of it; most have none.
struct FastOpenState {
  FastOpenPath path;            // client
  FastOpenNews news;            // client
  bool has_news = false;        // client
  uint16_t data_in_syn = 0;     // client: octets our SYN carried
  bool offered = false;         // client: our SYN carried the option
  bool early = false;           // server: the SYN's cookie was good
  bool syn_data_taken = false;  // both: data of the SYN was acknowledged with it
};

}  // namespace tcproctor::tcp
