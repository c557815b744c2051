// Keys: any bytes are read or refused, what was read is what was written, and the order of keys is that of their parts.
//
// The first byte says which: 0, the rest is a key; 1, two tuples of the same form; 2, two keys with a time.
#include "server/base/keys.h"

#include <array>
#include <cstdint>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "storage/tuple.h"
#include "tests/fuzz/input.h"

namespace caresync::fuzz {
namespace {

namespace keys = base::keys;
using base::RecordKey;
using base::Revision;
using base::TenantId;
using base::Uuid;

// ---- Any bytes as a key

void ReadRecordsKey(const TenantId& tenant, const std::string& key) {
  Revision revision = 0;
  int64_t time = 0;
  std::string text;
  std::string digest;
  std::string reason;
  RecordKey first;
  RecordKey second;
  base::ReceiverId receiver;
  Uuid carer;
  bool resolved = false;
  const auto same = [&key](const std::string& written) { Require(written == key, "a key is not what it was read as"); };
  if (keys::ParseTimeline(key, &revision)) same(keys::Timeline(tenant, revision));
  if (keys::ParseTask(key, &time, &text)) same(keys::Task(tenant, time, text));
  if (keys::ParseRecord(key, &first)) same(keys::Record(tenant, first));
  if (keys::ParseGrant(key, &first, &receiver, &reason)) same(keys::Grant(tenant, first, receiver, reason));
  if (keys::ParseChild(key, &first, &second)) same(keys::Child(tenant, first, second));
  if (keys::ParseMember(key, &first, &second)) same(keys::Member(tenant, first, second));
  if (keys::ParseGroupOf(key, &first, &second)) same(keys::GroupOf(tenant, first, second));
  if (keys::ParseGroupRecord(key, &first, &second)) same(keys::GroupRecord(tenant, first, second));
  if (keys::ParseVisitByStart(key, &time, &first)) same(keys::VisitByStart(tenant, time, first));
  if (keys::ParseVisitByEnd(key, &time, &first)) same(keys::VisitByEnd(tenant, time, first));
  if (keys::ParseVisitEnd(key, &carer, &time, &first)) same(keys::VisitEnd(tenant, carer, time, first));
  if (keys::ParseReviewItem(key, &text, &digest)) same(keys::ReviewItem(tenant, text, digest));
  if (keys::ParseWaiting(key, &first)) same(keys::Waiting(tenant, first));
  if (keys::ParseWaitingFor(key, &first, &second)) same(keys::WaitingFor(tenant, first, second));
  if (keys::ParseMismatchLook(key, &time, &carer, &first)) same(keys::MismatchLook(tenant, time, carer, first));
  if (keys::ParseOpenMismatch(key, &carer, &first)) same(keys::OpenMismatch(tenant, carer, first));
  if (keys::ParseToldMismatch(key, &revision, &carer, &first)) {
    same(keys::ToldMismatch(tenant, revision, carer, first));
  }
  uint64_t number = 0;
  if (keys::ParseNotice(key, &number)) same(keys::Notice(tenant, number));
  if (keys::ParseDeadNotice(key, &number)) same(keys::DeadNotice(tenant, number));
  if (keys::ParseNoticeDue(key, &time, &number)) same(keys::NoticeDue(tenant, time, number));
  if (keys::ParseNotificationSettings(key, &text)) same(keys::NotificationSettings(tenant, text));
  if (keys::ParseRaisedMismatch(key, &text, &carer, &first)) same(keys::RaisedMismatch(tenant, text, carer, first));
  if (keys::ParseHeldMismatch(key, &text, &carer, &first)) same(keys::HeldMismatch(tenant, text, carer, first));
  if (keys::ParseOverdueBranch(key, &text)) same(keys::OverdueBranch(tenant, text));
  // Of these a key does not tell all parts: that they are read to an end is what there is to see.
  (void)keys::ParseListedMismatch(key, &carer, &first);
  (void)keys::ParseFanOutScope(key, &text);
  (void)keys::ParseReviewByRevision(key, &resolved, &revision, &text, &digest);
  (void)keys::ParseReviewOf(key, &text, &digest);
  (void)keys::ParseFeedEntry(key, &revision, &first);
}

void ReadDevicesKey(const TenantId& tenant, const std::string& key) {
  Uuid device;
  Uuid carer;
  keys::DevicePart part{};
  uint64_t number = 0;
  int64_t time = 0;
  const auto same = [&key](const std::string& written) { Require(written == key, "a key is not what it was read as"); };
  if (keys::ParseDeviceRow(key, &device, &part)) same(keys::DeviceRow(tenant, device, part));
  if (keys::ParseSync(key, &device, &number)) same(keys::Sync(tenant, device, number));
  if (keys::ParseSyncOfCarer(key, &carer, &time, &device, &number)) {
    same(keys::SyncOfCarer(tenant, carer, time, device, number));
  }
}

void ReadKey(const std::string& key) {
  std::string name;
  (void)keys::ParseTenantListing(key, &name);
  storage::TupleReader reader(key);
  if (!reader.String(&name)) name.clear();
  // Where the key is of no tenant that can be, what is read of it cannot be written.
  const absl::StatusOr<TenantId> tenant = TenantId::Parse(name);
  if (!tenant.ok()) return;
  ReadRecordsKey(*tenant, key);
  ReadDevicesKey(*tenant, key);
}

// ---- Tuples

using Part = std::variant<std::string, uint64_t>;

std::string Encode(const std::vector<Part>& parts) {
  storage::TupleWriter writer;
  for (const Part& part : parts) {
    if (const std::string* text = std::get_if<std::string>(&part)) {
      writer.String(*text);
    } else {
      writer.Uint64(std::get<uint64_t>(part));
    }
  }
  return writer.Take();
}

void CheckReadsBack(const std::vector<Part>& parts) {
  const std::string encoded = Encode(parts);
  storage::TupleReader reader(encoded);
  for (const Part& part : parts) {
    Part read = part;
    const bool ok = std::holds_alternative<std::string>(part) ? reader.String(&std::get<std::string>(read))
                                                              : reader.Uint64(&std::get<uint64_t>(read));
    Require(ok && read == part, "a tuple is not what was written");
  }
  Require(reader.AtEnd(), "a tuple is longer than what was written");
}

void CompareTuples(Input& input) {
  std::array<std::vector<Part>, 2> tuples;
  const size_t parts = input.Byte() % 5;
  for (size_t i = 0; i < parts; ++i) {
    const bool is_text = input.Byte() % 2 == 0;
    for (std::vector<Part>& tuple : tuples) {
      tuple.push_back(is_text ? Part(input.Chunk()) : Part(input.Number()));
    }
  }
  for (const std::vector<Part>& tuple : tuples) CheckReadsBack(tuple);
  const std::string first = Encode(tuples[0]);
  const std::string second = Encode(tuples[1]);
  Require((first < second) == (tuples[0] < tuples[1]), "tuples are not in the order of their parts");
  Require((first == second) == (tuples[0] == tuples[1]), "two tuples have one form");
  tuples[0].emplace_back(uint64_t{0});
  Require(Encode(tuples[0]).starts_with(first), "a tuple is no prefix of a longer one");
}

// ---- Times in keys

void CompareTimes(Input& input) {
  const TenantId tenant = *TenantId::Parse("a");
  const auto time = [&input] { return static_cast<int64_t>(input.Number()); };
  // In braces the parts are read in this order.
  const std::tuple<int64_t, std::string> first{time(), input.Chunk()};
  const std::tuple<int64_t, std::string> second{time(), input.Chunk()};
  const auto task = [&](const std::tuple<int64_t, std::string>& of) {
    return keys::Task(tenant, std::get<0>(of), std::get<1>(of));
  };
  const auto visit = [&](const std::tuple<int64_t, std::string>& of) {
    return keys::VisitByStart(tenant, std::get<0>(of), {std::get<1>(of)});
  };
  const auto look = [&](const std::tuple<int64_t, std::string>& of) {
    return keys::MismatchLook(tenant, std::get<0>(of), Uuid(), {std::get<1>(of)});
  };
  const auto listed = [&](const std::tuple<int64_t, std::string>& of) {
    return keys::ListedMismatch(tenant, keys::MismatchGroup::kOpen, std::get<0>(of), Uuid(), {std::get<1>(of)});
  };
  Require((task(first) < task(second)) == (first < second), "tasks are not in the order of their times");
  Require((visit(first) < visit(second)) == (first < second), "visits are not in the order of their times");
  Require((look(first) < look(second)) == (first < second), "mismatches are not looked at in the order of their times");
  Require((listed(first) < listed(second)) == (first < second),
          "mismatches are not listed in the order of their ranks");
  const storage::KeyRange later = keys::TasksDueAfter(tenant, std::get<0>(first));
  const bool in_range = task(second) >= later.begin && task(second) < later.end;
  Require(in_range == (std::get<0>(second) > std::get<0>(first)), "a range of tasks holds another time's");
}

}  // namespace
}  // namespace caresync::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  caresync::fuzz::Input input(data, size);
  switch (input.Byte() % 3) {
    case 0:
      caresync::fuzz::ReadKey(input.Rest());
      break;
    case 1:
      caresync::fuzz::CompareTuples(input);
      break;
    default:
      caresync::fuzz::CompareTimes(input);
  }
  return 0;
}
