// Devices whose carers are in no group, while a large group of others is set up, changed and dissolved.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "caresync/v1/service_users.grpc.pb.h"
#include "loadtest/rota_changer.h"
#include "loadtest/scenarios.h"
#include "loadtest/slowdown.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"
#include "tools/caresync/errors.h"

namespace caresync::loadtest {
namespace {

constexpr int kChangedRecords = 5;
constexpr int kChangesOfMessage = 100;
// Only a server that hangs meets these: of a call, of a fan-out.
constexpr std::chrono::seconds kDeadline{120};
constexpr absl::Duration kFanOutPatience = absl::Hours(3);
// A fan-out that committed nothing for so long is through: its steps take a few hundredths of a second.
constexpr absl::Duration kFanOutSilence = absl::Seconds(1);

std::string CarerName(int i) { return absl::StrCat("group/carer/", i); }
std::string ServiceUserName(int i) { return absl::StrCat("group/service-user/", i); }

// The group, its carers and the service users that they may see through it. The model knows none of them: no device is
// theirs.
class LargeGroup {
 public:
  LargeGroup(Stage& stage, RotaFeed& feed) : stage_(stage), feed_(feed) {}

  // Makes carers, service users and the group, which has no members yet and sees all these service users.
  absl::Status Prepare() {
    ASSIGN_OR_RETURN(const std::string group, PutMembers(stage_.options.group_carers, /*dissolved=*/false));
    RETURN_IF_ERROR(Apply(stage_.options.group_carers, [](int i, v1::RosterChange& change) {
                      change.set_external_id(CarerName(i));
                      change.mutable_carer()->set_name(absl::StrCat("Member ", i));
                    }).status());
    ASSIGN_OR_RETURN(const std::vector<std::string> service_users,
                     Apply(stage_.options.group_service_users, [](int i, v1::RosterChange& change) {
                       change.set_external_id(ServiceUserName(i));
                       change.mutable_service_user()->set_name(absl::StrCat("Service user ", i));
                     }));
    for (const std::string& service_user : service_users) RETURN_IF_ERROR(GiveAccess(service_user, group));
    return absl::OkStatus();
  }

  // The group's members are the carers from `first` on. Gives the group's record ID.
  absl::StatusOr<std::string> PutMembers(int first, bool dissolved) {
    ASSIGN_OR_RETURN(const std::vector<std::string> ids, Apply(1, [&](int, v1::RosterChange& change) {
                       change.set_external_id("group");
                       v1::RosterEmployeeGroup& group = *change.mutable_employee_group();
                       group.set_name("Everybody");
                       group.set_dissolved(dissolved);
                       for (int i = first; i < stage_.options.group_carers; ++i) group.add_carers(CarerName(i));
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
    }
    return others;
  }

  // Rounds until the fan-out is through, where there is one, however long that takes; else until the time is over. The
  // first call is without one: the others are compared with it.
  absl::Status Run(const std::string& name, bool fan_out) {
    Phase& phase = stage_.report.AddPhase(name);
    uint64_t& others = phase.sums["commits of the group's fan-out"];
    const Deadline deadline(fan_out ? kFanOutPatience : stage_.options.duration);
    Deadline silence(kFanOutSilence);
    bool through = false;
    while (!deadline.passed()) {
      ASSIGN_OR_RETURN(const uint64_t between, ChangeAll());
      if (between > 0) silence = Deadline(kFanOutSilence);
      through = fan_out && silence.passed();
      if (through) break;
      others += between;
      stage_.report.Measure(phase, [&] { stage_.fleet.RunOnce(v1::SYNC_TYPE_STANDARD, phase.syncs); });
    }
    if (fan_out && !through && !StopWished())
      stage_.faults.Add(absl::StrCat(name, ": the fan-out does not come to an end"));
    if (fan_out != (others > 0)) {
      stage_.faults.Add(absl::StrCat(name, ": ", others, " commits of others, where a fan-out was ",
                                     fan_out ? "to be" : "not to be", " under way"));
    }
    if (!fan_out) quiet_ = &phase;
    if (stage_.options.slowest_delta.has_value()) {
      CheckSlowdown(*quiet_, phase, *stage_.options.slowest_delta, stage_.faults);
    }
    return absl::OkStatus();
  }

  // The group's own changes are none of others.
  void Forget() { last_ = 0; }

 private:
  Stage& stage_;
  RotaFeed& feed_;
  PrivateVisits visits_;
  base::Revision last_ = 0;
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
  RETURN_IF_ERROR(bystanders.Run("quiet", /*fan_out=*/false));

  const auto change = [&](const std::string& name, int first_member, bool dissolved) -> absl::Status {
    RETURN_IF_ERROR(group.PutMembers(first_member, dissolved).status());
    bystanders.Forget();
    RETURN_IF_ERROR(bystanders.ChangeAll().status());
    return bystanders.Run(name, /*fan_out=*/true);
  };
  const int half = stage.options.group_carers / 2;
  RETURN_IF_ERROR(change("group set up", 0, false));
  RETURN_IF_ERROR(change("half leaves", half, false));
  RETURN_IF_ERROR(change("dissolved", half, true));
  return feed->Close();
}

}  // namespace caresync::loadtest
