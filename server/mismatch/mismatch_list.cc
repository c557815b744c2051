#include "server/mismatch/mismatch_list.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/uuid.h"
#include "server/devices/names.h"
#include "server/mismatch/carer_devices.h"
#include "server/mismatch/cause.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/stage.h"
#include "server/mismatch/visit_parts.h"
#include "server/mismatch/wording.h"
#include "server/records/record_key.h"
#include "server/tenants/tenants.h"

namespace caresync::mismatch {
namespace {

namespace errors = base::errors;
namespace keys = base::keys;
using storage::Space;

// Which of them are wanted.
struct Filter {
  std::optional<base::Uuid> carer;
  // Empty: of all.
  std::string branch_id;
};

absl::StatusOr<Filter> FilterIn(const v1::ListMismatchesRequest& request) {
  Filter filter;
  if (!request.carer_id().empty()) {
    filter.carer = base::Uuid::Parse(request.carer_id());
    if (!filter.carer.has_value()) return errors::InvalidArgument("carer_id", "is no UUID");
  }
  if (!request.branch_id().empty()) {
    const std::optional<base::Uuid> branch = base::Uuid::Parse(request.branch_id());
    if (!branch.has_value()) return errors::InvalidArgument("branch_id", "is no UUID");
    filter.branch_id = branch->ToString();
  }
  return filter;
}

// The place of a mismatch in the list.
struct Listed {
  std::string key;
  CarerVisit of;
};

absl::StatusOr<std::vector<Listed>> ReadListed(const storage::Reader& reader, const base::TenantId& tenant, bool ended,
                                               const std::string& after) {
  std::vector<Listed> listed;
  bool damaged = false;
  RETURN_IF_ERROR(reader.Scan(Space::kRecords, keys::ListedMismatches(tenant, ended, after),
                              base::limits::kSearchedRows, [&](std::string_view key, std::string_view) {
                                Listed& next = listed.emplace_back();
                                next.key = std::string(key);
                                damaged = !keys::ParseListedMismatch(key, &next.of.carer, &next.of.visit);
                                return !damaged;
                              }));
  if (damaged) return errors::DamagedRow("a listed mismatch's key");
  return listed;
}

// What a person made of one.
v1::MismatchState ToProto(store::Mismatch::State state) {
  if (state == store::Mismatch::SNOOZED) return v1::MISMATCH_STATE_SNOOZED;
  return state == store::Mismatch::CLOSED ? v1::MISMATCH_STATE_CLOSED : v1::MISMATCH_STATE_UNSPECIFIED;
}

// Tells of mismatches what people are to know. For one request.
class Teller {
 public:
  Teller(const storage::Reader& reader, const base::TenantId& tenant, const devices::AsOf& as_of)
      : reader_(reader),
        tenant_(tenant),
        now_(as_of.now),
        names_(reader, tenant),
        devices_(reader, tenant, as_of.syncs) {}

  absl::StatusOr<v1::Mismatch> Tell(const CarerVisit& of, const store::Mismatch& row) {
    v1::Mismatch mismatch;
    mismatch.set_carer_id(of.carer.ToString());
    ASSIGN_OR_RETURN(*mismatch.mutable_carer_name(), names_.Carer(mismatch.carer_id()));
    const std::optional<records::RecordName> visit = records::NameOf(of.visit);
    if (!visit.has_value()) return errors::DamagedRow("a mismatch of no visit");
    mismatch.set_visit_id(visit->id.ToString());
    mismatch.set_branch_id(row.branch_id());
    for (const v1::VisitChangeKind kind : Difference(row)) mismatch.add_changes(kind);
    if (row.has_acknowledged() || row.has_withdrawn()) {
      RETURN_IF_ERROR(Show(row.has_acknowledged() ? row.acknowledged() : row.withdrawn(), *mismatch.mutable_from()));
    }
    if (row.has_now()) RETURN_IF_ERROR(Show(row.now(), *mismatch.mutable_to()));
    RETURN_IF_ERROR(TellOfDevices(of, row, mismatch));
    base::SetTime(row.first_change_us(), [&] { return mismatch.mutable_first_change_time(); });
    base::SetTime(row.last_change_us(), [&] { return mismatch.mutable_last_change_time(); });
    base::SetTime(row.opened_us(), [&] { return mismatch.mutable_open_time(); });
    base::SetTime(row.ended_us(), [&] { return mismatch.mutable_end_time(); });
    base::SetTime(row.snoozed_until_us(), [&] { return mismatch.mutable_snoozed_until_time(); });
    for (const store::Mismatch::Transition& transition : row.transitions()) {
      v1::MismatchTransition& told = *mismatch.add_transitions();
      told.set_to(ToProto(transition.to()));
      told.set_person(transition.person());
      told.set_note(transition.note());
      base::SetTime(transition.time_us(), [&] { return told.mutable_transition_time(); });
    }
    Explain(row, mismatch);
    mismatch.set_headline(Headline(mismatch));
    mismatch.set_advice(Advice(mismatch));
    return mismatch;
  }

 private:
  // Why it is resolved.
  static void Explain(const store::Mismatch& row, v1::Mismatch& mismatch) {
    if (row.state() != store::Mismatch::RESOLVED) return;
    mismatch.set_resolution(row.has_sign() ? v1::MISMATCH_RESOLUTION_STARTED : v1::MISMATCH_RESOLUTION_SYNCED);
    base::SetTime(row.sign().occurred_us(), [&] { return mismatch.mutable_started_time(); });
    base::SetTime(row.sign().received_us(), [&] { return mismatch.mutable_started_received_time(); });
  }

  absl::Status Show(const store::VisitPart& part, v1::VisitShown& shown) {
    base::SetTime(part.start_us(), [&] { return shown.mutable_start_time(); });
    base::SetTime(part.end_us(), [&] { return shown.mutable_end_time(); });
    shown.set_service_user_id(part.service_user_id());
    ASSIGN_OR_RETURN(*shown.mutable_service_user_name(), names_.ServiceUser(part.service_user_id()));
    return absl::OkStatus();
  }

  // What there is to say of the carer's devices, `row` being due to one of them.
  absl::Status TellOfDevices(const CarerVisit& of, const store::Mismatch& row, v1::Mismatch& mismatch) {
    ASSIGN_OR_RETURN(const CarerDevices* const all, devices_.Of(of.carer));
    if (all->in_use.has_value()) *mismatch.mutable_device() = *all->in_use;
    for (const v1::MismatchDevice& other : all->others) *mismatch.add_other_devices() = other;
    absl::Time last_call = absl::InfinitePast();
    if (mismatch.device().has_last_api_call_time()) {
      last_call = *base::FromTimestamp(mismatch.device().last_api_call_time());
    }
    ASSIGN_OR_RETURN(const store::Tenant* const preferences, Preferences());
    mismatch.set_state(StageOf(row, last_call, tenants::MismatchLead(*preferences), now_));
    if (!IsLive(row)) return absl::OkStatus();
    mismatch.set_cause(CauseOf(*all, of.carer, *preferences, base::FromStoredTime(row.first_change_us())));
    return absl::OkStatus();
  }

  // Read once, where there is something to tell.
  absl::StatusOr<const store::Tenant*> Preferences() {
    if (!preferences_.has_value()) {
      ASSIGN_OR_RETURN(preferences_, tenants::GetTenant(reader_, tenant_));
    }
    return &*preferences_;
  }

  const storage::Reader& reader_;
  const base::TenantId& tenant_;
  const absl::Time now_;
  devices::Names names_;
  CarerDevicesReader devices_;
  std::optional<store::Tenant> preferences_;
};

}  // namespace

absl::StatusOr<v1::ListMismatchesResponse> ListMismatches(const storage::Reader& reader, const base::TenantId& tenant,
                                                          const v1::ListMismatchesRequest& request,
                                                          const devices::AsOf& as_of) {
  ASSIGN_OR_RETURN(const Filter filter, FilterIn(request));
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  const std::string query =
      absl::StrCat("mismatches/", request.ended(), "/", request.carer_id(), "/", request.branch_id());
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(query, request.page_token()));
  // A token is text that a caller may have changed: it must not lead to another table, or another tenant.
  const storage::KeyRange all = keys::ListedMismatches(tenant, request.ended(), "");
  if (!after.empty() && (after < all.begin || after >= all.end)) return errors::PageTokenNotValid();

  ASSIGN_OR_RETURN(const std::vector<Listed> listed, ReadListed(reader, tenant, request.ended(), after));
  Teller teller(reader, tenant, as_of);
  v1::ListMismatchesResponse response;
  for (size_t i = 0; i < listed.size(); ++i) {
    const Listed& next = listed[i];
    const bool of_carer = !filter.carer.has_value() || *filter.carer == next.of.carer;
    std::optional<store::Mismatch> row;
    if (of_carer) {
      ASSIGN_OR_RETURN(row, GetUndamaged(reader, tenant, next.of));
    }
    // The place of a row that could not be read and was replaced since may be left.
    const bool stands = row.has_value() && next.key == ListedKey(tenant, next.of, *row);
    if (stands && (filter.branch_id.empty() || filter.branch_id == row->branch_id())) {
      ASSIGN_OR_RETURN(*response.add_mismatches(), teller.Tell(next.of, *row));
    }
    const bool full = response.mismatches_size() == page_size;
    const bool more = i + 1 < listed.size() || listed.size() == base::limits::kSearchedRows;
    if (more && (full || i + 1 == listed.size())) {
      response.set_next_page_token(base::EncodePageToken(query, next.key));
      break;
    }
  }
  return response;
}

absl::StatusOr<v1::Mismatch> ToProto(const storage::Reader& reader, const base::TenantId& tenant, const CarerVisit& of,
                                     const store::Mismatch& row, const devices::AsOf& as_of) {
  return Teller(reader, tenant, as_of).Tell(of, row);
}

}  // namespace caresync::mismatch
