#include "server/access/signing_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "nlohmann/json.hpp"
#include "server/access/signing_key_data.h"
#include "server/base/errors.h"
#include "server/base/limits.h"
#include "server/base/status_macros.h"

namespace caresync::access {
namespace {

namespace errors = base::errors;

// A private P-256 key has about 250 bytes; a file that is much longer is something else.
constexpr uintmax_t kKeyFileBytes = uintmax_t{16} * 1024;

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int descriptor() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }

 private:
  const int descriptor_;
};

std::string ErrnoText() { return std::strerror(errno); }

bool WriteAll(const File& file, const std::string& text) {
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t step = write(file.descriptor(), text.data() + written, text.size() - written);
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) return false;
    written += static_cast<size_t>(step);
  }
  return fsync(file.descriptor()) == 0;
}

// Written beside and renamed, so that a crash never leaves half a key under the name.
absl::Status WriteKeyFile(const std::string& file, const std::string& text) {
  const std::string beside = file + ".new";
  unlink(beside.c_str());
  {
    const File made(open(beside.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!made.open() || !WriteAll(made, text)) return errors::SigningKeyUnavailable(file, ErrnoText());
  }
  if (rename(beside.c_str(), file.c_str()) != 0) return errors::SigningKeyUnavailable(file, ErrnoText());
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  const File parent(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent.open() || fsync(parent.descriptor()) != 0) return errors::SigningKeyUnavailable(file, ErrnoText());
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadKeyFile(const std::string& file) {
  std::error_code error;
  const bool exists = std::filesystem::exists(file, error);
  if (error) return errors::SigningKeyUnavailable(file, error.message());
  if (!exists) return errors::SigningKeyMissing(file);
  const uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error) return errors::SigningKeyUnavailable(file, error.message());
  if (bytes > kKeyFileBytes) return errors::SigningKeyNotUsable(file, "it is too long");
  std::ifstream stream(file, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(stream), {});
  if (!stream) return errors::SigningKeyUnavailable(file, "it cannot be read");
  return text;
}

// Whoever reads the key can make tokens of any tenant.
absl::Status CheckMode(const std::string& file) {
  struct stat properties {};
  if (stat(file.c_str(), &properties) != 0) return errors::SigningKeyUnavailable(file, ErrnoText());
  const bool others = (properties.st_mode & (S_IRWXG | S_IRWXO)) != 0;
  return others ? errors::SigningKeyReadableByOthers(file) : absl::OkStatus();
}

bool IsPrivateP256(const std::string& text) {
  const nlohmann::json key = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  return key.is_object() && key.value("kty", nlohmann::json()) == "EC" &&
         key.value("crv", nlohmann::json()) == "P-256" && key.value("d", nlohmann::json()).is_string();
}

absl::StatusOr<Jwk> ParseKey(const std::string& file, const std::string& text) {
  if (!IsPrivateP256(text)) return errors::SigningKeyNotUsable(file, "it holds no private EC P-256 key as a JWK");
  cjose_err error;
  Jwk jwk(cjose_jwk_import(text.data(), text.size(), &error));
  if (jwk == nullptr) return errors::SigningKeyNotUsable(file, error.message);
  return jwk;
}

absl::StatusOr<Jwk> MakeKey(const std::string& file) {
  cjose_err error;
  Jwk jwk(cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &error));
  if (jwk == nullptr) return errors::SigningKeyUnavailable(file, error.message);
  const std::unique_ptr<char, decltype(&std::free)> text(cjose_jwk_to_json(jwk.get(), true, &error), &std::free);
  if (text == nullptr) return errors::SigningKeyUnavailable(file, error.message);
  RETURN_IF_ERROR(WriteKeyFile(file, text.get()));
  return jwk;
}

nlohmann::json ClaimsOf(const Identity& identity, absl::Time issued) {
  nlohmann::json claims = {{"iss", kIssuer},
                           {"sub", identity.subject},
                           {"role", RoleName(identity.role)},
                           {"iat", absl::ToUnixSeconds(issued)},
                           {"exp", absl::ToUnixSeconds(identity.expires)}};
  if (!identity.tenant.text().empty()) claims["tenant"] = identity.tenant.text();
  if (identity.device.has_value()) claims["device"] = identity.device->ToString();
  return claims;
}

// Token text that JSON cannot hold is an error of whoever asks for the token, not an exception.
bool IsUtf8(const std::string& text) {
  const nlohmann::json value = text;
  const std::string cleaned = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore);
  return nlohmann::json::parse(cleaned) == value;
}

}  // namespace

SigningKey::SigningKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
SigningKey::~SigningKey() = default;

absl::StatusOr<std::shared_ptr<const SigningKey>> SigningKey::Open(const std::string& file) {
  ASSIGN_OR_RETURN(const std::string text, ReadKeyFile(file));
  ASSIGN_OR_RETURN(Jwk jwk, ParseKey(file, text));
  RETURN_IF_ERROR(CheckMode(file));
  return std::shared_ptr<const SigningKey>(new SigningKey(std::make_unique<Key>(std::move(jwk))));
}

absl::StatusOr<std::shared_ptr<const SigningKey>> SigningKey::OpenOrCreate(const std::string& file) {
  absl::StatusOr<std::shared_ptr<const SigningKey>> opened = Open(file);
  if (opened.ok() || !absl::IsNotFound(opened.status())) return opened;
  ASSIGN_OR_RETURN(Jwk jwk, MakeKey(file));
  return std::shared_ptr<const SigningKey>(new SigningKey(std::make_unique<Key>(std::move(jwk))));
}

absl::StatusOr<std::string> SigningKey::Mint(const Identity& identity, absl::Time issued) const {
  if (!IsUtf8(identity.subject)) return errors::InvalidArgument("subject", "is not valid UTF-8");
  if (identity.expires - issued > base::limits::kTokenLifetimeMost) {
    return errors::InvalidArgument("expires", "is more than a year away; choose a shorter lifetime");
  }
  const std::string claims = ClaimsOf(identity, issued).dump();

  cjose_err error;
  const Header header(cjose_header_new(&error));
  if (header == nullptr || !cjose_header_set(header.get(), CJOSE_HDR_ALG, CJOSE_HDR_ALG_ES256, &error) ||
      !cjose_header_set(header.get(), "typ", "JWT", &error)) {
    return errors::CredentialNotValid(error.message);
  }
  const Jws jws(cjose_jws_sign(key_->jwk.get(), header.get(), reinterpret_cast<const uint8_t*>(claims.data()),
                               claims.size(), &error));
  // The text belongs to the JWS.
  const char* text = nullptr;
  if (jws == nullptr || !cjose_jws_export(jws.get(), &text, &error)) return errors::CredentialNotValid(error.message);
  std::string token = text;
  if (token.size() > base::limits::kTokenBytes) {
    return errors::InvalidArgument("subject", "makes the token too long; choose a shorter one");
  }
  return token;
}

}  // namespace caresync::access
