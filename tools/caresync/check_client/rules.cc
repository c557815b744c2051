#include "tools/caresync/check_client/rules.h"

#include <algorithm>
#include <string>

#include "absl/base/internal/raw_logging.h"

namespace caresync::cli::check {
namespace {

constexpr Rule kRules[] = {
    {"TOKEN_BYTES", "Words", "A resume token is bytes of any kind: it is stored and given back as it came."},
    {"AUTHORIZATION", "Calling", "Every call carries the metadata `authorization: Bearer <token>`."},
    {"COPIES_APART", "What a device keeps", "Each carer's copy, token and events are kept apart from every other's."},
    {"TOKEN_DURABLE", "What a device keeps",
     "A batch and its token are durable, in one step, before the token is acked: a device may be killed at any "
     "moment."},
    {"EVENT_KEPT", "What a device keeps",
     "An event leaves the queue only by a result that names its ID: until then it is sent again."},
    {"EVENT_ANSWERED", "What a device keeps",
     "An event that has its result, whichever, is unsent no more: it is not sent again unless the server asks."},
    {"START_FIRST", "A sync", "`start` comes first and once, within 10 seconds."},
    {"START_FIELDS", "A sync",
     "`start` names the device, the carer, the kind of sync and the data level, and `follow` only where it follows."},
    {"TOKEN_NONE", "A sync", "A device that holds nothing of the carer starts with an empty token."},
    {"TOKEN_LAST_APPLIED", "A sync", "A sync starts with the token of the last batch that the device applied."},
    {"TOKEN_OF_UNFINISHED_COPY", "A sync",
     "While a copy is being made, a sync starts with that copy's token, not with that of the copy in use."},
    {"UNSENT_DECLARED", "A sync", "`unsent_events` says how many events are going to come."},
    {"FIELD_ORDER", "A sync", "The fields of one message are handled in the order of their numbers."},
    {"UNKNOWN_FIELDS", "A sync", "Fields and notices that the app does not know are passed over."},
    {"REBUILD_BESIDE", "A sync",
     "A new copy is made beside the one in use, which stays until the new one is complete."},
    {"REBUILD_BEGINS_EMPTY", "A sync", "`rebuild` drops an unfinished copy and begins an empty one."},
    {"UPSERTS_APPLIED", "A sync", "An upsert adds the record, or replaces what is held of it."},
    {"REMOVALS_APPLIED", "A sync", "A removal takes the record off the copy."},
    {"REMOVAL_NOT_HELD", "A sync", "The removal of a record that is not held is no error, and changes nothing."},
    {"CHANGES_ACKED", "A sync",
     "A batch is acked with its token, or a later one's, once it is durable and nothing else is waiting to be "
     "applied."},
    {"ACK_OF_WHAT_CAME", "A sync", "Only tokens that the server sent in this stream are acked, in their order."},
    {"COPY_REPLACED", "A sync",
     "`caught_up` with a rebuild number puts the copy being made in the place of the one in use."},
    {"CAUGHT_UP_ACKED", "A sync", "`caught_up` is acked with its token, and with the copy's own count and sum."},
    {"STAYS_UNTIL_RECORDED", "A sync",
     "The device stays until `sync_recorded`: before it nothing is recorded as a success."},
    {"NOTHING_NEW", "Nothing new",
     "The token of `caught_up` is stored where the server answers all in one message too."},
    {"HOLDS_IN_START", "Nothing new", "`holds` in `start` is the count and sum of the copy that the token stands for."},
    {"NEXT_VISITS", "Next visits first",
     "A batch with `next_visits` goes into the copy being made: its records come again later, and count once."},
    {"FOLLOW_STAYS", "Following", "A device that follows stays after `sync_recorded`."},
    {"FOLLOW_ACKS", "Following",
     "A device that follows acks each round: its changes, and its `caught_up` with count and sum."},
    {"RECONNECTS", "Notices", "After `going_away` a device that follows connects again, not before `reconnect_after`."},
    {"DROP_NOW", "Losing a copy", "The copies of carers named by `drop_now` are dropped at once, with their tokens."},
    {"DROP_ACKED", "Losing a copy", "An ack names the carers whose copies were dropped in `dropped_carer_ids`."},
    {"DROP_KEEPS_EVENTS", "Losing a copy", "What was recorded and is not uploaded outlives its carer's copy."},
    {"DATA_LEVEL", "Data levels", "The data level is what the app keeps now; where that changes, a new copy comes."},
    {"COUNT_AND_SUM", "Count and sum",
     "Count and sum are worked out over all records of the copy, by the rule given there."},
    {"PAYLOAD_AS_RECEIVED", "Count and sum",
     "A payload is kept, and summed, as the bytes that came: never parsed and written anew."},
    {"CLEAN_RESUMED", "Kinds of sync", "A clean sync that was cut goes on with the token of the unfinished copy."},
    {"CLEAN_KEEPS_WORK", "Kinds of sync",
     "A clean sync does not hide unsent events: they are declared, or it is not tried; and they stay."},
    {"REFUSED_KEEPS_COPY", "Being refused", "A sync that is refused touches nothing that the device holds."},
    {"TOKEN_REFUSED", "Being refused",
     "After TOKEN_NOT_VALID or TOKEN_OF_ANOTHER_COPY the device starts again with an empty token."},
    {"WAITING_KEEPS_COPY", "After a restore", "A device that waits after a restore keeps its copy and its token."},
    {"EVENTS_RESENT", "After a restore",
     "Where `resend_events` asks for them, the accepted events of 14 days come again, the same bytes under the same "
     "IDs, "
     "and `resend_complete` with the last."},
    {"CUT_GOES_ON", "Being cut off",
     "A sync that was cut, or taken over, goes on with the last token that was made durable."},
    {"TAKEN_OVER", "Being cut off", "A device whose stream was taken over does not start again by itself."},
    {"ONE_STREAM", "Being cut off", "A device has one stream at a time: a second one ends the first."},
    {"EVENT_ID", "Care events", "`event_id` is a UUID that the device makes, another for each event."},
    {"EVENT_BYTES", "Care events", "An event is sent again with the same bytes, under the same ID."},
    {"EVENT_CONTENT", "Care events",
     "`event` is a serialized CareEvent: the session's carer, the time, the visit or service user, and what happened."},
    {"EVENT_SEQUENCE", "Care events", "`sequence` counts the device's events from 1, and stays with its event."},
    {"EVENT_ORDER", "Care events",
     "Events are uploaded in the order in which they were recorded, those that are asked for again behind those that "
     "`start` declares."},
    {"UPLOAD_BOUNDS", "Care events", "An upload holds 1 to 100 events and at most 1 MiB; an event is at most 256 KiB."},
};

}  // namespace

std::span<const Rule> Rules() { return kRules; }

const Rule* FindRule(std::string_view name) {
  const auto* found = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.name == name; });
  return found == std::end(kRules) ? nullptr : found;
}

const Rule& RuleNamed(std::string_view name) {
  const Rule* rule = FindRule(name);
  if (rule == nullptr) ABSL_RAW_LOG(FATAL, "no rule %s", std::string(name).c_str());
  return *rule;
}

}  // namespace caresync::cli::check
