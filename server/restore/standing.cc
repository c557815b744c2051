#include "server/restore/standing.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "caresync/store/stored.pb.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::restore {
namespace {

namespace limits = base::limits;
using storage::Space;

absl::StatusOr<std::optional<store::SourceStanding>> GetSource(const storage::Reader& reader,
                                                               const base::TenantId& tenant,
                                                               const std::string& source) {
  return base::GetStored<store::SourceStanding>(reader, Space::kRecords, base::keys::SourceStanding(tenant, source));
}

void PutSource(commit::Transaction& transaction, const std::string& source, const store::SourceStanding& standing) {
  transaction.Put(Space::kRecords, base::keys::SourceStanding(transaction.tenant(), source),
                  standing.SerializeAsString());
}

absl::StatusOr<store::RebuildRelease> GetRelease(const storage::Reader& reader, const base::TenantId& tenant) {
  ASSIGN_OR_RETURN(std::optional<store::RebuildRelease> release,
                   base::GetStored<store::RebuildRelease>(reader, Space::kRecords, base::keys::RebuildRelease(tenant)));
  if (release.has_value() && !release->opening().empty() && release->time_us() == 0) {
    return base::errors::DamagedRow("a release of rebuilds that has no time");
  }
  return std::move(release).value_or(store::RebuildRelease());
}

void PutRelease(commit::Transaction& transaction, const store::RebuildRelease& release) {
  transaction.Put(Space::kRecords, base::keys::RebuildRelease(transaction.tenant()), release.SerializeAsString());
}

// When the last of the sources that are waited for confirmed; nullopt where one has not, or none is known.
absl::StatusOr<std::optional<absl::Time>> ConfirmedTime(const storage::Reader& reader, const base::TenantId& tenant,
                                                        const Opening& opening) {
  ASSIGN_OR_RETURN(const commit::PastCommit before, commit::HeadAtOpening(reader, tenant, opening.timeline));
  const absl::Time last = before.time == absl::InfinitePast() ? opening.time : before.time;
  const int64_t active_since_us = base::ToStoredTime(last - limits::kSourceActive);
  bool any = false;
  bool all_confirmed = true;
  absl::Time confirmed = opening.time;
  absl::Status parsed;
  const auto look = [&](std::string_view, std::string_view value) {
    const absl::StatusOr<store::SourceStanding> source = base::ParseStored<store::SourceStanding>(value);
    parsed = source.status();
    if (!parsed.ok()) return false;
    any = true;
    if (source->last_active_us() < active_since_us) return true;
    all_confirmed = source->confirmed_opening() == opening.timeline;
    if (all_confirmed) confirmed = std::max(confirmed, base::FromStoredTime(source->confirmed_time_us()));
    return all_confirmed;
  };
  RETURN_IF_ERROR(
      reader.Scan(Space::kRecords, base::keys::SourceStandings(tenant), std::numeric_limits<size_t>::max(), look));
  RETURN_IF_ERROR(parsed);
  if (!any || !all_confirmed) return std::optional<absl::Time>();
  return std::optional<absl::Time>(confirmed);
}

absl::Status Confirm(commit::Transaction& transaction, const std::string& source, const std::string& opening,
                     store::SourceStanding standing) {
  standing.set_owes_resend(false);
  standing.set_confirmed_opening(opening);
  standing.set_confirmed_time_us(base::ToStoredTime(transaction.now()));
  PutSource(transaction, source, standing);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Standing> StandingOf(const storage::Reader& reader, const base::TenantId& tenant, const Opening& opening,
                                    absl::Duration bound, absl::Time now) {
  const absl::Time at_bound = opening.time + bound;
  ASSIGN_OR_RETURN(std::optional<absl::Time> ended, ConfirmedTime(reader, tenant, opening));
  ASSIGN_OR_RETURN(const store::RebuildRelease release, GetRelease(reader, tenant));
  if (release.opening() == opening.timeline) {
    const absl::Time released = base::FromStoredTime(release.time_us());
    ended = std::min(ended.value_or(released), released);
  }
  if (ended.has_value()) return Standing{false, std::min(*ended, at_bound)};
  return Standing{now < at_bound, at_bound};
}

absl::Status NoteActivity(commit::Transaction& transaction, const std::string& source) {
  ASSIGN_OR_RETURN(const std::optional<store::SourceStanding> stored,
                   GetSource(transaction, transaction.tenant(), source));
  // Nothing was ever taken of it: there is nothing that it could have lost.
  if (!transaction.wrote() && !stored.has_value()) return absl::OkStatus();
  const absl::Duration every = transaction.wrote() ? limits::kSourceActivityEvery : kActivityAloneEvery;
  store::SourceStanding standing = stored.value_or(store::SourceStanding());
  const absl::Duration since = transaction.now() - base::FromStoredTime(standing.last_active_us());
  if (since >= absl::ZeroDuration() && since < every) return absl::OkStatus();
  standing.set_last_active_us(base::ToStoredTime(transaction.now()));
  PutSource(transaction, source, standing);
  return absl::OkStatus();
}

absl::Status ConfirmKnown(commit::Transaction& transaction, const std::string& source, const std::string& opening) {
  ASSIGN_OR_RETURN(const std::optional<store::SourceStanding> stored,
                   GetSource(transaction, transaction.tenant(), source));
  const store::SourceStanding standing = stored.value_or(store::SourceStanding());
  if (standing.owes_resend() || standing.confirmed_opening() == opening) return absl::OkStatus();
  return Confirm(transaction, source, opening, standing);
}

absl::Status ConfirmResent(commit::Transaction& transaction, const std::string& source, const std::string& opening) {
  ASSIGN_OR_RETURN(const std::optional<store::SourceStanding> stored,
                   GetSource(transaction, transaction.tenant(), source));
  const store::SourceStanding standing = stored.value_or(store::SourceStanding());
  if (!standing.owes_resend() && standing.confirmed_opening() == opening) return absl::OkStatus();
  return Confirm(transaction, source, opening, standing);
}

absl::StatusOr<commit::PastCommit> NoteForeign(commit::Transaction& transaction, const std::string& source,
                                               const std::string& opening, const base::CommitPoint& seen) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const std::optional<store::SourceStanding> stored, GetSource(transaction, tenant, source));
  store::SourceStanding standing = stored.value_or(store::SourceStanding());
  const bool confirmed = standing.confirmed_opening() == opening;
  if (!confirmed && !standing.owes_resend()) {
    standing.set_owes_resend(true);
    PutSource(transaction, source, standing);
  }
  // Its timeline may have gone on in the lost state, past what is stored of it.
  ASSIGN_OR_RETURN(std::optional<commit::PastCommit> common,
                   commit::LastOn(transaction, tenant, seen.timeline, seen.revision));
  if (common.has_value()) return *common;
  // Its timeline began in the lost state. The source knew the commits of the opening that it last confirmed.
  if (!confirmed) {
    ASSIGN_OR_RETURN(common, commit::LastOn(transaction, tenant, standing.confirmed_opening(),
                                            std::numeric_limits<base::Revision>::max()));
    if (common.has_value()) return *common;
  }
  return commit::HeadAtOpening(transaction, tenant, opening);
}

absl::StatusOr<absl::Time> Release(commit::Transaction& transaction, const std::string& opening) {
  ASSIGN_OR_RETURN(store::RebuildRelease release, GetRelease(transaction, transaction.tenant()));
  if (release.opening() == opening) return base::FromStoredTime(release.time_us());
  release.set_opening(opening);
  release.set_time_us(base::ToStoredTime(transaction.now()));
  PutRelease(transaction, release);
  return transaction.now();
}

absl::StatusOr<Losses> LossesOf(const storage::Reader& reader, const base::TenantId& tenant,
                                const std::string& timeline) {
  ASSIGN_OR_RETURN(const store::RebuildRelease release, GetRelease(reader, tenant));
  const auto& lost = release.lost_timelines();
  return Losses{release.noted_revision(), std::find(lost.begin(), lost.end(), timeline) != lost.end()};
}

absl::Status NoteLost(commit::Transaction& transaction, const std::string& opening, const std::string& timeline) {
  ASSIGN_OR_RETURN(store::RebuildRelease release, GetRelease(transaction, transaction.tenant()));
  auto& lost = *release.mutable_lost_timelines();
  if (std::find(lost.begin(), lost.end(), timeline) != lost.end()) return absl::OkStatus();
  if (lost.size() >= limits::kLostTimelines) lost.DeleteSubrange(0, 1);
  release.add_lost_timelines(timeline);
  if (release.noted_opening() != opening) {
    release.set_noted_opening(opening);
    release.set_noted_revision(transaction.revision());
  }
  PutRelease(transaction, release);
  return absl::OkStatus();
}

}  // namespace caresync::restore
