// A small, correct model of a device: what an app keeps of each carer, and what it answers to the server.
#ifndef CARESYNC_TESTS_FAKES_TEST_DEVICE_H_
#define CARESYNC_TESTS_FAKES_TEST_DEVICE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "caresync/v1/device_sync.pb.h"
#include "caresync/v1/records.pb.h"
#include "server/base/random.h"
#include "server/base/uuid.h"

namespace caresync::fakes {

// Kind and ID to the payload's bytes as received.
using HeldRecords = std::map<std::pair<v1::RecordKind, std::string>, std::string>;

v1::CopySum SumOf(const HeldRecords& records);

// A value: all that it holds is durable, so a copy of it is the device as it was then (a device that is restored, or
// that crashed before what came later). What is lost in a crash is what was sent to it and not applied, and what it
// answered and nobody received. Used by one thread.
class TestDevice {
 public:
  // What the device keeps of one carer.
  struct CarerData {
    // The copy in use, and the last token applied to it; empty: none.
    HeldRecords in_use;
    std::string token;
    // The copy being made. Its token is empty until its first batch is applied.
    struct Making {
      uint64_t rebuild_number = 0;
      HeldRecords records;
      std::string token;
    };
    std::optional<Making> making;
    // Events that no result has named yet, in the order in which they were recorded.
    std::deque<v1::UploadedEvent> unsent;
    // The IDs of those that the last `start` declared and no result has named.
    std::set<std::string> declared;
    // Events that a result has named: kept for the day on which the server asks for them again.
    std::vector<v1::UploadedEvent> answered;
    // The last that came with results.
    std::string uploads_token;
    // The last result of each event that one came for.
    std::map<std::string, v1::EventResult> results;
    // Syncs that the server said it has recorded.
    uint64_t syncs_recorded = 0;
    // What it shows its carer; nullopt: no manual sync is due.
    std::optional<absl::Time> manual_sync_due_since;
    // The last `caught_up`: its revision, and whether the copy had the right count and sum.
    uint64_t revision = 0;
    bool matched = true;
  };

  explicit TestDevice(base::Uuid uuid, std::string name = "Pixel 6", std::string app_version = "4.2.0");

  const base::Uuid& uuid() const { return uuid_; }
  // The app is replaced by one of this version, which can keep records of this data level.
  void ReplaceApp(std::string app_version, uint32_t data_level);
  uint32_t data_level() const { return data_level_; }
  // Makes an empty one for a carer who is new to the device.
  CarerData& of(const base::Uuid& carer) { return carers_[carer]; }

  // A record of `carer`: it gets an ID, the next running number and, unless it is set, the carer. Returns the event.
  v1::UploadedEvent Record(const base::Uuid& carer, v1::CareEvent event, base::RandomSource& random);

  // The first message of a sync: the token of the copy being made where there is one, else of the copy in use, with its
  // count and sum; every unsent event is declared. A test may change it before it is sent.
  v1::SyncRequest Start(const base::Uuid& carer, v1::SyncType type);

  // The unsent events, in messages of at most `most` events.
  std::vector<v1::SyncRequest> Uploads(const base::Uuid& carer, size_t most = 100);

  // What answers `started.resend_events`: the answered events in messages of at most `most`, the last of which says
  // that these were all.
  std::vector<v1::SyncRequest> Resend(const base::Uuid& carer, size_t most = 100);

  // Applies a response, in the order of its fields, and returns the ack to send: one where it held a batch,
  // `caught_up` or copies to drop, else none. It names all copies that were dropped since the start.
  std::optional<v1::SyncRequest> Apply(const base::Uuid& carer, const v1::SyncResponse& response);

  // When it is to sync by itself; nullopt: never.
  std::optional<absl::Time> next_auto_sync() const { return next_auto_sync_; }

  // What the server did against the contract, such as a batch of a copy that it never announced. Empty: nothing.
  const std::vector<std::string>& faults() const { return faults_; }

 private:
  void TakePolicy(const v1::Policy& policy);
  // Drops the copies of these carers; what is not uploaded stays.
  void Drop(const google::protobuf::RepeatedPtrField<std::string>& carers);
  void ApplyResults(CarerData& data, const v1::UploadResult& result);
  void ApplyChanges(CarerData& data, const v1::Changes& changes);
  v1::CopySum ApplyCaughtUp(CarerData& data, const v1::CaughtUp& caught_up);
  void Expect(bool holds, std::string fault);

  base::Uuid uuid_;
  std::string name_;
  std::string app_version_;
  uint32_t data_level_ = 1;
  uint64_t last_sequence_ = 0;
  std::map<base::Uuid, CarerData> carers_;
  // As the server said last.
  std::optional<absl::Time> next_auto_sync_;
  // Carers whose copies it dropped since its last start.
  std::set<std::string> dropped_;
  std::vector<std::string> faults_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_TEST_DEVICE_H_
