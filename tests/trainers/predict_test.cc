// What `mica predict` makes of pictures, tables, arrays and lines, with models of known weights.
#include <gmock/gmock.h>
#include <png.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "core/base/error.h"
#include "core/io/hdf5.h"
#include "core/io/npy.h"
#include "tests/trainers/folder_test.h"
#include "trainers/predict/predictor.h"
#include "trainers/predict/resize.h"

namespace mica::trainers {
namespace {
namespace fs = std::filesystem;

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PredictTest : public FolderTest {
 protected:
  std::string grey_png(const std::string& name, const std::vector<uint8_t>& pixels, uint32_t height,
                       uint32_t width) const {
    png_image image = {};
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_GRAY;
    png_image_write_to_file(&image, path(name).c_str(), 0, pixels.data(), 0, nullptr);
    return path(name);
  }

  // Two classes, "dark" and "light", of 2 x 2 grey pixels: light is the sum of the pixels over 255,
  // minus 2.
  TrainedModel picture_model() const {
    Checkpoint checkpoint;
    checkpoint.config =
        "data: {path: x.h5, batch_size: 2}\nmodel: [flatten, linear: 2]\nloss: cross_entropy\n"
        "optimizer: {sgd: {lr: 1}}\n";
    checkpoint.model = {
        {"1.weight", Array::from(std::vector<float>{0, 0, 0, 0, 1, 1, 1, 1}, {2, 4})},
        {"1.bias", Array::from(std::vector<float>{0, -2}, {2})}};
    checkpoint.example_shape = {2, 2, 1};
    checkpoint.example_dtype = "uint8";
    checkpoint.normalization.mean = {0};
    checkpoint.normalization.std = {255};
    checkpoint.task = "classification";
    checkpoint.class_names = {"dark", "light"};
    return saved(checkpoint);
  }

  // price = 1000 (size / 10 + 2 [place = north] + 3 [place = south]) + 500
  TrainedModel table_model() const {
    Checkpoint checkpoint;
    checkpoint.config =
        "data: {path: x.csv}\nmodel: [linear: 1]\nloss: mse\noptimizer: {sgd: {lr: 1}}\n";
    checkpoint.model = {{"0.weight", Array::from(std::vector<float>{1, 2, 3}, {1, 3})},
                        {"0.bias", Array::from(std::vector<float>{0}, {1})}};
    checkpoint.example_shape = {3};
    checkpoint.example_dtype = "float32";
    checkpoint.normalization = {{0, 0, 0}, {10, 1, 1}, {500}, {1000}};
    checkpoint.task = "regression";
    checkpoint.feature_names = {"size", "place=north", "place=south"};
    checkpoint.target_names = {"price"};
    checkpoint.fill = {40, 0, 0};
    return saved(checkpoint);
  }

  TrainedModel saved(const Checkpoint& checkpoint) const {
    save_checkpoint(checkpoint, path("model.h5"));
    return open_trained(path("model.h5"));
  }

  // Lines without the header.
  std::string predict(const TrainedModel& model, const std::vector<std::string>& inputs,
                      const PredictorOptions& options = {}) {
    ExampleSpec spec = spec_of(model);
    spec.resize = resize_;
    spec.array = array_;
    std::string text;
    const auto refuse = [&](const std::string& message) { refused_.push_back(message); };
    Predictor predictor(
        model, options, [&](const std::string& lines) { text += lines; }, refuse);
    header_ = predictor.header();
    const ExampleSink sink = {[&](Example example) { predictor.add(std::move(example)); }, refuse,
                              [&](const std::string& note) { notes_.push_back(note); },
                              [&] { predictor.flush(); }};
    for (const std::string& input : inputs) read_input(input, spec, sink);
    predictor.flush();
    return text;
  }

  // The same from standard input.
  std::string predict_lines(const TrainedModel& model, const std::string& lines) {
    std::istringstream text(lines);
    std::streambuf* before = std::cin.rdbuf(text.rdbuf());
    const std::string result = predict(model, {"-"});
    std::cin.rdbuf(before);
    std::cin.clear();
    return result;
  }

  bool resize_ = false;
  std::string array_, header_;
  std::vector<std::string> refused_, notes_;
};

TEST_F(PredictTest, ReadsPicturesAndGoesOnAfterBadOnes) {
  const TrainedModel model = picture_model();
  const std::string light = grey_png("light.png", {255, 255, 255, 255}, 2, 2);
  const std::string dark = grey_png("dark.png", {0, 0, 0, 0}, 2, 2);
  const std::string large = grey_png("large.png", std::vector<uint8_t>(12, 255), 3, 4);
  const std::string broken = write("broken.png", "no picture");
  const std::string missing = path("missing.png");
  EXPECT_EQ(predict(model, {light, broken, missing, large, dark}, {.top = 9}),
            fmt::format("{},,light,0.880797,dark,0.119203\n{},,dark,0.880797,light,0.119203\n",
                        light, dark));
  EXPECT_EQ(header_, "input,row,prediction,confidence,prediction_2,confidence_2\n");
  EXPECT_THAT(
      refused_,
      ElementsAre(broken + ": is no PNG or JPEG file", missing + ": no such file or folder",
                  large + ": 4 x 3 pixels, but the model takes 2 x 2 (--resize scales it)"));
  resize_ = true;
  EXPECT_EQ(predict(model, {large}, {.top = 1}), large + ",,light,0.880797\n");
}

TEST_F(PredictTest, ReadsFoldersInTheOrderOfTheirNames) {
  const TrainedModel model = picture_model();
  fs::create_directories(root_ / "in/b");
  grey_png("in/b/1.png", {0, 0, 0, 0}, 2, 2);
  grey_png("in/a.PNG", {255, 255, 255, 255}, 2, 2);
  grey_png("in/c.png", {255, 255, 255, 255}, 2, 2);
  write("in/notes.txt", "x");
  EXPECT_EQ(predict(model, {path("in")}, {.top = 1}),
            fmt::format("{0}/a.PNG,,light,0.880797\n{0}/b/1.png,,dark,0.880797\n"
                        "{0}/c.png,,light,0.880797\n",
                        path("in")));
  EXPECT_THAT(notes_, ElementsAre(path("in") + ": 1 other files left out"));
}

TEST_F(PredictTest, WritesJsonLines) {
  const TrainedModel model = picture_model();
  const std::string light = grey_png("light.png", {255, 255, 255, 255}, 2, 2);
  EXPECT_EQ(predict(model, {light}, {.top = 2, .format = "jsonl"}),
            "{\"input\":\"" + light +
                "\",\"prediction\":\"light\",\"confidence\":0.880797,\"top\":[{\"class\":\"light\","
                "\"probability\":0.880797},{\"class\":\"dark\",\"probability\":0.119203}]}\n");
  EXPECT_THAT(header_, IsEmpty());
  EXPECT_EQ(predict(table_model(), {write("a.csv", "place,size\nnorth,10\n")}, {.format = "jsonl"}),
            "{\"input\":\"" + path("a.csv") + "\",\"row\":0,\"values\":{\"price\":3500.0}}\n");
}

TEST_F(PredictTest, EncodesTablesAsTheTrainingDataWas) {
  const TrainedModel model = table_model();
  const std::string csv = write("houses.csv",
                                "place,price,size\nnorth,1,10\nsouth,2,\neast,3,10\nsouth,4,big\n"
                                ",5,10\n\"south\",6,-10\n");
  EXPECT_EQ(predict(model, {csv}), fmt::format("{0},0,3500\n{0},1,7500\n{0},5,2500\n", csv));
  EXPECT_EQ(header_, "input,row,price\n");
  EXPECT_THAT(refused_,
              ElementsAre(csv + ":4:1: 'east' is no category of place that the model knows (north, "
                                "south)",
                          csv + ":5:9: 'big' is no number (column size)",
                          csv + ":6:1: column place has no value; the model knows north, south"));
}

TEST_F(PredictTest, NamesColumnsThatAreMissing) {
  const TrainedModel model = table_model();
  predict(model,
          {write("a.csv", "plase,size\nnorth,1\n"), write("b.csv", "1,2,3\n"), write("c.csv", "")});
  EXPECT_THAT(refused_,
              ElementsAre(path("a.csv") + ": no column place (there is: plase, size) (is 'place' "
                                          "meant by 'plase'?); the model takes 2 columns",
                          HasSubstr("b.csv: no column size, place (there is: x1, x2, x3)"),
                          path("c.csv") + ": is empty"));
  // As many as wanted and no header: they come in the order of training.
  EXPECT_EQ(predict(model, {write("d.csv", "10,north\n")}), path("d.csv") + ",0,3500\n");
  EXPECT_THAT(notes_, ElementsAre(path("d.csv") + ": no header; columns taken as size, place"));
}

TEST_F(PredictTest, AnswersLinesOfStandardInput) {
  const TrainedModel model = table_model();
  EXPECT_EQ(predict_lines(model, "size;place\n10;north\r\n\n20;west\n1;2;3\n20;south\n"),
            "standard input,0,3500\nstandard input,3,5500\n");
  EXPECT_THAT(refused_, ElementsAre(HasSubstr("standard input:4:4: 'west' is no category"),
                                    "standard input:5: 3 fields, wanted 2 as in the first line"));
  refused_.clear();
  EXPECT_THAT(predict_lines(model, "nofile.png\n\n1,north\n"), IsEmpty());
  EXPECT_THAT(refused_, ElementsAre("standard input:1: 'nofile.png' is no file, and no row for a "
                                    "model that takes 3 features"));
  const TrainedModel pictures = picture_model();
  const std::string light = grey_png("light.png", {255, 255, 255, 255}, 2, 2);
  EXPECT_EQ(
      predict_lines(pictures, light + "\n0,0,0,0\n" + light + "\n"),
      fmt::format("{0},,light,0.880797,dark,0.119203\n{0},,light,0.880797,dark,0.119203\n", light));
  EXPECT_EQ(predict_lines(pictures, "255,255,255,255\n"),
            "standard input,0,light,0.880797,dark,0.119203\n");
}

TEST_F(PredictTest, ReadsArrays) {
  const TrainedModel model = picture_model();
  const HostTensor rows =
      HostTensor::from<uint8_t>({255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255}, {3, 2, 2});
  write_npy(path("rows.npy"), rows);
  const std::string three = fmt::format(
      "{0},0,light,0.880797\n{0},1,dark,0.880797\n{0},2,light,0.880797\n", path("rows.npy"));
  EXPECT_EQ(predict(model, {path("rows.npy")}, {.top = 1}), three);
  write_npy(path("one.npy"), HostTensor::from<float>({1, 1, 1, 1}, {2, 2, 1}));
  EXPECT_EQ(predict(model, {path("one.npy")}, {.top = 1}), path("one.npy") + ",,dark,0.87914\n");
  EXPECT_THAT(notes_,
              ElementsAre(HasSubstr("numbers from 1 to 1, but the model was trained on 0 to "
                                    "255")));
  write_npz(path("a.npz"), {{"x", rows}, {"labels", HostTensor::from<int32_t>({1, 2, 3}, {3})}});
  EXPECT_THAT(predict(model, {path("a.npz")}, {.top = 1}), HasSubstr("a.npz,1,dark"));
  Hdf5Writer hdf5;
  hdf5.write("/a/x", rows);
  hdf5.write("/b", rows);
  hdf5.save(path("a.h5"));
  EXPECT_THAT(predict(model, {path("a.h5")}), IsEmpty());
  array_ = "a/x";
  EXPECT_THAT(predict(model, {path("a.h5")}, {.top = 1}), HasSubstr("a.h5,2,light"));
  array_ = "";
  write_npy(path("wide.npy"), HostTensor::from<float>({1, 2, 3}, {3}));
  predict(model, {path("wide.npy")});
  EXPECT_THAT(refused_,
              ElementsAre(HasSubstr("a.h5: several arrays fit: a/x, b; name one with --array"),
                          HasSubstr("wide.npy: an array of shape (3,), but the model takes rows of "
                                    "shape (2, 2, 1)")));
}

TEST_F(PredictTest, RefusesPicturesForModelsOfNumbers) {
  const std::string light = grey_png("light.png", {255, 255, 255, 255}, 2, 2);
  predict(table_model(), {light});
  EXPECT_THAT(refused_, ElementsAre(light + ": a picture, but the model takes 3 features"));
}

TEST(Resize, MixesThePixelsThatAreCovered) {
  const std::vector<uint8_t> row = {0, 100, 200, 50};
  EXPECT_THAT(resized(row, {1, 4, 1}, 1, 4), ElementsAre(0, 100, 200, 50));
  // Pillow: Image.fromarray(np.uint8([[0, 100, 200, 50]])).resize((2, 1), Image.BILINEAR), and (8,
  // 1)
  EXPECT_THAT(resized(row, {1, 4, 1}, 1, 2), ElementsAre(71, 121));
  EXPECT_THAT(resized(row, {1, 4, 1}, 1, 8), ElementsAre(0, 25, 75, 125, 175, 163, 88, 50));
  EXPECT_THAT(resized(std::vector<uint8_t>{10, 20, 30, 40}, {2, 1, 2}, 1, 1), ElementsAre(20, 30));
}

}  // namespace
}  // namespace mica::trainers
