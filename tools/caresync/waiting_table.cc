#include "tools/caresync/waiting_table.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/caresync/json_form.h"

namespace caresync::cli {
namespace {

std::string KindText(v1::RecordKind kind) { return EnumText(v1::RecordKind_Name(kind), "RECORD_KIND_"); }

bool IsRefused(const v1::WaitingRosterChange& change) { return !change.refused_reason().empty(); }

Cell ReasonCell(const v1::WaitingRosterChange& change) {
  if (IsRefused(change)) return {absl::StrCat("refused: ", change.refused_reason()), Colour::kRed};
  std::string text = absl::StrJoin(change.missing(), ", ", [](std::string* out, const v1::MissingReference& missing) {
    absl::StrAppend(out, KindText(missing.kind()), " ", missing.external_id());
  });
  const int untold = change.missing_count() - change.missing_size();
  if (untold > 0) absl::StrAppend(&text, " and ", untold, " more");
  return {text, Colour::kYellow};
}

Cell PromisedCell(const v1::WaitingRosterChange& change, absl::TimeZone zone) {
  if (!change.has_promised_time()) return {"-"};
  const std::string time = PeopleTime(ToTime(change.promised_time()), zone);
  return change.late() ? Cell(absl::StrCat(time, " (late)"), Colour::kRed) : Cell(time);
}

}  // namespace

std::string WaitingText(const std::vector<v1::WaitingRosterChange>& changes, absl::TimeZone zone, const Look& look) {
  std::vector<std::vector<Cell>> rows;
  rows.reserve(changes.size());
  for (const v1::WaitingRosterChange& change : changes) {
    rows.push_back({PeopleTime(ToTime(change.received_time()), zone), change.source(), KindText(change.record_kind()),
                    change.external_id(), ReasonCell(change), PromisedCell(change, zone)});
  }
  const auto refused = static_cast<size_t>(std::count_if(changes.begin(), changes.end(), IsRefused));
  const size_t waiting = changes.size() - refused;
  std::string text =
      FormatTable({"Since", "Source", "Kind", "External ID", "Waits for / Refused", "Promised"}, rows, look);
  absl::StrAppend(&text, waiting, waiting == 1 ? " change waits" : " changes wait");
  if (refused > 0) absl::StrAppend(&text, ", ", refused, refused == 1 ? " was refused" : " were refused");
  absl::StrAppend(&text, "\n");
  return text;
}

}  // namespace caresync::cli
