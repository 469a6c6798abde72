#include "core/io/file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <fstream>

#include "tests/core/io_testing.h"

namespace mica {
namespace {

std::string text_of(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(File, WritesAndReadsWholeFiles) {
  TemporaryFolder folder;
  write_file(folder / "a", "first");
  write_file(folder / "a", "second");
  EXPECT_EQ(text_of(folder / "a"), "second");
  EXPECT_EQ(folder.list(), std::vector<std::string>{"a"});
}

TEST(File, KeepsTheOldFileUntilCommit) {
  TemporaryFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new, but never finished");
    EXPECT_EQ(text_of(folder / "a"), "old");
  }
  EXPECT_EQ(text_of(folder / "a"), "old");
  EXPECT_EQ(folder.list(), std::vector<std::string>{"a"});
}

TEST(File, NamesWhatIsMissing) {
  TemporaryFolder folder;
  expect_error(ErrorKind::kData, {"/none", "No such file"}, [&] { read_file(folder / "none"); });
  expect_error(ErrorKind::kData, {"folder"}, [&] { read_file(folder.path()); });
  expect_error(ErrorKind::kData, {"no folder", "/none"},
               [&] { write_file(folder / "none/a", "x"); });
  expect_error(ErrorKind::kData, {"it is a folder"}, [&] { write_file(folder.path(), "x"); });
}

/// Lets no file of this process grow beyond some bytes, as a full disk would.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  sighandler_t handler_;
  rlimit before_ = {};
};

TEST(File, LeavesNothingBehindWhenTheDiskIsFull) {
  TemporaryFolder folder;
  write_file(folder / "a", "old");
  const std::string large(100'000, 'x');
  {
    const FileSizeLimit limit(4096);
    expect_error(ErrorKind::kData, {"/a", "cannot write", "File too large"},
                 [&] { write_file(folder / "a", large); });
  }
  EXPECT_EQ(text_of(folder / "a"), "old");
  EXPECT_EQ(folder.list(), std::vector<std::string>{"a"});
}

TEST(File, RemovesTemporariesOfDeadProcessesOnly) {
  TemporaryFolder folder;
  const std::string mine = "a.tmp." + std::to_string(getpid());
  for (const std::string& name : {std::string("a.tmp.999999999"), mine, std::string("a.tmp.x")}) {
    std::ofstream(folder / name) << "x";
  }
  remove_stale_temporaries(folder / "a");
  EXPECT_EQ(folder.list().size(), 2u);
  EXPECT_FALSE(std::filesystem::exists(folder / "a.tmp.999999999"));
}

}  // namespace
}  // namespace mica
