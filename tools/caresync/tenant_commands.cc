#include <unistd.h>

#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "caresync/v1/tenants.grpc.pb.h"
#include "server/access/identity.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/errors.h"
#include "tools/caresync/files.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/output.h"
#include "tools/caresync/tenant_zone.h"

namespace caresync::cli {
namespace {

// What tenant create and tenant set take; a field that was not given stays as it is.
struct TenantSettings {
  std::string tenant_id;
  std::optional<std::string> name;
  std::optional<std::string> time_zone;
  std::optional<std::string> auto_sync;
  std::optional<std::string> download_window;
  std::optional<std::string> retention;
  std::optional<std::string> least_app_version;
  std::optional<std::string> restore_wait;
  std::optional<std::string> mismatch_grace;
  std::optional<std::string> mismatch_lead;
  std::optional<std::string> deliveries_kept;
  // A URL, or "off".
  std::optional<std::string> push_webhook;
  // The file that holds it: on the command line everybody on the machine could read it.
  std::string push_webhook_secret;
  // "BRANCH=30m" each.
  std::vector<std::string> branch_auto_sync;
};

constexpr absl::Duration kDay = absl::Hours(24);

// A length of time, in days as well ("14d").
std::optional<absl::Duration> ParseTime(const std::string& text) {
  int32_t days = 0;
  if (absl::EndsWith(text, "d") && absl::SimpleAtoi(text.substr(0, text.size() - 1), &days)) return days * kDay;
  absl::Duration length;
  if (!absl::ParseDuration(text, &length)) return std::nullopt;
  return length;
}

// A setting of a tenant; "off" is none, as 0 is.
absl::StatusOr<google::protobuf::Duration> ParseLength(const std::string& option, const std::string& text) {
  const std::optional<absl::Duration> length = text == "off" ? absl::ZeroDuration() : ParseTime(text);
  if (!length || *length < absl::ZeroDuration() || *length != absl::Trunc(*length, absl::Seconds(1))) {
    return errors::Usage(absl::StrCat(option, " ", text, ": give a time such as 30m, 2h or 14d, or off"));
  }
  google::protobuf::Duration given;
  given.set_seconds(absl::ToInt64Seconds(*length));
  return given;
}

// Fills the lengths that were given into a tenant, or into an update of one.
template <typename Message>
absl::Status FillLengths(const TenantSettings& settings, Message& message) {
  if (settings.auto_sync) {
    ASSIGN_OR_RETURN(*message.mutable_auto_sync_interval(), ParseLength("--auto-sync", *settings.auto_sync));
  }
  if (settings.download_window) {
    ASSIGN_OR_RETURN(*message.mutable_download_window(), ParseLength("--download-window", *settings.download_window));
  }
  if (settings.retention) {
    ASSIGN_OR_RETURN(*message.mutable_retention(), ParseLength("--retention", *settings.retention));
  }
  if (settings.restore_wait) {
    ASSIGN_OR_RETURN(*message.mutable_restore_wait(), ParseLength("--restore-wait", *settings.restore_wait));
  }
  if (settings.mismatch_grace) {
    ASSIGN_OR_RETURN(*message.mutable_mismatch_grace(), ParseLength("--mismatch-grace", *settings.mismatch_grace));
  }
  if (settings.mismatch_lead) {
    ASSIGN_OR_RETURN(*message.mutable_mismatch_lead(), ParseLength("--mismatch-lead", *settings.mismatch_lead));
  }
  if (settings.deliveries_kept) {
    ASSIGN_OR_RETURN(*message.mutable_deliveries_kept(), ParseLength("--deliveries-kept", *settings.deliveries_kept));
  }
  return absl::OkStatus();
}

// Far more than a secret has.
constexpr size_t kSecretFileBytes = size_t{4} * 1024;

// Where the push webhook is given, in a tenant or in an update of one.
template <typename Message>
absl::Status FillPushWebhook(const TenantSettings& settings, Message& message) {
  if (!settings.push_webhook) return absl::OkStatus();
  v1::PushWebhook& webhook = *message.mutable_push_webhook();
  if (*settings.push_webhook != "off") webhook.set_url(*settings.push_webhook);
  if (settings.push_webhook_secret.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string secret, ReadFile(settings.push_webhook_secret, kSecretFileBytes));
  webhook.set_secret(std::string(absl::StripAsciiWhitespace(secret)));
  return absl::OkStatus();
}

// The options of a call for this tenant, whichever the other commands are for.
Options OfTenant(const Options& options, const std::string& tenant_id) {
  Options of_tenant = options;
  of_tenant.tenant = tenant_id;
  return of_tenant;
}

// Of the branches that were named, by name or ID.
absl::Status FillBranches(const Options& options, const TenantSettings& settings, v1::UpdateTenantRequest& request) {
  const Options of_tenant = OfTenant(options, settings.tenant_id);
  const Connection connection(of_tenant);
  for (const std::string& text : settings.branch_auto_sync) {
    const size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      return errors::Usage(
          absl::StrCat("--branch-auto-sync ", text, ": give BRANCH=30m, BRANCH=off or BRANCH=default"));
    }
    const std::string length = text.substr(equals + 1);
    v1::BranchAutoSync& branch = *request.add_branch_auto_syncs();
    if (length != "default") {
      ASSIGN_OR_RETURN(*branch.mutable_auto_sync_interval(), ParseLength("--branch-auto-sync", length));
    }
    ASSIGN_OR_RETURN(*branch.mutable_branch_id(), FindBranch(connection, text.substr(0, equals)));
  }
  return absl::OkStatus();
}

Caller Operator() { return Caller{access::Role::kOperator, "", std::nullopt}; }

std::string LengthText(const google::protobuf::Duration& length) {
  const absl::Duration given = absl::Seconds(length.seconds());
  if (given == absl::ZeroDuration()) return "off";
  if (given % kDay == absl::ZeroDuration()) return absl::StrCat(given / kDay, "d");
  return absl::FormatDuration(given);
}

void PrintTenants(const std::vector<v1::Tenant>& tenants) {
  std::vector<std::vector<Cell>> rows;
  rows.reserve(tenants.size());
  for (const v1::Tenant& tenant : tenants) {
    rows.push_back(
        {tenant.tenant_id(), tenant.display_name(), tenant.time_zone(), LengthText(tenant.auto_sync_interval()),
         LengthText(tenant.download_window()), LengthText(tenant.retention()), LengthText(tenant.restore_wait()),
         LengthText(tenant.mismatch_grace()), LengthText(tenant.mismatch_lead()), LengthText(tenant.deliveries_kept()),
         tenant.least_app_version(), PeopleTime(ToTime(tenant.create_time()), ZoneOrUtc(tenant.time_zone()))});
  }
  std::cout << FormatTable(
      {"Tenant", "Name", "Time zone", "Auto sync", "Download window", "Retention", "Wait after a restore",
       "Mismatch grace", "Mismatch lead", "Deliveries kept", "Least app version", "Created"},
      rows, LookOf(STDOUT_FILENO));
}

// Nothing where no branch has an interval of its own.
absl::Status PrintBranches(const Options& options, const v1::Tenant& tenant) {
  if (tenant.branch_auto_syncs().empty()) return absl::OkStatus();
  const Options of_tenant = OfTenant(options, tenant.tenant_id());
  ASSIGN_OR_RETURN(const auto names, BranchNames(Connection(of_tenant)));
  std::vector<std::vector<Cell>> rows;
  for (const v1::BranchAutoSync& branch : tenant.branch_auto_syncs()) {
    const auto name = names.find(branch.branch_id());
    rows.push_back(
        {name == names.end() ? "-" : name->second, branch.branch_id(), LengthText(branch.auto_sync_interval())});
  }
  std::cout << "\n" << FormatTable({"Branch", "Branch ID", "Auto sync"}, rows, LookOf(STDOUT_FILENO));
  return absl::OkStatus();
}

// Nothing where no device waits after a restore.
void PrintRestoreProgress(const v1::Tenant& tenant) {
  if (!tenant.has_restore_progress()) return;
  const v1::RestoreProgress& progress = tenant.restore_progress();
  const absl::TimeZone zone = ZoneOrUtc(tenant.time_zone());
  if (progress.waiting()) {
    std::cout << "\nAfter a restore devices wait for the rota to be sent again, until "
              << PeopleTime(ToTime(progress.release_time()), zone)
              << " at the latest; `caresync tenant release-rebuilds` ends that.\n";
    return;
  }
  std::cout << "\nAfter a restore devices come back, each at a time of its own, until "
            << PeopleTime(ToTime(progress.last_return_time()), zone) << ".\n";
}

absl::StatusOr<ExitCode> ShowTenant(const Options& options, const v1::Tenant& tenant) {
  if (options.json) {
    PrintJson(ToJson(tenant));
    return 0;
  }
  PrintTenants({tenant});
  RETURN_IF_ERROR(PrintBranches(options, tenant));
  PrintRestoreProgress(tenant);
  if (tenant.has_push_webhook()) std::cout << "\nPush webhook  " << Printable(tenant.push_webhook().url()) << "\n";
  return 0;
}

absl::StatusOr<ExitCode> CreateTenant(const Options& options, const TenantSettings& settings) {
  v1::CreateTenantRequest request;
  v1::Tenant& tenant = *request.mutable_tenant();
  tenant.set_tenant_id(settings.tenant_id);
  tenant.set_display_name(settings.name.value_or(""));
  tenant.set_time_zone(settings.time_zone.value_or(""));
  tenant.set_least_app_version(settings.least_app_version.value_or(""));
  RETURN_IF_ERROR(FillLengths(settings, tenant));
  RETURN_IF_ERROR(FillPushWebhook(settings, tenant));
  const Connection connection(options);
  ASSIGN_OR_RETURN(const v1::Tenant created,
                   connection.Call(Operator(), &v1::TenantService::Stub::CreateTenant, request));
  return ShowTenant(options, created);
}

absl::StatusOr<ExitCode> SetTenant(const Options& options, const TenantSettings& settings) {
  v1::UpdateTenantRequest request;
  request.set_tenant_id(settings.tenant_id);
  if (settings.name) request.set_display_name(*settings.name);
  if (settings.time_zone) request.set_time_zone(*settings.time_zone);
  if (settings.least_app_version) request.set_least_app_version(*settings.least_app_version);
  RETURN_IF_ERROR(FillLengths(settings, request));
  RETURN_IF_ERROR(FillPushWebhook(settings, request));
  RETURN_IF_ERROR(FillBranches(options, settings, request));
  const Connection connection(options);
  ASSIGN_OR_RETURN(const v1::Tenant tenant,
                   connection.Call(Operator(), &v1::TenantService::Stub::UpdateTenant, request));
  return ShowTenant(options, tenant);
}

absl::StatusOr<v1::Tenant> ReadTenant(const Connection& connection, const std::string& tenant_id) {
  v1::GetTenantRequest request;
  request.set_tenant_id(tenant_id);
  return connection.Call(Operator(), &v1::TenantService::Stub::GetTenant, request);
}

absl::StatusOr<ExitCode> GetTenant(const Options& options, const std::string& tenant_id) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(const v1::Tenant tenant, ReadTenant(connection, tenant_id));
  return ShowTenant(options, tenant);
}

absl::StatusOr<ExitCode> ReleaseRebuilds(const Options& options, const std::string& tenant_id) {
  v1::ReleaseRebuildsRequest request;
  request.set_tenant_id(tenant_id);
  const Connection connection(options);
  ASSIGN_OR_RETURN(const v1::ReleaseRebuildsResponse released,
                   connection.Call(Operator(), &v1::TenantService::Stub::ReleaseRebuilds, request));
  if (options.json) {
    PrintJson({{"release_time", IsoTime(ToTime(released.release_time()))},
               {"last_return_time", IsoTime(ToTime(released.last_return_time()))}});
    return 0;
  }
  ASSIGN_OR_RETURN(const v1::Tenant tenant, ReadTenant(connection, tenant_id));
  const absl::TimeZone zone = ZoneOrUtc(tenant.time_zone());
  std::cout << "devices wait for the rota no longer, since " << PeopleTime(ToTime(released.release_time()), zone)
            << "; they come back by " << PeopleTime(ToTime(released.last_return_time()), zone)
            << ", each at its own time\n";
  return 0;
}

absl::StatusOr<ExitCode> ListTenants(const Options& options) {
  const Connection connection(options);
  v1::ListTenantsRequest request;
  std::vector<v1::Tenant> tenants;
  RETURN_IF_ERROR(connection.CallPages(Operator(), &v1::TenantService::Stub::ListTenants, request,
                                       [&](const v1::ListTenantsResponse& page) {
                                         tenants.insert(tenants.end(), page.tenants().begin(), page.tenants().end());
                                       }));
  if (!options.json) {
    PrintTenants(tenants);
    return 0;
  }
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::Tenant& tenant : tenants) list.push_back(ToJson(tenant));
  PrintJson({{"tenants", list}});
  return 0;
}

void AddSettings(CLI::App& command, TenantSettings& settings) {
  command.add_option("ID", settings.tenant_id, "1 to 63 characters of a-z, 0-9 and '-', beginning with a letter")
      ->required()
      ->check(NotEmpty);
  command.add_option("--name", settings.name, "Shown to people");
  command.add_option("--time-zone", settings.time_zone, "An IANA name, such as Europe/London");
  command.add_option("--auto-sync", settings.auto_sync, "How often devices sync by themselves: 5m to 24h, or off");
  command.add_option("--download-window", settings.download_window,
                     "How far ahead of its start a visit comes to devices: 1h to 366d, or off: however far");
  command.add_option("--retention", settings.retention,
                     "How long after its end a visit stays on devices: 24h to 366d, or off: for ever");
  command.add_option("--least-app-version", settings.least_app_version,
                     "Apps below it may send events but get no changes, such as 4.10; empty: any may");
  command.add_option("--restore-wait", settings.restore_wait,
                     "How long devices wait for the rostering systems after a restore: up to 24h, or off: not at all");
  command.add_option("--mismatch-grace", settings.mismatch_grace,
                     "How long phones have to take a change of a visit before the office is told: 5m to 24h");
  command.add_option("--mismatch-lead", settings.mismatch_lead,
                     "How long before a visit the office is told of a change that came long before: 30m to 7d");
  command.add_option("--deliveries-kept", settings.deliveries_kept,
                     "How long it is kept what carers' devices showed, and when they got it: 7d to 400d");
  CLI::Option* webhook = command.add_option(
      "--push-webhook", settings.push_webhook,
      "URL of the agency's push service, which is told which device to wake, or off; the first needs the secret too");
  command
      .add_option("--push-webhook-secret", settings.push_webhook_secret,
                  "A file that holds what signs the notices: whsec_ and base64 of 24 to 64 random bytes")
      ->needs(webhook)
      ->check(NotEmpty);
}

// What the token command takes.
struct TokenWish {
  std::string role;
  std::string subject;
  std::string device;
  std::string lifetime = "1h";
};

absl::StatusOr<Caller> CallerOf(const TokenWish& wish) {
  const std::optional<access::Role> role = access::RoleFromName(wish.role);
  if (!role) {
    return errors::Usage(
        absl::StrCat("--role ", wish.role, ": give carer, rostering, coordinator, administrator, support or operator"));
  }
  Caller caller{*role, wish.subject, std::nullopt};
  if (caller.role == access::Role::kRostering && caller.subject.empty()) caller.subject = "rota-import";
  if (!wish.device.empty()) {
    caller.device = base::Uuid::Parse(wish.device);
    if (!caller.device) return errors::Usage(absl::StrCat("--device ", wish.device, " is not a UUID"));
  }
  if (caller.role != access::Role::kCarer) return caller;
  if (!caller.device || !base::Uuid::Parse(caller.subject)) {
    return errors::Usage("a carer's token needs --subject, the carer's ID, and --device, the device's UUID");
  }
  return caller;
}

absl::StatusOr<ExitCode> PrintToken(const Options& options, const TokenWish& wish) {
  ASSIGN_OR_RETURN(const Caller caller, CallerOf(wish));
  const absl::Duration lifetime = ParseTime(wish.lifetime).value_or(absl::ZeroDuration());
  if (lifetime <= absl::ZeroDuration() || lifetime > base::limits::kTokenLifetimeMost) {
    return errors::Usage(absl::StrCat("--lifetime ", wish.lifetime, ": give a time such as 1h or 30d, at most 366d"));
  }
  const Connection connection(options);
  ASSIGN_OR_RETURN(const std::string token, connection.Mint(caller, lifetime));
  if (options.json) {
    PrintJson({{"token", token}, {"expires", IsoTime(absl::Now() + lifetime)}});
  } else {
    std::cout << token << "\n";
  }
  return 0;
}

}  // namespace

void AddTenantCommands(CLI::App& app, CommandLine& line) {
  CLI::App* group = app.add_subcommand("tenant", "Make, list, show and change tenants");
  group->footer(
      "Examples:\n  caresync tenant create demo --name \"Demo Care\" --time-zone Europe/Rome\n"
      "  caresync tenant set demo --auto-sync 15m --download-window 14d --retention 7d");
  const auto settings = std::make_shared<TenantSettings>();

  CLI::App* create = group->add_subcommand("create", "Make a tenant");
  AddSettings(*create, *settings);
  create->callback(
      [&line, settings] { line.run = [&line, settings] { return CreateTenant(line.options, *settings); }; });

  CLI::App* set = group->add_subcommand("set", "Change a tenant's preferences");
  AddSettings(*set, *settings);
  set->add_option(
         "--branch-auto-sync", settings->branch_auto_sync,
         "BRANCH=30m: another interval for the devices of a branch, by its name or ID; BRANCH=off; BRANCH=default: "
         "the tenant's again. May be given several times")
      ->allow_extra_args(false);
  set->callback([&line, settings] { line.run = [&line, settings] { return SetTenant(line.options, *settings); }; });

  CLI::App* show = group->add_subcommand("show", "Show one tenant");
  show->add_option("ID", settings->tenant_id, "The tenant")->required()->check(NotEmpty);
  show->callback(
      [&line, settings] { line.run = [&line, settings] { return GetTenant(line.options, settings->tenant_id); }; });

  CLI::App* release = group->add_subcommand(
      "release-rebuilds", "After a restore: let devices make new copies without waiting for the rostering systems");
  release->add_option("ID", settings->tenant_id, "The tenant")->required()->check(NotEmpty);
  release->callback([&line, settings] {
    line.run = [&line, settings] { return ReleaseRebuilds(line.options, settings->tenant_id); };
  });

  CLI::App* list = group->add_subcommand("list", "List all tenants");
  list->callback([&line] { line.run = [&line] { return ListTenants(line.options); }; });
}

void AddTokenCommand(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("token", "Make a token with the signing key in the data directory");
  command->footer(
      "Examples:\n  caresync token --tenant demo --role administrator\n"
      "  caresync token --tenant demo --role rostering --subject rota-import --lifetime 24h");
  const auto wish = std::make_shared<TokenWish>();
  command->add_option("--role", wish->role, "carer, rostering, coordinator, administrator, support or operator")
      ->required();
  command->add_option("--subject", wish->subject, "Whom it names: a carer's ID, a source, anyone else's name")
      ->check(NotEmpty);
  command->add_option("--device", wish->device, "With --role carer: the device's UUID")->check(NotEmpty);
  command->add_option("--lifetime", wish->lifetime, "Such as 30m, 24h or 30d")->capture_default_str();
  command->callback([&line, wish] { line.run = [&line, wish] { return PrintToken(line.options, *wish); }; });
}

}  // namespace caresync::cli
