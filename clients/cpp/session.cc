// SPDX-License-Identifier: Apache-2.0
#include "clients/cpp/session.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "clients/cpp/convert.h"

namespace tcproctor::client {
namespace {

// A call that only asks and is answered at once; longer means that the daemon hangs.
constexpr absl::Duration kWatchdog = absl::Seconds(30);

template <typename Request>
void set_timeout(Request& request, absl::Duration timeout) {
  if (timeout != absl::InfiniteDuration()) *request.mutable_timeout() = to_proto(timeout);
}

absl::StatusOr<v1::Outcome> outcome_of(const absl::StatusOr<v1::CallResponse>& response) {
  if (!response.ok()) return response.status();
  return response->outcome();
}

}  // namespace

// The session's lifetime: id, renewing thread, deletion.
class Session::Lease {
 public:
  Lease(Client client, v1::Session info) : client_(std::move(client)), info_(std::move(info)) {
    renewer_ = std::thread([this] { renew_until_stopped(); });
  }
  ~Lease() {
    // A destructor has nobody to tell; a session that cannot be deleted dies with its lease.
    remove().IgnoreError();
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  const Client& client() const { return client_; }
  const v1::Session& info() const { return info_; }

  absl::Status status() const {
    const absl::MutexLock lock(&mutex_);
    return status_;
  }

  absl::Status remove() {
    if (!renewer_.joinable()) return absl::OkStatus();
    {
      const absl::MutexLock lock(&mutex_);
      stopped_ = true;
    }
    renewer_.join();
    return client_.delete_session(info_.id(), kWatchdog);
  }

 private:
  void renew_until_stopped() {
    // A third of the lease: two renewals may fail before it runs out.
    const absl::Duration period = std::max(from_proto(info_.lease()) / 3, absl::Milliseconds(100));
    v1::RenewLeaseRequest request;
    request.set_session(info_.id());
    while (!stopped_within(period)) {
      const absl::Status status = client_.renew_lease(request, period).status();
      const absl::MutexLock lock(&mutex_);
      status_ = status;
      if (absl::IsNotFound(status)) return;
    }
  }

  bool stopped_within(absl::Duration period) {
    const absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&stopped_), period);
  }

  const Client client_;
  const v1::Session info_;
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread renewer_;
};

Connection::Connection(Client client, std::string session, uint64_t id)
    : client_(std::move(client)), session_(std::move(session)), id_(id) {}

v1::ConnectionRef Connection::ref() const {
  v1::ConnectionRef ref;
  ref.set_session(session_);
  ref.set_id(id_);
  return ref;
}

absl::StatusOr<Accepted> Connection::accept(absl::Duration timeout) const {
  v1::AcceptRequest request;
  *request.mutable_listener() = ref();
  set_timeout(request, timeout);
  absl::StatusOr<v1::AcceptResponse> response = client_.accept(request);
  if (!response.ok()) return response.status();
  return Accepted{response->outcome(), Connection(client_, session_, response->connection()),
                  response->pair()};
}

absl::StatusOr<v1::SendResponse> Connection::send(std::string_view data,
                                                  SendOptions options) const {
  constexpr size_t kLargestCall = size_t{1} << 20;  // documented at SendRequest.data
  v1::SendResponse total;
  do {
    v1::SendRequest request;
    *request.mutable_connection() = ref();
    request.set_data(std::string(data.substr(0, kLargestCall)));
    // PUSH belongs to the end of what the user handed over.
    request.set_push(options.push && data.size() <= kLargestCall);
    request.set_urgent(options.urgent);
    // Unlike elsewhere, an absent timeout would mean "do not wait" here.
    *request.mutable_timeout() = to_proto(options.timeout);
    const absl::StatusOr<v1::SendResponse> response = client_.send(request);
    if (!response.ok()) return response.status();
    total.set_outcome(response->outcome());
    total.set_accepted(total.accepted() + response->accepted());
    const bool complete = response->accepted() == request.data().size();
    data.remove_prefix(static_cast<size_t>(response->accepted()));
    if (response->outcome() != v1::OUTCOME_OK || !complete) break;
  } while (!data.empty());
  return total;
}

absl::StatusOr<v1::ReceiveResponse> Connection::receive(ReceiveOptions options) const {
  v1::ReceiveRequest request;
  *request.mutable_connection() = ref();
  request.set_max_bytes(options.max_bytes);
  request.set_min_bytes(options.min_bytes);
  set_timeout(request, options.timeout);
  return client_.receive(request);
}

absl::StatusOr<v1::Outcome> Connection::close() const {
  v1::CloseRequest request;
  *request.mutable_connection() = ref();
  return outcome_of(client_.close(request));
}

absl::StatusOr<v1::Outcome> Connection::close(absl::Duration linger) const {
  v1::CloseRequest request;
  *request.mutable_connection() = ref();
  *request.mutable_linger() = to_proto(linger);
  return outcome_of(client_.close(request));
}

absl::StatusOr<v1::ConnectionOptions> Connection::options() const {
  return client_.get_options(ref());
}
absl::StatusOr<v1::Outcome> Connection::release() const {
  return outcome_of(client_.release(ref()));
}
absl::StatusOr<v1::Outcome> Connection::abort() const {
  return outcome_of(client_.abort(ref()));
}

absl::StatusOr<v1::ConnectionStatus> Connection::status() const {
  return client_.status(ref());
}

absl::StatusOr<v1::ConnectionStatus> Connection::wait_for(v1::TcpState state,
                                                          absl::Duration timeout) const {
  v1::WaitStateRequest request;
  *request.mutable_connection() = ref();
  request.add_states(state);
  set_timeout(request, timeout);
  absl::StatusOr<v1::WaitStateResponse> response = client_.wait_state(request);
  if (!response.ok()) return response.status();
  if (response->outcome() != v1::OUTCOME_OK) {
    return absl::DeadlineExceededError(absl::StrCat(
        "connection ", id_, " is in ", v1::TcpState_Name(response->status().state()), ", not in ",
        v1::TcpState_Name(state), " (", v1::Outcome_Name(response->outcome()), ")"));
  }
  return response->status();
}

absl::StatusOr<v1::ConnectionOptions> Connection::set_options(
    const v1::ConnectionOptions& options) const {
  v1::SetOptionsRequest request;
  *request.mutable_connection() = ref();
  *request.mutable_options() = options;
  return client_.set_options(request);
}

absl::Status Connection::serve(v1::ServiceKind kind, uint64_t bytes, uint64_t seed) const {
  v1::ServeRequest request;
  *request.mutable_connection() = ref();
  request.set_kind(kind);
  request.set_bytes(bytes);
  request.set_seed(seed);
  return client_.serve(request);
}

absl::Status Connection::serve_sink() const {
  return serve(v1::SERVICE_KIND_SINK, 0, 0);
}
absl::Status Connection::serve_echo() const {
  return serve(v1::SERVICE_KIND_ECHO, 0, 0);
}
absl::Status Connection::serve_source(uint64_t bytes, uint64_t seed) const {
  return serve(v1::SERVICE_KIND_SOURCE, bytes, seed);
}
absl::Status Connection::serve_chargen(uint64_t bytes) const {
  return serve(v1::SERVICE_KIND_CHARGEN, bytes, 0);
}

absl::StatusOr<v1::TrafficResponse> Connection::traffic(bool wait, absl::Duration timeout) const {
  v1::TrafficRequest request;
  *request.mutable_connection() = ref();
  request.set_wait(wait);
  set_timeout(request, timeout);
  return client_.traffic(request);
}

Session::Session(std::unique_ptr<Lease> lease) : lease_(std::move(lease)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

absl::StatusOr<Session> Session::create(const Client& client,
                                        const v1::CreateSessionRequest& request) {
  absl::StatusOr<v1::Session> info = client.create_session(request);
  if (!info.ok()) return info.status();
  return Session(std::make_unique<Lease>(client, *std::move(info)));
}

const std::string& Session::id() const {
  return lease_->info().id();
}
const v1::Session& Session::info() const {
  return lease_->info();
}
const Client& Session::client() const {
  return lease_->client();
}
absl::Status Session::lease_status() const {
  return lease_->status();
}

std::string Session::address(v1::End end) const {
  const v1::EndInfo& side = end == v1::END_A ? info().a() : info().b();
  if (side.addresses().empty()) return "";
  const std::string& address = side.addresses(0);
  return address.substr(0, address.find('/'));
}

absl::StatusOr<Connection> Session::listen(v1::End end, uint16_t port,
                                           const ListenOptions& options) const {
  v1::OpenRequest request;
  request.set_session(id());
  request.set_end(end);
  request.mutable_local()->set_address(options.address);
  request.mutable_local()->set_port(port);
  request.set_backlog(options.backlog);
  *request.mutable_options() = options.options;
  const absl::StatusOr<v1::OpenResponse> response = client().open(request);
  if (!response.ok()) return response.status();
  if (response->outcome() != v1::OUTCOME_OK) {
    return absl::FailedPreconditionError(
        absl::StrCat("passive OPEN of port ", port, ": ", v1::Outcome_Name(response->outcome())));
  }
  return connection(response->connection());
}

absl::StatusOr<Opened> Session::connect(v1::End end, uint16_t remote_port,
                                        const ConnectOptions& options) const {
  const v1::End peer = end == v1::END_A ? v1::END_B : v1::END_A;
  v1::OpenRequest request;
  request.set_session(id());
  request.set_end(end);
  request.set_active(true);
  request.mutable_local()->set_address(options.local_address);
  request.mutable_local()->set_port(options.local_port);
  request.mutable_remote()->set_address(options.remote_address.empty() ? address(peer)
                                                                       : options.remote_address);
  request.mutable_remote()->set_port(remote_port);
  request.set_wait(options.wait);
  set_timeout(request, options.timeout);
  *request.mutable_options() = options.options;
  request.set_data(options.data);
  const absl::StatusOr<v1::OpenResponse> response = client().open(request);
  if (!response.ok()) return response.status();
  return Opened{response->outcome(), connection(response->connection()), response->pair(),
                response->accepted()};
}

Connection Session::connection(uint64_t connection_id) const {
  return {client(), id(), connection_id};
}

absl::StatusOr<v1::ListResponse> Session::list(v1::End end) const {
  v1::ListRequest request;
  request.set_session(id());
  request.set_end(end);
  return client().list(request);
}

absl::StatusOr<uint64_t> Session::inject(v1::End from, const v1::Segment& segment) const {
  v1::InjectRequest request;
  request.set_session(id());
  request.set_from(from);
  *request.add_train()->mutable_segment() = segment;
  const absl::StatusOr<v1::InjectResponse> response = client().inject(request);
  if (!response.ok()) return response.status();
  if (response->numbers().empty()) return absl::InternalError("the daemon named no segment");
  return response->numbers(0);
}

absl::StatusOr<v1::ExpectResponse> Session::expect(v1::End from, const v1::SegmentPattern& pattern,
                                                   absl::Duration timeout) const {
  v1::ExpectRequest request;
  request.set_session(id());
  request.set_from(from);
  *request.mutable_pattern() = pattern;
  set_timeout(request, timeout);
  return client().expect(request);
}

absl::StatusOr<v1::ExpectResponse> Session::expect(v1::End from, const v1::Segment& segment,
                                                   absl::Duration timeout) const {
  v1::SegmentPattern pattern;
  *pattern.mutable_fields() = segment;
  return expect(from, pattern, timeout);
}

absl::StatusOr<v1::ExpectResponse> Session::expect_silence(v1::End from,
                                                           absl::Duration time) const {
  v1::ExpectRequest request;
  request.set_session(id());
  request.set_from(from);
  request.set_mode(v1::EXPECT_MODE_SILENCE);
  set_timeout(request, time);
  return client().expect(request);
}

absl::Status Session::hold(v1::End from, bool on) const {
  v1::HoldRequest request;
  request.set_session(id());
  request.set_from(from);
  request.set_on(on);
  return client().hold(request);
}

absl::StatusOr<v1::ReleaseHeldResponse> Session::release_held() const {
  v1::ReleaseHeldRequest request;
  request.set_session(id());
  return client().release_held(request);
}

absl::StatusOr<std::vector<v1::LogEntry>> Session::log(uint64_t after) const {
  v1::LogRequest request;
  request.set_session(id());
  request.set_after(after);
  std::vector<v1::LogEntry> entries;
  const absl::Status status = client().log(request, [&entries](const v1::LogEntry& entry) {
    entries.push_back(entry);
    return true;
  });
  if (!status.ok()) return status;
  return entries;
}

absl::StatusOr<std::string> Session::pcap() const {
  v1::PcapRequest request;
  request.set_session(id());
  return client().pcap(request);
}

absl::Status Session::reset() const {
  return client().reset_session(id()).status();
}
absl::Status Session::remove() {
  return lease_->remove();
}

}  // namespace tcproctor::client
