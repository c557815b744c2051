#include "loadtest/report.h"

#include <unistd.h>

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace caresync::loadtest {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A hundred standard syncs in ten seconds, of latencies that the histogram tells exactly.
Phase& AddSyncs(Report& report) {
  Phase& phase = report.AddPhase("delta");
  phase.wall = absl::Seconds(10);
  phase.fleet_cpu = absl::Seconds(3);
  for (int i = 0; i < 100; ++i) {
    SyncEnd end;
    end.type = v1::SYNC_TYPE_STANDARD;
    end.recorded = true;
    end.latency = absl::Microseconds(i < 50 ? 8'191 : i < 90 ? 16'383 : i < 99 ? 32'767 : 65'535);
    end.upserts = 5;
    end.bytes = 20'000;
    phase.syncs.Add(end);
  }
  return phase;
}

void AddUsage(Phase& phase) {
  phase.server_cpu = absl::Milliseconds(1'500);
  phase.server_rss_bytes = 123'400'000;
  phase.server_peak_rss_bytes = 150'000'000;
}

// The words of each line, without the number of spaces between them.
std::vector<std::vector<std::string>> Lines(const Report& report, const Faults& faults) {
  std::ostringstream out;
  report.PrintTable(out, faults);
  const std::vector<std::string> lines = absl::StrSplit(out.str(), '\n');
  std::vector<std::vector<std::string>> words;
  for (const std::string& line : lines) words.push_back(absl::StrSplit(line, ' ', absl::SkipEmpty()));
  return words;
}

TEST(Report, TheTableTellsThroughputPercentilesAndWhatTheServerTook) {
  Report report(std::nullopt);
  report.settings() = {"delta", 10, 1, 10};
  AddUsage(AddSyncs(report));
  const std::vector<std::vector<std::string>> lines = Lines(report, Faults());
  EXPECT_THAT(lines, Contains(ElementsAre("Phase", "What", "Count", "A", "second", "p50", "ms", "p90", "ms", "p99",
                                          "ms", "Max", "ms")));
  EXPECT_THAT(lines,
              Contains(ElementsAre("delta", "standard", "sync", "100", "10.0", "8.19", "16.38", "32.77", "65.53")));
  EXPECT_THAT(lines, Contains(ElementsAre("Phase", "Seconds", "Syncs", "Cut", "Shed", "Records", "Events", "MB", "MB/s",
                                          "Server", "CPU", "s", "CPU", "us", "a", "sync", "Server", "RSS", "MB", "Peak",
                                          "RSS", "MB", "Fleet", "CPU", "s")));
  EXPECT_THAT(lines, Contains(ElementsAre("delta", "10.00", "100", "0", "0", "500", "0", "2.0", "0.20", "1.50", "15000",
                                          "123.4", "150.0", "3.00")));
}

TEST(Report, TheTableShowsThatAServersProcessIsNotKnown) {
  Report report(std::nullopt);
  AddSyncs(report);
  EXPECT_THAT(Lines(report, Faults()), Contains(ElementsAre("delta", "10.00", "100", "0", "0", "500", "0", "2.0",
                                                            "0.20", "-", "-", "-", "-", "3.00")));
}

TEST(Report, JsonTellsTheSame) {
  Report report(std::nullopt);
  report.settings() = {"delta", 10, 1, 10};
  AddUsage(AddSyncs(report));
  const nlohmann::ordered_json json = report.ToJson(Faults());
  EXPECT_EQ(json["scenario"], "delta");
  const nlohmann::ordered_json& phase = json["phases"][0];
  EXPECT_EQ(phase["name"], "delta");
  EXPECT_EQ(phase["seconds"], 10.0);
  const nlohmann::ordered_json& series = phase["series"]["standard sync"];
  EXPECT_EQ(series["count"], 100);
  EXPECT_EQ(series["per_second"], 10.0);
  EXPECT_EQ(series["p50_us"], 8'191);
  EXPECT_EQ(series["p90_us"], 16'383);
  EXPECT_EQ(series["p99_us"], 32'767);
  EXPECT_EQ(series["max_us"], 65'535);
  EXPECT_EQ(phase["server_cpu_seconds"], 1.5);
  EXPECT_EQ(phase["server_rss_bytes"], 123'400'000);
  EXPECT_EQ(phase["server_peak_rss_bytes"], 150'000'000);
  EXPECT_EQ(phase["fleet_cpu_seconds"], 3.0);
}

TEST(Report, JsonLeavesOutWhatIsNotKnownOfTheServer) {
  Report report(std::nullopt);
  AddSyncs(report);
  const nlohmann::ordered_json phase = report.ToJson(Faults())["phases"][0];
  EXPECT_FALSE(phase.contains("server_cpu_seconds"));
  EXPECT_FALSE(phase.contains("server_rss_bytes"));
  EXPECT_FALSE(phase.contains("server_peak_rss_bytes"));
}

TEST(Report, TellsWhatWasShedAndCountsItAsNothingElse) {
  Report report(std::nullopt);
  report.settings() = {"shift", 10, 1, 10};
  Phase& phase = AddSyncs(report);
  SyncEnd shed;
  shed.type = v1::SYNC_TYPE_STANDARD;
  shed.shed = absl::Seconds(3);
  phase.syncs.Add(shed);
  EXPECT_EQ(phase.syncs.shed().at("standard"), 1u);
  EXPECT_EQ(phase.syncs.counts().recorded, 100u);
  EXPECT_EQ(phase.syncs.counts().failed, 0u);
  EXPECT_EQ(phase.syncs.counts().shed, 1u);
  phase.figures["of the best"] = 0.825;
  EXPECT_THAT(Lines(report, Faults()), Contains(ElementsAre("delta", "10.00", "100", "0", "1", "500", "0", "2.0",
                                                            "0.20", "-", "-", "-", "-", "3.00")));
  EXPECT_THAT(Lines(report, Faults()),
              Contains(ElementsAre("delta:", "1", "standard", "syncs", "shed,", "0.1", "a", "second")));
  EXPECT_THAT(Lines(report, Faults()), Contains(ElementsAre("delta:", "0.82", "of", "the", "best")));
  const nlohmann::ordered_json json = report.ToJson(Faults())["phases"][0];
  EXPECT_EQ(json["syncs"]["shed"], 1);
  EXPECT_EQ(json["sums"]["standard syncs shed"], 1);
  EXPECT_EQ(json["figures"]["of the best"], 0.825);
}

TEST(Report, ASyncWhoseDeviceStalledCountsAsNothingElse) {
  Report report(std::nullopt);
  Phase& phase = AddSyncs(report);
  SyncEnd stalled;
  stalled.type = v1::SYNC_TYPE_STANDARD;
  stalled.status = absl::DeadlineExceededError("the device sent nothing");
  stalled.stalled = true;
  phase.syncs.Add(stalled);
  EXPECT_EQ(phase.syncs.counts().stalled, 1u);
  EXPECT_EQ(phase.syncs.counts().recorded, 100u);
  EXPECT_EQ(phase.syncs.counts().failed, 0u);
  EXPECT_EQ(phase.syncs.latencies().at("standard").count(), 100u);
  EXPECT_EQ(report.ToJson(Faults())["phases"][0]["syncs"]["stalled"], 1);
}

TEST(Report, MeasuresTheServersProcessInEachStretch) {
  Report report(getpid());
  Phase& phase = report.AddPhase("work");
  int done = 0;
  report.Measure(phase, [&] { ++done; });
  report.Measure(phase, [&] { ++done; });
  EXPECT_EQ(done, 2);
  EXPECT_TRUE(phase.server_cpu.has_value());
  ASSERT_TRUE(phase.server_rss_bytes.has_value());
  EXPECT_GT(*phase.server_rss_bytes, 1'000'000u);
  ASSERT_TRUE(phase.server_peak_rss_bytes.has_value());
  EXPECT_GE(*phase.server_peak_rss_bytes, *phase.server_rss_bytes);
}

// What is said of a bound on memory, in bytes.
std::vector<std::string> FaultsPast(const Report& report, uint64_t most) {
  Faults faults;
  report.CheckMemory(most, faults);
  return faults.told();
}

TEST(Report, MemoryPastItsBoundIsAFaultOfThePhaseThatBroughtIt) {
  Report report(std::nullopt);
  report.AddPhase("quiet").server_peak_rss_bytes = 100'000'000;
  report.AddPhase("herd").server_peak_rss_bytes = 150'000'000;
  // The peak stays, whatever comes after.
  report.AddPhase("last syncs").server_peak_rss_bytes = 150'000'000;
  EXPECT_THAT(FaultsPast(report, 150'000'000), IsEmpty());
  EXPECT_THAT(FaultsPast(report, 149'900'000),
              ElementsAre("herd: the server's memory came to 150.0 MB, which is past 149.9 MB"));
}

TEST(Report, MemoryThatCouldNotBeReadDoesNotPassForLittle) {
  Report gone(0x7fffffff);
  gone.Measure(gone.AddPhase("work"), [] {});
  EXPECT_THAT(FaultsPast(gone, 1'000'000'000'000), ElementsAre("work: the server's memory is not known"));
  Report never_measured(std::nullopt);
  never_measured.AddPhase("work");
  EXPECT_THAT(FaultsPast(never_measured, 1), IsEmpty());
}

TEST(Report, TellsFaults) {
  Report report(std::nullopt);
  Faults faults;
  faults.Add("a device differs");
  EXPECT_THAT(Lines(report, faults), Contains(ElementsAre("fault:", "a", "device", "differs")));
  EXPECT_EQ(report.ToJson(faults)["faults"], 1);
  EXPECT_THAT(report.ToJson(faults)["faults_told"][0].get<std::string>(), HasSubstr("differs"));
}

}  // namespace
}  // namespace caresync::loadtest
