#include "server/notifications/telling.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/clock.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/devices/report_row.h"
#include "server/mismatch/damage.h"
#include "server/mismatch/due.h"
#include "server/mismatch/mismatch_rows.h"
#include "server/mismatch/teller.h"
#include "server/notifications/gathering.h"
#include "server/notifications/hours.h"
#include "server/notifications/message.h"
#include "server/notifications/notices.h"
#include "server/notifications/raises.h"
#include "server/notifications/settings.h"
#include "server/notifications/task_state.h"
#include "server/outbox/outbox_rows.h"

namespace caresync::notifications {
namespace {

namespace limits = base::limits;
using mismatch::CarerVisit;

// One that is still open.
struct Open {
  CarerVisit of;
  store::Mismatch row;
};

// Some of a branch's that waited.
struct Waiting {
  std::vector<CarerVisit> mismatches;
  // There are no more.
  bool is_all = false;
  // Some of them were held back.
  bool any_held = false;
};

// One step of the task.
class Step {
 public:
  Step(commit::Transaction& transaction, store::Notifications state, absl::TimeZone zone, const devices::AsOf& as_of,
       base::RandomSource& random)
      : transaction_(transaction),
        tenant_(transaction.tenant()),
        state_(std::move(state)),
        zone_(zone),
        as_of_(as_of),
        random_(random) {}

  absl::Status Run() {
    if (!state_.has_walked_branch()) state_.clear_next_us();
    for (size_t looked = 0; looked < limits::kBranchesLookedAt && HasRoom(); ++looked) {
      const std::optional<std::string> walked =
          state_.has_walked_branch() ? std::optional<std::string>(state_.walked_branch()) : std::nullopt;
      ASSIGN_OR_RETURN(const std::optional<std::string> branch, FirstBranch(transaction_, tenant_, walked));
      if (!branch.has_value()) return Sleep();
      ASSIGN_OR_RETURN(const absl::Time next, TellOf(*branch));
      if (next <= transaction_.now()) break;
      if (next != absl::InfiniteFuture()) NoteNext(next);
      state_.set_walked_branch(*branch);
    }
    PutNotifications(transaction_, transaction_.now(), std::move(state_));
    return absl::OkStatus();
  }

 private:
  bool HasRoom() const { return room_ > limits::kMismatchesToldAlone && put_ < limits::kNoticesPutAtOnce; }

  // When the branch is to be looked at again: now, where it has more than there was room for; InfiniteFuture: not, as
  // far as is known.
  absl::StatusOr<absl::Time> TellOf(const std::string& branch) {
    ASSIGN_OR_RETURN(const store::NotificationSettings settings, SettingsFor(transaction_, tenant_, branch));
    if (!NamesAnybody(settings)) {
      ASSIGN_OR_RETURN(const Waiting waiting, TakeAll(branch));
      return waiting.is_all ? absl::InfiniteFuture() : transaction_.now();
    }
    const absl::Time when = transaction_.now() - limits::kToldTogether;
    const absl::Time opens = NextOpen(settings, zone_, when);
    if (opens > when) return opens + limits::kToldTogether;
    ASSIGN_OR_RETURN(const store::ToldHour stored, ReadHour(transaction_, tenant_, branch));
    store::ToldHour hour = HourAt(stored, transaction_.now());
    // Nothing is held back behind the branch's own hours.
    const absl::Time until = std::min(HourEnds(hour), OpenUntil(settings, zone_, when));
    const bool is_over = hour.began_us() != stored.began_us() || until <= transaction_.now();
    return is_over ? TellAll(branch, settings, std::move(hour)) : TellInHour(branch, settings, std::move(hour), until);
  }

  // An hour is over: what was held back in it is told as one, with what was raised since.
  absl::StatusOr<absl::Time> TellAll(const std::string& branch, const store::NotificationSettings& settings,
                                     store::ToldHour hour) {
    ASSIGN_OR_RETURN(const Waiting waiting, TakeAll(branch));
    ASSIGN_OR_RETURN(const std::vector<Open> open, StillOpen(branch, waiting.mismatches));
    const size_t most_alone = waiting.any_held ? 1 : limits::kMismatchesToldAlone;
    ASSIGN_OR_RETURN(const size_t notices, Tell(branch, settings, open, most_alone));
    // The rest is told by the next step, for which the hour is over as well.
    if (!waiting.is_all) return transaction_.now();
    hour.set_notices(hour.notices() + static_cast<uint32_t>(notices));
    PutHour(transaction_, branch, hour);
    return absl::InfiniteFuture();
  }

  // Within an hour, which ends at `until`: where much was told, what is near is told, and the rest held back.
  absl::StatusOr<absl::Time> TellInHour(const std::string& branch, const store::NotificationSettings& settings,
                                        store::ToldHour hour, absl::Time until) {
    ASSIGN_OR_RETURN(const Waiting waiting, TakeRaised(branch));
    ASSIGN_OR_RETURN(std::vector<Open> open, StillOpen(branch, waiting.mismatches));
    if (HoldsBack(hour)) hour.set_held(hour.held() + HoldBackRest(branch, open));
    ASSIGN_OR_RETURN(const size_t notices, Tell(branch, settings, open, limits::kMismatchesToldAlone));
    hour.set_notices(hour.notices() + static_cast<uint32_t>(notices));
    if (!waiting.mismatches.empty()) PutHour(transaction_, branch, hour);
    if (!waiting.is_all) return transaction_.now();
    return hour.held() > 0 ? until : absl::InfiniteFuture();
  }

  // Leaves those that are near. Returns how many others there were.
  uint32_t HoldBackRest(const std::string& branch, std::vector<Open>& open) {
    std::vector<Open> near;
    uint32_t held = 0;
    for (Open& one : open) {
      if (IsNear(mismatch::StartThatCounts(one.row), transaction_.now())) {
        // It may have been held back before it was opened again, or before its visit was moved.
        ForgetHeld(transaction_, branch, one.of);
        near.push_back(std::move(one));
      } else {
        HoldBack(transaction_, branch, one.of);
        ++held;
      }
    }
    open = std::move(near);
    return held;
  }

  // Takes away those that were raised, as many as there is room for.
  absl::StatusOr<Waiting> TakeRaised(const std::string& branch) {
    Waiting waiting;
    ASSIGN_OR_RETURN(waiting.mismatches, ReadRaised(transaction_, tenant_, branch, room_));
    for (const CarerVisit& of : waiting.mismatches) ForgetRaised(transaction_, branch, of);
    waiting.is_all = waiting.mismatches.size() < room_;
    room_ -= waiting.mismatches.size();
    return waiting;
  }

  // The same, but first those that were held back.
  absl::StatusOr<Waiting> TakeAll(const std::string& branch) {
    Waiting waiting;
    ASSIGN_OR_RETURN(std::vector<CarerVisit> held, ReadHeld(transaction_, tenant_, branch, room_));
    for (const CarerVisit& of : held) ForgetHeld(transaction_, branch, of);
    room_ -= held.size();
    if (room_ > 0) {
      ASSIGN_OR_RETURN(waiting, TakeRaised(branch));
    }
    waiting.any_held = !held.empty();
    // One that was held back and raised again is there twice.
    std::vector<CarerVisit>& all = waiting.mismatches;
    all.insert(all.end(), held.begin(), held.end());
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return waiting;
  }

  absl::StatusOr<std::vector<Open>> StillOpen(const std::string& branch, const std::vector<CarerVisit>& mismatches) {
    std::vector<Open> open;
    for (const CarerVisit& of : mismatches) {
      ASSIGN_OR_RETURN(std::optional<store::Mismatch> row, mismatch::GetUndamaged(transaction_, tenant_, of));
      // Where another branch gives the visit by now, that one is told.
      const bool is_its = row.has_value() && row->branch_id() == branch;
      if (is_its && row->state() == store::Mismatch::OPEN) open.push_back({of, *std::move(row)});
    }
    return open;
  }

  // Each by itself, or where there are more than `most_alone` as one. Returns how many notices that was, however many
  // each went to.
  absl::StatusOr<size_t> Tell(const std::string& branch, const store::NotificationSettings& settings,
                              const std::vector<Open>& open, size_t most_alone) {
    if (open.size() > most_alone) return TellAsOne(branch, settings, open);
    mismatch::Teller teller(transaction_, tenant_, as_of_);
    size_t notices = 0;
    ASSIGN_OR_RETURN(const std::string agency, AgencyOf(transaction_, tenant_));
    for (const Open& one : open) {
      ASSIGN_OR_RETURN(const std::optional<v1::Mismatch> told, TellOne(one, teller));
      if (!told.has_value()) continue;
      const absl::Time start = mismatch::StartThatCounts(one.row);
      const outbox::NewNotice notice = {.kind = kMismatchNotice,
                                        .subject = told->visit_id(),
                                        .body = MismatchBody(tenant_, *told, start),
                                        .branch_id = branch};
      ASSIGN_OR_RETURN(const size_t put,
                       PutForAll(transaction_, settings, notice, MismatchMail(agency, *told, start, zone_), random_));
      put_ += put;
      ++notices;
    }
    return notices;
  }

  absl::StatusOr<size_t> TellAsOne(const std::string& branch, const store::NotificationSettings& settings,
                                   const std::vector<Open>& open) {
    std::vector<Raised> raised;
    raised.reserve(open.size());
    for (const Open& one : open) raised.push_back({one.of, mismatch::StartThatCounts(one.row)});
    const outbox::NewNotice notice = {.kind = kMismatchesNotice,
                                      .subject = branch,
                                      .body = MismatchesBody(tenant_, branch, raised),
                                      .branch_id = branch};
    ASSIGN_OR_RETURN(MailText mail, MailOfMany(settings, open, raised));
    ASSIGN_OR_RETURN(const size_t put, PutForAll(transaction_, settings, notice, std::move(mail), random_));
    put_ += put;
    return size_t{1};
  }

  // Lists those that start first. Empty where nobody gets it: of each that it lists something is read.
  absl::StatusOr<MailText> MailOfMany(const store::NotificationSettings& settings, const std::vector<Open>& open,
                                      const std::vector<Raised>& raised) {
    if (settings.email_addresses().empty()) return MailText();
    std::vector<const Open*> by_start;
    by_start.reserve(open.size());
    for (const Open& one : open) by_start.push_back(&one);
    std::stable_sort(by_start.begin(), by_start.end(), [](const Open* a, const Open* b) {
      return mismatch::StartThatCounts(a->row) < mismatch::StartThatCounts(b->row);
    });
    mismatch::Teller teller(transaction_, tenant_, as_of_);
    std::vector<v1::Mismatch> listed;
    for (const Open* one : by_start) {
      if (listed.size() == limits::kMismatchesInMail) break;
      ASSIGN_OR_RETURN(std::optional<v1::Mismatch> told, TellOne(*one, teller));
      if (told.has_value()) listed.push_back(*std::move(told));
    }
    ASSIGN_OR_RETURN(const std::string agency, AgencyOf(transaction_, tenant_));
    return MismatchesMail(agency, raised, listed, zone_);
  }

  // nullopt where it cannot be told, which the log says.
  absl::StatusOr<std::optional<v1::Mismatch>> TellOne(const Open& one, mismatch::Teller& teller) {
    absl::StatusOr<v1::Mismatch> told = teller.Tell(one.of, one.row);
    if (absl::IsDataLoss(told.status())) {
      mismatch::LogDamage("mismatch_not_told", tenant_, one.of.carer, told.status());
      return std::optional<v1::Mismatch>();
    }
    RETURN_IF_ERROR(told.status());
    return *std::move(told);
  }

  void NoteNext(absl::Time next) {
    const int64_t next_us = base::ToStoredTime(next);
    if (state_.next_us() == 0 || next_us < state_.next_us()) state_.set_next_us(next_us);
  }

  // All branches were looked at.
  absl::Status Sleep() {
    std::optional<absl::Time> next;
    if (state_.next_us() != 0) next = base::FromStoredTime(state_.next_us());
    state_.clear_walked_branch();
    state_.clear_next_us();
    PutNotifications(transaction_, next, std::move(state_));
    return absl::OkStatus();
  }

  commit::Transaction& transaction_;
  const base::TenantId& tenant_;
  store::Notifications state_;
  const absl::TimeZone zone_;
  const devices::AsOf& as_of_;
  base::RandomSource& random_;
  // Raised mismatches that the step may still look at.
  size_t room_ = limits::kRaisedLookedAt;
  // Notices that it has put in the outbox.
  size_t put_ = 0;
};

}  // namespace

commit::TaskStep TellStep(base::RandomSource& random, const devices::SyncsUnderWay& syncs) {
  return [&random, &syncs](commit::Transaction& transaction, const std::string& payload) -> absl::Status {
    ASSIGN_OR_RETURN(store::Notifications state, ReadNotifications(transaction, transaction.tenant()));
    // Another one took its place.
    if (!IsTaskOf(state, payload)) return absl::OkStatus();
    ASSIGN_OR_RETURN(const absl::TimeZone zone, ZoneOf(transaction, transaction.tenant()));
    const devices::AsOf as_of{.syncs = syncs, .now = transaction.now()};
    return Step(transaction, std::move(state), zone, as_of, random).Run();
  };
}

}  // namespace caresync::notifications
