#include "tools/caresync/person_maker.h"

#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace caresync::cli {
namespace {

constexpr std::array<std::string_view, 48> kFirstNames = {
    "Ada",      "Albert",  "Alice",  "Amir",   "Anita",  "Arthur",  "Barbara", "Beryl",   "Carlo",  "Cecil",
    "Celia",    "Daphne",  "David",  "Doreen", "Edith",  "Edwin",   "Elena",   "Enid",    "Ernest", "Fatima",
    "Florence", "Frank",   "George", "Gianna", "Grace",  "Harold",  "Hilda",   "Irene",   "Ivor",   "Joan",
    "Kamala",   "Leonard", "Lucia",  "Mabel",  "Marco",  "Maurice", "Mavis",   "Nadia",   "Norman", "Olive",
    "Percy",    "Phyllis", "Rosa",   "Samuel", "Sylvia", "Teresa",  "Vera",    "Winifred"};
constexpr std::array<std::string_view, 56> kLastNames = {
    "Abbott",   "Ahmed",   "Atkins",  "Baker",  "Barnes",   "Bianchi", "Bishop", "Brennan", "Burton",  "Carter",
    "Chandra",  "Clarke",  "Conti",   "Cooper", "Dawson",   "Dixon",   "Doyle",  "Ellis",   "Farrow",  "Ferrari",
    "Fletcher", "Foster",  "Gallo",   "Gibson", "Greene",   "Hardy",   "Hughes", "Hussain", "Irving",  "Jarvis",
    "Jenkins",  "Kaur",    "Knight",  "Lawson", "Lombardi", "Marsh",   "Mason",  "Mistry",  "Moretti", "Norris",
    "Okafor",   "Parsons", "Patel",   "Quinn",  "Reeves",   "Ricci",   "Rowe",   "Sanders", "Shaw",    "Sutton",
    "Thorne",   "Turner",  "Vaughan", "Walsh",  "Webb",     "Young"};
constexpr std::array<std::string_view, 24> kStreets = {
    "Abbey Road",   "Acacia Avenue", "Bridge Street", "Castle Hill",  "Chapel Lane",  "Church Street",
    "Elm Grove",    "Garden Walk",   "Green Lane",    "Harbour View", "High Street",  "Kings Road",
    "Linden Close", "Manor Park",    "Market Place",  "Mill Lane",    "Orchard Way",  "Park Avenue",
    "Queens Drive", "Rose Terrace",  "School Lane",   "Station Road", "Victoria Row", "Willow Court"};

// FNV-1a, then a finalizer that spreads its bits: std::hash differs between libraries, and people must not.
uint64_t Hash(const std::string& purpose, const std::string& seed) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const std::string_view part : {std::string_view(purpose), std::string_view(":"), std::string_view(seed)}) {
    for (const char c : part) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  }
  hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
  hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
  return hash ^ (hash >> 31);
}

template <size_t N>
std::string Pick(const std::array<std::string_view, N>& from, const std::string& purpose, const std::string& seed) {
  return std::string(from[Hash(purpose, seed) % N]);
}

}  // namespace

std::string MadeUpName(const std::string& seed) {
  return absl::StrCat(Pick(kFirstNames, "first", seed), " ", Pick(kLastNames, "last", seed));
}

v1::Date MadeUpDateOfBirth(const std::string& seed) {
  v1::Date date;
  date.set_year(1926 + static_cast<int>(Hash("year", seed) % 36));
  date.set_month(1 + static_cast<int>(Hash("month", seed) % 12));
  // Every month has 28 days.
  date.set_day(1 + static_cast<int>(Hash("day", seed) % 28));
  return date;
}

std::string MadeUpAddress(const std::string& seed, const std::string& town) {
  return absl::StrCat(1 + Hash("number", seed) % 120, " ", Pick(kStreets, "street", seed), "\n", town);
}

std::string MadeUpPhone(const std::string& seed) {
  return absl::StrFormat("01632 960%03d", Hash("phone", seed) % 1000);
}

std::optional<std::string> NhsNumber(uint32_t number) {
  std::string digits = absl::StrFormat("999%06d", number % 1'000'000);
  int sum = 0;
  for (int i = 0; i < 9; ++i) sum += (10 - i) * (digits[i] - '0');
  const int check = 11 - sum % 11;
  if (check == 10) return std::nullopt;
  digits.push_back(static_cast<char>('0' + check % 11));
  return digits;
}

std::string MadeUpNhsNumber(uint32_t block, uint32_t index) {
  uint32_t valid_before = 0;
  for (uint32_t number = (block % 1000) * 1000;; ++number) {
    const std::optional<std::string> digits = NhsNumber(number);
    if (!digits) continue;
    if (valid_before == index) return *digits;
    ++valid_before;
  }
}

}  // namespace caresync::cli
