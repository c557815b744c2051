#include "server/records/attachments.h"

#include <gtest/gtest.h>

#include <string>

#include "server/base/limits.h"

namespace caresync::records {
namespace {

namespace limits = base::limits;

v1::Attachment Good() {
  v1::Attachment attachment;
  attachment.set_attachment_id("33333333-3333-4333-8333-333333333333");
  attachment.set_sha256(std::string(32, '\xAB'));
  attachment.set_size_bytes(48'000);
  attachment.set_url("https://files.example/wound.jpg");
  return attachment;
}

std::string Fault(const v1::Attachment& attachment) {
  v1::CarePlan plan;
  *plan.add_attachments() = Good();
  *plan.add_attachments() = attachment;
  return FaultOf(plan.attachments()).value_or("none");
}

TEST(Attachments, GoodOnesHaveNoFault) {
  EXPECT_EQ(Fault(Good()), "none");
  EXPECT_EQ(FaultOf(v1::CarePlan().attachments()), std::nullopt);
}

TEST(Attachments, AFaultSaysWhichOneAndWhatIsWrong) {
  v1::Attachment attachment = Good();
  attachment.set_attachment_id("photo");
  EXPECT_EQ(Fault(attachment), "number 2 has an attachment_id that is no UUID");
  attachment = Good();
  attachment.set_sha256("abc");
  EXPECT_EQ(Fault(attachment), "number 2 has a sha256 that is not 32 bytes");
  attachment = Good();
  attachment.clear_size_bytes();
  EXPECT_EQ(Fault(attachment), "number 2 has no size_bytes");
}

TEST(Attachments, AUrlIsHttpsAndNotTooLong) {
  for (const std::string& url : {std::string(), std::string("https://"), std::string("http://files.example/a"),
                                 std::string("file:///etc/passwd"), std::string("https://\xFF"),
                                 "https://" + std::string(limits::kAttachmentUrlCharacters, 'x')}) {
    v1::Attachment attachment = Good();
    attachment.set_url(url);
    EXPECT_EQ(Fault(attachment), "number 2 has a url that is not https://... of at most 2,048 characters") << url;
  }
  v1::Attachment attachment = Good();
  attachment.set_url("https://" + std::string(limits::kAttachmentUrlCharacters - 8, 'x'));
  EXPECT_EQ(Fault(attachment), "none");
}

TEST(Attachments, AreSoManyAtMost) {
  v1::CareEvent event;
  for (int i = 0; i < limits::kAttachments; ++i) *event.add_attachments() = Good();
  EXPECT_EQ(FaultOf(event.attachments()), std::nullopt);
  *event.add_attachments() = Good();
  EXPECT_EQ(FaultOf(event.attachments()), "are 51; at most 50 are taken");
}

}  // namespace
}  // namespace caresync::records
