#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/base/error.h"
#include "core/io/zip.h"

namespace mica {
namespace {

constexpr uint32_t kEndMark = 0x06054b50;
constexpr uint32_t kEnd64LocatorMark = 0x07064b50;
constexpr uint32_t kEnd64Mark = 0x06064b50;
constexpr uint32_t kEntryMark = 0x02014b50;
constexpr uint32_t kLocalMark = 0x04034b50;
constexpr size_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56;
constexpr size_t kEntryBytes = 46, kLocalBytes = 30;
constexpr size_t kMostComment = 65535;
constexpr uint32_t kIn64 = 0xffffffff;  // the number is in the zip64 field
constexpr int kRawDeflate = -MAX_WBITS;
// Deflate makes at most 1032 bytes of one; a member that claims more is damaged or meant to harm.
constexpr uint64_t kMostInflation = 1032;

/// Little-endian numbers in bytes, with every access checked.
class Bytes {
 public:
  Bytes(std::span<const std::byte> bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  template <class T>
  T number(uint64_t at) const {
    T value;
    std::memcpy(&value, part(at, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::span<const std::byte> part(uint64_t at, uint64_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) {
      fail(ErrorKind::kData, "{}: damaged or cut off zip archive: wants bytes {} to {} of {}",
           where_, at, at + count, bytes_.size());
    }
    return bytes_.subspan(at, count);
  }
  std::string text(uint64_t at, uint64_t count) const {
    const auto found = part(at, count);
    return {reinterpret_cast<const char*>(found.data()), found.size()};
  }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  const std::string& where_;
};

struct Directory {
  uint64_t count = 0, bytes = 0, at = 0;
};

/// The end record is the last thing in the file, but for a comment of up to 64 KiB.
uint64_t find_end(const Bytes& file, const std::string& where) {
  if (file.size() >= kEndBytes) {
    const uint64_t last = file.size() - kEndBytes;
    for (uint64_t at = last;; --at) {
      if (file.number<uint32_t>(at) == kEndMark &&
          file.number<uint16_t>(at + 20) == file.size() - at - kEndBytes) {
        return at;
      }
      if (at == 0 || last - at == kMostComment) break;
    }
  }
  fail(ErrorKind::kData, "{}: is no .npz file, or cut off: no end of a zip archive in its {} bytes",
       where, file.size());
}

Directory find_directory(const Bytes& file, const std::string& where) {
  const uint64_t end = find_end(file, where);
  Directory found = {file.number<uint16_t>(end + 10), file.number<uint32_t>(end + 12),
                     file.number<uint32_t>(end + 16)};
  const bool other_disk = file.number<uint16_t>(end + 4) != file.number<uint16_t>(end + 6);
  if (other_disk) fail(ErrorKind::kData, "{}: a part of a split zip archive", where);
  const bool has64 =
      end >= kLocatorBytes && file.number<uint32_t>(end - kLocatorBytes) == kEnd64LocatorMark;
  if (has64) {
    const auto end64 = file.number<uint64_t>(end - kLocatorBytes + 8);
    static_cast<void>(file.part(end64, kEnd64Bytes));
    if (file.number<uint32_t>(end64) != kEnd64Mark) {
      fail(ErrorKind::kData, "{}: damaged zip archive: no zip64 record at byte {}", where, end64);
    }
    found = {file.number<uint64_t>(end64 + 32), file.number<uint64_t>(end64 + 40),
             file.number<uint64_t>(end64 + 48)};
  }
  static_cast<void>(file.part(found.at, found.bytes));
  if (found.count > found.bytes / kEntryBytes) {
    fail(ErrorKind::kData, "{}: damaged zip archive: {} members in a directory of {} bytes", where,
         found.count, found.bytes);
  }
  return found;
}

/// Takes those numbers from the zip64 field that do not fit their own places.
void read_extra(const Bytes& file, uint64_t at, uint64_t bytes, uint64_t* numbers[3]) {
  const uint64_t end = at + bytes;
  while (end - at >= 4) {
    const auto id = file.number<uint16_t>(at);
    const uint64_t next = at + 4 + file.number<uint16_t>(at + 2);
    if (next > end) break;
    if (id == 1) {
      uint64_t field = at + 4;
      for (int i = 0; i < 3; ++i) {
        if (*numbers[i] != kIn64) continue;
        if (next - field < 8) break;
        *numbers[i] = file.number<uint64_t>(field);
        field += 8;
      }
      return;
    }
    at = next;
  }
}

/// The member whose directory entry is at `at`, which moves behind it.
ZipMember read_entry(const Bytes& file, uint64_t& at, const std::string& archive) {
  static_cast<void>(file.part(at, kEntryBytes));
  if (file.number<uint32_t>(at) != kEntryMark) {
    fail(ErrorKind::kData, "{}: damaged zip archive: no directory entry at byte {}", archive, at);
  }
  const auto flags = file.number<uint16_t>(at + 8);
  const auto method = file.number<uint16_t>(at + 10);
  ZipMember member;
  member.crc = file.number<uint32_t>(at + 16);
  uint64_t packed = file.number<uint32_t>(at + 20);
  member.size = file.number<uint32_t>(at + 24);
  const uint64_t name_bytes = file.number<uint16_t>(at + 28);
  const uint64_t extra_bytes = file.number<uint16_t>(at + 30);
  const uint64_t comment_bytes = file.number<uint16_t>(at + 32);
  uint64_t local = file.number<uint32_t>(at + 42);
  member.name = file.text(at + kEntryBytes, name_bytes);
  const std::string where = archive + ": " + member.name;
  uint64_t* numbers[3] = {&member.size, &packed, &local};
  static_cast<void>(file.part(at + kEntryBytes + name_bytes, extra_bytes));
  read_extra(file, at + kEntryBytes + name_bytes, extra_bytes, numbers);
  at += kEntryBytes + name_bytes + extra_bytes + comment_bytes;

  if ((flags & 1) != 0) fail(ErrorKind::kData, "{}: is encrypted", where);
  if (method != 0 && method != Z_DEFLATED) {
    fail(ErrorKind::kData, "{}: packed by method {}, wanted 0 (stored) or 8 (deflated)", where,
         method);
  }
  member.deflated = method == Z_DEFLATED;
  static_cast<void>(file.part(local, kLocalBytes));
  if (file.number<uint32_t>(local) != kLocalMark) {
    fail(ErrorKind::kData, "{}: damaged zip archive: no member at byte {}", where, local);
  }
  const uint64_t data =
      local + kLocalBytes + file.number<uint16_t>(local + 26) + file.number<uint16_t>(local + 28);
  member.packed = file.part(data, packed);
  const bool fits =
      member.deflated ? member.size / kMostInflation <= packed : member.size == packed;
  if (!fits) {
    fail(ErrorKind::kData, "{}: damaged: {} bytes cannot hold the {} it tells of", where, packed,
         member.size);
  }
  return member;
}

/// Fills `out` from the member's start. Returns the number of bytes there were; `whole` asks for
/// exactly that many and the end of the stream.
size_t inflate_into(const ZipMember& member, std::span<std::byte> out, bool whole,
                    const std::string& where) {
  z_stream stream = {};
  if (inflateInit2(&stream, kRawDeflate) != Z_OK) fail(ErrorKind::kRuntime, "{}: zlib", where);
  size_t used = 0, done = 0;
  int state = Z_OK;
  std::byte beyond{};  // shows a member that is longer than it says
  constexpr size_t kPart = size_t{1} << 30;
  while (state == Z_OK && (done < out.size() || whole)) {
    const bool full = done == out.size();
    const size_t room = full ? 1 : std::min(out.size() - done, kPart);
    const size_t left = std::min(member.packed.size() - used, kPart);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(member.packed.data() + used));
    stream.avail_in = static_cast<uInt>(left);
    stream.next_out = reinterpret_cast<Bytef*>(full ? &beyond : out.data() + done);
    stream.avail_out = static_cast<uInt>(room);
    state = inflate(&stream, Z_NO_FLUSH);
    used += left - stream.avail_in;
    const size_t made = room - stream.avail_out;
    if (full && made > 0) state = Z_DATA_ERROR;
    if (!full) done += made;
  }
  inflateEnd(&stream);
  const bool good =
      whole ? state == Z_STREAM_END && done == out.size() : state == Z_OK || state == Z_STREAM_END;
  if (!good) {
    fail(ErrorKind::kData, "{}: damaged or cut off: unpacks to {} bytes, wanted {}", where, done,
         member.size);
  }
  return done;
}

uint32_t checksum(std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// Members that share bytes would unpack to far more than the archive can hold.
void check_overlaps(const std::vector<ZipMember>& members, const std::string& where) {
  std::vector<const ZipMember*> sorted;
  for (const ZipMember& member : members) {
    if (!member.packed.empty()) sorted.push_back(&member);
  }
  const auto begin = [](const ZipMember* member) { return member->packed.data(); };
  std::ranges::sort(sorted, {}, begin);
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (begin(sorted[i - 1]) + sorted[i - 1]->packed.size() > begin(sorted[i])) {
      fail(ErrorKind::kData, "{}: damaged zip archive: {} and {} share bytes", where,
           sorted[i - 1]->name, sorted[i]->name);
    }
  }
}

}  // namespace

std::vector<ZipMember> list_zip(std::span<const std::byte> archive, const std::string& where) {
  const Bytes file(archive, where);
  const Directory directory = find_directory(file, where);
  std::vector<ZipMember> members;
  std::set<std::string_view> names;
  members.reserve(directory.count);
  uint64_t at = directory.at;
  for (uint64_t i = 0; i < directory.count; ++i) {
    members.push_back(read_entry(file, at, where));
    if (!names.insert(members.back().name).second) {
      fail(ErrorKind::kData, "{}: two members are named {}", where, members.back().name);
    }
  }
  if (at != directory.at + directory.bytes) {
    fail(ErrorKind::kData, "{}: damaged zip archive: its directory has {} bytes, {} were told",
         where, at - directory.at, directory.bytes);
  }
  check_overlaps(members, where);
  return members;
}

void unzip(const ZipMember& member, std::span<std::byte> out, const std::string& where) {
  if (member.deflated)
    inflate_into(member, out, true, where);
  else if (!out.empty())
    std::memcpy(out.data(), member.packed.data(), out.size());
  const uint32_t crc = checksum(out);
  if (crc != member.crc) {
    fail(ErrorKind::kData, "{}: damaged: the CRC is {:08x}, wanted {:08x}", where, crc, member.crc);
  }
}

std::vector<std::byte> unzip_start(const ZipMember& member, size_t most, const std::string& where) {
  const size_t wanted = std::min<uint64_t>(most, member.size);
  if (!member.deflated) {
    const auto start = member.packed.first(wanted);
    return {start.begin(), start.end()};
  }
  std::vector<std::byte> bytes(wanted);
  bytes.resize(inflate_into(member, bytes, false, where));
  return bytes;
}

}  // namespace mica
