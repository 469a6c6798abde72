#include "data/sha256.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>

#include "core/base/error.h"

namespace mica::data {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  MICA_ASSERT(EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::add(std::span<const std::byte> bytes) {
  EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size());
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_DigestFinal_ex(context_->evp, digest, &length);
  std::string text;
  for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256_of_file(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) fail(ErrorKind::kData, "{}: cannot open", path);
  Sha256 hash;
  std::vector<std::byte> block(size_t{1} << 20);
  while (const size_t got = std::fread(block.data(), 1, block.size(), file.get())) {
    hash.add(std::span(block).first(got));
  }
  if (std::ferror(file.get())) fail(ErrorKind::kData, "{}: cannot read", path);
  return hash.hex();
}

std::string sha256_of_files(const std::string& folder, std::vector<std::string> names) {
  if (names.empty()) return sha256_of_file(folder);
  std::sort(names.begin(), names.end());
  Sha256 hash;
  for (const std::string& name : names) {
    hash.add(fmt::format("{}  {}\n", sha256_of_file(folder + "/" + name), name));
  }
  return hash.hex();
}

}  // namespace mica::data
