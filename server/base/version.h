// The release that this is: what CHANGELOG.md calls it.
#ifndef CARESYNC_SERVER_BASE_VERSION_H_
#define CARESYNC_SERVER_BASE_VERSION_H_

namespace caresync::base {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_VERSION_H_
