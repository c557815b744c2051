#include "server/devices/call_advice.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace caresync::devices {
namespace {

using absl::StrCat;

struct Row {
  std::string_view reason;
  CallRemedy remedy;
};

constexpr std::array kRemedies = {
    Row{"", CallRemedy::kNetwork},
    Row{"STREAM_CUT", CallRemedy::kNetwork},
    Row{"DEVICE_SILENT", CallRemedy::kNetwork},
    Row{"DEVICE_NOT_READING", CallRemedy::kNetwork},
    Row{"START_TOO_LATE", CallRemedy::kNetwork},
    Row{"LEFT_UNFINISHED", CallRemedy::kStayInApp},
    Row{"SESSION_TAKEN_OVER", CallRemedy::kNone},

    Row{"NO_CREDENTIAL", CallRemedy::kSignIn},
    Row{"CREDENTIAL_EXPIRED", CallRemedy::kSignIn},
    Row{"CREDENTIAL_NOT_VALID", CallRemedy::kSignIn},
    Row{"OTHER_CARER", CallRemedy::kSignIn},
    Row{"OTHER_DEVICE", CallRemedy::kSignIn},
    Row{"CREDENTIAL_LIFETIME_TOO_LONG", CallRemedy::kCredentials},
    Row{"OTHER_TENANT", CallRemedy::kCredentials},
    Row{"ROLE_NOT_ALLOWED", CallRemedy::kCredentials},
    Row{"TENANT_UNKNOWN", CallRemedy::kCredentials},

    Row{"CARER_NOT_A_USER", CallRemedy::kMakeUser},
    Row{"CARER_LEFT", CallRemedy::kCarerLeft},
    Row{"CARER_UNKNOWN", CallRemedy::kSendCarer},
    Row{"DEVICE_BLOCKED", CallRemedy::kUnblock},
    Row{"DEVICE_CLONED", CallRemedy::kInstallAnew},
    Row{"APP_TOO_OLD", CallRemedy::kUpdateApp},
    Row{"CLEAN_SYNC_WOULD_LOSE_WORK", CallRemedy::kUploadFirst},
    Row{"COPY_DIVERGED", CallRemedy::kSyncForNewCopy},
    Row{"WAITING_AFTER_RESTORE", CallRemedy::kSendRotaAgain},

    Row{"OVERLOADED", CallRemedy::kWait},
    Row{"FAN_OUT_UNDER_WAY", CallRemedy::kWait},
    Row{"SHUTTING_DOWN", CallRemedy::kWait},
    Row{"COMMIT_CONFLICT", CallRemedy::kWait},
    Row{"STORE_FULL", CallRemedy::kOperator},
    Row{"STORE_UNAVAILABLE", CallRemedy::kOperator},
    Row{"DAMAGED_ROW", CallRemedy::kOperator},

    Row{"START_EXPECTED", CallRemedy::kAppMaker},
    Row{"START_REPEATED", CallRemedy::kAppMaker},
    Row{"EMPTY_MESSAGE", CallRemedy::kAppMaker},
    Row{"MESSAGE_NOT_UNDERSTOOD", CallRemedy::kAppMaker},
    Row{"MESSAGE_TOO_LARGE", CallRemedy::kAppMaker},
    Row{"INVALID_FIELD", CallRemedy::kAppMaker},
    Row{"ACK_NEVER_ISSUED", CallRemedy::kAppMaker},
    Row{"TOKEN_NOT_VALID", CallRemedy::kAppMaker},
    Row{"TOKEN_OF_ANOTHER_COPY", CallRemedy::kAppMaker},
    Row{"TOO_MANY_EVENTS", CallRemedy::kAppMaker},
    Row{"COMMIT_TOO_LARGE", CallRemedy::kAppMaker},
    Row{"RECORD_TOO_LARGE", CallRemedy::kAppMaker},
};

}  // namespace

CallRemedy RemedyOf(std::string_view reason) {
  const auto* const row =
      std::find_if(kRemedies.begin(), kRemedies.end(), [reason](const Row& each) { return each.reason == reason; });
  return row == kRemedies.end() ? CallRemedy::kNotKnown : row->remedy;
}

bool NeedsOthers(CallRemedy remedy) {
  switch (remedy) {
    case CallRemedy::kNetwork:
    case CallRemedy::kStayInApp:
    case CallRemedy::kNone:
    case CallRemedy::kSignIn:
    case CallRemedy::kUploadFirst:
    case CallRemedy::kSyncForNewCopy:
    case CallRemedy::kWait:
      return false;
    default:
      return true;
  }
}

std::string AdviceText(CallRemedy remedy, const std::string& carer, const std::string& device) {
  switch (remedy) {
    case CallRemedy::kNotKnown:
      return "See in docs/protocol.md, \"Reasons\", what the reason means.";
    case CallRemedy::kNetwork:
      return StrCat("Ask ", carer,
                    " for a manual sync, with the app open and the screen on, on the internet and ideally on Wi-Fi.");
    case CallRemedy::kStayInApp:
      return StrCat("Ask ", carer, " for a manual sync, and to stay in the app until it has ended.");
    case CallRemedy::kNone:
      return StrCat("Nothing needs to be done: another call of ", device, " goes on. Look again in a minute.");
    case CallRemedy::kSignIn:
      return StrCat("Ask ", carer, " to sign in again on ", device,
                    ", and for a manual sync, with the app open and the screen on.");
    case CallRemedy::kCredentials:
      return StrCat("Have whoever issues the credentials see to the one of ", device,
                    ": the server refuses such, and signing in again brings another.");
    case CallRemedy::kMakeUser:
      return StrCat("Make ", carer, " a user of ", device, " if it is theirs to use; until then it gets nothing.");
    case CallRemedy::kCarerLeft:
      return StrCat("See in the rostering system whether ", carer, " has left; if so, give ", device,
                    " its next user.");
    case CallRemedy::kSendCarer:
      return StrCat("Have the rostering system send ", carer, ": the server does not know of them.");
    case CallRemedy::kUnblock:
      return StrCat("Unblock ", device, " when it is in the right hands again.");
    case CallRemedy::kInstallAnew:
      return "Have the app installed anew on one of the two phones, then clear the mark.";
    case CallRemedy::kUpdateApp:
      return StrCat("Ask ", carer, " for an update of the app on ", device, ".");
    case CallRemedy::kUploadFirst:
      return StrCat("Ask ", carer, " to finish the visit or form that is open, and for a standard sync, which sends ",
                    "what was recorded; a clean one can follow.");
    case CallRemedy::kSyncForNewCopy:
      return StrCat("Ask ", carer, " for a sync: it makes a new copy of what ", device, " holds.");
    case CallRemedy::kSendRotaAgain:
      return StrCat("Have the rostering system send the rota again, or end the wait (`caresync tenant ",
                    "release-rebuilds`); then ", device, " syncs when its turn has come.");
    case CallRemedy::kWait:
      return StrCat("Wait a few minutes: the server had too much to do, or was being started anew, and ", device,
                    " comes back by itself.");
    case CallRemedy::kOperator:
      return StrCat("Have whoever runs the server look at its store and log; then ", device, " syncs by itself.");
    case CallRemedy::kAppMaker:
      return StrCat("Tell the maker of the app: it said what the server does not take, and a sync alone will hardly ",
                    "help.");
  }
  return "";
}

}  // namespace caresync::devices
