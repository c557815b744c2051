#include "loadtest/report.h"

#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "loadtest/stopwatch.h"
#include "tools/caresync/output.h"

namespace caresync::loadtest {
namespace {

using Json = nlohmann::ordered_json;

std::string PerSecond(uint64_t count, absl::Duration wall) {
  return absl::StrFormat("%.1f", static_cast<double>(count) / absl::ToDoubleSeconds(wall));
}

std::string Milliseconds(absl::Duration latency) {
  return absl::StrFormat("%.2f", absl::ToDoubleMilliseconds(latency));
}
std::string Seconds(absl::Duration time) { return absl::StrFormat("%.2f", absl::ToDoubleSeconds(time)); }
std::string Megabytes(uint64_t bytes) { return absl::StrFormat("%.1f", static_cast<double>(bytes) / 1e6); }

std::string Microseconds(absl::Duration time, uint64_t count) {
  return count == 0 ? "-" : absl::StrFormat("%.0f", absl::ToDoubleMicroseconds(time) / static_cast<double>(count));
}

// The series of a phase: its syncs by type, and what else was timed.
std::map<std::string, Histogram> SeriesOf(const Phase& phase) {
  std::map<std::string, Histogram> series;
  for (auto& [type, latencies] : phase.syncs.latencies()) series[absl::StrCat(type, " sync")] = latencies;
  series.insert(phase.others.begin(), phase.others.end());
  return series;
}

// The sums of a phase: its own, and how many of its syncs were shed, by type.
std::map<std::string, uint64_t> SumsOf(const Phase& phase) {
  std::map<std::string, uint64_t> sums = phase.sums;
  for (const auto& [type, count] : phase.syncs.shed()) sums[absl::StrCat(type, " syncs shed")] = count;
  return sums;
}

Json ToJson(const Histogram& latencies, absl::Duration wall) {
  return {{"count", latencies.count()},
          {"per_second", static_cast<double>(latencies.count()) / absl::ToDoubleSeconds(wall)},
          {"p50_us", absl::ToInt64Microseconds(latencies.Percentile(50))},
          {"p90_us", absl::ToInt64Microseconds(latencies.Percentile(90))},
          {"p99_us", absl::ToInt64Microseconds(latencies.Percentile(99))},
          {"max_us", absl::ToInt64Microseconds(latencies.max())}};
}

Json ToJson(const SyncCounts& counts) {
  return {{"recorded", counts.recorded},
          {"cut", counts.cut},
          {"failed", counts.failed},
          {"shed", counts.shed},
          {"stalled", counts.stalled},
          {"in_one_message", counts.in_one_message},
          {"upserts", counts.upserts},
          {"removals", counts.removals},
          {"event_results", counts.event_results},
          {"rebuilds", counts.rebuilds},
          {"bytes_received", counts.bytes}};
}

Json ToJson(const Phase& phase) {
  Json series = Json::object();
  for (const auto& [name, latencies] : SeriesOf(phase)) series[name] = ToJson(latencies, phase.wall);
  Json json = {{"name", phase.name},
               {"seconds", absl::ToDoubleSeconds(phase.wall)},
               {"series", std::move(series)},
               {"syncs", ToJson(phase.syncs.counts())}};
  for (const auto& [name, sum] : SumsOf(phase)) json["sums"][name] = sum;
  for (const auto& [name, figure] : phase.figures) json["figures"][name] = figure;
  if (phase.server_cpu.has_value()) json["server_cpu_seconds"] = absl::ToDoubleSeconds(*phase.server_cpu);
  if (phase.server_rss_bytes.has_value()) json["server_rss_bytes"] = *phase.server_rss_bytes;
  if (phase.server_peak_rss_bytes.has_value()) json["server_peak_rss_bytes"] = *phase.server_peak_rss_bytes;
  json["fleet_cpu_seconds"] = absl::ToDoubleSeconds(phase.fleet_cpu);
  return json;
}

void PrintSeries(std::ostream& out, const std::list<Phase>& phases) {
  std::vector<std::vector<cli::Cell>> rows;
  for (const Phase& phase : phases) {
    for (const auto& [name, latencies] : SeriesOf(phase)) {
      rows.push_back({phase.name, name, absl::StrCat(latencies.count()), PerSecond(latencies.count(), phase.wall),
                      Milliseconds(latencies.Percentile(50)), Milliseconds(latencies.Percentile(90)),
                      Milliseconds(latencies.Percentile(99)), Milliseconds(latencies.max())});
    }
  }
  out << cli::FormatTable({"Phase", "What", "Count", "A second", "p50 ms", "p90 ms", "p99 ms", "Max ms"}, rows, false);
}

void PrintWork(std::ostream& out, const std::list<Phase>& phases) {
  std::vector<std::vector<cli::Cell>> rows;
  for (const Phase& phase : phases) {
    const SyncCounts counts = phase.syncs.counts();
    rows.push_back(
        {phase.name, Seconds(phase.wall), absl::StrCat(counts.recorded), absl::StrCat(counts.cut),
         absl::StrCat(counts.shed), absl::StrCat(counts.upserts + counts.removals), absl::StrCat(counts.event_results),
         Megabytes(counts.bytes),
         absl::StrFormat("%.2f", static_cast<double>(counts.bytes) / 1e6 / absl::ToDoubleSeconds(phase.wall)),
         phase.server_cpu.has_value() ? Seconds(*phase.server_cpu) : "-",
         phase.server_cpu.has_value() ? Microseconds(*phase.server_cpu, counts.recorded) : "-",
         phase.server_rss_bytes.has_value() ? Megabytes(*phase.server_rss_bytes) : "-",
         phase.server_peak_rss_bytes.has_value() ? Megabytes(*phase.server_peak_rss_bytes) : "-",
         Seconds(phase.fleet_cpu)});
  }
  out << cli::FormatTable({"Phase", "Seconds", "Syncs", "Cut", "Shed", "Records", "Events", "MB", "MB/s",
                           "Server CPU s", "CPU us a sync", "Server RSS MB", "Peak RSS MB", "Fleet CPU s"},
                          rows, false);
}

void PrintSums(std::ostream& out, const std::list<Phase>& phases) {
  for (const Phase& phase : phases) {
    for (const auto& [name, sum] : SumsOf(phase)) {
      out << phase.name << ": " << sum << " " << name << ", " << PerSecond(sum, phase.wall) << " a second\n";
    }
    for (const auto& [name, figure] : phase.figures) {
      out << phase.name << ": " << absl::StrFormat("%.2f", figure) << " " << name << "\n";
    }
  }
}

}  // namespace

Phase& Report::AddPhase(const std::string& name) {
  phases_.emplace_back();
  phases_.back().name = name;
  return phases_.back();
}

void Report::Measure(Phase& phase, const std::function<void()>& work) {
  const auto usage_of = [](pid_t process) { return ReadUsage(process).value_or(ProcessUsage()); };
  const absl::Duration fleet_before = usage_of(getpid()).cpu;
  const absl::Duration server_before = server_.has_value() ? usage_of(*server_).cpu : absl::ZeroDuration();
  const Instant began = Now();
  work();
  phase.wall += Since(began);
  phase.fleet_cpu += usage_of(getpid()).cpu - fleet_before;
  if (!server_.has_value()) return;
  const ProcessUsage server = usage_of(*server_);
  phase.server_cpu = phase.server_cpu.value_or(absl::ZeroDuration()) + server.cpu - server_before;
  phase.server_rss_bytes = server.rss_bytes;
  phase.server_peak_rss_bytes = server.peak_rss_bytes;
}

void Report::CheckMemory(uint64_t most, Faults& faults) const {
  for (const Phase& phase : phases_) {
    if (!phase.server_peak_rss_bytes.has_value()) continue;
    const uint64_t peak = *phase.server_peak_rss_bytes;
    // No process has none.
    if (peak == 0) return faults.Add(absl::StrCat(phase.name, ": the server's memory is not known"));
    if (peak <= most) continue;
    faults.Add(absl::StrCat(phase.name, ": the server's memory came to ", Megabytes(peak), " MB, which is past ",
                            Megabytes(most), " MB"));
    // The peak never falls: every later phase would say the same.
    return;
  }
}

void Report::PrintTable(std::ostream& out, const Faults& faults) const {
  out << settings_.scenario << ": " << settings_.devices << " devices of " << settings_.carers << " carers on "
      << settings_.connections << " connections\n\n";
  PrintSeries(out, phases_);
  out << "\n";
  PrintWork(out, phases_);
  PrintSums(out, phases_);
  out << "\n"
      << verified_.devices << " devices compared with the model, " << verified_.devices_different << " differ; "
      << verified_.records << " records held; " << verified_.events_accepted << " events accepted, "
      << verified_.events_for_review << " for review; " << faults.count() << " faults\n";
  for (const std::string& fault : faults.told()) out << "fault: " << fault << "\n";
}

Json Report::ToJson(const Faults& faults) const {
  Json phases = Json::array();
  for (const Phase& phase : phases_) phases.push_back(loadtest::ToJson(phase));
  return {{"scenario", settings_.scenario},
          {"devices", settings_.devices},
          {"carers", settings_.carers},
          {"connections", settings_.connections},
          {"phases", std::move(phases)},
          {"devices_compared", verified_.devices},
          {"devices_different", verified_.devices_different},
          {"records_held", verified_.records},
          {"events_accepted", verified_.events_accepted},
          {"events_for_review", verified_.events_for_review},
          {"faults", faults.count()},
          {"faults_told", faults.told()}};
}

}  // namespace caresync::loadtest
