// Plays every section of every *.dialogue file beside this one, each as a test.
#include "tests/spec/dialogue.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/spec/stage.h"

namespace caresync::spec {
namespace {

std::string TestName(const std::string& title) {
  std::string name;
  bool begins = true;
  for (const char c : title) {
    if (absl::ascii_isalnum(c)) name += begins ? absl::ascii_toupper(c) : c;
    begins = !absl::ascii_isalnum(c);
  }
  return name;
}

class DialogueTest : public testing::Test {
 public:
  DialogueTest(std::string path, Section section) : path_(std::move(path)), section_(std::move(section)) {}

  void TestBody() override {
    Stage stage;
    for (const Line& line : section_.lines) {
      const absl::Status status = stage.Play(line.text);
      if (status.ok()) continue;
      return Fail(line, std::string(status.message()));
    }
    const absl::Status status = stage.CheckEnd();
    if (!status.ok()) Fail(section_.lines.back(), std::string(status.message()));
  }

 private:
  void Fail(const Line& line, const std::string& what) {
    ADD_FAILURE_AT(path_.c_str(), line.number) << line.text << "\n  " << what;
  }

  std::string path_;
  Section section_;
};

void RegisterDialogues(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".dialogue") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const std::filesystem::path& path : paths) {
    for (const Section& section : ReadDialogue(path.string()).sections) {
      const std::string suite = TestName(path.stem().string());
      testing::RegisterTest(suite.c_str(), TestName(section.title).c_str(), nullptr, nullptr, path.c_str(),
                            section.lines.empty() ? 0 : section.lines.front().number,
                            [path, section]() { return new DialogueTest(path.string(), section); });
    }
  }
}

}  // namespace
}  // namespace caresync::spec

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  caresync::spec::RegisterDialogues(CARESYNC_DIALOGUES);
  return RUN_ALL_TESTS();
}
