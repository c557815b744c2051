#include "storage/store.h"

namespace caresync::storage {

KeyRange PrefixRange(std::string_view prefix) {
  // The least key above all that begin with the prefix: its last byte that can still grow, grown. Where none can,
  // nothing lies above, and the empty end says so.
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xFF') end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return KeyRange{.begin = std::string(prefix), .end = std::move(end)};
}

}  // namespace caresync::storage
