#include "server/outbox/dispatcher.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "observability/log.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "server/outbox/signature.h"

namespace caresync::outbox {
namespace {

namespace limits = base::limits;
using observability::Level;
using observability::Log;

// Of why a try failed: more than any error is long.
constexpr size_t kFailureBytes = 512;
constexpr char kNowhere[] = "the tenant has no webhook or address for it any more";

// What a clock that was ahead put further away than any pause is due as well.
bool IsDue(const DueNotice& notice, absl::Time now) {
  const absl::Time due = base::FromStoredTime(notice.due_us);
  return due <= now || due > now + limits::kNoticePauseMost;
}

// Why a try failed holds words of whoever is at the other end, such as a certificate's name. A row with bytes that are
// no text could never be read again, and its notice would be lost.
std::string AsText(std::string what) {
  what.resize(std::min(what.size(), kFailureBytes));
  std::replace_if(
      what.begin(), what.end(), [](unsigned char c) { return !absl::ascii_isprint(c); }, '?');
  return what;
}

void TellFailure(const base::TenantId& tenant, const store::OutboxNotice& notice, Level level, std::string_view what) {
  Log(level, what,
      {{"tenant", tenant.text()},
       {"kind", notice.kind()},
       {"notice", notice.notice_id()},
       {"failures", notice.failures()},
       {"error", notice.failure()}});
}

}  // namespace

absl::Duration PauseAfter(uint32_t failures, base::RandomSource& random) {
  // The bound is reached long before.
  constexpr uint32_t kDoublings = 20;
  const int64_t times = int64_t{1} << std::min(failures - 1, kDoublings);
  const absl::Duration pause = std::min(limits::kNoticePause * times, limits::kNoticePauseMost);
  return base::RandomDuration(random, pause / 2, pause / 2);
}

Dispatcher::Dispatcher(commit::Sequencer& sequencer, base::Clock& clock, base::RandomSource& random, Sender& sender,
                       Mailer* mailer)
    : sequencer_(sequencer), clock_(clock), random_(random), sender_(sender), mailer_(mailer) {}

void Dispatcher::Register(std::string kind, NoticeKind what) { kinds_.emplace(std::move(kind), std::move(what)); }

commit::TaskStep Dispatcher::Step() {
  return [this](commit::Transaction& transaction, const std::string& payload) {
    return HandOverDue(transaction, payload);
  };
}

absl::Status Dispatcher::HandOverDue(commit::Transaction& transaction, const std::string& payload) {
  const base::TenantId& tenant = transaction.tenant();
  ASSIGN_OR_RETURN(const store::Outbox outbox, ReadOutbox(transaction, tenant));
  // Another one took its place.
  if (!commit::IsTaskAt(outbox.task_due_us(), payload)) return absl::OkStatus();
  const size_t room = RoomOf(tenant);
  std::vector<DueNotice> first;
  if (room > 0) {
    ASSIGN_OR_RETURN(first, ReadDue(transaction, tenant, room));
  }
  size_t handed_over = 0;
  for (const DueNotice& notice : first) {
    if (!IsDue(notice, transaction.now())) continue;
    ASSIGN_OR_RETURN(const bool is_sent, HandOver(transaction, notice));
    if (is_sent) ++handed_over;
  }
  // What there was no room for is looked for as soon as something has come of one that is being sent.
  const absl::Duration rest = handed_over < room ? absl::ZeroDuration() : limits::kSendLease;
  return ArmTask(transaction, transaction.now() + rest);
}

absl::StatusOr<bool> Dispatcher::HandOver(commit::Transaction& transaction, const DueNotice& due) {
  const base::TenantId& tenant = transaction.tenant();
  absl::StatusOr<std::optional<store::OutboxNotice>> read = ReadNotice(transaction, tenant, due.number);
  const bool damaged = absl::IsDataLoss(read.status());
  if (!read.ok() && !damaged) return read.status();
  if (damaged) {
    Log(Level::kError, "notice_not_readable", {{"tenant", tenant.text()}, {"number", due.number}});
    RETURN_IF_ERROR(RemoveNotice(transaction, due));
    return false;
  }
  if (!read->has_value() || (*read)->due_us() != due.due_us) {
    ForgetDue(transaction, due);
    return false;
  }
  store::OutboxNotice notice = **std::move(read);
  std::optional<Destination> destination;
  if (const auto kind = kinds_.find(notice.kind()); kind != kinds_.end()) {
    ASSIGN_OR_RETURN(destination, kind->second.destination(transaction, tenant, notice));
  }
  if (!destination.has_value()) {
    notice.set_failure(kNowhere);
    RETURN_IF_ERROR(GiveUp(transaction, due.number, std::move(notice)));
    return false;
  }
  const absl::Time lease = transaction.now() + limits::kSendLease;
  MoveNotice(transaction, due.number, notice, lease);
  notice.set_due_us(base::ToStoredTime(lease));
  transaction.OnCommitted([this, tenant, number = due.number, notice, destination = *std::move(destination)] {
    Send(tenant, number, notice, destination);
  });
  return true;
}

absl::Status Dispatcher::GiveUp(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice) const {
  TellFailure(transaction.tenant(), notice, Level::kWarning, "notice_given_up");
  RETURN_IF_ERROR(BuryNotice(transaction, number, notice));
  const auto kind = kinds_.find(notice.kind());
  if (kind == kinds_.end()) return absl::OkStatus();
  return kind->second.ended(transaction, number, notice, NoticeEnd::kGivenUp);
}

void Dispatcher::Send(const base::TenantId& tenant, uint64_t number, const store::OutboxNotice& notice,
                      const Destination& destination) {
  {
    storage::MutexLock lock(mutex_);
    ++under_way_[tenant];
  }
  SendDone done = [this, tenant, number, lease_us = notice.due_us()](const SendResult& result) {
    CountOut(tenant);
    sequencer_.Submit(
        tenant,
        [this, number, lease_us, result](commit::Transaction& transaction) {
          return Note(transaction, number, lease_us, result);
        },
        [tenant](const absl::StatusOr<commit::Committed>& noted) {
          // The lease ends, and it is sent again.
          if (noted.ok()) return;
          Log(Level::kWarning, "notice_not_noted", {{"tenant", tenant.text()}, {"error", noted.status().message()}});
        });
  };
  if (!destination.email_address.empty()) return SendMail(notice, destination.email_address, std::move(done));
  SendRequest request{destination.url, SignedHeaders(destination.key, notice.notice_id(), clock_.Now(), notice.body()),
                      notice.body()};
  sender_.Send(std::move(request), std::move(done));
}

void Dispatcher::SendMail(const store::OutboxNotice& notice, const std::string& address, SendDone done) {
  if (mailer_ == nullptr) {
    return done({SendOutcome::kFailed, "this server sends no e-mail: start caresyncd with --smtp-url"});
  }
  mailer_->Send({.to = address,
                 .subject = notice.email_subject(),
                 .text = notice.body(),
                 .id = notice.notice_id(),
                 .time = clock_.Now()},
                std::move(done));
}

absl::Status Dispatcher::Note(commit::Transaction& transaction, uint64_t number, int64_t lease_us,
                              const SendResult& result) {
  ASSIGN_OR_RETURN(const std::optional<store::OutboxNotice> notice,
                   ReadNotice(transaction, transaction.tenant(), number));
  if (!notice.has_value()) return absl::OkStatus();
  if (result.outcome == SendOutcome::kTaken) {
    RETURN_IF_ERROR(RemoveNotice(transaction, {notice->due_us(), number}));
    if (const auto kind = kinds_.find(notice->kind()); kind != kinds_.end()) {
      RETURN_IF_ERROR(kind->second.ended(transaction, number, *notice, NoticeEnd::kTaken));
    }
  } else {
    // It was taken for lost, and is being sent again.
    if (notice->due_us() != lease_us) return absl::OkStatus();
    RETURN_IF_ERROR(NoteFailure(transaction, number, *notice, result));
  }
  // Where there was no room for one there is none for the next: a tenant of which thousands wait would try them all,
  // one commit each, over and over.
  const bool no_room = result.outcome == SendOutcome::kNotTried;
  return ArmTask(transaction, transaction.now() + (no_room ? PauseAfter(1, random_) : absl::ZeroDuration()));
}

absl::Status Dispatcher::NoteFailure(commit::Transaction& transaction, uint64_t number, store::OutboxNotice notice,
                                     const SendResult& result) {
  if (result.outcome == SendOutcome::kNotTried) {
    MoveNotice(transaction, number, std::move(notice), transaction.now() + PauseAfter(1, random_));
    return absl::OkStatus();
  }
  notice.set_failures(notice.failures() + 1);
  notice.set_failed_time_us(base::ToStoredTime(transaction.now()));
  notice.set_failure(AsText(result.what));
  if (notice.failures() >= limits::kNoticeTries) return GiveUp(transaction, number, std::move(notice));
  const absl::Duration pause = PauseAfter(notice.failures(), random_);
  TellFailure(transaction.tenant(), notice, Level::kInfo, "notice_failed");
  MoveNotice(transaction, number, std::move(notice), transaction.now() + pause);
  return absl::OkStatus();
}

size_t Dispatcher::RoomOf(const base::TenantId& tenant) const {
  storage::MutexLock lock(mutex_);
  const auto found = under_way_.find(tenant);
  const size_t under_way = found == under_way_.end() ? 0 : found->second;
  return limits::kSendsOfTenant - std::min(under_way, limits::kSendsOfTenant);
}

void Dispatcher::CountOut(const base::TenantId& tenant) {
  storage::MutexLock lock(mutex_);
  const auto found = under_way_.find(tenant);
  if (--found->second == 0) under_way_.erase(found);
}

}  // namespace caresync::outbox
