#include "server/records/origin.h"

namespace caresync::records {

std::string ExternalIdIn(const std::string& source, const std::optional<store::Record>& record) {
  return record.has_value() && record->origin().source() == source ? record->origin().external_id() : "";
}

}  // namespace caresync::records
