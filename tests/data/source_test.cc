#include "data/source.h"

#include <gtest/gtest.h>

#include <zlib.h>

#include "core/io/hdf5.h"
#include "core/io/npy.h"
#include "data/gzip.h"
#include "data/prepared_file.h"
#include "tests/data/data_testing.h"

namespace mica::data {
namespace {

std::string bytes_of(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

void write_gzip(const std::string& path, const std::string& text) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
}

class SourceTest : public testing::Test {
 protected:
  PrepareOptions options(const std::string& source, const std::string& name = "") {
    return prepare_options(source, name.empty() ? folder_.path() : folder_ / name,
                           out_folder_ / "out.h5");
  }
  TemporaryFolder folder_;
  TemporaryFolder out_folder_;
};

using IdxSource = SourceTest;
using GzipFile = SourceTest;
using CifarSource = SourceTest;
using ImageFolderSource = SourceTest;
using ArraySource = SourceTest;

TEST_F(GzipFile, UnpacksAndChecks) {
  const std::string text(100'000, 'x');
  write_gzip(folder_ / "a.gz", text + "end");
  const std::vector<std::byte> packed = read_file(folder_ / "a.gz");
  EXPECT_EQ(read_maybe_gzip(folder_ / "a.gz").size(), text.size() + 3);
  write_file(folder_ / "plain", "abc");
  EXPECT_EQ(read_maybe_gzip(folder_ / "plain").size(), 3u);

  std::vector<std::byte> twice = packed;
  twice.insert(twice.end(), packed.begin(), packed.end());
  write_file(folder_ / "twice.gz", twice);
  EXPECT_EQ(read_maybe_gzip(folder_ / "twice.gz").size(), 2 * (text.size() + 3));

  for (const size_t length : {packed.size() / 2, packed.size() - 1, size_t{5}}) {
    write_file(folder_ / "cut.gz", std::span(packed).first(length));
    expect_error(ErrorKind::kData, {"cut.gz", "cut off"},
                 [&] { read_maybe_gzip(folder_ / "cut.gz"); });
  }
  std::vector<std::byte> changed = packed;
  changed[changed.size() - 6] ^= std::byte{1};  // in the checksum
  write_file(folder_ / "changed.gz", changed);
  expect_error(ErrorKind::kData, {"changed.gz", "damaged", "incorrect data check"},
               [&] { read_maybe_gzip(folder_ / "changed.gz"); });
  write_file(folder_ / "text.gz", "abc");
  expect_error(ErrorKind::kData, {"text.gz", "no gzip file"},
               [&] { read_maybe_gzip(folder_ / "text.gz"); });
}

TEST_F(IdxSource, ReadsPlainAndCompressedFiles) {
  write_idx_pair(folder_, "train", bytes_of({1, 0, 9}));
  write_gzip(folder_ / "t10k-images-idx3-ubyte.gz", idx_file({1, 2, 2}, bytes_of({1, 2, 3, 255})));
  write_gzip(folder_ / "t10k-labels-idx1-ubyte.gz", idx_file({1}, bytes_of({5})));
  const auto dataset = prepared(options("mnist"));
  EXPECT_EQ(dataset->split_names(), (std::vector<std::string>{"train", "test"}));
  const Split& test = dataset->split("test");
  EXPECT_EQ(test.x, HostTensor::from<uint8_t>({1, 2, 3, 255}, {1, 2, 2, 1}));
  EXPECT_EQ(test.y, HostTensor::from<int32_t>({5}, {1}));
  EXPECT_EQ(dataset->split("train").y, HostTensor::from<int32_t>({1, 0, 9}, {3}));
  EXPECT_EQ(dataset->info().classes(), 10);
  EXPECT_EQ(dataset->info().split_method, "as the source has it");
}

TEST_F(IdxSource, SaysWhatIsWrong) {
  expect_bad_data(options("mnist"), {"no IDX images here"});
  expect_bad_data(options("mnist", "none"), {"none", "no such file or folder"});
  write_idx_pair(folder_, "train", bytes_of({1, 0, 10}));
  expect_bad_data(options("mnist"),
                  {"train-labels-idx1-ubyte", "label 10 at position 2", "0 ... 9"});
  PrepareOptions eleven = options("mnist");
  eleven.classes = 11;
  EXPECT_EQ(prepared(eleven)->info().classes(), 11);
  std::filesystem::remove(eleven.out);

  const std::string images = folder_ / "train-images-idx3-ubyte";
  const std::string labels = folder_ / "train-labels-idx1-ubyte";
  write_file(labels, idx_file({2}, bytes_of({1, 2})));
  expect_bad_data(options("mnist"), {"3 images, but 2 labels"});
  write_file(labels, idx_file({3}, bytes_of({1, 2})));
  expect_bad_data(options("mnist"), {"train-labels", "header says 3 = 3 bytes, but 2 follow"});
  write_file(labels, idx_file({1, 3}, bytes_of({1, 2, 3})));
  expect_bad_data(options("mnist"), {"train-labels", "0x00000802", "wanted 0x00000801"});
  write_file(images, idx_file({4294967295u, 4294967295u, 4294967295u}, "x"));
  expect_bad_data(options("mnist"), {"train-images", "too many bytes"});
  write_file(images, "not an IDX file");
  expect_bad_data(options("mnist"), {"train-images", "magic number 0x6e6f7420"});
  write_file(images, std::string("\0\0\x08\x03\0\0", 6));
  expect_bad_data(options("mnist"), {"train-images", "cut off in its header"});
  write_file(images, idx_file({0, 2, 2}, ""));
  write_file(labels, idx_file({0}, ""));
  expect_bad_data(options("mnist"), {"no images in it"});
  std::filesystem::remove(labels);
  expect_bad_data(options("mnist"), {"its labels, train-labels-idx1-ubyte[.gz], are missing"});
}

TEST_F(CifarSource, ReadsPlanesAsPixels) {
  const auto record = [](int label, int first) {
    std::string text(1, static_cast<char>(label));
    for (int plane = 0; plane < 3; ++plane)
      text += std::string(1024, static_cast<char>(first + plane));
    return text;
  };
  write_file(folder_ / "data_batch_1.bin", record(3, 10) + record(4, 20));
  write_file(folder_ / "data_batch_2.bin", record(5, 30));
  write_file(folder_ / "test_batch.bin", record(9, 40));
  write_file(folder_ / "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  const auto dataset = prepared(options("cifar10"));
  const Split& train = dataset->split("train");
  EXPECT_EQ(train.x.shape, (Shape{3, 32, 32, 3}));
  EXPECT_EQ(train.y, HostTensor::from<int32_t>({3, 4, 5}, {3}));
  EXPECT_EQ(train.x.as<uint8_t>()[3 * 1024 + 3 * 7 + 2], 22);  // row 1, pixel 7, blue
  EXPECT_EQ(dataset->info().class_names[3], "d");
  EXPECT_EQ(dataset->info().mean, (std::vector<double>{20, 21, 22}));

  std::filesystem::remove(folder_ / "../out.h5");
  const PrepareOptions bad = prepare_options("cifar10", folder_.path(), out_folder_ / "bad.h5");
  write_file(folder_ / "data_batch_2.bin", record(5, 30).substr(0, 3000));
  expect_bad_data(bad, {"data_batch_2.bin", "3000 bytes", "records of 3073"});
  write_file(folder_ / "data_batch_2.bin", record(10, 30));
  expect_bad_data(bad, {"data_batch_2.bin", "label 10 in record 0", "0 ... 9"});
  write_file(folder_ / "data_batch_2.bin", "");
  expect_bad_data(bad, {"data_batch_2.bin", "is empty"});
  write_file(folder_ / "data_batch_2.bin", record(1, 30));
  write_file(folder_ / "batches.meta.txt", "a\nb\n");
  expect_bad_data(bad, {"batches.meta.txt", "2 class names, wanted 10"});
}

TEST_F(CifarSource, KeepsTheFineLabelsOfCifar100) {
  write_file(folder_ / "train.bin", bytes_of({7, 99}) + std::string(3072, 'x'));
  write_file(folder_ / "test.bin", bytes_of({1, 98}) + std::string(3072, 'x'));
  const auto dataset = prepared(options("cifar100"));
  EXPECT_EQ(dataset->split("train").y.as<int32_t>()[0], 99);
  EXPECT_EQ(dataset->info().classes(), 100);
  PrepareOptions coarse = prepare_options("cifar100", folder_.path(), out_folder_ / "coarse.h5");
  coarse.labels = "coarse";
  EXPECT_EQ(prepared(coarse)->split("train").y.as<int32_t>()[0], 7);
  EXPECT_EQ(prepared(coarse)->info().classes(), 20);
  write_file(folder_ / "coarse_label_names.txt", "fish\n");
  expect_error(ErrorKind::kData, {"coarse_label_names.txt: 1 class names, wanted 20"},
               [&] { prepare(coarse); });
}

/// A member of a tar archive: header and padded content.
std::string tar_member(const std::string& name, const std::string& content, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  const auto octal = [&](size_t at, int width, uint64_t value) {
    header.replace(at, static_cast<size_t>(width), fmt::format("{:0{}o}", value, width));
  };
  octal(124, 11, content.size());
  header[156] = type;
  header.replace(257, 5, "ustar");
  header.replace(148, 8, std::string(8, ' '));
  uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  octal(148, 6, sum);
  header[154] = '\0';
  return header + content + std::string((512 - content.size() % 512) % 512, '\0');
}

TEST_F(CifarSource, ReadsArchivesAsTheyAreDownloaded) {
  const std::string record = std::string(1, '\3') + std::string(3072, 'x');
  const std::string test = std::string(1, '\4') + std::string(3072, 'y');
  const std::string tar = tar_member("cifar-10-batches-bin/", "", '5') +
                          tar_member("./cifar-10-batches-bin/test_batch.bin", test) +
                          tar_member("cifar-10-batches-bin/data_batch_1.bin", record) +
                          std::string(1024, '\0');
  const std::string path = out_folder_ / "cifar.tar";
  write_file(path, tar);
  const auto packed = prepared(prepare_options("cifar10", path, out_folder_ / "a.h5"));
  EXPECT_EQ(packed->split("test").y.as<int32_t>()[0], 4);
  write_file(folder_ / "data_batch_1.bin", record);
  write_file(folder_ / "test_batch.bin", test);
  const auto unpacked = prepared(options("cifar10"));
  EXPECT_EQ(packed->fingerprint(), unpacked->fingerprint());

  const PrepareOptions bad = prepare_options("cifar10", path, out_folder_ / "bad.h5");
  write_file(path, tar.substr(0, 3000));
  expect_bad_data(bad, {"cifar.tar: cut off in its member cifar-10-batches-bin/test_batch.bin"});
  std::string damaged = tar;
  damaged[512] ^= 1;
  write_file(path, damaged);
  expect_bad_data(bad, {"damaged tar archive at byte 512"});
  write_file(path, "no archive");
  expect_bad_data(bad, {"neither a folder nor a tar archive"});
  write_file(path, tar_member("other", "x"));
  expect_bad_data(bad, {"no data_batch_1.bin or test_batch.bin here"});
}

TEST_F(CifarSource, ReadsTheRealOne) {
  if (test_data().empty()) GTEST_SKIP() << "set MICA_TEST_DATA to the folder of real data";
  const std::string folder = test_data() + "/cifar-10-batches-bin";
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << folder << " is not unpacked";
  const auto dataset = prepared(prepare_options("cifar10", folder, out_folder_ / "cifar.h5"));
  EXPECT_EQ(dataset->rows("train"), 50000);
  EXPECT_NEAR(dataset->info().mean[0] / 255, 0.4914, 1e-4);  // as published widely
  EXPECT_NEAR(dataset->info().std[2] / 255, 0.2616, 1e-4);
}

TEST_F(ImageFolderSource, ReadsClassesAndSplits) {
  const auto copy = [&](const std::string& image, const std::string& to) {
    std::filesystem::create_directories(std::filesystem::path(folder_ / to).parent_path());
    std::filesystem::copy(fixture("data/images/" + image), folder_ / to);
  };
  copy("grey.png", "train/10/a.png");
  copy("grey16.png", "train/9/b.png");
  copy("grey_palette.png", "test/9/c.PNG");
  write_file(folder_ / "train/9/notes.txt", "not a picture");
  PrepareOptions grey = options("images");
  const PrepareSummary summary = prepare(grey);
  EXPECT_EQ(summary.notes[0], "1 files skipped that are no images");
  const auto dataset = Dataset::open(grey.out);
  EXPECT_EQ(dataset->info().class_names, (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(dataset->sample_shape(), (Shape{3, 4, 1}));
  EXPECT_EQ(dataset->split("train").y, HostTensor::from<int32_t>({0, 1}, {2}));
  EXPECT_EQ(dataset->split("test").x.as<uint8_t>()[11], 220);

  copy("rgb.png", "train/9/d.png");
  EXPECT_EQ(prepared(grey)->sample_shape(), (Shape{3, 4, 3}));
  grey.channels = 1;
  EXPECT_EQ(prepared(grey)->sample_shape(), (Shape{3, 4, 1}));
}

TEST_F(ImageFolderSource, SaysWhatIsWrong) {
  expect_bad_data(options("images"), {"no subfolders here"});
  std::filesystem::create_directories(folder_ / "a");
  std::filesystem::create_directories(folder_ / "b");
  expect_bad_data(options("images"), {"/a", "no PNG or JPEG files in this class"});
  std::filesystem::copy(fixture("data/images/rgb.png"), folder_ / "a/1.png");
  write_file(folder_ / "b/2.png", "no picture");
  write_file(folder_ / "b/3.png", "");
  expect_bad_data(options("images"), {"b/2.png", "no PNG or JPEG file"});
  std::filesystem::remove(folder_ / "b/2.png");
  expect_bad_data(options("images"), {"b/3.png", "is empty"});
  std::filesystem::remove(folder_ / "b/3.png");
  std::filesystem::copy(fixture("data/images/rgb.jpg"), folder_ / "b/4.jpg");
  expect_bad_data(options("images"), {"b/4.jpg", "16 x 16", "a/1.png has 4 x 3"});
}

TEST_F(ArraySource, ReadsNpzOfNumpy) {
  PrepareOptions npz = prepare_options("npz", fixture("data/splits.npz"), out_folder_ / "a.h5");
  auto dataset = prepared(npz);
  EXPECT_EQ(dataset->rows("train"), 6);
  EXPECT_EQ(dataset->rows("test"), 4);
  EXPECT_EQ(dataset->sample_shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(dataset->split("test").y, HostTensor::from<int32_t>({0, 1, 2, 0}, {4}));
  EXPECT_EQ(dataset->split("test").x.as<uint8_t>()[0], 36);

  npz.path = fixture("data/nchw.npz");
  npz.split = "test=0";
  dataset = prepared(npz);
  EXPECT_EQ(dataset->sample_shape(), (Shape{4, 5, 3}));
  const std::span<const uint8_t> x = dataset->split("train").x.as<uint8_t>();
  EXPECT_EQ((x[1] - x[0] + 256) % 256, 20);  // neighbours in the last axis are 4 x 5 apart
  npz.layout = "nhwc";
  EXPECT_EQ(prepared(npz)->sample_shape(), (Shape{3, 4, 5}));

  npz.path = fixture("data/regression.npz");
  dataset = prepared(npz);
  EXPECT_EQ(dataset->info().task, Task::kRegression);
  EXPECT_EQ(dataset->split("train").y.shape, (Shape{10, 1}));
  EXPECT_NEAR(dataset->info().mean[1], 10, 1e-9);
}

TEST_F(ArraySource, ReadsNpyFolders) {
  const auto arrays = read_npz(fixture("data/images.npz"));
  write_npy(folder_ / "x.npy", arrays.at("x"));
  write_npy(folder_ / "y.npy", arrays.at("y"));
  const PrepareOptions npz =
      prepare_options("npz", fixture("data/images.npz"), out_folder_ / "z.h5");
  const auto from_npy = prepared(options("npy")), from_npz = prepared(npz);
  for (const char* split : {"train", "test"}) {
    EXPECT_EQ(from_npy->split(split).x, from_npz->split(split).x);
    EXPECT_EQ(from_npy->split(split).y, from_npz->split(split).y);
  }
}

TEST_F(ArraySource, ReadsHdf5OfH5py) {
  PrepareOptions hdf5 = prepare_options("hdf5", fixture("data/keras.h5"), out_folder_ / "a.h5");
  EXPECT_EQ(prepared(hdf5)->rows("train"), 6);
  hdf5.path = fixture("data/prepared.h5");
  const auto dataset = prepared(hdf5);
  EXPECT_EQ(dataset->info().class_names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(dataset->rows("test"), 4);
  hdf5.path = fixture("data/caffe.h5");
  hdf5.task = "classification";
  const auto caffe = prepared(hdf5);
  EXPECT_EQ(caffe->sample_shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(caffe->info().classes(), 3);
}

TEST_F(ArraySource, SaysWhatIsWrong) {
  const auto npz = [&](const std::map<std::string, HostTensor>& arrays) {
    write_npz(folder_ / "a.npz", arrays);
    return options("npz", "a.npz");
  };
  const HostTensor x(Dtype::kFloat32, {3, 2});
  expect_bad_data(npz({{"x", x}}), {"a.npz", "'x' has no y"});
  expect_bad_data(npz({{"y", x}}), {"a.npz", "no array x"});
  expect_bad_data(npz({{"weights", x}}), {"'weights' is neither x nor y"});
  expect_bad_data(npz({{"x", x}, {"y", HostTensor(Dtype::kInt64, {4})}}),
                  {"a.npz: x: 3 rows, but y has 4"});
  expect_bad_data(npz({{"x", x}, {"y", HostTensor::from<int64_t>({0, -1, 2}, {3})}}),
                  {"a.npz: y: label -1 in row 1"});
  expect_bad_data(
      npz({{"x", HostTensor(Dtype::kFloat32, {0, 2})}, {"y", HostTensor(Dtype::kInt32, {0})}}),
      {"a.npz", "the data set is empty"});
  PrepareOptions five = npz({{"x", x}, {"y", HostTensor::from<int64_t>({0, 5, 2}, {3})}});
  five.classes = 5;
  expect_bad_data(five, {"label 5 in row 1", "0 ... 4"});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_bad_data(npz({{"x", HostTensor::from<float>({0, 1, 2, nan, 4, 5}, {3, 2})},
                       {"y", HostTensor(Dtype::kInt32, {3})}}),
                  {"a.npz", "nan", "feature 1"});
  std::vector<std::byte> half = read_file(fixture("data/keras.h5"));
  half.resize(half.size() / 2);
  write_file(folder_ / "half.h5", half);
  expect_bad_data(options("hdf5", "half.h5"), {"half.h5", "cut off", "truncated"});
  write_prepared(folder_ / "int64.h5", {}, {{"train", {x, HostTensor(Dtype::kInt64, {3})}}});
  expect_bad_data(options("hdf5", "int64.h5"), {"int64.h5", "int64, wanted int32"});
  Hdf5Writer other;
  other.write("weights", x);
  other.save(folder_ / "other.h5");
  expect_bad_data(options("hdf5", "other.h5"),
                  {"other.h5", "no arrays of a known name", "weights"});
}

}  // namespace
}  // namespace mica::data
