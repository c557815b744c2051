// Makes up people for rotas that name none. The same input always gives the same person, on every machine; nobody made
// here is a living person: NHS numbers are from the range kept for tests (999), phone numbers from the one kept for
// drama (01632 960).
//
// Pure functions; safe from any thread.
#ifndef CARESYNC_TOOLS_CARESYNC_PERSON_MAKER_H_
#define CARESYNC_TOOLS_CARESYNC_PERSON_MAKER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "caresync/v1/records.pb.h"

namespace caresync::cli {

// A first and a last name.
std::string MadeUpName(const std::string& seed);
// A date in 1926 to 1961: the people who receive home care.
v1::Date MadeUpDateOfBirth(const std::string& seed);
// A street and its number, then `town`, one line each.
std::string MadeUpAddress(const std::string& seed, const std::string& town);
std::string MadeUpPhone(const std::string& seed);

// Ten digits: 999, a number below 1,000,000 and the check digit; nothing where the check digit would be 10, which is
// invalid.
std::optional<std::string> NhsNumber(uint32_t number);
// The `index`-th valid number from block * 1,000 on. Two pairs of a block below 1,000 and an index below 900 never
// share one.
std::string MadeUpNhsNumber(uint32_t block, uint32_t index);

}  // namespace caresync::cli

#endif  // CARESYNC_TOOLS_CARESYNC_PERSON_MAKER_H_
