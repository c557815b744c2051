#include "tools/caresync/output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "server/base/text.h"
#include "tools/caresync/errors.h"

namespace caresync::cli {
namespace {

constexpr size_t kBarWidth = 30;
constexpr size_t kBetweenColumns = 2;
// On anything narrower a table is no table any more.
constexpr size_t kLeastWidth = 60;

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

// In lines of at most `width` characters, broken at spaces; a longer word has a line of its own. At least one line.
std::vector<std::string> Wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  if (Width(text) > width) {
    const std::vector<std::string> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
    for (const std::string& word : words) {
      if (lines.empty() || Width(lines.back()) + 1 + Width(word) > width) {
        lines.push_back(word);
      } else {
        absl::StrAppend(&lines.back(), " ", word);
      }
    }
  }
  if (lines.empty()) lines.push_back(text);
  return lines;
}

size_t LongestWord(const std::string& text) {
  size_t longest = 0;
  const std::vector<std::string> words = absl::StrSplit(text, ' ', absl::SkipEmpty());
  for (const std::string& word : words) longest = std::max(longest, Width(word));
  return longest;
}

// Takes from the widest column that can give, down to `least`, until a line has at most `most` characters.
void Narrow(size_t most, const std::vector<size_t>& least, std::vector<size_t>& widths) {
  size_t total = kBetweenColumns * (widths.size() - 1);
  for (const size_t width : widths) total += width;
  for (; total > most; --total) {
    size_t widest = widths.size();
    for (size_t i = 0; i < widths.size(); ++i) {
      const bool gives = widths[i] > least[i];
      if (gives && (widest == widths.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == widths.size()) return;
    --widths[widest];
  }
}

// One line of a row, of which each cell has its text there, or none.
void AppendLine(const std::vector<Cell>& cells, const std::vector<size_t>& widths, bool with_colour, std::string& out) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string& text = cells[i].text;
    absl::StrAppend(&line, Paint(text, cells[i].colour, with_colour));
    if (i + 1 < cells.size()) line.append(widths[i] - Width(text) + kBetweenColumns, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  absl::StrAppend(&out, line, "\n");
}

void AppendRow(const std::vector<Cell>& row, const std::vector<size_t>& widths, bool with_colour, std::string& out) {
  std::vector<std::vector<std::string>> texts;
  size_t lines = 1;
  for (size_t i = 0; i < row.size(); ++i) {
    texts.push_back(Wrapped(Printable(row[i].text), widths[i]));
    lines = std::max(lines, texts.back().size());
  }
  for (size_t line = 0; line < lines; ++line) {
    std::vector<Cell> cells;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool has = line < texts[i].size();
      cells.push_back(has ? Cell(texts[i][line], row[i].colour) : Cell(""));
    }
    AppendLine(cells, widths, with_colour, out);
  }
}

}  // namespace

bool UsesColour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(descriptor) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

Look LookOf(int descriptor) {
  const bool colour = UsesColour(descriptor);
  winsize size = {};
  if (isatty(descriptor) == 0 || ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {colour};
  return {colour, std::max<size_t>(size.ws_col, kLeastWidth)};
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
                        const Look& look) {
  std::vector<size_t> widths;
  // No word is broken.
  std::vector<size_t> least;
  std::vector<Cell> header_cells;
  for (const std::string& label : header) {
    widths.push_back(Width(label));
    least.push_back(LongestWord(label));
    header_cells.emplace_back(label, Colour::kBold);
  }
  for (const std::vector<Cell>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], Width(row[i].text));
      least[i] = std::max(least[i], LongestWord(row[i].text));
    }
  }
  if (look.width > 0) Narrow(look.width, least, widths);
  std::string out;
  AppendRow(header_cells, widths, look.colour, out);
  for (const std::vector<Cell>& row : rows) AppendRow(row, widths, look.colour, out);
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
