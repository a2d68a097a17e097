// SPDX-License-Identifier: Apache-2.0
// session create|list|get|renew|reset|delete
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "clients/cli/parse.h"
#include "clients/cli/verb.h"
#include "clients/cli/verbs.h"
#include "clients/cpp/convert.h"
#include "conformance/script/names.h"

namespace tcproctor::cli {
namespace {

std::string milliseconds_text(const google::protobuf::Duration& duration) {
  return absl::FormatDuration(absl::Trunc(client::from_proto(duration), absl::Milliseconds(1)));
}

std::string describe_end(const char* name, const v1::EndInfo& end) {
  return absl::StrCat(name, " ", conformance::hyphenated(v1::EndKind_Name(end.kind()), "END_KIND_"),
                      " ", absl::StrJoin(end.addresses(), " "));
}

std::string one_line(const v1::Session& session) {
  return absl::StrCat(
      session.id(), "  ", describe_end("A", session.a()), "  ", describe_end("B", session.b()),
      "  ", conformance::hyphenated(v1::LinkKind_Name(session.link()), "LINK_KIND_"),
      session.direct() ? " direct" : "", session.clock() == v1::CLOCK_VIRTUAL ? " virtual" : "",
      "  lease ", milliseconds_text(session.lease_remaining()), session.label().empty() ? "" : "  ",
      session.label(), "\n");
}

std::string details(const v1::Session& session) {
  std::string text = one_line(session);
  absl::StrAppend(&text, "  seed ", session.seed(), "  mtu ", session.mtu(), "  session time ",
                  milliseconds_text(session.now()), "\n");
  for (const auto& [name, end] : {std::pair("A", &session.a()), std::pair("B", &session.b())}) {
    if (!end->namespace_path().empty())
      absl::StrAppend(&text, "  ", name, " namespace ", end->namespace_path(), "  device ",
                      end->interface(), "\n");
    if (!end->capabilities().empty())
      absl::StrAppend(&text, "  ", name, " can: ", absl::StrJoin(end->capabilities(), " "), "\n");
  }
  return text;
}

void set_end(const std::optional<std::string>& kind, const std::vector<std::string>& addresses,
             v1::EndSpec& end) {
  if (kind) set_end_kind(*kind, end);
  if (!addresses.empty()) end.mutable_addresses()->Assign(addresses.begin(), addresses.end());
}

class SessionCreate : public Verb {
 public:
  SessionCreate()
      : Verb(
            {.name = "session create",
             .operands = "",
             .summary = "Makes a session, a wire with two ends, and prints its id",
             .help =
                 "What --request says is the base; flags go over it. The session lives for its\n"
                 "lease after the last call that names it.\n\n"
                 "  ID=$(tcproctor session create --a stack --b kernel --lease 10m)\n"
                 "  tcproctor session create --a scripted --b stack --link memory --clock virtual\n"
                 "  tcproctor session create --request '{\"a\":{\"stack\":{\"msl\":\"1s\"}}}' "
                 "--b kernel\n"
                 "  tcproctor session create --request '{\"b\":{\"kernel\":{\"sysctls\":\n"
                 "      {\"net.ipv4.tcp_fin_timeout\":\"5\"}}}}' --a stack\n\n"
                 "On the network, where the daemon was given an interface of the machine:\n\n"
                 "  tcproctor session create --a stack --b remote\n"
                 "  tcproctor session create --a stack --b remote --shared-ports 7000-7099\n"
                 "  tcproctor session create --a scripted --b remote --b-address 192.0.2.7\n"}) {}

  void define(FlagSet& flags) override {
    flags.add("a", &a_, kEndKinds, "end A; default stack");
    flags.add("b", &b_, kEndKinds, "end B; default kernel (stack on a memory link)");
    flags.add("a-address", &a_addresses_, "ADDR/PREFIX,...",
              "addresses of A; default 192.0.2.1/24, …");
    flags.add("b-address", &b_addresses_, "ADDR/PREFIX,...",
              "addresses of B; default 192.0.2.2/24, …");
    flags.add("link", &link_, "veth|tun|memory|interface",
              "default veth, memory with a virtual clock, interface "
              "with a remote end");
    flags.add("shared-ports", &shared_ports_, "FIRST-LAST",
              "a stack end has these TCP ports of the machine's own addresses");
    flags.add("clock", &clock_, "real|virtual", "default real");
    flags.add("mtu", &mtu_, "OCTETS", "68..65535; default 1500");
    flags.add("direct", &direct_, "",
              "join the ends without the wire's switch: fast, no Wire service");
    flags.add("offloads", &offloads_, "", "leave checksum and segmentation offload on");
    flags.add("lease", &lease_, "DURATION", "1s..1h; default 30s");
    flags.add("seed", &seed_, "N", "of every random choice; default drawn");
    flags.add("label", &label_, "TEXT", "shown by session list");
    flags.add("request", &request_, "JSON", "a CreateSessionRequest, or @FILE with one");
  }

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>&) override {
    v1::CreateSessionRequest request;
    if (absl::Status status = fill(request); !status.ok()) return status;
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::Session> session = client->create_session(request);
    if (!session.ok()) return session.status();
    context.text() << session->id() << "\n";
    if (absl::Status status = context.emit(*session); !status.ok()) return status;
    return kExitOk;
  }

 private:
  absl::Status fill(v1::CreateSessionRequest& request) const {
    if (request_) {
      if (absl::Status status = parse_json(*request_, &request); !status.ok()) return status;
    }
    if (absl::Status status = fill_wire(request); !status.ok()) return status;
    set_end(a_, a_addresses_, *request.mutable_a());
    set_end(b_, b_addresses_, *request.mutable_b());
    if (request.a().kind_case() == v1::EndSpec::KIND_NOT_SET) request.mutable_a()->mutable_stack();
    if (request.b().kind_case() == v1::EndSpec::KIND_NOT_SET) {
      const bool memory =
          request.wire().link() == v1::LINK_KIND_MEMORY || request.clock() == v1::CLOCK_VIRTUAL;
      if (memory)
        request.mutable_b()->mutable_stack();
      else
        request.mutable_b()->mutable_kernel();
    }
    if (lease_) *request.mutable_lease() = client::to_proto(*lease_);
    if (seed_) request.set_seed(*seed_);
    if (label_) request.set_label(*label_);
    return absl::OkStatus();
  }

  absl::Status fill_wire(v1::CreateSessionRequest& request) const {
    v1::WireSpec* wire = request.mutable_wire();
    if (link_ == "veth")
      wire->set_link(v1::LINK_KIND_VETH);
    else if (link_ == "tun")
      wire->set_link(v1::LINK_KIND_TUN);
    else if (link_ == "memory")
      wire->set_link(v1::LINK_KIND_MEMORY);
    else if (link_ == "interface" || (!link_ && (a_ == "remote" || b_ == "remote")))
      wire->set_link(v1::LINK_KIND_INTERFACE);
    if (clock_ == "real")
      request.set_clock(v1::CLOCK_REAL);
    else if (clock_ == "virtual")
      request.set_clock(v1::CLOCK_VIRTUAL);
    if (shared_ports_) {
      v1::PortRange* const ports = wire->mutable_interface()->mutable_shared_ports();
      uint32_t first = 0;
      uint32_t last = 0;
      const std::vector<std::string> parts = absl::StrSplit(*shared_ports_, '-');
      if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &first) ||
          !absl::SimpleAtoi(parts[1], &last)) {
        return absl::InvalidArgumentError(
            absl::StrCat("--shared-ports ", *shared_ports_, ": want FIRST-LAST"));
      }
      ports->set_first(first);
      ports->set_last(last);
    }
    if (mtu_) wire->set_mtu(*mtu_);
    if (direct_) wire->set_direct(*direct_);
    if (offloads_) wire->set_offloads(*offloads_);
    return absl::OkStatus();
  }

  std::optional<std::string> a_, b_, link_, clock_, label_, request_, shared_ports_;
  std::vector<std::string> a_addresses_, b_addresses_;
  std::optional<uint32_t> mtu_;
  std::optional<bool> direct_, offloads_;
  std::optional<absl::Duration> lease_;
  std::optional<uint64_t> seed_;
};

class SessionList : public Verb {
 public:
  SessionList()
      : Verb({.name = "session list",
              .operands = "",
              .summary = "Lists the daemon's sessions",
              .help = "\n  tcproctor session list\n"
                      "  tcproctor session list --json - | jq -r '.sessions[].id'\n"}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>&) override {
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::ListSessionsResponse> list = client->list_sessions();
    if (!list.ok()) return list.status();
    for (const v1::Session& session : list->sessions()) context.text() << one_line(session);
    if (absl::Status status = context.emit(*list); !status.ok()) return status;
    return kExitOk;
  }
};

// get, renew and reset: one session in, its description out.
class SessionCall : public Verb {
 public:
  using Verb::Verb;

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    const absl::StatusOr<v1::Session> session = call(*client, operands[0]);
    if (!session.ok()) return session.status();
    context.text() << details(*session);
    if (absl::Status status = context.emit(*session); !status.ok()) return status;
    return kExitOk;
  }

 private:
  virtual absl::StatusOr<v1::Session> call(const client::Client& client, const std::string& id) = 0;
};

class SessionGet : public SessionCall {
 public:
  SessionGet()
      : SessionCall({.name = "session get",
                     .operands = "SESSION",
                     .summary = "Describes a session: ends, addresses, capabilities, lease",
                     .help = "\n  tcproctor session get $ID\n",
                     .min_operands = 1,
                     .max_operands = 1}) {}

 private:
  absl::StatusOr<v1::Session> call(const client::Client& client, const std::string& id) override {
    return client.get_session(id);
  }
};

class SessionRenew : public SessionCall {
 public:
  SessionRenew()
      : SessionCall({.name = "session renew",
                     .operands = "SESSION",
                     .summary = "Starts the lease anew",
                     .help = "\n  tcproctor session renew $ID --lease 1h\n",
                     .min_operands = 1,
                     .max_operands = 1}) {}

  void define(FlagSet& flags) override {
    flags.add("lease", &lease_, "DURATION", "from now on, 1s..1h; default as before");
  }

 private:
  absl::StatusOr<v1::Session> call(const client::Client& client, const std::string& id) override {
    v1::RenewLeaseRequest request;
    request.set_session(id);
    if (lease_) *request.mutable_lease() = client::to_proto(*lease_);
    return client.renew_lease(request);
  }

  std::optional<absl::Duration> lease_;
};

class SessionReset : public SessionCall {
 public:
  SessionReset()
      : SessionCall({.name = "session reset",
                     .operands = "SESSION",
                     .summary = "Makes ends, log and clock as fresh, with the same id and lease",
                     .help = "\n  tcproctor session reset $ID\n",
                     .min_operands = 1,
                     .max_operands = 1}) {}

 private:
  absl::StatusOr<v1::Session> call(const client::Client& client, const std::string& id) override {
    return client.reset_session(id);
  }
};

class SessionDelete : public Verb {
 public:
  SessionDelete()
      : Verb({.name = "session delete",
              .operands = "SESSION…",
              .summary = "Deletes sessions and everything they made",
              .help = "\n  tcproctor session delete $ID\n",
              .min_operands = 1,
              .max_operands = SIZE_MAX}) {}

  absl::StatusOr<int> run(Context& context, const std::vector<std::string>& operands) override {
    const absl::StatusOr<client::Client> client = context.connect();
    if (!client.ok()) return client.status();
    for (const std::string& id : operands) {
      if (absl::Status status = client->delete_session(id); !status.ok()) return status;
      if (absl::Status status = context.emit_line(v1::DeleteSessionResponse()); !status.ok())
        return status;
    }
    return kExitOk;
  }
};

}  // namespace

void add_session_verbs(VerbList& verbs) {
  verbs.push_back(std::make_unique<SessionCreate>());
  verbs.push_back(std::make_unique<SessionList>());
  verbs.push_back(std::make_unique<SessionGet>());
  verbs.push_back(std::make_unique<SessionRenew>());
  verbs.push_back(std::make_unique<SessionReset>());
  verbs.push_back(std::make_unique<SessionDelete>());
}

}  // namespace tcproctor::cli
