// SPDX-License-Identifier: Apache-2.0
#include "conformance/report/ladder.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "conformance/script/names.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

constexpr size_t kStateWidth = 14;  // "[SYN-RECEIVED]"
constexpr size_t kMiddleWidth = 44;

struct Row {
  // A line of its own (a clause, a note); nothing else is set then.
  std::string text;
  std::array<std::string, 2> states;  // of A and B
  std::string middle;
  bool numbered = false;
  std::optional<std::string> rest;  // a row of states only: the flow they are of
};

size_t column(v1::End end) {
  return end == v1::END_A ? 0 : 1;
}

std::string padded(const std::string& text, size_t width) {
  // Columns are counted in characters, not in the octets of UTF-8.
  const auto length = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
  return length >= width ? text : text + std::string(width - length, ' ');
}

// Which rows still wait for the state of an end: those since the last thing that happened to it.
// What is observed until the next such thing is what the end made of it.
class Columns {
 public:
  // Something happened to the end: what is observed from now on belongs to this row and later ones.
  void stimulus(const std::string& flow, v1::End end, std::optional<size_t> row) {
    Column& mine = columns_[{flow, end}];
    mine.open.clear();
    if (row.has_value()) mine.open.push_back(*row);
  }
  void join(const std::string& flow, v1::End end, size_t row) {
    columns_[{flow, end}].open.push_back(row);
  }
  // Returns false if no row waited for it and it is news: it needs a row of its own.
  bool observe(const std::string& flow, v1::End end, const std::string& state,
               std::vector<Row>& rows) {
    Column& mine = columns_[{flow, end}];
    for (const size_t row : mine.open) rows[row].states[column(end)] = state;
    const bool news = mine.last != state;
    mine.last = state;
    return !mine.open.empty() || !news;
  }
  const std::string& last(const std::string& flow, v1::End end) {
    return columns_[{flow, end}].last;
  }

 private:
  struct Column {
    std::vector<size_t> open;
    std::string last;
  };
  std::map<std::pair<std::string, v1::End>, Column> columns_;
};

class Ladder {
 public:
  std::string render(const std::vector<LadderItem>& items, const std::string& a,
                     const std::string& b);

 private:
  void add(const LadderItem& item);
  void segment(const LadderItem& item);
  void arrival(const LadderItem& item, std::string_view mark);
  void state(const LadderItem& item, const std::string& text);
  void call(const LadderItem& item);
  void line(std::string text) {
    flush_strangers();
    Row row;
    row.text = std::move(text);
    rows_.push_back(std::move(row));
  }
  size_t row(Row made) {
    flush_strangers();
    rows_.push_back(std::move(made));
    return rows_.size() - 1;
  }
  void flush_strangers();

  std::vector<Row> rows_;
  Columns columns_;
  std::map<uint64_t, LadderItem> held_;
  size_t strangers_ = 0;
};

// Segments of no flow (a flood and its answers) in one line.
void Ladder::flush_strangers() {
  if (strangers_ == 0) return;
  Row row;
  row.text = cat("     … ", strangers_, " segments of no flow of the case");
  strangers_ = 0;
  rows_.push_back(std::move(row));
}

std::string shown(const LadderItem& item) {
  return cat(item.flow.empty() ? "" : cat("(", item.flow, ") "), item.text);
}

std::string arrow(const LadderItem& item, std::string_view left, std::string_view right) {
  return cat(left, " ", padded(shown(item), kMiddleWidth - left.size() - right.size() - 2), " ",
             right);
}

void Ladder::segment(const LadderItem& item) {
  if (item.text.empty()) {
    ++strangers_;
    return;
  }
  const v1::End from = item.end;
  const v1::End to = other(from);
  const bool rightwards = from == v1::END_A;
  const bool stays = item.fate == v1::FATE_HELD || item.fate == v1::FATE_DELAYED;
  const bool lost = item.fate == v1::FATE_DROPPED;
  const std::string_view far = stays ? "..." : lost ? "--x" : rightwards ? "-->" : "<--";
  const std::string_view near = item.forged ? "..." : rightwards ? "-->" : "<--";
  const std::string_view lost_left = lost ? "x--" : far;
  Row made;
  made.numbered = true;
  made.middle = rightwards ? arrow(item, near, far) : arrow(item, lost_left, near);
  // What was seen of an end when the segment reached the wire belongs to the rows before this one
  // as well as to the sender's cell of this one.
  const std::array<std::pair<v1::End, v1::TcpState>, 2> seen = {std::pair{v1::END_A, item.state_a},
                                                                std::pair{v1::END_B, item.state_b}};
  const size_t index = row(std::move(made));
  if (!item.forged) columns_.join(item.flow, from, index);
  for (const auto& [end, state] : seen) {
    if (state != v1::TCP_STATE_UNSPECIFIED) {
      columns_.observe(item.flow, end, state_name(state), rows_);
    }
  }
  if (item.forged) rows_[index].states[column(from)] = "(injected)";
  const std::string& claimed = columns_.last(item.flow, from);
  if (!item.forged && claimed.starts_with("[")) rows_[index].states[column(from)] = claimed;
  if (stays) {
    held_[item.number] = item;
    return;
  }
  if (lost) return;
  columns_.stimulus(item.flow, to, index);
  const std::string& peer = columns_.last(item.flow, to);
  if (peer.starts_with("[")) rows_[index].states[column(to)] = peer;
}

void Ladder::arrival(const LadderItem& item, std::string_view mark) {
  const auto found = held_.find(item.number);
  if (found == held_.end()) return;
  const LadderItem sent = found->second;
  held_.erase(found);
  const bool rightwards = sent.end == v1::END_A;
  Row made;
  made.numbered = true;
  made.middle = rightwards ? arrow(sent, "...", mark.empty() ? "-->" : mark)
                           : arrow(sent, mark.empty() ? "<--" : mark, "...");
  const size_t index = row(std::move(made));
  if (mark.empty()) columns_.stimulus(sent.flow, other(sent.end), index);
}

void Ladder::state(const LadderItem& item, const std::string& text) {
  const bool known = !columns_.last(item.flow, item.end).empty();
  if (columns_.observe(item.flow, item.end, text, rows_)) return;
  // A claim is shown with the segment it goes with; further flows appear with their first segment.
  if (item.kind == LadderItem::Kind::kClaim || (!item.flow.empty() && !known)) return;
  if (!rows_.empty() && rows_.back().rest == item.flow && strangers_ == 0) {
    rows_.back().states[column(item.end)] = text;
    return;
  }
  Row made;
  made.numbered = true;
  made.rest = item.flow;
  made.states[column(item.end)] = text;
  // What the other end was last seen in, or claimed to be in, still holds.
  made.states[column(other(item.end))] = columns_.last(item.flow, other(item.end));
  if (!item.flow.empty()) made.middle = cat("(", item.flow, ")");
  row(std::move(made));
}

void Ladder::call(const LadderItem& item) {
  Row made;
  made.middle = padded(item.end == v1::END_A ? cat("(", shown(item), ")")
                                             : std::string(kMiddleWidth > item.text.size() + 2
                                                               ? kMiddleWidth - item.text.size() - 2
                                                               : 0,
                                                           ' ') +
                                                   cat("(", item.text, ")"),
                       kMiddleWidth);
  row(std::move(made));
  columns_.stimulus(item.flow, item.end, std::nullopt);
}

void Ladder::add(const LadderItem& item) {
  switch (item.kind) {
    case LadderItem::Kind::kClause:
      return line(cat("  == ", item.text));
    case LadderItem::Kind::kNote:
      return line(cat("     -- ", item.text));
    case LadderItem::Kind::kTime:
      return line(cat("     -- ", item.text, " pass"));
    case LadderItem::Kind::kCall:
      return call(item);
    case LadderItem::Kind::kSegment:
      return segment(item);
    case LadderItem::Kind::kReleased:
      return arrival(item, "");
    case LadderItem::Kind::kDropped:
      return arrival(item, "--x");
    case LadderItem::Kind::kState:
      return state(item, state_name(item.state));
    case LadderItem::Kind::kClaim:
      return state(item, cat("[", state_name(item.state), "]"));
  }
}

std::string Ladder::render(const std::vector<LadderItem>& items, const std::string& a,
                           const std::string& b) {
  for (const LadderItem& item : items) add(item);
  flush_strangers();
  std::string out = cat("     ", padded(cat("TCP A (", a, ")"), kStateWidth + 1 + kMiddleWidth),
                        " ", "TCP B (", b, ")\n");
  int number = 0;
  for (const Row& row : rows_) {
    if (!row.text.empty()) {
      append(out, row.text, "\n");
      continue;
    }
    std::string label = row.numbered ? cat(++number, ". ") : "";
    label.insert(0, label.size() < 5 ? 5 - label.size() : 0, ' ');
    std::string text = cat(label, padded(row.states[0], kStateWidth), " ",
                           padded(row.middle, kMiddleWidth), " ", row.states[1]);
    text.erase(text.find_last_not_of(' ') + 1);
    append(out, text, "\n");
  }
  return out;
}

}  // namespace

std::string render_ladder(const std::vector<LadderItem>& items, const std::string& a,
                          const std::string& b) {
  return Ladder().render(items, a, b);
}

}  // namespace tcproctor::conformance
