// The planted bugs (server/base/planted_bug.h) by the names that caresync-sim gives them.
#ifndef CARESYNC_TESTS_SIMULATION_PLANTED_BUGS_H_
#define CARESYNC_TESTS_SIMULATION_PLANTED_BUGS_H_

#include <optional>
#include <string_view>
#include <vector>

#include "server/base/planted_bug.h"

namespace caresync::simulation {

struct NamedBug {
  base::PlantedBug bug;
  const char* name;
  // What is wrong with it, in a few words.
  const char* what;
};

// All of them, in the order in which they are run.
const std::vector<NamedBug>& PlantedBugs();

// nullopt where none has the name.
std::optional<NamedBug> FindPlantedBug(std::string_view name);

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_PLANTED_BUGS_H_
