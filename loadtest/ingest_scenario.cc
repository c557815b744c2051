// Rostering systems that send as fast as they are answered.
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "loadtest/rota_changer.h"
#include "loadtest/scenarios.h"
#include "loadtest/stopwatch.h"
#include "server/base/status_macros.h"

namespace caresync::loadtest {
namespace {

constexpr int kVisitsOfMessage = 100;
// Messages that are on their way at once, so that the server need not wait for the next one.
constexpr size_t kUnanswered = 4;

struct Exchange {
  v1::ApplyChangesRequest request;
  v1::ApplyChangesResponse response;
};

// One rostering system. Used by one thread at a time.
class Sender {
 public:
  Sender(std::unique_ptr<RotaFeed> feed, ComingDays days) : feed_(std::move(feed)), days_(std::move(days)) {}

  // Until the time is over and everything is answered.
  void Send(const Deadline& deadline) { status_ = SendAll(deadline); }

  const absl::Status& status() const { return status_; }
  const Histogram& latencies() const { return latencies_; }
  // In order.
  const std::vector<Exchange>& exchanges() const { return exchanges_; }

 private:
  absl::Status SendAll(const Deadline& deadline) {
    while (!deadline.passed() || feed_->unanswered() > 0) {
      while (feed_->unanswered() < kUnanswered && !deadline.passed()) {
        exchanges_.push_back({days_.Next(kVisitsOfMessage), {}});
        sent_.push_back(Now());
        RETURN_IF_ERROR(feed_->Send(exchanges_.back().request));
      }
      if (feed_->unanswered() == 0) break;
      Exchange& first = exchanges_[exchanges_.size() - feed_->unanswered()];
      ASSIGN_OR_RETURN(first.response, feed_->Receive());
      latencies_.Add(Since(sent_.front()));
      sent_.pop_front();
    }
    return feed_->Close();
  }

  std::unique_ptr<RotaFeed> feed_;
  ComingDays days_;
  absl::Status status_;
  Histogram latencies_;
  std::vector<Exchange> exchanges_;
  // When the unanswered ones were sent.
  std::deque<Instant> sent_;
};

}  // namespace

absl::Status RunIngest(Stage& stage) {
  std::vector<Sender> senders;
  for (size_t i = 0; i < stage.agency.sources().size(); ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<RotaFeed> feed, stage.agency.NewFeed(i));
    senders.emplace_back(std::move(feed), ComingDays(stage.agency.imported(i)));
  }
  Phase& phase = stage.report.AddPhase("ingest");
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
    for (const Exchange& exchange : sender.exchanges()) {
      phase.sums["changes"] += static_cast<uint64_t>(exchange.request.changes_size());
      phase.sums["bytes of changes"] += exchange.request.ByteSizeLong();
      RETURN_IF_ERROR(stage.agency.model().Take(exchange.request, exchange.response));
    }
  }
  return absl::OkStatus();
}

}  // namespace caresync::loadtest
