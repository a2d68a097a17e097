// SPDX-License-Identifier: Apache-2.0
#include "proto/api/listing.h"

#include <google/protobuf/descriptor.h>

#include <sstream>

#include "absl/strings/str_cat.h"

namespace tcproctor::api {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr char kPackage[] = "tcproctor.v1";

std::string type_of(const FieldDescriptor& field) {
  if (field.is_map()) {
    return absl::StrCat("map<", type_of(*field.message_type()->map_key()), ", ",
                        type_of(*field.message_type()->map_value()), ">");
  }
  if (field.message_type() != nullptr) return field.message_type()->full_name();
  if (field.enum_type() != nullptr) return field.enum_type()->full_name();
  return field.type_name();
}

std::string describe(const FieldDescriptor& field) {
  std::string text = absl::StrCat("= ", field.number(), " ");
  if (field.is_repeated() && !field.is_map()) absl::StrAppend(&text, "repeated ");
  if (field.has_optional_keyword()) absl::StrAppend(&text, "optional ");
  absl::StrAppend(&text, type_of(field));
  if (const auto* oneof = field.real_containing_oneof()) {
    absl::StrAppend(&text, " in oneof ", oneof->name());
  }
  return text;
}

void add_enum(const EnumDescriptor& type, Listing& listing) {
  for (int i = 0; i < type.value_count(); ++i) {
    listing[absl::StrCat(type.full_name(), ".", type.value(i)->name())] =
        absl::StrCat("= ", type.value(i)->number());
  }
}

void add_message(const Descriptor& type, Listing& listing) {
  if (type.options().map_entry()) return;
  for (int i = 0; i < type.field_count(); ++i) {
    listing[type.field(i)->full_name()] = describe(*type.field(i));
  }
  for (int i = 0; i < type.enum_type_count(); ++i) add_enum(*type.enum_type(i), listing);
  for (int i = 0; i < type.nested_type_count(); ++i) add_message(*type.nested_type(i), listing);
}

void add_service(const ServiceDescriptor& service, Listing& listing) {
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    listing[method.full_name()] = absl::StrCat("(", method.client_streaming() ? "stream " : "",
                                               method.input_type()->full_name(), ") returns (",
                                               method.server_streaming() ? "stream " : "",
                                               method.output_type()->full_name(), ")");
  }
}

}  // namespace

Listing list_api(const google::protobuf::FileDescriptorSet& files) {
  google::protobuf::DescriptorPool pool;
  Listing listing;
  for (const google::protobuf::FileDescriptorProto& proto : files.file()) {
    const FileDescriptor* const file = pool.BuildFile(proto);
    if (file == nullptr || file->package() != kPackage) continue;
    for (int i = 0; i < file->enum_type_count(); ++i) add_enum(*file->enum_type(i), listing);
    for (int i = 0; i < file->message_type_count(); ++i) {
      add_message(*file->message_type(i), listing);
    }
    for (int i = 0; i < file->service_count(); ++i) add_service(*file->service(i), listing);
  }
  return listing;
}

std::string to_text(const Listing& listing) {
  std::string text;
  for (const auto& [name, description] : listing) {
    absl::StrAppend(&text, name, " ", description, "\n");
  }
  return text;
}

Listing from_text(std::string_view text) {
  Listing listing;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const size_t space = line.find(' ');
    if (line.empty() || line[0] == '#' || space == std::string::npos) continue;
    listing[line.substr(0, space)] = line.substr(space + 1);
  }
  return listing;
}

std::vector<std::string> broken_promises(const Listing& released, const Listing& now) {
  std::vector<std::string> broken;
  for (const auto& [name, description] : released) {
    const auto found = now.find(name);
    if (found == now.end()) {
      broken.push_back(absl::StrCat(name, " ", description, ": was removed or renamed"));
    } else if (found->second != description) {
      broken.push_back(absl::StrCat(name, " ", description, ": is now ", found->second));
    }
  }
  return broken;
}

}  // namespace tcproctor::api
