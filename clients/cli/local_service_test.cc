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

TEST(FileService, SourceAndSinkAreByteExact) {
  const std::string from = path_of("from");
  const std::string to = path_of("to");
  std::string data;
  for (uint32_t i = 0; i < 300000; ++i) data += static_cast<char>(i * i >> 3);
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
