#include "loadtest/limit/limit_services.h"

#include "absl/base/thread_annotations.h"
#include "server/base/limits.h"
#include "server/base/uuid.h"
#include "server/rpc/message.h"
#include "storage/mutex.h"

namespace caresync::loadtest {
namespace {

using grpc::ByteBuffer;

// One sync. Deletes itself when gRPC is done with it.
class LimitSync : public grpc::ServerBidiReactor<ByteBuffer, ByteBuffer> {
 public:
  explicit LimitSync(const ReadySyncs& syncs) : syncs_(syncs) { StartRead(&incoming_); }

  void OnReadDone(bool ok) override {
    storage::MutexLock lock(mutex_);
    if (!ok) {
      gone_ = true;
      return Advance();
    }
    if (sync_ == nullptr) {
      if (!Begin()) return EndWith(grpc::Status(grpc::StatusCode::NOT_FOUND, "no such sync was recorded"));
    } else {
      ++acks_;
    }
    Advance();
    if (!ended_) StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    storage::MutexLock lock(mutex_);
    writing_ = false;
    gone_ = gone_ || !ok;
    Advance();
  }

  void OnDone() override { delete this; }

 private:
  // False where what came is no start, or one that nothing is ready for.
  bool Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const absl::StatusOr<v1::SyncRequest> request = rpc::ParseMessage<v1::SyncRequest>(incoming_);
    if (!request.ok()) return false;
    follow_ = request->start().follow();
    sync_ = syncs_.Find(request->start());
    return sync_ != nullptr;
  }

  // Starts what can be started now.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ended_ || writing_) return;
    if (gone_) return EndWith(grpc::Status::OK);
    if (next_ == sync_->size() || (*sync_)[next_].after_acks > acks_) return;
    outgoing_ = (*sync_)[next_++].bytes;
    if (next_ == sync_->size() && !follow_) {
      ended_ = true;
      return StartWriteAndFinish(&outgoing_, grpc::WriteOptions(), grpc::Status::OK);
    }
    writing_ = true;
    StartWrite(&outgoing_);
  }

  void EndWith(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ended_ = true;
    Finish(status);
  }

  const ReadySyncs& syncs_;
  ByteBuffer incoming_;
  ByteBuffer outgoing_;

  storage::Mutex mutex_;
  // Null until the device has said who it is.
  const ReadySync* sync_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool follow_ ABSL_GUARDED_BY(mutex_) = false;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t acks_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  // The device has left or says nothing more.
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  // Nothing may be started any more.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// One stream of changes: as the real one, it reads the next message while it answers one. Deletes itself when gRPC is
// done with it.
class LimitChanges : public grpc::ServerBidiReactor<ByteBuffer, ByteBuffer> {
 public:
  explicit LimitChanges(const ByteBuffer& answer) : answer_(answer) { StartRead(&incoming_); }

  void OnReadDone(bool ok) override {
    storage::MutexLock lock(mutex_);
    if (ok) {
      ++unanswered_;
    } else {
      gone_ = true;
    }
    Advance();
    // Not far ahead: a caller that does not read is held back.
    reading_ = ok && !ended_ && unanswered_ <= 1;
    if (reading_) StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    storage::MutexLock lock(mutex_);
    writing_ = false;
    if (!ok) {
      gone_ = true;
      unanswered_ = 0;
    }
    Advance();
    if (reading_ || ended_ || gone_) return;
    reading_ = true;
    StartRead(&incoming_);
  }

  void OnDone() override { delete this; }

 private:
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ended_ || writing_) return;
    if (unanswered_ > 0) {
      --unanswered_;
      writing_ = true;
      outgoing_ = answer_;
      return StartWrite(&outgoing_);
    }
    if (!gone_) return;
    ended_ = true;
    Finish(grpc::Status::OK);
  }

  const ByteBuffer answer_;
  ByteBuffer incoming_;
  ByteBuffer outgoing_;

  storage::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

ByteBuffer AnswerToChanges() {
  v1::ApplyChangesResponse response;
  for (uint32_t i = 0; i < base::limits::kRosterChanges; ++i) {
    v1::ChangeResult& result = *response.add_results();
    result.set_index(i);
    result.set_outcome(v1::CHANGE_OUTCOME_CREATED);
    result.set_record_id(base::Uuid().ToString());
  }
  // As large as one of a store that has run for a while.
  response.mutable_commit()->set_revision(1'000'000);
  response.mutable_commit()->set_timeline(base::Uuid().ToString());
  return rpc::SerializeMessage(response);
}

}  // namespace

grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* LimitSyncService::Sync(grpc::CallbackServerContext*) {
  return new LimitSync(syncs_);
}

LimitRosterService::LimitRosterService() : answer_(AnswerToChanges()) {}

grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>* LimitRosterService::ApplyChanges(grpc::CallbackServerContext*) {
  return new LimitChanges(answer_);
}

}  // namespace caresync::loadtest
