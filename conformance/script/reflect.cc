// SPDX-License-Identifier: Apache-2.0
#include "conformance/script/reflect.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <optional>

#include "absl/strings/ascii.h"
#include "conformance/script/names.h"
#include "conformance/script/parser.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

using google::protobuf::FieldDescriptor;

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "on" || text == "true" || text == "yes" || text == "1") return true;
  if (text == "off" || text == "false" || text == "no" || text == "0") return false;
  return std::nullopt;
}

absl::Status wrong(std::string_view name, std::string_view text, std::string_view right) {
  return absl::InvalidArgumentError(
      cat("\"", text, "\" is no value for ", name, ": expected ", right));
}

// "RENO" for CONGESTION_ALGORITHM_RENO.
absl::Status set_enum(google::protobuf::Message& message, const FieldDescriptor& field,
                      std::string_view text) {
  const google::protobuf::EnumDescriptor* type = field.enum_type();
  const std::string prefix = enum_prefix(type);
  std::string names;
  for (int i = 0; i < type->value_count(); ++i) {
    const google::protobuf::EnumValueDescriptor* value = type->value(i);
    if (value->number() == 0) continue;
    const std::string name = hyphenated(value->name(), prefix);
    if (absl::AsciiStrToUpper(std::string(text)) == name) {
      message.GetReflection()->SetEnum(&message, &field, value);
      return absl::OkStatus();
    }
    append(names, names.empty() ? "" : ", ", name);
  }
  return wrong(field.name(), text, cat("one of ", names));
}

// In the protocol buffers' own text form: keys="peers { md5: 'secret' }".
absl::Status set_message(google::protobuf::Message& message, std::string_view name,
                         std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  class FirstError : public google::protobuf::io::ErrorCollector {
   public:
    void AddError(int, int, const std::string& message) override {
      if (text.empty()) text = message;
    }
    std::string text;
  };
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (parser.ParseFromString(std::string(text), &message)) return absl::OkStatus();
  return wrong(name, text,
               cat("the text form of ", message.GetDescriptor()->name(), ": ", error.text));
}

}  // namespace

std::string enum_prefix(const google::protobuf::EnumDescriptor* type) {
  std::string prefix = type->FindValueByNumber(0)->name();
  prefix.resize(prefix.size() - std::string_view("UNSPECIFIED").size());
  return prefix;
}

std::vector<const FieldDescriptor*> find_path(const google::protobuf::Descriptor* type,
                                              std::string_view path) {
  std::vector<const FieldDescriptor*> chain;
  for (const std::string& name : split(path, '.')) {
    const FieldDescriptor* field = type == nullptr ? nullptr : type->FindFieldByName(name);
    if (field == nullptr || field->is_repeated()) return {};
    chain.push_back(field);
    type = field->message_type();
  }
  return chain;
}

bool is_duration(const FieldDescriptor* field) {
  return field->message_type() != nullptr &&
         field->message_type()->full_name() == "google.protobuf.Duration";
}

std::string list_fields(const google::protobuf::Descriptor* type) {
  std::string out;
  for (int i = 0; i < type->field_count(); ++i) {
    append(out, i == 0 ? "" : ", ", type->field(i)->name());
  }
  return out;
}

absl::Duration from_proto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void to_proto(absl::Duration duration, google::protobuf::Duration& out) {
  absl::Duration rest;
  out.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  out.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

absl::Status set_field(google::protobuf::Message& message, std::string_view name,
                       std::string_view text) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  const FieldDescriptor* field = type->FindFieldByName(std::string(name));
  if (field == nullptr || field->is_repeated()) {
    return absl::InvalidArgumentError(
        cat("unknown field \"", name, "\": one of ", list_fields(type)));
  }
  const google::protobuf::Reflection* reflection = message.GetReflection();
  if (is_duration(field)) {
    const auto duration = parse_duration(text);
    if (!duration.has_value()) return wrong(name, text, "a time such as 300ms");
    to_proto(*duration, static_cast<google::protobuf::Duration&>(
                            *reflection->MutableMessage(&message, field)));
    return absl::OkStatus();
  }
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM:
      return set_enum(message, *field, text);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return set_message(*reflection->MutableMessage(&message, field), name, text);
    case FieldDescriptor::CPPTYPE_BOOL: {
      const auto value = parse_bool(text);
      if (!value.has_value()) return wrong(name, text, "on or off");
      reflection->SetBool(&message, field, *value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      uint32_t value = 0;
      if (!parse_number(text, value)) return wrong(name, text, "a whole number");
      reflection->SetUInt32(&message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (!parse_number(text, value)) return wrong(name, text, "a whole number");
      reflection->SetUInt64(&message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      double value = 0;
      if (!parse_number(text, value)) return wrong(name, text, "a number");
      reflection->SetDouble(&message, field, value);
      return absl::OkStatus();
    }
    default:
      return absl::InvalidArgumentError(cat("the field \"", name, "\" cannot be set so"));
  }
}

}  // namespace tcproctor::conformance
