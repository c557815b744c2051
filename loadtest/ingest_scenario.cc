// Rostering systems that send as fast as they are answered.
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "loadtest/rota_changer.h"
#include "loadtest/rota_plan.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

struct Exchange {
  v1::ApplyChangesRequest request;
  v1::ApplyChangesResponse response;
};

// One rostering system. Used by one thread at a time.
class Sender {
 public:
  Sender(std::unique_ptr<RotaFeed> feed, ComingDays days) : feed_(std::move(feed)), days_(std::move(days)) {}

  // Only counts what is sent and answered; set before it sends.
  void KeepNothing() { keep_ = false; }

  // Until the time is over and everything is answered.
  void Send(const Deadline& deadline) { status_ = SendAll(deadline); }

  const absl::Status& status() const { return status_; }
  const Histogram& latencies() const { return latencies_; }
  // In order; empty where nothing is kept.
  const std::deque<Exchange>& exchanges() const { return exchanges_; }
  uint64_t changes() const { return changes_; }
  uint64_t bytes() const { return bytes_; }

 private:
  absl::Status SendAll(const Deadline& deadline) {
    RETURN_IF_ERROR(feed_->SendAll([&] { return deadline.passed() ? nullptr : Next(); },
                                   [this](v1::ApplyChangesResponse response) {
                                     Take(std::move(response));
                                     return absl::OkStatus();
                                   }));
    return feed_->Close();
  }

  const v1::ApplyChangesRequest* Next() {
    exchanges_.push_back({days_.Next(kVisitsOfMessage), {}});
    const v1::ApplyChangesRequest& request = exchanges_.back().request;
    changes_ += static_cast<uint64_t>(request.changes_size());
    bytes_ += request.ByteSizeLong();
    sent_.push_back(Now());
    return &request;
  }

  void Take(v1::ApplyChangesResponse response) {
    exchanges_[exchanges_.size() - sent_.size()].response = std::move(response);
    latencies_.Add(Since(sent_.front()));
    sent_.pop_front();
    if (!keep_) exchanges_.pop_front();
  }

  std::unique_ptr<RotaFeed> feed_;
  ComingDays days_;
  absl::Status status_;
  Histogram latencies_;
  bool keep_ = true;
  std::deque<Exchange> exchanges_;
  uint64_t changes_ = 0;
  uint64_t bytes_ = 0;
  // When the unanswered ones were sent.
  std::deque<Instant> sent_;
};

// All send at once.
absl::Status MeasureIngest(FleetStage& stage, std::vector<Sender>& senders, Phase& phase) {
  stage.report.Measure(phase, [&] {
    const Deadline deadline(stage.options.duration);
    std::vector<std::thread> threads;
    threads.reserve(senders.size());
    for (Sender& sender : senders) threads.emplace_back([&sender, &deadline] { sender.Send(deadline); });
    for (std::thread& thread : threads) thread.join();
  });
  for (const Sender& sender : senders) {
    RETURN_IF_ERROR(sender.status());
    phase.others["apply changes"].Merge(sender.latencies());
    phase.sums["changes"] += sender.changes();
    phase.sums["bytes of changes"] += sender.bytes();
  }
  return absl::OkStatus();
}

// What the server has been sent before: together with the phase's own, all the changes that its log holds.
uint64_t ChangesImported(const Agency& agency) {
  uint64_t changes = 0;
  for (size_t i = 0; i < agency.sources().size(); ++i) {
    for (const v1::ApplyChangesRequest& request : agency.imported(i)) {
      changes += static_cast<uint64_t>(request.changes_size());
    }
  }
  return changes;
}

}  // namespace

absl::Status RunIngest(Stage& stage) {
  std::vector<Sender> senders;
  for (size_t i = 0; i < stage.agency.sources().size(); ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(i));
    senders.emplace_back(std::move(feed), ComingDays(stage.agency.imported(i)));
  }
  Phase& phase = stage.report.AddPhase("ingest");
  phase.sums["changes before"] = ChangesImported(stage.agency);
  RETURN_IF_ERROR(MeasureIngest(stage, senders, phase));
  for (const Sender& sender : senders) {
    for (const Exchange& exchange : sender.exchanges()) {
      RETURN_IF_ERROR(stage.agency.model().Take(exchange.request, exchange.response));
    }
  }
  return absl::OkStatus();
}

absl::Status RunIngestOnLimit(FleetStage& stage) {
  const std::string source = SourceName(0);
  ASSIGN_OR_RETURN(const std::vector<v1::ApplyChangesRequest> rota, PlanRotas(stage.options, source));
  ASSIGN_OR_RETURN(const std::string authorization, stage.credentials.OfSource(source));
  std::vector<Sender> senders;
  senders.emplace_back(
      std::make_unique<RotaFeed>(stage.connections.office(), authorization, stage.connections.server()),
      ComingDays(rota));
  senders.back().KeepNothing();
  return MeasureIngest(stage, senders, stage.report.AddPhase("ingest"));
}

}  // namespace caresync::loadtest
