#include "data/image.h"
#include "tests/fuzz/sources.h"

// One picture of each of two classes, the second one as it comes out of the first byte's length.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mica;
  data::PrepareOptions options;
  options.path = fuzz_folder() + "/pictures";
  const std::string picture = options.path + "/a/1.png", twin = options.path + "/b/1.jpeg";
  std::filesystem::create_directories(options.path + "/a");
  std::filesystem::create_directories(options.path + "/b");
  write_input(picture, {data, size});
  write_input(twin, {data, size});
  for (const int64_t channels : {1, 3, 4}) {
    expect_errors(ErrorKind::kData, picture, [&] {
      const data::ImageInfo info = data::probe_image(picture);
      if (info.height < 1 || info.width < 1) broken("image", "no pixels");
      // What a header promises, the file must be able to hold.
      if (info.height * info.width > 5000 * static_cast<int64_t>(size)) {
        broken("image", "more pixels than the file can hold");
      }
      std::vector<uint8_t> pixels(static_cast<size_t>(info.height * info.width * channels));
      data::decode_image(picture, channels, pixels);
    });
  }
  return read_source(data::read_image_folder_source, options);
}
