#include "tools/caresync/files.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temporary_directory.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

constexpr size_t kMost = 200'000;

TEST(Files, AreReadAsTheyWereWritten) {
  const fakes::TemporaryDirectory folder;
  for (const std::string& content : {std::string(), std::string("a\0\n\xff", 4), std::string(200'000, 'x')}) {
    ASSERT_TRUE(ReplaceFile(folder / "file", content).ok());
    EXPECT_EQ(*ReadFile(folder / "file", kMost), content);
    EXPECT_EQ(*ReadFileIfAny(folder / "file", kMost), content);
  }
}

TEST(Files, ThatAreNotThereAreEmptyOnlyWhereThatWasAskedFor) {
  const fakes::TemporaryDirectory folder;
  EXPECT_EQ(ErrorReason(ReadFile(folder / "none", kMost).status()), "FILE_NOT_READABLE");
  EXPECT_EQ(*ReadFileIfAny(folder / "none", kMost), "");
}

TEST(Files, ThatCannotBeReadAreAnErrorAndNotEmpty) {
  const fakes::TemporaryDirectory folder;
  std::filesystem::create_directory(folder / "folder");
  EXPECT_EQ(ErrorReason(ReadFile(folder / "folder", kMost).status()), "FILE_NOT_READABLE");
  EXPECT_EQ(ErrorReason(ReadFileIfAny(folder / "folder", kMost).status()), "FILE_NOT_READABLE");
  // Nobody can tell whether it is there.
  std::filesystem::create_symlink(folder / "loop", folder / "loop");
  EXPECT_EQ(ErrorReason(ReadFileIfAny(folder / "loop", kMost).status()), "FILE_NOT_READABLE");
}

TEST(Files, ThatNeverEndAreRefusedAtOnce) {
  const fakes::TemporaryDirectory folder;
  ASSERT_EQ(mkfifo(std::string(folder / "pipe").c_str(), 0600), 0);
  for (const std::string& file : {std::string(folder / "pipe"), std::string("/dev/zero")}) {
    const absl::Status status = ReadFile(file, kMost).status();
    EXPECT_EQ(ErrorReason(status), "FILE_NOT_READABLE");
    EXPECT_THAT(status.message(), ::testing::HasSubstr(file));
    EXPECT_EQ(ErrorReason(ReadFileIfAny(file, kMost).status()), "FILE_NOT_READABLE");
  }
}

TEST(Files, ThatAreTooLargeAreRefusedByName) {
  const fakes::TemporaryDirectory folder;
  ASSERT_TRUE(ReplaceFile(folder / "large", std::string(kMost + 1, 'x')).ok());
  EXPECT_EQ(ErrorReason(ReadFile(folder / "large", kMost).status()), "FILE_TOO_LARGE");
  EXPECT_TRUE(ReadFile(folder / "large", kMost + 1).ok());
}

TEST(Files, AreNotPutInThePlaceOfADevice) {
  const fakes::TemporaryDirectory folder;
  std::filesystem::create_symlink("/dev/null", folder / "device");
  EXPECT_EQ(ErrorReason(ReplaceFile(folder / "device", "x")), "FILE_NOT_WRITABLE");
  EXPECT_EQ(ErrorReason(CheckReplaceable(folder / "device")), "FILE_NOT_WRITABLE");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "device"));
  EXPECT_TRUE(CheckReplaceable(folder / "none").ok());
}

TEST(Files, ThatCannotBeReplacedStayAsTheyAre) {
  const fakes::TemporaryDirectory folder;
  std::filesystem::create_directory(folder / "folder");
  EXPECT_EQ(ErrorReason(ReplaceFile(folder / "folder", "x")), "FILE_NOT_WRITABLE");
  EXPECT_TRUE(std::filesystem::is_directory(folder / "folder"));
  EXPECT_EQ(ErrorReason(ReplaceFile(folder / "none/file", "x")), "FILE_NOT_WRITABLE");
}

}  // namespace
}  // namespace caresync::cli
