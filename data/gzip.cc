#include "data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/io/file.h"

namespace mica::data {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window; 16 asks for gzip's header and checksum
constexpr size_t kBlock = size_t{1} << 20;

bool is_gzip(const std::vector<std::byte>& bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

struct Inflater {
  z_stream stream = {};
  Inflater() { MICA_ASSERT(inflateInit2(&stream, kGzipWindow) == Z_OK); }
  ~Inflater() { inflateEnd(&stream); }
};

std::vector<std::byte> unpack(const std::vector<std::byte>& packed, const std::string& path) {
  Inflater inflater;
  z_stream& stream = inflater.stream;
  std::vector<std::byte> result;
  size_t taken = 0, done = 0;
  while (true) {
    if (result.size() - done < kBlock) result.resize(std::max(2 * result.size(), 4 * kBlock));
    const size_t in = std::min<size_t>(packed.size() - taken, std::numeric_limits<uInt>::max());
    const size_t out = std::min<size_t>(result.size() - done, std::numeric_limits<uInt>::max());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data() + taken));
    stream.avail_in = static_cast<uInt>(in);
    stream.next_out = reinterpret_cast<Bytef*>(result.data() + done);
    stream.avail_out = static_cast<uInt>(out);
    const int status = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    done += out - stream.avail_out;
    if (status == Z_STREAM_END) {
      if (taken == packed.size()) break;
      inflateReset(&stream);  // a gzip file may be several, one after the other
    } else if (status == Z_BUF_ERROR ||
               (status == Z_OK && taken == packed.size() && stream.avail_out > 0)) {
      fail(ErrorKind::kData, "{}: cut off: the gzip data ends early, after {} unpacked bytes", path,
           done);
    } else if (status != Z_OK) {
      fail(ErrorKind::kData, "{}: damaged gzip data after {} unpacked bytes: {}", path, done,
           stream.msg == nullptr ? "unknown error" : stream.msg);
    }
  }
  result.resize(done);
  return result;
}

}  // namespace

std::vector<std::byte> read_maybe_gzip(const std::string& path) {
  std::vector<std::byte> bytes = read_file(path);
  if (is_gzip(bytes)) return unpack(bytes, path);
  if (path.ends_with(".gz")) {
    fail(ErrorKind::kData, "{}: {}", path, bytes.empty() ? "is empty" : "is no gzip file");
  }
  return bytes;
}

}  // namespace mica::data
