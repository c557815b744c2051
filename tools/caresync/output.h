// How the command line talks to people: tables, colours, times, a progress bar.
#ifndef CARESYNC_TOOLS_CARESYNC_OUTPUT_H_
#define CARESYNC_TOOLS_CARESYNC_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace caresync::cli {

enum class Colour { kPlain, kBold, kDim, kGreen, kYellow, kRed };

// True where `descriptor` is a terminal and NO_COLOR is not set.
bool UsesColour(int descriptor);
// `text` in `colour` where `enabled`, else as it is.
std::string Paint(const std::string& text, Colour colour, bool enabled);

// One cell of a table. Control characters in it are shown as '?': names come from others and must not steer the
// terminal.
struct Cell {
  Cell(const char* text) : text(text) {}             // NOLINT
  Cell(std::string text) : text(std::move(text)) {}  // NOLINT
  Cell(std::string text, Colour colour) : text(std::move(text)), colour(colour) {}
  std::string text;
  Colour colour = Colour::kPlain;
};

// How a table is shown.
struct Look {
  Look(bool colour) : colour(colour) {}  // NOLINT
  Look(bool colour, size_t width) : colour(colour), width(width) {}
  bool colour;
  // How many characters a line is to have at most. 0: however many it comes to.
  size_t width = 0;
};

// In colour as UsesColour says, and as wide as `descriptor` is where that is a terminal, though at least 60.
Look LookOf(int descriptor);

// A header and its rows, columns aligned, two spaces between them, no space at a line's end. Where that is wider than
// it is to be, the widest columns are made narrower, their cells on several lines, broken at spaces: until it fits, or
// no column can give.
std::string FormatTable(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows,
                        const Look& look);

// Text from others without control characters, those that UTF-8 writes as two bytes included.
std::string Printable(const std::string& text);

// 900 B, 160 KiB, 5.3 MiB.
std::string SizeText(uint64_t bytes);

absl::Time ToTime(const google::protobuf::Timestamp& time);
// 2026-11-21T07:02:00Z, with a fraction where there is one.
std::string IsoTime(absl::Time time);
// 2026-11-21 07:02:00 UTC
std::string PeopleTime(absl::Time time, absl::TimeZone zone);

// Sends on what was printed to the standard output; from the first failure on nothing comes there any more. Errors:
// OUTPUT_CLOSED where nobody reads it, OUTPUT_NOT_WRITABLE.
absl::Status FlushOutput();

// A bar on the standard error stream; nothing where that is no terminal. Not thread-safe.
class ProgressBar {
 public:
  // `enabled` false: never shown.
  explicit ProgressBar(bool enabled);
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(const std::string& label, uint64_t done, uint64_t total);
  // Takes the bar off the screen, so that other lines can be printed.
  void Clear();

 private:
  const bool enabled_;
  bool shown_ = false;
};

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_OUTPUT_H_
