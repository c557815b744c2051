#include "server/notifications/message.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "nlohmann/json.hpp"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/uuid.h"
#include "server/mismatch/wording.h"
#include "server/records/record_key.h"

namespace caresync::notifications {
namespace {

using google::protobuf::Timestamp;
using nlohmann::ordered_json;

// An enum value's name without its prefix, in lower case.
std::string Word(const std::string& name, std::string_view prefix) {
  return absl::AsciiStrToLower(name.substr(std::min(prefix.size(), name.size())));
}

std::string TimeText(const Timestamp& time) { return google::protobuf::util::TimeUtil::ToString(time); }

void AddTime(const char* name, bool is_set, const Timestamp& time, ordered_json& json) {
  if (is_set) json[name] = TimeText(time);
}

ordered_json Shown(const v1::VisitShown& shown) {
  ordered_json json = ordered_json::object();
  AddTime("start_time", shown.has_start_time(), shown.start_time(), json);
  AddTime("end_time", shown.has_end_time(), shown.end_time(), json);
  return json;
}

ordered_json Changes(const v1::Mismatch& mismatch) {
  ordered_json changes = ordered_json::array();
  for (const int change : mismatch.changes()) {
    changes.push_back(Word(v1::VisitChangeKind_Name(static_cast<v1::VisitChangeKind>(change)), "VISIT_CHANGE_KIND_"));
  }
  return changes;
}

std::string PeopleTime(absl::Time time, absl::TimeZone zone) { return absl::FormatTime("%d %B %Y, %H:%M", time, zone); }

// ---- What an e-mail says of a change

// None of it names anybody.
const char* InWords(int kind) {
  switch (kind) {
    case v1::VISIT_CHANGE_KIND_NEW:
      return "new";
    case v1::VISIT_CHANGE_KIND_MOVED:
      return "moved";
    case v1::VISIT_CHANGE_KIND_OTHER_SERVICE_USER:
      return "to another service user";
    case v1::VISIT_CHANGE_KIND_ACTIVITIES:
      return "other activities";
    case v1::VISIT_CHANGE_KIND_DETAILS:
      return "other details";
    case v1::VISIT_CHANGE_KIND_TAKEN_AWAY:
      return "taken away";
    case v1::VISIT_CHANGE_KIND_CANCELLED:
      return "cancelled";
    case v1::VISIT_CHANGE_KIND_OUT_OF_WINDOW:
      return "moved out of the days that phones hold";
    default:
      return "changed";
  }
}

std::string ChangesInWords(const v1::Mismatch& mismatch) {
  return absl::StrJoin(mismatch.changes(), ", ",
                       [](std::string* out, int kind) { absl::StrAppend(out, InWords(kind)); });
}

std::string DayText(absl::Time time, absl::TimeZone zone) { return absl::FormatTime("%d %B %Y", time, zone); }

// From its start to its end, the time of day written as `clock` says.
std::string SpanText(const v1::VisitShown& shown, absl::TimeZone zone, const char* clock) {
  const absl::Time start = base::FromTimestamp(shown.start_time()).value_or(absl::UnixEpoch());
  const absl::Time end = base::FromTimestamp(shown.end_time()).value_or(start);
  const std::string day = DayText(start, zone);
  const std::string end_day = DayText(end, zone);
  return absl::StrCat(day, ", ", absl::FormatTime(clock, start, zone), " to ",
                      end_day == day ? "" : absl::StrCat(end_day, ", "), absl::FormatTime(clock, end, zone));
}

// When a visit was and when it is; empty where it was not, or is not any more.
struct Times {
  std::string before;
  std::string now;

  bool are_one() const { return before.empty() || now.empty() || before == now; }
  const std::string& one() const { return now.empty() ? before : now; }
};

Times TimesOf(const v1::Mismatch& mismatch, absl::TimeZone zone) {
  const auto times = [&](const char* clock) -> Times {
    return {mismatch.has_from() ? SpanText(mismatch.from(), zone, clock) : "",
            mismatch.has_to() ? SpanText(mismatch.to(), zone, clock) : ""};
  };
  const Times to_the_minute = times("%H:%M");
  const auto& kinds = mismatch.changes();
  const bool is_moved = std::find(kinds.begin(), kinds.end(), v1::VISIT_CHANGE_KIND_MOVED) != kinds.end();
  // By seconds, or by the hour that the clock shows twice.
  return is_moved && to_the_minute.are_one() ? times("%H:%M:%S %Z") : to_the_minute;
}

// A line of a mail of many.
std::string LineOf(const v1::Mismatch& mismatch, absl::TimeZone zone) {
  const Times times = TimesOf(mismatch, zone);
  return absl::StrCat("- ", mismatch::CarerText(mismatch.carer_name(), mismatch.carer_id()), ", ",
                      times.are_one() ? times.one() : absl::StrCat(times.before, " -> ", times.now), ": ",
                      ChangesInWords(mismatch), "\n");
}

struct Summary {
  size_t carers = 0;
  absl::Time first_start = absl::InfiniteFuture();
};

Summary Sum(const std::vector<Raised>& raised) {
  Summary summary;
  std::set<base::Uuid> carers;
  for (const Raised& one : raised) {
    carers.insert(one.of.carer);
    summary.first_start = std::min(summary.first_start, one.start);
  }
  summary.carers = carers.size();
  return summary;
}

// As many as are named, those that start first.
ordered_json Members(std::vector<Raised> raised) {
  const size_t named = std::min(raised.size(), base::limits::kMismatchesNamed);
  std::partial_sort(raised.begin(), raised.begin() + static_cast<ptrdiff_t>(named), raised.end(),
                    [](const Raised& a, const Raised& b) { return std::tie(a.start, a.of) < std::tie(b.start, b.of); });
  ordered_json members = ordered_json::array();
  for (size_t i = 0; i < named; ++i) {
    const std::optional<records::RecordName> visit = records::NameOf(raised[i].of.visit);
    if (!visit.has_value()) continue;
    members.push_back({{"carer_id", raised[i].of.carer.ToString()}, {"visit_id", visit->id.ToString()}});
  }
  return members;
}

// Never throws: what is no UTF-8 is replaced.
std::string Text(const ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string MismatchBody(const base::TenantId& tenant, const v1::Mismatch& mismatch, absl::Time start) {
  ordered_json json = {{"what", "mismatch"},
                       {"tenant_id", tenant.text()},
                       {"branch_id", mismatch.branch_id()},
                       {"carer_id", mismatch.carer_id()},
                       {"visit_id", mismatch.visit_id()},
                       {"state", Word(v1::MismatchState_Name(mismatch.state()), "MISMATCH_STATE_")},
                       {"cause", Word(v1::MismatchCause_Name(mismatch.cause()), "MISMATCH_CAUSE_")},
                       {"changes", Changes(mismatch)}};
  if (mismatch.has_device()) json["device_uuid"] = mismatch.device().device_uuid();
  json["start_time"] = TimeText(base::ToTimestamp(start));
  if (mismatch.has_from()) json["from"] = Shown(mismatch.from());
  if (mismatch.has_to()) json["to"] = Shown(mismatch.to());
  AddTime("first_change_time", mismatch.has_first_change_time(), mismatch.first_change_time(), json);
  AddTime("last_change_time", mismatch.has_last_change_time(), mismatch.last_change_time(), json);
  AddTime("open_time", mismatch.has_open_time(), mismatch.open_time(), json);
  AddTime("next_state_time", mismatch.has_next_state_time(), mismatch.next_state_time(), json);
  return Text(json);
}

std::string MismatchesBody(const base::TenantId& tenant, const std::string& branch, const std::vector<Raised>& raised) {
  const Summary summary = Sum(raised);
  const ordered_json json = {
      {"what", "mismatches"},      {"tenant_id", tenant.text()},
      {"branch_id", branch},       {"mismatches", raised.size()},
      {"carers", summary.carers},  {"first_start_time", TimeText(base::ToTimestamp(summary.first_start))},
      {"members", Members(raised)}};
  return Text(json);
}

MailText MismatchMail(const std::string& agency, const v1::Mismatch& mismatch, absl::Time start, absl::TimeZone zone) {
  const Times times = TimesOf(mismatch, zone);
  MailText mail;
  mail.subject =
      absl::StrCat("A change of the rota has not reached a carer's phone (visit of ", PeopleTime(start, zone), ")");
  mail.text =
      absl::StrCat(mismatch.headline(), "\n", mismatch.advice(), "\n\nWhat changed: ", ChangesInWords(mismatch), "\n",
                   times.are_one() ? absl::StrCat("Visit: ", times.one())
                                   : absl::StrCat("Before: ", times.before, "\nNow: ", times.now),
                   "\nVisit ID: ", mismatch.visit_id(), "\nAgency: ", agency, "\n");
  return mail;
}

MailText MismatchesMail(const std::string& agency, const std::vector<Raised>& raised,
                        const std::vector<v1::Mismatch>& listed, absl::TimeZone zone) {
  const Summary summary = Sum(raised);
  MailText mail;
  mail.subject = absl::StrCat(raised.size(), " changes of the rota have not reached carers' phones");
  mail.text = absl::StrCat(raised.size(), " changes of the rota have not reached the phones of ", summary.carers,
                           summary.carers == 1 ? " carer" : " carers", ". The first of their visits starts on ",
                           PeopleTime(summary.first_start, zone), ".\n\n");
  for (const v1::Mismatch& one : listed) absl::StrAppend(&mail.text, LineOf(one, zone));
  if (listed.size() < raised.size()) absl::StrAppend(&mail.text, "and ", raised.size() - listed.size(), " more\n");
  absl::StrAppend(&mail.text,
                  "\nThe list of mismatches says what to do about each, the most urgent first.\n\nAgency: ", agency,
                  "\n");
  return mail;
}

std::string OverdueBody(const base::TenantId& tenant, const OverdueMessage& message) {
  const ordered_json json = {{"what", "overdue"},         {"tenant_id", tenant.text()}, {"branch_id", message.branch},
                             {"over", message.is_over},   {"devices", message.devices}, {"overdue", message.overdue},
                             {"percent", message.percent}};
  return Text(json);
}

MailText OverdueMail(const std::string& agency, const OverdueMessage& message) {
  MailText mail;
  mail.subject = message.is_over
                     ? absl::StrCat("More than ", message.percent, " % of a branch's phones are overdue")
                     : absl::StrCat("No more than ", message.percent, " % of a branch's phones are overdue any more");
  mail.text = absl::StrCat(
      message.overdue, " of the branch's ", message.devices, " phones have not synced for longer than they should.\n",
      message.is_over ? "The report of devices says which. Where they are so many at once, look at "
                        "the network and at the app before you ask each carer.\n"
                      : "",
      "\nBranch ID: ", message.branch.empty() ? "none" : message.branch, "\nAgency: ", agency, "\n");
  return mail;
}

}  // namespace caresync::notifications
