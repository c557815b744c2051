#include "tests/mismatch/mismatch_bench.h"

#include <algorithm>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "caresync/v1/tenants.pb.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/commit/timeline.h"
#include "server/devices/device_in_use.h"
#include "server/devices/syncs_under_way.h"
#include "server/feed/feed_compaction.h"
#include "server/feed/feed_reader.h"
#include "server/feed/feed_writer.h"
#include "server/mismatch/look_again.h"
#include "server/mismatch/looks.h"
#include "server/mismatch/resolving.h"
#include "server/mismatch/visit_changes.h"
#include "server/records/closing_edge_allowance.h"
#include "server/records/fan_out.h"
#include "server/records/review_resolution.h"
#include "server/records/window.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/engine.h"
#include "tests/records/sample_records.h"

namespace caresync::mismatch {
namespace {

using base::keys::DevicePart;
using storage::Space;

constexpr size_t kAll = 1'000'000;

void Check(const absl::Status& status) { ABSL_RAW_CHECK(status.ok(), std::string(status.message()).c_str()); }

template <typename T>
T Must(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

size_t CountRows(const storage::Reader& reader, const storage::KeyRange& range) {
  return fakes::RowsOf(reader, Space::kRecords, range, kAll).size();
}

}  // namespace

absl::Time At(int hour, int minute) {
  return absl::FromCivil(absl::CivilMinute(2026, 3, 2, hour, minute), absl::UTCTimeZone());
}

store::Record VisitAt(int number, absl::Time start, const std::vector<int>& carers, const std::string& notes) {
  return Edited(records::VisitRecord(number, 1, carers, notes), [start](v1::Visit& visit) {
    for (v1::Assignment& part : *visit.mutable_assignments()) {
      *part.mutable_start_time() = base::ToTimestamp(start);
      *part.mutable_end_time() = base::ToTimestamp(start + absl::Hours(1));
    }
  });
}

store::Record Edited(store::Record visit, const std::function<void(v1::Visit&)>& edit) {
  v1::Visit payload;
  ABSL_RAW_CHECK(payload.ParseFromString(visit.payload()), "a test's visit cannot be read");
  edit(payload);
  visit.set_payload(payload.SerializeAsString());
  return visit;
}

store::Record Cancelled(store::Record visit) {
  visit.set_cancelled(true);
  return visit;
}

store::Record Unpublished(store::Record visit) {
  visit.set_published(false);
  return visit;
}

// One opening of the store. Its timers go with it.
struct MismatchBench::Server {
  explicit Server(MismatchBench& bench)
      : executor(bench.clock_),
        timeline(commit::NewTimeline(bench.random_)),
        opened(bench.clock_.Monotonic()),
        closing_edge(bench.clock_),
        sequencer(bench.store_, bench.clock_, bench.random_, executor, bench.subscriptions_, timeline, bench.room_),
        tasks(bench.store_, sequencer, bench.clock_, executor),
        syncs{.opening = timeline, .is_open = [&bench](const base::TenantId&, const base::Uuid& device) {
                return bench.open_sessions_.contains(device);
              }} {
    sequencer.SetRider(NotingVisitChanges(bench.lag_));
    tasks.Register(feed::kCompactionTask, feed::CompactionStep);
    tasks.Register(records::kWindowTask, records::WindowStep(closing_edge), commit::TaskWaiters::kSome);
    tasks.Register(records::kReviewTask, records::ReviewStep);
    records::RegisterFanOuts(tasks);
    const commit::TaskStep look = LookStep(bench.clock_, opened, syncs);
    tasks.Register(kLookTask, [&bench, look](commit::Transaction& transaction, const std::string& payload) {
      return bench.Look(look, transaction, payload);
    });
    tasks.Register(kLookAgainTask, LookAgainStep);
    Check(tasks.Start());
    executor.RunAll();
  }

  ~Server() {
    tasks.Stop();
    executor.RunAll();
  }

  fakes::ManualExecutor executor;
  const std::string timeline;
  const absl::Duration opened;
  records::ClosingEdgeAllowance closing_edge;
  commit::Sequencer sequencer;
  commit::TaskRunner tasks;
  const devices::SyncsUnderWay syncs;
};

MismatchBench::MismatchBench(const commit::CommitRoom& room)
    : tenant_(fakes::Tenant("acme")), room_(room), server_(std::make_unique<Server>(*this)) {
  Check(Run([this](commit::Transaction& transaction) {
          v1::Tenant request;
          request.set_tenant_id(tenant_.text());
          return tenants::CreateTenant(transaction, request).status();
        }).status());
  Put({records::CarerRecord(1, "Ann Smith"), records::CarerRecord(2, "Ben Jones"), records::CarerRecord(3, "Cy Brown"),
       records::ServiceUserRecord(1, "Mary White"), records::ServiceUserRecord(2, "John Green")});
}

MismatchBench::~MismatchBench() = default;

void MismatchBench::Stop() { server_.reset(); }

void MismatchBench::Start() {
  server_.reset();
  server_ = std::make_unique<Server>(*this);
}

void MismatchBench::SweepAtStart() {
  Check(mismatch::SweepAtStart(*Snapshot(), server_->sequencer));
  RunAll();
}

absl::StatusOr<commit::Committed> MismatchBench::Run(commit::Change change) {
  std::optional<absl::StatusOr<commit::Committed>> outcome;
  server_->sequencer.Submit(tenant_, std::move(change),
                            [&outcome](absl::StatusOr<commit::Committed> done) { outcome = std::move(done); });
  RunAll();
  ABSL_RAW_CHECK(outcome.has_value(), "a change has no end");
  return *std::move(outcome);
}

void MismatchBench::RunAlone(commit::Change change) {
  std::optional<absl::Status> outcome;
  server_->sequencer.Submit(tenant_, std::move(change), [&outcome](const absl::StatusOr<commit::Committed>& committed) {
    outcome = committed.status();
  });
  while (!outcome.has_value()) ABSL_RAW_CHECK(server_->executor.RunOne(), "a change has no end");
  Check(*outcome);
}

void MismatchBench::RunAll() { server_->executor.RunAll(); }

void MismatchBench::Advance(absl::Duration step) { server_->executor.Advance(step); }

absl::Status MismatchBench::Look(const commit::TaskStep& step, commit::Transaction& transaction,
                                 const std::string& payload) {
  ++looks_;
  const absl::Status status = step(transaction, payload);
  size_t changed = 0;
  transaction.VisitOwn(Space::kRecords, base::keys::AllOpenMismatches(tenant_, ""),
                       [&changed](std::string_view, const std::optional<std::string>&) { return ++changed > 0; });
  most_in_a_look_ = std::max(most_in_a_look_, changed);
  if (const auto meanwhile = std::exchange(meanwhile_, nullptr)) meanwhile();
  return status;
}

// ---- The rota

namespace {

commit::Change Putting(const std::vector<store::Record>& records) {
  return [records](commit::Transaction& transaction) -> absl::Status {
    records::RecordStore store(transaction);
    for (const store::Record& record : records) {
      RETURN_IF_ERROR(store.Put(record).status());
    }
    return absl::OkStatus();
  };
}

}  // namespace

void MismatchBench::Put(const std::vector<store::Record>& records) { Check(Run(Putting(records)).status()); }

void MismatchBench::PutAlone(const std::vector<store::Record>& records) { RunAlone(Putting(records)); }

void MismatchBench::PutMany(int count, absl::Time start) {
  std::vector<store::Record> visits;
  for (int i = 1; i <= count; ++i) {
    visits.push_back(VisitAt(i, start));
    if (visits.size() < base::limits::kRosterChanges && i < count) continue;
    Put(visits);
    visits.clear();
  }
}

void MismatchBench::SetWindow(absl::Duration download_window, absl::Duration retention) {
  Check(Run([=](commit::Transaction& transaction) {
          return records::SetWindow(transaction, {download_window, retention});
        }).status());
}

// ---- The devices

base::Uuid MismatchBench::DeviceUuid(int number) {
  return *base::Uuid::Parse(absl::StrFormat("dddddddd-0000-4000-8000-%012d", number));
}

void MismatchBench::SignIn(int carer, int device) {
  PutDevice(device, [&](store::Device& known) {
    known.set_enrolled_time_us(1);
    known.add_carer_ids(Carer(carer).ToString());
  });
  Write(devices::DeviceInUseRow(tenant_, Carer(carer), DeviceUuid(device), clock_.Now()));
}

void MismatchBench::Acknowledge(int carer, int device, const feed::Position& position) {
  const base::CommitPoint head = Must(commit::ReadHead(*Snapshot(), tenant_));
  PutCopy(carer, device, [&](store::DeviceCopy& copy) {
    copy.set_timeline(head.timeline);
    copy.set_revision(head.revision);
    copy.set_position_revision(position.revision);
    copy.set_position_record(position.record.bytes);
    if (copy.rebuild_number() == 0) copy.set_rebuild_number(1);
    copy.set_in_use_number(copy.rebuild_number());
  });
}

void MismatchBench::SignAllIn() {
  for (const int carer : {1, 2, 3}) {
    SignIn(carer, carer);
    AcknowledgeAll(carer, carer);
  }
}

void MismatchBench::TellOfAck(int carer) {
  Check(ResolveAfterAck(*Snapshot(), server_->sequencer, tenant_, Carer(carer)));
  RunAll();
}

void MismatchBench::Sync(int carer, int device) {
  AcknowledgeAll(carer, device);
  TellOfAck(carer);
}

void MismatchBench::PutSync(int carer, int device, uint64_t number, store::SyncRow sync) {
  if (sync.opening().empty()) sync.set_opening(timeline());
  Write({Space::kDevices,
         base::keys::SyncOfCarer(tenant_, Carer(carer), base::ToStoredTime(clock_.Now()), DeviceUuid(device), number),
         ""});
  Write({Space::kDevices, base::keys::Sync(tenant_, DeviceUuid(device), number), sync.SerializeAsString()});
}

void MismatchBench::PutCopy(int carer, int device, const std::function<void(store::DeviceCopy&)>& write) {
  PutReport(device, [&](store::DeviceReport& report) {
    const std::string id = Carer(carer).ToString();
    const auto copies = report.mutable_copies();
    const auto of_carer = std::find_if(copies->begin(), copies->end(),
                                       [&id](const store::DeviceCopy& copy) { return copy.carer_id() == id; });
    store::DeviceCopy& copy = of_carer != copies->end() ? *of_carer : *copies->Add();
    copy.set_carer_id(id);
    write(copy);
  });
}

void MismatchBench::PutReport(int device, const std::function<void(store::DeviceReport&)>& write) {
  store::DeviceReport report;
  const std::optional<std::string> stored =
      fakes::ValueOf(memory_, Space::kDevices, DeviceRow(device, DevicePart::kReport));
  ABSL_RAW_CHECK(!stored.has_value() || report.ParseFromString(*stored), "a report cannot be read");
  write(report);
  PutDeviceRow(device, DevicePart::kReport, report.SerializeAsString());
}

void MismatchBench::PutDevice(int device, const std::function<void(store::Device&)>& write) {
  store::Device known;
  const std::optional<std::string> stored =
      fakes::ValueOf(memory_, Space::kDevices, DeviceRow(device, DevicePart::kDevice));
  ABSL_RAW_CHECK(!stored.has_value() || known.ParseFromString(*stored), "a device cannot be read");
  write(known);
  PutDeviceRow(device, DevicePart::kDevice, known.SerializeAsString());
}

void MismatchBench::PutDeviceRow(int device, DevicePart part, const std::string& bytes) {
  Write({Space::kDevices, DeviceRow(device, part), bytes});
}

void MismatchBench::Write(storage::Write row) {
  const storage::CommitResult result = fakes::CommitAndWait(memory_, {.preconditions = {}, .writes = {std::move(row)}});
  ABSL_RAW_CHECK(result.outcome == storage::CommitOutcome::kCommitted, "a row cannot be written");
}

std::string MismatchBench::DeviceRow(int device, DevicePart part) const {
  return base::keys::DeviceRow(tenant_, DeviceUuid(device), part);
}

// ---- What there is

std::unique_ptr<storage::Snapshot> MismatchBench::Snapshot() const { return Must(memory_.NewSnapshot()); }

base::Revision MismatchBench::Head() const { return Must(commit::ReadHead(*Snapshot(), tenant_)).revision; }

base::Uuid MismatchBench::Carer(int number) { return records::CarerName(number).id; }

base::RecordKey MismatchBench::Visit(int number) { return records::KeyOf(records::VisitName(number)); }

std::optional<store::Mismatch> MismatchBench::Find(int carer, int visit) const {
  return Must(GetMismatch(*Snapshot(), tenant_, Of(carer, visit)));
}

store::Mismatch MismatchBench::Get(int carer, int visit) const {
  const std::optional<store::Mismatch> row = Find(carer, visit);
  ABSL_RAW_CHECK(row.has_value(), "nothing is noted of this carer and visit");
  return *row;
}

std::set<int> MismatchBench::OpenOf(int carer) const {
  std::set<int> visits;
  for (const auto& [key, value] :
       fakes::RowsOf(*Snapshot(), Space::kRecords, base::keys::OpenMismatchesOf(tenant_, Carer(carer)))) {
    base::Uuid of_carer;
    base::RecordKey visit;
    ABSL_RAW_CHECK(base::keys::ParseOpenMismatch(key, &of_carer, &visit), "an open one's key cannot be read");
    for (int number = 1; number < 100; ++number) {
      if (visit == Visit(number)) visits.insert(number);
    }
  }
  return visits;
}

size_t MismatchBench::CountOpen() const { return CountRows(*Snapshot(), base::keys::AllOpenMismatches(tenant_, "")); }

size_t MismatchBench::CountListed(bool resolved) const {
  return CountRows(*Snapshot(), base::keys::ListedMismatches(tenant_, resolved, ""));
}

size_t MismatchBench::CountLooks() const { return CountRows(*Snapshot(), base::keys::AllMismatchLooks(tenant_, "")); }

store::MismatchLooks MismatchBench::Looks() const { return Must(ReadLooks(*Snapshot(), tenant_)); }

store::Record MismatchBench::Stored(int visit) const {
  const std::optional<store::Record> record = Must(records::GetRecord(*Snapshot(), tenant_, Visit(visit)));
  ABSL_RAW_CHECK(record.has_value(), "there is no such visit");
  return *record;
}

feed::Entry MismatchBench::EntryOf(int carer, int visit) const {
  const std::optional<feed::Entry> entry =
      Must(feed::ReadEntry(*Snapshot(), tenant_, records::CarerFeed(carer), Visit(visit)));
  ABSL_RAW_CHECK(entry.has_value(), "the carer's feed knows nothing of the visit");
  return *entry;
}

commit::Sequencer& MismatchBench::sequencer() { return server_->sequencer; }

const std::string& MismatchBench::timeline() const { return server_->timeline; }

absl::Duration MismatchBench::opened() const { return server_->opened; }

}  // namespace caresync::mismatch
