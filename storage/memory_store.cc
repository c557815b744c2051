#include "storage/memory_store.h"

#include <array>
#include <functional>
#include <utility>

#include "storage/mutex.h"

namespace caresync::storage {
namespace {

// A persistent treap: no node ever changes, a write makes new ones from the root down to its row and shares all others,
// so a state of the store is kept by keeping its root.
struct Row {
  std::string key;
  std::string value;
  // The hash of the key: balances the tree without a source of randomness, so that one content has one shape.
  size_t priority;
};

struct Node;
using Tree = std::shared_ptr<const Node>;

struct Node {
  std::shared_ptr<const Row> row;
  Tree left;
  Tree right;
};

using Roots = std::array<Tree, kSpaceCount>;

Tree MakeNode(std::shared_ptr<const Row> row, Tree left, Tree right) {
  return std::make_shared<const Node>(Node{std::move(row), std::move(left), std::move(right)});
}

const Row* Find(const Node* node, std::string_view key) {
  while (node != nullptr) {
    int order = key.compare(node->row->key);
    if (order == 0) return node->row.get();
    node = order < 0 ? node->left.get() : node->right.get();
  }
  return nullptr;
}

// The rows below `key` and those above it; `key` itself must be absent.
std::pair<Tree, Tree> Split(const Tree& tree, std::string_view key) {
  if (tree == nullptr) return {};
  if (key < tree->row->key) {
    auto [below, above] = Split(tree->left, key);
    return {std::move(below), MakeNode(tree->row, std::move(above), tree->right)};
  }
  auto [below, above] = Split(tree->right, key);
  return {MakeNode(tree->row, tree->left, std::move(below)), std::move(above)};
}

// Every row of `low` must lie below every row of `high`.
Tree Merge(const Tree& low, const Tree& high) {
  if (low == nullptr) return high;
  if (high == nullptr) return low;
  if (low->row->priority >= high->row->priority) return MakeNode(low->row, low->left, Merge(low->right, high));
  return MakeNode(high->row, Merge(low, high->left), high->right);
}

// `row`'s key must be absent.
Tree Insert(const Tree& tree, const std::shared_ptr<const Row>& row) {
  if (tree == nullptr) return MakeNode(row, nullptr, nullptr);
  if (row->priority > tree->row->priority) {
    auto [below, above] = Split(tree, row->key);
    return MakeNode(row, std::move(below), std::move(above));
  }
  if (row->key < tree->row->key) return MakeNode(tree->row, Insert(tree->left, row), tree->right);
  return MakeNode(tree->row, tree->left, Insert(tree->right, row));
}

// `row`'s key must be present.
Tree Replace(const Tree& tree, const std::shared_ptr<const Row>& row) {
  int order = row->key.compare(tree->row->key);
  if (order == 0) return MakeNode(row, tree->left, tree->right);
  if (order < 0) return MakeNode(tree->row, Replace(tree->left, row), tree->right);
  return MakeNode(tree->row, tree->left, Replace(tree->right, row));
}

// `key` must be present.
Tree Erase(const Tree& tree, std::string_view key) {
  int order = key.compare(tree->row->key);
  if (order == 0) return Merge(tree->left, tree->right);
  if (order < 0) return MakeNode(tree->row, Erase(tree->left, key), tree->right);
  return MakeNode(tree->row, tree->left, Erase(tree->right, key));
}

Tree ApplyWrite(const Tree& tree, Write write) {
  const bool present = Find(tree.get(), write.key) != nullptr;
  if (!write.value.has_value()) return present ? Erase(tree, write.key) : tree;
  const size_t priority = std::hash<std::string_view>()(write.key);
  auto row = std::make_shared<const Row>(Row{std::move(write.key), *std::move(write.value), priority});
  return present ? Replace(tree, row) : Insert(tree, row);
}

// False once `visit` or the limit has ended the scan.
bool ScanTree(const Node* node, const KeyRange& range, size_t& left_over, RowVisitor visit) {
  if (node == nullptr) return true;
  const Row& row = *node->row;
  const bool from_here = row.key >= range.begin;
  const bool to_here = range.end.empty() || row.key < range.end;
  if (from_here && !ScanTree(node->left.get(), range, left_over, visit)) return false;
  if (from_here && to_here) {
    if (left_over == 0) return false;
    --left_over;
    if (!visit(row.key, row.value)) return false;
  }
  return !to_here || ScanTree(node->right.get(), range, left_over, visit);
}

bool Holds(const Roots& roots, const Precondition& condition) {
  const Row* row = Find(roots[static_cast<size_t>(condition.space)].get(), condition.key);
  if (row == nullptr) return !condition.expected.has_value();
  return condition.expected.has_value() && *condition.expected == row->value;
}

class MemorySnapshot : public Snapshot {
 public:
  explicit MemorySnapshot(Roots roots) : roots_(std::move(roots)) {}

  absl::StatusOr<std::optional<std::string>> Get(Space space, std::string_view key) const override {
    return Value(space, key);
  }

  absl::StatusOr<std::vector<std::optional<std::string>>> MultiGet(Space space,
                                                                   absl::Span<const std::string> keys) const override {
    std::vector<std::optional<std::string>> values;
    values.reserve(keys.size());
    for (const std::string& key : keys) values.push_back(Value(space, key));
    return values;
  }

  absl::Status Scan(Space space, const KeyRange& range, size_t limit, RowVisitor visit) const override {
    ScanTree(Root(space), range, limit, visit);
    return absl::OkStatus();
  }

 private:
  const Node* Root(Space space) const { return roots_[static_cast<size_t>(space)].get(); }

  std::optional<std::string> Value(Space space, std::string_view key) const {
    const Row* row = Find(Root(space), key);
    if (row == nullptr) return std::nullopt;
    return row->value;
  }

  const Roots roots_;
};

}  // namespace

struct MemoryStore::State {
  mutable Mutex mutex;
  Roots roots ABSL_GUARDED_BY(mutex);

  Roots Current() const ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(mutex);
    return roots;
  }

  CommitResult Apply(Commit commit) ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(mutex);
    for (const Precondition& condition : commit.preconditions) {
      if (!Holds(roots, condition)) return {CommitOutcome::kConflict, "a key has changed since it was read"};
    }
    for (Write& write : commit.writes) {
      Tree& root = roots[static_cast<size_t>(write.space)];
      root = ApplyWrite(root, std::move(write));
    }
    return {};
  }
};

MemoryStore::MemoryStore() : state_(std::make_unique<State>()) {}

MemoryStore::~MemoryStore() = default;

absl::StatusOr<std::unique_ptr<Snapshot>> MemoryStore::NewSnapshot() const {
  return std::make_unique<MemorySnapshot>(state_->Current());
}

void MemoryStore::Apply(Commit commit, CommitDone done) { done(state_->Apply(std::move(commit))); }

absl::Status MemoryStore::Health() const { return absl::OkStatus(); }

std::unique_ptr<MemoryStore> MemoryStore::Copy() const {
  auto copy = std::make_unique<MemoryStore>();
  Roots roots = state_->Current();
  MutexLock lock(copy->state_->mutex);
  copy->state_->roots = std::move(roots);
  return copy;
}

}  // namespace caresync::storage
