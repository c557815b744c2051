// Who may use which device, at every point of a tenant's history: what people said of devices, as the commits say.
#ifndef CARESYNC_TESTS_SIMULATION_PERMISSIONS_H_
#define CARESYNC_TESTS_SIMULATION_PERMISSIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "caresync/store/stored.pb.h"
#include "server/base/ids.h"
#include "server/base/uuid.h"

namespace caresync::simulation {

// A value: a copy goes with a copy of the store. Used by one thread.
class Permissions {
 public:
  void AddDevice(const base::TenantId& tenant, const base::Uuid& device);
  // The device's row is so from now on, where the tenant's head is `head`.
  void Take(const base::TenantId& tenant, const base::Uuid& device, base::Revision head, const store::Device& row);

  // Whether the carer may have been a user of the device in some snapshot whose head was `at`. A device that nobody has
  // said anything of is anybody's.
  bool WasAllowed(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer,
                  base::Revision at) const;
  // Whether the carer is a user of the device, whatever else keeps it from syncing.
  bool IsUser(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer) const;
  const std::set<std::string>& UsersOf(const base::TenantId& tenant, const base::Uuid& device) const;
  bool IsBlocked(const base::TenantId& tenant, const base::Uuid& device) const;
  // Whether two phones seem to use the device's UUID, as its row says.
  bool IsCloned(const base::TenantId& tenant, const base::Uuid& device) const;
  // Whether anything is said of the device.
  bool IsKnown(const base::TenantId& tenant, const base::Uuid& device) const;
  // When the office last said that the device is one phone; 0: never.
  int64_t CloneClearedUs(const base::TenantId& tenant, const base::Uuid& device) const;
  // Why the carer may not use the device now, as a reason of the errors; empty: it may.
  std::string WhyNot(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer) const;
  // Whether that was so at some time since the head was `since`.
  bool WasRefused(const base::TenantId& tenant, const base::Uuid& device, const std::string& carer,
                  std::string_view reason, base::Revision since) const;

 private:
  struct Spell {
    // The tenant's head when it began.
    base::Revision from = 0;
    bool known = false;
    bool blocked = false;
    bool cloned = false;
    int64_t clone_cleared_us = 0;
    std::set<std::string> users;

    std::string WhyNot(const std::string& carer) const;
  };
  // Whether one of the spells in which the head was in [from, to] is as asked for.
  bool Any(const base::TenantId& tenant, const base::Uuid& device, base::Revision from, base::Revision to,
           const std::function<bool(const Spell&)>& is_so) const;

  std::map<std::pair<base::TenantId, base::Uuid>, std::vector<Spell>> spells_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_PERMISSIONS_H_
