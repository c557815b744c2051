// What the office and the server do to devices that are connected.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/keys.h"
#include "server/commit/transaction.h"
#include "server/devices/wakes.h"
#include "server/records/record_key.h"
#include "server/tenants/tenants.h"
#include "tests/spec/stage.h"

namespace caresync::spec {
namespace {

constexpr char kFanOutTask[] = "a task";

}  // namespace

absl::Status Stage::AskForSync(const Words& words) {
  const base::Uuid device = ActorOf(words[0]).device.uuid();
  const bool told = server_->live().Tell(tenant_, device, sync::SyncAsked{});
  if (told != (words[1] == "it is told")) return absl::InternalError(told ? "it is told" : "it is not connected");
  if (told) return absl::OkStatus();
  return engine_
      ->Run(tenant_,
            [&](commit::Transaction& transaction) {
              return devices::AskToSync(transaction, device, engine_->random()).status();
            })
      .status();
}

absl::Status Stage::AskForDrop(const Words& words) {
  sync::DropAsked asked;
  for (absl::string_view carer : absl::StrSplit(words[1], ' ')) {
    asked.carer_ids.push_back(IdOf(v1::RECORD_KIND_CARER, std::string(carer)).ToString());
  }
  const bool told = server_->live().Tell(tenant_, ActorOf(words[0]).device.uuid(), asked);
  return told ? absl::OkStatus() : absl::FailedPreconditionError("it is not connected");
}

absl::Status Stage::SetLength(const Words& words) {
  v1::UpdateTenantRequest request;
  request.set_tenant_id(tenant_.text());
  google::protobuf::Duration& length = words[0] == "auto sync interval" ? *request.mutable_auto_sync_interval()
                                       : words[0] == "mismatch grace"   ? *request.mutable_mismatch_grace()
                                                                        : *request.mutable_mismatch_lead();
  length.set_seconds(absl::ToInt64Seconds(Amount(words[1], words[2])));
  const auto committed = engine_->Run(tenant_, [&request](commit::Transaction& transaction) {
    return tenants::UpdateTenant(transaction, request).status();
  });
  if (!committed.ok()) return committed.status();
  server_->live().TellTenant(tenant_, sync::PreferencesChanged{});
  return absl::OkStatus();
}

absl::Status Stage::BeginFanOut(const Words& words) {
  const std::string scope = records::CarerReceiver(IdOf(v1::RECORD_KIND_CARER, words[0])).bytes;
  return engine_
      ->Run(tenant_,
            [&](commit::Transaction& transaction) {
              transaction.Put(storage::Space::kRecords, base::keys::FanOutScope(tenant_, scope, kFanOutTask), "");
              return absl::OkStatus();
            })
      .status();
}

absl::Status Stage::EndFanOut(const Words& words) {
  const std::string scope = records::CarerReceiver(IdOf(v1::RECORD_KIND_CARER, words[0])).bytes;
  return engine_
      ->Run(tenant_,
            [&](commit::Transaction& transaction) {
              transaction.Delete(storage::Space::kRecords, base::keys::FanOutScope(tenant_, scope, kFanOutTask));
              if (words[1].empty()) transaction.Announce(records::FanOutTopic());
              return absl::OkStatus();
            })
      .status();
}

absl::Status Stage::LimitCredential(const Words& words) {
  ActorOf(words[0]).credential_end = engine_->clock().Now() + Amount(words[1], words[2]);
  return absl::OkStatus();
}

}  // namespace caresync::spec
