#include "server/outbox/outbox_list.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "caresync/store/outbox.pb.h"
#include "server/base/errors.h"
#include "server/base/keys.h"
#include "server/base/page.h"
#include "server/base/proto_time.h"
#include "server/base/status_macros.h"
#include "server/base/stored.h"

namespace caresync::outbox {
namespace {

namespace keys = base::keys;

// Of one list, so that a token of the other is refused.
std::string QueryOf(const v1::ListOutboxRequest& request) { return request.given_up() ? "given up" : "waiting"; }

absl::StatusOr<uint64_t> NumberAfter(const v1::ListOutboxRequest& request) {
  ASSIGN_OR_RETURN(const std::string after, base::DecodePageToken(QueryOf(request), request.page_token()));
  uint64_t number = 0;
  if (!after.empty() && !absl::SimpleAtoi(after, &number)) return base::errors::PageTokenNotValid();
  return number;
}

v1::OutboxNotice ToProto(const store::OutboxNotice& notice) {
  v1::OutboxNotice proto;
  proto.set_notice_id(notice.notice_id());
  proto.set_kind(notice.kind());
  proto.set_subject(notice.subject());
  proto.set_email_address(notice.email_address());
  base::SetTime(notice.create_time_us(), [&] { return proto.mutable_create_time(); });
  proto.set_failures(notice.failures());
  base::SetTime(notice.failed_time_us(), [&] { return proto.mutable_failed_time(); });
  proto.set_failure(notice.failure());
  base::SetTime(notice.due_us(), [&] { return proto.mutable_next_try_time(); });
  return proto;
}

}  // namespace

absl::StatusOr<v1::ListOutboxResponse> ListOutbox(const storage::Reader& reader, const base::TenantId& tenant,
                                                  const v1::ListOutboxRequest& request) {
  ASSIGN_OR_RETURN(const int page_size, base::PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const uint64_t after, NumberAfter(request));
  const bool given_up = request.given_up();
  v1::ListOutboxResponse response;
  int seen = 0;
  uint64_t last = 0;
  bool more = false;
  bool damaged = false;
  // One more than the page holds shows whether another follows.
  RETURN_IF_ERROR(
      reader.Scan(storage::Space::kRecords, given_up ? keys::DeadNotices(tenant, after) : keys::Notices(tenant, after),
                  static_cast<size_t>(page_size) + 1, [&](std::string_view key, std::string_view row) {
                    more = seen == page_size;
                    if (more) return false;
                    damaged = given_up ? !keys::ParseDeadNotice(key, &last) : !keys::ParseNotice(key, &last);
                    if (damaged) return false;
                    ++seen;
                    const auto notice = base::ParseStored<store::OutboxNotice>(row);
                    if (notice.ok()) *response.add_notices() = ToProto(*notice);
                    return true;
                  }));
  if (damaged) return base::errors::DamagedRow("a notice's key");
  if (more) response.set_next_page_token(base::EncodePageToken(QueryOf(request), absl::StrCat(last)));
  return response;
}

}  // namespace caresync::outbox
