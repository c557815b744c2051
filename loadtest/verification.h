// The end of a run: what every device holds against the model, and what carers recorded against what the rostering
// systems can read.
#ifndef CARESYNC_LOADTEST_VERIFICATION_H_
#define CARESYNC_LOADTEST_VERIFICATION_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "caresync/v1/roster.pb.h"
#include "loadtest/agency.h"
#include "loadtest/faults.h"
#include "loadtest/fleet.h"
#include "loadtest/model.h"

namespace caresync::loadtest {

struct Verified {
  uint64_t devices = 0;
  uint64_t devices_different = 0;
  uint64_t records = 0;
  uint64_t events_accepted = 0;
  uint64_t events_for_review = 0;
};

// How what a device holds differs from what it must hold; empty where it does not.
std::string DifferenceOf(const HeldCopy& held, const Holdings& expected);

// What is wrong with how events were settled, and with how they were read back: each as a sentence. `settled` is of all
// devices; `delivered` is what the sources read.
std::vector<std::string> FaultsOfEvents(const std::vector<const OwnEvent*>& settled,
                                        const std::vector<v1::CareEventDelivery>& delivered, const Model& model);

// Brings every device up to date, in two rounds (what one uploads, others hold after the second), then compares. What
// is wrong is added to the faults. No run is under way, and nothing changes the rota. Errors: those of reading the
// events.
absl::Status Verify(Agency& agency, Fleet& fleet, Tally& tally, Faults& faults, Verified& verified);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_VERIFICATION_H_
