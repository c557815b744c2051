// What the oracle says of mismatches: which device is in use, that each opens and is resolved for a reason, and that
// none is missed. What is exact and what is not is told in naive_mismatches.h.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/written_rows.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;

using Of = NaiveMismatches::Of;

Of OfShown(const v1::Mismatch& shown) { return {shown.carer_id(), {v1::RECORD_KIND_VISIT, shown.visit_id()}}; }

std::string Say(const Of& of) { return absl::StrCat("of carer ", of.first, " on visit ", of.second.second); }

absl::Time TimeOf(const google::protobuf::Timestamp& stamp) { return *base::FromTimestamp(stamp); }

bool IsShownAs(const v1::VisitShown& shown, const NaivePart& part) {
  return TimeOf(shown.start_time()) == part.start && TimeOf(shown.end_time()) == part.end &&
         shown.service_user_id() == part.service_user;
}

// Of a visit that is gone, and that was not acknowledged, what was planned last stands there.
bool IsAcknowledged(const v1::Mismatch& shown, const NaiveMismatch& row, const std::optional<NaivePart>& part) {
  const std::optional<NaivePart> from = part.has_value() || shown.has_to() ? part : row.planned;
  return shown.has_from() == from.has_value() && (!from.has_value() || IsShownAs(shown.from(), *from));
}

// The start that counts, of one that shows all that it follows from; nullopt where that is not all shown, or is to the
// very moment that of the change.
std::optional<absl::Time> StartShown(const v1::Mismatch& shown) {
  if (!shown.has_to()) return std::nullopt;
  std::vector<absl::Time> starts = {TimeOf(shown.to().start_time())};
  if (shown.has_from()) starts.push_back(TimeOf(shown.from().start_time()));
  const absl::Time change = TimeOf(shown.last_change_time());
  if (std::find(starts.begin(), starts.end(), change) != starts.end()) return std::nullopt;
  std::vector<absl::Time> ahead = starts;
  std::erase_if(ahead, [change](absl::Time start) { return start < change; });
  const std::vector<absl::Time>& counting = ahead.empty() ? starts : ahead;
  return *std::min_element(counting.begin(), counting.end());
}

}  // namespace

// ---- The device in use

void Oracle::CheckSignIns(const Rows& rows) {
  for (const auto& [key, of] : in_use_keys_) {
    if (!rows.contains(key)) continue;
    const auto& [tenant, carer] = of;
    const auto row = WrittenIn<store::DeviceInUse>(rows, key);
    const std::optional<base::Uuid> device = row.has_value() ? base::Uuid::Parse(row->device_uuid()) : std::nullopt;
    const bool begins =
        device.has_value() && rows.contains(keys::DeviceRow(tenant, *device, keys::DevicePart::kSession));
    const bool records = device.has_value() && !begins && TakesEventOf(tenant, carer, rows);
    Expect(begins || records,
           "a carer's device in use is written, no sync of it begins, and nothing was recorded on it");
    if (!records) continue;
    on_count_("device in use by what was recorded");
    UseDevice(tenant, carer, *device);
  }
}

bool Oracle::TakesEventOf(const base::TenantId& tenant, const std::string& carer, const Rows& rows) const {
  return std::any_of(events_.begin(), events_.end(), [&](const auto& identity) {
    const auto& [key, known] = identity;
    return rows.contains(key) && std::any_of(known.begin(), known.end(), [&](const KnownEvent& event) {
             return event.tenant == tenant && event.event.carer == carer;
           });
  });
}

// What waits then is judged by the device that is in use now.
void Oracle::UseDevice(const base::TenantId& tenant, const std::string& carer, const base::Uuid& device) {
  const std::optional<base::Uuid> before = DeviceInUse(tenant, carer);
  truth_.in_use.insert_or_assign({tenant, carer}, device);
  if (before == device) return;
  if (before.has_value()) {
    on_count_("carer uses another device");
    left_use_[{tenant, carer, *before}] = applied_;
  }
  truth_.mismatches.at(tenant).LookAgain(model(tenant), carer, CopiesInUse(tenant));
}

// A standard or clean sync, or one of a phone that holds nothing, of somebody who may use the device: it is in use
// then, or was when the server looked. Of one that is refused at once the server may take the carer to be there or not;
// one who is not known, and whose device waits after a restore, uses none.
void Oracle::TakeSignIn(const StreamFacts& facts, const store::SyncRow& row, const Rows& rows) {
  const base::TenantId& tenant = facts.identity.tenant;
  const base::Uuid& device = facts.identity.device;
  const auto written = WrittenIn<store::DeviceInUse>(rows, keys::DeviceInUse(tenant, facts.identity.carer));
  const std::optional<base::Uuid> before = DeviceInUse(tenant, facts.carer);
  const bool signs_in = facts.start.sync_type() != v1::SYNC_TYPE_AUTO || facts.start.resume_token().empty();
  const std::string why_not = truth_.permissions.WhyNot(tenant, device, facts.carer);
  const bool goes_on = row.outcome() == v1::SYNC_OUTCOME_UNDER_WAY || row.outcome() == v1::SYNC_OUTCOME_SUCCEEDED;
  const auto left = left_use_.find({tenant, facts.carer, device});
  const bool was_in_use = before == device || (left != left_use_.end() && left->second >= facts.commits_at_start);
  const bool is_there = !HadLeft(facts) && !WasUnknown(facts);
  const bool must = signs_in && goes_on && why_not.empty() && is_there && !was_in_use;
  Expect(written.has_value() || !must, "a carer signs in on a device that is not taken to be in use");
  if (!written.has_value()) return;
  Expect(written->device_uuid() == device.ToString(), "a carer signs in, and another device is taken to be in use");
  Expect(signs_in, "an auto sync is taken for the carer's doing");
  Expect(why_not.empty() || why_not == "DEVICE_CLONED", "a carer signs in on a device that the carer may not use");
  UseDevice(tenant, facts.carer, device);
}

std::optional<base::Uuid> Oracle::DeviceInUse(const base::TenantId& tenant, const std::string& carer) const {
  const auto in_use = truth_.in_use.find({tenant, carer});
  if (in_use == truth_.in_use.end()) return std::nullopt;
  return in_use->second;
}

NaiveMismatches::CopyInUse Oracle::CopiesInUse(const base::TenantId& tenant) const {
  return [this, tenant](const std::string& carer) -> const NaiveCopy* {
    const std::optional<base::Uuid> device = DeviceInUse(tenant, carer);
    if (!device.has_value()) return nullptr;
    const NaiveDevice& known = truth_.devices.at({tenant, *device});
    const auto copy = known.copies.find(carer);
    return copy == known.copies.end() ? nullptr : &copy->second;
  };
}

NaiveMismatches::WasSent Oracle::SentInUse(const base::TenantId& tenant) const {
  return [this, tenant](const Of& of, base::Revision from, base::Revision until) {
    const std::optional<base::Uuid> device = DeviceInUse(tenant, of.first);
    if (!device.has_value()) return false;
    const auto copy = sent_.find({tenant, *device, of.first});
    if (copy == sent_.end()) return false;
    const auto visit = copy->second.find(of.second);
    if (visit == copy->second.end()) return false;
    const auto sent = visit->second.lower_bound(from);
    return sent != visit->second.end() && *sent < until;
  };
}

void Oracle::NoteSent(const StreamFacts& facts, const v1::Changes& changes, base::Revision head) {
  std::map<Name, std::set<base::Revision>>& sent = sent_[CopyOf(facts)];
  const auto note = [&sent, head](const auto& record) {
    if (record.kind() == v1::RECORD_KIND_VISIT) sent[Name(record.kind(), record.record_id())].insert(head);
  };
  for (const v1::Upsert& upsert : changes.upserts()) note(upsert);
  for (const v1::Removal& removal : changes.removals()) note(removal);
}

Known Oracle::HasSettled(const base::TenantId& tenant, const std::string& carer, const Name& visit) const {
  return IsSettled(truth_.models.at(tenant), carer, visit, CopiesInUse(tenant)(carer));
}

void Oracle::LookAtMismatches() {
  for (auto& [tenant, mismatches] : truth_.mismatches) {
    if (mismatches.rows().empty() || world_.now() == looked_at_) continue;
    mismatches.Look(model(tenant), world_.now(), false, CopiesInUse(tenant), SentInUse(tenant));
  }
  looked_at_ = world_.now();
}

void Oracle::LookAtMismatches(const Rows& rows, bool by_device) {
  std::set<base::TenantId> touched;
  for (const auto& [key, tenant] : head_keys_) {
    if (rows.contains(key)) touched.insert(tenant);
  }
  for (const auto& [key, of] : report_keys_) {
    if (rows.contains(key)) touched.insert(of.first);
  }
  for (const base::TenantId& tenant : touched) {
    truth_.mismatches.at(tenant).Look(model(tenant), looked_at_, by_device, CopiesInUse(tenant), SentInUse(tenant));
  }
}

// ---- The lists

void Oracle::OnMismatches(const base::TenantId& tenant, const ListedMismatches& listed) {
  NaiveMismatches& mismatches = truth_.mismatches.at(tenant);
  std::set<Of> open;
  for (const v1::Mismatch& shown : listed.open) {
    const Of of = OfShown(shown);
    const auto row = mismatches.rows().find(of);
    Expect(open.insert(of).second, absl::StrCat("two mismatches are open ", Say(of)));
    Expect(row != mismatches.rows().end(), absl::StrCat("a mismatch is open ", Say(of), ", which never changed"));
    if (row == mismatches.rows().end()) continue;
    if (!row->second.open) TakeOpened(tenant, of, shown, listed, row->second);
    CheckShown(tenant, shown, row->second, listed.now);
  }
  std::map<Of, const v1::Mismatch*> resolved;
  for (const v1::Mismatch& shown : listed.resolved) {
    const Of of = OfShown(shown);
    const bool is_resolved = shown.state() == v1::MISMATCH_STATE_RESOLVED && shown.has_end_time();
    Expect(resolved.emplace(of, &shown).second && !open.contains(of) && is_resolved,
           absl::StrCat("a mismatch is resolved twice, or is open as well: ", Say(of)));
  }
  for (auto& [of, row] : mismatches.rows()) {
    const auto ended = resolved.find(of);
    if (row.open && !open.contains(of)) {
      TakeResolved(tenant, ended == resolved.end() ? nullptr : ended->second, listed, row);
    }
    Expect(!row.open || !row.must_resolve,
           absl::StrCat("a change finds a mismatch settled, and it stays open: ", Say(of)));
    Expect(row.was_resolved || !resolved.contains(of),
           absl::StrCat("a mismatch is resolved that was not open: ", Say(of)));
  }
  CheckOrder(listed);
}

void Oracle::TakeOpened(const base::TenantId& tenant, const Of& of, const v1::Mismatch& shown,
                        const ListedMismatches& listed, NaiveMismatch& row) {
  const NaiveMismatches& mismatches = truth_.mismatches.at(tenant);
  const absl::Time opened = TimeOf(shown.open_time());
  Expect(listed.after_commit, absl::StrCat("a mismatch is open that no commit opened: ", Say(of)));
  Expect(opened == mismatches.last_commit(), "a mismatch is not opened when it was");
  // Where the clock was set back behind the change, it is waited for again by what the clock shows.
  const bool set_back = opened < row.last_change;
  Expect(row.waits != Known::kNo || set_back,
         absl::StrCat("a mismatch opens though nothing changed since it was resolved: ", Say(of)));
  Expect(opened >= row.due_from || set_back, absl::StrCat("a mismatch opens before it is due: ", Say(of), " at ",
                                                          absl::FormatTime(opened, absl::UTCTimeZone()), ", due at ",
                                                          absl::FormatTime(row.due_from, absl::UTCTimeZone())));
  Expect(listed.up >= limits::kMismatchesRest, "a mismatch opens right after the server's start");
  Expect(HasSettled(tenant, of.first, of.second) != Known::kYes,
         absl::StrCat("a mismatch opens though the device in use has acknowledged the change: ", Say(of)));
  on_count_(row.was_resolved ? "mismatch opened again" : "mismatch opened");
  if (!DeviceInUse(tenant, of.first).has_value()) on_count_("mismatch of a carer without a device");
  if (!row.held) on_count_("mismatch of a visit that is gone");
  const bool is_near = row.planned.start > opened && row.planned.start - row.last_change <= limits::kMismatchLatest;
  if (row.held && is_near && !set_back) on_count_("mismatch of a change minutes before its visit");
  row.open = true;
}

void Oracle::TakeResolved(const base::TenantId& tenant, const v1::Mismatch* resolved, const ListedMismatches& listed,
                          NaiveMismatch& row) {
  Expect(listed.after_commit, "a mismatch is open no more, and no commit did it");
  row.open = false;
  row.owed = false;
  row.must_resolve = false;
  // Whichever of its times count, the last of them is not before what is planned.
  if (resolved == nullptr) {
    row.may_be_gone = true;
    row.waits = std::min(row.waits, Known::kMaybe);
    return Expect(row.seen >= row.planned.end + limits::kMismatchKept, "a mismatch is lost");
  }
  // By a commit that came late it may be resolved when the device has fallen back again.
  const bool was_late = truth_.mismatches.at(tenant).last_was_late();
  const bool taken_back = resolved->resolution() == v1::MISMATCH_RESOLUTION_TAKEN_BACK;
  Expect(taken_back || row.settled_at_commit || was_late,
         "a mismatch is resolved though the device in use has not acknowledged the change");
  Expect(!taken_back || row.taken_back_at_commit || was_late || !row.is_exact,
         "a mismatch is resolved as it was taken back, and the device in use may show what was in between");
  row.was_resolved = true;
  const bool by_change = !taken_back && row.changed_at == model(tenant).head().revision;
  on_count_(taken_back  ? "mismatch resolved as it was taken back"
            : by_change ? "mismatch resolved as the rota changes again"
                        : "mismatch resolved");
  if (by_change) return;
  // One that the server is to look at once more may be found otherwise then.
  row.waits = row.looked_again ? Known::kMaybe : Known::kNo;
  NoteSettled(row);
}

// ---- What is shown of one

void Oracle::CheckShown(const base::TenantId& tenant, const v1::Mismatch& shown, const NaiveMismatch& row,
                        absl::Time now) {
  const std::string of = Say(OfShown(shown));
  on_count_(absl::StrCat("shown: ", v1::MismatchState_Name(shown.state())));
  const std::optional<base::Uuid> device = DeviceInUse(tenant, shown.carer_id());
  Expect(shown.has_device() == device.has_value() &&
             (!device.has_value() || shown.device().device_uuid() == device->ToString()),
         absl::StrCat("a mismatch names another device than that in use: ", of));
  const bool as_planned = shown.has_to() == row.held && (!row.held || IsShownAs(shown.to(), row.planned)) &&
                          TimeOf(shown.last_change_time()) == row.last_change;
  Expect(!row.is_exact || as_planned, absl::StrCat("a mismatch does not show what is planned now: ", of));
  Expect(std::any_of(row.acknowledged.begin(), row.acknowledged.end(),
                     [&](const auto& part) { return IsAcknowledged(shown, row, part); }),
         absl::StrCat("a mismatch shows what the device in use has not acknowledged last: ", of));
  Expect(shown.changes_size() > 0 && !shown.headline().empty() && !shown.advice().empty(),
         absl::StrCat("a mismatch does not say what it is about: ", of));
  CheckStage(shown, now);
}

void Oracle::CheckStage(const v1::Mismatch& shown, absl::Time now) {
  const auto expect = [&](v1::MismatchState state) {
    Expect(shown.state() == state,
           absl::StrCat("a mismatch is shown as ", v1::MismatchState_Name(shown.state()), " instead of ",
                        v1::MismatchState_Name(state), ": ", Say(OfShown(shown))));
  };
  if (!shown.has_to()) return expect(v1::MISMATCH_STATE_UNNEEDED_JOURNEY);
  const std::optional<absl::Time> start = StartShown(shown);
  // To the very moment it may be the one or the other.
  if (!start.has_value() || now == *start || now == *start - limits::kMismatchLead) return;
  if (now < *start - limits::kMismatchLead) return expect(v1::MISMATCH_STATE_CHANGED);
  if (now < *start) return expect(v1::MISMATCH_STATE_AT_RISK);
  const bool called = shown.device().has_last_api_call_time();
  if (called && TimeOf(shown.device().last_api_call_time()) == *start) return;
  const bool is_silent = !called || TimeOf(shown.device().last_api_call_time()) < *start;
  expect(shown.has_from() && is_silent ? v1::MISMATCH_STATE_UNKNOWN_DEVICE_SILENT
                                       : v1::MISMATCH_STATE_LIKELY_MISSED_VISIT);
}

// The most urgent first, and behind them those whose visits are over, the last first; of those that are resolved, the
// last. When which of them went behind the others the clock said, which may have been wrong then.
void Oracle::CheckOrder(const ListedMismatches& listed) {
  absl::Time last = absl::InfinitePast();
  bool is_over = false;
  for (const v1::Mismatch& shown : listed.open) {
    const std::optional<absl::Time> start = StartShown(shown);
    if (!start.has_value()) continue;
    is_over |= *start < last;
    Expect(is_over ? *start <= last : *start >= last, "mismatches are not listed by the starts of their visits");
    last = *start;
  }
  absl::Time before = absl::InfiniteFuture();
  for (const v1::Mismatch& shown : listed.resolved) {
    Expect(TimeOf(shown.end_time()) <= before, "resolved mismatches are not listed by when they were");
    before = TimeOf(shown.end_time());
  }
}

// ---- What must be

void Oracle::CheckNoneMissed(const base::TenantId& tenant, absl::Time now, absl::Duration slack) {
  for (const auto& [of, row] : truth_.mismatches.at(tenant).rows()) {
    const bool was_due = row.due_until + slack <= now && row.planned.end > now;
    if (!was_due || HasSettled(tenant, of.first, of.second) != Known::kNo) continue;
    if (row.open) on_count_("mismatch that must be open");
    const bool is_missed = !row.open && row.waits == Known::kYes;
    // What was in between may be sent after the server settled it: then that was a fault.
    const bool taken_back = is_missed && IsTakenBack(of, row, CopiesInUse(tenant)(of.first), SentInUse(tenant));
    if (taken_back) on_count_("mismatch not opened, as it was taken back");
    Expect(!is_missed || taken_back, absl::StrCat("no mismatch is open ", Say(of), ", due at ",
                                                  absl::FormatTime(row.due_until, absl::UTCTimeZone())));
  }
}

void Oracle::CheckNoneLeft(const base::TenantId& tenant, bool swept) {
  for (const auto& [of, row] : truth_.mismatches.at(tenant).rows()) {
    if (!row.open) continue;
    const bool is_settled = HasSettled(tenant, of.first, of.second) == Known::kYes;
    Expect(!is_settled || !(swept || row.owed),
           absl::StrCat("a mismatch stays open though the device in use has acknowledged the change: ", Say(of)));
  }
}

}  // namespace caresync::simulation
