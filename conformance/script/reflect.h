// SPDX-License-Identifier: Apache-2.0
// Fields of the contract by name: scripts say `SET(C, no_delay=true)` or `set: stack.msl = 1s`, and
// the contract's descriptors say what exists and of which type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tcproctor::conformance {

// The chain of fields of "half_open.count"; empty if there is no such field.
std::vector<const google::protobuf::FieldDescriptor*> find_path(
    const google::protobuf::Descriptor* type, std::string_view path);

bool is_duration(const google::protobuf::FieldDescriptor* field);

// What the names of an enum's values begin with: "TCP_STATE_", taken from its zero value.
std::string enum_prefix(const google::protobuf::EnumDescriptor* type);

// Sets a field from text: numbers, on/off/true/false/yes/no, durations such as 300ms, values of an
// enum without its prefix such as RENO, and messages in the text form of protocol buffers.
// INVALID_ARGUMENT names the field, and what would be right.
absl::Status set_field(google::protobuf::Message& message, std::string_view name,
                       std::string_view text);

// The names of the fields of a message, comma separated, for error messages.
std::string list_fields(const google::protobuf::Descriptor* type);

absl::Duration from_proto(const google::protobuf::Duration& duration);
void to_proto(absl::Duration duration, google::protobuf::Duration& out);

}  // namespace tcproctor::conformance
