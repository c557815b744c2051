#include "server/mismatch/mismatch_groups.h"

#include <algorithm>
#include <map>
#include <optional>

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

void AddBursts(absl::Span<const Groupable> mismatches, Groups& groups) {
  std::vector<size_t> by_change;
  for (size_t i = 0; i < mismatches.size(); ++i) {
    if (!mismatches[i].snoozed) by_change.push_back(i);
  }
  std::stable_sort(by_change.begin(), by_change.end(),
                   [&](size_t a, size_t b) { return mismatches[a].last_change < mismatches[b].last_change; });
  for (size_t begin = 0, end = 0; begin < by_change.size(); begin = end) {
    bool of_several = false;
    for (end = begin + 1; end < by_change.size(); ++end) {
      const Groupable& next = mismatches[by_change[end]];
      if (next.last_change - mismatches[by_change[end - 1]].last_change > limits::kBurstPause) break;
      of_several |= next.carer != mismatches[by_change[begin]].carer;
    }
    if (!of_several || end - begin <= limits::kMismatchesOutsideABurst) continue;
    groups.Add(v1::MISMATCH_GROUP_KIND_BURST, absl::MakeConstSpan(by_change).subspan(begin, end - begin));
  }
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
}

}  // namespace

GroupLines GroupMismatches(absl::Span<const Groupable> mismatches, size_t most_lines) {
  Groups groups{.of = Membership(mismatches.size()), .kinds = {}};
  AddBursts(mismatches, groups);
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
