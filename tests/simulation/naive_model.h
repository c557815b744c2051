// What each carer may see, worked out anew from all records: slow, plain, and independent of grants and feeds.
#ifndef CARESYNC_TESTS_SIMULATION_NAIVE_MODEL_H_
#define CARESYNC_TESTS_SIMULATION_NAIVE_MODEL_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/store/stored.pb.h"
#include "caresync/v1/care_events.pb.h"
#include "caresync/v1/records.pb.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/ids.h"
#include "server/base/limits.h"
#include "server/feed/feed_entry.h"
#include "tests/fakes/test_device.h"

namespace caresync::simulation {

// Kind and ID.
using Name = fakes::HeldRecords::key_type;

base::RecordKey KeyOf(const Name& name);

// The least data level of an app that can keep records of the kind, and the highest level there is.
uint32_t LeastLevel(v1::RecordKind kind);
inline constexpr uint32_t kHighestLevel = 2;

struct NaiveRecord {
  std::string payload;
  std::string source;
  bool published = false;
  bool cancelled = false;
  // Visits: whom they are assigned to, and whom they are for.
  std::set<std::string> carers;
  std::string service_user;
  // Visits: the earliest start and the latest end.
  int64_t start_us = 0;
  int64_t end_us = 0;
  // Care events and care plans: what they hang on.
  Name parent;
  // Care plans.
  bool deleted = false;
  // Carers.
  bool left = false;
  // Employee groups.
  std::set<std::string> members;
  bool dissolved = false;
  // Service users: whom people gave access.
  std::set<std::string> access_carers;
  std::set<std::string> access_groups;
  // The revision that made this payload.
  base::Revision version = 0;
};

// What one carer may see.
struct View {
  // With an app that can keep all of it, and with one of the first data level.
  fakes::HeldRecords records;
  fakes::HeldRecords first_level;
  std::map<Name, base::Revision> versions;

  const fakes::HeldRecords& Through(uint32_t level) const { return level == 1 ? first_level : records; }
};

// Where a carer's feed has a record, as the commits say: which revision moved it there, and what it stands for.
struct FeedItem {
  base::Revision moved = 0;
  bool removal = false;
  base::Revision version = 0;
};
using Feed = std::map<Name, FeedItem>;

// A care event as it was sent; one ID may have been used for several.
struct SentEvent {
  std::string event_id;
  std::string bytes;
  std::string carer;
  Name parent;
};

// An event by its ID and bytes.
using EventKey = std::pair<std::string, std::string>;

// One that waits for a person, or for what it names.
struct KeptEvent {
  std::string carer;
  Name parent;
  // It came under the ID of another.
  bool reused = false;
  // Their order: the revision that took it, and the device's running number.
  base::Revision revision = 0;
  uint64_t sequence = 0;
};

// One that waits no more.
struct SettledEvent {
  // UNSPECIFIED: it took effect as it came.
  v1::Resolution resolution = v1::RESOLUTION_UNSPECIFIED;
  std::string note;
  // What it hangs on; nullopt: it was discarded.
  std::optional<Name> stored_on;
  bool operator==(const SettledEvent&) const = default;
};

// What a person says of an event for review.
struct Ruling {
  EventKey event;
  v1::Resolution resolution = v1::RESOLUTION_UNSPECIFIED;
  // The visit or service user that the person names; nullopt: its own.
  std::optional<Name> target;
  std::string note;
};

// A tenant at one revision.
struct State {
  base::Revision revision = 0;
  std::string timeline;
  std::map<Name, std::shared_ptr<const NaiveRecord>> records;
  std::map<Name, v1::RosterChange> waiting;
  // Where the tenant's window edges stand, and the visits outside them.
  store::WindowEdges edges;
  std::set<Name> outside;
  // Care events that are for review, and those that are not any more, or never were.
  std::map<EventKey, KeptEvent> for_review;
  std::map<EventKey, SettledEvent> settled;
  // By carer; the removals forgotten up to there.
  std::map<std::string, feed::Position> horizons;
  std::map<std::string, std::shared_ptr<const View>> views;
  std::map<std::string, std::shared_ptr<const Feed>> feeds;
  // Carers whose feeds are not what the carers may see: a fan-out is under way.
  std::set<std::string> unsettled;
  // What this revision made visible or invisible to a carer, or changed for one, if only in between.
  std::set<std::pair<std::string, Name>> touched;
  // Older apps get nothing.
  std::string least_app_version;
  // How long devices wait after a restore.
  absl::Duration restore_wait = base::limits::kRestoreWaitDefault;
  // How often devices sync by themselves; 0: never.
  absl::Duration auto_sync_interval = base::limits::kAutoSyncIntervalDefault;
  // By whose clocks people live there.
  std::string time_zone;

  const View& ViewOf(const std::string& carer) const { return *views.at(carer); }
  bool HasLeft(const std::string& carer) const;
  // Whether the carer has come.
  bool Knows(const std::string& carer) const { return records.contains({v1::RECORD_KIND_CARER, carer}); }
  // Where the carer's feed has the record.
  feed::Position PositionOf(const std::string& carer, const Name& name) const;
  // What waits of the carer on the visit or service user, in its order.
  std::vector<EventKey> WaitingOf(const std::string& carer, const Name& parent) const;
};

// One tenant's states, one a revision. A value: a copy is what a backup holds. Used by one thread.
class NaiveModel {
 public:
  // `carers`: the record IDs of those whose views are kept.
  NaiveModel(base::TenantId tenant, const std::vector<std::string>& carers, const std::string& time_zone = "UTC");

  const base::TenantId& tenant() const { return tenant_; }
  const State& head() const { return *history_.back(); }
  // nullptr where no such revision is known.
  const State* At(base::Revision revision) const;
  // Whether the cursor is one of this model's past.
  bool IsKnown(const base::CommitPoint& cursor) const;

  // The record that an external ID means.
  Name NameOf(const v1::RosterChange& change) const;

  // The next state, to be changed by the following and committed.
  State NextState() const;
  v1::ChangeOutcome Apply(State& state, const v1::RosterChange& change) const;
  // Applies what waits to write `name`.
  void Release(State& state, const Name& name) const;
  // The edges stand there now. What they were moved back over stays as it was until it is worked out anew.
  void MoveEdges(State& state, const store::WindowEdges& edges) const;
  // What people do. The service user is there.
  void SetAccess(State& state, const std::string& service_user, const std::set<std::string>& carers,
                 const std::set<std::string>& groups) const;
  void PutCarePlan(State& state, const std::string& id, const v1::CarePlan& plan) const;
  void DeleteCarePlan(State& state, const std::string& id) const;
  // Whether the carer may record something on the visit or service user.
  static bool MayRecord(const State& state, const std::string& carer, const Name& parent);
  // An event takes effect as it came.
  void Accept(State& state, const SentEvent& event) const;
  // Why a person's word on an event is refused, as a reason of the errors; empty: it is not.
  static std::string WhyNot(const State& state, const Ruling& ruling);
  // A person's word on an event that waits, and what becomes of those behind it.
  void Rule(State& state, const Ruling& ruling) const;
  // What waits is taken in its order, as far as it can be taken where it belongs, else on `target`.
  void TakeWaiting(State& state, const std::string& carer, const Name& parent, const std::optional<Name>& target) const;
  // The record that an event for review becomes.
  Name RecordOf(const EventKey& event, bool reused) const;
  void Commit(State state, std::string timeline);

 private:
  std::string IdOf(const v1::RosterChange& change, v1::RecordKind kind, const std::string& external_id) const;
  bool HasAll(const State& state, const v1::RosterChange& change) const;
  std::vector<std::string> KnownMembers(const State& state, const v1::RosterChange& change) const;
  NaiveRecord Build(const v1::RosterChange& change) const;
  void PutRecord(State& state, const Name& name, NaiveRecord record) const;
  void StoreWaiting(State& state, const EventKey& event, const Name& on, SettledEvent settled) const;

  base::TenantId tenant_;
  std::vector<std::shared_ptr<const State>> history_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_NAIVE_MODEL_H_
