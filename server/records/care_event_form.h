// What a care event must look like to take effect. Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_RECORDS_CARE_EVENT_FORM_H_
#define CARESYNC_SERVER_RECORDS_CARE_EVENT_FORM_H_

#include "caresync/v1/records.pb.h"

namespace caresync::records {

// Whether `event` names one visit or service user, says when and what, and keeps the bounds of records.proto. Fields of
// newer apps are no fault.
bool IsUnderstood(const v1::CareEvent& event);

}  // namespace caresync::records

#endif  // CARESYNC_SERVER_RECORDS_CARE_EVENT_FORM_H_
