#include "tools/caresync/check_client/hand_driver.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace caresync::cli::check {

HandDriver::HandDriver(int keys, Inbox& inbox) : inbox_(inbox), keys_(keys), end_(eventfd(0, EFD_CLOEXEC)) {
  thread_ = std::thread([this] { ReadKeys(); });
}

HandDriver::~HandDriver() {
  eventfd_write(end_, 1);
  thread_.join();
  close(end_);
}

void HandDriver::ReadKeys() {
  pollfd files[] = {{end_, POLLIN, 0}, {keys_, POLLIN, 0}};
  while (true) {
    files[0].revents = files[1].revents = 0;
    if (poll(files, 2, -1) < 0) continue;
    if (files[0].revents != 0) return;
    char keys[256];
    const ssize_t length = read(keys_, keys, sizeof(keys));
    // Nobody can press a key any more.
    if (length <= 0) return;
    if (std::count(keys, keys + length, '\n') == 0 || !awaits_enter_.exchange(false)) continue;
    Arrival done;
    done.kind = Arrival::Kind::kStepEnded;
    done.how = "as you said";
    inbox_.Push(std::move(done));
  }
}

void HandDriver::Say(const std::string& text) const { std::cout << "  > " << text << "\n" << std::flush; }

absl::Status HandDriver::BeginScenario(const std::string& name, const std::string& device_uuid) {
  std::cout << "\n" << name << "\n";
  Say("new carers and records: the app holds nothing of them yet");
  return absl::OkStatus();
}

std::string HandDriver::Instruction(const Step& step) {
  const std::string carer = absl::StrCat("as carer ", step.carer_id, " (", step.carer_name, ")");
  if (step.kind == Step::Kind::kRecord) {
    return absl::StrCat(carer, ", record ", step.events, " note(s) on the visit ", step.visit_id, " (", step.visit_name,
                        "), without a sync. Then press Enter");
  }
  return absl::StrCat("sync ", carer, ": ", v1::SyncType_Name(step.type), step.follow ? ", following" : "",
                      ", data level ", step.level,
                      step.or_refuses ? ". Where the app refuses to by itself, press Enter" : "");
}

absl::Status HandDriver::Begin(const Step& step) {
  awaits_enter_ = step.kind == Step::Kind::kRecord || step.or_refuses;
  Say(Instruction(step));
  return absl::OkStatus();
}

void HandDriver::Kill() {
  awaits_enter_ = true;
  Say("end the app at once, as if the battery were taken out. Then press Enter");
}

}  // namespace caresync::cli::check
