// Messages and rows in the words of the dialogues.
#ifndef CARESYNC_TESTS_SPEC_RENDER_H_
#define CARESYNC_TESTS_SPEC_RENDER_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "caresync/v1/deliveries.pb.h"
#include "caresync/v1/device_sync.pb.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "tests/fakes/test_device.h"

namespace caresync::spec {

// What a dialogue calls records, events and devices, by their IDs.
using NamesById = std::map<std::string, std::string>;

// "02 10:00:00"; "never".
std::string TimeText(std::optional<absl::Time> time);

// "started, changes +v1 -v2, caught_up 4": the parts in the order of their numbers, records by name, in order.
std::string Render(const v1::SyncResponse& response, const NamesById& names);

// "c1 p1 v1".
std::string Render(const fakes::HeldRecords& records, const NamesById& names);

// "OK", or the stable reason.
std::string Render(const absl::Status& status);

// One string a fact, such as "outcome SUCCEEDED". Times are UTC; what is absent is "never".
std::vector<std::string> Facts(const v1::SyncSummary& sync, const NamesById& names);
std::vector<std::string> Facts(const v1::Device& device, const NamesById& names);
// Why the device has not taken it, and what shows that.
std::vector<std::string> Facts(const v1::Mismatch& mismatch, const NamesById& names);
std::vector<std::string> Facts(const v1::ExplainVisitResponse& told, const NamesById& names);
// OK where all that are expected ("outcome SUCCEEDED, upserts 3") are among them.
absl::Status HasFacts(const std::vector<std::string>& facts, const std::string& expected);

// "v1 of c1 AT_RISK MOVED": the visit, the carer, how it stands, what changed.
std::string Render(const v1::Mismatch& mismatch, const NamesById& names);

}  // namespace caresync::spec

#endif  // CARESYNC_TESTS_SPEC_RENDER_H_
