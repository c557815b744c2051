// Devices whose carers are in no group, while a large group of others is set up, changed and dissolved.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "caresync/v1/service_users.grpc.pb.h"
#include "loadtest/group_member.h"
#include "loadtest/rota_changer.h"
#include "loadtest/scenarios.h"
#include "loadtest/slowdown.h"
#include "loadtest/stopwatch.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

constexpr int kChangedRecords = 5;
constexpr int kChangesOfMessage = 100;
// Only a server that hangs meets these: of a call, of a fan-out.
constexpr std::chrono::seconds kDeadline{120};
constexpr absl::Duration kFanOutPatience = absl::Hours(3);
// Between two rounds, so that it is not the rounds that keep the server busy.
constexpr absl::Duration kRoundPause = absl::Milliseconds(100);

std::string CarerName(int i) { return absl::StrCat("group/carer/", i); }
std::string ServiceUserName(int i) { return absl::StrCat("group/service-user/", i); }

// The group, its carers and the service users that they may see through it. The model knows none of them: of them only
// two have a phone.
class LargeGroup {
 public:
  LargeGroup(Stage& stage, RotaFeed& feed) : stage_(stage), feed_(feed) {}

  // Makes carers, service users and the group, which has no members yet and sees all these service users.
  absl::Status Prepare() {
    ASSIGN_OR_RETURN(const std::string group, PutMembers(stage_.options.group_carers, /*dissolved=*/false));
    ASSIGN_OR_RETURN(const std::vector<std::string> ids,
                     Apply(stage_.options.group_carers, [](int i, v1::RosterChange& change) {
                       change.set_external_id(CarerName(i));
                       change.mutable_carer()->set_name(absl::StrCat("Member ", i));
                     }));
    for (size_t i = 0; i < ids.size(); ++i) carers_.push_back({ids[i], CarerName(static_cast<int>(i))});
    std::sort(carers_.begin(), carers_.end());
    ASSIGN_OR_RETURN(const std::vector<std::string> service_users,
                     Apply(stage_.options.group_service_users, [](int i, v1::RosterChange& change) {
                       change.set_external_id(ServiceUserName(i));
                       change.mutable_service_user()->set_name(absl::StrCat("Service user ", i));
                     }));
    for (const std::string& service_user : service_users) RETURN_IF_ERROR(GiveAccess(service_user, group));
    return absl::OkStatus();
  }

  // That of the last change.
  base::Revision revision() const { return revision_; }
  // The record ID of a carer, once they are made: their order is that of their IDs, in which a fan-out comes to them.
  const std::string& carer(int i) const { return carers_[static_cast<size_t>(i)].first; }

  // The group's members are the carers from `first` on. Gives the group's record ID.
  absl::StatusOr<std::string> PutMembers(int first, bool dissolved) {
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, Apply(1, [&](int, v1::RosterChange& change) {
                       change.set_external_id("group");
                       v1::RosterEmployeeGroup& group = *change.mutable_employee_group();
                       group.set_name("Everybody");
                       group.set_dissolved(dissolved);
                       for (size_t i = static_cast<size_t>(first); i < carers_.size(); ++i) {
                         group.add_carers(carers_[i].second);
                       }
                     }));
    return ids.front();
  }

 private:
  // Sends `count` changes, each filled in by `fill`; their record IDs.
  template <typename Fill>
  absl::StatusOr<std::vector<std::string>> Apply(int count, Fill fill) {
    std::vector<std::string> ids;
    for (int first = 0; first < count; first += kChangesOfMessage) {
      v1::ApplyChangesRequest request;
      for (int i = first; i < std::min(first + kChangesOfMessage, count); ++i) {
        v1::RosterChange& change = *request.add_changes();
        change.set_source(stage_.agency.sources().front());
        fill(i, change);
      }
      ASSIGN_OR_RETURN(const v1::ApplyChangesResponse response, feed_.Apply(request));
      revision_ = response.commit().revision();
      for (const v1::ChangeResult& result : response.results()) {
        if (result.record_id().empty()) {
          return absl::InternalError(absl::StrCat("a change of the group was not taken: ", result.error().message()));
        }
        ids.push_back(result.record_id());
      }
    }
    return ids;
  }

  absl::Status GiveAccess(const std::string& service_user, const std::string& group) {
    ASSIGN_OR_RETURN(const std::string authorization, stage_.credentials.OfAdministrator());
    grpc::ClientContext context;
    context.AddMetadata("authorization", authorization);
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    v1::SetAccessRequest request;
    request.mutable_access()->set_service_user_id(service_user);
    request.mutable_access()->add_group_ids(group);
    v1::ServiceUserAccess access;
    const auto stub = v1::ServiceUserService::NewStub(stage_.connections.office());
    return cli::errors::FromCall(stub->SetAccess(&context, request, &access), stage_.connections.server());
  }

  Stage& stage_;
  RotaFeed& feed_;
  // Record ID and external ID, in order.
  std::vector<std::pair<std::string, std::string>> carers_;
  base::Revision revision_ = 0;
};

// Two phones of the group's carers: of those who leave when half of them do the one whom the fan-out comes to last, and
// the last of those who stay until it is dissolved. A fan-out is through when both may sync, and did what it was for
// when they hold what they may see then.
class Members {
 public:
  static absl::StatusOr<Members> Make(Stage& stage, const LargeGroup& group) {
    ASSIGN_OR_RETURN(std::unique_ptr<GroupMember> leaves,
                     GroupMember::Make(stage, group.carer(stage.options.group_carers / 2 - 1)));
    ASSIGN_OR_RETURN(std::unique_ptr<GroupMember> stays,
                     GroupMember::Make(stage, group.carer(stage.options.group_carers - 1)));
    return Members(stage, {std::move(leaves), std::move(stays)});
  }

  void BeginSync() {
    for (const std::unique_ptr<GroupMember>& phone : phones_) phone->BeginSync();
  }
  absl::StatusOr<bool> HaveSynced() {
    bool both = true;
    for (const std::unique_ptr<GroupMember>& phone : phones_) {
      ASSIGN_OR_RETURN(const bool synced, phone->HasSynced());
      both = both && synced;
    }
    return both;
  }
  // How many service users each must hold, beside the carer itself.
  void Check(const std::string& phase, size_t leaves, size_t stays) const {
    for (const auto& [phone, expected] : {std::pair(phones_[0].get(), leaves), std::pair(phones_[1].get(), stays)}) {
      if (phone->held() == expected + 1) continue;
      stage_.faults.Add(absl::StrCat(phase, ": a member holds ", phone->held(), " records, not ", expected + 1));
    }
  }

 private:
  using Phones = std::array<std::unique_ptr<GroupMember>, 2>;
  Members(Stage& stage, Phones phones) : stage_(stage), phones_(std::move(phones)) {}

  Stage& stage_;
  Phones phones_;
};

// Rounds of changes and deltas, which tell from the revisions that their changes got what else was committed.
class Bystanders {
 public:
  Bystanders(Stage& stage, RotaFeed& feed)
      : stage_(stage), feed_(feed), visits_(stage.agency.imported(0), CarersWithDevices(stage), kChangedRecords) {}

  // Changes five visits of every carer with a device. How many commits of others came between.
  absl::StatusOr<uint64_t> ChangeAll() {
    uint64_t others = 0;
    for (const v1::ApplyChangesRequest& request : visits_.ChangeAll()) {
      ASSIGN_OR_RETURN(const v1::ApplyChangesResponse response, stage_.agency.Apply(feed_, request));
      if (last_ != 0) others += response.commit().revision() - last_ - 1;
      last_ = response.commit().revision();
      last_change_ = request;
    }
    return others;
  }

  // Rounds while nothing else goes on, until the time is over. The phases after it are compared with it.
  absl::Status RunQuietly(const std::string& name) {
    Phase& phase = stage_.report.AddPhase(name);
    phase.figures["seconds until the server was quiet"] = absl::ToDoubleSeconds(AwaitQuiet(stage_));
    // What came until then is not this phase's.
    RETURN_IF_ERROR(CountSince().status());
    const Deadline deadline(stage_.options.duration);
    while (!deadline.passed()) RETURN_IF_ERROR(RunRound(phase));
    if (OthersIn(phase) > 0) stage_.faults.Add(absl::StrCat(name, ": ", OthersIn(phase), " commits of others"));
    quiet_ = &phase;
    return absl::OkStatus();
  }

  // Rounds until the fan-out that has begun is through, as the members see it, however long that takes.
  absl::Status RunUntilThrough(const std::string& name, Members& members) {
    Phase& phase = stage_.report.AddPhase(name);
    const Deadline patience(kFanOutPatience);
    members.BeginSync();
    bool through = false;
    while (!through && !patience.passed() && !StopWished()) {
      RETURN_IF_ERROR(RunRound(phase));
      ASSIGN_OR_RETURN(through, members.HaveSynced());
    }
    // A small one may be through before the round's changes were followed by others.
    ASSIGN_OR_RETURN(const uint64_t since, CountSince());
    OthersIn(phase) += since;
    if (!through && !StopWished()) stage_.faults.Add(absl::StrCat(name, ": the fan-out does not come to an end"));
    // Larger feeds are compacted behind it, which nobody waits for.
    const bool compacts = static_cast<uint64_t>(stage_.options.group_service_users) >= base::limits::kFeedRemovals;
    if (through && !compacts) RETURN_IF_ERROR(ExpectNoMore(name));
    if (OthersIn(phase) == 0) stage_.faults.Add(absl::StrCat(name, ": no fan-out was under way"));
    if (stage_.options.slowest_delta.has_value()) {
      CheckSlowdown(*quiet_, phase, *stage_.options.slowest_delta, stage_.faults);
    }
    return absl::OkStatus();
  }

  // What is committed from then on is the fan-out's.
  void CountFrom(base::Revision revision) { last_ = revision; }

 private:
  static uint64_t& OthersIn(Phase& phase) { return phase.sums["commits of the group's fan-out"]; }

  // How many commits of others came since the last change of its own. That is sent once more, which commits nothing.
  absl::StatusOr<uint64_t> CountSince() {
    ASSIGN_OR_RETURN(const v1::ApplyChangesResponse response, stage_.agency.Apply(feed_, last_change_));
    return response.commit().revision() - std::exchange(last_, response.commit().revision());
  }

  // The members are those whom a fan-out comes to last: between these changes, each a commit, there are no others.
  absl::Status ExpectNoMore(const std::string& name) {
    ASSIGN_OR_RETURN(const uint64_t more, ChangeAll());
    if (more > 0) stage_.faults.Add(absl::StrCat(name, ": the fan-out went on when both members had synced"));
    return absl::OkStatus();
  }

  absl::Status RunRound(Phase& phase) {
    ASSIGN_OR_RETURN(const uint64_t between, ChangeAll());
    OthersIn(phase) += between;
    // By themselves: of a carer's devices none becomes the one in use by that, which would be further commits.
    stage_.report.Measure(phase, [&] { stage_.fleet.RunOnce(v1::SYNC_TYPE_AUTO, phase.syncs); });
    absl::SleepFor(kRoundPause);
    return absl::OkStatus();
  }

  Stage& stage_;
  RotaFeed& feed_;
  PrivateVisits visits_;
  base::Revision last_ = 0;
  v1::ApplyChangesRequest last_change_;
  const Phase* quiet_ = nullptr;
};

}  // namespace

absl::Status RunGroup(Stage& stage) {
  ASSIGN_OR_RETURN(const std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(0));
  LargeGroup group(stage, *feed);
  Bystanders bystanders(stage, *feed);
  RETURN_IF_ERROR(group.Prepare());
  RETURN_IF_ERROR(bystanders.ChangeAll().status());
  Phase& first = stage.report.AddPhase("new visits");
  stage.report.Measure(first, [&] { stage.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, first.syncs); });
  RETURN_IF_ERROR(bystanders.RunQuietly("quiet"));

  ASSIGN_OR_RETURN(Members members, Members::Make(stage, group));
  const size_t all = static_cast<size_t>(stage.options.group_service_users);
  const auto change = [&](const std::string& name, int first_member, bool dissolved, size_t leaver_sees,
                          size_t stayer_sees) -> absl::Status {
    // Of one that was stopped the members' syncs may be under way still.
    if (StopWished()) return absl::OkStatus();
    RETURN_IF_ERROR(group.PutMembers(first_member, dissolved).status());
    bystanders.CountFrom(group.revision());
    RETURN_IF_ERROR(bystanders.RunUntilThrough(name, members));
    if (!StopWished()) members.Check(name, leaver_sees, stayer_sees);
    return absl::OkStatus();
  };
  const int half = stage.options.group_carers / 2;
  RETURN_IF_ERROR(change("group set up", 0, false, all, all));
  // What is usual where there is such a group: the store is larger by what all of it see, and the machine's mood may be
  // another one by now. Behind the next change feeds are compacted, and it is not quiet for long.
  if (!StopWished()) RETURN_IF_ERROR(bystanders.RunQuietly("quiet, with the group"));
  RETURN_IF_ERROR(change("half leaves", half, false, 0, all));
  RETURN_IF_ERROR(change("dissolved", half, true, 0, 0));
  return feed->Close();
}

}  // namespace caresync::loadtest
