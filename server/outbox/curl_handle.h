// A transfer of libcurl's as this server makes them: what a webhook and an e-mail have in common.
#ifndef CARESYNC_SERVER_OUTBOX_CURL_HANDLE_H_
#define CARESYNC_SERVER_OUTBOX_CURL_HANDLE_H_

#include <curl/curl.h>

#include <array>
#include <string>

#include "absl/base/internal/raw_logging.h"
#include "absl/time/time.h"

namespace caresync::outbox {

// Makes libcurl ready, once for the process, before anything else is asked of it.
void UseCurl();

// Owns the handle. For one thread at a time. libcurl points to it: it stays where it
// is. Crashes where libcurl lacks an option that it must have, or memory.
class CurlHandle {
 public:
  // `time`: the longest that all of it may take; `connect`: that until it is connected.
  CurlHandle(absl::Duration time, absl::Duration connect);
  ~CurlHandle();
  CurlHandle(const CurlHandle&) = delete;
  CurlHandle& operator=(const CurlHandle&) = delete;

  CURL* get() const { return easy_; }

  template <typename Value>
  void Set(CURLoption option, Value value) {
    ABSL_RAW_CHECK(curl_easy_setopt(easy_, option, value) == CURLE_OK, "libcurl lacks an option that it must have");
  }

  // What the other end answered last: an HTTP status, or an SMTP code. 0: nothing.
  long Answer() const;
  // Why it failed, in libcurl's words.
  std::string WhyNot(CURLcode code) const;

 private:
  CURL* const easy_;
  std::array<char, CURL_ERROR_SIZE> error_{};
};

// A list of libcurl's, which copies what is added.
class CurlList {
 public:
  CurlList() = default;
  ~CurlList();
  CurlList(const CurlList&) = delete;
  CurlList& operator=(const CurlList&) = delete;

  void Add(const std::string& text);
  curl_slist* get() const { return list_; }

 private:
  curl_slist* list_ = nullptr;
};

}  // namespace caresync::outbox

#endif  // CARESYNC_SERVER_OUTBOX_CURL_HANDLE_H_
