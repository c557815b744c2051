// A reader that says how much was read through it.
#ifndef CARESYNC_TESTS_FAKES_COUNTING_READER_H_
#define CARESYNC_TESTS_FAKES_COUNTING_READER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store.h"

namespace caresync::fakes {

// For one thread; `inner` must outlive it.
class CountingReader : public storage::Reader {
 public:
  explicit CountingReader(const storage::Reader& inner) : inner_(inner) {}

  absl::StatusOr<std::optional<std::string>> Get(storage::Space space, std::string_view key) const override {
    ++calls_;
    ++rows_;
    return inner_.Get(space, key);
  }
  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(storage::Space space,
                                                                   absl::Span<const std::string> keys) const override {
    ++calls_;
    rows_ += keys.size();
    return inner_.MultiGet(space, keys);
  }
  absl::Status Scan(storage::Space space, const storage::KeyRange& range, size_t limit,
                    storage::RowVisitor visit) const override {
    ++calls_;
    return inner_.Scan(space, range, limit, [&](std::string_view key, std::string_view value) {
      ++rows_;
      return visit(key, value);
    });
  }

  // Rows asked for by key, and rows that scans met.
  size_t rows() const { return rows_; }
  // Gets, MultiGets and Scans.
  size_t calls() const { return calls_; }

 private:
  const storage::Reader& inner_;
  mutable size_t rows_ = 0;
  mutable size_t calls_ = 0;
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_COUNTING_READER_H_
