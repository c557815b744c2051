#include "server/deliveries/entries.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "caresync/store/delivery.pb.h"
#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/deliveries/delivery_rows.h"
#include "server/deliveries/keeping.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/visit_parts.h"
#include "server/records/record_key.h"
#include "server/records/record_store.h"

namespace caresync::deliveries {
namespace {

namespace keys = base::keys;
using mismatch::CarerVisit;
using storage::Space;

// A visit's entry that the transaction put into a carer's feed.
struct Moved {
  CarerVisit of;
  bool removal = false;
};

struct Moves {
  std::vector<Moved> moved;
  // Where entries lay that the transaction took away.
  std::map<CarerVisit, base::Revision> left;
};

bool IsVisit(const base::RecordKey& record) {
  return !record.bytes.empty() && record.bytes.front() == static_cast<char>(v1::RECORD_KIND_VISIT);
}

// Whose feed a key is of. They lie side by side: each carer is looked for once.
class CarerOfKey {
 public:
  // nullopt: no carer's.
  const std::optional<base::Uuid>& Of(const base::ReceiverId& receiver) {
    if (!receiver_.has_value() || *receiver_ != receiver) {
      receiver_ = receiver;
      const std::optional<base::RecordKey> record = records::CarerOf(receiver);
      const std::optional<records::RecordName> name = record.has_value() ? records::NameOf(*record) : std::nullopt;
      carer_ = name.has_value() ? std::optional<base::Uuid>(name->id) : std::nullopt;
    }
    return carer_;
  }

 private:
  std::optional<base::ReceiverId> receiver_;
  std::optional<base::Uuid> carer_;
};

absl::StatusOr<Moves> ReadMoves(const commit::Transaction& transaction) {
  Moves moves;
  CarerOfKey carers;
  base::ReceiverId receiver;
  base::Revision revision = 0;
  base::RecordKey record;
  absl::Status status;
  transaction.VisitOwn(Space::kFeeds, keys::AllFeedEntries(transaction.tenant()),
                       [&](std::string_view key, const std::optional<std::string>& value) {
                         if (!keys::ParseFeedEntry(key, &receiver, &revision, &record)) {
                           status = base::errors::DamagedRow("a feed entry's key");
                           return false;
                         }
                         if (!IsVisit(record)) return true;
                         const std::optional<base::Uuid>& carer = carers.Of(receiver);
                         if (!carer.has_value()) return true;
                         if (!value.has_value()) {
                           moves.left[{*carer, record}] = revision;
                           return true;
                         }
                         // An older removal that is put back where it was tells nothing new.
                         if (revision != transaction.revision()) return true;
                         const absl::StatusOr<store::FeedEntry> entry = base::ParseStored<store::FeedEntry>(*value);
                         status = entry.status();
                         if (entry.ok()) moves.moved.push_back({{*carer, record}, entry->removal()});
                         return status.ok();
                       });
  RETURN_IF_ERROR(status);
  return moves;
}

// Notes the moves of one commit; reads and parses each visit once.
class Notes {
 public:
  Notes(commit::Transaction& transaction, const Moves& moves) : transaction_(transaction), moves_(moves) {}

  absl::Status Run() {
    RETURN_IF_ERROR(ReadVisits());
    for (const Moved& moved : moves_.moved) RETURN_IF_ERROR(Note(moved));
    return KeepForAWhile(transaction_);
  }

 private:
  struct Visit {
    std::optional<store::Record> record;
    // The transaction wrote it.
    bool is_own = false;
    // Read where somebody loses it.
    std::optional<mismatch::VisitParts> parts;
    // What all entries of the visit say that tell of a change of the rota.
    std::optional<store::VisitEntry> change;
  };

  absl::Status ReadVisits() {
    for (const Moved& moved : moves_.moved) visits_.try_emplace(moved.of.visit);
    RETURN_IF_ERROR(TakeOwn());
    std::vector<base::RecordKey> others;
    for (const auto& [key, visit] : visits_) {
      if (!visit.is_own) others.push_back(key);
    }
    if (others.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(std::vector<std::optional<store::Record>> read,
                     records::GetRecords(transaction_.base(), transaction_.tenant(), others));
    for (size_t i = 0; i < others.size(); ++i) visits_[others[i]].record = std::move(read[i]);
    return absl::OkStatus();
  }

  absl::Status TakeOwn() {
    const storage::KeyRange all =
        keys::Records(transaction_.tenant(), records::KeyPrefix(v1::RECORD_KIND_VISIT), base::RecordKey());
    base::RecordKey record;
    absl::Status status;
    transaction_.VisitOwn(Space::kRecords, all, [&](std::string_view key, const std::optional<std::string>& value) {
      if (!keys::ParseRecord(key, &record)) {
        status = base::errors::DamagedRow("a visit's key");
        return false;
      }
      const auto found = visits_.find(record);
      if (found == visits_.end()) return true;
      found->second.is_own = true;
      if (!value.has_value()) return true;
      absl::StatusOr<store::Record> visit = base::ParseStored<store::Record>(*value);
      status = visit.status();
      if (visit.ok()) found->second.record = *std::move(visit);
      return status.ok();
    });
    return status;
  }

  absl::Status Note(const Moved& moved) {
    Visit& visit = visits_[moved.of.visit];
    if (!moved.removal && !visit.record.has_value()) {
      return base::errors::DamagedRow("a feed's entry of a visit that is not there");
    }
    store::VisitEntry entry;
    if (IsRotaChange(moved.of, visit)) {
      ASSIGN_OR_RETURN(entry, ChangeOf(moved.of.visit, visit));
    }
    entry.set_committed_us(base::ToStoredTime(transaction_.now()));
    if (visit.record.has_value()) entry.set_version(visit.record->version());
    if (moved.removal) {
      ASSIGN_OR_RETURN(const v1::VisitGone gone, WhyGone(moved.of.carer, visit));
      entry.set_gone(gone);
    } else {
      entry.set_payload(visit.record->payload());
    }
    PutEntry(transaction_, moved.of.carer, moved.of.visit, entry);
    return absl::OkStatus();
  }

  // The rota is another than what the carer's feed showed: by this commit, or by an earlier one, of which this is a
  // step of the fan-out, or which was made while the visit was too far ahead for the feed.
  bool IsRotaChange(const CarerVisit& of, const Visit& visit) const {
    if (!visit.record.has_value()) return false;
    const base::Revision changed = visit.record->changed_revision();
    if (changed == transaction_.revision()) return true;
    const auto left = moves_.left.find(of);
    return changed > (left == moves_.left.end() ? 0 : left->second);
  }

  absl::StatusOr<store::VisitEntry> ChangeOf(const base::RecordKey& key, Visit& visit) {
    if (visit.change.has_value()) return *visit.change;
    store::VisitEntry& change = visit.change.emplace();
    change.set_rota_change(true);
    const store::Origin& origin = visit.record->origin();
    change.set_source(origin.source());
    if (origin.source().empty()) return change;
    change.set_changed_us(origin.changed_time_us());
    ASSIGN_OR_RETURN(const int64_t received_us, ReceivedAt(key, origin));
    change.set_received_us(received_us);
    return change;
  }

  // What had waited for another record came before this commit. 0: not known, of a change that an earlier commit made.
  absl::StatusOr<int64_t> ReceivedAt(const base::RecordKey& key, const store::Origin& origin) {
    const std::string waiting = keys::Waiting(transaction_.tenant(), key);
    bool ends_waiting = false;
    transaction_.VisitOwn(Space::kRecords, {waiting, waiting + '\0'},
                          [&](std::string_view, const std::optional<std::string>& value) {
                            ends_waiting = !value.has_value();
                            return false;
                          });
    const bool is_new = visits_[key].record->changed_revision() == transaction_.revision();
    const int64_t now_us = is_new ? base::ToStoredTime(transaction_.now()) : 0;
    if (!ends_waiting) return now_us;
    ASSIGN_OR_RETURN(const std::optional<store::WaitingChange> change,
                     base::GetStored<store::WaitingChange>(transaction_.base(), Space::kRecords, waiting));
    if (!change.has_value()) return now_us;
    // A later change may have come in the place of the one that waited.
    const v1::RosterChange& waited = change->change();
    const std::optional<absl::Time> made =
        waited.has_changed_time() ? base::FromTimestamp(waited.changed_time()) : std::nullopt;
    const bool same = (made.has_value() ? base::ToStoredTime(*made) : 0) == origin.changed_time_us();
    return same ? change->since_us() : now_us;
  }

  absl::StatusOr<v1::VisitGone> WhyGone(const base::Uuid& carer, Visit& visit) const {
    if (!visit.parts.has_value()) {
      ASSIGN_OR_RETURN(visit.parts, mismatch::PartsOf(visit.record));
    }
    return visit.parts->WhyGone(carer);
  }

  commit::Transaction& transaction_;
  const Moves& moves_;
  std::map<base::RecordKey, Visit> visits_;
};

}  // namespace

absl::Status NoteVisitEntries(commit::Transaction& transaction) {
  ASSIGN_OR_RETURN(const Moves moves, ReadMoves(transaction));
  if (moves.moved.empty()) return absl::OkStatus();
  return Notes(transaction, moves).Run();
}

}  // namespace caresync::deliveries
