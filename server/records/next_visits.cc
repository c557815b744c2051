#include "server/records/next_visits.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "caresync/store/stored.pb.h"
#include "caresync/v1/records.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/feed/feed_reader.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::records {
namespace {

using base::RecordKey;

namespace limits = base::limits;

// A visit of the carer that is found by the end of a part of it.
struct Ending {
  absl::Time end;
  RecordKey visit;
};

struct NextVisit {
  // Of the carer's own part that starts first.
  absl::Time start;
  RecordKey visit;
  RecordKey service_user;
  std::vector<RecordKey> carers;

  auto Order() const { return std::tie(start, visit); }
};

// Parts of the carer's that end after `since`, by their end.
absl::StatusOr<std::vector<Ending>> EndingAfter(const storage::Reader& reader, const base::TenantId& tenant,
                                                const base::Uuid& carer, absl::Time since) {
  std::vector<Ending> endings;
  bool damaged = false;
  const auto add = [&](std::string_view key, std::string_view) {
    base::Uuid of;
    int64_t end_us = 0;
    RecordKey visit;
    damaged = !base::keys::ParseVisitEnd(key, &of, &end_us, &visit);
    endings.push_back({base::FromStoredTime(end_us), std::move(visit)});
    return !damaged;
  };
  RETURN_IF_ERROR(reader.Scan(storage::Space::kRecords,
                              base::keys::VisitEndsAfter(tenant, carer, base::ToStoredTime(since)),
                              limits::kNextVisitsLookedAt, add));
  if (damaged) return base::errors::DamagedRow("the end of a carer's visit");
  return endings;
}

// Those of which the carer's feed holds the visit.
absl::StatusOr<std::vector<Ending>> Held(const storage::Reader& reader, const base::TenantId& tenant,
                                         const base::ReceiverId& receiver, std::vector<Ending> endings) {
  std::vector<RecordKey> visits;
  visits.reserve(endings.size());
  for (const Ending& ending : endings) visits.push_back(ending.visit);
  ASSIGN_OR_RETURN(const std::vector<feed::Entry> entries,
                   feed::ReadHeld(reader, tenant, receiver, visits, feed::kFirstLevel));
  std::set<RecordKey> held;
  for (const feed::Entry& entry : entries) held.insert(entry.position.record);
  std::erase_if(endings, [&held](const Ending& ending) { return !held.contains(ending.visit); });
  return endings;
}

absl::StatusOr<RecordKey> KeyOfStored(v1::RecordKind kind, std::string_view id) {
  const std::optional<base::Uuid> uuid = base::Uuid::Parse(id);
  if (!uuid.has_value()) return base::errors::DamagedRow("a visit that holds an ID which is no UUID");
  return KeyOf({kind, *uuid});
}

// nullopt where no part of the carer's starts from `since` on.
absl::StatusOr<std::optional<NextVisit>> ReadVisit(const storage::Reader& reader, const base::TenantId& tenant,
                                                   const base::Uuid& carer, const RecordKey& key, absl::Time since) {
  ASSIGN_OR_RETURN(const std::optional<store::Record> record, GetRecord(reader, tenant, key));
  if (!record.has_value()) return base::errors::DamagedRow("a feed entry without its record");
  ASSIGN_OR_RETURN(const v1::Visit visit, base::ParseStored<v1::Visit>(record->payload()));
  NextVisit next{.start = absl::InfiniteFuture(), .visit = key, .service_user = {}, .carers = {}};
  ASSIGN_OR_RETURN(next.service_user, KeyOfStored(v1::RECORD_KIND_SERVICE_USER, visit.service_user_id()));
  const std::string own = carer.ToString();
  for (const v1::Assignment& part : visit.assignments()) {
    ASSIGN_OR_RETURN(RecordKey of, KeyOfStored(v1::RECORD_KIND_CARER, part.carer_id()));
    next.carers.push_back(std::move(of));
    const std::optional<absl::Time> start = base::FromTimestamp(part.start_time());
    if (!start.has_value()) return base::errors::DamagedRow("a visit's assignment");
    if (part.carer_id() == own && *start >= since) next.start = std::min(next.start, *start);
  }
  if (next.start == absl::InfiniteFuture()) return std::optional<NextVisit>();
  return std::optional<NextVisit>(std::move(next));
}

absl::StatusOr<std::vector<NextVisit>> FindVisits(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const base::Uuid& carer, absl::Time since) {
  ASSIGN_OR_RETURN(std::vector<Ending> endings, EndingAfter(reader, tenant, carer, since));
  ASSIGN_OR_RETURN(endings, Held(reader, tenant, CarerReceiver(carer), std::move(endings)));
  std::vector<NextVisit> visits;
  std::set<RecordKey> looked_at;
  for (const Ending& ending : endings) {
    // No visit is longer: from here on all start later than those that were found.
    const bool enough = visits.size() == limits::kNextVisits;
    if (enough && ending.end - limits::kVisitLength > visits.back().start) break;
    if (!looked_at.insert(ending.visit).second) continue;
    ASSIGN_OR_RETURN(std::optional<NextVisit> visit, ReadVisit(reader, tenant, carer, ending.visit, since));
    if (!visit.has_value()) continue;
    const auto after = [](const NextVisit& a, const NextVisit& b) { return a.Order() < b.Order(); };
    const auto place = std::upper_bound(visits.begin(), visits.end(), *visit, after);
    visits.insert(place, *std::move(visit));
    if (visits.size() > limits::kNextVisits) visits.pop_back();
  }
  return visits;
}

// Records in an order, each once, up to kBatchRecords.
class RecordList {
 public:
  void Add(const RecordKey& record) {
    if (!full() && known_.insert(record).second) records_.push_back(record);
  }
  bool full() const { return records_.size() == limits::kBatchRecords; }
  const std::vector<RecordKey>& records() const { return records_; }

 private:
  std::vector<RecordKey> records_;
  std::set<RecordKey> known_;
};

// What hangs on `parent`, of one kind.
absl::Status AddChildren(const storage::Reader& reader, const base::TenantId& tenant, const RecordKey& parent,
                         v1::RecordKind kind, RecordList& list) {
  bool damaged = false;
  const auto add = [&](std::string_view key, std::string_view) {
    RecordKey of;
    RecordKey child;
    damaged = !base::keys::ParseChild(key, &of, &child);
    if (damaged) return false;
    list.Add(child);
    return !list.full();
  };
  RETURN_IF_ERROR(
      reader.Scan(storage::Space::kRecords, ChildrenOfKind(tenant, parent, kind), limits::kBatchRecords, add));
  return damaged ? base::errors::DamagedRow("a record's child") : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<feed::Entry>> NextVisits(const storage::Reader& reader, const base::TenantId& tenant,
                                                    const base::Uuid& carer, feed::Level level, absl::Time now) {
  ASSIGN_OR_RETURN(const std::vector<NextVisit> visits,
                   FindVisits(reader, tenant, carer, now - limits::kNextVisitsSince));
  RecordList list;
  for (const NextVisit& visit : visits) {
    list.Add(visit.service_user);
    for (const RecordKey& carer_of_visit : visit.carers) list.Add(carer_of_visit);
    list.Add(visit.visit);
  }
  // What the app cannot keep is to take no room from what it can.
  const bool with_plans = LevelOf(v1::RECORD_KIND_CARE_PLAN) <= level;
  for (const NextVisit& visit : visits) {
    if (with_plans) {
      RETURN_IF_ERROR(AddChildren(reader, tenant, visit.service_user, v1::RECORD_KIND_CARE_PLAN, list));
    }
    RETURN_IF_ERROR(AddChildren(reader, tenant, visit.visit, v1::RECORD_KIND_CARE_EVENT, list));
  }
  return feed::ReadHeld(reader, tenant, CarerReceiver(carer), list.records(), level);
}

}  // namespace caresync::records
