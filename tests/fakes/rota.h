// Roster changes for tests, in few words. Names and IDs are the external ID; times are on one day.
#ifndef CARESYNC_TESTS_FAKES_ROTA_H_
#define CARESYNC_TESTS_FAKES_ROTA_H_

#include <string>
#include <vector>

#include "caresync/v1/roster.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace caresync::fakes {

// 2026-03-02 at this hour, UTC.
google::protobuf::Timestamp AtHour(int hour);

v1::RosterChange CareServiceChange(const std::string& external_id);
v1::RosterChange BranchChange(const std::string& external_id, const std::string& care_service = "");
v1::RosterChange CarerChange(const std::string& external_id, const std::string& branch = "");
v1::RosterChange ServiceUserChange(const std::string& external_id, const std::string& branch = "");
// A published visit from nine to ten by each of `carers`.
v1::RosterChange VisitChange(const std::string& external_id, const std::string& service_user,
                             const std::vector<std::string>& carers);
// As many of these, "visit-0" and on, each with notes of some kilobytes: together they do not fit in one batch.
std::vector<v1::RosterChange> LongVisitChanges(int count, const std::string& service_user,
                                               const std::vector<std::string>& carers);

v1::RosterChange GroupChange(const std::string& external_id, const std::vector<std::string>& carers);

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_ROTA_H_
