// The world in which a dialogue plays: one agency with its rota, a server, devices.
#ifndef CARESYNC_TESTS_SPEC_STAGE_H_
#define CARESYNC_TESTS_SPEC_STAGE_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "tests/fakes/engine.h"
#include "tests/fakes/sync_peer.h"
#include "tests/fakes/test_device.h"
#include "tests/spec/render.h"

namespace caresync::spec {

// The rostering system's name.
inline constexpr char kSource[] = "rota";

// "5", "min".
absl::Duration Amount(const std::string& number, const std::string& unit);

// What the parenthesized groups of a line's form matched.
using Words = std::vector<std::string>;

// Plays one section. Used by one thread. An error of a line says in words what was otherwise than the line says.
class Stage {
 public:
  Stage();
  ~Stage();

  // Plays one line, and whatever follows from it without time passing.
  absl::Status Play(const std::string& line);
  // Whether the section may end here: every message was named, and no device saw the contract broken.
  absl::Status CheckEnd() const;

 private:
  struct Actor {
    explicit Actor(base::Uuid uuid) : device(uuid) {}

    fakes::TestDevice device;
    base::Uuid carer;
    std::unique_ptr<fakes::ScriptedPeer> peer;
    // A stream of the device that another one followed.
    std::unique_ptr<fakes::ScriptedPeer> old_peer;
    // Named by the dialogue, not applied yet.
    std::deque<v1::SyncResponse> to_apply;
    // How many messages it still reads; nullopt: all.
    std::optional<size_t> reads;
    // Of the streams that it opens from now on.
    absl::Time credential_end = absl::InfiniteFuture();
  };
  using Handler = absl::Status (Stage::*)(const Words&);
  struct Form;
  static const std::vector<Form>& Forms();

  // The office and the rota.
  absl::Status Rota(const Words& words);
  absl::Status SetUsers(const Words& words);
  absl::Status SetBlocked(const Words& words);
  absl::Status UpdateDevice(const v1::UpdateDeviceRequest& request);
  absl::Status AskForSync(const Words& words);
  absl::Status AskForDrop(const Words& words);
  absl::Status SetLength(const Words& words);
  absl::Status SetAccess(const Words& words);
  absl::Status WritePlan(const Words& words);
  absl::Status DeletePlan(const Words& words);
  absl::Status ChangesMismatch(const Words& words);

  // The server and its store.
  absl::Status PassTime(const Words& words);
  absl::Status FailCommit(const Words& words);
  absl::Status HoldBack(const Words& words);
  absl::Status Answer(const Words& words);
  absl::Status LimitBatches(const Words& words);
  absl::Status StopServer(const Words& words);
  absl::Status StartAgain(const Words& words);
  absl::Status BackUp(const Words& words);
  absl::Status Restore(const Words& words);
  absl::Status SetRestoreWait(const Words& words);
  absl::Status ReleaseRebuilds(const Words& words);
  absl::Status SourceSays(const Words& words);
  absl::Status SourceIsTold(const Words& words);
  absl::Status ForgetRemovals(const Words& words);
  absl::Status BeginFanOut(const Words& words);
  absl::Status EndFanOut(const Words& words);

  // What devices do.
  absl::Status LimitCredential(const Words& words);
  absl::Status Open(const Words& words);
  absl::Status Start(const Words& words);
  absl::Status StartAsSecond(const Words& words);
  absl::Status Acks(const Words& words);
  absl::Status Applies(const Words& words);
  absl::Status AcksToken(const Words& words);
  absl::Status AcksWrongly(const Words& words);
  absl::Status SaysNothing(const Words& words);
  absl::Status Records(const Words& words);
  absl::Status Changes(const Words& words);
  absl::Status Uploads(const Words& words);
  absl::Status UploadsMany(const Words& words);
  absl::Status UploadsWithIdOf(const Words& words);
  absl::Status UploadsOfBytes(const Words& words);
  absl::Status Reads(const Words& words);
  absl::Status LosesRecord(const Words& words);
  absl::Status RemembersToken(const Words& words);
  absl::Status IsCut(const Words& words);
  absl::Status HalfCloses(const Words& words);
  absl::Status SendsAgain(const Words& words);

  // What is expected.
  absl::Status Gets(const Words& words);
  absl::Status Ends(const Words& words);
  absl::Status OldStreamEnds(const Words& words);
  absl::Status IsOpen(const Words& words);
  absl::Status Holds(const Words& words);
  absl::Status Makes(const Words& words);
  absl::Status Keeps(const Words& words);
  absl::Status ShowsManualDue(const Words& words);
  absl::Status SyncsNext(const Words& words);
  absl::Status History(const Words& words);
  absl::Status Report(const Words& words);
  absl::Status Mismatches(const Words& words);
  absl::Status MismatchFacts(const Words& words);
  absl::Status WayFacts(const Words& words);

  absl::StatusOr<v1::ListMismatchesResponse> ReadMismatches(bool ended) const;
  Actor& ActorOf(const std::string& name);
  absl::Status SetOptions(const std::string& options, Actor& actor, v1::Start& start);
  absl::Status SetOption(const std::string& key, const std::string& value, Actor& actor, v1::Start& start);
  absl::StatusOr<v1::RosterChange> ChangeOf(const std::string& text);
  base::Uuid IdOf(v1::RecordKind kind, const std::string& name);
  std::string PlanIdOf(const std::string& name);
  std::string TokenOf(const Actor& actor, const std::string& name) const;
  void OpenStream(const std::string& device, const std::string& carer);
  void Say(const std::string& device, v1::SyncRequest request);
  void Settle();
  void ReplaceEngine(std::unique_ptr<storage::MemoryStore> memory);

  const base::TenantId tenant_ = fakes::Tenant("agency");
  uint64_t openings_ = 1;
  size_t batch_bytes_ = base::limits::kBatchBytes;
  std::unique_ptr<fakes::Engine> engine_;
  std::unique_ptr<fakes::SyncServer> server_;
  std::unique_ptr<storage::MemoryStore> backup_;
  // What the rostering system was answered last, and the last commit that it has written down.
  v1::ApplyChangesResponse answer_;
  v1::CommitPoint last_commit_;
  std::map<std::string, std::unique_ptr<Actor>> actors_;
  std::map<std::string, v1::UploadedEvent> events_;
  std::map<std::string, std::string> remembered_tokens_;
  NamesById names_;
};

}  // namespace caresync::spec

#endif  // CARESYNC_TESTS_SPEC_STAGE_H_
