// A roster change as the record that it asks for: what it refers to, and the payload once that is known. Pure
// functions; safe from any thread.
#ifndef CARESYNC_SERVER_ROSTER_CHANGE_RECORD_H_
#define CARESYNC_SERVER_ROSTER_CHANGE_RECORD_H_

#include <compare>
#include <map>
#include <string>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "caresync/v1/deliveries.pb.h"
#include "caresync/v1/records.pb.h"
#include "caresync/v1/roster.pb.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "server/base/uuid.h"

namespace caresync::roster {

// A record of the same source, by its external ID.
struct Reference {
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  std::string external_id;
  auto operator<=>(const Reference&) const = default;
};

// The kind of record that a valid change is about.
v1::RecordKind KindOf(const v1::RosterChange& change);

// What a valid change refers to, each once, in the order of its fields.
std::vector<Reference> ReferencesOf(const v1::RosterChange& change);

// As the contract names them, in their order.
google::protobuf::RepeatedPtrField<v1::MissingReference> ToMissing(const std::vector<Reference>& references);

// The change without these carers among the members of its group.
v1::RosterChange WithoutMembers(const v1::RosterChange& change, const std::vector<Reference>& missing);

// The record that a valid change asks for, for records::RecordStore::Put. `ids` holds every one of its references.
store::Record BuildRecord(const v1::RosterChange& change, const base::Uuid& id,
                          const std::map<Reference, base::Uuid>& ids);

}  // namespace caresync::roster

#endif  // CARESYNC_SERVER_ROSTER_CHANGE_RECORD_H_
