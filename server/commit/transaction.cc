#include "server/commit/transaction.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "server/base/status_macros.h"

namespace caresync::commit {
namespace {

size_t BytesOf(const std::optional<std::string>& value) { return value.has_value() ? value->size() : 0; }

storage::Space SpaceAfter(storage::Space space) { return static_cast<storage::Space>(static_cast<uint8_t>(space) + 1); }

}  // namespace

Transaction::Transaction(const storage::Reader& base, base::TenantId tenant, base::Revision revision, absl::Time now,
                         const CommitRoom& room)
    : base_(base), tenant_(std::move(tenant)), revision_(revision), now_(now), room_(room) {}

absl::StatusOr<std::optional<std::string>> Transaction::Get(storage::Space space, std::string_view key) const {
  auto own = writes_.find(PlaceView(space, key));
  if (own != writes_.end()) return own->second.value;
  const auto ahead = ahead_.find(PlaceView(space, key));
  if (ahead != ahead_.end()) return ahead->second;
  return base_.Get(space, key);
}

absl::Status Transaction::ReadAhead(storage::Space space, std::vector<std::string> keys) {
  ahead_.clear();
  ahead_keys_ = std::move(keys);
  ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> values, base_.MultiGet(space, ahead_keys_));
  ahead_.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) ahead_[PlaceView(space, ahead_keys_[i])] = std::move(values[i]);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::optional<std::string>>> Transaction::MultiGet(
    storage::Space space, absl::Span<const std::string> keys) const {
  std::vector<std::optional<std::string>> values(keys.size());
  std::vector<std::string> base_keys;
  std::vector<size_t> base_places;
  for (size_t i = 0; i < keys.size(); ++i) {
    auto own = writes_.find(PlaceView(space, keys[i]));
    if (own != writes_.end()) {
      values[i] = own->second.value;
      continue;
    }
    base_keys.push_back(keys[i]);
    base_places.push_back(i);
  }
  if (base_keys.empty()) return values;
  ASSIGN_OR_RETURN(std::vector<std::optional<std::string>> base_values, base_.MultiGet(space, base_keys));
  for (size_t i = 0; i < base_places.size(); ++i) values[base_places[i]] = std::move(base_values[i]);
  return values;
}

absl::Status Transaction::Scan(storage::Space space, const storage::KeyRange& range, size_t limit,
                               storage::RowVisitor visit) const {
  const bool bounded = !range.end.empty();
  if (limit == 0 || (bounded && range.end <= range.begin)) return absl::OkStatus();
  auto own = writes_.lower_bound(PlaceView(space, range.begin));
  const auto own_end = bounded ? writes_.lower_bound(PlaceView(space, range.end))
                               : writes_.lower_bound(PlaceView(SpaceAfter(space), ""));

  bool more = true;
  auto show = [&](std::string_view key, std::string_view value) {
    more = visit(key, value) && --limit > 0;
    return more;
  };
  auto show_own_before = [&](std::optional<std::string_view> key) {
    for (; more && own != own_end && (!key.has_value() || own->first.second < *key); ++own) {
      if (own->second.value.has_value()) show(own->first.second, *own->second.value);
    }
    return more;
  };
  // The base is read without a limit of rows, since it cannot know how many of its rows are deleted here; `more` ends
  // it.
  RETURN_IF_ERROR(
      base_.Scan(space, range, std::numeric_limits<size_t>::max(), [&](std::string_view key, std::string_view value) {
        if (!show_own_before(key)) return false;
        const bool replaced = own != own_end && own->first.second == key;
        return replaced || show(key, value);
      }));
  show_own_before(std::nullopt);
  return absl::OkStatus();
}

void Transaction::VisitOwn(storage::Space space, const storage::KeyRange& range, OwnVisitor visit) const {
  // The end is compared with each key, not looked up: what is written meanwhile may come to lie before it.
  for (auto own = writes_.lower_bound(PlaceView(space, range.begin)); own != writes_.end(); ++own) {
    const auto& [own_space, key] = own->first;
    if (own_space != space || (!range.end.empty() && key >= range.end)) return;
    if (!visit(key, own->second.value)) return;
  }
}

Transaction::PutRow Transaction::Put(storage::Space space, std::string key, std::string value) {
  return Set(space, std::move(key), std::move(value));
}

void Transaction::Delete(storage::Space space, std::string key) { Set(space, std::move(key), std::nullopt); }

bool Transaction::Stands(const PutRow& row) const {
  // The first says that the place is there to be looked at.
  return row.written_ > rolled_back_at_ && row.own_->second.written == row.written_;
}

void Transaction::PutAgain(PutRow& row, std::string value) {
  ABSL_RAW_CHECK(Stands(row), "a row can only be put again where it stands");
  row = Replace(row.own_, /*had=*/true, std::move(value));
}

Transaction::PutRow Transaction::Set(storage::Space space, std::string key, std::optional<std::string> value) {
  const auto [own, added] = writes_.try_emplace(Place(space, std::move(key)));
  if (added) bytes_ += own->first.second.size();
  return Replace(own, /*had=*/!added, std::move(value));
}

Transaction::PutRow Transaction::Replace(Writes::iterator own, bool had, std::optional<std::string> value) {
  bytes_ += BytesOf(value);
  bytes_ -= BytesOf(own->second.value);
  log_.push_back({.what = LogEntry::What::kWrite,
                  .own = own,
                  .had = had,
                  .before = std::exchange(own->second.value, std::move(value))});
  own->second.written = ++written_;
  return {own, written_};
}

void Transaction::Require(storage::Space space, std::string key, std::optional<std::string> expected) {
  conditions_.push_back({space, std::move(key), std::move(expected)});
  log_.push_back({.what = LogEntry::What::kCondition});
}

void Transaction::Announce(const base::ReceiverId& receiver) {
  announced_.push_back(receiver);
  log_.push_back({.what = LogEntry::What::kAnnounce});
}

void Transaction::AnnounceTask(absl::Time due) {
  tasks_.push_back(due);
  log_.push_back({.what = LogEntry::What::kTask});
}

void Transaction::OnCommitted(std::function<void()> heard) {
  on_committed_.push_back(std::move(heard));
  log_.push_back({.what = LogEntry::What::kOnCommitted});
}

void Transaction::RollBackTo(size_t mark) {
  ABSL_RAW_CHECK(mark <= log_.size(), "a transaction can only be rolled back to a mark of its past");
  if (mark == log_.size()) return;
  rolled_back_at_ = written_;
  for (; log_.size() > mark; log_.pop_back()) {
    LogEntry& entry = log_.back();
    if (entry.what == LogEntry::What::kCondition) {
      conditions_.pop_back();
      continue;
    }
    if (entry.what == LogEntry::What::kAnnounce) {
      announced_.pop_back();
      continue;
    }
    if (entry.what == LogEntry::What::kTask) {
      tasks_.pop_back();
      continue;
    }
    if (entry.what == LogEntry::What::kOnCommitted) {
      on_committed_.pop_back();
      continue;
    }
    std::optional<std::string>& value = entry.own->second.value;
    bytes_ -= BytesOf(value);
    if (!entry.had) {
      bytes_ -= entry.own->first.second.size();
      writes_.erase(entry.own);
      continue;
    }
    bytes_ += BytesOf(entry.before);
    value = std::move(entry.before);
  }
}

std::vector<storage::Write> Transaction::TakeWrites() {
  std::vector<storage::Write> writes;
  // And the tenant's head, which comes to them.
  writes.reserve(writes_.size() + 1);
  while (!writes_.empty()) {
    auto node = writes_.extract(writes_.begin());
    writes.push_back({node.key().first, std::move(node.key().second), std::move(node.mapped().value)});
  }
  rolled_back_at_ = written_;
  log_.clear();
  bytes_ = 0;
  return writes;
}

std::vector<storage::Precondition> Transaction::TakeConditions() {
  log_.clear();
  return std::exchange(conditions_, {});
}

std::vector<std::function<void()>> Transaction::TakeOnCommitted() {
  log_.clear();
  return std::exchange(on_committed_, {});
}

std::vector<base::ReceiverId> Transaction::Announced() const {
  const std::set<base::ReceiverId> once(announced_.begin(), announced_.end());
  return {once.begin(), once.end()};
}

std::optional<absl::Time> Transaction::EarliestTask() const {
  if (tasks_.empty()) return std::nullopt;
  return *std::min_element(tasks_.begin(), tasks_.end());
}

}  // namespace caresync::commit
