// Every file of a target's corpus through the target, without a fuzzer. The build names the target.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer names it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

TEST(CARESYNC_FUZZ_TARGET, TakesEveryFileOfItsCorpus) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : std::filesystem::directory_iterator(CARESYNC_CORPUS)) files.push_back(file.path());
  ASSERT_FALSE(files.empty()) << CARESYNC_CORPUS;
  for (const std::filesystem::path& path : files) {
    // Said before: where the target finds something, it ends the process.
    std::fprintf(stderr, "%s\n", path.filename().c_str());
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    ASSERT_FALSE(file.bad()) << path;
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), 0);
  }
}

}  // namespace
