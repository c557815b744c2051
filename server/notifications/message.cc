#include "server/notifications/message.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "nlohmann/json.hpp"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/uuid.h"
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

MailText MismatchMail(const base::TenantId& tenant, const v1::Mismatch& mismatch, absl::Time start,
                      absl::TimeZone zone) {
  MailText mail;
  mail.subject =
      absl::StrCat("A change of the rota has not reached a carer's phone (visit of ", PeopleTime(start, zone), ")");
  mail.text = absl::StrCat(mismatch.headline(), "\n", mismatch.advice(), "\n\nVisit: ", PeopleTime(start, zone),
                           "\nVisit ID: ", mismatch.visit_id(), "\nAgency: ", tenant.text(), "\n");
  return mail;
}

MailText MismatchesMail(const base::TenantId& tenant, const std::vector<Raised>& raised, absl::TimeZone zone) {
  const Summary summary = Sum(raised);
  MailText mail;
  mail.subject = absl::StrCat(raised.size(), " changes of the rota have not reached carers' phones");
  mail.text =
      absl::StrCat(raised.size(), " changes of the rota have not reached the phones of ", summary.carers,
                   summary.carers == 1 ? " carer" : " carers", ". The first of their visits starts on ",
                   PeopleTime(summary.first_start, zone),
                   ".\nThe list of mismatches says which, the most urgent first.\n\nAgency: ", tenant.text(), "\n");
  return mail;
}

std::string OverdueBody(const base::TenantId& tenant, const OverdueMessage& message) {
  const ordered_json json = {{"what", "overdue"},         {"tenant_id", tenant.text()}, {"branch_id", message.branch},
                             {"over", message.is_over},   {"devices", message.devices}, {"overdue", message.overdue},
                             {"percent", message.percent}};
  return Text(json);
}

MailText OverdueMail(const base::TenantId& tenant, const OverdueMessage& message) {
  MailText mail;
  mail.subject = message.is_over
                     ? absl::StrCat("More than ", message.percent, " % of a branch's phones are overdue")
                     : absl::StrCat("No more than ", message.percent, " % of a branch's phones are overdue any more");
  mail.text = absl::StrCat(
      message.overdue, " of the branch's ", message.devices, " phones have not synced for longer than they should.\n",
      message.is_over ? "The report of devices says which. Where they are so many at once, look at "
                        "the network and at the app before you ask each carer.\n"
                      : "",
      "\nBranch ID: ", message.branch.empty() ? "none" : message.branch, "\nAgency: ", tenant.text(), "\n");
  return mail;
}

}  // namespace caresync::notifications
