// A mail server on a free port of the loopback that speaks as much SMTP as it takes to be given mail, and answers as a
// test says.
#ifndef CARESYNC_TESTS_OUTBOX_MAIL_SERVER_H_
#define CARESYNC_TESTS_OUTBOX_MAIL_SERVER_H_

#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/mutex.h"
#include "tests/fakes/loopback_address.h"

namespace caresync::fakes {

struct MailAnswers {
  // Empty: it says nothing at all, and the connection stays open until the end.
  std::string greeting = "220 mail.test";
  // Empty: it closes the connection there.
  std::string to_recipient = "250 OK";
  std::string to_data = "250 OK";
};

// One that was given to it, as it came: with its lines ended by CRLF, and dots doubled.
struct GivenMail {
  // The lines of the dialogue before the message.
  std::vector<std::string> said;
  std::string message;
};

class MailServer {
 public:
  explicit MailServer(MailAnswers answers = {}) : answers_(std::move(answers)), listener_(ListenOnLoopback(SOMAXCONN)) {
    thread_ = std::thread([this] { RunThread(); });
  }
  ~MailServer() {
    // Ends the accept.
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
    for (const int connection : open_) close(connection);
  }
  MailServer(const MailServer&) = delete;
  MailServer& operator=(const MailServer&) = delete;

  std::string Url() const { return absl::StrCat("smtp://127.0.0.1:", PortOf(listener_)); }

  std::vector<GivenMail> given() const ABSL_LOCKS_EXCLUDED(mutex_) {
    storage::MutexLock lock(mutex_);
    return given_;
  }

 private:
  void RunThread() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      if (answers_.greeting.empty()) {
        open_.push_back(connection);
        continue;
      }
      Converse(connection);
      close(connection);
    }
  }

  static void Say(int connection, const std::string& line) {
    const std::string bytes = absl::StrCat(line, "\r\n");
    send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  // What comes up to and with `end`; empty where the connection is closed before.
  static std::string ReadTo(int connection, const std::string& end) {
    std::string text;
    char c = 0;
    while (!absl::EndsWith(text, end)) {
      if (read(connection, &c, 1) != 1) return "";
      text.push_back(c);
    }
    return text;
  }

  void Converse(int connection) ABSL_LOCKS_EXCLUDED(mutex_) {
    Say(connection, answers_.greeting);
    GivenMail mail;
    while (true) {
      const std::string line = ReadTo(connection, "\r\n");
      if (line.empty()) return;
      mail.said.push_back(line.substr(0, line.size() - 2));
      std::string answer = "250 OK";
      if (absl::StartsWith(line, "RCPT")) answer = answers_.to_recipient;
      if (absl::StartsWith(line, "QUIT")) answer = "221 Bye";
      if (absl::StartsWith(line, "DATA")) {
        Say(connection, "354 Go on");
        mail.message = ReadTo(connection, "\r\n.\r\n");
        storage::MutexLock lock(mutex_);
        given_.push_back(mail);
        answer = answers_.to_data;
      }
      if (answer.empty()) return;
      Say(connection, answer);
    }
  }

  const MailAnswers answers_;
  const int listener_;
  // The thread's own while it runs.
  std::vector<int> open_;
  mutable storage::Mutex mutex_;
  std::vector<GivenMail> given_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_OUTBOX_MAIL_SERVER_H_
