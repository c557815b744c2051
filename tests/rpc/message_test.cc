#include "server/rpc/message.h"

#include <string>

#include "caresync/v1/device_sync.pb.h"
#include "caresync/v1/tenants.pb.h"
#include "gtest/gtest.h"

namespace caresync::rpc {
namespace {

grpc::ByteBuffer Bytes(const std::string& text) {
  const grpc::Slice slice(text);
  return grpc::ByteBuffer(&slice, 1);
}

TEST(Message, ComesBackAsItWas) {
  v1::GetTenantRequest request;
  request.set_tenant_id("acme");
  grpc::ByteBuffer bytes = SerializeMessage(request);
  const auto parsed = ParseMessage<v1::GetTenantRequest>(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->tenant_id(), "acme");
}

TEST(Message, MayBeEmpty) {
  grpc::ByteBuffer none;
  EXPECT_TRUE(ParseMessage<v1::GetTenantRequest>(none).ok());
  grpc::ByteBuffer empty = SerializeMessage(v1::GetTenantRequest());
  EXPECT_TRUE(ParseMessage<v1::GetTenantRequest>(empty).ok());
}

TEST(Message, IsNamedWhereItIsNotUnderstood) {
  // A tag without its value; a string that is not UTF-8.
  for (const std::string& text : {std::string("\x0a", 1), std::string("\x0a\x01\xff", 3)}) {
    grpc::ByteBuffer bytes = Bytes(text);
    EXPECT_EQ(base::Reason(ParseMessage<v1::GetTenantRequest>(bytes).status()), "MESSAGE_NOT_UNDERSTOOD");
  }
}

TEST(Message, KeepsUnknownEnumValuesForWhoReadsTheField) {
  v1::SyncRequest request;
  request.mutable_start()->set_sync_type(static_cast<v1::SyncType>(99));
  grpc::ByteBuffer bytes = SerializeMessage(request);
  const auto parsed = ParseMessage<v1::SyncRequest>(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(static_cast<int>(parsed->start().sync_type()), 99);
}

}  // namespace
}  // namespace caresync::rpc
