// The user device relationship report as CSV, in pieces.
//
// RFC 4180: a header line, CRLF, a cell in quotes where it holds a comma, a quote or a line break; UTF-8. A cell that a
// spreadsheet would take for a formula (it begins with = + - @, a tab or a line break) begins with an apostrophe: names
// come from others. Times are in the tenant's zone, with their offset.
//
// The quoting is ours: Debian 12 has one writer of CSV, libcsv (C, last released in 2013, without a CMake or pkg-config
// file), which would take over one call of absl::StrReplaceAll here and nothing of lines, formulas or pieces;
// libfccp and the others only read. tests/cli reads a file back with Python's csv module.
#ifndef CARESYNC_SERVER_DEVICES_EXPORT_CSV_H_
#define CARESYNC_SERVER_DEVICES_EXPORT_CSV_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "caresync/v1/devices.pb.h"
#include "server/base/ids.h"
#include "server/devices/report_row.h"
#include "storage/store.h"

namespace caresync::devices {

// One line, with its CRLF.
std::string CsvLine(const std::vector<std::string>& cells);

// For one request and one thread. Reads the report page by page from one state of the store and holds one page at most,
// however many devices there are; each page reads the whole report's rows, as ListDevices does.
class DeviceExport {
 public:
  // `reader` must outlive it. Errors: INVALID_FIELD (for a page_size or page_token too), TENANT_UNKNOWN, those of
  // reading.
  static absl::StatusOr<DeviceExport> Open(const storage::Reader& reader, const base::TenantId& tenant,
                                           const v1::ExportDevicesRequest& request, AsOf as_of);

  // The next piece of the file: whole lines, of at most limits::kExportPieceBytes or one line alone, the header first.
  // Empty: there is no more. Errors are those of reading.
  absl::StatusOr<std::string> Next();

 private:
  DeviceExport(const storage::Reader& reader, base::TenantId tenant, v1::ListDevicesRequest list, AsOf as_of,
               absl::TimeZone zone);
  absl::Status ReadPage();

  const storage::Reader& reader_;
  const base::TenantId tenant_;
  // Asks for the page after the one that is held.
  v1::ListDevicesRequest list_;
  const AsOf as_of_;
  const absl::TimeZone zone_;
  v1::ListDevicesResponse page_;
  int next_ = 0;
  bool pages_left_ = true;
  // The line that comes next; empty: none is made.
  std::string line_;
};

}  // namespace caresync::devices

#endif  // CARESYNC_SERVER_DEVICES_EXPORT_CSV_H_
