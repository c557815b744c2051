#include "server/deliveries/outcome.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"

namespace caresync::deliveries {
namespace {

// Marks that are read at once.
constexpr size_t kMarksAtOnce = 500;

}  // namespace

std::optional<feed::Position> ReachOf(const Mark& mark) {
  switch (mark.row.kind()) {
    case store::CopyMark::APPLIED:
    case store::CopyMark::FELL_BACK:
      // Behind the end of its revision nothing lies that its batch could have shown.
      return mark.is_whole() ? feed::Position::EndOf(mark.row.revision()) : mark.position();
    case store::CopyMark::SWAPPED:
      return feed::Position::EndOf(mark.row.revision());
    default:
      return std::nullopt;
  }
}

bool ShowsLast(const Mark& mark, const feed::Position& entry, const std::vector<base::Revision>& of_visit) {
  const auto next = std::upper_bound(of_visit.begin(), of_visit.end(), entry.revision);
  return next == of_visit.end() || *next > mark.row.revision();
}

std::optional<Outcome> OutcomeOf(const std::vector<Mark>& marks, const feed::Position& entry,
                                 const std::vector<base::Revision>& of_visit) {
  for (const Mark& mark : marks) {
    const std::optional<feed::Position> reach = ReachOf(mark);
    if (!reach.has_value() || *reach < entry) continue;
    return Outcome{.applied = ShowsLast(mark, entry, of_visit), .mark = &mark};
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<Mark>> ReadAllMarks(const storage::Reader& reader, const base::TenantId& tenant,
                                               const base::Uuid& device, const base::Uuid& carer, uint64_t after,
                                               uint64_t before) {
  std::vector<Mark> all;
  for (;;) {
    ASSIGN_OR_RETURN(std::vector<Mark> marks, ReadMarks(reader, tenant, device, carer, after, kMarksAtOnce));
    const size_t read = marks.size();
    for (Mark& mark : marks) {
      if (mark.number >= before) return all;
      after = mark.number;
      all.push_back(std::move(mark));
    }
    if (read < kMarksAtOnce) return all;
  }
}

absl::StatusOr<std::vector<base::Revision>> ReadRevisions(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const base::Uuid& carer, const base::RecordKey& visit) {
  storage::KeyRange range = base::keys::VisitEntriesOfVisit(tenant, visit);
  range.begin = base::keys::VisitEntryByVisit(tenant, visit, carer, 0);
  std::vector<base::Revision> revisions;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(storage::Space::kRecords, range, std::numeric_limits<size_t>::max(),
                              [&](std::string_view key, std::string_view) {
                                base::RecordKey of;
                                base::Uuid whose;
                                base::Revision revision = 0;
                                damaged = !base::keys::ParseVisitEntryByVisit(key, &of, &whose, &revision);
                                if (damaged || whose != carer) return false;
                                revisions.push_back(revision);
                                return true;
                              }));
  if (damaged) return base::errors::DamagedRow("the key of a visit's entry");
  return revisions;
}

}  // namespace caresync::deliveries
