// What is played around a restore: the rostering system that sends again, the office that does not wait for it.
#include "absl/strings/str_cat.h"
#include "server/tenants/tenants.h"
#include "tests/spec/stage.h"

namespace caresync::spec {

absl::Status Stage::BackUp(const Words& words) {
  backup_ = engine_->memory().Copy();
  return absl::OkStatus();
}

absl::Status Stage::Restore(const Words& words) {
  if (backup_ == nullptr) return absl::FailedPreconditionError("there is no backup");
  ReplaceEngine(std::move(backup_));
  return absl::OkStatus();
}

absl::Status Stage::SetRestoreWait(const Words& words) {
  v1::UpdateTenantRequest request;
  request.set_tenant_id(tenant_.text());
  request.mutable_restore_wait()->set_seconds(absl::ToInt64Seconds(Amount(words[0], words[1])));
  return engine_
      ->Run(
          tenant_,
          [&request](commit::Transaction& transaction) { return tenants::UpdateTenant(transaction, request).status(); })
      .status();
}

absl::Status Stage::ReleaseRebuilds(const Words& words) {
  v1::ReleaseRebuildsRequest request;
  request.set_tenant_id(tenant_.text());
  return engine_
      ->Run(tenant_,
            [&](commit::Transaction& transaction) {
              return tenants::ReleaseRebuilds(transaction, request, engine_->opening()).status();
            })
      .status();
}

absl::Status Stage::SourceSays(const Words& words) {
  v1::ApplyChangesRequest request;
  if (words[0] == "begins a stream with the last commit") *request.mutable_last_commit_seen() = last_commit_;
  if (words[0] == "has sent again") request.set_resent(true);
  answer_ = engine_->Send(tenant_, kSource, request);
  last_commit_ = answer_.commit();
  return absl::OkStatus();
}

absl::Status Stage::SourceIsTold(const Words& words) {
  const std::string told = answer_.has_store_restored()
                               ? absl::StrCat("restored to ", answer_.store_restored().head().revision())
                               : "nothing";
  const std::string expected = words[0] == "nothing" ? "nothing" : absl::StrCat("restored to ", words[1]);
  return told == expected ? absl::OkStatus() : absl::InternalError(absl::StrCat("it is told ", told));
}

absl::Status Stage::SendsAgain(const Words& words) {
  Actor& actor = ActorOf(words[0]);
  for (v1::SyncRequest& upload : actor.device.Resend(actor.carer)) Say(words[0], std::move(upload));
  return absl::OkStatus();
}

}  // namespace caresync::spec
