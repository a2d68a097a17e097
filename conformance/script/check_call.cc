// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/check_call.h"

#include <algorithm>
#include <array>

#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"
#include "tcproctor/v1/endpoint.pb.h"

namespace tcproctor::conformance {
namespace {

// What may stand behind "=".
enum class Result { kOutcome, kCount, kData, kStates, kFields, kRefusal, kNothing };

struct CallForm {
  std::string_view name;
  bool takes_connection;   // first argument: a name, or A or B for the flow's connection there
  size_t positional;       // further arguments by position, at most
  std::string_view words;  // flags
  std::string_view named;  // arguments by name
  bool takes_options;      // fields of ConnectionOptions as well
  bool makes_connection;   // can be assigned
  Result result;
};

constexpr std::array<CallForm, 12> kCalls = {{
    {"OPEN", false, 1, "wait", "local,remote,backlog,timeout,from,data", true, true,
     Result::kOutcome},
    {"ACCEPT", true, 0, "", "timeout", false, true, Result::kOutcome},
    {"SEND", true, 1, "urgent,push", "timeout", false, false, Result::kCount},
    {"RECEIVE", true, 1, "", "timeout,min", false, false, Result::kData},
    {"CLOSE", true, 0, "", "linger", false, false, Result::kOutcome},
    {"RELEASE", true, 0, "", "", false, false, Result::kOutcome},
    {"ABORT", true, 0, "", "", false, false, Result::kOutcome},
    {"STATE", true, 0, "", "", false, false, Result::kStates},
    {"STATUS", true, 0, "", "", false, false, Result::kFields},
    {"SET", true, 0, "", "", true, false, Result::kRefusal},
    {"EVENT", true, 1, "", "", false, false, Result::kNothing},
    {"EMBRYONIC", true, 0, "", "", false, true, Result::kNothing},
}};

bool listed(std::string_view list, std::string_view word) {
  const std::vector<std::string> words = split(list, ',');
  return !word.empty() && std::find(words.begin(), words.end(), word) != words.end();
}

class CallChecker {
 public:
  CallChecker(const CallStatement& call, const std::set<std::string>& names)
      : call_(call), names_(names) {}
  std::vector<std::string> run();

 private:
  void arguments(const CallForm& form);
  void connection(const Value& value);
  void positional(size_t index, const Value& value);
  void named(const CallForm& form, const Argument& argument);
  void marks(const Value& value);
  void result(const CallForm& form, const Value& value);
  void fields(const Value& value);
  void event(const Value& value);
  void error(std::string message) { errors_.push_back(std::move(message)); }

  const CallStatement& call_;
  const std::set<std::string>& names_;
  std::vector<std::string> errors_;
};

std::vector<std::string> CallChecker::run() {
  const auto* form = std::find_if(kCalls.begin(), kCalls.end(),
                                  [&](const CallForm& f) { return f.name == call_.name; });
  if (form == kCalls.end()) {
    error(
        cat("unknown call \"", call_.name, "\": one of ",
            join(kCalls, ", ", [](std::string& out, const CallForm& f) { append(out, f.name); })));
    return std::move(errors_);
  }
  if (!call_.assigned.empty() && !form->makes_connection) {
    error(cat(call_.name, " makes no connection that could be named \"", call_.assigned, "\""));
  }
  if (call_.negated && call_.name != "EVENT") error("only EVENT can be denied with \"no\"");
  arguments(*form);
  for (const Value& value : call_.results) result(*form, value);
  const bool needs_result = form->result == Result::kStates || form->result == Result::kFields;
  if (call_.results.empty() && needs_result) {
    error(cat(call_.name, "(…) needs \"= …\": what is to be observed"));
  }
  return std::move(errors_);
}

void CallChecker::connection(const Value& value) {
  if (value.kind != Value::Kind::kWord) {
    error(cat(call_.name, " needs the name of a connection first"));
  } else if (parse_end(value.text).has_value()) {
    const bool by_pair =
        call_.name == "STATE" || call_.name == "STATUS" || call_.name == "EMBRYONIC";
    if (!by_pair) error("A and B stand for the flow's connection only in STATE, STATUS, EMBRYONIC");
  } else if (names_.count(value.text) == 0) {
    error(cat("no connection was named \"", value.text, "\" before"));
  }
}

void CallChecker::event(const Value& value) {
  const std::vector<std::string> words = split(value.text, ' ');
  const google::protobuf::FieldDescriptor* field =
      v1::ConnectionEvent::descriptor()->FindFieldByName(words[0]);
  if (words[0] == "state") {
    if (words.size() != 2 || !parse_state(words[1]).has_value()) error("expected state STATE");
  } else if (field == nullptr || field->containing_oneof() == nullptr) {
    error(cat("unknown event \"", words[0],
              "\": one of state, error, soft_error, urgent, delivery_trouble, acceptable, "
              "half_open_alarm, dropped, recovery, retransmission_timeout, spurious, path_mtu, "
              "probe"));
  } else if (words[0] == "error") {
    if (words.size() > 2 || (words.size() == 2 && !parse_outcome(words[1]).has_value())) {
      error("expected error OUTCOME, e.g. error CONNECTION-RESET");
    }
  } else if (words.size() != 1) {
    error(cat("the event ", words[0], " takes nothing behind it"));
  }
}

void CallChecker::positional(size_t index, const Value& value) {
  const bool octets = value.kind == Value::Kind::kText || value.kind == Value::Kind::kStream;
  if (call_.name == "OPEN") {
    if (index != 0 || (value.text != "active" && value.text != "passive")) {
      error("OPEN needs active or passive first");
    }
  } else if (call_.name == "SEND") {
    if (!octets) error("SEND needs what to send: \"text\", hex \"…\" or bytes(N)");
  } else if (call_.name == "RECEIVE") {
    if (value.kind != Value::Kind::kNumber || value.number.value < 1) {
      error("RECEIVE needs how many octets at most, 1 or more");
    }
  } else if (call_.name == "EVENT") {
    event(value);
  }
}

void CallChecker::named(const CallForm& form, const Argument& argument) {
  if (listed(form.named, argument.name)) {
    const bool octets =
        argument.value.kind == Value::Kind::kText || argument.value.kind == Value::Kind::kStream;
    if (argument.name == "data" && !octets) error("data needs \"text\", hex \"…\" or bytes(N)");
    if (argument.name == "from" && names_.count(argument.value.text) == 0) {
      error(cat("no connection was named \"", argument.value.text, "\" before"));
    }
    return;
  }
  if (form.takes_options &&
      v1::ConnectionOptions::descriptor()->FindFieldByName(argument.name) != nullptr) {
    v1::ConnectionOptions scratch;
    const absl::Status status = set_field(scratch, argument.name, print_value(argument.value));
    if (!status.ok()) error(std::string(status.message()));
    return;
  }
  error(cat(call_.name, " has no argument \"", argument.name, "\": one of ", form.named,
            form.takes_options ? cat(form.named.empty() ? "" : ", ",
                                     list_fields(v1::ConnectionOptions::descriptor()))
                               : ""));
}

void CallChecker::arguments(const CallForm& form) {
  size_t index = 0;
  bool connected = !form.takes_connection;
  for (const Argument& argument : call_.arguments) {
    if (!argument.name.empty()) {
      named(form, argument);
    } else if (!connected) {
      connected = true;
      connection(argument.value);
    } else if (argument.value.kind == Value::Kind::kWord &&
               listed(form.words, argument.value.text)) {
      continue;
    } else if (index >= form.positional) {
      error(cat("too many arguments for ", call_.name));
    } else {
      positional(index++, argument.value);
    }
  }
  if (!connected) error(cat(call_.name, " needs the name of a connection"));
  const bool optional = call_.name == "RECEIVE";
  if (connected && index < form.positional && !optional) {
    error(cat(call_.name, " lacks an argument"));
  }
}

void CallChecker::fields(const Value& value) {
  for (const auto& [path, wanted] : value.map) {
    const auto [prefix, name] = split_once(path, '.');
    if (prefix == "timer" && !name.empty()) {
      std::string kind_name = cat("TIMER_KIND_", name);
      std::transform(kind_name.begin(), kind_name.end(), kind_name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      v1::TimerKind kind;
      if (!v1::TimerKind_Parse(kind_name, &kind)) {
        error(cat("there is no timer \"", name, "\""));
      }
      continue;
    }
    const bool options = prefix == "options" && !name.empty();
    const auto* type =
        options ? v1::ConnectionOptions::descriptor() : v1::ConnectionStatus::descriptor();
    if (find_path(type, options ? name : path).empty()) {
      error(cat(options ? "ConnectionOptions" : "STATUS", " has no field \"", options ? name : path,
                "\": one of ", list_fields(type)));
    }
  }
}

// What RECEIVE tells behind its octets.
void CallChecker::marks(const Value& value) {
  for (const auto& [name, wanted] : value.map) {
    const bool flag = name == "urgent" || name == "pushed";
    const bool truth =
        wanted.kind == Value::Kind::kWord && (wanted.text == "true" || wanted.text == "false");
    const bool count = wanted.kind == Value::Kind::kNumber && !wanted.number.max.has_value();
    if (flag ? truth : name == "urgent_remaining" && count) continue;
    error("behind octets stand urgent, pushed (true or false) and urgent_remaining (a number)");
  }
}

void CallChecker::result(const CallForm& form, const Value& value) {
  if (value.kind == Value::Kind::kAny) return;
  const bool outcome = is_refusal(value) ||
                       (value.kind == Value::Kind::kWord && parse_outcome(value.text).has_value());
  bool right = false;
  switch (form.result) {
    case Result::kOutcome:
      right = outcome;
      break;
    case Result::kCount:
      right = outcome || value.kind == Value::Kind::kNumber;
      break;
    case Result::kData:
      right = outcome || value.kind == Value::Kind::kText || value.kind == Value::Kind::kStream;
      if (right) marks(value);
      break;
    case Result::kStates:
      right = value.kind == Value::Kind::kWord && parse_state(value.text).has_value();
      break;
    case Result::kFields:
      right = value.kind == Value::Kind::kMap;
      if (right) fields(value);
      break;
    case Result::kRefusal:
      right = is_refusal(value);
      break;
    case Result::kNothing:
      break;
  }
  static constexpr std::array<std::string_view, 7> kWanted = {
      "an outcome such as OK or CONNECTION-RESET, or REFUSED",
      "a count of octets or an outcome",
      "\"text\", bytes(N) or an outcome such as END-OF-STREAM",
      "a state of TCP such as SYN-SENT",
      "fields in braces, as in {rcv_nxt: 1}",
      "REFUSED or none",
      "nothing"};
  if (!right) {
    error(cat("the result of ", call_.name, " is ", kWanted[static_cast<size_t>(form.result)]));
  }
}

}  // namespace

std::vector<std::string> check_call(const CallStatement& call, const std::set<std::string>& names) {
  return CallChecker(call, names).run();
}

}  // namespace tcproctor::conformance
