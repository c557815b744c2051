// Tokens: whatever a caller sends in the place of a credential, a page token, a resume token or an uploads token, and
// whatever such a token holds that this server itself made, there is an answer, or a named error.
//
// The first byte says which: 0, the rest is an `authorization`; 1, a chunk is a JWS's header, as JSON, beside its alg,
// and the rest are claims that this server's key signed; 2, the rest is a page token; 3, the rest stands behind the
// query of a page token; 4, the rest is a token of a copy, of uploads and of a stream of events; 5, it is what such
// tokens of this server hold.
#include <cjose/cjose.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "nlohmann/json.hpp"
#include "server/access/signing_key_data.h"
#include "server/access/token_verifier.h"
#include "server/base/limits.h"
#include "server/base/page.h"
#include "server/care_events/event_lists.h"
#include "server/deliveries/delivery_list.h"
#include "server/deliveries/delivery_stream.h"
#include "server/devices/report.h"
#include "server/devices/sync_history.h"
#include "server/mismatch/mismatch_watch.h"
#include "server/roster/care_event_stream.h"
#include "server/roster/carers.h"
#include "server/roster/waiting_list.h"
#include "server/sync/resume_token.h"
#include "server/sync/unrecorded_ends.h"
#include "server/tenants/tenants.h"
#include "storage/tuple.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temporary_directory.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/small_agency.h"

namespace caresync::fuzz {
namespace {

// ---- Credentials

class Credentials {
 public:
  Credentials() : verifier_(*access::SigningKey::OpenOrCreate(folder_ / "key.json"), clock_) {
    std::ifstream stream(folder_ / "key.json");
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    cjose_err error;
    jwk_.reset(cjose_jwk_import(text.data(), text.size(), &error));
    Require(jwk_ != nullptr, "the test has no key");
  }

  void Verify(const std::string& authorization) {
    const access::Verified verified = verifier_.Verify(authorization);
    RequireNamed(verified.status);
    if (!verified.status.ok()) return;
    const absl::Duration left = verified.identity->expires - clock_.Now();
    Require(left > absl::ZeroDuration() && left <= base::limits::kTokenLifetimeMost, "a credential holds for too long");
    Require(verified.identity->role != access::Role::kCarer || verified.identity->device.has_value(),
            "a carer's credential names no device");
    Require(verifier_.Verify(authorization).status.ok(), "a credential holds once and not again");
  }

  // nullopt where cjose takes no such header.
  std::optional<std::string> Sign(const std::string& header_text, const std::string& claims) const {
    cjose_err error;
    const access::Header header(cjose_header_new(&error));
    const nlohmann::json fields = nlohmann::json::parse(header_text, nullptr, /*allow_exceptions=*/false);
    if (fields.is_object()) {
      for (const auto& [name, value] : fields.items()) {
        if (name.find('\0') != std::string::npos) return std::nullopt;
        cjose_header_set_raw(header.get(), name.c_str(), value.dump().c_str(), &error);
      }
    }
    if (!cjose_header_set(header.get(), CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, &error)) return std::nullopt;
    const access::Jws jws(cjose_jws_sign(jwk_.get(), header.get(), reinterpret_cast<const uint8_t*>(claims.data()),
                                         claims.size(), &error));
    const char* text = nullptr;
    if (jws == nullptr || !cjose_jws_export(jws.get(), &text, &error)) return std::nullopt;
    return std::string(text);
  }

 private:
  fakes::TemporaryDirectory folder_;
  fakes::ManualClock clock_;
  access::TokenVerifier verifier_;
  access::Jwk jwk_;
};

Credentials& TheCredentials() {
  static Credentials credentials;
  return credentials;
}

void VerifySigned(Input& input) {
  const std::string header = input.Chunk();
  const std::optional<std::string> token = TheCredentials().Sign(header, input.Rest());
  if (token.has_value()) TheCredentials().Verify("Bearer " + *token);
}

// ---- Pages

// A page of each list, of one row, after `token`; returns the lists' tokens for the next page.
std::vector<std::string> ReadPages(RunningAgency& running, const std::vector<std::string>& tokens) {
  const SmallAgency& agency = running.agency();
  const std::unique_ptr<storage::Snapshot> reader = running.engine().Snapshot();
  const devices::AsOf as_of{.syncs = sync::SyncsOf(running.server().parts()), .now = running.engine().clock().Now()};
  std::vector<std::string> next;
  size_t list = 0;
  const auto ask = [&](auto request, auto read) {
    request.set_page_size(1);
    request.set_page_token(tokens[list++ % tokens.size()]);
    const auto response = read(request);
    RequireNamed(response.status());
    next.push_back(response.ok() ? response->next_page_token() : std::string());
  };
  ask(v1::ListTenantsRequest(), [&](const auto& request) { return tenants::ListTenants(*reader, request); });
  ask(v1::ListCarersRequest(),
      [&](const auto& request) { return roster::ListCarers(*reader, agency.tenant, request); });
  ask(v1::ListDevicesRequest(),
      [&](const auto& request) { return devices::ListDevices(*reader, agency.tenant, request, as_of); });
  v1::ListSyncsRequest of_device;
  of_device.set_device_uuid(agency.device.uuid().ToString());
  ask(of_device, [&](const auto& request) { return devices::ListSyncs(*reader, agency.tenant, request, as_of.syncs); });
  v1::ListSyncsRequest of_carer;
  of_carer.set_carer_id(agency.carer.ToString());
  ask(of_carer, [&](const auto& request) { return devices::ListSyncs(*reader, agency.tenant, request, as_of.syncs); });
  v1::ListCareEventsRequest events;
  events.set_visit_id(agency.visit.ToString());
  ask(events, [&](const auto& request) { return care_events::ListCareEvents(*reader, agency.tenant, request); });
  v1::ListDeliveriesRequest of_visit;
  of_visit.set_visit_id(agency.visit.ToString());
  ask(of_visit,
      [&](const auto& request) { return deliveries::ListDeliveries(*reader, agency.tenant, request, as_of); });
  v1::ListDeliveriesRequest of_times;
  of_times.mutable_committed_from_time()->set_seconds(1);
  ask(of_times,
      [&](const auto& request) { return deliveries::ListDeliveries(*reader, agency.tenant, request, as_of); });
  ask(v1::ListWaitingChangesRequest(),
      [&](const auto& request) { return roster::ListWaiting(*reader, agency.tenant, request, as_of.now); });
  ask(v1::ListEventsForReviewRequest(),
      [&](const auto& request) { return care_events::ListEventsForReview(*reader, agency.tenant, request); });
  return next;
}

// The token with `place` instead of where its page ended.
std::string AtPlace(const std::string& token, const std::string& place) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(token, &bytes)) return "";
  storage::TupleReader reader(bytes);
  std::string query;
  return reader.String(&query) ? base::EncodePageToken(query, place) : "";
}

void ReadPageToken(const std::string& token) {
  RunningAgency running;
  const absl::StatusOr<std::string> after = base::DecodePageToken("", token);
  RequireNamed(after.status());
  ReadPages(running, {token});
}

void ReadPlace(const std::string& place) {
  RunningAgency running;
  const absl::StatusOr<std::string> after = base::DecodePageToken("query", base::EncodePageToken("query", place));
  Require(place.empty() || (after.ok() && *after == place), "a page token is not what was written");
  std::vector<std::string> tokens = ReadPages(running, {""});
  for (std::string& token : tokens) token = AtPlace(token, place);
  ReadPages(running, tokens);
}

// ---- Sealed tokens

// A device, a rostering system and the office come with these.
void UseTokens(RunningAgency& running, const std::string& copy, const std::string& uploads, const std::string& events,
               const std::string& mismatches, const std::string& deliveries) {
  const SmallAgency& agency = running.agency();
  RequireNamed(sync::OpenToken(running.server().sealer(), agency.tenant, copy).status());
  (void)sync::OpenUploadsToken(running.server().sealer(), agency.tenant, uploads);
  const std::unique_ptr<storage::Snapshot> reader = running.engine().Snapshot();
  RequireNamed(roster::ReadCareEvents(*reader, agency.tenant, kSource, events, running.server().sealer()).status());
  RequireNamed(
      deliveries::ReadDeliveries(*reader, agency.tenant, kSource, deliveries, running.server().sealer()).status());
  const devices::AsOf as_of{.syncs = sync::SyncsOf(running.server().parts()), .now = running.engine().clock().Now()};
  RequireNamed(
      mismatch::WatchMismatches(*reader, agency.tenant, mismatches, running.server().sealer(), as_of).status());
  for (const v1::SyncType type : {v1::SYNC_TYPE_STANDARD, v1::SYNC_TYPE_CLEAN}) {
    fakes::TestDevice device = agency.device;
    device.of(agency.carer).token = copy;
    device.of(agency.carer).uploads_token = uploads;
    running.Sync(device, agency.carer, type).IgnoreError();
  }
}

void UseTokensAsTheyAre(const std::string& token) {
  RunningAgency running;
  UseTokens(running, token, token, token, token, token);
}

void UseContents(const std::string& content) {
  RunningAgency running;
  const SmallAgency& agency = running.agency();
  const base::TokenSealer& sealer = running.server().sealer();
  const std::string& scope = agency.tenant.text();
  fakes::TestDevice device = agency.device;
  // Should the server name its purposes otherwise one day, this would show nothing.
  Require(sealer.Open("resume", scope, device.of(agency.carer).token).has_value() &&
              sealer.Open("uploads", scope, device.of(agency.carer).uploads_token).has_value(),
          "a real token cannot be opened");
  UseTokens(running, sealer.Seal("resume", scope, content), sealer.Seal("uploads", scope, content),
            sealer.Seal("care-events", scope, content), sealer.Seal("mismatches", scope, content),
            sealer.Seal("deliveries", scope, content));
}

}  // namespace
}  // namespace caresync::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace caresync::fuzz;  // NOLINT(google-build-using-namespace): it is their target.
  Input input(data, size);
  switch (input.Byte() % 6) {
    case 0:
      TheCredentials().Verify(input.Rest());
      break;
    case 1:
      VerifySigned(input);
      break;
    case 2:
      ReadPageToken(input.Rest());
      break;
    case 3:
      ReadPlace(input.Rest());
      break;
    case 4:
      UseTokensAsTheyAre(input.Rest());
      break;
    default:
      UseContents(input.Rest());
  }
  return 0;
}
