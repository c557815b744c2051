#include "server/mismatch/mismatch_watch.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/commit/stream_token.h"
#include "server/commit/timeline.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/teller.h"

namespace caresync::mismatch {
namespace {

namespace keys = base::keys;
namespace limits = base::limits;
using storage::Space;

// All of a tenant's people are told the same.
constexpr commit::StreamReader kReader = {.stream = "mismatches", .name = ""};

// A place in the order in which people are told, and of what.
struct Told {
  std::string key;
  base::Revision revision = 0;
  CarerVisit of;
};

absl::StatusOr<std::vector<Told>> ReadTold(const storage::Reader& reader, const base::TenantId& tenant,
                                           const std::string& after) {
  std::vector<Told> told;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::ToldMismatches(tenant, after), limits::kWatchedMismatches,
                              [&](std::string_view key, std::string_view) {
                                Told& next = told.emplace_back();
                                next.key = std::string(key);
                                damaged = !keys::ParseToldMismatch(key, &next.revision, &next.of.carer, &next.of.visit);
                                return !damaged;
                              }));
  if (damaged) return base::errors::DamagedRow("the key of a mismatch that was told");
  return told;
}

// nullopt where there is nothing to tell: the row cannot be read, or this is the place of one that could not and was
// replaced since; or it had ended when the reader began, `began`.
absl::StatusOr<std::optional<v1::Mismatch>> Tell(const storage::Reader& reader, const base::TenantId& tenant,
                                                 const Told& told, base::Revision began, Teller& teller) {
  ASSIGN_OR_RETURN(const std::optional<store::Mismatch> row, GetUndamaged(reader, tenant, told.of));
  if (!row.has_value() || row->told_revision() != told.revision) return std::optional<v1::Mismatch>();
  if (!IsLive(*row) && told.revision <= began) return std::optional<v1::Mismatch>();
  absl::StatusOr<v1::Mismatch> mismatch = teller.Tell(told.of, *row);
  if (absl::IsDataLoss(mismatch.status())) {
    LogDamage("mismatch_not_told", tenant, told.of.carer, mismatch.status());
    return std::optional<v1::Mismatch>();
  }
  RETURN_IF_ERROR(mismatch.status());
  return std::optional<v1::Mismatch>(*std::move(mismatch));
}

}  // namespace

absl::StatusOr<v1::WatchMismatchesResponse> WatchMismatches(const storage::Reader& reader, const base::TenantId& tenant,
                                                            std::string_view resume_token,
                                                            const base::TokenSealer& sealer,
                                                            const devices::AsOf& as_of) {
  ASSIGN_OR_RETURN(const base::CommitPoint head, commit::ReadHead(reader, tenant));
  ASSIGN_OR_RETURN(commit::StreamPlace place,
                   commit::OpenStreamToken(reader, tenant, head, kReader, resume_token, sealer));
  ASSIGN_OR_RETURN(const std::vector<Told> all, ReadTold(reader, tenant, place.record));
  Teller teller(reader, tenant, as_of);
  v1::WatchMismatchesResponse response;
  bool nothing_left = all.size() < limits::kWatchedMismatches;
  size_t bytes = 0;
  for (const Told& told : all) {
    if (bytes >= limits::kBatchBytes) {
      nothing_left = false;
      break;
    }
    place.record = told.key;
    ASSIGN_OR_RETURN(std::optional<v1::Mismatch> mismatch, Tell(reader, tenant, told, place.began, teller));
    if (!mismatch.has_value()) continue;
    bytes += mismatch->ByteSizeLong();
    *response.add_mismatches() = *std::move(mismatch);
  }
  response.set_resume_token(commit::SealStreamToken(tenant, head, kReader, place, sealer));
  response.set_caught_up(nothing_left);
  response.set_restarted(place.restarted);
  return response;
}

}  // namespace caresync::mismatch
