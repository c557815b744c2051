#include "loadtest/dialogues.h"

#include <fstream>
#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "loadtest/server_process.h"

namespace caresync::loadtest {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

Dialogue Empty(const std::string& carer) {
  Dialogue dialogue{carer, v1::SYNC_TYPE_AUTO, {}};
  v1::SyncResponse& response = dialogue.responses.emplace_back();
  response.mutable_started()->set_session_id("one");
  response.mutable_sync_recorded();
  return dialogue;
}

Dialogue Clean(const std::string& carer) {
  Dialogue dialogue{carer, v1::SYNC_TYPE_CLEAN, {}};
  dialogue.responses.emplace_back().mutable_started();
  dialogue.responses.emplace_back().mutable_changes()->add_upserts()->set_payload("payload");
  dialogue.responses.emplace_back().mutable_sync_recorded();
  return dialogue;
}

class DialoguesTest : public testing::Test {
 protected:
  void SetUp() override {
    auto directory = TemporaryDirectory::Make();
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
    file_ = directory_->path() + "/dialogues";
  }

  std::string Content() const {
    std::ifstream stream(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void PutContent(const std::string& content) const { std::ofstream(file_, std::ios::binary) << content; }

  std::unique_ptr<TemporaryDirectory> directory_;
  std::string file_;
};

TEST_F(DialoguesTest, AreReadAsTheyWereWritten) {
  ASSERT_TRUE(WriteDialogues(file_, {Empty("carer 1"), Clean("carer 2")}).ok());
  const auto read = ReadDialogues(file_);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_THAT(*read, SizeIs(2));
  EXPECT_EQ((*read)[0].carer_id, "carer 1");
  EXPECT_EQ((*read)[0].type, v1::SYNC_TYPE_AUTO);
  ASSERT_THAT((*read)[0].responses, SizeIs(1));
  EXPECT_EQ((*read)[0].responses[0].started().session_id(), "one");
  EXPECT_EQ((*read)[1].carer_id, "carer 2");
  EXPECT_EQ((*read)[1].type, v1::SYNC_TYPE_CLEAN);
  ASSERT_THAT((*read)[1].responses, SizeIs(3));
  EXPECT_EQ((*read)[1].responses[1].changes().upserts(0).payload(), "payload");
}

TEST_F(DialoguesTest, AFileThatIsCutIsRefused) {
  ASSERT_TRUE(WriteDialogues(file_, {Empty("carer 1"), Clean("carer 2")}).ok());
  const std::string whole = Content();
  // Between two messages of the second sync: its last one is two bytes and their length.
  PutContent(whole.substr(0, whole.size() - 3));
  const absl::Status no_end = ReadDialogues(file_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(no_end)) << no_end;
  EXPECT_THAT(std::string(no_end.message()), HasSubstr("a sync has no end"));
}

TEST_F(DialoguesTest, AnotherFileIsRefusedByName) {
  PutContent("");
  EXPECT_THAT(std::string(ReadDialogues(file_).status().message()), HasSubstr("it holds no sync"));
  PutContent("\xff\xff\xff\xff\xff\xff");
  const absl::Status status = ReadDialogues(file_).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--scenario record"));
}

}  // namespace
}  // namespace caresync::loadtest
