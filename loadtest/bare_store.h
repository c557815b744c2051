// What RocksDB does with what the scenario ingest writes where one writer gives it, one durable commit after the other,
// and nothing else is done: the new visits alone, a row each, or the very rows that a caresyncd made of them. Several
// writers, whose commits it would make durable together, could come to more.
#ifndef CARESYNC_LOADTEST_BARE_STORE_H_
#define CARESYNC_LOADTEST_BARE_STORE_H_

#include <rocksdb/status.h>

#include <string>

#include "absl/status/status.h"
#include "loadtest/options.h"
#include "loadtest/report.h"

namespace caresync::loadtest {

// kUnavailable, in RocksDB's words, unless it is well.
absl::Status OfRocksDb(const rocksdb::Status& status);

// Where RunBareStore is to write, of a data directory.
std::string BareStoreDirectory(const std::string& data_dir);

// Makes a store with the server's settings in `directory`, where there may be none yet, and writes to it, every commit
// durable before the next; only the writing is measured, in the phase "store". Without `options.commits_of` it writes
// visits in portions of 100, a row each under its external ID, for as long as `options.duration` says; with it, once
// what the caresyncd of that data directory has committed of rotas, all of it, batch for batch as it did. It stays on
// the server's core, with RocksDB's own threads. Called before this process has other threads. Errors: those of the
// rota files and of KeptCommits; kUnavailable where RocksDB cannot write, or where there is a store.
absl::Status RunBareStore(const Options& options, const std::string& directory, Report& report);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_BARE_STORE_H_
