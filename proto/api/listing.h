// SPDX-License-Identifier: Apache-2.0
// The API as plain lines, so that what was released can be kept, read and compared.
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tcproctor::api {

// By the name of each field, enum value and method of package tcproctor.v1: what a client was built
// on. "tcproctor.v1.Session.seed" → "= 11 uint64".
using Listing = std::map<std::string, std::string>;

// `files` with their imports, as `protoc --include_imports --descriptor_set_out` writes them.
Listing list_api(const google::protobuf::FileDescriptorSet& files);

// One line each, and back; lines that begin with # are left out.
std::string to_text(const Listing& listing);
Listing from_text(std::string_view text);

// What of `released` is no more in `now`, or is otherwise: a sentence each. What came is welcome.
std::vector<std::string> broken_promises(const Listing& released, const Listing& now);

}  // namespace tcproctor::api
