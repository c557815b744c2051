#include "server/deliveries/marks.h"

#include <string>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"

namespace caresync::deliveries {
namespace {

namespace keys = base::keys;
using storage::Space;

struct Untold {
  std::string key;
  base::Uuid device;
  base::Uuid carer;
  uint64_t number = 0;
};

// One more than are told at once: whether some are left.
absl::StatusOr<std::vector<Untold>> ReadUntold(const storage::Reader& reader, const base::TenantId& tenant) {
  std::vector<Untold> all;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kDevices, keys::AllUntoldMarks(tenant), base::limits::kMarksTold + 1,
                              [&](std::string_view key, std::string_view) {
                                Untold& untold = all.emplace_back();
                                untold.key = std::string(key);
                                damaged = !keys::ParseUntoldMark(key, &untold.device, &untold.carer, &untold.number);
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("the key of a mark that is to be told");
  return all;
}

}  // namespace

void AddMark(storage::Commit& commit, const base::TenantId& tenant, const base::Uuid& device, const base::Uuid& carer,
             const Mark& mark) {
  commit.writes.push_back(
      {Space::kDevices, keys::CopyMark(tenant, device, carer, mark.number), mark.row.SerializeAsString()});
  commit.writes.push_back({Space::kDevices, keys::UntoldMark(tenant, device, carer, mark.number), std::string()});
}

base::ReceiverId DeliveryTopic() { return {"deliveries"}; }

absl::StatusOr<bool> TellMarks(commit::Transaction& transaction) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(std::vector<Untold> untold, ReadUntold(transaction, tenant));
  if (untold.empty()) return false;
  const bool more = untold.size() > base::limits::kMarksTold;
  if (more) untold.pop_back();
  uint64_t told = 0;
  for (Untold& mark : untold) {
    store::ToldMark row;
    row.set_device_uuid(mark.device.ToString());
    row.set_carer_id(mark.carer.ToString());
    row.set_mark_number(mark.number);
    row.set_told_us(base::ToStoredTime(transaction.now()));
    transaction.Put(Space::kRecords, keys::ToldMark(tenant, transaction.revision(), ++told), row.SerializeAsString());
    transaction.Delete(Space::kDevices, std::move(mark.key));
  }
  transaction.Announce(DeliveryTopic());
  return more;
}

}  // namespace caresync::deliveries
