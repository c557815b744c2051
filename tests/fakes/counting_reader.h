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
<<<<<<< HEAD
    ++scans_;
||||||| 3b144b3
=======
    ++calls_;
>>>>>>> f1616e09612c990e3e8b9633798d5345ead15436
    return inner_.Scan(space, range, limit, [&](std::string_view key, std::string_view value) {
      ++rows_;
      return visit(key, value);
    });
  }

  // Rows asked for by key, and rows that scans met.
  size_t rows() const { return rows_; }
<<<<<<< HEAD
  size_t scans() const { return scans_; }
||||||| 3b144b3
=======
  // Gets, MultiGets and Scans.
  size_t calls() const { return calls_; }
>>>>>>> f1616e09612c990e3e8b9633798d5345ead15436

 private:
  const storage::Reader& inner_;
  mutable size_t rows_ = 0;
<<<<<<< HEAD
  mutable size_t scans_ = 0;
||||||| 3b144b3
=======
  mutable size_t calls_ = 0;
>>>>>>> f1616e09612c990e3e8b9633798d5345ead15436
};

}  // namespace caresync::fakes

#endif  // CARESYNC_TESTS_FAKES_COUNTING_READER_H_
