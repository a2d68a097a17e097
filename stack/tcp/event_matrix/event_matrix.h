// SPDX-License-Identifier: Apache-2.0
// The event matrix (RFC 9293 §3.10 as a table) and, for each of its rows, a check or a written
// reason why there is none. Rows are looked up by id, else by event and condition.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stack/tcp/testing/rig.h"

namespace tcproctor::tcp::testing {

struct Row {
  std::string id, state_text, event, condition, next_state;
  State state = State::kClosed;
  bool passive = false;
};

std::vector<Row> read_matrix();

using Check = std::function<void(const Row&)>;

// Runs `check` on an end in the row's state; a passive SYN-RECEIVED both as a small entry and as a
// full connection.
void each(const Row& row, RigConfig config, const std::function<void(Rig&)>& check);
void each(const Row& row, const std::function<void(Rig&)>& check);

bool takes_text(State state);
// 100 octets sent and not acknowledged, then into the state; SND.UNA is 1.
void reach_with_data(Rig& rig, State state);
// A segment that must be answered by exactly one plain ACK and change nothing.
void answered(Rig& rig, const std::string& segment);
// A segment that must be dropped without a word.
void ignored(Rig& rig, const std::string& segment);
void expect_next(const Rig& rig, const Row& row);
// "FLAGS SEQ(LENGTH) ack ACK"
std::string seg(std::string_view flags, int64_t seq, size_t length, int64_t ack);

RigConfig small_buffer();     // 100 octets to receive
RigConfig filled();           // the same, and full
RigConfig with_timestamps();  // on both sides

class Matrix {
 public:
  Matrix() {
    reasons();
    open_rows();
    send_rows();
    receive_rows();
    close_rows();
    abort_and_status_rows();
    timeout_rows();
    closed_rows();
    listen_rows();
    syn_sent_rows();
    sequence_rows();
    rst_rows();
    syn_rows();
    syn_received_rows();
    ack_rows();
    urg_and_text_rows();
    fin_rows();
    time_wait_rows();
    icmp_rows();
  }

  static const Matrix& get() {
    static const Matrix matrix;
    return matrix;
  }

  // The check of a row; or the reason for none.
  const Check* find(const Row& row, std::string& key) const {
    for (const std::string& candidate :
         {row.id, absl::StrCat(row.state_text, "|", row.event, "|", row.condition),
          absl::StrCat(row.event, "|", row.condition)}) {
      const auto found = checks_.find(candidate);
      if (found == checks_.end()) continue;
      key = candidate;
      return &found->second;
    }
    return nullptr;
  }
  const std::string* reason(const Row& row, std::string& key) const {
    for (const std::string& candidate : {row.id, absl::StrCat(row.event, "|", row.condition)}) {
      const auto found = reasons_.find(candidate);
      if (found == reasons_.end()) continue;
      key = candidate;
      return &found->second;
    }
    return nullptr;
  }
  std::set<std::string> keys() const {
    std::set<std::string> keys;
    for (const auto& [key, check] : checks_) keys.insert(key);
    for (const auto& [key, reason] : reasons_) keys.insert(key);
    return keys;
  }

 private:
  void on(const std::string& event, const std::string& condition, Check check) {
    checks_[absl::StrCat(event, "|", condition)] = std::move(check);
  }
  void segment(const std::string& condition, Check check) {
    on("SEGMENT ARRIVES", condition, std::move(check));
  }
  void row(const std::string& id, Check check) { checks_[id] = std::move(check); }
  void no_check(const std::string& key, const std::string& reason) { reasons_[key] = reason; }

  void reasons();
  void open_rows();
  void send_rows();
  void receive_rows();
  void close_rows();
  void abort_and_status_rows();
  void timeout_rows();
  void closed_rows();
  void listen_rows();
  void syn_sent_rows();
  void sequence_rows();
  void rst_rows();
  void syn_rows();
  void syn_received_rows();
  void ack_rows();
  void urg_and_text_rows();
  void fin_rows();
  void time_wait_rows();
  void icmp_rows();

  std::map<std::string, Check> checks_;
  std::map<std::string, std::string> reasons_;
};

}  // namespace tcproctor::tcp::testing
