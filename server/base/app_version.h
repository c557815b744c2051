// App versions: numbers parted by dots, compared number by number. Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_BASE_APP_VERSION_H_
#define CARESYNC_SERVER_BASE_APP_VERSION_H_

#include <string_view>

namespace caresync::base {

// Whether `text` is nothing but 1 to limits::kAppVersionNumbers numbers parted by dots, each of at most 9 digits.
bool IsAppVersion(std::string_view text);

// Whether an app of version `app` is older than `least` (a version, or empty: no app is). Of `app` the numbers at its
// beginning count ("2.10.3-beta (45)" is 2.10.3); missing ones are 0, so that an app that names none is older than any.
bool IsOlderApp(std::string_view app, std::string_view least);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_APP_VERSION_H_
