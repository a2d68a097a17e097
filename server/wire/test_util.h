// SPDX-License-Identifier: Apache-2.0
// For the tests of this directory: messages from text, packets from messages.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "server/wire/craft.h"
#include "stack/packet/address.h"

namespace tcproctor::server {

template <typename Message>
Message from_text(const std::string& text) {
  Message message;
  if (!google::protobuf::TextFormat::ParseFromString(text, &message)) {
    ADD_FAILURE() << "the test's message is wrong: " << text;
  }
  return message;
}

inline std::span<const uint8_t> octets(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// A is 192.0.2.1 and 2001:db8::1, B the same with 2.
inline const std::vector<packet::IpAddress>& addresses_of_a() {
  static const auto& addresses = *new std::vector<packet::IpAddress>{
      packet::IpAddress::v4(192, 0, 2, 1), *packet::IpAddress::parse("2001:db8::1")};
  return addresses;
}
inline const std::vector<packet::IpAddress>& addresses_of_b() {
  static const auto& addresses = *new std::vector<packet::IpAddress>{
      packet::IpAddress::v4(192, 0, 2, 2), *packet::IpAddress::parse("2001:db8::2")};
  return addresses;
}

// From A to B.
inline CraftContext test_context() {
  CraftContext context;
  context.source = addresses_of_a();
  context.destination = addresses_of_b();
  context.identification = 7;
  return context;
}

// The packet of a v1::Segment in text form, from A to B.
inline std::string packet_of(const std::string& text) {
  const absl::StatusOr<Crafted> crafted =
      craft(from_text<v1::Segment>(text), test_context(), "segment");
  if (!crafted.ok()) {
    ADD_FAILURE() << crafted.status();
    return "";
  }
  return crafted->packet;
}

inline void expect_error(const absl::Status& status, absl::StatusCode code,
                         const std::string& part) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(part));
}

}  // namespace tcproctor::server
