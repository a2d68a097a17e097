// SPDX-License-Identifier: Apache-2.0
// Clients that were built on a release go on working: nothing that was released is taken back.
#include "proto/api/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

namespace tcproctor::api {
namespace {

using google::protobuf::DescriptorProto;
using google::protobuf::FieldDescriptorProto;
using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

FileDescriptorSet api() {
  std::ifstream file(TCPROCTOR_API_DESCRIPTORS, std::ios::binary);
  FileDescriptorSet files;
  EXPECT_TRUE(files.ParseFromIstream(&file));
  return files;
}

std::string released_text() {
  std::ifstream file(TCPROCTOR_RELEASED_API);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Api, NothingThatWasReleasedIsTakenBack) {
  const Listing released = from_text(released_text());
  EXPECT_GT(released.size(), 500u);
  EXPECT_THAT(broken_promises(released, list_api(api())), IsEmpty())
      << "clients of the last release would break: see proto/README.md";
}

TEST(Api, AListingIsReadAsItWasWritten) {
  const Listing now = list_api(api());
  EXPECT_EQ(from_text(to_text(now)), now);
  EXPECT_EQ(now.at("tcproctor.v1.Session.seed"), "= 11 uint64");
  EXPECT_EQ(now.at("tcproctor.v1.EndSpec.stack"), "= 1 tcproctor.v1.StackEnd in oneof kind");
  EXPECT_EQ(now.at("tcproctor.v1.WireSpec.mtu"), "= 2 optional uint32");
  EXPECT_EQ(now.at("tcproctor.v1.KernelEnd.sysctls"), "= 1 map<string, string>");
  EXPECT_EQ(now.at("tcproctor.v1.InjectRequest.train"), "= 3 repeated tcproctor.v1.TimedSegment");
  EXPECT_EQ(now.at("tcproctor.v1.ExpectResponse.Result.RESULT_MATCHED"), "= 1");
  EXPECT_EQ(now.at("tcproctor.v1.Drive.Drive"),
            "(stream tcproctor.v1.Command) returns (stream tcproctor.v1.Report)");
  EXPECT_FALSE(now.contains("google.protobuf.Duration.seconds"));
}

// What is said when the protos are changed so.
class ChangeTest : public ::testing::Test {
 protected:
  std::vector<std::string> after(const std::function<void(FileDescriptorSet&)>& change) {
    FileDescriptorSet changed = api();
    change(changed);
    return broken_promises(list_api(api()), list_api(changed));
  }
  static FileDescriptorProto& file(FileDescriptorSet& files, const std::string& name) {
    for (FileDescriptorProto& file : *files.mutable_file()) {
      if (file.name() == "tcproctor/v1/" + name) return file;
    }
    std::abort();
  }
  static DescriptorProto& message(FileDescriptorSet& files, const std::string& in,
                                  const std::string& name) {
    for (DescriptorProto& message : *file(files, in).mutable_message_type()) {
      if (message.name() == name) return message;
    }
    std::abort();
  }
  static FieldDescriptorProto& label_of_session(FileDescriptorSet& files) {
    for (FieldDescriptorProto& field :
         *message(files, "sessions.proto", "Session").mutable_field()) {
      if (field.name() == "label") return field;
    }
    std::abort();
  }
};

TEST_F(ChangeTest, NothingIsSaidOfWhatComes) {
  EXPECT_THAT(after([](FileDescriptorSet&) {}), IsEmpty());
  EXPECT_THAT(after([](FileDescriptorSet& files) {
                FieldDescriptorProto& added =
                    *message(files, "sessions.proto", "Session").add_field();
                added = label_of_session(files);
                added.set_name("more");
                added.set_json_name("more");
                added.set_number(1000);
              }),
              IsEmpty());
}

TEST_F(ChangeTest, ARemovedFieldIsToldAndSoIsARenamedOne) {
  EXPECT_THAT(after([](FileDescriptorSet& files) {
                DescriptorProto& session = message(files, "sessions.proto", "Session");
                session.mutable_field()->RemoveLast();
              }),
              ElementsAre("tcproctor.v1.Session.label = 12 string: was removed or renamed"));
  EXPECT_THAT(after([](FileDescriptorSet& files) { label_of_session(files).set_name("title"); }),
              ElementsAre("tcproctor.v1.Session.label = 12 string: was removed or renamed"));
}

TEST_F(ChangeTest, ARenumberedFieldIsTold) {
  EXPECT_THAT(after([](FileDescriptorSet& files) { label_of_session(files).set_number(99); }),
              ElementsAre("tcproctor.v1.Session.label = 12 string: is now = 99 string"));
}

TEST_F(ChangeTest, ARetypedFieldIsTold) {
  EXPECT_THAT(after([](FileDescriptorSet& files) {
                label_of_session(files).set_type(FieldDescriptorProto::TYPE_BYTES);
              }),
              ElementsAre("tcproctor.v1.Session.label = 12 string: is now = 12 bytes"));
  EXPECT_THAT(after([](FileDescriptorSet& files) {
                label_of_session(files).set_label(FieldDescriptorProto::LABEL_REPEATED);
              }),
              ElementsAre("tcproctor.v1.Session.label = 12 string: is now = 12 repeated string"));
}

TEST_F(ChangeTest, ARemovedMethodIsToldAndSoIsAChangedOne) {
  EXPECT_THAT(after([](FileDescriptorSet& files) {
                file(files, "sessions.proto").mutable_service(0)->mutable_method()->RemoveLast();
              }),
              ElementsAre(HasSubstr("tcproctor.v1.Sessions.GetServerInfo (")));
  EXPECT_THAT(after([](FileDescriptorSet& files) {
                file(files, "sessions.proto")
                    .mutable_service(0)
                    ->mutable_method(0)
                    ->set_server_streaming(true);
              }),
              ElementsAre(HasSubstr("returns (stream tcproctor.v1.Session)")));
}

TEST_F(ChangeTest, ARemovedEnumValueIsToldAndSoIsAMovedOne) {
  EXPECT_THAT(
      after([](FileDescriptorSet& files) {
        file(files, "sessions.proto").mutable_enum_type(0)->mutable_value()->DeleteSubrange(3, 1);
      }),
      ElementsAre("tcproctor.v1.LinkKind.LINK_KIND_MEMORY = 3: was removed or renamed"));
  EXPECT_THAT(after([](FileDescriptorSet& files) {
                file(files, "sessions.proto").mutable_enum_type(0)->mutable_value(3)->set_number(7);
              }),
              ElementsAre("tcproctor.v1.LinkKind.LINK_KIND_MEMORY = 3: is now = 7"));
}

}  // namespace
}  // namespace tcproctor::api
