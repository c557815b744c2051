#include "tools/caresync/device_report.h"

#include <unistd.h>

#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/caresync/device_sync.h"
#include "tools/caresync/error_output.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/json_form.h"

namespace caresync::cli {
namespace {

using Json = nlohmann::ordered_json;

// What a person is warned of before a clean sync: a few minutes on a bad mobile network.
constexpr uint64_t kLargeCleanSync = uint64_t{5} * 1024 * 1024;

Json RecordName(v1::RecordKind kind, const std::string& id) {
  return {{"kind", EnumText(v1::RecordKind_Name(kind), "RECORD_KIND_")}, {"record_id", id}};
}

std::string HeldText(const std::optional<DeviceView>& held) {
  if (!held) return "visits -  records -  revision -";
  return absl::StrFormat("visits %d  records %d  revision %d", held->visits.size(), held->records, held->revision);
}

// One of the three things that people can do about a failed sync.
void PrintAdvice(const std::string& mark, const std::string& text) {
  std::cerr << "  [" << mark << "] " << text << "\n";
}

// 'x': the evidence points at it; '?': it may be so; blank: nothing speaks for it. Only the network leaves evidence
// here: a command line is not left for another app, and needs no screen. Where the server or the device itself said
// what was wrong, it is none of the three.
void PrintThreeRows(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  const bool no_network = reason == "SERVER_UNREACHABLE";
  const bool too_slow = reason == "TIMED_OUT" || reason == "DEVICE_SILENT" || reason == "DEVICE_NOT_READING";
  std::cerr << "For the next sync:\n";
  PrintAdvice(no_network ? "x" : too_slow ? "?" : " ", "be on the internet, ideally on Wi-Fi");
  PrintAdvice(too_slow ? "?" : " ", "stay in the app until the sync has ended");
  PrintAdvice(too_slow ? "?" : " ", "keep the screen on");
}

}  // namespace

void DeviceReport::Tell(const v1::SyncResponse& response) {
  if (response.has_started()) TellStarted(response.started());
  if (response.has_upload_result()) TellUploadResult(response.upload_result());
  if (response.has_rebuild()) TellRebuild(response.rebuild());
  if (response.has_changes()) TellBatch(response.changes());
  if (response.has_caught_up() && json_) {
    PrintJson({{"event", "caught_up"},
               {"revision", response.caught_up().revision()},
               {"rebuild_number", response.caught_up().rebuild_number()},
               {"count", response.caught_up().holds().count()}});
  }
  if (response.has_sync_recorded() && json_) {
    PrintJson(
        {{"event", "sync_recorded"}, {"recorded_time", IsoTime(ToTime(response.sync_recorded().recorded_time()))}});
  }
  if (response.has_notice()) TellNotice(response.notice());
}

void DeviceReport::TellNotice(const v1::Notice& notice) {
  if (json_) return PrintJson({{"event", "notice"}, {"notice", ToJson(notice)}});
  bar_.Clear();
  if (notice.has_sync_now()) std::cout << "the office asks for a sync\n" << std::flush;
  if (notice.has_going_away()) std::cout << "the server goes away for a moment\n" << std::flush;
}

void DeviceReport::TellStarted(const v1::Started& started) {
  const bool first = session_id_.empty();
  session_id_ = started.session_id();
  estimated_records_ = started.estimated_records();
  if (json_) {
    PrintJson({{"event", "started"},
               {"session_id", session_id_},
               {"estimated_records", estimated_records_},
               {"estimated_bytes", started.estimated_bytes()},
               {"waiting", started.waiting()},
               {"resend_events", started.resend_events()}});
    return;
  }
  // A follower that starts again makes no further clean sync.
  if (first && type_ == v1::SYNC_TYPE_CLEAN) TellEstimate(started);
}

void DeviceReport::TellEstimate(const v1::Started& started) {
  bar_.Clear();
  std::cout << absl::StrFormat("about %d records are to come, %s\n", started.estimated_records(),
                               SizeText(started.estimated_bytes()))
            << std::flush;
  if (started.estimated_bytes() < kLargeCleanSync) return;
  std::cerr << "warning: that is much for mobile data. Ctrl-C stops it: what the device holds stays as it is, and the "
               "next sync goes on from there.\n";
}

void DeviceReport::TellUploadResult(const v1::UploadResult& result) {
  for (const v1::EventResult& event : result.results()) {
    const bool review = event.outcome() == v1::EVENT_OUTCOME_FOR_REVIEW;
    const std::string outcome = EnumText(v1::EventOutcome_Name(event.outcome()), "EVENT_OUTCOME_");
    const std::string reason = event.review_reason() == v1::REVIEW_REASON_UNSPECIFIED
                                   ? ""
                                   : EnumText(v1::ReviewReason_Name(event.review_reason()), "REVIEW_REASON_");
    ++(review ? for_review_ : accepted_);
    if (json_) {
      PrintJson({{"event", "result"}, {"event_id", event.event_id()}, {"outcome", outcome}, {"review_reason", reason}});
    } else if (review) {
      bar_.Clear();
      std::cout << "for review: event " << Printable(event.event_id()) << ": " << reason << "\n";
    }
  }
}

void DeviceReport::TellRebuild(const v1::Rebuild& rebuild) {
  const std::string reason = EnumText(v1::RebuildReason_Name(rebuild.reason()), "REBUILD_REASON_");
  if (json_) {
    PrintJson({{"event", "rebuild"}, {"reason", reason}, {"rebuild_number", rebuild.rebuild_number()}});
    return;
  }
  bar_.Clear();
  std::cout << "making a new copy beside the one in use (" << reason << ")\n";
}

void DeviceReport::TellBatch(const v1::Changes& changes) {
  ++batches_;
  Json upserts = Json::array();
  for (const v1::Upsert& upsert : changes.upserts()) {
    payload_bytes_ += upsert.payload().size();
    upserts.push_back(RecordName(upsert.kind(), upsert.record_id()));
  }
  Json removals = Json::array();
  for (const v1::Removal& removal : changes.removals()) {
    removals.push_back(RecordName(removal.kind(), removal.record_id()));
  }
  if (json_) {
    PrintJson({{"event", "batch"},
               {"number", batches_},
               {"rebuild_number", changes.rebuild_number()},
               {"next_visits", changes.next_visits()},
               {"upserts", upserts},
               {"removals", removals}});
  } else if (changes.next_visits()) {
    bar_.Clear();
    std::cout << "the next visits are here, the rest follows\n" << std::flush;
  }
  bar_.Show("syncing", changes.records_done(), std::max(changes.records_total(), estimated_records_));
}

void DeviceReport::TellVisit(const std::string& what, const DeviceView& view, const VisitView& visit,
                             absl::TimeZone zone) {
  if (json_) {
    PrintJson({{"event", absl::StrCat("visit_", what)}, {"visit", VisitJson(view, visit)}});
    return;
  }
  const Colour colour = what == "added" ? Colour::kGreen : what == "removed" ? Colour::kRed : Colour::kYellow;
  std::cout << absl::StrFormat("%s  %s-%s  %s\n",
                               Paint(absl::StrFormat("%-7s", what), colour, UsesColour(STDOUT_FILENO)),
                               absl::FormatTime("%Y-%m-%d %H:%M", visit.start, zone),
                               absl::FormatTime("%H:%M", visit.end, zone), Printable(visit.service_user.name()));
}

void DeviceReport::TellChanges(const DeviceView& before, const DeviceView& after, absl::TimeZone zone) {
  bar_.Clear();
  const ViewChanges changes = Compare(before, after);
  for (const VisitView& visit : changes.added) TellVisit("added", after, visit, zone);
  for (const VisitView& visit : changes.changed) TellVisit("changed", after, visit, zone);
  for (const VisitView& visit : changes.removed) TellVisit("removed", before, visit, zone);
  std::cout << std::flush;
}

void DeviceReport::TellFailure(const absl::Status& status) {
  std::cout << std::flush;
  PrintError(status);
  const std::string outcome = OutcomeText(status);
  if (outcome != "refused" && outcome != "waiting") PrintThreeRows(status);
}

void DeviceReport::TellEnd(const absl::Status& status, const std::optional<DeviceView>& held) {
  const std::string outcome = OutcomeText(status);
  if (!json_) {
    if (!status.ok()) TellFailure(status);
    std::cout << HeldText(held) << "  outcome " << outcome << "\n" << std::flush;
    return;
  }
  Json last = {{"visits", held ? Json(held->visits.size()) : Json()},
               {"records", held ? Json(held->records) : Json()},
               {"revision", held ? Json(held->revision) : Json()},
               {"outcome", outcome},
               {"sync_type", EnumText(v1::SyncType_Name(type_), "SYNC_TYPE_")},
               {"session_id", session_id_},
               {"batches", batches_},
               {"payload_bytes", payload_bytes_},
               {"events_accepted", accepted_},
               {"events_for_review", for_review_},
               {"unsent_events", held ? Json(held->unsent_events) : Json()}};
  if (!status.ok()) {
    last["reason"] = ErrorReason(status);
    last["message"] = std::string(status.message());
  }
  PrintJson(last);
}

}  // namespace caresync::cli
