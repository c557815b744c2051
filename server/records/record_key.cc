#include "server/records/record_key.h"

#include "server/base/integrated_id.h"

namespace caresync::records {
namespace {

constexpr char kCarerReceiver = 'c';
constexpr char kSourceReceiver = 's';
constexpr char kGroupHolder = 'g';
constexpr size_t kUuidBytes = 16;

// Carers and groups are named by their UUIDs.
std::optional<base::RecordKey> RecordOf(const base::ReceiverId& holder, char letter, v1::RecordKind kind) {
  if (holder.bytes.empty() || holder.bytes.front() != letter) return std::nullopt;
  const std::optional<base::Uuid> id = base::Uuid::FromBytes(std::string_view(holder.bytes).substr(1));
  if (!id.has_value()) return std::nullopt;
  return KeyOf({kind, *id});
}

}  // namespace

base::RecordKey KeyOf(const RecordName& name) { return {KeyPrefix(name.kind).append(name.id.bytes())}; }

std::optional<RecordName> NameOf(const base::RecordKey& key) {
  if (key.bytes.size() != 1 + kUuidBytes) return std::nullopt;
  const int kind = static_cast<unsigned char>(key.bytes[0]);
  if (kind == v1::RECORD_KIND_UNSPECIFIED || !v1::RecordKind_IsValid(kind)) return std::nullopt;
  const std::optional<base::Uuid> id = base::Uuid::FromBytes(std::string_view(key.bytes).substr(1));
  if (!id.has_value()) return std::nullopt;
  return RecordName{static_cast<v1::RecordKind>(kind), *id};
}

std::string KeyPrefix(v1::RecordKind kind) { return std::string(1, static_cast<char>(kind)); }

base::ReceiverId CarerReceiver(const base::Uuid& carer) {
  return {std::string(1, kCarerReceiver).append(carer.bytes())};
}

base::ReceiverId SourceReceiver(std::string_view source) { return {std::string(1, kSourceReceiver).append(source)}; }

base::ReceiverId FanOutTopic() { return {"fan-out"}; }

bool IsCarer(const base::ReceiverId& receiver) {
  return !receiver.bytes.empty() && receiver.bytes.front() == kCarerReceiver;
}

std::optional<base::RecordKey> CarerOf(const base::ReceiverId& receiver) {
  return RecordOf(receiver, kCarerReceiver, v1::RECORD_KIND_CARER);
}

base::ReceiverId GroupHolder(const base::RecordKey& group) {
  // Without the kind. What is no key of a group makes a holder of nothing.
  return {std::string(1, kGroupHolder).append(std::string_view(group.bytes).substr(group.bytes.empty() ? 0 : 1))};
}

std::optional<base::RecordKey> GroupOfHolder(const base::ReceiverId& holder) {
  return RecordOf(holder, kGroupHolder, v1::RECORD_KIND_EMPLOYEE_GROUP);
}

feed::Level LevelOf(v1::RecordKind kind) {
  return kind == v1::RECORD_KIND_CARE_PLAN ? feed::kFirstLevel + 1 : feed::kFirstLevel;
}

bool HangsOnAnother(v1::RecordKind kind) {
  return kind == v1::RECORD_KIND_CARE_EVENT || kind == v1::RECORD_KIND_CARE_PLAN;
}

std::optional<RecordName> ParentOf(const v1::CareEvent& event) {
  if (event.visit_id().empty() == event.service_user_id().empty()) return std::nullopt;
  const bool of_visit = !event.visit_id().empty();
  const std::optional<base::Uuid> id = base::Uuid::Parse(of_visit ? event.visit_id() : event.service_user_id());
  if (!id.has_value()) return std::nullopt;
  return RecordName{of_visit ? v1::RECORD_KIND_VISIT : v1::RECORD_KIND_SERVICE_USER, *id};
}

base::Uuid IntegratedId(const base::TenantId& tenant, std::string_view source, v1::RecordKind kind,
                        std::string_view external_id) {
  return base::IntegratedId(tenant, source, static_cast<uint8_t>(kind), external_id);
}

}  // namespace caresync::records
