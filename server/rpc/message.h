// Messages of calls whose bytes this server parses itself: gRPC would answer what does not parse with a bare INTERNAL,
// or, on a stream, take it for the end; here it is MESSAGE_NOT_UNDERSTOOD. Unknown fields are passed over and unknown
// enum values are kept, for who reads the field to judge. A message above limits::kMessageBytes never comes here: gRPC
// ends the call with RESOURCE_EXHAUSTED.
#ifndef CARESYNC_SERVER_RPC_MESSAGE_H_
#define CARESYNC_SERVER_RPC_MESSAGE_H_

#include "absl/base/internal/raw_logging.h"
#include "absl/status/statusor.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/base/errors.h"

namespace caresync::rpc {

// Errors: MESSAGE_NOT_UNDERSTOOD. Empties `bytes`.
template <typename Message>
absl::StatusOr<Message> ParseMessage(grpc::ByteBuffer& bytes) {
  Message message;
  // Without a byte gRPC keeps no buffer at all.
  if (!bytes.Valid() || bytes.Length() == 0) return message;
  if (!grpc::SerializationTraits<Message>::Deserialize(&bytes, &message).ok()) {
    return base::errors::MessageNotUnderstood(Message::descriptor()->full_name());
  }
  return message;
}

template <typename Message>
grpc::ByteBuffer SerializeMessage(const Message& message) {
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  const bool ok = grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own_buffer).ok();
  ABSL_RAW_CHECK(ok, "a message made here does not serialize");
  return bytes;
}

}  // namespace caresync::rpc

#endif  // CARESYNC_SERVER_RPC_MESSAGE_H_
