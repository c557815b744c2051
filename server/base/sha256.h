// SHA-256 (FIPS 180-4).
#ifndef CARESYNC_SERVER_BASE_SHA256_H_
#define CARESYNC_SERVER_BASE_SHA256_H_

#include <openssl/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace caresync::base {

// The digest of what is added, part by part. For one thread.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& Add(std::string_view bytes);
  // As 4 bytes.
  Sha256& AddBigEndian(uint32_t number);

  // The 32 bytes; nothing can be added any more.
  std::string Finish();

 private:
  EVP_MD_CTX* const context_;
};

// Of these bytes alone.
std::string Sha256Of(std::string_view bytes);

}  // namespace caresync::base

#endif  // CARESYNC_SERVER_BASE_SHA256_H_
