#include "storage/rocks_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/fakes/temporary_directory.h"

namespace caresync::storage {
namespace {

using fakes::TemporaryDirectory;
using ::testing::HasSubstr;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(RocksDirectory, ANewOneGetsItsFormat) {
  TemporaryDirectory parent;
  auto directory = RocksDirectory::Open(parent / "data");
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(ReadFile(parent / "data/FORMAT"), "caresync store format 1\n");
  EXPECT_EQ((*directory)->acknowledged(), std::nullopt);
}

TEST(RocksDirectory, ItsNameMayEndWithASlash) {
  TemporaryDirectory parent;
  EXPECT_TRUE(RocksDirectory::Open(parent / "data/").ok());
}

TEST(RocksDirectory, ParentMustExist) {
  TemporaryDirectory parent;
  absl::Status status = RocksDirectory::Open(parent / "absent/data").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(status), HasSubstr("absent/data"));
  EXPECT_FALSE(std::filesystem::exists(parent / "absent"));
}

TEST(RocksDirectory, AFileInItsPlaceIsAnError) {
  TemporaryDirectory parent;
  WriteFile(parent / "data", "");
  EXPECT_EQ(RocksDirectory::Open(parent / "data").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(RocksDirectory::Open("").status().code(), absl::StatusCode::kUnavailable);
}

TEST(RocksDirectory, ASecondHolderIsToldWhoHasIt) {
  TemporaryDirectory parent;
  {
    auto first = RocksDirectory::Open(parent / "data");
    ASSERT_TRUE(first.ok());
    absl::Status second = RocksDirectory::Open(parent / "data").status();
    EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(MessageOf(second), HasSubstr(absl::StrCat("another process (pid ", getpid(), ")")));
  }
  EXPECT_TRUE(RocksDirectory::Open(parent / "data").ok());
}

TEST(RocksDirectory, ANewerFormatIsRefusedAndNothingChanges) {
  TemporaryDirectory parent;
  ASSERT_TRUE(RocksDirectory::Open(parent / "data").ok());
  WriteFile(parent / "data/FORMAT", "caresync store format 2\n");
  WriteFile(parent / "data/LOCK", "12345\n");
  absl::Status status = RocksDirectory::Open(parent / "data").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("has format 2"));
  EXPECT_THAT(MessageOf(status), HasSubstr("Start the newer version"));
  EXPECT_EQ(ReadFile(parent / "data/FORMAT"), "caresync store format 2\n");
  EXPECT_EQ(ReadFile(parent / "data/LOCK"), "12345\n");
}

TEST(RocksDirectory, AFormatThatCannotBeReadIsDamage) {
  for (const char* text : {"", "caresync store format \n", "caresync store format x\n", "caresync store format 1",
                           "0\n", "caresync store format 0\n", "caresync store format -1\n"}) {
    TemporaryDirectory parent;
    ASSERT_TRUE(RocksDirectory::Open(parent / "data").ok());
    WriteFile(parent / "data/FORMAT", text);
    EXPECT_EQ(RocksDirectory::Open(parent / "data").status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

TEST(RocksDirectory, DataWithoutAFormatIsRefused) {
  TemporaryDirectory parent;
  std::filesystem::create_directories(parent / "data/rocksdb");
  WriteFile(parent / "data/rocksdb/CURRENT", "x");
  EXPECT_EQ(RocksDirectory::Open(parent / "data").status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(std::filesystem::exists(parent / "data/FORMAT"));
}

TEST(RocksDirectory, TheMarkIsFoundAgain) {
  TemporaryDirectory parent;
  {
    auto directory = RocksDirectory::Open(parent / "data");
    ASSERT_TRUE(directory.ok());
    ASSERT_TRUE((*directory)->Acknowledge(300).ok());
    ASSERT_TRUE((*directory)->Acknowledge(7'000'000'000).ok());
    ASSERT_TRUE((*directory)->FlushMark().ok());
  }
  auto directory = RocksDirectory::Open(parent / "data");
  ASSERT_TRUE(directory.ok());
  EXPECT_EQ((*directory)->acknowledged(), 7'000'000'000u);
}

TEST(RocksDirectory, TheRecoveredLogIsFoundAgain) {
  TemporaryDirectory parent;
  {
    auto directory = RocksDirectory::Open(parent / "data");
    ASSERT_TRUE(directory.ok());
    EXPECT_EQ((*directory)->recovered_log(), 0u);
    ASSERT_TRUE((*directory)->SetRecoveredLog(4).ok());
    ASSERT_TRUE((*directory)->SetRecoveredLog(17).ok());
  }
  {
    auto directory = RocksDirectory::Open(parent / "data");
    ASSERT_TRUE(directory.ok());
    EXPECT_EQ((*directory)->recovered_log(), 17u);
  }
  WriteFile(parent / "data/RECOVERED", std::string(16, '\1'));
  absl::Status status = RocksDirectory::Open(parent / "data").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("RECOVERED"));
}

TEST(RocksDirectory, AMarkThatCannotBeReadIsDamage) {
  TemporaryDirectory parent;
  ASSERT_TRUE(RocksDirectory::Open(parent / "data").ok());
  WriteFile(parent / "data/ACKNOWLEDGED", std::string(16, '\1'));
  absl::Status status = RocksDirectory::Open(parent / "data").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr("ACKNOWLEDGED"));
}

TEST(FreeBytes, AreKnownOfADirectoryThatExists) {
  TemporaryDirectory parent;
  EXPECT_TRUE(FreeBytes(parent.path()).ok());
  EXPECT_EQ(FreeBytes(parent / "absent").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace caresync::storage
