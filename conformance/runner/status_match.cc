// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/status_match.h"

#include <algorithm>

#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kOwnNumbers[] = {"iss", "snd_una", "snd_nxt", "snd_up", "snd_wl2"};
constexpr std::string_view kPeerNumbers[] = {"irs", "snd_wl1", "rcv_nxt", "rcv_up"};

template <typename Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

class Matcher {
 public:
  Matcher(const v1::ConnectionStatus& status, const Flow* flow) : status_(status), flow_(flow) {}

  void field(const Message& message, const std::string& path, const std::string& shown,
             const Value& wanted);
  void timer(const std::string& name, const Value& wanted);

  StatusMatch result;

 private:
  void differ(const std::string& name, const Value& wanted, const std::string& got) {
    result.differences.push_back(cat(name, ": expected ", print_value(wanted), ", got ", got));
  }
  void compare(const Message& message, const FieldDescriptor& field, const std::string& shown,
               const Value& wanted);
  void number(const std::string& shown, const Value& wanted, uint64_t got, bool sequence,
              v1::End base);
  void duration(const std::string& shown, const Value& wanted, absl::Duration got);

  const v1::ConnectionStatus& status_;
  const Flow* flow_;
};

void Matcher::duration(const std::string& shown, const Value& wanted, absl::Duration got) {
  const bool timed = wanted.kind == Value::Kind::kDuration || wanted.kind == Value::Kind::kNumber;
  if (!timed || got < wanted.from || got > wanted.to) differ(shown, wanted, print_duration(got));
}

void Matcher::number(const std::string& shown, const Value& wanted, uint64_t got, bool sequence,
                     v1::End base) {
  if (wanted.kind != Value::Kind::kNumber) return differ(shown, wanted, cat(got));
  auto value = static_cast<int64_t>(got);
  if (sequence && flow_ != nullptr && !wanted.number.absolute) {
    value = flow_->relative(base, static_cast<uint32_t>(got));
  }
  const int64_t max = wanted.number.max.value_or(wanted.number.value);
  if (value < wanted.number.value || value > max) differ(shown, wanted, cat(value));
}

void Matcher::compare(const Message& message, const FieldDescriptor& field,
                      const std::string& shown, const Value& wanted) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  if (is_duration(&field)) {
    return duration(shown, wanted,
                    from_proto(static_cast<const google::protobuf::Duration&>(
                        reflection->GetMessage(message, &field))));
  }
  const bool own = contains(kOwnNumbers, shown);
  const v1::End base = own ? status_.end() : other(status_.end());
  const bool sequence = own || contains(kPeerNumbers, shown);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return number(shown, wanted, reflection->GetUInt32(message, &field), sequence, base);
    case FieldDescriptor::CPPTYPE_UINT64:
      return number(shown, wanted, reflection->GetUInt64(message, &field), false, base);
    case FieldDescriptor::CPPTYPE_BOOL: {
      const std::string got = reflection->GetBool(message, &field) ? "true" : "false";
      if (wanted.text != got) differ(shown, wanted, got);
      return;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      // "TCP_STATE_SYN_SENT" is written SYN-SENT.
      const google::protobuf::EnumValueDescriptor* value = reflection->GetEnum(message, &field);
      const std::string got = hyphenated(value->name(), enum_prefix(field.enum_type()));
      if (wanted.text != got) differ(shown, wanted, got);
      return;
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string got = reflection->GetString(message, &field);
      if (wanted.text != got) differ(shown, wanted, got);
      return;
    }
    default:
      differ(shown, wanted, "a group of fields: name one, as in half_open.count");
  }
}

void Matcher::field(const Message& message, const std::string& path, const std::string& shown,
                    const Value& wanted) {
  const std::vector<const FieldDescriptor*> chain = find_path(message.GetDescriptor(), path);
  if (chain.empty()) return differ(shown, wanted, "no such field");
  const Message* holder = &message;
  for (size_t i = 0; i < chain.size(); ++i) {
    const FieldDescriptor& field = *chain[i];
    const google::protobuf::Reflection* reflection = holder->GetReflection();
    const bool present = !field.has_presence() || reflection->HasField(*holder, &field);
    if (wanted.text == "absent") {
      if (present && i + 1 == chain.size()) differ(shown, wanted, "a value");
      if (!present || i + 1 == chain.size()) return;
    } else if (!present) {
      result.untold.push_back(shown);
      return;
    }
    if (i + 1 < chain.size()) {
      holder = &reflection->GetMessage(*holder, &field);
    } else if (wanted.text != "present" && wanted.kind != Value::Kind::kAny) {
      compare(*holder, field, shown, wanted);
    }
  }
}

void Matcher::timer(const std::string& name, const Value& wanted) {
  const std::string shown = cat("timer.", name);
  for (const v1::Timer& timer : status_.timers()) {
    std::string kind =
        v1::TimerKind_Name(timer.kind()).substr(std::string_view("TIMER_KIND_").size());
    std::transform(kind.begin(), kind.end(), kind.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (kind != name) continue;
    if (wanted.text == "absent") return differ(shown, wanted, "running");
    if (wanted.text == "present" || wanted.kind == Value::Kind::kAny) return;
    return duration(shown, wanted, from_proto(timer.remaining()));
  }
  if (wanted.text != "absent") differ(shown, wanted, "not running");
}

}  // namespace

bool asks_for_options(const Value& wanted) {
  return std::any_of(wanted.map.begin(), wanted.map.end(),
                     [](const auto& entry) { return entry.name.starts_with("options."); });
}

StatusMatch match_status(const Value& wanted, const v1::ConnectionStatus& status,
                         const v1::ConnectionOptions* options, const Flow* flow) {
  Matcher matcher(status, flow);
  for (const auto& [path, value] : wanted.map) {
    const auto [prefix, name] = split_once(path, '.');
    if (prefix == "timer") {
      matcher.timer(name, value);
    } else if (prefix == "options" && options != nullptr) {
      matcher.field(*options, name, path, value);
    } else {
      matcher.field(status, path, path, value);
    }
  }
  return std::move(matcher.result);
}

}  // namespace tcproctor::conformance
