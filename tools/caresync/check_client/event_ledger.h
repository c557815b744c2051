// The events that a device was made to record: which of them came, how, and what they were answered.
#ifndef CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_EVENT_LEDGER_H_
#define CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_EVENT_LEDGER_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "caresync/v1/device_sync.pb.h"
#include "tools/caresync/check_client/finding.h"

namespace caresync::cli::check {

// Of one device, all its carers. Not thread-safe.
class EventLedger {
 public:
  // `counts_from_one`: the device is newly installed, so that its numbers are known; else the first one that comes sets
  // them.
  explicit EventLedger(bool counts_from_one) : counts_from_one_(counts_from_one) {}

  // The device recorded one. IDs as the records have them.
  void Recorded(const std::string& name, const std::string& carer_id, const std::string& visit_id);
  // How many of the carer's the device may count as unsent.
  struct UnsentRange {
    size_t least = 0;
    size_t most = 0;
  };
  UnsentRange Unsent(const std::string& carer_id) const;
  // The device counts so many, one of those: where it is the one end or the other, no result is in doubt any more.
  void Declared(const std::string& carer_id, size_t unsent);

  // What is wrong with an upload of this carer, beside its bounds. `asked_again`: the server asked for the answered
  // ones too.
  Findings Take(const std::string& carer_id, const v1::Upload& upload, bool asked_again);
  // A new stream: what is uploaded begins anew.
  void BeginStream() { last_in_stream_.reset(); }

  // Its result was sent.
  void Answered(const std::string& event_id) {
    answered_.insert(event_id);
    in_doubt_.erase(event_id);
  }
  // The stream ended before anything showed that its result had come.
  void Doubt(const std::string& event_id) { in_doubt_.insert(event_id); }
  bool WasAnswered(const std::string& event_id) const { return answered_.contains(event_id); }
  // And the device has the result.
  bool IsSettled(const std::string& event_id) const {
    return answered_.contains(event_id) && !in_doubt_.contains(event_id);
  }
  // The event's name; empty where it is none that was recorded.
  std::string NameOf(const std::string& event_id) const;
  // As it was uploaded first; nullptr: it was not.
  const v1::UploadedEvent* Find(const std::string& name) const;

 private:
  struct Slot {
    std::string name;
    std::string carer_id;
    std::string visit_id;
    // As it came first.
    std::optional<v1::UploadedEvent> event;
  };
  void TakeEvent(const std::string& carer_id, const v1::UploadedEvent& event, bool asked_again, Findings& findings);
  // The slot of an event that came before; else that of its number; else the carer's next one without an event.
  Slot* SlotOf(const std::string& carer_id, const v1::UploadedEvent& event);
  void CheckNew(size_t index, const v1::UploadedEvent& event, Findings& findings);
  static void CheckAgain(const Slot& slot, const v1::UploadedEvent& event, Findings& findings);
  static void CheckContent(const Slot& slot, const v1::UploadedEvent& event, Findings& findings);
  bool IsSettled(const Slot& slot) const { return slot.event && IsSettled(slot.event->event_id()); }
  bool IsInDoubt(const Slot& slot) const { return slot.event && in_doubt_.contains(slot.event->event_id()); }

  const bool counts_from_one_;
  // In the order in which they were recorded.
  std::vector<Slot> slots_;
  std::set<std::string> answered_;
  // Of those, the ones whose result may have been lost.
  std::set<std::string> in_doubt_;
  // The running number of the first slot.
  std::optional<uint64_t> first_sequence_;
  std::optional<size_t> last_in_stream_;
};

}  // namespace caresync::cli::check

#endif  // CARESYNC_TOOLS_CARESYNC_CHECK_CLIENT_EVENT_LEDGER_H_
