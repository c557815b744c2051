// What the oracle says of the proof of delivery: that each move of a visit in a carer's feed has its entry, and what
// devices held when they said so. What the server makes of both is compared in world_deliveries.cc.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "caresync/store/delivery.pb.h"
#include "server/base/keys.h"
#include "tests/simulation/oracle.h"
#include "tests/simulation/written_rows.h"

namespace caresync::simulation {
namespace {

namespace keys = base::keys;

bool IsOngoing(v1::SyncOutcome outcome) {
  return outcome == v1::SYNC_OUTCOME_UNDER_WAY || outcome == v1::SYNC_OUTCOME_SUCCEEDED;
}

bool StandsAt(const HeardCopy& heard, const sync::ResumeToken& token) {
  return token.cursor == heard.cursor && token.position == heard.position;
}

const store::DeviceCopy* FindCopy(const store::DeviceReport& report, const std::string& carer) {
  const auto copy = std::find_if(report.copies().begin(), report.copies().end(),
                                 [&carer](const store::DeviceCopy& one) { return one.carer_id() == carer; });
  return copy == report.copies().end() ? nullptr : &*copy;
}

}  // namespace

// ---- Entries

// Of the carers whose feeds are known: those with a device.
void Oracle::CheckEntries(const base::TenantId& tenant, const State& state, const Rows& rows) {
  std::set<std::string> due;
  for (const auto& [carer, feed] : state.feeds) {
    for (const auto& [name, item] : *feed) {
      if (name.first != v1::RECORD_KIND_VISIT || item.moved != state.revision) continue;
      const std::string key = keys::VisitEntry(tenant, *base::Uuid::Parse(carer), state.revision, KeyOf(name));
      due.insert(key);
      const auto row = rows.find(key);
      CheckEntry(state, name, item, row == rows.end() ? std::nullopt : row->second);
    }
  }
  for (const auto& [key, row] : rows) {
    base::Uuid carer;
    base::Revision revision = 0;
    base::RecordKey visit;
    if (!row.has_value() || !keys::ParseVisitEntry(key, &carer, &revision, &visit)) continue;
    const bool is_known = state.feeds.contains(carer.ToString());
    Expect(!is_known || due.contains(key), "an entry is written of a visit that does not move in the carer's feed");
  }
}

void Oracle::CheckEntry(const State& state, const Name& visit, const FeedItem& item,
                        const std::optional<std::string>& row) {
  store::VisitEntry entry;
  const bool is_there = row.has_value() && entry.ParseFromString(*row);
  Expect(is_there, "a visit moves in a carer's feed, and no entry says so");
  if (!is_there) return;
  Expect(entry.has_payload() != item.removal, "an entry brings a visit that the feed takes away, or the reverse");
  // A large change has reached the feed and is an older version than the record's by now: the feed is not settled.
  const NaiveRecord& record = *state.records.at(visit);
  if (item.removal || record.version != item.version) return;
  Expect(entry.payload() == record.payload, "an entry has another payload than its visit");
  Expect(entry.version() == item.version, "an entry is of another version of the visit than the feed's");
}

// ---- What devices hold

void Oracle::TakeHeld(const StreamFacts& facts, const store::DeviceReport& report, bool begins,
                      const store::SyncRow& row, const Rows& rows) {
  TakeMarks(facts, rows);
  if (const store::DeviceCopy* copy = FindCopy(report, facts.carer); copy != nullptr) {
    truth_.held[CopyOf(facts)].Take(HeardOf(facts, *copy, begins, row), world_.now());
  }
  for (auto& [of, held] : truth_.held) {
    const auto& [tenant, device, carer] = of;
    const bool is_its = tenant == facts.identity.tenant && device == facts.identity.device;
    if (!is_its || FindCopy(report, carer) != nullptr) continue;
    HeardCopy heard;
    heard.what = HeardCopy::What::kNothing;
    held.Take(heard, world_.now());
  }
}

// Of a mark nothing is believed but its time, and that only after it was judged.
void Oracle::TakeMarks(const StreamFacts& facts, const Rows& rows) {
  const base::TenantId& tenant = facts.identity.tenant;
  for (const auto& [key, row] : rows) {
    base::Uuid device;
    base::Uuid carer;
    uint64_t number = 0;
    if (!keys::ParseCopyMark(key, &device, &carer, &number)) continue;
    if (key != keys::CopyMark(tenant, facts.identity.device, carer, number)) continue;
    store::CopyMark mark;
    const bool is_there = row.has_value() && mark.ParseFromString(*row);
    Expect(is_there, "a session's commit has a mark that cannot be read");
    const absl::Time time = absl::FromUnixMicros(mark.time_us());
    Expect(world_.may_have_shown(time, facts.at_start), "a mark is of no time since the device said start");
    Expect(mark.session_id() == facts.session_id, "a mark is of another sync than the one that writes it");
    HeldCopies& held = truth_.held[{tenant, device, carer.ToString()}];
    Expect(held.TakeMark(number, time), "a mark does not come behind those before it");
  }
}

HeardCopy Oracle::HeardOf(const StreamFacts& facts, const store::DeviceCopy& copy, bool begins,
                          const store::SyncRow& row) const {
  HeardCopy heard;
  heard.cursor = {copy.timeline(), copy.revision()};
  heard.position = {copy.position_revision(), {copy.position_record()}};
  heard.foreign = copy.diverged();
  // From there on its acks tell each step of its way.
  heard.put_back = begins && facts.put_back;
  heard.of_pair = facts.of_pair;
  heard.what = begins ? TakeStart(facts, row, heard) : TakeAck(facts, heard);
  return heard;
}

// What the device held when it said `start`, where the commit takes its word for it.
HeardCopy::What Oracle::TakeStart(const StreamFacts& facts, const store::SyncRow& row, HeardCopy& heard) const {
  const bool is_none = heard.cursor == base::CommitPoint{} && heard.position == feed::Position{};
  if (facts.start.resume_token().empty()) {
    return is_none ? HeardCopy::What::kNothing : HeardCopy::What::kNotJudged;
  }
  const std::optional<sync::ResumeToken>& token = facts.start_token;
  if (!token.has_value()) return HeardCopy::What::kNotJudged;
  const bool of_lost_state = !truth_.models.at(facts.identity.tenant).IsKnown(token->cursor);
  const bool is_building = token->rebuild_began.has_value();
  // One of a copy that is being made says nothing of the one in use.
  heard.foreign = heard.foreign || of_lost_state || (is_building && is_none);
  if (is_building) return HeardCopy::What::kNotJudged;
  // The start was the ack of all that the carer may see.
  const bool finished = row.outcome() == v1::SYNC_OUTCOME_SUCCEEDED;
  const bool is_lost = is_none && IsOngoing(row.outcome()) && of_lost_state;
  if (!finished && !is_lost && !StandsAt(heard, *token)) return HeardCopy::What::kNotJudged;
  // That a copy has diverged may be known of the other phone's.
  const bool is_known_wrong = heard.foreign && !facts.of_pair;
  if (facts.spoiled_at_start && !is_known_wrong) return HeardCopy::What::kNotJudged;
  heard.visits = std::make_shared<const HeldVisits>(VisitsOf(facts.held_at_start));
  return HeardCopy::What::kHolds;
}

// What it held with the last token that it acknowledged, where that is the one that the commit records.
HeardCopy::What Oracle::TakeAck(const StreamFacts& facts, HeardCopy& heard) {
  // A copy that diverges is told with the ack of all of it.
  const bool diverges = facts.diverged && heard.foreign;
  const auto acked = std::find_if(facts.acked.rbegin(), facts.acked.rend(),
                                  [&heard](const sync::ResumeToken& token) { return StandsAt(heard, token); });
  if (!diverges && acked == facts.acked.rend()) return HeardCopy::What::kNotJudged;
  const auto applied = diverges ? facts.applied.rbegin()
                                : std::find_if(facts.applied.rbegin(), facts.applied.rend(),
                                               [&acked](const AppliedCopy& one) { return one.token == *acked; });
  if (applied == facts.applied.rend()) return HeardCopy::What::kNotJudged;
  if (applied->spoiled && !heard.foreign) return HeardCopy::What::kNotJudged;
  heard.visits = applied->visits;
  return HeardCopy::What::kHolds;
}

}  // namespace caresync::simulation
