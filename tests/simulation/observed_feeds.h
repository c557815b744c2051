// Carers' feeds as the commits make them: where each entry is, and what it stands for.
//
// What a carer may see is the naive model's to say; whether a feed says the same, and in which order it has the
// records, only its rows can tell: a large change reaches the feeds in steps.
#ifndef CARESYNC_TESTS_SIMULATION_OBSERVED_FEEDS_H_
#define CARESYNC_TESTS_SIMULATION_OBSERVED_FEEDS_H_

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "server/base/ids.h"
#include "tests/simulation/naive_model.h"

namespace caresync::simulation {

// Used by one thread.
class ObservedFeeds {
 public:
  using Rows = std::map<std::string, std::optional<std::string>>;
  using OnFault = std::function<void(const std::string&)>;

  explicit ObservedFeeds(OnFault on_fault) : on_fault_(std::move(on_fault)) {}

  // `state` follows `before` by a commit of `rows`: puts its feeds right, and which of them are not settled. An entry
  // that is right already must not move.
  void Take(const base::TenantId& tenant, const State& before, const Rows& rows, State& state);

 private:
  struct Place {
    std::string carer;
    Name name;
  };
  void Know(const base::TenantId& tenant, const State& state);
  void TakePlace(const State& before, const Place& place, const std::optional<std::string>& row, bool windows_move,
                 State& state, Feed& feed);

  const OnFault on_fault_;
  std::map<base::TenantId, std::set<Name>> known_;
  // By the key of the row that says where an entry is.
  std::map<std::string, Place> places_;
};

}  // namespace caresync::simulation

#endif  // CARESYNC_TESTS_SIMULATION_OBSERVED_FEEDS_H_
