// What the tests of the device's side share: a store in a folder of its own, and messages of the server.
#ifndef CARESYNC_TESTS_CLI_HELD_COPY_H_
#define CARESYNC_TESTS_CLI_HELD_COPY_H_

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "caresync/v1/device_sync.pb.h"
#include "gtest/gtest.h"
#include "tools/caresync/device_store.h"

namespace caresync::cli {

inline constexpr char kCarer[] = "11111111-1111-4111-8111-111111111111";

// A folder that is removed at the end.
class StateFolder {
 public:
  StateFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "caresync-cli-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~StateFolder() { std::filesystem::remove_all(path_); }
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  std::string file() const { return path_ + "/state/device.db"; }

 private:
  std::string path_;
};

inline DeviceStore OpenStore(const StateFolder& folder) {
  auto store = DeviceStore::Open(folder.file(), "demo");
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

// A batch of visits, by ID and payload.
inline v1::Changes Batch(uint64_t rebuild_number, const std::string& token,
                         const std::vector<std::pair<std::string, std::string>>& visits) {
  v1::Changes changes;
  changes.set_rebuild_number(rebuild_number);
  changes.set_resume_token(token);
  for (const auto& [id, payload] : visits) {
    v1::Upsert& upsert = *changes.add_upserts();
    upsert.set_kind(v1::RECORD_KIND_VISIT);
    upsert.set_record_id(id);
    upsert.set_payload(payload);
  }
  return changes;
}

inline v1::CaughtUp CaughtUpAt(uint64_t rebuild_number, const std::string& token, uint64_t revision) {
  v1::CaughtUp caught_up;
  caught_up.set_rebuild_number(rebuild_number);
  caught_up.set_resume_token(token);
  caught_up.set_revision(revision);
  return caught_up;
}

inline std::vector<std::string> HeldIds(const DeviceStore& store) {
  std::vector<std::string> ids;
  auto records = store.Records(kCarer);
  EXPECT_TRUE(records.ok()) << records.status();
  for (const HeldRecord& record : *records) ids.push_back(record.id);
  return ids;
}

}  // namespace caresync::cli

#endif  // CARESYNC_TESTS_CLI_HELD_COPY_H_
