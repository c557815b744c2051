// What a store writes beside its database is on the disk before anything is answered: its directory, and the files that
// come into being whole or not at all.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/rocks_store.h"
#include "tests/fakes/commits.h"
#include "tests/fakes/temporary_directory.h"

namespace {

// What the system was asked to do with files of the store that is watched.
struct Asked {
  enum class What { kFlush, kRename } what;
  std::string path;
  // Of a rename.
  std::string to;
  // Of a file: when it was asked. Bytes that are written after a flush are not flushed.
  off_t bytes = 0;
  // Of the store's directory: whether the database's was in it.
  bool has_database = false;
};

std::mutex mutex;
// Empty: none is watched.
std::string watched;
std::vector<Asked> asked;

off_t SizeOf(const std::string& path) {
  struct stat file {};
  return stat(path.c_str(), &file) == 0 ? file.st_size : -1;
}

void Note(Asked what) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (watched.empty() || (what.path != watched && std::filesystem::path(what.path).parent_path() != watched)) return;
  what.bytes = SizeOf(what.path);
  what.has_database = std::filesystem::exists(watched + "/rocksdb");
  asked.push_back(std::move(what));
}

}  // namespace

// In place of the system's, for this program: each notes what it was asked, and does the same.
extern "C" int fsync(int descriptor) {
  std::error_code gone;
  const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor), gone);
  if (!gone) Note({.what = Asked::What::kFlush, .path = path.string(), .to = ""});
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  Note({.what = Asked::What::kRename, .path = from, .to = to});
  return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

namespace caresync::fault {
namespace {

class NewStore : public testing::Test {
 protected:
  ~NewStore() override { Watch(""); }

  static void Watch(const std::string& directory) {
    const std::lock_guard<std::mutex> lock(mutex);
    watched = directory;
    asked.clear();
  }

  // Opens the store and has one commit taken. What was asked meanwhile, of the opening alone.
  std::vector<Asked> Open() {
    Watch(directory_);
    const auto store = storage::RocksStore::Open(directory_, {.reserved_bytes = 0});
    std::vector<Asked> of_opening;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      of_opening = asked;
    }
    EXPECT_TRUE(store.ok()) << store.status();
    if (!store.ok()) return of_opening;
    const auto committed = fakes::CommitAndWait(**store, fakes::PutOf(storage::Space::kRecords, "key", "value"));
    EXPECT_EQ(committed.outcome, storage::CommitOutcome::kCommitted) << committed.detail;
    return of_opening;
  }

  // The file is made under another name, flushed with all its bytes, given its own name, and that is flushed with its
  // directory: nothing of the store comes between.
  void ExpectWhole(const std::vector<Asked>& all, const std::string& name) {
    const auto renamed = std::find_if(all.begin(), all.end(), [&](const Asked& one) {
      return one.what == Asked::What::kRename && one.to == directory_ + "/" + name;
    });
    ASSERT_TRUE(renamed != all.begin() && renamed != all.end()) << name << " is not made under another name";
    const Asked& before = *std::prev(renamed);
    EXPECT_EQ(before.what, Asked::What::kFlush) << name;
    EXPECT_EQ(before.path, renamed->path) << name << " has its name before it is flushed";
    EXPECT_EQ(before.bytes, renamed->bytes) << name << " is flushed before it is written";
    EXPECT_GT(before.bytes, 0) << name;
    ASSERT_NE(std::next(renamed), all.end()) << name;
    const Asked& after = *std::next(renamed);
    EXPECT_EQ(after.what, Asked::What::kFlush) << name;
    EXPECT_EQ(after.path, directory_) << name << " is built upon before its name is flushed";
  }

  const fakes::TemporaryDirectory parent_;
  const std::string directory_ = std::filesystem::canonical(parent_.path()).string() + "/store";
};

TEST_F(NewStore, ItsDatabaseIsOnTheDiskBeforeItIsOpen) {
  const std::vector<Asked> all = Open();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Asked& one) {
    return one.what == Asked::What::kFlush && one.path == directory_ && one.has_database;
  }));
}

// RECOVERED comes with the second opening: it is the first that takes a log into tables.
TEST_F(NewStore, WhatSaysHowItIsToBeReadIsWholeOnTheDiskBeforeItIsOpen) {
  const std::vector<Asked> first = Open();
  ExpectWhole(first, "FORMAT");
  ExpectWhole(first, "ACKNOWLEDGED");
  ExpectWhole(Open(), "RECOVERED");
}

}  // namespace
}  // namespace caresync::fault
