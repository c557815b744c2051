#include "tests/sync/threaded_phones.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/base/limits.h"
#include "server/base/proto_time.h"
#include "server/records/record_key.h"

namespace caresync::sync {
namespace {

constexpr int kNotes = 4;
// Of a session that is cut, at most.
constexpr uint64_t kMessagesBeforeCut = 12;
constexpr int kMostTries = 1'000;

// Whose phone it is.
size_t CarerOf(size_t phone) { return std::min(phone, kCarers - 1); }

}  // namespace

std::string CarerName(size_t carer) { return absl::StrCat("carer-", carer); }
std::string ServiceUserName(uint64_t number) { return absl::StrCat("su-", number); }

base::Uuid IdOf(const ThreadedServer& server, v1::RecordKind kind, const std::string& external_id) {
  return records::IntegratedId(server.tenant(), kSource, kind, external_id);
}

base::Uuid DeviceOf(size_t carer) {
  return *base::Uuid::Parse(absl::StrFormat("%08d-1111-4111-8111-111111111111", carer));
}

Phone::Phone(ThreadedServer& server, Day& day, OpenStreams& streams, size_t number)
    : server_(server),
      day_(day),
      streams_(streams),
      number_(number),
      follows_(number % 2 == 1),
      carer_(IdOf(server, v1::RECORD_KIND_CARER, CarerName(CarerOf(number)))),
      device_(DeviceOf(CarerOf(number))),
      random_(number + 1) {
  device_.ReplaceApp("4.2.0", base::limits::kDataLevel);
}

void Phone::Work() {
  while (!day_.over) RunSession(/*cut=*/true);
  if (!follows_) {
    SyncToTheEnd();
    return day_.MarkThrough(number_);
  }
  // Two phones that never stop would take each other over for ever.
  if (number_ == kTwin) day_.WaitUntilThrough(kTwin - 1);
  while (!day_.stopping) RunSession(/*cut=*/false);
}

void Phone::SyncToTheEnd() {
  for (int tries = 0; tries < kMostTries; ++tries) {
    RunSession(/*cut=*/false);
    if (peers_.back()->end().ok()) return;
  }
  ADD_FAILURE() << "phone " << number_ << " does not come to an end: " << peers_.back()->end();
}

void Phone::RunSession(bool cut) {
  if (cut) MayTakeNote();
  peers_.push_back(
      std::make_unique<ThreadedPeer>(server_.parts(), SessionIdentity{server_.tenant(), device_.uuid(), carer_}));
  ThreadedPeer& peer = *peers_.back();
  if (follows_) streams_.Add(peer);
  v1::SyncRequest start = device_.Start(carer_, TypeOfNext());
  start.mutable_start()->set_follow(follows_);
  peer.Say(std::move(start));
  Converse(peer, cut ? 1 + Below(kMessagesBeforeCut) : std::numeric_limits<uint64_t>::max());
  if (follows_) streams_.Remove(peer);
  day_.CountSession(number_);
}

void Phone::Converse(ThreadedPeer& peer, uint64_t messages) {
  while (std::optional<v1::SyncResponse> response = peer.Take()) {
    if (--messages == 0) {
      peer.Cut();
    } else {
      Answer(peer, *response);
    }
  }
}

void Phone::Answer(ThreadedPeer& peer, const v1::SyncResponse& response) {
  if (response.has_started()) {
    for (v1::SyncRequest& upload : device_.Uploads(carer_)) peer.Say(std::move(upload));
  }
  std::optional<v1::SyncRequest> ack = device_.Apply(carer_, response);
  const v1::CopySum sum = fakes::SumOf(copy());
  {
    storage::MutexLock lock(mutex_);
    copy_sum_ = sum;
  }
  if (ack.has_value()) peer.Say(*std::move(ack));
  if (response.has_sync_recorded() && !follows_) peer.HalfClose();
}

// A clean one makes the copy anew, which a phone with something to send may not.
v1::SyncType Phone::TypeOfNext() {
  const bool may_be_clean = device_.of(carer_).unsent.empty() && !follows_;
  return may_be_clean && Below(4) == 0 ? v1::SYNC_TYPE_CLEAN : v1::SYNC_TYPE_STANDARD;
}

// Those that follow take none: what they have sent is not waited for at the end.
void Phone::MayTakeNote() {
  if (follows_ || notes_ == kNotes || Below(3) != 0) return;
  v1::CareEvent event;
  const std::string service_user = ServiceUserName(Below(kServiceUsers));
  event.set_service_user_id(IdOf(server_, v1::RECORD_KIND_SERVICE_USER, service_user).ToString());
  *event.mutable_occurred_time() = base::ToTimestamp(absl::Now());
  event.mutable_note()->set_text(absl::StrCat("note ", ++notes_));
  device_.Record(carer_, std::move(event), server_.parts().random);
}

}  // namespace caresync::sync
