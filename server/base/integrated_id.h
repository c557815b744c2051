// The IDs of records that rostering systems send.
#ifndef CARESYNC_SERVER_BASE_INTEGRATED_ID_H_
#define CARESYNC_SERVER_BASE_INTEGRATED_ID_H_

#include <cstdint>
#include <string_view>

#include "server/base/ids.h"
#include "server/base/uuid.h"

namespace caresync::base {

// The ID of an integrated record, derived from what names it in the sending system (RFC 4122, version 5), so that what
// is sent again, after a restore too, is the same record. It never changes: stored records are found by it, and so does
// the command line find those that it sent. `kind`: the number of a v1::RecordKind. Pure.
Uuid IntegratedId(const TenantId& tenant, std::string_view source, uint8_t kind, std::string_view external_id);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_INTEGRATED_ID_H_
