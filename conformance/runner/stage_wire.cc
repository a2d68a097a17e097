// SPDX-License-Identifier: Apache-2.0
// Statements about the wire: inject, await, silence, hold, flood.
#include <algorithm>
#include <utility>

#include "conformance/runner/logged_segment.h"
#include "conformance/runner/seed.h"
#include "conformance/runner/segment_options.h"
#include "conformance/runner/segments.h"
#include "conformance/runner/stage.h"
#include "conformance/runner/target.h"
#include "conformance/script/flags.h"
#include "conformance/script/names.h"
#include "conformance/script/printer.h"
#include "conformance/script/reflect.h"
#include "conformance/script/text.h"

namespace tcproctor::conformance {
namespace {

// A flood larger than this stays out of the log; it is counted there.
constexpr uint64_t kLoggedFlood = 500;

std::vector<std::string> printed(const std::vector<Packet>& packets) {
  std::vector<std::string> out;
  for (const Packet& packet : packets) out.push_back(print_packet(packet));
  return out;
}

}  // namespace

Result Stage::inject(const Statement& statement, const InjectStatement& inject) {
  const v1::End towards = end_or_examined(inject.towards);
  const v1::End from = other(towards);
  const auto quoted = last_segment_.find(towards);
  const absl::StatusOr<Packet> packet = resolved(flows_, from, inject.packet);
  if (!packet.ok()) return broken(std::string(packet.status().message()));
  const absl::StatusOr<v1::Segment> segment = build_segment(
      flow_of(statement), from, *packet, quoted == last_segment_.end() ? 0 : quoted->second);
  if (!segment.ok()) return broken(std::string(segment.status().message()));
  v1::Command command;
  v1::InjectRequest& request = *command.mutable_inject();
  request.set_session(session().id());
  request.set_from(from);
  *request.add_train()->mutable_segment() = *segment;
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return refused(report.status());
  event_time_ = from_proto(report->now());
  if (!report->inject().numbers().empty()) last_injected_ = report->inject().numbers(0);
  for (const uint64_t number : report->inject().numbers()) lines_[number] = line_;
  return {};
}

Stage::Window Stage::window(const TimeSpec& time) const {
  if (time.kind == TimeSpec::Kind::kNone || time.kind == TimeSpec::Kind::kAny) {
    return {std::nullopt, drive_->now() + patience()};
  }
  const absl::Duration base = time.kind == TimeSpec::Kind::kAbsolute ? start_ : event_time_;
  return {base + time.at - tolerance(), base + time.latest.value_or(time.at) + tolerance()};
}

absl::StatusOr<Stage::Sight> Stage::look(Flow& flow, v1::End end, const v1::SegmentPattern& pattern,
                                         v1::ExpectMode mode, uint64_t after,
                                         absl::Duration deadline) {
  v1::Command command;
  v1::ExpectRequest& request = *command.mutable_expect();
  request.set_session(session().id());
  request.set_from(end);
  *request.mutable_pattern() = pattern;
  request.set_mode(mode);
  request.set_after(after);
  to_proto(std::max(deadline - drive_->now(), absl::ZeroDuration()), *request.mutable_timeout());
  absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return report.status();
  Sight sight;
  const v1::ExpectResponse& response = report->expect();
  if (response.result() == v1::ExpectResponse::RESULT_MATCHED) {
    sight.kind = Sight::Kind::kMatched;
  } else if (response.result() == v1::ExpectResponse::RESULT_MISMATCHED) {
    sight.kind = Sight::Kind::kMismatched;
  }
  sight.entry = response.entry();
  sight.differences.assign(response.differences().begin(), response.differences().end());
  if (sight.entry.number() > flow.side(end).forgotten_up_to) flows_.learn(sight.entry);
  return sight;
}

// The next segment of this flow. Where others share the wire, it is found by its sockets first and
// compared then, so that nothing of theirs is taken for a wrong segment of this one.
absl::StatusOr<Stage::Sight> Stage::next_segment(Flow& flow, v1::End end,
                                                 const v1::SegmentPattern& pattern,
                                                 absl::Duration deadline) {
  const uint64_t cursor = flow.side(end).cursor;
  if (!crowded()) return look(flow, end, pattern, v1::EXPECT_MODE_NEXT, cursor, deadline);
  absl::StatusOr<Sight> found =
      look(flow, end, flow_pattern(flow, end), v1::EXPECT_MODE_SKIP, cursor, deadline);
  if (!found.ok()) return found;
  if (found->kind != Sight::Kind::kMatched) return Sight{};
  return look(flow, end, pattern, v1::EXPECT_MODE_NEXT, found->entry.number() - 1, drive_->now());
}

absl::StatusOr<v1::SegmentPattern> Stage::pattern_of(const Flow& flow, v1::End end,
                                                     const std::vector<Packet>& alternatives) {
  v1::SegmentPattern pattern;
  for (const Packet& written : alternatives) {
    const absl::StatusOr<Packet> packet = resolved(flows_, end, written);
    if (!packet.ok()) return packet.status();
    absl::StatusOr<v1::SegmentPattern> one = build_pattern(flow, end, *packet);
    if (!one.ok() || alternatives.size() == 1) return one;
    *pattern.add_any_of() = *std::move(one);
  }
  return pattern;
}

void Stage::consume(Flow& flow, v1::End end, const v1::LogEntry& entry, int line) {
  lines_[entry.number()] = line;
  flow.side(end).cursor = entry.number();
  consumed_.insert(entry.number());
  last_awaited_[end] = entry.number();
  flows_.learn(entry);
  flow.take(entry);
}

// Whether the segment is one that may come; if so it is taken.
absl::StatusOr<bool> Stage::consume_maybe(Flow& flow, v1::End end, const v1::LogEntry& entry) {
  for (auto maybe = maybes_.begin(); maybe != maybes_.end(); ++maybe) {
    if (maybe->flow != flow.name || maybe->end != end) continue;
    const absl::StatusOr<v1::SegmentPattern> pattern = pattern_of(flow, end, maybe->alternatives);
    if (!pattern.ok()) return pattern.status();
    const absl::StatusOr<Sight> sight =
        look(flow, end, *pattern, v1::EXPECT_MODE_NEXT, entry.number() - 1, drive_->now());
    if (!sight.ok()) return sight.status();
    if (sight->kind != Sight::Kind::kMatched) continue;
    consume(flow, end, sight->entry, maybe->line);
    // Those written before it did not come.
    maybes_.erase(maybe);
    return true;
  }
  return false;
}

Problem Stage::unexpected(Flow& flow, v1::End end, const std::vector<Packet>& alternatives,
                          const Sight& sight) {
  std::vector<std::string> differences = sight.differences;
  if (alternatives.size() > 1) {
    differences.clear();
    for (const Packet& packet : alternatives) {
      const absl::StatusOr<v1::SegmentPattern> pattern = pattern_of(flow, end, {packet});
      if (!pattern.ok()) continue;
      const absl::StatusOr<Sight> one =
          look(flow, end, *pattern, v1::EXPECT_MODE_NEXT, sight.entry.number() - 1, drive_->now());
      if (!one.ok()) continue;
      differences.push_back(
          cat("against \"", print_packet(packet), "\": ", join(one->differences, "; ")));
    }
  }
  Problem problem = violation(cat("end ", end_name(end), " sent another segment than expected"),
                              printed(alternatives), describe_segment(&flow, sight.entry),
                              sight.entry.number(), std::move(differences));
  problem.came_at = from_proto(sight.entry.time());
  lines_[sight.entry.number()] = line_;
  return problem;
}

// By how much a segment missed its deadline that comes after all, as far as the lateness of the
// harness can account for it; nothing if none comes.
std::optional<absl::Duration> Stage::came_late(Flow& flow, v1::End end,
                                               const v1::SegmentPattern& pattern,
                                               absl::Duration deadline) {
  take_stalls();
  const absl::Duration slack = Lateness::kStretch * lateness_.longest();
  if (slack <= absl::ZeroDuration()) return std::nullopt;
  const absl::StatusOr<Sight> sight = next_segment(flow, end, pattern, deadline + slack);
  if (!sight.ok() || sight->kind != Sight::Kind::kMatched) return std::nullopt;
  return from_proto(sight->entry.time()) - deadline;
}

Result Stage::expect(const Statement& statement, const ExpectStatement& expect) {
  const v1::End end = end_or_examined(expect.from);
  Flow& on = flow_of(statement);
  if (expect.maybe) {
    maybes_.push_back({on.name, end, expect.alternatives, line_});
    return {};
  }
  const Window when = window(statement.time);
  while (true) {
    // Built anew each time: what was taken in between may have told the ISN.
    const absl::StatusOr<v1::SegmentPattern> pattern = pattern_of(on, end, expect.alternatives);
    if (!pattern.ok()) return broken(std::string(pattern.status().message()));
    const absl::StatusOr<Sight> sight = next_segment(on, end, *pattern, when.deadline);
    if (!sight.ok()) return refused(sight.status());
    if (sight->kind == Sight::Kind::kNothing) {
      Problem problem = violation(
          cat("end ", end_name(end), " sent nothing"), printed(expect.alternatives),
          cat("nothing until ", print_duration(when.deadline - start_), " after the start (",
              print_duration(when.deadline - event_time_), " after the previous event)"));
      problem.missed_by = came_late(on, end, *pattern, when.deadline);
      return problem;
    }
    if (sight->kind == Sight::Kind::kMismatched) {
      const absl::StatusOr<bool> maybe = consume_maybe(on, end, sight->entry);
      if (!maybe.ok()) return refused(maybe.status());
      if (*maybe) continue;
      return unexpected(on, end, expect.alternatives, *sight);
    }
    consume(on, end, sight->entry, line_);
    // What may have come before it did not.
    std::erase_if(maybes_,
                  [&](const Maybe& maybe) { return maybe.flow == on.name && maybe.end == end; });
    const absl::Duration time = from_proto(sight->entry.time());
    const absl::Duration previous = std::exchange(event_time_, time);
    if (!when.earliest.has_value() || time >= *when.earliest) return {};
    Problem problem = violation(cat("end ", end_name(end), " sent the segment too early"),
                                {cat("not before ", print_duration(*when.earliest - previous),
                                     " after the previous event")},
                                cat("it came ", print_duration(time - previous), " after it"),
                                sight->entry.number());
    problem.missed_by = *when.earliest - time;
    return problem;
  }
}

Result Stage::silence(const SilenceStatement& silence) {
  const v1::End end = end_or_examined(silence.from);
  // From when it was due: what a late harness sees after that time does not break it.
  const absl::Duration deadline = due_ + silence.duration;
  uint64_t after = 0;
  for (Flow* one : flows_.all()) after = std::max(after, one->side(end).cursor);
  while (true) {
    const absl::StatusOr<Sight> sight =
        look(flow(""), end, {}, v1::EXPECT_MODE_SILENCE, after, deadline);
    if (!sight.ok()) return refused(sight.status());
    if (sight->kind != Sight::Kind::kMismatched) break;
    const absl::Duration time = from_proto(sight->entry.time());
    if (time > deadline) break;
    after = sight->entry.number();
    if (consumed_.count(after) != 0) continue;
    Flow* owner = flows_.owner(sight->entry);
    // Answers to a flood go to addresses of no flow.
    if (owner == nullptr && flooded_) continue;
    if (owner != nullptr) {
      const absl::StatusOr<bool> maybe = consume_maybe(*owner, end, sight->entry);
      if (!maybe.ok()) return refused(maybe.status());
      if (*maybe) continue;
    }
    Problem problem = violation(cat("end ", end_name(end), " was not silent"),
                                {cat("no segment for ", print_duration(silence.duration))},
                                describe_segment(owner, sight->entry), after);
    problem.came_at = time;
    return problem;
  }
  event_time_ = deadline;
  return {};
}

Result Stage::hold(const HoldStatement& hold) {
  using Verb = HoldStatement::Verb;
  if (hold.verb == Verb::kRelease || hold.verb == Verb::kDrop) return release(hold);
  v1::Command command;
  command.mutable_hold()->set_session(session().id());
  command.mutable_hold()->set_from(hold.from);
  command.mutable_hold()->set_on(hold.verb == Verb::kHold);
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return refused(report.status());
  LadderItem item;
  item.text = hold.verb == Verb::kHold
                  ? cat("what ", end_name(hold.from), " sends is held from now on")
                  : cat("what ", end_name(hold.from), " sends passes again");
  add_item(std::move(item));
  return {};
}

Result Stage::release(const HoldStatement& hold) {
  std::deque<uint64_t>& held = held_[hold.from];
  const absl::StatusOr<bool> any = poll([&]() -> absl::StatusOr<bool> {
    const Result observed = observe();
    if (observed.has_value()) return absl::InternalError(observed->reason);
    return !held.empty();
  });
  if (!any.ok()) return refused(any.status());
  if (!*any) {
    return violation(cat("end ", end_name(hold.from), " has sent nothing that could be released"),
                     {"a segment that is held"}, "none");
  }
  std::vector<uint64_t> numbers(held.begin(), held.end());
  if (hold.which == HoldStatement::Which::kFirst) numbers = {held.front()};
  if (hold.which == HoldStatement::Which::kLast) {
    // Others may have been sent since it was awaited.
    const uint64_t awaited = last_awaited_[hold.from];
    const bool there = std::find(held.begin(), held.end(), awaited) != held.end();
    numbers = {there ? awaited : held.back()};
  }
  const bool drop = hold.verb == HoldStatement::Verb::kDrop;
  const absl::Duration found = drive_->now();
  v1::Command command;
  v1::ReleaseHeldRequest& request = *command.mutable_release_held();
  request.set_session(session().id());
  request.mutable_numbers()->Assign(numbers.begin(), numbers.end());
  request.set_drop(drop);
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return refused(report.status());
  if (!drive_->virtual_clock()) {
    lateness_.note(found, from_proto(report->now()), "with releasing a segment");
  }
  for (const uint64_t number : numbers) {
    std::erase(held, number);
    LadderItem item;
    item.kind = drop ? LadderItem::Kind::kDropped : LadderItem::Kind::kReleased;
    item.end = hold.from;
    item.number = number;
    add_item(std::move(item));
  }
  event_time_ = from_proto(report->now());
  return {};
}

Result Stage::sent(const SentStatement& sent) {
  const auto entry = std::find_if(entries_.rbegin(), entries_.rend(), [&](const v1::LogEntry& e) {
    return e.number() == last_injected_;
  });
  if (entry == entries_.rend()) return broken("the last injected segment is not in the log");
  const std::string difference = field_difference(sent.fields, *entry);
  if (difference.empty()) return {};
  return violation("the injected segment is on the wire with another field", {}, difference,
                   entry->number());
}

Result Stage::flood(const Statement& statement, const FloodStatement& flood) {
  const v1::End examined = examined_end(head_);
  const v1::End towards = examined == v1::END_UNSPECIFIED ? v1::END_B : examined;
  Flow& on = flow_of(statement);
  Packet syn;
  TcpPacket tcp;
  tcp.flags = kSyn;
  tcp.window = Number{};
  tcp.window->value = 65535;
  Option mss;
  mss.kind = Option::Kind::kMss;
  mss.number.value = 1460;
  tcp.options.mode = Options::Mode::kExact;
  tcp.options.list.push_back(mss);
  syn.body = tcp;
  absl::StatusOr<v1::Segment> segment = build_segment(on, other(towards), syn, 0);
  if (!segment.ok()) return broken(std::string(segment.status().message()));
  v1::Command command;
  v1::InjectRequest& request = *command.mutable_inject();
  request.set_session(session().id());
  request.set_from(other(towards));
  *request.mutable_flood()->mutable_segment() = *std::move(segment);
  request.mutable_flood()->set_count(flood.count);
  request.mutable_flood()->set_rate(flood.rate);
  request.mutable_flood()->set_source_prefix(flood.prefix);
  request.mutable_flood()->set_seed(derive_seed(options_.seed, "flood"));
  request.mutable_flood()->set_unlogged(flood.count > kLoggedFlood);
  flooded_ = true;
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  if (!report.ok()) return refused(report.status());
  LadderItem item;
  item.text = cat("a flood of ", report->inject().sent(), " SYNs from ", flood.prefix);
  add_item(std::move(item));
  event_time_ = from_proto(report->now());
  return {};
}

Result Stage::impair(const ImpairStatement& impair) {
  v1::Command command;
  v1::ImpairRequest& request = *command.mutable_impair();
  request.set_session(session().id());
  request.set_from(impair.from);
  request.set_seed(derive_seed(options_.seed, cat("impair ", end_name(impair.from))));
  for (const auto& [key, value] : impair.settings) {
    const absl::Status status = set_field(request, key, value);
    if (!status.ok()) return refused(status);
  }
  const absl::StatusOr<v1::Report> report = drive_->call(std::move(command));
  return report.ok() ? Result() : Result(refused(report.status()));
}

}  // namespace tcproctor::conformance
