#include "server/mismatch/mismatch_groups.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "server/base/limits.h"

namespace caresync::mismatch {
namespace {

namespace limits = base::limits;

// Which group each belongs to, by number; nullopt: to none.
using Membership = std::vector<std::optional<size_t>>;

struct Groups {
  Membership of;
  // By number.
  std::vector<v1::MismatchGroupKind> kinds;

  void Add(v1::MismatchGroupKind kind, absl::Span<const size_t> members) {
    for (const size_t member : members) of[member] = kinds.size();
    kinds.push_back(kind);
  }
};

// One of those given, and the time by which it is looked with which others it belongs together.
struct Timed {
  absl::Time time;
  size_t member = 0;
};

// Those whose times follow each other within `pause` are a group of the kind, where they are many and of several
// carers.
void AddRuns(absl::Span<const Groupable> mismatches, v1::MismatchGroupKind kind, std::vector<Timed> timed,
             absl::Duration pause, Groups& groups) {
  std::stable_sort(timed.begin(), timed.end(), [](const Timed& a, const Timed& b) { return a.time < b.time; });
  for (size_t begin = 0, end = 0; begin < timed.size(); begin = end) {
    bool of_several = false;
    for (end = begin + 1; end < timed.size(); ++end) {
      if (timed[end].time - timed[end - 1].time > pause) break;
      of_several |= mismatches[timed[end].member].carer != mismatches[timed[begin].member].carer;
    }
    if (!of_several || end - begin <= limits::kMismatchesOutsideABurst) continue;
    std::vector<size_t> members;
    for (size_t i = begin; i < end; ++i) members.push_back(timed[i].member);
    groups.Add(kind, members);
  }
}

void AddBursts(absl::Span<const Groupable> mismatches, Groups& groups) {
  std::vector<Timed> by_change;
  for (size_t i = 0; i < mismatches.size(); ++i) {
    if (!mismatches[i].snoozed) by_change.push_back({mismatches[i].last_change, i});
  }
  AddRuns(mismatches, v1::MISMATCH_GROUP_KIND_BURST, std::move(by_change), limits::kBurstPause, groups);
}

void AddOutages(absl::Span<const Groupable> mismatches, Groups& groups) {
  std::vector<Timed> by_last_sync;
  for (size_t i = 0; i < mismatches.size(); ++i) {
    if (mismatches[i].snoozed || groups.of[i].has_value() || !mismatches[i].last_sync.has_value()) continue;
    by_last_sync.push_back({*mismatches[i].last_sync, i});
  }
  AddRuns(mismatches, v1::MISMATCH_GROUP_KIND_OUTAGE, std::move(by_last_sync), limits::kOutagePause, groups);
}

void AddCarers(absl::Span<const Groupable> mismatches, Groups& groups) {
  std::map<base::Uuid, std::vector<size_t>> by_carer;
  for (size_t i = 0; i < mismatches.size(); ++i) {
    if (!mismatches[i].snoozed && !groups.of[i].has_value()) by_carer[mismatches[i].carer].push_back(i);
  }
  for (const auto& [carer, members] : by_carer) {
    if (members.size() > limits::kMismatchesOfCarerAlone) groups.Add(v1::MISMATCH_GROUP_KIND_CARER, members);
  }
}

void Join(const Groupable& mismatch, GroupLine& line) {
  ++line.count;
  line.carers.insert(mismatch.carer);
  line.earliest_change = std::min(line.earliest_change, mismatch.last_change);
  line.latest_change = std::max(line.latest_change, mismatch.last_change);
  if (!mismatch.last_sync.has_value()) return;
  line.earliest_sync = std::min(line.earliest_sync, *mismatch.last_sync);
  line.latest_sync = std::max(line.latest_sync, *mismatch.last_sync);
}

}  // namespace

GroupLines GroupMismatches(absl::Span<const Groupable> mismatches, size_t most_lines) {
  Groups groups{.of = Membership(mismatches.size()), .kinds = {}};
  AddBursts(mismatches, groups);
  AddOutages(mismatches, groups);
  AddCarers(mismatches, groups);
  GroupLines grouped;
  std::optional<size_t> reached;
  // By the group's number.
  std::map<size_t, size_t> line_of;
  for (size_t i = 0; i < mismatches.size(); ++i) {
    const std::optional<size_t> group = groups.of[i];
    const auto begun = group.has_value() ? line_of.find(*group) : line_of.end();
    if (begun != line_of.end()) {
      Join(mismatches[i], grouped.lines[begun->second]);
      continue;
    }
    if (grouped.lines.size() == most_lines) {
      if (!reached.has_value()) reached = i;
      continue;
    }
    if (group.has_value()) line_of[*group] = grouped.lines.size();
    GroupLine& line = grouped.lines.emplace_back();
    if (group.has_value()) line.kind = groups.kinds[*group];
    line.first = i;
    Join(mismatches[i], line);
  }
  grouped.reached = reached.value_or(mismatches.size());
  return grouped;
}

}  // namespace caresync::mismatch
