#include <zlib.h>

#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/io/zip.h"

namespace mica {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint64_t kMost32 = 0xffffffff;
constexpr uint16_t kPaddingField = 0xd935;           // as Android's zipalign marks its padding
constexpr uint16_t kDate = (0 << 9) | (1 << 5) | 1;  // 1980-01-01, the first that zip knows
constexpr uint16_t kVersion64 = 45;
constexpr uint16_t kUtf8 = 1 << 11;
constexpr int kRawDeflate = -MAX_WBITS;
constexpr int kMemory = 8;  // zlib's default

/// Little-endian numbers one after the other.
class Record {
 public:
  Record& u16(uint64_t value) { return number(value, 2); }
  Record& u32(uint64_t value) { return number(value, 4); }
  Record& u64(uint64_t value) { return number(value, 8); }
  Record& text(std::string_view text) { return bytes_ += text, *this; }
  const std::string& bytes() const { return bytes_; }

 private:
  Record& number(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
    return *this;
  }
  std::string bytes_;
};

uint32_t add_checksum(uint32_t crc, const void* data, size_t bytes) {
  if (bytes == 0) return crc;  // zlib takes null for a wish to begin anew
  return static_cast<uint32_t>(crc32_z(crc, static_cast<const Bytef*>(data), bytes));
}

void deflate_part(z_stream& stream, const void* data, size_t bytes, bool last,
                  std::vector<std::byte>& out) {
  constexpr size_t kPart = size_t{1} << 20;
  const auto* from = static_cast<const Bytef*>(data);
  int state = Z_OK;
  do {
    const size_t part = std::min(bytes, kPart);
    stream.next_in = const_cast<Bytef*>(from);
    stream.avail_in = static_cast<uInt>(part);
    from += part;
    bytes -= part;
    const int flush = last && bytes == 0 ? Z_FINISH : Z_NO_FLUSH;
    do {
      const size_t before = out.size();
      out.resize(before + kPart);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream.avail_out = kPart;
      state = deflate(&stream, flush);
      MICA_ASSERT(state != Z_STREAM_ERROR);
      out.resize(out.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  } while (bytes > 0);
}

std::vector<std::byte> deflated(std::string_view head, std::span<const std::byte> body) {
  z_stream stream = {};
  MICA_ASSERT(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kRawDeflate, kMemory,
                           Z_DEFAULT_STRATEGY) == Z_OK);
  std::vector<std::byte> out;
  deflate_part(stream, head.data(), head.size(), false, out);
  deflate_part(stream, body.data(), body.size(), true, out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

void ZipWriter::write(std::string_view text) {
  file_.write(text);
  written_ += text.size();
}

void ZipWriter::add(const std::string& name, std::string_view head, std::span<const std::byte> body,
                    bool compress) {
  MICA_ASSERT(name.size() <= std::numeric_limits<uint16_t>::max());
  uint32_t crc = add_checksum(0, head.data(), head.size());
  crc = add_checksum(crc, body.data(), body.size());
  const std::vector<std::byte> packed = compress ? deflated(head, body) : std::vector<std::byte>();
  const uint64_t size = head.size() + body.size();
  const Entry entry = {name, compress, crc, size, compress ? packed.size() : size, written_};

  // Sizes are always in the zip64 field, and padding follows it.
  const uint64_t start = written_ + 30 + name.size() + 20 + 4;
  const uint64_t padding = compress ? 0 : (kAlignment - start % kAlignment) % kAlignment;
  Record local;
  local.u32(0x04034b50).u16(kVersion64).u16(kUtf8).u16(compress ? Z_DEFLATED : 0);
  local.u16(0).u16(kDate).u32(crc).u32(kMost32).u32(kMost32);
  local.u16(name.size()).u16(20 + 4 + padding).text(name);
  local.u16(1).u16(16).u64(entry.size).u64(entry.packed);
  local.u16(kPaddingField).u16(padding).text(std::string(padding, '\0'));
  write(local.bytes());
  if (compress) {
    file_.write(packed);
  } else {
    file_.write(head);
    file_.write(body);
  }
  written_ += entry.packed;
  entries_.push_back(entry);
}

void ZipWriter::finish() {
  const uint64_t at = written_;
  for (const Entry& entry : entries_) {
    Record record;
    record.u32(0x02014b50).u16(kVersion64).u16(kVersion64).u16(kUtf8);
    record.u16(entry.deflated ? Z_DEFLATED : 0).u16(0).u16(kDate).u32(entry.crc);
    record.u32(kMost32).u32(kMost32).u16(entry.name.size()).u16(28).u16(0).u16(0).u16(0).u32(0);
    record.u32(kMost32).text(entry.name);
    record.u16(1).u16(24).u64(entry.size).u64(entry.packed).u64(entry.at);
    write(record.bytes());
  }
  const uint64_t end = written_;
  Record record;
  record.u32(0x06064b50).u64(44).u16(kVersion64).u16(kVersion64).u32(0).u32(0);
  record.u64(entries_.size()).u64(entries_.size()).u64(end - at).u64(at);
  record.u32(0x07064b50).u32(0).u64(end).u32(1);
  const uint64_t count = std::min<uint64_t>(entries_.size(), 0xffff);
  record.u32(0x06054b50).u16(0).u16(0).u16(count).u16(count);
  record.u32(std::min(end - at, kMost32)).u32(std::min(at, kMost32)).u16(0);
  write(record.bytes());
}

}  // namespace mica
