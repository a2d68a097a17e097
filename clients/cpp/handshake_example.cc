// SPDX-License-Identifier: Apache-2.0
// A worked example: our stack (A) connects to the kernel's TCP (B), sends, and closes; then the
// wire's log is printed. Usage: handshake_example ADDRESS, e.g. unix:/run/tcproctor.sock
#include <iostream>

#include "clients/cpp/session.h"

using namespace tcproctor;

absl::Status run(const std::string& address) {
  absl::StatusOr<client::Client> daemon = client::Client::connect(address);
  if (!daemon.ok()) return daemon.status();

  v1::CreateSessionRequest wanted;
  wanted.mutable_a()->mutable_stack()->mutable_msl()->set_seconds(1);
  wanted.mutable_b()->mutable_kernel();
  absl::StatusOr<client::Session> session = client::Session::create(*daemon, wanted);
  if (!session.ok()) return session.status();

  absl::StatusOr<client::Connection> listener = session->listen(v1::END_B, 80);
  if (!listener.ok()) return listener.status();
  absl::StatusOr<client::Opened> opened =
      session->connect(v1::END_A, 80, {.wait = true, .timeout = absl::Seconds(5)});
  if (!opened.ok()) return opened.status();
  absl::StatusOr<client::Accepted> accepted = listener->accept(absl::Seconds(5));
  if (!accepted.ok()) return accepted.status();

  absl::StatusOr<v1::SendResponse> sent = opened->connection.send("hello");
  if (!sent.ok()) return sent.status();
  absl::StatusOr<v1::ReceiveResponse> received =
      accepted->connection.receive({.timeout = absl::Seconds(5)});
  if (!received.ok()) return received.status();
  std::cout << "B received \"" << received->data() << "\"\n";

  // B sees the end of the stream and closes too; A waits out 2 MSL, here 2 s.
  if (absl::Status status = opened->connection.close().status(); !status.ok()) return status;
  if (absl::Status status = accepted->connection.close().status(); !status.ok()) return status;
  absl::StatusOr<v1::ConnectionStatus> status =
      opened->connection.wait_for(v1::TCP_STATE_TIME_WAIT, absl::Seconds(5));
  if (!status.ok()) return status.status();
  std::cout << "A is in " << v1::TcpState_Name(status->state()) << "\n";

  absl::StatusOr<std::vector<v1::LogEntry>> log = session->log();
  if (!log.ok()) return log.status();
  for (const v1::LogEntry& entry : *log) {
    std::cout << entry.number() << " " << v1::End_Name(entry.from()) << " flags 0x" << std::hex
              << entry.segment().tcp().flags() << std::dec << " seq "
              << entry.segment().tcp().sequence_number() << " " << entry.segment().payload().size()
              << " octets\n";
  }
  return session->remove();
}

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: handshake_example ADDRESS\n";
    return 3;
  }
  const absl::Status status = run(argv[1]);
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
