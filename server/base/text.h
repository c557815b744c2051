// Text that comes from outside. Pure functions; safe from any thread.
#ifndef CARESYNC_SERVER_BASE_TEXT_H_
#define CARESYNC_SERVER_BASE_TEXT_H_

#include <cstddef>
#include <optional>
#include <string_view>

namespace caresync::base {

// How many characters (Unicode code points) `text` has; nullopt where it is not valid UTF-8 (RFC 3629: shortest forms
// only, no surrogates, nothing above U+10FFFF).
std::optional<size_t> CountCharacters(std::string_view text);

// Whether a byte is one of a character's further ones in UTF-8 (RFC 3629, section 3).
inline bool ContinuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

// Whether valid UTF-8 text holds a control character (U+0000 to U+001F, U+007F to U+009F).
bool HasControlCharacters(std::string_view text);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_TEXT_H_
