// What each carer may see, worked out anew from all records: slow, plain, and independent of grants and feeds.
#ifndef CARESYNC_TESTS_SIMULATION_NAIVE_MODEL_H_
#define CARESYNC_TESTS_SIMULATION_NAIVE_MODEL_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "caresync/v1/roster.pb.h"
#include "server/base/ids.h"
#include "server/feed/feed_entry.h"
#include "tests/fakes/test_device.h"

namespace caresync::simulation {

// Kind and ID.
using Name = fakes::HeldRecords::key_type;

base::RecordKey KeyOf(const Name& name);

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
  // Care events: what they hang on.
  Name parent;
  // The revision that made this payload.
  base::Revision version = 0;
};

// What one carer may see, and since which revision each record's entry has been where it is.
struct View {
  fakes::HeldRecords records;
  std::map<Name, base::Revision> moved;

  feed::Position PositionOf(const Name& name) const { return {moved.at(name), KeyOf(name)}; }
};

// A care event as it was sent; one ID may have been used for several.
struct SentEvent {
  std::string event_id;
  std::string bytes;
  std::string carer;
  Name parent;
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
  // Care events that took effect, by ID, and what is kept for review, by ID and bytes.
  std::set<std::string> accepted;
  std::set<std::pair<std::string, std::string>> for_review;
  // Carers and visits with an event for review: later ones wait behind it.
  std::set<std::pair<std::string, Name>> held_up;
  // By carer; the removals forgotten up to there.
  std::map<std::string, feed::Position> horizons;
  std::map<std::string, std::shared_ptr<const View>> views;

  const View& ViewOf(const std::string& carer) const { return *views.at(carer); }
};

// One tenant's states, one a revision. A value: a copy is what a backup holds. Used by one thread.
class NaiveModel {
 public:
  // `carers`: the record IDs of those whose views are kept.
  NaiveModel(base::TenantId tenant, const std::vector<std::string>& carers);

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
  // Whether the carer may record something on the visit or service user.
  static bool MayRecord(const State& state, const std::string& carer, const Name& parent);
  void Accept(State& state, const SentEvent& event) const;
  void Commit(State state, std::string timeline);

 private:
  std::string IdOf(const v1::RosterChange& change, v1::RecordKind kind, const std::string& external_id) const;
  bool HasAll(const State& state, const v1::RosterChange& change) const;
  NaiveRecord Build(const v1::RosterChange& change) const;
  void PutRecord(State& state, const Name& name, NaiveRecord record) const;

  base::TenantId tenant_;
  std::vector<std::shared_ptr<const State>> history_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_NAIVE_MODEL_H_
