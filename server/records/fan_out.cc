#include "server/records/fan_out.h"

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/planted_bug.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"
#include "server/records/fan_out_walk.h"
#include "server/records/groups.h"
#include "server/records/record_key.h"
#include "server/records/window.h"

namespace caresync::records {
namespace {

using base::ReceiverId;
using base::RecordKey;
using storage::Space;

// Scope rows that are read at once: as much as a few looks at single scopes.
constexpr size_t kScopeRowsRead = 32;

absl::StatusOr<bool> HasRows(const storage::Reader& reader, const storage::KeyRange& range) {
  bool found = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, range, 1, [&found](std::string_view, std::string_view) {
    found = true;
    return false;
  }));
  return found;
}

// The scopes of what is under way: mostly one or a few groups.
struct Scopes {
  std::set<std::string> some;
  // There are no others.
  bool all = false;
};

absl::StatusOr<Scopes> ReadScopes(const storage::Reader& reader, const base::TenantId& tenant) {
  Scopes scopes;
  size_t rows = 0;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, base::keys::AllFanOutScopes(tenant), kScopeRowsRead,
                              [&](std::string_view key, std::string_view) {
                                std::string scope;
                                damaged = !base::keys::ParseFanOutScope(key, &scope);
                                scopes.some.insert(std::move(scope));
                                ++rows;
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("a fan-out's scope");
  scopes.all = rows < kScopeRowsRead;
  return scopes;
}

absl::StatusOr<std::set<std::string>> ScopesOf(const commit::Transaction& transaction, const store::FanOut& fan_out) {
  std::set<std::string> scopes;
  switch (fan_out.target_case()) {
    case store::FanOut::kOfRecord:
    case store::FanOut::kOfChild: {
      const std::string& record = fan_out.has_of_child() ? fan_out.of_child().record() : fan_out.of_record().record();
      ASSIGN_OR_RETURN(const std::vector<ReceiverId> holders,
                       HoldersOf(transaction, transaction.tenant(), {record}, transaction.room().scopes + 1));
      for (const ReceiverId& holder : holders) scopes.insert(holder.bytes);
      break;
    }
    case store::FanOut::kOfMembers:
      for (const std::string& carer : fan_out.of_members().carers()) {
        const std::optional<RecordName> name = NameOf({carer});
        if (!name.has_value()) return base::errors::DamagedRow("a group's member that is no carer");
        scopes.insert(CarerReceiver(name->id).bytes);
      }
      break;
    case store::FanOut::kOfGroupRecord:
      scopes.insert(GroupHolder({fan_out.of_group_record().group()}).bytes);
      break;
    case store::FanOut::kOfPairs:
      for (const store::FanOut::Pair& pair : fan_out.of_pairs().pairs()) scopes.insert(pair.receiver());
      break;
    case store::FanOut::TARGET_NOT_SET:
      break;
  }
  if (scopes.size() <= transaction.room().scopes) return scopes;
  // All of them are in the group, or leaving it.
  if (fan_out.has_of_members()) return std::set<std::string>{GroupHolder({fan_out.of_members().group()}).bytes};
  return std::set<std::string>{kEverybody};
}

// A list of carers or pairs in parts for tasks of their own, in its order.
std::vector<store::FanOut> PartsOf(const store::FanOut& whole, int most) {
  std::vector<store::FanOut> parts;
  for (int i = 0; i < whole.of_members().carers_size(); ++i) {
    if (i % most == 0) parts.emplace_back().mutable_of_members()->set_group(whole.of_members().group());
    parts.back().mutable_of_members()->add_carers(whole.of_members().carers(i));
  }
  for (int i = 0; i < whole.of_pairs().pairs_size(); ++i) {
    if (i % most == 0) parts.emplace_back();
    *parts.back().mutable_of_pairs()->add_pairs() = whole.of_pairs().pairs(i);
  }
  if (parts.empty()) parts.push_back(whole);
  return parts;
}

void PutTask(commit::Transaction& transaction, const store::FanOut& fan_out) {
  // Due since ever: before whatever else is due.
  commit::ScheduleTask(transaction, base::FromStoredTime(0), fan_out.task_id(), kFanOutTask,
                       fan_out.SerializeAsString());
}

}  // namespace

absl::StatusOr<bool> MustWait(const storage::Reader& reader, const base::TenantId& tenant, const ReceiverId& carer,
                              absl::Time now) {
  ASSIGN_OR_RETURN(const bool concerned, IsConcerned(reader, tenant, carer));
  if (concerned && !base::HasPlantedBug(base::PlantedBug::kNoWaitForFanOuts)) return true;
  return WindowLags(reader, tenant, now);
}

namespace {

absl::Status SchedulePart(commit::Transaction& transaction, store::FanOut fan_out, bool ends) {
  ASSIGN_OR_RETURN(const std::set<std::string> scopes, ScopesOf(transaction, fan_out));
  fan_out.set_change_revision(transaction.revision());
  // Each task adds rows, so their number tells apart what one revision schedules.
  fan_out.set_task_id(
      absl::StrFormat("%s/%d/%016x/%08x", kFanOutTask, ends ? 0 : 1, transaction.revision(), transaction.rows()));
  for (const std::string& scope : scopes) {
    fan_out.add_scopes(scope);
    PutScope(transaction, scope, fan_out.task_id());
  }
  PutTask(transaction, fan_out);
  return absl::OkStatus();
}

}  // namespace

absl::Status ScheduleFanOut(commit::Transaction& transaction, const store::FanOut& fan_out, bool ends) {
  for (store::FanOut& part : PartsOf(fan_out, static_cast<int>(transaction.room().listed))) {
    RETURN_IF_ERROR(SchedulePart(transaction, std::move(part), ends));
  }
  return absl::OkStatus();
}

absl::Status FanOutStep(commit::Transaction& transaction, const std::string& payload) {
  ASSIGN_OR_RETURN(store::FanOut fan_out, base::ParseStored<store::FanOut>(payload));
  Settler settler(transaction);
  ASSIGN_OR_RETURN(const bool through, WalkFanOut(settler, Settler::Mode::kTask, fan_out));
  if (!through) {
    PutTask(transaction, fan_out);
    return absl::OkStatus();
  }
  for (const std::string& scope : fan_out.scopes()) DeleteScope(transaction, scope, fan_out.task_id());
  return absl::OkStatus();
}

void RegisterFanOuts(commit::TaskRunner& tasks) { tasks.Register(kFanOutTask, FanOutStep, commit::TaskWaiters::kSome); }

void PutScope(commit::Transaction& transaction, std::string_view scope, std::string_view task_id) {
  transaction.Put(Space::kRecords, base::keys::FanOutScope(transaction.tenant(), scope, task_id), std::string());
}

void DeleteScope(commit::Transaction& transaction, std::string_view scope, std::string_view task_id) {
  transaction.Delete(Space::kRecords, base::keys::FanOutScope(transaction.tenant(), scope, task_id));
  transaction.Announce(FanOutTopic());
}

absl::StatusOr<bool> HasScopes(const storage::Reader& reader, const base::TenantId& tenant) {
  return HasRows(reader, base::keys::AllFanOutScopes(tenant));
}

absl::StatusOr<bool> IsConcerned(const storage::Reader& reader, const base::TenantId& tenant, const ReceiverId& carer) {
  const std::optional<RecordKey> key = CarerOf(carer);
  if (!key.has_value()) return false;
  // Nearly always nothing is under way, and this says so by one look; else mostly a few groups wait.
  ASSIGN_OR_RETURN(const Scopes under_way, ReadScopes(reader, tenant));
  if (under_way.some.empty()) return false;
  std::vector<std::string> scopes = {kEverybody, carer.bytes};
  ASSIGN_OR_RETURN(const std::vector<GroupOfCarer> groups, GroupsOf(reader, tenant, *key));
  for (const GroupOfCarer& group : groups) scopes.push_back(GroupHolder(group.group).bytes);
  for (const std::string& scope : scopes) {
    if (under_way.some.contains(scope)) return true;
    if (under_way.all) continue;
    ASSIGN_OR_RETURN(const bool concerned, HasRows(reader, base::keys::FanOutScopes(tenant, scope)));
    if (concerned) return true;
  }
  return false;
}

}  // namespace caresync::records
