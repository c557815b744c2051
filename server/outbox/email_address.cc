#include "server/outbox/email_address.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace caresync::outbox {
namespace {

// RFC 5321, section 4.5.3.1: a path of 256 with its brackets.
constexpr size_t kAddressBytes = 254;
constexpr size_t kLocalBytes = 64;
constexpr size_t kLabelBytes = 63;

// RFC 5322's atext.
bool IsAtomText(unsigned char c) {
  return absl::ascii_isalnum(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(static_cast<char>(c)) != std::string_view::npos;
}

bool IsAtom(const std::string& text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsAtomText); }

bool IsLabel(const std::string& text) {
  return !text.empty() && text.size() <= kLabelBytes && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; });
}

}  // namespace

bool IsEmailAddress(std::string_view text) {
  const size_t at = text.find('@');
  if (text.size() > kAddressBytes || at == std::string_view::npos || at > kLocalBytes) return false;
  const std::vector<std::string> atoms = absl::StrSplit(std::string(text.substr(0, at)), '.');
  const std::vector<std::string> labels = absl::StrSplit(std::string(text.substr(at + 1)), '.');
  return std::all_of(atoms.begin(), atoms.end(), IsAtom) && labels.size() >= 2 &&
         std::all_of(labels.begin(), labels.end(), IsLabel);
}

}  // namespace caresync::outbox
