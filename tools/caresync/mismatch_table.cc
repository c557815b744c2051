#include "tools/caresync/mismatch_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/base/text.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

Cell StateCell(v1::MismatchState state) {
  const std::string text = EnumText(v1::MismatchState_Name(state), "MISMATCH_STATE_");
  switch (state) {
    case v1::MISMATCH_STATE_RESOLVED:
    case v1::MISMATCH_STATE_CLOSED:
      return {text, Colour::kGreen};
    case v1::MISMATCH_STATE_CHANGED:
    case v1::MISMATCH_STATE_SNOOZED:
    case v1::MISMATCH_STATE_UNNEEDED_JOURNEY:
      return {text, Colour::kYellow};
    default:
      return {text, Colour::kRed};
  }
}

// What it was and what it is, either of which may be empty; once where that is the same.
std::string Change(const std::string& from, const std::string& to) {
  if (from.empty() || from == to) return to;
  return to.empty() ? from : absl::StrCat(from, " -> ", to);
}

std::string TimeText(bool is_set, const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  return is_set ? PeopleTime(ToTime(time), zone) : "";
}

// When the visit starts; and where its end alone is another one, when it ends.
std::string VisitTimes(const v1::Mismatch& mismatch, absl::TimeZone zone) {
  const v1::VisitShown& from = mismatch.from();
  const v1::VisitShown& to = mismatch.to();
  std::string start = Change(TimeText(from.has_start_time(), from.start_time(), zone),
                             TimeText(to.has_start_time(), to.start_time(), zone));
  const bool both = mismatch.has_from() && mismatch.has_to();
  const bool starts_as_before = ToTime(from.start_time()) == ToTime(to.start_time());
  if (!both || !starts_as_before || ToTime(from.end_time()) == ToTime(to.end_time())) return start;
  return absl::StrCat(
      start, ", end ",
      Change(TimeText(from.has_end_time(), from.end_time(), zone), TimeText(to.has_end_time(), to.end_time(), zone)));
}

// Records that are gone have no name.
std::string NameOr(const std::string& name, const std::string& id) { return name.empty() ? id : name; }

std::string ServiceUserText(const v1::VisitShown& shown) {
  return NameOr(shown.service_user_name(), shown.service_user_id());
}

std::string ChangesText(const v1::Mismatch& mismatch) {
  std::vector<std::string> kinds;
  for (const int kind : mismatch.changes()) {
    kinds.push_back(EnumText(v1::VisitChangeKind_Name(kind), "VISIT_CHANGE_KIND_"));
  }
  return absl::StrJoin(kinds, ", ");
}

// The one in use, and in brackets the others that hold a copy.
Cell DeviceCell(const v1::Mismatch& mismatch) {
  std::vector<std::string> others;
  for (const v1::MismatchDevice& other : mismatch.other_devices()) {
    others.push_back(NameOr(other.device_name(), other.device_uuid()));
  }
  const std::string also = others.empty() ? "" : absl::StrCat(" (also ", absl::StrJoin(others, ", "), ")");
  if (!mismatch.has_device()) return {absl::StrCat("none", also), Colour::kYellow};
  return absl::StrCat(NameOr(mismatch.device().device_name(), mismatch.device().device_uuid()), also);
}

// Of a group of several carers.
Cell DevicesCell(const v1::MismatchGroup& group) {
  const uint32_t without = group.carers_without_device();
  if (without == 0) return "several";
  if (without == group.carer_count()) return {"none", Colour::kYellow};
  return {absl::StrCat("several (", without, without == 1 ? " carer has none)" : " carers have none)"),
          Colour::kYellow};
}

Cell LastSuccessCell(const v1::MismatchDevice& device, absl::TimeZone zone) {
  if (!device.has_last_successful_sync_time()) return {"Never", Colour::kYellow};
  return PeopleTime(ToTime(device.last_successful_sync_time()), zone);
}

std::string FailingText(const v1::MismatchDevice& device) {
  std::vector<std::string> evidence;
  if (!device.last_api_call_reason().empty()) evidence.push_back(device.last_api_call_reason());
  if (device.failed_calls() > 1) evidence.push_back(absl::StrCat(device.failed_calls(), " times"));
  return evidence.empty() ? "failing" : absl::StrCat("failing (", absl::StrJoin(evidence, ", "), ")");
}

std::string CauseText(const v1::Mismatch& mismatch, absl::TimeZone zone) {
  const v1::MismatchDevice& device = mismatch.device();
  switch (mismatch.cause()) {
    case v1::MISMATCH_CAUSE_UNSPECIFIED:
      return "not known";
    case v1::MISMATCH_CAUSE_SILENT:
      if (!device.has_last_contact_time()) return "silent";
      return absl::StrCat("silent since ", PeopleTime(ToTime(device.last_contact_time()), zone));
    case v1::MISMATCH_CAUSE_FAILING:
      return FailingText(device);
    default:
      return EnumText(v1::MismatchCause_Name(mismatch.cause()), "MISMATCH_CAUSE_");
  }
}

// At most so many characters of a note in a row: --json has the whole.
constexpr size_t kNoteShown = 40;

// On one line, and shortened at a character.
std::string ShortNote(const std::string& note) {
  std::string line = absl::StrReplaceAll(note, {{"\n", " "}});
  size_t characters = 0;
  for (size_t at = 0; at < line.size(); ++at) {
    if (base::ContinuesCharacter(line[at])) continue;
    if (characters++ == kNoteShown) return absl::StrCat(line.substr(0, at), "...");
  }
  return line;
}

// Who snoozed or closed it, until when, and why; empty where it is neither.
std::string HandledText(const v1::Mismatch& mismatch, absl::TimeZone zone) {
  const bool snoozed = mismatch.state() == v1::MISMATCH_STATE_SNOOZED;
  if (!snoozed && mismatch.state() != v1::MISMATCH_STATE_CLOSED) return "";
  std::string text;
  if (snoozed && mismatch.has_snoozed_until_time()) {
    text = absl::StrCat("until ", PeopleTime(ToTime(mismatch.snoozed_until_time()), zone));
  }
  if (mismatch.transitions().empty()) return text;
  const v1::MismatchTransition& last = *mismatch.transitions().rbegin();
  absl::StrAppend(&text, text.empty() ? "by " : " by ", last.person());
  if (!last.note().empty()) absl::StrAppend(&text, ": ", ShortNote(last.note()));
  return text;
}

// In quotes where a shell would make something else of it.
std::string ShellWord(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("-_./:@", c);
  });
  return plain ? text : absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

}  // namespace

std::string MismatchTable(const std::vector<v1::Mismatch>& mismatches, bool ended, absl::TimeZone zone,
                          const Look& look) {
  std::vector<std::vector<Cell>> rows;
  rows.reserve(mismatches.size());
  const bool handled = std::any_of(mismatches.begin(), mismatches.end(), [zone](const v1::Mismatch& mismatch) {
    return !HandledText(mismatch, zone).empty();
  });
  for (const v1::Mismatch& mismatch : mismatches) {
    std::vector<Cell>& row = rows.emplace_back();
    row = {StateCell(mismatch.state()),
           VisitTimes(mismatch, zone),
           NameOr(mismatch.carer_name(), mismatch.carer_id()),
           Change(ServiceUserText(mismatch.from()), ServiceUserText(mismatch.to())),
           ChangesText(mismatch),
           DeviceCell(mismatch),
           LastSuccessCell(mismatch.device(), zone)};
    if (handled) row.insert(row.begin() + 1, HandledText(mismatch, zone));
    if (ended) {
      row.push_back(PeopleTime(ToTime(mismatch.end_time()), zone));
    } else {
      row.push_back(CauseText(mismatch, zone));
      row.push_back(mismatch.advice());
    }
  }
  std::vector<std::string> columns = {"State",  "Visit start",         "Carer", "Service user", "Changes",
                                      "Device", "Last successful sync"};
  if (handled) columns.insert(columns.begin() + 1, "Handled");
  if (ended) {
    columns.push_back("Ended");
  } else {
    columns.insert(columns.end(), {"Cause", "Advice"});
  }
  return FormatTable(columns, rows, look);
}

std::string MismatchLine(const v1::Mismatch& mismatch, absl::TimeZone zone, bool with_colour) {
  const Cell state = StateCell(mismatch.state());
  std::string line = absl::StrCat(Paint(state.text, state.colour, with_colour), "  ", VisitTimes(mismatch, zone), "  ",
                                  Printable(Change(ServiceUserText(mismatch.from()), ServiceUserText(mismatch.to()))),
                                  "  ", Printable(mismatch.headline()));
  if (!mismatch.advice().empty()) absl::StrAppend(&line, " ", Printable(mismatch.advice()));
  const bool by_person =
      mismatch.state() == v1::MISMATCH_STATE_SNOOZED || mismatch.state() == v1::MISMATCH_STATE_CLOSED;
  if (!by_person || mismatch.transitions().empty()) return line;
  const v1::MismatchTransition& last = *mismatch.transitions().rbegin();
  return absl::StrCat(line, " (", Printable(last.person()), last.note().empty() ? "" : ": ", Printable(last.note()),
                      ")");
}

std::string ListingCommand(const MismatchesOf& of) {
  std::string command = "caresync mismatches";
  if (!of.tenant.empty()) absl::StrAppend(&command, " --tenant ", ShellWord(of.tenant));
  if (!of.branch.empty()) absl::StrAppend(&command, " --branch ", ShellWord(of.branch));
  if (!of.carer.empty()) absl::StrAppend(&command, " --carer ", ShellWord(of.carer));
  return command;
}

std::string MismatchGroupTable(const std::vector<v1::MismatchGroup>& groups, const MismatchesOf& of,
                               absl::TimeZone zone, const Look& look) {
  std::vector<std::vector<Cell>> rows;
  rows.reserve(groups.size());
  std::string hints;
  for (const v1::MismatchGroup& group : groups) {
    const v1::Mismatch& first = group.most_urgent();
    std::vector<Cell>& row = rows.emplace_back();
    row = {absl::StrCat(group.count()), StateCell(first.state()), PeopleTime(ToTime(group.soonest_start_time()), zone)};
    if (group.kind() == v1::MISMATCH_GROUP_KIND_BURST) {
      row.insert(row.end(), {absl::StrCat(group.carer_count(), " carers"), DevicesCell(group), "changed at once"});
      absl::StrAppend(&hints, "Those ", group.count(), " that changed at once: ", ListingCommand(of),
                      " --changed-from ", IsoTime(ToTime(group.changed_from_time())), " --changed-until ",
                      IsoTime(ToTime(group.changed_until_time())), "\n");
    } else if (group.kind() == v1::MISMATCH_GROUP_KIND_OUTAGE) {
      row.insert(row.end(), {absl::StrCat(group.carer_count(), " carers"), "several",
                             absl::StrCat("silent since ", PeopleTime(ToTime(group.last_sync_until_time()), zone))});
      absl::StrAppend(&hints, "Those ", group.count(), " of phones that fell silent together: ", ListingCommand(of),
                      " --last-sync-from ", IsoTime(ToTime(group.last_sync_from_time())), " --last-sync-until ",
                      IsoTime(ToTime(group.last_sync_until_time())), "\n");
    } else {
      row.insert(row.end(), {NameOr(first.carer_name(), first.carer_id()), DeviceCell(first), CauseText(first, zone)});
    }
    row.push_back(group.advice());
  }
  return absl::StrCat(
      FormatTable({"Mismatches", "State", "Soonest visit", "Carer", "Device", "Cause", "Advice"}, rows, look), hints);
}

}  // namespace caresync::cli
