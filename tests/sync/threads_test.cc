// Sessions on real threads: devices sync, follow and take each other over while the rota changes and the office works.
// It is there for ThreadSanitizer, and for what only threads can do; schedules are the simulation's.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "observability/log.h"
#include "server/base/clock.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/proto_time.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/records/record_key.h"
#include "server/service_users/access_list.h"
#include "server/sync/unrecorded_ends.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/feeds.h"
#include "tests/fakes/rota.h"
#include "tests/sync/threaded_peer.h"
#include "tests/sync/threaded_phones.h"
#include "tests/sync/threaded_server.h"

namespace caresync::sync {
namespace {

constexpr int kThreads = 4;
constexpr int kVisits = 24;
constexpr int kChanges = 200;
// A group's change is one of so many.
constexpr int kGroupEvery = 10;
// What each phone has at least while the rota changes.
constexpr int kSessions = 5;
// Then those that follow must come to hold what each of so many bursts left.
constexpr int kBursts = 40;
constexpr int kVisitsOfABurst = 4;

class RosteringSystem {
 public:
  RosteringSystem(ThreadedServer& server, Day& day) : server_(server), day_(day) {}

  // Each change after a session has ended, so that none of both is through before the other.
  void Work() {
    int seen = 0;
    for (int i = 0; i < kChanges || !day_.EachHas(kSessions); ++i) {
      Send(i % kGroupEvery == 0 ? SomeGroup() : SomeVisit());
      day_.WaitForAnySession(seen);
    }
    day_.rota_over = true;
  }

  // The last of them commits while sessions are at work on the first.
  void SendAtOnce(int visits) {
    for (int i = 0; i < visits; ++i) Send(SomeVisit());
  }

 private:
  void Send(v1::RosterChange change) { server_.Send(kSource, {std::move(change)}); }

  std::vector<std::string> SomeCarers(uint64_t one_of) {
    std::vector<std::string> carers;
    for (size_t carer = 0; carer < kCarers; ++carer) {
      if (random_() % one_of == 0) carers.push_back(CarerName(carer));
    }
    return carers;
  }

  v1::RosterChange SomeGroup() {
    const std::string group = absl::StrCat("group-", random_() % 2);
    return fakes::GroupChange(group, SomeCarers(2));
  }

  // The last service user has none: only groups see it.
  v1::RosterChange SomeVisit() {
    const std::string service_user = ServiceUserName(random_() % (kServiceUsers - 1));
    v1::RosterChange change =
        fakes::VisitChange(absl::StrCat("visit-", random_() % kVisits), service_user, SomeCarers(4));
    change.mutable_visit()->set_notes(absl::StrCat("as said ", ++said_));
    change.mutable_visit()->set_published(random_() % 8 != 0);
    for (v1::RosterAssignment& assignment : *change.mutable_visit()->mutable_assignments()) {
      *assignment.mutable_start_time() = base::ToTimestamp(now_);
      *assignment.mutable_end_time() = base::ToTimestamp(now_ + absl::Hours(1));
    }
    return change;
  }

  ThreadedServer& server_;
  Day& day_;
  const absl::Time now_ = absl::Now();
  std::mt19937_64 random_{1};
  int said_ = 0;
};

// An office that blocks and allows phones, takes their carers off and gives them back, tells them things, and reads
// its reports. The two phones of one UUID it leaves to each other.
class Office {
 public:
  Office(ThreadedServer& server, Day& day) : server_(server), day_(day) {}

  void Work() {
    for (size_t phone = 0; !day_.rota_over; phone = (phone + 1) % (kCarers - 1)) {
      SetBlocked(phone, true);
      day_.WaitForSession(phone);
      SetBlocked(phone, false);
      SetUser(phone, (phone + 1) % kCarers);
      day_.WaitForSession(phone);
      SetUser(phone, phone);
      server_.parts().live.Tell(server_.tenant(), DeviceOf(phone), SyncAsked{});
      server_.parts().live.TellTenant(server_.tenant(), PreferencesChanged{});
      ReadReports(phone);
    }
  }

  void SetUser(size_t phone, size_t carer) {
    v1::UpdateDeviceRequest request;
    request.set_allow_missing(true);
    request.set_set_users(true);
    request.add_carer_ids(IdOf(server_, v1::RECORD_KIND_CARER, CarerName(carer)).ToString());
    Update(phone, std::move(request));
  }

 private:
  void SetBlocked(size_t phone, bool blocked) {
    v1::UpdateDeviceRequest request;
    request.set_set_blocked(true);
    request.set_blocked(blocked);
    Update(phone, std::move(request));
  }
  void Update(size_t phone, v1::UpdateDeviceRequest request) {
    request.set_device_uuid(DeviceOf(phone).ToString());
    const absl::Status updated = server_.Update(request);
    EXPECT_TRUE(updated.ok()) << updated;
  }

  void ReadReports(size_t phone) {
    const std::unique_ptr<storage::Snapshot> snapshot = server_.Snapshot();
    const auto report = devices::ListDevices(*snapshot, server_.tenant(), v1::ListDevicesRequest(),
                                             {.syncs = SyncsOf(server_.parts()), .now = absl::Now()});
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->devices_size(), static_cast<int>(kCarers));
    v1::ListSyncsRequest request;
    request.set_device_uuid(DeviceOf(phone).ToString());
    EXPECT_TRUE(devices::ListSyncs(*snapshot, server_.tenant(), request, SyncsOf(server_.parts())).ok());
  }

  ThreadedServer& server_;
  Day& day_;
};

class SessionThreads : public testing::Test {
 protected:
  SessionThreads() {
    // Of some hundreds of sessions.
    observability::SetLevel(observability::Level::kError);
    std::vector<v1::RosterChange> changes = {fakes::GroupChange("group-0", {}), fakes::GroupChange("group-1", {})};
    for (size_t carer = 0; carer < kCarers; ++carer) changes.push_back(fakes::CarerChange(CarerName(carer)));
    for (int i = 0; i < kServiceUsers; ++i) changes.push_back(fakes::ServiceUserChange(ServiceUserName(i)));
    server_.Send(kSource, std::move(changes));
    for (int i = 0; i < kServiceUsers; ++i) GiveToGroups(i);
    for (size_t carer = 0; carer < kCarers; ++carer) office_.SetUser(carer, carer);
    for (size_t number = 0; number < kPhones; ++number) {
      phones_.push_back(std::make_unique<Phone>(server_, day_, streams_, number));
    }
  }
  ~SessionThreads() override { observability::SetLevel(observability::Level::kInfo); }

  void GiveToGroups(int service_user) {
    v1::SetAccessRequest request;
    request.mutable_access()->set_service_user_id(
        IdOf(server_, v1::RECORD_KIND_SERVICE_USER, ServiceUserName(service_user)).ToString());
    for (const char* group : {"group-0", "group-1"}) {
      request.mutable_access()->add_group_ids(IdOf(server_, v1::RECORD_KIND_EMPLOYEE_GROUP, group).ToString());
    }
    const absl::Status given = server_.Run([&request](commit::Transaction& transaction) {
      return service_users::SetAccess(transaction, request).status();
    });
    ASSERT_TRUE(given.ok()) << given;
  }

  std::vector<std::thread> StartPhones(bool following) {
    std::vector<std::thread> threads;
    for (const std::unique_ptr<Phone>& phone : phones_) {
      if (phone->follows() == following) threads.emplace_back([&phone] { phone->Work(); });
    }
    return threads;
  }
  static void Join(std::vector<std::thread>& threads) {
    for (std::thread& thread : threads) thread.join();
  }

  // No task is left that would change anything now.
  bool NothingIsDue(const storage::Reader& reader) const {
    int64_t first_us = std::numeric_limits<int64_t>::max();
    std::string task;
    EXPECT_TRUE(
        reader
            .Scan(storage::Space::kRecords, base::keys::AllTasks(server_.tenant()), 1,
                  [&](std::string_view key, std::string_view) { return base::keys::ParseTask(key, &first_us, &task); })
            .ok());
    return first_us > base::ToStoredTime(absl::Now());
  }

  v1::CopySum SumOfFeed(const storage::Reader& reader, const Phone& phone) const {
    v1::CopySum sum;
    for (const auto& [name, held] : fakes::HeldBy(reader, server_.tenant(), records::CarerReceiver(phone.carer()))) {
      sum.set_count(sum.count() + 1);
      sum.set_sum(sum.sum() + held.fingerprint);
    }
    return sum;
  }

  // Those that follow, told by nobody but the commits.
  bool FollowersHoldTheirFeeds() const {
    const std::unique_ptr<storage::Snapshot> snapshot = server_.Snapshot();
    if (!NothingIsDue(*snapshot)) return false;
    return std::all_of(phones_.begin(), phones_.end(), [&](const std::unique_ptr<Phone>& phone) {
      const v1::CopySum feed = SumOfFeed(*snapshot, *phone);
      const v1::CopySum copy = phone->copy_sum();
      return !phone->follows() || (feed.count() == copy.count() && feed.sum() == copy.sum());
    });
  }

  void ExpectItsFeedIsHeldBy(Phone& phone) const {
    const std::unique_ptr<storage::Snapshot> snapshot = server_.Snapshot();
    std::set<std::pair<v1::RecordKind, std::string>> held;
    for (const auto& [name, payload] : phone.copy()) held.insert(name);
    std::set<std::pair<v1::RecordKind, std::string>> in_feed;
    for (const records::RecordName& name :
         fakes::SeenBy(*snapshot, server_.tenant(), records::CarerReceiver(phone.carer()))) {
      in_feed.insert({name.kind, name.id.ToString()});
    }
    EXPECT_EQ(held, in_feed);
    EXPECT_EQ(fakes::SumOf(phone.copy()).sum(), SumOfFeed(*snapshot, phone).sum());
    EXPECT_TRUE(phone.device().faults().empty()) << phone.device().faults().front();
    EXPECT_TRUE(phone.device().of(phone.carer()).unsent.empty());
  }

  // How often sessions ended for which reason; each ended once.
  std::map<std::string, int> CountEnds() const {
    std::map<std::string, int> ends;
    for (const std::unique_ptr<Phone>& phone : phones_) {
      for (const std::unique_ptr<ThreadedPeer>& peer : phone->peers()) {
        EXPECT_EQ(peer->ends(), 1) << peer->end();
        ++ends[base::Reason(peer->end())];
      }
    }
    return ends;
  }

  ThreadedServer server_{kThreads};
  Day day_;
  OpenStreams streams_;
  RosteringSystem rota_{server_, day_};
  Office office_{server_, day_};
  std::vector<std::unique_ptr<Phone>> phones_;
};

TEST_F(SessionThreads, ManyDevicesSyncFollowAndTakeOverWhileTheRotaChanges) {
  std::vector<std::thread> following = StartPhones(/*following=*/true);
  std::vector<std::thread> syncing = StartPhones(/*following=*/false);
  std::thread rota([this] { rota_.Work(); });
  std::thread office([this] { office_.Work(); });
  rota.join();
  office.join();
  day_.over = true;
  Join(syncing);
  for (int i = 0; i < kBursts && !HasFailure(); ++i) {
    rota_.SendAtOnce(kVisitsOfABurst);
    EXPECT_TRUE(fakes::Eventually([this] { return FollowersHoldTheirFeeds(); })) << "burst " << i;
  }
  day_.stopping = true;
  streams_.Stop();
  Join(following);
  EXPECT_EQ(server_.parts().live.count(), 0u);
  EXPECT_EQ(server_.parts().admission.copies(), 0u);

  for (const std::unique_ptr<Phone>& phone : phones_) {
    if (!phone->follows()) phone->SyncToTheEnd();
    ExpectItsFeedIsHeldBy(*phone);
  }
  EXPECT_EQ(server_.parts().live.count(), 0u);
  EXPECT_EQ(server_.parts().admission.copies(), 0u);
  EXPECT_GT(server_.fan_outs(), 0u);
  std::map<std::string, int> ends = CountEnds();
  for (const char* reason :
       {"", "SESSION_TAKEN_OVER", "STREAM_CUT", "DEVICE_BLOCKED", "CARER_NOT_A_USER", "SHUTTING_DOWN"}) {
    EXPECT_GT(ends[reason], 0) << reason;
  }
}

}  // namespace
}  // namespace caresync::sync
