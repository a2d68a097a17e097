// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/local_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace tcproctor::cli {
namespace {

std::string read_exactly(const LocalSocket& socket, size_t size) {
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t count = recv(socket.fd(), text.data() + done, size - done, 0);
    if (count <= 0) break;
    done += static_cast<size_t>(count);
  }
  text.resize(done);
  return text;
}

std::string path_of(const char* name) {
  return absl::StrCat(::testing::TempDir(), "/tcproctor-", getpid(), "-", name);
}

TEST(Chargen, LinesOfSeventyTwo) {
  std::string text;
  for (uint64_t i = 0; i < uint64_t{74} * 96; ++i) text += chargen_octet(i);
  EXPECT_EQ(text.substr(0, 74),
            " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r\n");
  EXPECT_EQ(text.substr(74, 74),
            "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n");
  // Line 94 begins with the last character; after it the ring begins anew.
  EXPECT_EQ(text.substr(size_t{74} * 94, 3), "~ !");
  EXPECT_EQ(text.substr(size_t{74} * 95), text.substr(0, 74));
}

TEST(Chargen, GoesOnUntilTheUserEndsIt) {
  const absl::StatusOr<LocalSocket> socket = chargen();
  ASSERT_TRUE(socket.ok()) << socket.status();
  const std::string input(100, 'x');
  ASSERT_EQ(send(socket->fd(), input.data(), input.size(), 0), 100);
  const std::string text = read_exactly(*socket, 1000000);
  ASSERT_EQ(text.size(), 1000000U);
  for (size_t i = 0; i < text.size(); i += 997) ASSERT_EQ(text[i], chargen_octet(i)) << i;
  shutdown(socket->fd(), SHUT_WR);
  // What is on its way comes to an end.
  std::array<char, 4096> rest;
  while (recv(socket->fd(), rest.data(), rest.size(), 0) > 0) {
  }
}

TEST(FileService, SourceAndSinkAreByteExact) {
  const std::string from = path_of("from");
  const std::string to = path_of("to");
  std::string data;
  for (int i = 0; i < 300000; ++i) data += static_cast<char>(i * i >> 3);
  std::ofstream(from, std::ios::binary) << data;
  {
    const absl::StatusOr<LocalSocket> source = file_source(from);
    const absl::StatusOr<LocalSocket> sink = file_sink(to);
    ASSERT_TRUE(source.ok() && sink.ok()) << source.status() << sink.status();
    const std::string read = read_exactly(*source, data.size() + 1);
    EXPECT_EQ(read, data);
    ASSERT_EQ(send(sink->fd(), read.data(), read.size(), 0), static_cast<ssize_t>(read.size()));
    shutdown(sink->fd(), SHUT_WR);
    EXPECT_EQ(read_exactly(*sink, 1), "");
  }
  std::ifstream file(to, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), data);
  unlink(from.c_str());
  unlink(to.c_str());
}

TEST(FileService, FilesThatCannotBeUsed) {
  EXPECT_EQ(file_source("/nonexistent/x").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(file_sink("/nonexistent/x").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tcproctor::cli
