// The bytes of event files, and what TensorBoard's own reader makes of them where it is installed.
#include "trainers/tensorboard.h"
#include "tests/trainers/folder_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>

#include "core/base/error.h"
#include "trainers/draw/canvas.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) text += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return text;
}

class TensorboardTest : public FolderTest {
 protected:
};

TEST(EventRecord, HasThePublishedChecksums) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);            // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(masked_crc32c("\x1a\x11"
                          "CRC test, one two"),
            0x5794d08au);  // of TensorBoard's tests
}

// As TensorFlow 2 writes them.
TEST(EventRecord, HasTheBytesOfTensorFlow) {
  EXPECT_EQ(hex(event_record(version_event(0))),
            "1800000000000000a37f4b220900000000000000001a0d627261696e2e4576656e743a32eedf28a3");
  EXPECT_EQ(hex(event_record(scalar_event(1, 7, "loss", 0.5))),
            "1a00000000000000129bd82d09000000000000f03f10072a0d0a0b0a046c6f7373150000003f862c9a2f");
}

TEST_F(TensorboardTest, FilesOfOneFolderAreReadInTheirOrder) {
  for (int i = 0; i < 3; ++i) EventFile(root_, i);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(root_)) {
    names.push_back(entry.path().filename().string());
  }
  ASSERT_EQ(names.size(), 3u);  // none wrote into another's
  std::ofstream(root_ / "notes.txt") << "kept";
  remove_event_files(root_);
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 1);
}

TEST_F(TensorboardTest, SaysWhichFolderCannotBeWritten) {
  const std::string file = write("file", "not a folder");
  EXPECT_THAT([&] { EventFile(fs::path(file) / "tb", 1); },
              testing::ThrowsMessage<Error>(testing::HasSubstr(file)));
}

// Steps 1 to 5, and a resumed run that goes on behind step 3.
TEST_F(TensorboardTest, TensorboardReadsScalarsHistogramsAndImages) {
  if (std::system("python3 -c 'import tensorboard' >/dev/null 2>&1") != 0) {
    GTEST_SKIP() << "the Python package tensorboard is not installed";
  }
  const std::vector<float> values = {-1, 0, 0.25, 3, NAN, INFINITY};
  const std::vector<uint8_t> pixels(4 * 2 * 3, 200);
  const std::string png = draw::encode_png({4, 2, 3, pixels});
  for (const int first : {1, 4}) {
    EventFile events(root_, first);
    for (int step = first; step <= 5; ++step) events.scalar("epoch/loss", step, first + 0.5 * step);
    if (first > 1) continue;
    events.histogram("weights/0", 2, values);
    events.histogram("constant", 2, std::vector<float>(5, 0.5f));
    events.histogram("nothing", 2, std::vector<float>(5, NAN));
    events.image("samples", 3, {png, 4, 2});
    events.flush();
  }
  std::ofstream(root_ / "check.py") << R"(
import sys
from tensorboard.backend.event_processing import event_accumulator as ea
run = ea.EventAccumulator(sys.argv[1], size_guidance={k: 0 for k in ea.DEFAULT_SIZE_GUIDANCE})
run.Reload()
tags = run.Tags()
assert tags["scalars"] == ["epoch/loss"], tags
assert tags["images"] == ["samples"], tags
assert sorted(tags["histograms"]) == ["constant", "weights/0"], tags
points = [(point.step, point.value) for point in run.Scalars("epoch/loss")]
assert points == [(1, 1.5), (2, 2.0), (3, 2.5), (4, 6.0), (5, 6.5)], points
(histogram,) = run.Histograms("weights/0")
value = histogram.histogram_value
assert (value.min, value.max, value.num, value.sum) == (-1, 3, 4, 2.25), value
assert sum(value.bucket) == 4 and len(value.bucket) == len(value.bucket_limit) == 64, value
assert list(value.bucket_limit) == sorted(value.bucket_limit) and value.bucket_limit[-1] == 3
(picture,) = run.Images("samples")
assert (picture.step, picture.height, picture.width) == (3, 4, 2), picture
assert picture.encoded_image_string.startswith(b"\x89PNG"), picture
)";
  EXPECT_EQ(std::system(fmt::format("python3 {0}/check.py {0} >{0}/out 2>&1 || "
                                    "{{ cat {0}/out >&2; false; }}",
                                    root_.string())
                            .c_str()),
            0);
}

}  // namespace
}  // namespace mica::trainers
