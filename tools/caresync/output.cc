#include "tools/caresync/output.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/text.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

constexpr size_t kBarWidth = 30;

const char* Escape(Colour colour) {
  switch (colour) {
    case Colour::kPlain:
      return "";
    case Colour::kBold:
      return "\x1b[1m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kRed:
      return "\x1b[31m";
  }
  return "";
}

// Characters, not bytes: names are UTF-8.
size_t Width(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return !base::ContinuesCharacter(byte); });
}

// U+0080 to U+009F, which terminals obey as they do those below U+0020.
bool IsControlOfTwoBytes(const std::string& text, size_t at) {
  if (text[at] != '\xC2' || at + 1 == text.size()) return false;
  const auto second = static_cast<unsigned char>(text[at + 1]);
  return second >= 0x80 && second <= 0x9F;
}

void AppendRow(const std::vector<Cell>& row, const std::vector<size_t>& widths, bool with_colour, std::string& out) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    const std::string text = Printable(row[i].text);
    absl::StrAppend(&line, Paint(text, row[i].colour, with_colour));
    if (i + 1 < row.size()) line.append(widths[i] - Width(text) + 2, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  absl::StrAppend(&out, line, "\n");
}

}  // namespace

bool UsesColour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(descriptor) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

std::string Paint(const std::string& text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::kPlain) return std::string(text);
  return absl::StrCat(Escape(colour), text, "\x1b[0m");
}

std::string Printable(const std::string& text) {
  std::string printable;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool two_bytes = IsControlOfTwoBytes(text, i);
    const bool control = static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7F || two_bytes;
    printable.push_back(control ? '?' : text[i]);
    if (two_bytes) ++i;
  }
  return printable;
}

std::string FormatTable(const std::vector<std::string>& header, const std::vector<std::vector<Cell>>& rows,
                        bool with_colour) {
  std::vector<size_t> widths;
  std::vector<Cell> header_cells;
  for (const std::string& label : header) {
    widths.push_back(Width(label));
    header_cells.emplace_back(label, Colour::kBold);
  }
  for (const std::vector<Cell>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i].text));
  }
  std::string out;
  AppendRow(header_cells, widths, with_colour, out);
  for (const std::vector<Cell>& row : rows) AppendRow(row, widths, with_colour, out);
  return out;
}

std::string SizeText(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  const double kibibytes = static_cast<double>(bytes) / 1024;
  if (bytes < uint64_t{1024} * 1024) return absl::StrFormat("%.0f KiB", kibibytes);
  return absl::StrFormat("%.1f MiB", kibibytes / 1024);
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string IsoTime(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone()); }

std::string PeopleTime(absl::Time time, absl::TimeZone zone) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S %Z", time, zone);
}

absl::Status FlushOutput() {
  std::cout << std::flush;
  if (std::cout.good()) return absl::OkStatus();
  // The write that failed may be long past, and its errno with it.
  pollfd output = {STDOUT_FILENO, 0, 0};
  const bool closed = poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
  return closed ? errors::OutputClosed() : errors::OutputNotWritable();
}

ProgressBar::ProgressBar(bool enabled) : enabled_(enabled && isatty(STDERR_FILENO) != 0) {}

void ProgressBar::Show(const std::string& label, uint64_t done, uint64_t total) {
  if (!enabled_) return;
  const uint64_t bound = std::max(done, total);
  const size_t filled = bound == 0 ? 0 : static_cast<size_t>(kBarWidth * done / bound);
  std::cerr << absl::StrFormat("\r\x1b[K%s [%s%s] %d/%d", label, std::string(filled, '='),
                               std::string(kBarWidth - filled, ' '), done, bound)
            << std::flush;
  shown_ = true;
}

void ProgressBar::Clear() {
  if (!shown_) return;
  std::cerr << "\r\x1b[K" << std::flush;
  shown_ = false;
}

}  // namespace caresync::cli
