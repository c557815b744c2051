#include "server/commit/remembered_base.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "server/base/status_macros.h"

namespace caresync::commit {
namespace {

using storage::KeyRange;
using storage::Space;

// What is larger is read for its own sake, and seldom twice: a record's payload, the records of a group.
constexpr size_t kMostRowBytes = size_t{4} * 1024;
constexpr size_t kMostStretchBytes = size_t{16} * 1024;
// More than a message of rota changes reads. A change that walks over thousands of rows does not come back to them.
constexpr size_t kMostBytes = size_t{1024} * 1024;
// What a row costs beside its bytes.
constexpr size_t kOverhead = 128;

// As the tables know it.
absl::string_view Lookup(std::string_view key) { return {key.data(), key.size()}; }

bool LiesBefore(std::string_view key, const std::string& end) { return end.empty() || key < end; }

bool ReachesTo(const std::string& end, const std::string& other) {
  return end.empty() || (!other.empty() && end >= other);
}

template <typename Rows>
auto FirstFrom(const Rows& rows, std::string_view key) {
  return std::lower_bound(rows.begin(), rows.end(), key,
                          [](const auto& row, std::string_view sought) { return row.first < sought; });
}

size_t SizeOf(const std::optional<std::string>& value) { return value.has_value() ? value->size() : 0; }

}  // namespace

std::shared_ptr<const RememberedBase::Stretch> RememberedBase::StretchAt(Space space, std::string_view key) const {
  const Stretches& stretches = stretches_[static_cast<size_t>(space)];
  auto behind = stretches.upper_bound(key);
  if (behind == stretches.begin()) return nullptr;
  const std::shared_ptr<const Stretch>& before = std::prev(behind)->second;
  return LiesBefore(key, before->end) ? before : nullptr;
}

std::optional<std::optional<std::string>> RememberedBase::Find(Space space, std::string_view key) const {
  const Values& values = values_[static_cast<size_t>(space)];
  if (const auto known = values.find(Lookup(key)); known != values.end()) return known->second;
  const std::shared_ptr<const Stretch> stretch = StretchAt(space, key);
  if (stretch == nullptr) return std::nullopt;
  const auto row = FirstFrom(stretch->rows, key);
  if (row == stretch->rows.end() || row->first != key) return std::optional<std::string>();
  return std::optional<std::string>(row->second);
}

void RememberedBase::Keep(Space space, std::string_view key, const std::optional<std::string>& value) const {
  const size_t bytes = key.size() + SizeOf(value) + kOverhead;
  if (bytes > kMostRowBytes || kept_bytes_ + bytes > kMostBytes) return;
  if (values_[static_cast<size_t>(space)].try_emplace(Lookup(key), value).second) kept_bytes_ += bytes;
}

absl::StatusOr<std::optional<std::string>> RememberedBase::Get(Space space, std::string_view key) const {
  if (std::optional<std::optional<std::string>> known = Find(space, key); known.has_value()) return *std::move(known);
  ASSIGN_OR_RETURN(std::optional<std::string> value, snapshot_.Get(space, key));
  Keep(space, key, value);
  return value;
}

absl::StatusOr<std::vector<std::optional<std::string>>> RememberedBase::MultiGet(
    Space space, absl::Span<const std::string> keys) const {
  std::vector<std::optional<std::string>> values(keys.size());
  std::vector<std::string> unknown;
  std::vector<size_t> places;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (std::optional<std::optional<std::string>> known = Find(space, keys[i]); known.has_value()) {
      values[i] = *std::move(known);
      continue;
    }
    unknown.push_back(keys[i]);
    places.push_back(i);
  }
  if (unknown.empty()) return values;
  ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> read, snapshot_.MultiGet(space, unknown));
  for (size_t i = 0; i < places.size(); ++i) {
    Keep(space, unknown[i], read[i]);
    values[places[i]] = std::move(read[i]);
  }
  return values;
}

absl::Status RememberedBase::Scan(Space space, const KeyRange& range, size_t limit, storage::RowVisitor visit) const {
  if (limit == 0 || !LiesBefore(range.begin, range.end)) return absl::OkStatus();
  // What is known of the range's beginning, and of what comes behind that. Each is held while it is shown: `visit` may
  // read, and so put another in its place.
  std::shared_ptr<const Stretch> known;
  std::string_view begin = range.begin;
  while (std::shared_ptr<const Stretch> next = StretchAt(space, begin)) {
    for (auto row = FirstFrom(next->rows, begin); row != next->rows.end() && LiesBefore(row->first, range.end); ++row) {
      if (!visit(row->first, row->second) || --limit == 0) return absl::OkStatus();
    }
    if (ReachesTo(next->end, range.end)) return absl::OkStatus();
    known = std::move(next);
    begin = known->end;
  }
  if (known == nullptr) return ScanSnapshot(space, range, limit, visit);
  return ScanSnapshot(space, {std::string(begin), range.end}, limit, visit);
}

absl::Status RememberedBase::ScanSnapshot(Space space, const KeyRange& range, size_t limit,
                                          storage::RowVisitor visit) const {
  Stretch read;
  size_t bytes = range.begin.size() + range.end.size() + kOverhead;
  bool keeps = kept_bytes_ + bytes <= kMostBytes;
  size_t visited = 0;
  bool stopped = false;
  RETURN_IF_ERROR(snapshot_.Scan(space, range, limit, [&](std::string_view key, std::string_view value) {
    bytes += key.size() + value.size() + kOverhead;
    keeps = keeps && bytes <= kMostStretchBytes;
    if (keeps) read.rows.emplace_back(key, value);
    ++visited;
    stopped = !visit(key, value);
    return !stopped;
  }));
  if (!keeps) return absl::OkStatus();
  // What would have come after the last row is not known.
  const bool cut_off = stopped || visited == limit;
  read.end = cut_off ? read.rows.back().first + '\0' : range.end;
  KeepStretch(space, range.begin, std::move(read), bytes);
  return absl::OkStatus();
}

void RememberedBase::KeepStretch(Space space, const std::string& begin, Stretch stretch, size_t bytes) const {
  // The visits may have read it, too.
  if (kept_bytes_ + bytes > kMostBytes || StretchAt(space, begin) != nullptr) return;
  Stretches& stretches = stretches_[static_cast<size_t>(space)];
  auto covered = stretches.lower_bound(begin);
  while (covered != stretches.end() && LiesBefore(covered->first, stretch.end)) covered = stretches.erase(covered);
  stretches.emplace_hint(covered, begin, std::make_shared<const Stretch>(std::move(stretch)));
  kept_bytes_ += bytes;
}

}  // namespace caresync::commit
