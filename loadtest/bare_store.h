// What RocksDB does with the new visits of the scenario ingest where one writer gives them to it, one durable commit
// after the other: it writes the same bytes, and nothing else is done with them. Several writers, whose commits it
// would make durable together, could come to more.
#ifndef CARESYNC_LOADTEST_BARE_STORE_H_
#define CARESYNC_LOADTEST_BARE_STORE_H_

#include <string>

#include "absl/status/status.h"
#include "loadtest/options.h"
#include "loadtest/report.h"

namespace caresync::loadtest {

// Where RunBareStore is to write, of a data directory.
std::string BareStoreDirectory(const std::string& data_dir);

// Makes a store with the server's settings in `directory`, where there may be none yet, and writes visits in portions
// of 100, a row each under its external ID, every portion durable before the next; only the writing is measured, in the
// phase "store". It stays on the server's core, with RocksDB's own threads. Called before this process has other
// threads. Errors: those of the rota files; kUnavailable where RocksDB cannot write, or where there is a store.
absl::Status RunBareStore(const Options& options, const std::string& directory, Report& report);

}  // namespace caresync::loadtest

#endif  // CARESYNC_LOADTEST_BARE_STORE_H_
