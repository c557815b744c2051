// The home-care agency of a run: a tenant of its own on the server, with real rotas, and the model of what it holds.
#ifndef CARESYNC_LOADTEST_AGENCY_H_
#define CARESYNC_LOADTEST_AGENCY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "caresync/v1/devices.pb.h"
#include "caresync/v1/mismatches.pb.h"
#include "caresync/v1/roster.pb.h"
#include "loadtest/connections.h"
#include "loadtest/credentials.h"
#include "loadtest/model.h"
#include "loadtest/options.h"
#include "loadtest/rota_feed.h"

namespace caresync::loadtest {

// Used by one thread at a time.
class Agency {
 public:
  // Makes the tenant and imports the rotas of `options`, from each of its sources: each has carers, service users and
  // visits of its own. `connections` must outlive it. Errors: those of the rota files and of the calls.
  static absl::StatusOr<std::unique_ptr<Agency>> Open(const std::string& tenant, const Options& options,
                                                      const Credentials& credentials, const Connections& connections);
  Agency(const Agency&) = delete;
  Agency& operator=(const Agency&) = delete;

  const std::vector<std::string>& sources() const { return sources_; }
  // All that `source` sent at the import, each record once.
  const std::vector<v1::ApplyChangesRequest>& imported(size_t source) const { return imported_[source]; }
  // Of every carer, those of all sources in turn.
  const std::vector<std::string>& carer_ids() const { return carer_ids_; }
  Model& model() { return model_; }

  // A new stream of changes.
  absl::StatusOr<std::unique_ptr<RotaFeed>> NewFeed(size_t source) const;
  // Sends a message, waits for its answer, and lets the model take both.
  absl::StatusOr<v1::ApplyChangesResponse> Apply(RotaFeed& feed, const v1::ApplyChangesRequest& request);
  // Every care event that the source may read, from the beginning.
  absl::StatusOr<std::vector<v1::CareEventDelivery>> ReadCareEvents(const std::string& source) const;
  // Every device, as the office sees it.
  absl::StatusOr<std::vector<v1::Device>> ReadDevices() const;
  // Every mismatch that is open, likewise.
  absl::StatusOr<std::vector<v1::Mismatch>> ReadMismatches() const;

 private:
  Agency(const Credentials& credentials, const Connections& connections)
      : credentials_(credentials), connections_(connections) {}

  absl::Status MakeTenant(const std::string& tenant) const;
  absl::Status ImportAll(const Options& options);
  void ListCarers();

  const Credentials credentials_;
  const Connections& connections_;
  std::vector<std::string> sources_;
  std::vector<std::vector<v1::ApplyChangesRequest>> imported_;
  std::vector<std::string> carer_ids_;
  Model model_;
};

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_AGENCY_H_
