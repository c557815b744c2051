// What a load test is asked to do.
#ifndef CARESYNC_LOADTEST_OPTIONS_H_
#define CARESYNC_LOADTEST_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace caresync::loadtest {

struct Options {
  size_t devices = 100;
  std::string scenario;
  // Empty: a server of its own.
  std::string server;
  // Of a server that runs already, on this machine: its process, for its processor time and memory.
  std::optional<int> server_pid;
  // Where the server keeps its data, for its signing key. Empty, with a server of its own: a temporary directory.
  std::string data_dir;
  std::vector<std::string> rotas;
  absl::CivilDay date;
  int days = 1;
  absl::Duration duration = absl::Seconds(10);
  // As many as the devices need.
  size_t connections = 0;
  // Empty: none.
  std::string json;
  // With record: where what the server said is written.
  std::string dialogues;
  // The dialogues that the server that does no work is to say: the devices sync with that one. Empty: with caresyncd.
  std::string limit;
  // With store: the data directory of a caresyncd that was stopped, whose commits are written. Empty: visits are.
  std::string commits_of;
  uint32_t seed = 1;
  // How many rostering systems send rotas.
  int sources = 1;
  // Messages of changes a second, where the scenario does not send as fast as it can.
  double changes_per_second = 20;
  // With storm: uploads of care events a second, of all devices together.
  double uploads_per_second = 20;
  // With group: its carers, and the service users that they may see through it.
  int group_carers = 1'000;
  int group_service_users = 1'000;
  // With group: a phase whose median sync takes longer than so many times the quiet phase's is a fault.
  std::optional<double> slowest_delta;
  // With delta: how often every record moves, and how many records are stored, before it is measured again; 0: it is
  // not.
  int moves = 0;
  uint64_t stored_records = 0;
  // With deadlines: how many mismatches are due at one second; with burst: how many visits are changed again and again.
  size_t deadlines = 10'000;
  // With burst: seconds after which the other tenant is to have been told; later is a fault.
  std::optional<double> latest_mismatch;
  // With register: how many devices the tenant is to have.
  size_t registered = 0;
  // With storm: syncs a second, of all devices together, where the server keeps up.
  double syncs_per_second = 500;
  // With overload: clean syncs in a hundred.
  int clean_percent = 10;
  // With overload: less than so much of the best goodput at the last level is a fault.
  std::optional<double> least_goodput;
  // More resident memory of the server than so many millions of bytes, at any time, is a fault.
  std::optional<uint64_t> most_rss_mb;
  // Of a server of its own; 0: the server's default.
  size_t batch_bytes = 0;
  int server_threads = 0;
  // The cores that the server and the fleet stay on; unset: any.
  std::optional<int> server_core;
  std::optional<int> fleet_core;
};

// Reads the command line and checks it. nullopt: go on; else the exit code, and everything is said.
std::optional<int> ParseOptions(int argc, char** argv, Options& options);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_OPTIONS_H_
