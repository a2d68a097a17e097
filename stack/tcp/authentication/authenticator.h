// SPDX-License-Identifier: Apache-2.0
// Signs and verifies the segments of one connection: TCP-MD5 (RFC 2385) or TCP-AO (RFC 5925). Runs
// last before a segment leaves and first when one comes (RFC5925-7.4-1, 7.5-1), so that a forged
// one touches nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "stack/packet/address.h"
#include "stack/packet/tcp_header.h"
#include "stack/tcp/segment_out.h"
#include "stack/tcp/sequence.h"
#include "stack/tcp/settings.h"

namespace tcproctor::tcp {

enum class AuthenticationKind : uint8_t { kNone, kMd5, kAo };

// The KeyIDs of TCP-AO, for STATUS (RFC5925-7.1-1).
struct AoKeyIds {
  uint8_t current_key = 0;  // SendID of the MKT we sign with
  uint8_t rnext_key = 0;    // RecvID of the MKT we ask the peer to sign with
  // Of the last segment that was verified.
  uint8_t received_key_id = 0;
  uint8_t received_rnext_key_id = 0;
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;

  virtual AuthenticationKind kind() const = 0;
  // What the option takes of every segment, padding included (RFC2385-4.3-1).
  virtual uint8_t option_bytes() const = 0;
  // Appends the option, for which there must be room, and signs. False: the segment cannot be
  // signed, because the peer's ISN is not known, and must not be sent.
  [[nodiscard]] virtual bool sign(SegmentOut& out) = 0;
  // Empty: the segment is the peer's. Else why not; then nothing of it may be believed and nothing
  // answered (RFC2385-2-2, 2-3, RFC5925-7.3-2). A literal.
  virtual std::string_view verify(const packet::TcpSegment& segment) = 0;
  // The peer's ISN, from a SYN that was verified.
  virtual void set_irs(SeqNum irs) = 0;
  // Other keys for the connection as it runs. FAILED_PRECONDITION: what is in use would change
  // (RFC5925-3.1-2).
  virtual absl::Status update(const ConnectionOptions& options) = 0;
  virtual std::optional<AoKeyIds> key_ids() const { return std::nullopt; }

 protected:
  Authenticator() = default;
};

// What signs the connection `tuple`; null when `options` holds no key for its remote address.
// `iss` matters for all but the verification of a SYN.
std::unique_ptr<Authenticator> make_authenticator(const ConnectionOptions& options,
                                                  const packet::FourTuple& tuple, SeqNum iss);

// RFC5925-2.2-1, 2.2-2: both options, or one of them twice.
bool has_conflicting_signatures(const packet::TcpOptions& options);
// A segment of a peer without a key: empty, or why it is dropped.
std::string_view unexpected_signature(const packet::TcpOptions& options, const Settings& settings);

// Room for `size` octets more behind the options of `out`, on a word boundary: what was padding
// becomes NOPs, since nothing is read after an EOL. `size` is a multiple of 4.
uint8_t* append_option(SegmentOut& out, uint8_t size);

}  // namespace tcproctor::tcp
