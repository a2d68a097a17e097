// SPDX-License-Identifier: Apache-2.0
// The common socket calls over an end's OPEN, SEND, RECEIVE, CLOSE, Release and ABORT, for ends
// that have no sockets of their own. One table says what a socket option or a setting becomes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "server/end/end.h"
#include "server/end/sockets.h"

namespace tcproctor::server {

class SocketFacade : public Sockets {
 public:
  // `end` must outlive the facade.
  explicit SocketFacade(End& end) : end_(end) {}

  absl::StatusOr<std::unique_ptr<SocketOperation>> begin(
      const v1::SocketCallRequest& request) override;

 private:
  class Operation;
  struct Descriptor {
    uint64_t connection = 0;  // 0: neither listening nor connected
    bool listening = false;
    bool non_blocking = false;
    bool connecting = false;  // connect() has not told yet how it went
    bool aborts = false;      // SO_LINGER {1, 0}
    bool shut_for_reading = false;
    bool error_told = false;
    v1::SocketAddress local;
    v1::ConnectionOptions options;
  };
  // Nothing: the call blocks. `done`: octets of a write that were taken so far.
  using Answer = std::optional<v1::SocketCallResponse>;
  Answer step(const v1::SocketCallRequest& request, size_t& done, bool first);

  v1::SocketCallResponse socket(const v1::SocketCreate& call);
  v1::SocketCallResponse listen(Descriptor& socket, const v1::SocketListen& call);
  Answer accept(Descriptor& socket, const v1::SocketAccept& call);
  Answer connect(Descriptor& socket, const v1::SocketConnect& call, bool first);
  Answer read(Descriptor& socket, const v1::SocketRead& call);
  Answer write(Descriptor& socket, const v1::SocketWrite& call, size_t& done);
  v1::SocketCallResponse shutdown(Descriptor& socket, int how);
  v1::SocketCallResponse close(int fd);
  v1::SocketCallResponse control(Descriptor& socket, const v1::SocketControl& call);
  v1::SocketCallResponse ioctl(Descriptor& socket, const v1::SocketIoctl& call);
  v1::SocketCallResponse set_option(Descriptor& socket, const v1::SocketSetOption& call);
  v1::SocketCallResponse get_option(Descriptor& socket, const v1::SocketGetOption& call);
  v1::SocketCallResponse setting(const v1::SystemSetting& call);
  // Why the connection ended, told once; 0: it has not, or it was told.
  int pending_error(Descriptor& socket);
  int add(Descriptor descriptor);

  End& end_;
  std::map<int, Descriptor> descriptors_;
  v1::ConnectionOptions defaults_;  // as settings left them, for sockets made from then on
};

}  // namespace tcproctor::server
