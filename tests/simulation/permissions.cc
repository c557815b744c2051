#include "tests/simulation/permissions.h"

#include <limits>

namespace caresync::simulation {

void Permissions::AddDevice(const base::TenantId& tenant, const base::Uuid& device) {
  spells_[{tenant, device}].push_back({});
}

void Permissions::Take(const base::TenantId& tenant, const base::Uuid& device, base::Revision head,
                       const store::Device& row) {
  spells_.at({tenant, device})
      .push_back({.from = head,
                  .known = true,
                  .blocked = row.blocked(),
                  .cloned = row.cloned(),
                  .clone_cleared_us = row.clone_cleared_us(),
                  .users = {row.carer_ids().begin(), row.carer_ids().end()}});
}

std::string Permissions::Spell::WhyNot(const std::string& carer) const {
  if (blocked) return "DEVICE_BLOCKED";
  if (cloned) return "DEVICE_CLONED";
  return known && !users.contains(carer) ? "CARER_NOT_A_USER" : "";
}

bool Permissions::Any(const base::TenantId& tenant, const base::Uuid& device, base::Revision from, base::Revision to,
                      const std::function<bool(const Spell&)>& is_so) const {
  const std::vector<Spell>& spells = spells_.at({tenant, device});
  for (size_t i = 0; i < spells.size(); ++i) {
    const base::Revision end = i + 1 < spells.size() ? spells[i + 1].from : std::numeric_limits<base::Revision>::max();
    if (spells[i].from <= to && end >= from && is_so(spells[i])) return true;
  }
  return false;
}

bool Permissions::WasAllowed(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer,
                             base::Revision at) const {
  return Any(tenant, device, at, at, [&carer](const Spell& spell) { return spell.WhyNot(carer).empty(); });
}

bool Permissions::IsUser(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer) const {
  const Spell& now = spells_.at({tenant, device}).back();
  return !now.known || now.users.contains(carer);
}

const std::set<std::string>& Permissions::UsersOf(const base::TenantId& tenant, const base::Uuid& device) const {
  return spells_.at({tenant, device}).back().users;
}

bool Permissions::IsBlocked(const base::TenantId& tenant, const base::Uuid& device) const {
  return spells_.at({tenant, device}).back().blocked;
}

bool Permissions::IsCloned(const base::TenantId& tenant, const base::Uuid& device) const {
  return spells_.at({tenant, device}).back().cloned;
}

bool Permissions::IsKnown(const base::TenantId& tenant, const base::Uuid& device) const {
  return spells_.at({tenant, device}).back().known;
}

int64_t Permissions::CloneClearedUs(const base::TenantId& tenant, const base::Uuid& device) const {
  return spells_.at({tenant, device}).back().clone_cleared_us;
}

std::string Permissions::WhyNot(const base::TenantId& tenant, const base::Uuid& device,
                                const std::string& carer) const {
  return spells_.at({tenant, device}).back().WhyNot(carer);
}

bool Permissions::WasRefused(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer,
                             std::string_view reason, base::Revision since) const {
  return Any(tenant, device, since, std::numeric_limits<base::Revision>::max(),
             [&](const Spell& spell) { return spell.WhyNot(carer) == reason; });
}

}  // namespace caresync::simulation
