// An agency with a push webhook, and what goes through its outbox.
#ifndef CARESYNC_TESTS_OUTBOX_OUTBOX_BENCH_H_
#define CARESYNC_TESTS_OUTBOX_OUTBOX_BENCH_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "caresync/v1/tenants.pb.h"
#include "gtest/gtest.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/devices/wakes.h"
#include "server/outbox/outbox_list.h"
#include "server/outbox/outbox_rows.h"
#include "server/tenants/tenants.h"
#include "tests/fakes/engine.h"

namespace caresync::outbox {

inline constexpr char kPushUrl[] = "https://push.example.org/caresync";
inline constexpr char kPushSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

// Small numbers make small UUIDs.
inline base::Uuid Phone(int number) {
  return *base::Uuid::Parse(absl::StrFormat("00000000-0000-4000-8000-%012d", number));
}

// What stands behind "name: " in one of the headers; empty where none has that name.
inline std::string HeaderOf(const SendRequest& request, const std::string& name) {
  for (const std::string& header : request.headers) {
    if (absl::StartsWith(header, name + ": ")) return header.substr(name.size() + 2);
  }
  return "";
}

class OutboxBench : public testing::Test {
 protected:
  OutboxBench() {
    engine_.CreateTenant(tenant_);
    SetWebhook(kPushUrl, kPushSecret);
  }

  void SetWebhook(const std::string& url, const std::string& secret) { SetWebhook(tenant_, url, secret); }
  void SetWebhook(const base::TenantId& tenant, const std::string& url, const std::string& secret) {
    v1::UpdateTenantRequest request;
    request.set_tenant_id(tenant.text());
    request.mutable_push_webhook()->set_url(url);
    request.mutable_push_webhook()->set_secret(secret);
    const auto set = engine_.Run(tenant, [&request](commit::Transaction& transaction) {
      return tenants::UpdateTenant(transaction, request).status();
    });
    ASSERT_TRUE(set.ok()) << set.status();
  }

  // The reason of the error; empty where the notice is in the outbox.
  std::string AskToWake(int phone) { return AskToWake(tenant_, phone); }
  std::string AskToWake(const base::TenantId& tenant, int phone) {
    return base::Reason(engine_
                            .Run(tenant,
                                 [&](commit::Transaction& transaction) {
                                   return devices::AskToSync(transaction, Phone(phone), engine_.random()).status();
                                 })
                            .status());
  }

  void Answer(size_t index, SendOutcome outcome, const std::string& what = "") {
    engine_.sender().Answer(index, outcome, what);
    engine_.executor().RunAll();
  }

  // Lets time pass until so many were sent in all; a test fails where that takes longer than the longest pause.
  void AdvanceUntilSent(size_t count) {
    const absl::Duration step = absl::Seconds(1);
    for (absl::Duration passed; sent() < count && passed <= base::limits::kNoticePauseMost; passed += step) {
      engine_.Advance(step);
    }
    ASSERT_EQ(sent(), count);
  }

  // The one that was sent last, and each try of it after that.
  void FailUntilGivenUp(const std::string& what) {
    const size_t first = sent() - 1;
    for (uint32_t i = 0; i < base::limits::kNoticeTries; ++i) {
      AdvanceUntilSent(first + i + 1);
      Answer(first + i, SendOutcome::kFailed, what);
    }
  }

  size_t sent() { return engine_.sender().requests().size(); }
  const SendRequest& Sent(size_t index) { return engine_.sender().requests().at(index); }

  std::vector<v1::OutboxNotice> Listed(bool given_up) const {
    v1::ListOutboxRequest request;
    request.set_given_up(given_up);
    request.set_page_size(1'000);
    const auto listed = ListOutbox(*engine_.Snapshot(), tenant_, request);
    EXPECT_TRUE(listed.ok()) << listed.status();
    return {listed->notices().begin(), listed->notices().end()};
  }

  store::Outbox Outbox() const { return *ReadOutbox(*engine_.Snapshot(), tenant_); }
  store::DeviceWake Wake(int phone) const { return *devices::ReadWake(*engine_.Snapshot(), tenant_, Phone(phone)); }

  fakes::Engine engine_;
  const base::TenantId tenant_ = fakes::Tenant("acme");
};

}  // namespace caresync::outbox

#endif  // CARESYNC_TESTS_OUTBOX_OUTBOX_BENCH_H_
