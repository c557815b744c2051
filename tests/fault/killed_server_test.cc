// The real server, killed under load again and again: what it answered it still has when it is started anew, and the
// devices come to hold what they should.
#include <atomic>
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

constexpr char kTenant[] = "acme";
constexpr char kSource[] = "rota";
constexpr int kChangesOfAMessage = 3;
// Answers of a round after which the server is killed, at most.
constexpr int kMostAnswers = 60;

struct VisitSaid {
  std::string carer;
  // No two visits have the same.
  std::string notes;
};
// By external ID.
using Rota = std::map<std::string, VisitSaid>;

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
      if (under_way_.empty()) under_way_ = NextChanges();
      if (!stream->Write(RequestOf(under_way_)) || !stream->Read(&response)) break;
      for (const v1::ChangeResult& result : response.results()) {
        if (result.outcome() == v1::CHANGE_OUTCOME_REJECTED) refused_ = result.ShortDebugString();
      }
      for (const auto& [external_id, said] : std::exchange(under_way_, {})) rota_[external_id] = said;
      ++answers;
    }
    stream->Finish();
  }

  // The notes of the carer's visits: as answered, and as they are where the last message was taken without an answer.
  std::set<std::string> NotesOf(const std::string& carer) const { return NotesIn(rota_, carer); }
  std::set<std::string> NotesWithLastMessage(const std::string& carer) const {
    Rota rota = rota_;
    for (const auto& [external_id, said] : under_way_) rota[external_id] = said;
    return NotesIn(rota, carer);
  }
  // A change that the server would not have; empty: there was none.
  const std::string& refused() const { return refused_; }

 private:
  static std::set<std::string> NotesIn(const Rota& rota, const std::string& carer) {
    std::set<std::string> notes;
    for (const auto& [external_id, said] : rota) {
      if (said.carer == carer) notes.insert(said.notes);
    }
    return notes;
  }

  static v1::ApplyChangesRequest RequestOf(const Rota& changes) {
    v1::ApplyChangesRequest request;
    for (const auto& [external_id, said] : changes) {
      v1::RosterChange change = fakes::VisitChange(external_id, "su", {said.carer});
      change.set_source(kSource);
      change.mutable_visit()->set_notes(said.notes);
      v1::RosterAssignment& assignment = *change.mutable_visit()->mutable_assignments(0);
      *assignment.mutable_start_time() = base::ToTimestamp(absl::Now());
      *assignment.mutable_end_time() = base::ToTimestamp(absl::Now() + absl::Hours(1));
      *request.add_changes() = std::move(change);
    }
    return request;
  }

  // A new visit, and others that are said anew, perhaps of another carer.
  Rota NextChanges() {
    Rota changes;
    for (int i = 0; i < kChangesOfAMessage; ++i) {
      const size_t visit = i == 0 ? rota_.size() : random_() % (rota_.size() + 1);
      const std::string external_id = absl::StrCat("visit-", visit);
      changes[external_id] = {carers_[random_() % carers_.size()], absl::StrCat(external_id, " as said ", ++said_)};
    }
    return changes;
  }

  const std::vector<std::string> carers_;
  std::mt19937_64 random_;
  Rota rota_;
  Rota under_way_;
  int said_ = 0;
  std::string refused_;
};

// A carer with a phone, who takes notes at a visit of her own and syncs.
class CarerWithPhone {
 public:
  CarerWithPhone(const Client& client, std::string name, const std::string& carer, std::string visit,
                 const std::string& phone)
      : name_(std::move(name)), visit_(std::move(visit)), phone_(client, kTenant, carer, phone) {}

  void SyncUntilCut(const Client& client, std::atomic<int>& answers) {
    phone_.UseServer(client);
    while (true) {
      recorded_.insert(phone_.Note(visit_, absl::StrCat("note ", recorded_.size())));
      if (!phone_.Sync().ok()) return;
      ++answers;
    }
  }

  const std::string& name() const { return name_; }
  Device& phone() { return phone_; }
  // The event IDs of all its notes.
  const std::set<std::string>& recorded() const { return recorded_; }

  // The notes of the visits that the phone shows, but for the one where the carer takes hers.
  std::set<std::string> NotesShown() {
    std::set<std::string> notes;
    for (const auto& [name, payload] : phone_.held().in_use) {
      v1::Visit visit;
      if (name.first != v1::RECORD_KIND_VISIT || name.second == visit_) continue;
      EXPECT_TRUE(visit.ParseFromString(payload));
      notes.insert(visit.notes());
    }
    return notes;
  }

 private:
  const std::string name_;
  const std::string visit_;
  Device phone_;
  std::set<std::string> recorded_;
};

class KilledServerTest : public testing::Test {
 protected:
  KilledServerTest() {
    const Client client(*server_);
    client.CreateTenant(kTenant);
    const auto applied = client.Apply(kTenant, kSource,
                                      {fakes::CarerChange("ann"), fakes::CarerChange("bob"),
                                       fakes::ServiceUserChange("su"), OwnVisit("ann"), OwnVisit("bob")});
    carers_.push_back(std::make_unique<CarerWithPhone>(client, "ann", applied.results(0).record_id(),
                                                       applied.results(3).record_id(),
                                                       "3f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f"));
    carers_.push_back(std::make_unique<CarerWithPhone>(client, "bob", applied.results(1).record_id(),
                                                       applied.results(4).record_id(),
                                                       "4f2c0d3e-8f1b-4c56-9d20-6a1b2c3d4e5f"));
  }

  static v1::RosterChange OwnVisit(const std::string& carer) {
    v1::RosterChange change = fakes::VisitChange(carer + "-own", "su", {carer});
    v1::RosterAssignment& assignment = *change.mutable_visit()->mutable_assignments(0);
    *assignment.mutable_start_time() = base::ToTimestamp(absl::Now());
    *assignment.mutable_end_time() = base::ToTimestamp(absl::Now() + absl::Hours(1));
    return change;
  }

  // Everybody works until the server has answered this often, and is killed in the middle of it.
  void WorkUntilKilled(int answers_before) {
    std::atomic<int> answers = 0;
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
      const Client client(*server_);
      rostering_.SendUntilCut(client, answers);
    });
    for (const auto& carer : carers_) {
      threads.emplace_back([&, person = carer.get()] {
        const Client client(*server_);
        person->SyncUntilCut(client, answers);
      });
    }
    EXPECT_TRUE(fakes::Eventually([&] { return answers >= answers_before; }));
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
      const std::set<std::string> shown = carer->NotesShown();
      as_answered = as_answered && shown == rostering_.NotesOf(carer->name());
      with_last_message = with_last_message && shown == rostering_.NotesWithLastMessage(carer->name());
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
    EXPECT_EQ(kept, recorded);
  }

  const uint64_t seed_ = NumberFrom("CARESYNC_KILL_SEED", 1);
  fakes::TemporaryDirectory folder_;
  std::unique_ptr<ServerProcess> server_ = std::make_unique<ServerProcess>(folder_.path());
  RosteringSystem rostering_{{"ann", "bob"}, seed_};
  std::vector<std::unique_ptr<CarerWithPhone>> carers_;
};

TEST_F(KilledServerTest, HasWhatItAnsweredAndTheDevicesHoldWhatTheyShould) {
  std::mt19937_64 random(seed_);
  const uint64_t rounds = NumberFrom("CARESYNC_KILL_ROUNDS", 20);
  for (uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    SCOPED_TRACE(absl::StrCat("round ", round, " of CARESYNC_KILL_SEED=", seed_));
    WorkUntilKilled(1 + static_cast<int>(random() % kMostAnswers));
    server_ = std::make_unique<ServerProcess>(folder_.path());
    ExpectNothingLost();
  }
}

}  // namespace
}  // namespace caresync::fault
