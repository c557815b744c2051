#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "caresync/v1/tenants.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tools/caresync/arguments.h"
#include "tools/caresync/carer_lookup.h"
#include "tools/caresync/commands.h"
#include "tools/caresync/files.h"
#include "tools/caresync/json_form.h"
#include "tools/caresync/notification_hours.h"
#include "tools/caresync/output.h"

namespace caresync::cli {
namespace {

// What is to hold of a branch; what is not given does not.
struct Wish {
  // A branch's name or ID. Empty: the default.
  std::string branch;
  std::string webhook;
  // The file that holds it: on the command line everybody on the machine could read it.
  std::string webhook_secret;
  std::vector<std::string> hours;
  std::vector<std::string> email;
  int32_t overdue_percent = 0;
};

// Far more than a secret has.
constexpr size_t kSecretFileBytes = size_t{4} * 1024;

absl::StatusOr<std::string> BranchOf(const Connection& connection, const std::string& branch) {
  if (branch.empty()) return std::string();
  return FindBranch(connection, branch);
}

absl::StatusOr<std::vector<v1::NotificationSettings>> ReadAll(const Connection& connection) {
  v1::ListNotificationSettingsRequest request;
  request.set_tenant_id(connection.options().tenant);
  std::vector<v1::NotificationSettings> all;
  RETURN_IF_ERROR(connection.CallPages(Caller(), &v1::TenantService::Stub::ListNotificationSettings, request,
                                       [&](const v1::ListNotificationSettingsResponse& page) {
                                         all.insert(all.end(), page.settings().begin(), page.settings().end());
                                       }));
  return all;
}

// `branch_names`: by record ID, those that are known.
void PrintTable(const std::vector<v1::NotificationSettings>& all,
                const std::map<std::string, std::string>& branch_names) {
  std::vector<std::vector<Cell>> rows;
  for (const v1::NotificationSettings& settings : all) {
    const bool is_default = settings.branch_id().empty();
    const auto name = branch_names.find(settings.branch_id());
    rows.push_back({is_default                   ? "default"
                    : name == branch_names.end() ? "-"
                                                 : name->second,
                    is_default ? "-" : settings.branch_id(), settings.has_webhook() ? settings.webhook().url() : "none",
                    settings.email_addresses().empty() ? "none" : absl::StrJoin(settings.email_addresses(), ", "),
                    HoursText(settings),
                    settings.overdue_percent() == 0 ? "off" : absl::StrCat(settings.overdue_percent(), " %")});
  }
  std::cout << FormatTable({"Branch", "Branch ID", "Webhook", "E-mail", "Hours", "Overdue"}, rows,
                           LookOf(STDOUT_FILENO));
}

absl::StatusOr<ExitCode> PrintAll(const Connection& connection, const std::vector<v1::NotificationSettings>& all) {
  std::map<std::string, std::string> branch_names;
  const bool of_branches = std::any_of(
      all.begin(), all.end(), [](const v1::NotificationSettings& settings) { return !settings.branch_id().empty(); });
  if (of_branches) {
    ASSIGN_OR_RETURN(branch_names, BranchNames(connection));
  }
  PrintTable(all, branch_names);
  return 0;
}

absl::StatusOr<ExitCode> List(const Options& options) {
  const Connection connection(options);
  ASSIGN_OR_RETURN(const std::vector<v1::NotificationSettings> all, ReadAll(connection));
  if (!options.json) return PrintAll(connection, all);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const v1::NotificationSettings& settings : all) list.push_back(ToJson(settings));
  PrintJson({{"settings", list}});
  return 0;
}

absl::Status FillWebhook(const Wish& wish, v1::NotificationSettings& settings) {
  if (wish.webhook.empty()) return absl::OkStatus();
  settings.mutable_webhook()->set_url(wish.webhook);
  if (wish.webhook_secret.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string secret, ReadFile(wish.webhook_secret, kSecretFileBytes));
  settings.mutable_webhook()->set_secret(std::string(absl::StripAsciiWhitespace(secret)));
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Set(const Options& options, const Wish& wish) {
  const Connection connection(options);
  v1::SetNotificationSettingsRequest request;
  request.set_tenant_id(options.tenant);
  v1::NotificationSettings& settings = *request.mutable_settings();
  RETURN_IF_ERROR(FillWebhook(wish, settings));
  for (const std::string& text : wish.hours) {
    ASSIGN_OR_RETURN(const std::vector<v1::NotificationHours> hours, ParseHours(text));
    for (const v1::NotificationHours& of_day : hours) *settings.add_hours() = of_day;
  }
  settings.set_overdue_percent(wish.overdue_percent);
  for (const std::string& address : wish.email) settings.add_email_addresses(address);
  ASSIGN_OR_RETURN(*settings.mutable_branch_id(), BranchOf(connection, wish.branch));
  ASSIGN_OR_RETURN(const v1::NotificationSettings set,
                   connection.Call(Caller(), &v1::TenantService::Stub::SetNotificationSettings, request));
  if (options.json) {
    PrintJson(ToJson(set));
    return 0;
  }
  return PrintAll(connection, {set});
}

absl::StatusOr<ExitCode> Remove(const Options& options, const std::string& branch) {
  const Connection connection(options);
  v1::RemoveNotificationSettingsRequest request;
  request.set_tenant_id(options.tenant);
  ASSIGN_OR_RETURN(*request.mutable_branch_id(), BranchOf(connection, branch));
  ASSIGN_OR_RETURN(const v1::RemoveNotificationSettingsResponse removed,
                   connection.Call(Caller(), &v1::TenantService::Stub::RemoveNotificationSettings, request));
  if (options.json) {
    PrintJson(ToJson(removed));
  } else {
    std::cout << (removed.removed() ? "removed\n" : "there were none\n");
  }
  return 0;
}

void AddBranch(CLI::App& command, Wish& wish) {
  command
      .add_option("--branch", wish.branch,
                  "A branch's name or ID; without it, the default: branches without settings of their own")
      ->check(NotEmpty);
}

void AddSet(CLI::App& group, CommandLine& line, const std::shared_ptr<Wish>& wish) {
  CLI::App* set = group.add_subcommand("set", "Say who is told of a branch, and when; what is not given is taken away");
  AddBranch(*set, *wish);
  CLI::Option* webhook =
      set->add_option("--webhook", wish->webhook, "URL that mismatches are posted to; the first needs the secret too")
          ->check(NotEmpty);
  set->add_option("--webhook-secret", wish->webhook_secret,
                  "A file that holds what signs them: whsec_ and base64 of 24 to 64 random bytes; without it the one "
                  "that is set stays, for another URL too")
      ->needs(webhook)
      ->check(NotEmpty);
  set->add_option("--email", wish->email,
                  "An address that mismatches are told to by e-mail. May be given several times")
      ->check(NotEmpty)
      ->allow_extra_args(false);
  set->add_option(
         "--hours", wish->hours,
         "When mismatches are told, in the tenant's time zone, such as \"mon-fri 08:00-18:00\"; without it, at "
         "any time. May be given several times")
      ->allow_extra_args(false);
  set->add_option("--overdue-percent", wish->overdue_percent,
                  "Told when more than so many in a hundred of the branch's devices are overdue: 1 to 99; 0: never");
  set->callback([&line, wish] { line.run = [&line, wish] { return Set(line.options, *wish); }; });
}

}  // namespace

void AddNotificationCommands(CLI::App& app, CommandLine& line) {
  CLI::App* group = app.add_subcommand("notifications", "Who is told of a branch's mismatches, and when");
  group->footer(
      "Examples:\n  caresync notifications set --webhook https://ops.example.org/caresync --webhook-secret FILE\n"
      "  caresync notifications set --branch Rome --webhook https://rome.example.org/ --webhook-secret FILE "
      "--hours \"mon-fri 07:00-20:00\" --hours \"sat-sun 08:00-12:00\"\n"
      "  caresync notifications set --branch Rome --email rome@example.org --overdue-percent 20");
  const auto wish = std::make_shared<Wish>();
  CLI::App* list = group->add_subcommand("list", "List the default, and the branches that have settings of their own");
  list->callback([&line] { line.run = [&line] { return List(line.options); }; });
  AddSet(*group, line, wish);
  CLI::App* remove =
      group->add_subcommand("remove", "Let the default hold of a branch again, or take the default away");
  AddBranch(*remove, *wish);
  remove->callback([&line, wish] { line.run = [&line, wish] { return Remove(line.options, wish->branch); }; });
}

}  // namespace caresync::cli
