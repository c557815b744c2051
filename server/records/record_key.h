// How records and receivers are named in keys: the only place that gives meaning to the bytes that commit/ and feed/
// carry.
//
// Pure functions and values; safe from any thread.
#ifndef CARESYNC_SERVER_RECORDS_RECORD_KEY_H_
#define CARESYNC_SERVER_RECORDS_RECORD_KEY_H_

#include <optional>
#include <string>
#include <string_view>

#include "caresync/v1/records.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"
#include "server/feed/feed_entry.h"

namespace caresync::records {

// A record's kind and ID. Its key is the kind's number as one byte, then the ID's 16 bytes.
struct RecordName {
  v1::RecordKind kind = v1::RECORD_KIND_UNSPECIFIED;
  base::Uuid id;
  auto operator<=>(const RecordName&) const = default;
};

base::RecordKey KeyOf(const RecordName& name);
// nullopt where the bytes are no key of a kind known here.
std::optional<RecordName> NameOf(const base::RecordKey& key);
// The first bytes of the keys of all records of a kind.
std::string KeyPrefix(v1::RecordKind kind);

// A carer's feed: what the carer may see.
base::ReceiverId CarerReceiver(const base::Uuid& carer);
// A rostering source's feed: what was recorded on its own records.
base::ReceiverId SourceReceiver(std::string_view source);
// No feed: its subscribers hear that what may have kept carers waiting is through.
base::ReceiverId FanOutTopic();
// Whether the feed is a carer's.
bool IsCarer(const base::ReceiverId& receiver);
// The record of the carer whose feed it is; nullopt for any other receiver.
std::optional<base::RecordKey> CarerOf(const base::ReceiverId& receiver);

// A group as the holder of a grant. It has no feed: its members see what it holds.
base::ReceiverId GroupHolder(const base::RecordKey& group);
// The record of the group that holds; nullopt for any other holder.
std::optional<base::RecordKey> GroupOfHolder(const base::ReceiverId& holder);

// The least data level of an app that can keep records of this kind.
feed::Level LevelOf(v1::RecordKind kind);

// Whether records of this kind hang on another and are seen by whoever sees that one.
bool HangsOnAnother(v1::RecordKind kind);
// The visit or service user that a care event hangs on; nullopt where it names not exactly one of them, by a UUID.
std::optional<RecordName> ParentOf(const v1::CareEvent& event);

// As base::IntegratedId.
base::Uuid IntegratedId(const base::TenantId& tenant, std::string_view source, v1::RecordKind kind,
                        std::string_view external_id);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_RECORD_KEY_H_
