// A new store's directory is on the disk before anything in it is answered.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <system_error>

#include "storage/rocks_store.h"
#include "tests/fakes/temporary_directory.h"

namespace {

// The store of the test that runs, and whether its directory was flushed with the database's in it.
std::atomic<const std::string*> watched = nullptr;
std::atomic<bool> flushed_with_database = false;

}  // namespace

// In place of the system's, for this program: looks, and does the same.
extern "C" int fsync(int descriptor) {
  if (const std::string* store = watched; store != nullptr) {
    std::error_code gone;
    const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), gone);
    if (path == *store && std::filesystem::exists(*store + "/rocksdb")) flushed_with_database = true;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace caresync::fault {
namespace {

TEST(NewStore, ItsDatabaseIsOnTheDiskBeforeItIsOpen) {
  const fakes::TemporaryDirectory parent;
  const std::string directory = std::filesystem::canonical(parent.path()).string() + "/store";
  watched = &directory;
  const auto store = storage::RocksStore::Open(directory, {.reserved_bytes = 0});
  watched = nullptr;
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE(flushed_with_database);
}

}  // namespace
}  // namespace caresync::fault
