#include "tests/deliveries/delivery_bench.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/keys.h"
#include "server/base/status_macros.h"
#include "server/deliveries/delivery_rows.h"
#include "server/deliveries/marks.h"
#include "server/deliveries/outcome.h"
#include "server/records/record_key.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/rota.h"

namespace caresync::deliveries {
namespace {

namespace keys = base::keys;
using storage::Space;

constexpr char kSource[] = "rota";
constexpr char kTenant[] = "agency";

}  // namespace

DeliveryBench::DeliveryBench()
    : tenant_(fakes::Tenant(kTenant)),
      engine_(std::make_unique<fakes::Engine>(1, fakes::Mismatches::kNotedWithDeliveries)) {
  engine_->CreateTenant(tenant_);
  engine_->ApplyChanges(tenant_, kSource,
                        {fakes::CarerChange("c1"), fakes::CarerChange("c2"), fakes::ServiceUserChange("p1")});
}

DeliveryBench::DeliveryBench(std::unique_ptr<storage::MemoryStore> memory, uint64_t seed, const DeliveryBench& before)
    : tenant_(before.tenant_),
      engine_(std::make_unique<fakes::Engine>(std::move(memory), seed, before.Now(),
                                              fakes::Mismatches::kNotedWithDeliveries)),
      marks_(before.marks_) {}

base::Uuid DeliveryBench::Carer(const std::string& name) {
  return records::IntegratedId(fakes::Tenant(kTenant), kSource, v1::RECORD_KIND_CARER, name);
}

base::Uuid DeliveryBench::VisitId(const std::string& name) {
  return records::IntegratedId(fakes::Tenant(kTenant), kSource, v1::RECORD_KIND_VISIT, name);
}

base::RecordKey DeliveryBench::Visit(const std::string& name) {
  return records::KeyOf({v1::RECORD_KIND_VISIT, VisitId(name)});
}

base::Uuid DeliveryBench::Device(int number) {
  return *base::Uuid::Parse(absl::StrCat("dddddddd-0000-4000-8000-00000000000", number));
}

base::Revision DeliveryBench::LastOf(const std::string& visit, const std::string& carer) const {
  const auto revisions = ReadRevisions(*Snapshot(), tenant_, Carer(carer), Visit(visit));
  ABSL_RAW_CHECK(revisions.ok(), "no revisions");
  return revisions->empty() ? 0 : revisions->back();
}

base::Revision DeliveryBench::Put(const std::string& visit, const std::vector<std::string>& carers,
                                  const std::string& notes, const std::string& source) {
  engine_->clock().Advance(absl::Minutes(1));
  v1::RosterChange change = fakes::VisitChange(visit, "p1", carers);
  change.mutable_visit()->set_notes(notes);
  *change.mutable_changed_time() = fakes::AtHour(5);
  engine_->ApplyChanges(tenant_, source, {change});
  return source == kSource ? LastOf(visit, carers.front()) : Head();
}

base::Revision DeliveryBench::Cancel(const std::string& visit, const std::vector<std::string>& carers) {
  engine_->clock().Advance(absl::Minutes(1));
  v1::RosterChange change = fakes::VisitChange(visit, "p1", carers);
  change.mutable_visit()->set_cancelled(true);
  engine_->ApplyChanges(tenant_, kSource, {change});
  return LastOf(visit, carers.front());
}

base::Revision DeliveryBench::PutBoth(const std::string& one, const std::string& other, const std::string& notes) {
  engine_->clock().Advance(absl::Minutes(1));
  v1::RosterChange first = fakes::VisitChange(one, "p1", {"c1"});
  v1::RosterChange second = fakes::VisitChange(other, "p1", {"c1"});
  first.mutable_visit()->set_notes(notes);
  second.mutable_visit()->set_notes(notes);
  engine_->ApplyChanges(tenant_, kSource, {first, second});
  return LastOf(one, "c1");
}

base::Revision DeliveryBench::MoveByWindow(const std::string& visit, const std::string& carer) {
  engine_->clock().Advance(absl::Minutes(1));
  const base::Revision last = LastOf(visit, carer);
  const auto done = engine_->Run(tenant_, [&](commit::Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(const std::optional<Entry> entry,
                     GetEntry(transaction, tenant_, Carer(carer), last, Visit(visit)));
    store::VisitEntry row = entry->row;
    row.set_rota_change(false);
    row.set_committed_us(base::ToStoredTime(transaction.now()));
    PutEntry(transaction, Carer(carer), Visit(visit), row);
    return absl::OkStatus();
  });
  ABSL_RAW_CHECK(done.ok(), "no commit");
  return LastOf(visit, carer);
}

absl::Time DeliveryBench::Mark(store::CopyMark::Kind kind, base::Revision revision, const feed::Position& position,
                               const std::string& carer, int device) {
  engine_->clock().Advance(absl::Minutes(1));
  deliveries::Mark mark;
  mark.number = ++marks_[device];
  mark.row.set_kind(kind);
  mark.row.set_time_us(base::ToStoredTime(Now()));
  mark.row.set_sync_number(mark.number);
  mark.row.set_session_id(absl::StrCat("session-", mark.number));
  if (revision != 0) {
    mark.row.set_timeline(engine_->opening().timeline);
    mark.row.set_revision(revision);
    mark.row.set_position_revision(position.revision);
    mark.row.set_position_record(position.record.bytes);
    mark.row.set_sent_us(base::ToStoredTime(Now() - absl::Seconds(5)));
  }
  storage::Commit commit;
  AddMark(commit, tenant_, Device(device), Carer(carer), mark);
  const storage::CommitResult done = fakes::CommitAndWait(engine_->memory(), std::move(commit));
  ABSL_RAW_CHECK(done.outcome == storage::CommitOutcome::kCommitted, "no commit");
  return Now();
}

absl::Time DeliveryBench::Nothing(store::CopyMark::Kind kind, const std::string& carer, int device) {
  return Mark(kind, 0, feed::Position(), carer, device);
}

void DeliveryBench::Write(Space space, const std::string& key, const std::string& value) {
  const storage::CommitResult done = fakes::CommitAndWait(engine_->memory(), fakes::PutOf(space, key, value));
  ABSL_RAW_CHECK(done.outcome == storage::CommitOutcome::kCommitted, "no commit");
}

void DeliveryBench::Assign(int device, const std::vector<std::string>& carers, bool cloned) {
  store::Device row;
  row.set_cloned(cloned);
  for (const std::string& carer : carers) row.add_carer_ids(Carer(carer).ToString());
  Write(Space::kDevices, keys::DeviceRow(tenant_, Device(device), keys::DevicePart::kDevice), row.SerializeAsString());
}

void DeliveryBench::PutReport(int device, const std::function<void(store::DeviceReport&)>& write) {
  store::DeviceReport report;
  write(report);
  Write(Space::kDevices, keys::DeviceRow(tenant_, Device(device), keys::DevicePart::kReport),
        report.SerializeAsString());
}

void DeliveryBench::DeleteMark(int device, const std::string& carer, uint64_t number) {
  const storage::CommitResult done = fakes::CommitAndWait(
      engine_->memory(),
      fakes::DeleteOf(Space::kDevices, keys::CopyMark(tenant_, Device(device), Carer(carer), number)));
  ABSL_RAW_CHECK(done.outcome == storage::CommitOutcome::kCommitted, "no commit");
}

void DeliveryBench::PutKeeping(const store::Keeping& keeping) {
  Write(Space::kRecords, keys::Keeping(tenant_), keeping.SerializeAsString());
}

void DeliveryBench::Tell() {
  bool more = true;
  while (more) {
    const auto done = engine_->Run(tenant_, [&](commit::Transaction& transaction) -> absl::Status {
      ASSIGN_OR_RETURN(more, TellMarks(transaction));
      return absl::OkStatus();
    });
    ABSL_RAW_CHECK(done.ok(), "no commit");
  }
}

}  // namespace caresync::deliveries
