#include "tools/caresync/files.h"

#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "tests/fakes/temporary_directory.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

TEST(Files, AreReadAsTheyWereWritten) {
  const fakes::TemporaryDirectory folder;
  for (const std::string& content : {std::string(), std::string("a\0\n\xff", 4), std::string(200'000, 'x')}) {
    ASSERT_TRUE(ReplaceFile(folder / "file", content).ok());
    EXPECT_EQ(*ReadFile(folder / "file"), content);
    EXPECT_EQ(*ReadFileIfAny(folder / "file"), content);
  }
}

TEST(Files, ThatAreNotThereAreEmptyOnlyWhereThatWasAskedFor) {
  const fakes::TemporaryDirectory folder;
  EXPECT_EQ(ErrorReason(ReadFile(folder / "none").status()), "FILE_NOT_READABLE");
  EXPECT_EQ(*ReadFileIfAny(folder / "none"), "");
}

TEST(Files, ThatCannotBeReadAreAnErrorAndNotEmpty) {
  const fakes::TemporaryDirectory folder;
  std::filesystem::create_directory(folder / "folder");
  EXPECT_EQ(ErrorReason(ReadFile(folder / "folder").status()), "FILE_NOT_READABLE");
  EXPECT_EQ(ErrorReason(ReadFileIfAny(folder / "folder").status()), "FILE_NOT_READABLE");
  // Nobody can tell whether it is there.
  std::filesystem::create_symlink(folder / "loop", folder / "loop");
  EXPECT_EQ(ErrorReason(ReadFileIfAny(folder / "loop").status()), "FILE_NOT_READABLE");
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
