// What every carer's device must hold, worked out anew from what was sent in and what the server answered: the rule of
// docs/protocol.md ("What a carer sees") in its plainest form. It shares no code with the server.
#ifndef CARESYNC_LOADTEST_MODEL_H_
#define CARESYNC_LOADTEST_MODEL_H_

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/records.pb.h"
#include "caresync/v1/roster.pb.h"
#include "loadtest/held_copy.h"
#include "loadtest/virtual_device.h"

namespace caresync::loadtest {

// A record as its rostering system names it.
struct ExternalName {
  std::string source;
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  std::string external_id;
  auto operator<=>(const ExternalName&) const = default;
};

ExternalName NameOf(const v1::RosterChange& change);

// What a device holds, or must hold: payloads by name.
using Holdings = std::map<RecordName, std::string>;

// Used by one thread at a time.
class Model {
 public:
  // Takes a message of changes and the server's answer to it, in the order of the commits of each source. Errors:
  // kInternal where the answer is not what it must be; every change must refer to records that are known.
  absl::Status Take(const v1::ApplyChangesRequest& request, const v1::ApplyChangesResponse& response);
  // Takes an event that the server has accepted.
  void TakeEvent(const OwnEvent& event);

  // Empty where the record is not known.
  std::string IdOf(const ExternalName& name) const;
  // Empty where no rostering system sent it.
  std::string ExternalIdOf(const RecordName& name) const;
  // Whose record it is; empty where it is not known.
  std::string SourceOf(const RecordName& name) const;

  // For every carer, by record ID.
  std::map<std::string, Holdings> Expected() const;
  // There was a time, after it was first shown to the carer or from the beginning, at which the carer must not see it.
  bool WasEverHidden(const std::string& carer_id, const RecordName& name) const;

 private:
  struct Record {
    std::string payload;
    ExternalName origin;
    // Of a visit.
    bool published = false;
    bool cancelled = false;
    std::string service_user_id;
    std::set<std::string> carer_ids;
    // Of a care event.
    RecordName parent;

    bool shown() const { return published && !cancelled; }
  };

  absl::Status TakeOne(const v1::RosterChange& change, const v1::ChangeResult& result);
  // Errors: kInternal where it refers to a record that is not known.
  absl::StatusOr<Record> Build(const v1::RosterChange& change) const;
  absl::StatusOr<Record> BuildVisit(const v1::RosterChange& change) const;
  // The record ID; empty for no reference.
  absl::StatusOr<std::string> Resolve(const v1::RosterChange& change, v1::RecordKind kind,
                                      const std::string& external_id) const;
  // Notes from whom the visit was taken.
  void NoteHidden(const RecordName& name, const Record& before, const Record& after);
  void Show(const RecordName& name, Holdings& holdings) const;

  std::map<ExternalName, std::string> ids_;
  std::map<RecordName, Record> records_;
  // By carer ID.
  std::set<std::pair<std::string, RecordName>> hidden_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_MODEL_H_
