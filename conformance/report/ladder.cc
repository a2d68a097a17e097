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

// In the order of the enumerations.
constexpr std::array<std::string_view, 9> kKindNames = {
    "clause", "note", "time", "strangers", "call", "states", "segment", "arrival", "left_out"};
constexpr std::array<std::string_view, 3> kWayNames = {"arrives", "stays", "lost"};

template <typename Enum, size_t n>
std::optional<Enum> parse_name(const std::array<std::string_view, n>& names,
                               std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

constexpr size_t kStateWidth = 14;  // "[SYN-RECEIVED]"
constexpr size_t kMiddleWidth = 44;

using Kind = LadderRow::Kind;
using Way = LadderRow::Way;

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
               std::vector<LadderRow>& rows) {
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

// Items in, rows out.
class Ladder {
 public:
  std::vector<LadderRow> rows(const std::vector<LadderItem>& items);

 private:
  void add(const LadderItem& item);
  void segment(const LadderItem& item);
  void arrival(const LadderItem& item, Way way);
  void state(const LadderItem& item, const std::string& text);
  void call(const LadderItem& item);
  void line(Kind kind, const LadderItem& item);
  size_t row(LadderRow made) {
    flush_strangers();
    rows_.push_back(std::move(made));
    return rows_.size() - 1;
  }
  void flush_strangers();

  std::vector<LadderRow> rows_;
  Columns columns_;
  std::map<uint64_t, LadderItem> held_;
  size_t strangers_ = 0;
};

LadderRow row_of(Kind kind, const LadderItem& item) {
  LadderRow row;
  row.kind = kind;
  row.text = item.text;
  row.flow = item.flow;
  row.end = item.end;
  row.time = item.time;
  row.line = item.line;
  return row;
}

// Segments of no flow (a flood and its answers) in one line.
void Ladder::flush_strangers() {
  if (strangers_ == 0) return;
  LadderRow row;
  row.kind = Kind::kStrangers;
  row.text = cat(strangers_, " segments of no flow of the case");
  strangers_ = 0;
  rows_.push_back(std::move(row));
}

void Ladder::line(Kind kind, const LadderItem& item) {
  row(row_of(kind, item));
}

void Ladder::segment(const LadderItem& item) {
  if (item.of_no_flow) {
    ++strangers_;
    return;
  }
  const v1::End from = item.end;
  const v1::End to = other(from);
  const bool stays = item.fate == v1::FATE_HELD || item.fate == v1::FATE_DELAYED;
  const bool lost = item.fate == v1::FATE_DROPPED;
  LadderRow made = row_of(Kind::kSegment, item);
  made.segment = item.segment;
  made.number = item.number;
  made.forged = item.forged;
  made.duplicate = item.origin == v1::ORIGIN_DUPLICATE;
  made.way = stays ? Way::kStays : lost ? Way::kLost : Way::kArrives;
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

void Ladder::arrival(const LadderItem& item, Way way) {
  const auto found = held_.find(item.number);
  if (found == held_.end()) return;
  const LadderItem sent = found->second;
  held_.erase(found);
  LadderRow made = row_of(Kind::kArrival, sent);
  made.segment = sent.segment;
  made.number = sent.number;
  made.way = way;
  made.time = item.time;
  made.line = item.line;
  const size_t index = row(std::move(made));
  if (way == Way::kArrives) columns_.stimulus(sent.flow, other(sent.end), index);
}

void Ladder::state(const LadderItem& item, const std::string& text) {
  const bool known = !columns_.last(item.flow, item.end).empty();
  if (columns_.observe(item.flow, item.end, text, rows_)) return;
  // A claim is shown with the segment it goes with; further flows appear with their first segment.
  if (item.kind == LadderItem::Kind::kClaim || (!item.flow.empty() && !known)) return;
  if (!rows_.empty() && rows_.back().kind == Kind::kStates && rows_.back().flow == item.flow &&
      strangers_ == 0) {
    rows_.back().states[column(item.end)] = text;
    return;
  }
  LadderRow made = row_of(Kind::kStates, item);
  made.states[column(item.end)] = text;
  // What the other end was last seen in, or claimed to be in, still holds.
  made.states[column(other(item.end))] = columns_.last(item.flow, other(item.end));
  row(std::move(made));
}

void Ladder::call(const LadderItem& item) {
  line(Kind::kCall, item);
  columns_.stimulus(item.flow, item.end, std::nullopt);
}

void Ladder::add(const LadderItem& item) {
  switch (item.kind) {
    case LadderItem::Kind::kClause:
      return line(Kind::kClause, item);
    case LadderItem::Kind::kNote:
      return line(Kind::kNote, item);
    case LadderItem::Kind::kTime:
      return line(Kind::kTime, item);
    case LadderItem::Kind::kCall:
      return call(item);
    case LadderItem::Kind::kSegment:
      return segment(item);
    case LadderItem::Kind::kReleased:
      return arrival(item, Way::kArrives);
    case LadderItem::Kind::kDropped:
      return arrival(item, Way::kLost);
    case LadderItem::Kind::kState:
      return state(item, state_name(item.state));
    case LadderItem::Kind::kClaim:
      return state(item, cat("[", state_name(item.state), "]"));
  }
}

std::vector<LadderRow> Ladder::rows(const std::vector<LadderItem>& items) {
  for (const LadderItem& item : items) add(item);
  flush_strangers();
  return std::move(rows_);
}

std::string with_flow(const LadderRow& row, const std::string& text) {
  return row.flow.empty() ? text : cat("(", row.flow, ") ", text);
}

std::string arrow(const LadderRow& row, std::string_view left, std::string_view right) {
  return cat(left, " ",
             padded(with_flow(row, ladder_form(row.segment)),
                    kMiddleWidth - left.size() - right.size() - 2),
             " ", right);
}

// A segment between the columns: "--> <SEQ=0><CTL=SYN>     ...".
std::string segment_middle(const LadderRow& row) {
  const bool rightwards = row.end == v1::END_A;
  const std::string_view ahead = rightwards ? "-->" : "<--";
  const bool absent = row.forged || row.kind == Kind::kArrival;  // nothing leaves its sender here
  const std::string_view near = absent ? "..." : ahead;
  const std::string_view lost = rightwards || row.kind == Kind::kArrival ? "--x" : "x--";
  const std::string_view far = row.way == Way::kStays  ? "..."
                               : row.way == Way::kLost ? lost
                                                       : ahead;
  return rightwards ? arrow(row, near, far) : arrow(row, far, near);
}

std::string call_middle(const LadderRow& row) {
  if (row.end == v1::END_A) return padded(cat("(", with_flow(row, row.text), ")"), kMiddleWidth);
  const size_t used = row.text.size() + 2;
  return padded(
      std::string(kMiddleWidth > used ? kMiddleWidth - used : 0, ' ') + cat("(", row.text, ")"),
      kMiddleWidth);
}

// A line of its own; empty for a row with columns.
std::string whole_line(const LadderRow& row) {
  switch (row.kind) {
    case Kind::kClause:
      return cat("  == ", row.text);
    case Kind::kNote:
      return cat("     -- ", row.text);
    case Kind::kTime:
      return cat("     -- ", row.text, " pass");
    case Kind::kStrangers:
    case Kind::kLeftOut:
      return cat("     … ", row.text);
    default:
      return "";
  }
}

}  // namespace

std::string_view row_kind_name(LadderRow::Kind kind) {
  return kKindNames.at(static_cast<size_t>(kind));
}

std::string_view way_name(LadderRow::Way way) {
  return kWayNames.at(static_cast<size_t>(way));
}

std::optional<LadderRow::Kind> parse_row_kind(std::string_view name) {
  return parse_name<LadderRow::Kind>(kKindNames, name);
}

std::optional<LadderRow::Way> parse_way(std::string_view name) {
  return parse_name<LadderRow::Way>(kWayNames, name);
}

std::vector<LadderRow> ladder_rows(const std::vector<LadderItem>& items) {
  return Ladder().rows(items);
}

std::string render_ladder(const std::vector<LadderRow>& rows, const std::string& a,
                          const std::string& b) {
  std::string out = cat("     ", padded(cat("TCP A (", a, ")"), kStateWidth + 1 + kMiddleWidth),
                        " ", "TCP B (", b, ")\n");
  int number = 0;
  for (const LadderRow& row : rows) {
    const std::string line = whole_line(row);
    if (!line.empty()) {
      append(out, line, "\n");
      continue;
    }
    const std::string middle = row.kind == Kind::kCall     ? call_middle(row)
                               : row.kind == Kind::kStates ? with_flow(row, "")
                                                           : segment_middle(row);
    std::string label = row.kind == Kind::kCall ? "" : cat(++number, ". ");
    label.insert(0, label.size() < 5 ? 5 - label.size() : 0, ' ');
    std::string text = cat(label, padded(row.states[0], kStateWidth), " ",
                           padded(middle, kMiddleWidth), " ", row.states[1]);
    text.erase(text.find_last_not_of(' ') + 1);
    append(out, text, "\n");
  }
  return out;
}

}  // namespace tcproctor::conformance
