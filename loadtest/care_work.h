// What carers record on their devices, at random.
#ifndef CARESYNC_LOADTEST_CARE_WORK_H_
#define CARESYNC_LOADTEST_CARE_WORK_H_

#include <map>
#include <random>
#include <string>

#include "loadtest/held_copy.h"
#include "loadtest/virtual_device.h"
#include "storage/mutex.h"

namespace caresync::loadtest {

// Safe from any thread.
class CareWork {
 public:
  // Records an event on one of the visits that the device holds, or on one of their service users. Nothing where it
  // holds none, or where so much is recorded on it already that the server would not take more.
  void RecordOne(VirtualDevice& device, std::mt19937& random);

 private:
  // Whether one more may be recorded on it.
  bool TakePlace(const RecordName& parent);

  storage::Mutex mutex_;
  std::map<RecordName, int> recorded_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_CARE_WORK_H_
