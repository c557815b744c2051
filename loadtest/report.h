// What a run measured, as a table for people and as JSON for machines.
#ifndef CARESYNC_LOADTEST_REPORT_H_
#define CARESYNC_LOADTEST_REPORT_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "loadtest/faults.h"
#include "loadtest/histogram.h"
#include "loadtest/process_usage.h"
#include "loadtest/tally.h"
#include "loadtest/verification.h"
#include "nlohmann/json.hpp"

namespace caresync::loadtest {

// One part of a run. What it measures may be done in several stretches: only the time within them counts.
struct Phase {
  std::string name;
  absl::Duration wall;
  Tally syncs;
  // What else took time, by name, such as "apply changes".
  std::map<std::string, Histogram> others;
  // Sums of what `others` do not tell, by name, such as "changes".
  std::map<std::string, uint64_t> sums;
  // What is neither, by name, such as "of the best".
  std::map<std::string, double> figures;
  // Of the server; absent where its process is not known. Resident at the phase's end, and at most since it was
  // started.
  std::optional<absl::Duration> server_cpu;
  std::optional<uint64_t> server_rss_bytes;
  std::optional<uint64_t> server_peak_rss_bytes;
  // Of the fleet itself: how far it takes the machine's cores from the server.
  absl::Duration fleet_cpu;
};

// How the run was set up.
struct RunSettings {
  std::string scenario;
  size_t devices = 0;
  size_t connections = 0;
  size_t carers = 0;
};

// Used by one thread.
class Report {
 public:
  // `server`: its process, where that is known and on this machine.
  explicit Report(std::optional<pid_t> server) : server_(server) {}

  // A new phase; it stays where it is.
  Phase& AddPhase(const std::string& name);
  // Runs `work` as a stretch of `phase`, whose time and processor time are measured.
  void Measure(Phase& phase, const std::function<void()>& work);

  // Adds a fault for the first phase by whose end the server had more than `most` bytes resident at once; and where its
  // process could not be looked at.
  void CheckMemory(uint64_t most, Faults& faults) const;

  RunSettings& settings() { return settings_; }
  const RunSettings& settings() const { return settings_; }
  Verified& verified() { return verified_; }

  void PrintTable(std::ostream& out, const Faults& faults) const;
  nlohmann::ordered_json ToJson(const Faults& faults) const;

 private:
  const std::optional<pid_t> server_;
  RunSettings settings_;
  std::list<Phase> phases_;
  Verified verified_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_REPORT_H_
