// The real server, killed under load again and again: what it answered it still has when it is started anew, and the
// devices come to hold what they should.
#include <algorithm>
#include <atomic>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/base/proto_time.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/rota.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fault/number_from.h"
#include "tests/integration/client.h"
#include "tests/integration/device.h"
#include "tests/integration/server_process.h"

namespace caresync::fault {
namespace {

using access::Role;
using integration::Client;
using integration::Device;
using integration::ServerProcess;
using ::testing::IsEmpty;

constexpr char kTenant[] = "acme";
constexpr char kSource[] = "rota";
// The last one's phone follows.
constexpr int kCarerCount = 3;
constexpr const char* kCarers[kCarerCount] = {"ann", "bob", "cyd"};
// Where a carer takes notes, in turn: hundreds of rounds are more than the limits::kEventsOfRecord of one visit.
constexpr int kOwnVisits = 8;
constexpr int kChangesOfAMessage = 3;
// One message of so many has the group's members too, and one sync of so many makes a new copy.
constexpr uint64_t kOneOf = 4;
// Answers of a round after which the server is killed, at most, and how long after the last of them: some more are
// under way by then, each at its own point.
constexpr int kMostAnswers = 60;
constexpr uint64_t kMostMicroseconds = 20'000;
// Seen by the members of a group, and by nobody else.
constexpr char kOfGroup[] = "su-of-group";

struct VisitSaid {
  std::string carer;
  // No two visits have the same.
  std::string notes;
};
// Visits by external ID, and the carers in the group.
struct Rota {
  std::map<std::string, VisitSaid> visits;
  std::set<std::string> members;
};
// What is new of these: no members where they are not named.
struct Message {
  std::map<std::string, VisitSaid> visits;
  std::optional<std::set<std::string>> members;
};

// Sends visits and changes of them, and knows which of them were answered.
class RosteringSystem {
 public:
  RosteringSystem(std::vector<std::string> carers, uint64_t seed) : carers_(std::move(carers)), random_(seed) {}

  // Until the server is gone. What was not answered before is sent again first.
  void SendUntilCut(const Client& client, std::atomic<int>& answers) {
    const auto context = client.Context(integration::As(Role::kRostering, kTenant, kSource));
    const auto stream = client.roster().ApplyChanges(context.get());
    v1::ApplyChangesResponse response;
    while (true) {
      if (under_way_.visits.empty()) under_way_ = NextMessage();
      if (!stream->Write(RequestOf(under_way_)) || !stream->Read(&response)) break;
      for (const v1::ChangeResult& result : response.results()) {
        if (result.outcome() == v1::CHANGE_OUTCOME_REJECTED) refused_ = result.ShortDebugString();
      }
      Take(std::exchange(under_way_, {}), rota_);
      ++answers;
    }
    stream->Finish();
  }

  // What the carer's phone shows: as answered, and as it is where the last message was taken without an answer.
  std::set<std::string> ShownTo(const std::string& carer) const { return ShownBy(rota_, carer); }
  std::set<std::string> ShownWithLastMessage(const std::string& carer) const {
    Rota rota = rota_;
    Take(under_way_, rota);
    return ShownBy(rota, carer);
  }
  // A change that the server would not have; empty: there was none.
  const std::string& refused() const { return refused_; }

 private:
  // The notes of the carer's visits, and the group's service user.
  static std::set<std::string> ShownBy(const Rota& rota, const std::string& carer) {
    std::set<std::string> shown;
    for (const auto& [external_id, said] : rota.visits) {
      if (said.carer == carer) shown.insert(said.notes);
    }
    if (rota.members.contains(carer)) shown.insert(kOfGroup);
    return shown;
  }

  static void Take(const Message& message, Rota& rota) {
    for (const auto& [external_id, said] : message.visits) rota.visits[external_id] = said;
    if (message.members.has_value()) rota.members = *message.members;
  }

  static v1::ApplyChangesRequest RequestOf(const Message& message) {
    v1::ApplyChangesRequest request;
    for (const auto& [external_id, said] : message.visits) {
      v1::RosterChange& change = *request.add_changes();
      change = fakes::VisitChange(external_id, "su", {said.carer});
      change.mutable_visit()->set_notes(said.notes);
      v1::RosterAssignment& assignment = *change.mutable_visit()->mutable_assignments(0);
      *assignment.mutable_start_time() = base::ToTimestamp(absl::Now());
      *assignment.mutable_end_time() = base::ToTimestamp(absl::Now() + absl::Hours(1));
    }
    if (message.members.has_value()) {
      *request.add_changes() = fakes::GroupChange("group", {message.members->begin(), message.members->end()});
    }
    for (v1::RosterChange& change : *request.mutable_changes()) change.set_source(kSource);
    return request;
  }

  // A new visit, and others that are said anew, perhaps of another carer; now and then who is in the group.
  Message NextMessage() {
    Message message;
    for (int i = 0; i < kChangesOfAMessage; ++i) {
      const size_t visit = i == 0 ? rota_.visits.size() : random_() % (rota_.visits.size() + 1);
      const std::string external_id = absl::StrCat("visit-", visit);
      message.visits[external_id] = {carers_[random_() % carers_.size()],
                                     absl::StrCat(external_id, " as said ", ++said_)};
    }
    if (random_() % kOneOf != 0) return message;
    message.members.emplace();
    for (const std::string& carer : carers_) {
      if (random_() % 2 == 0) message.members->insert(carer);
    }
    return message;
  }

  const std::vector<std::string> carers_;
  std::mt19937_64 random_;
  Rota rota_;
  Message under_way_;
  int said_ = 0;
  std::string refused_;
};

// A carer with a phone that follows, or one who takes notes at visits of her own and syncs, now and then a new copy.
class CarerWithPhone {
 public:
  CarerWithPhone(const Client& client, std::string name, const std::string& carer, std::vector<std::string> visits,
                 const std::string& phone, bool follows)
      : name_(std::move(name)), visits_(std::move(visits)), follows_(follows), phone_(client, kTenant, carer, phone) {}

  void WorkUntilCut(const Client& client, std::atomic<int>& answers) {
    phone_.UseServer(client);
    if (follows_) {
      phone_.Follow([&answers] { ++answers; });
    } else {
      SyncUntilCut(answers);
    }
  }

  const std::string& name() const { return name_; }
  Device& phone() { return phone_; }
  // The event IDs of all its notes.
  const std::set<std::string>& recorded() const { return recorded_; }

  // The notes of the visits that the phone shows, but for those where the carer takes hers, and the group's service
  // user.
  std::set<std::string> Shown() {
    std::set<std::string> shown;
    for (const auto& [name, payload] : phone_.held().in_use) {
      v1::Visit visit;
      v1::ServiceUser service_user;
      if (name.first == v1::RECORD_KIND_VISIT &&
          std::find(visits_.begin(), visits_.end(), name.second) == visits_.end()) {
        EXPECT_TRUE(visit.ParseFromString(payload));
        shown.insert(visit.notes());
      } else if (name.first == v1::RECORD_KIND_SERVICE_USER) {
        EXPECT_TRUE(service_user.ParseFromString(payload));
        if (service_user.name() == kOfGroup) shown.insert(kOfGroup);
      }
    }
    return shown;
  }

 private:
  void SyncUntilCut(std::atomic<int>& answers) {
    // A new copy is made only where nothing is to be sent.
    for (uint64_t sync = 1;; ++sync) {
      const bool clean = sync % kOneOf == 0;
      const std::string& visit = visits_[recorded_.size() % visits_.size()];
      if (!clean) recorded_.insert(phone_.Note(visit, absl::StrCat("note ", recorded_.size())));
      if (!phone_.Sync(clean ? v1::SYNC_TYPE_CLEAN : v1::SYNC_TYPE_STANDARD).ok()) return;
      ++answers;
    }
  }

  const std::string name_;
  const std::vector<std::string> visits_;
  const bool follows_;
  Device phone_;
  std::set<std::string> recorded_;
};

std::vector<std::string> Without(const std::multiset<std::string>& of, const std::multiset<std::string>& these) {
  std::vector<std::string> left;
  std::set_difference(of.begin(), of.end(), these.begin(), these.end(), std::back_inserter(left));
  return left;
}

class KilledServerTest : public testing::Test {
 protected:
  KilledServerTest() {
    const Client client(*server_);
    client.CreateTenant(kTenant);
    std::vector<v1::RosterChange> changes = {fakes::ServiceUserChange("su"), fakes::ServiceUserChange(kOfGroup),
                                             fakes::GroupChange("group", {})};
    for (const char* name : kCarers) changes.push_back(fakes::CarerChange(name));
    for (const char* name : kCarers) {
      for (int i = 0; i < kOwnVisits; ++i) changes.push_back(OwnVisit(name, i));
    }
    const auto applied = client.Apply(kTenant, kSource, std::move(changes));
    GiveToGroup(client, applied.results(1).record_id(), applied.results(2).record_id());
    constexpr int kBeforeCarers = 3;
    for (int i = 0; i < kCarerCount; ++i) {
      std::vector<std::string> visits;
      for (int visit = 0; visit < kOwnVisits; ++visit) {
        visits.push_back(applied.results(kBeforeCarers + kCarerCount + i * kOwnVisits + visit).record_id());
      }
      carers_.push_back(std::make_unique<CarerWithPhone>(
          client, kCarers[i], applied.results(kBeforeCarers + i).record_id(), std::move(visits),
          absl::StrCat(i + 3, "f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f"), /*follows=*/i + 1 == kCarerCount));
    }
  }

  static void GiveToGroup(const Client& client, const std::string& service_user, const std::string& group) {
    v1::SetAccessRequest request;
    request.mutable_access()->set_service_user_id(service_user);
    request.mutable_access()->add_group_ids(group);
    v1::ServiceUserAccess access;
    const grpc::Status status = client.Call(client.service_users(), &v1::ServiceUserService::Stub::SetAccess,
                                            integration::As(Role::kCoordinator, kTenant), request, &access);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  static v1::RosterChange OwnVisit(const std::string& carer, int number) {
    v1::RosterChange change = fakes::VisitChange(absl::StrCat(carer, "-own-", number), "su", {carer});
    v1::RosterAssignment& assignment = *change.mutable_visit()->mutable_assignments(0);
    *assignment.mutable_start_time() = base::ToTimestamp(absl::Now());
    *assignment.mutable_end_time() = base::ToTimestamp(absl::Now() + absl::Hours(1));
    return change;
  }

  // Everybody works until the server has answered this often, and is killed so long after that.
  void WorkUntilKilled(int answers_before, absl::Duration after) {
    std::atomic<int> answers = 0;
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      const Client client(*server_);
      rostering_.SendUntilCut(client, answers);
    });
    for (const auto& carer : carers_) {
      threads.emplace_back([&, person = carer.get()] {
        const Client client(*server_);
        person->WorkUntilCut(client, answers);
      });
    }
    EXPECT_TRUE(fakes::Eventually([&] { return answers >= answers_before; }));
    // Nothing is waited for: it is the moment that the seed chooses.
    absl::SleepFor(after);
    server_->Kill();
    for (std::thread& thread : threads) thread.join();
  }

  void ExpectNothingLost() {
    const Client client(*server_);
    bool as_answered = true;
    bool with_last_message = true;
    for (const auto& carer : carers_) {
      Device& phone = carer->phone();
      phone.UseServer(client);
      const grpc::Status synced = phone.Sync();
      ASSERT_TRUE(synced.ok()) << synced.error_message();
      EXPECT_TRUE(phone.held().matched);
      EXPECT_TRUE(phone.faults().empty()) << phone.faults().front();
      EXPECT_TRUE(phone.held().unsent.empty());
      EXPECT_GE(SuccessesOf(client, phone), phone.held().syncs_recorded);
      const std::set<std::string> shown = carer->Shown();
      as_answered = as_answered && shown == rostering_.ShownTo(carer->name());
      with_last_message = with_last_message && shown == rostering_.ShownWithLastMessage(carer->name());
    }
    // A message is one revision: all of it or nothing, with everybody.
    EXPECT_TRUE(as_answered || with_last_message);
    EXPECT_EQ(rostering_.refused(), "");
    ExpectEveryEventOnce(client);
  }

  static uint64_t SuccessesOf(const Client& client, const Device& phone) {
    v1::GetDeviceRequest request;
    request.set_device_uuid(phone.uuid().ToString());
    v1::Device row;
    const grpc::Status status = client.Call(client.devices(), &v1::DeviceService::Stub::GetDevice,
                                            integration::As(Role::kSupport, kTenant), request, &row);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return row.successful_syncs_7_days();
  }

  void ExpectEveryEventOnce(const Client& client) {
    std::multiset<std::string> recorded;
    for (const auto& carer : carers_) recorded.insert(carer->recorded().begin(), carer->recorded().end());
    const auto context = client.Context(integration::As(Role::kRostering, kTenant, kSource));
    const auto stream = client.roster().StreamCareEvents(context.get(), {});
    std::multiset<std::string> kept;
    v1::StreamCareEventsResponse response;
    while (stream->Read(&response)) {
      for (const v1::CareEventDelivery& event : response.events()) kept.insert(event.event_id());
    }
    const grpc::Status status = stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    // Of thousands those alone that differ are told.
    EXPECT_THAT(Without(recorded, kept), IsEmpty()) << "not kept";
    EXPECT_THAT(Without(kept, recorded), IsEmpty()) << "kept, and not recorded so often";
  }

  const uint64_t seed_ = NumberFrom("CARESYNC_KILL_SEED", 1);
  fakes::TemporaryDirectory folder_;
  std::unique_ptr<ServerProcess> server_ = std::make_unique<ServerProcess>(folder_.path());
  RosteringSystem rostering_{{std::begin(kCarers), std::end(kCarers)}, seed_};
  std::vector<std::unique_ptr<CarerWithPhone>> carers_;
};

TEST_F(KilledServerTest, HasWhatItAnsweredAndTheDevicesHoldWhatTheyShould) {
  std::mt19937_64 random(seed_);
  const uint64_t rounds = NumberFrom("CARESYNC_KILL_ROUNDS", 20);
  for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round, " of CARESYNC_KILL_SEED=", seed_));
    const int answers = 1 + static_cast<int>(random() % kMostAnswers);
    WorkUntilKilled(answers, absl::Microseconds(random() % kMostMicroseconds));
    server_ = std::make_unique<ServerProcess>(folder_.path());
    ExpectNothingLost();
  }
}

}  // namespace
}  // namespace caresync::fault
