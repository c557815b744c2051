#include "server/base/integrated_id.h"

#include <string>

#include "storage/tuple.h"

namespace caresync::base {
namespace {

// The name space of integrated records' IDs: stored IDs derive from it, so it never changes.
constexpr char kIntegratedRecords[] = "7d1f7c52-52a3-4b0e-9a55-6c2f3c1e9b84";

}  // namespace

Uuid IntegratedId(const TenantId& tenant, std::string_view source, uint8_t kind, std::string_view external_id) {
  static const Uuid kSpace = *Uuid::Parse(kIntegratedRecords);
  const std::string name =
      storage::TupleWriter().String(tenant.text()).String(source).Byte(kind).String(external_id).Take();
  return Uuid::Derived(kSpace, name);
}

}  // namespace caresync::base
