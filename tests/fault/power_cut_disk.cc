#include "tests/fault/power_cut_disk.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/match.h"

namespace caresync::fault {
namespace {

namespace fs = std::filesystem;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What a disk writes as one.
constexpr size_t kPageBytes = 4'096;

std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Flush FlushOf(const std::string& name) {
  if (absl::EndsWith(name, ".log")) return Flush::kLogs;
  if (absl::EndsWith(name, ".sst")) return Flush::kTables;
  return Flush::kManifest;
}

size_t UpTo(size_t most, std::mt19937_64& random) { return random() % (most + 1); }

class PowerCutFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  PowerCutFile(PowerCutDisk& disk, std::string name, std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk), name_(std::move(name)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = target()->Append(data, options, debug);
    if (status.ok()) Appended(data);
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    IOStatus status = target()->Append(data, options, verification, debug);
    if (status.ok()) Appended(data);
    return status;
  }
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::NotSupported("the disk of a test");
  }
  IOStatus PositionedAppend(const Slice&, uint64_t, const IOOptions&, const rocksdb::DataVerificationInfo&,
                            IODebugContext*) override {
    return IOStatus::NotSupported("the disk of a test");
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = target()->Truncate(size, options, debug);
    if (status.ok()) disk_.Step([&](DiskState& state) { state.Truncate(name_, size); });
    return status;
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    if (disk_.Does(FlushOf(name_))) disk_.Step([&](DiskState& state) { state.FlushBytes(name_); });
    return IOStatus::OK();
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override { return Sync(options, debug); }
  // It promises nothing.
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }
  void PrepareWrite(size_t, size_t, const IOOptions&, IODebugContext*) override {}
  IOStatus Allocate(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  void Appended(const Slice& data) {
    disk_.Step([&](DiskState& state) { state.Append(name_, {data.data(), data.size()}); });
  }

  PowerCutDisk& disk_;
  const std::string name_;
};

class PowerCutDirectory : public rocksdb::FSDirectory {
 public:
  explicit PowerCutDirectory(PowerCutDisk& disk) : disk_(disk) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    if (disk_.Does(Flush::kNames)) disk_.Step([](DiskState& state) { state.FlushNames(); });
    return IOStatus::OK();
  }
  IOStatus Close(const IOOptions&, IODebugContext*) override { return IOStatus::OK(); }

 private:
  PowerCutDisk& disk_;
};

}  // namespace

DiskState::DiskState(const Files& files) {
  for (const auto& [name, bytes] : files) now_[name] = std::make_shared<File>(File{bytes, bytes.size()});
  flushed_ = now_;
}

void DiskState::Make(const std::string& name) { Change({name, std::make_shared<File>(), ""}); }

void DiskState::Append(const std::string& name, std::string_view bytes) {
  File& file = *now_.at(name);
  file.last_write = file.bytes.size();
  file.bytes.append(bytes);
}

void DiskState::Truncate(const std::string& name, size_t size) {
  File& file = *now_.at(name);
  file.bytes.resize(size);
  file.flushed = std::min(file.flushed, size);
}

void DiskState::Rename(const std::string& from, const std::string& to) { Change({to, now_.at(from), from}); }

void DiskState::Delete(const std::string& name) { Change({name, nullptr, ""}); }

void DiskState::FlushBytes(const std::string& name) {
  // A file that is open can be gone.
  const auto found = now_.find(name);
  if (found != now_.end()) found->second->flushed = found->second->bytes.size();
}

void DiskState::FlushNames() {
  flushed_ = now_;
  not_flushed_.clear();
}

void DiskState::Take(const NameChange& change, Names& names) {
  if (!change.also_gone.empty()) names.erase(change.also_gone);
  if (change.file == nullptr) {
    names.erase(change.name);
  } else {
    names[change.name] = change.file;
  }
}

void DiskState::Change(NameChange change) {
  Take(change, now_);
  not_flushed_.push_back(std::move(change));
}

Files DiskState::Cut(Leaves leaves, std::mt19937_64& random) const {
  size_t name_changes = 0;
  if (leaves == Leaves::kNames) name_changes = not_flushed_.size();
  if (leaves == Leaves::kSome) name_changes = UpTo(not_flushed_.size(), random);
  Names names = flushed_;
  for (size_t i = 0; i < name_changes; ++i) Take(not_flushed_[i], names);
  std::string last_log;
  for (const auto& [name, file] : names) {
    if (FlushOf(name) == Flush::kLogs) last_log = name;
  }
  Files left;
  for (const auto& [name, file] : names) {
    left[name] =
        leaves == Leaves::kSome ? LeftOf(*file, name == last_log, random) : file->bytes.substr(0, file->flushed);
  }
  return left;
}

// With each file as it happens, so that a later one may keep what an earlier one loses.
std::string DiskState::LeftOf(const File& file, bool last_log, std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      return file.bytes.substr(0, file.flushed);
    case 1:
      return file.bytes.substr(0, file.flushed + UpTo(file.bytes.size() - file.flushed, random));
    case 2:
      return file.bytes;
    default:
      break;
  }
  const size_t begin = std::max(file.flushed, file.last_write);
  if (!last_log || begin >= file.bytes.size()) return file.bytes;
  std::string torn = file.bytes;
  const size_t missing = begin + UpTo(file.bytes.size() - 1 - begin, random);
  const size_t page = missing - missing % kPageBytes;
  for (size_t i = std::max(begin, page); i < std::min(page + kPageBytes, torn.size()); ++i) torn[i] = 0;
  return torn;
}

PowerCutDisk::PowerCutDisk(const std::string& directory, OnStep on_step, std::set<Flush> swallowed)
    : FileSystemWrapper(rocksdb::FileSystem::Default()),
      on_step_(std::move(on_step)),
      swallowed_(std::move(swallowed)),
      state_(ReadFiles(directory)) {}

void PowerCutDisk::Step(const std::function<void(DiskState&)>& change) {
  storage::MutexLock lock(mutex_);
  change(state_);
  if (on_step_ != nullptr) on_step_(state_);
}

IOStatus PowerCutDisk::NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* debug) {
  IOStatus status = target()->NewWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  Step([&](DiskState& state) { state.Make(NameOf(path)); });
  *file = std::make_unique<PowerCutFile>(*this, NameOf(path), std::move(*file));
  return status;
}

IOStatus PowerCutDisk::ReopenWritableFile(const std::string&, const rocksdb::FileOptions&,
                                          std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) {
  return IOStatus::NotSupported("the disk of a test");
}

IOStatus PowerCutDisk::ReuseWritableFile(const std::string&, const std::string&, const rocksdb::FileOptions&,
                                         std::unique_ptr<rocksdb::FSWritableFile>*, IODebugContext*) {
  return IOStatus::NotSupported("the disk of a test");
}

IOStatus PowerCutDisk::NewDirectory(const std::string&, const IOOptions&,
                                    std::unique_ptr<rocksdb::FSDirectory>* directory, IODebugContext*) {
  *directory = std::make_unique<PowerCutDirectory>(*this);
  return IOStatus::OK();
}

IOStatus PowerCutDisk::DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = target()->DeleteFile(path, options, debug);
  if (status.ok()) Step([&](DiskState& state) { state.Delete(NameOf(path)); });
  return status;
}

IOStatus PowerCutDisk::RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                                  IODebugContext* debug) {
  IOStatus status = target()->RenameFile(from, to, options, debug);
  if (status.ok()) Step([&](DiskState& state) { state.Rename(NameOf(from), NameOf(to)); });
  return status;
}

IOStatus PowerCutDisk::Truncate(const std::string& path, size_t size, const IOOptions& options, IODebugContext* debug) {
  IOStatus status = target()->Truncate(path, size, options, debug);
  if (status.ok()) Step([&](DiskState& state) { state.Truncate(NameOf(path), size); });
  return status;
}

Files ReadFiles(const std::string& directory) {
  Files files;
  std::error_code none;
  for (fs::directory_iterator entry(directory, none); entry != fs::directory_iterator(); entry.increment(none)) {
    if (!entry->is_regular_file()) continue;
    std::ifstream in(entry->path(), std::ios::binary);
    files[entry->path().filename().string()] = std::string(std::istreambuf_iterator<char>(in), {});
  }
  return files;
}

void WriteFiles(const std::string& directory, const Files& files) {
  fs::create_directories(directory);
  for (const auto& [name, bytes] : files) {
    std::ofstream out(directory + "/" + name, std::ios::binary | std::ios::trunc);
    out << bytes;
    out.close();
    ABSL_RAW_CHECK(out.good(), "a file of a test cannot be written");
  }
}

}  // namespace caresync::fault
