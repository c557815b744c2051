#include "server/outbox/curl_handle.h"

namespace caresync::outbox {

void UseCurl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  ABSL_RAW_CHECK(ready == CURLE_OK, "libcurl cannot be used");
}

CurlHandle::CurlHandle(absl::Duration time, absl::Duration connect) : easy_(curl_easy_init()) {
  ABSL_RAW_CHECK(easy_ != nullptr, "no memory for libcurl");
  // A proxy, of the environment even, would be what is connected to.
  Set(CURLOPT_PROXY, "");
  // The trusted certificates come from the one file that holds them all: with a folder of them beside it libcurl reads
  // that file for every send, ten times the work of the send itself, and not once a day.
  Set(CURLOPT_CAPATH, nullptr);
  Set(CURLOPT_NOSIGNAL, 1L);
  // A look-up of a name cannot be broken off: without this, the end of one send waits for its own and holds up all
  // others. It goes on by itself, and cleans up after itself.
  Set(CURLOPT_QUICK_EXIT, 1L);
  Set(CURLOPT_TIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(time)));
  Set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(absl::ToInt64Milliseconds(connect)));
  Set(CURLOPT_ERRORBUFFER, error_.data());
}

CurlHandle::~CurlHandle() { curl_easy_cleanup(easy_); }

long CurlHandle::Answer() const {
  long answer = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &answer);
  return answer;
}

std::string CurlHandle::WhyNot(CURLcode code) const {
  return error_[0] != '\0' ? std::string(error_.data()) : std::string(curl_easy_strerror(code));
}

CurlList::~CurlList() { curl_slist_free_all(list_); }

void CurlList::Add(const std::string& text) {
  curl_slist* const longer = curl_slist_append(list_, text.c_str());
  ABSL_RAW_CHECK(longer != nullptr, "no memory for libcurl");
  list_ = longer;
}

}  // namespace caresync::outbox
