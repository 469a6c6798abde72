// Downloads from servers that break off, lie and send other things than asked for: every time the
// right file, or one clear error and nothing under the file's name.
#include "data/download.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>

#include "core/io/file.h"
#include "data/fetch.h"
#include "data/sha256.h"
#include "tests/data/data_testing.h"
#include "tests/data/http_server.h"

namespace mica::data {
namespace {

using testing::ElementsAre;

std::string digest(const std::string& text) {
  Sha256 hash;
  hash.add(text);
  return hash.hex();
}

std::string text_of(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// 50,000 bytes that are nowhere alike.
std::string made_up_file() {
  std::string text;
  for (int i = 0; text.size() < 50000; ++i) text += fmt::format("{},", i * i);
  text.resize(50000);
  return text;
}

class DownloadTest : public testing::Test {
 protected:
  Download wanted(const std::vector<std::string>& urls) const {
    return {path_, urls, static_cast<int64_t>(file_.size()), digest(file_)};
  }
  void get(const std::vector<std::string>& urls) {
    download(wanted(urls), {},
             {.connect_seconds = 5, .stall_seconds = 1, .attempts = 3, .pause_seconds = 0.01});
  }
  /// The file is there, alone.
  void expect_right() {
    EXPECT_TRUE(text_of(path_) == file_);
    EXPECT_THAT(folder_.list(), ElementsAre("file"));
  }
  /// Nothing is there, or at most a part to go on from.
  void expect_failure(const std::vector<std::string>& urls,
                      const std::vector<std::string>& pieces) {
    expect_error(ErrorKind::kData, pieces, [&] { get(urls); });
    EXPECT_FALSE(std::filesystem::exists(path_));
  }

  const std::string file_ = made_up_file();
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "file";
};

TEST_F(DownloadTest, GetsAFile) {
  HttpServer server([&](const HttpRequest& request) { return ranged_reply(request, file_); });
  std::vector<int64_t> sizes;
  download(wanted({server.url() + "/file"}), [&](const DownloadProgress& state) {
    EXPECT_EQ(state.total, 50000);
    sizes.push_back(state.done);
  });
  expect_right();
  EXPECT_THAT(server.ranges(), ElementsAre(-1));
  EXPECT_EQ(server.requests()[0].target, "/file");
  EXPECT_EQ(sizes.front(), 0);
  EXPECT_EQ(sizes.back(), 50000);
}

TEST_F(DownloadTest, GoesOnWhereConnectionsBreak) {
  HttpServer server([&](const HttpRequest& request) {
    HttpReply reply = ranged_reply(request, file_);
    reply.sent = 13000;
    return reply;
  });
  get({server.url()});
  expect_right();
  EXPECT_THAT(server.ranges(), ElementsAre(-1, 13000, 26000, 39000));
}

TEST_F(DownloadTest, GoesOnWhereAConnectionStalls) {
  HttpServer server([&](const HttpRequest& request) {
    HttpReply reply = ranged_reply(request, file_);
    if (request.number == 0) {
      reply.sent = 20000;
      reply.seconds_before_end = 4;
    }
    return reply;
  });
  get({server.url()});
  expect_right();
  EXPECT_THAT(server.ranges(), ElementsAre(-1, 20000));
}

TEST_F(DownloadTest, GoesOnFromWhatAnEarlierProcessLeft) {
  HttpServer server([&](const HttpRequest& request) { return ranged_reply(request, file_); });
  write_file(path_ + ".part", file_.substr(0, 30000));
  get({server.url()});
  expect_right();
  EXPECT_THAT(server.ranges(), ElementsAre(30000));

  std::filesystem::remove(path_);
  write_file(path_ + ".part", file_);  // all of it was there: only the name was missing
  get({server.url()});
  expect_right();
  EXPECT_EQ(server.ranges().size(), 1u);

  for (const std::string& bad : {std::string(30000, 'x'), std::string(60000, 'x'), file_ + "x"}) {
    std::filesystem::remove(path_);
    write_file(path_ + ".part", bad);
    get({server.url()});
    expect_right();
  }
}

TEST_F(DownloadTest, StartsAnewWithServersThatKnowNoRanges) {
  HttpServer server([&](const HttpRequest& request) {
    HttpReply reply = {.body = file_};
    if (request.number == 0) reply.sent = 20000;
    return reply;
  });
  get({server.url()});
  expect_right();
  EXPECT_THAT(server.ranges(), ElementsAre(-1, 20000));

  std::filesystem::remove(path_);
  HttpServer breaks([&](const HttpRequest&) { return HttpReply{.body = file_, .sent = 20000}; });
  expect_failure({breaks.url()}, {breaks.url(), "broke off after 20000 of 50000 bytes"});
  EXPECT_EQ(breaks.requests().size(), 3u);
}

TEST_F(DownloadTest, KeepsNoErrorPage) {
  HttpServer forbids([&](const HttpRequest&) {
    return HttpReply{.status = "403 Forbidden",
                     .headers = "Content-Type: text/html\r\n",
                     .body = "<html>\n<body>\x1b[31mGo away</body>" + std::string(5000, ' ')};
  });
  expect_failure({forbids.url() + "/a.gz"}, {forbids.url() + "/a.gz", "403 Forbidden", "text/html",
                                             "<html> <body> [31mGo away"});
  EXPECT_EQ(forbids.requests().size(), 1u);
  EXPECT_TRUE(folder_.list().empty());
  // Sign in to this hotel's network.
  HttpServer welcomes([&](const HttpRequest&) {
    return HttpReply{.headers = "Content-Type: text/html\r\n", .body = "<html>Welcome"};
  });
  expect_failure({welcomes.url()}, {"has 13 bytes (text/html), wanted 50000"});
  EXPECT_TRUE(folder_.list().empty());
  HttpServer good([&](const HttpRequest& request) { return ranged_reply(request, file_); });
  get({forbids.url(), welcomes.url(), good.url()});
  expect_right();
}

TEST_F(DownloadTest, BelievesNoLengths) {
  for (const int64_t length : {int64_t{0}, int64_t{40000}, int64_t{60000}, int64_t{1} << 62}) {
    HttpServer lies([&](const HttpRequest&) { return HttpReply{.body = file_, .length = length}; });
    if (length == 0) {
      expect_failure({lies.url()}, {"broke off after 0 of 50000"});
    } else {
      expect_failure({lies.url()}, {fmt::format("has {} bytes, wanted 50000", length)});
    }
  }
  HttpServer endless(
      [&](const HttpRequest&) { return HttpReply{.body = file_ + file_, .length = -2}; });
  expect_failure({endless.url()}, {"sends more than the 50000 bytes wanted"});
  HttpServer short_one(
      [&](const HttpRequest&) { return HttpReply{.body = file_.substr(0, 70), .length = -2}; });
  expect_failure({short_one.url()}, {"broke off after 70 of 50000 bytes"});
  HttpServer says_nothing(
      [&](const HttpRequest&) { return HttpReply{.body = file_, .length = -2}; });
  get({says_nothing.url()});
  expect_right();
}

TEST_F(DownloadTest, RefusesOtherBytesOfTheSameLength) {
  std::string other = file_;
  other[40000] ^= 1;
  HttpServer lies([&](const HttpRequest& request) { return ranged_reply(request, other); });
  expect_failure({lies.url()}, {"has sha256 " + digest(other), "wanted " + digest(file_)});
  EXPECT_TRUE(folder_.list().empty());
  HttpServer good([&](const HttpRequest& request) { return ranged_reply(request, file_); });
  get({lies.url(), good.url()});
  expect_right();
  // The first mirror breaks off after bytes that are wrong; the second one goes on and is not at
  // fault.
  std::filesystem::remove(path_);
  HttpServer breaks([&](const HttpRequest& request) {
    return request.from < 0 ? HttpReply{.body = std::string(50000, 'x'), .sent = 10000}
                            : HttpReply{.status = "404 Not Found"};
  });
  get({breaks.url(), good.url()});
  expect_right();
}

TEST_F(DownloadTest, RefusesOtherRanges) {
  HttpServer lies([&](const HttpRequest& request) {
    HttpRequest other = request;
    if (request.from >= 0) other.from = 100;
    HttpReply reply = ranged_reply(other, file_);
    reply.sent = 20000;
    return reply;
  });
  expect_failure({lies.url()}, {"sent another range (bytes 100-49999/50000)"});
  HttpServer grown(
      [&](const HttpRequest& request) { return ranged_reply(request, file_ + "more"); });
  expect_failure({grown.url()}, {"has 50004 bytes, wanted 50000"});
  HttpServer shrunk(
      [&](const HttpRequest& request) { return ranged_reply(request, file_.substr(0, 10)); });
  expect_failure({shrunk.url()}, {"wanted 50000"});
}

TEST_F(DownloadTest, WaitsForBusyServers) {
  HttpServer server([&](const HttpRequest& request) {
    return request.number < 2 ? HttpReply{.status = "503 Service Unavailable", .body = "busy"}
                              : ranged_reply(request, file_);
  });
  get({server.url()});
  expect_right();
  std::filesystem::remove(path_);
  HttpServer busy(
      [&](const HttpRequest&) { return HttpReply{.status = "503 Busy", .body = "no"}; });
  expect_failure({busy.url()}, {"answered 503 Busy: 'no'"});
  EXPECT_EQ(busy.requests().size(), 3u);
}

TEST_F(DownloadTest, FollowsRedirectionsButNotToFiles) {
  HttpServer server([&](const HttpRequest& request) {
    if (request.target == "/loop") {
      return HttpReply{.status = "302 Found", .headers = "Location: /loop\r\n", .body = "moved"};
    }
    if (request.target == "/file") {
      return HttpReply{.status = "302 Found", .headers = "Location: file:///etc/passwd\r\n"};
    }
    return request.target == "/new"
               ? ranged_reply(request, file_)
               : HttpReply{.status = "301 Moved", .headers = "Location: /new\r\n", .body = "moved"};
  });
  get({server.url() + "/old"});
  expect_right();
  std::filesystem::remove(path_);
  expect_failure({server.url() + "/loop"}, {"/loop: "});
  expect_failure({server.url() + "/file"}, {"/file: "});
}

TEST_F(DownloadTest, SaysWhatIsUnreachable) {
  std::string nobody;
  {
    nobody = HttpServer([](const HttpRequest&) { return HttpReply{}; }).url();
  }
  expect_failure({nobody + "/a", "ftp://127.0.0.1/b"},
                 {nobody + "/a: ", "onnect", "ftp://", "rotocol"});
  expect_failure({}, {"no URL is known"});
}

TEST_F(DownloadTest, LeavesTheOldFileWhenItFails) {
  write_file(path_, "old");
  HttpServer gone([](const HttpRequest&) { return HttpReply{.status = "404 Not Found"}; });
  expect_error(ErrorKind::kData, {"404 Not Found"}, [&] { get({gone.url()}); });
  EXPECT_EQ(text_of(path_), "old");
  EXPECT_THAT(folder_.list(), ElementsAre("file"));
}

TEST_F(DownloadTest, GoesThroughTheProxyOfTheEnvironment) {
  HttpServer proxy([&](const HttpRequest& request) { return ranged_reply(request, file_); });
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  get({"http://data.example/file"});
  ::unsetenv("http_proxy");
  expect_right();
  EXPECT_EQ(proxy.requests()[0].target, "http://data.example/file");
}

TEST_F(DownloadTest, IsAloneWithItsFile) {
  HttpServer server([&](const HttpRequest& request) { return ranged_reply(request, file_); });
  const int other = ::open((path_ + ".part").c_str(), O_RDWR | O_CREAT, 0666);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  expect_failure({server.url()}, {"file.part: another process is downloading it"});
  ::close(other);
  get({server.url()});
  expect_right();
}

class FetchTest : public DownloadTest {
 protected:
  CatalogueEntry entry(const std::string& mirror) const {
    CatalogueEntry entry = {"toys", "https://toys.example", {mirror}, {}, {}};
    entry.files.push_back({"file", 50000, digest(file_), 0, ""});
    entry.files.push_back({"small", 3, digest("abc"), 0, ""});
    return entry;
  }
  Fetched run(const CatalogueEntry& entry, bool offline = false,
              const std::vector<std::string>& mirrors = {}) const {
    return fetch(entry, {folder_.path(), offline, mirrors}, [](const PrepareProgress&) {});
  }
  HttpReply serve(const HttpRequest& request) const {
    if (request.target == "/small") return ranged_reply(request, "abc");
    return request.target == "/file" ? ranged_reply(request, file_)
                                     : HttpReply{.status = "404 Not Found"};
  }
};

TEST_F(FetchTest, DownloadsWhatTheCacheLacks) {
  HttpServer server([&](const HttpRequest& request) { return serve(request); });
  Fetched fetched = run(entry(server.url()));
  EXPECT_EQ(fetched.folder, folder_ / "toys");
  EXPECT_EQ(fetched.downloaded, 2);
  EXPECT_EQ(text_of(folder_ / "toys/small"), "abc");
  EXPECT_EQ(run(entry(server.url()), true).downloaded, 0);
  write_file(folder_ / "toys/small", "abd");  // somebody spoiled it
  expect_error(ErrorKind::kData,
               {"toys: not on this machine", "small: has another sha256", "https://toys.example"},
               [&] { run(entry(server.url()), true); });
  EXPECT_EQ(run(entry(server.url())).downloaded, 1);
  EXPECT_EQ(text_of(folder_ / "toys/small"), "abc");
}

TEST_F(FetchTest, TriesTheGivenMirrorFirst) {
  HttpServer server([&](const HttpRequest& request) { return serve(request); });
  HttpServer own([&](const HttpRequest& request) {
    return request.target == "/mine/small" ? ranged_reply(request, "abc")
                                           : HttpReply{.status = "404 Not Found"};
  });
  EXPECT_EQ(run(entry(server.url() + "/"), false, {own.url() + "/mine/"}).downloaded, 2);
  EXPECT_EQ(own.requests().size(), 2u);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(FetchTest, PrefersFoldersOfTheSystem) {
  TemporaryFolder system;
  CatalogueEntry found = entry("http://nowhere.invalid");
  found.folders = {system.path()};
  write_file(system / "file", file_);
  write_file(system / "small", "abc");
  EXPECT_EQ(run(found).folder, system.path());
  write_file(system / "small", "ab");
  expect_error(
      ErrorKind::kData,
      {"not all files are there", "sha256 " + digest("abc"), "mica prepare toys --source PATH"},
      [&] { run(found, true); });
}

TEST_F(FetchTest, SaysHowToGetTheFilesByHand) {
  HttpServer server([&](const HttpRequest&) { return HttpReply{.status = "403 Forbidden"}; });
  expect_error(
      ErrorKind::kData,
      {server.url() + "/file: answered 403 Forbidden", "Or get them from https://toys.example",
       "small  3 bytes, sha256 " + digest("abc"), "mica prepare toys --source PATH --out FILE"},
      [&] { run(entry(server.url())); });
}

TEST(Catalogue, HoldsWhatMakesAFileCertain) {
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_FALSE(entry.mirrors.empty()) << entry.name;
    EXPECT_EQ(find_in_catalogue(entry.name), &entry);
    for (const CatalogueFile& file : entry.files) {
      EXPECT_EQ(file.sha256.size(), 64u) << file.name;
      EXPECT_EQ(file.content_sha256.size(), file.content_bytes > 0 ? 64u : 0u) << file.name;
      EXPECT_GT(file.bytes, 0) << file.name;
    }
    std::vector<std::string> sources;
    for (const auto& [name, help] : source_names()) sources.push_back(name);
    EXPECT_THAT(sources, testing::Contains(entry.name));
  }
  EXPECT_EQ(find_in_catalogue("csv"), nullptr);
}

TEST(Catalogue, KnowsTheRealFiles) {
  if (test_data().empty()) GTEST_SKIP() << "set MICA_TEST_DATA to the folder of real data";
  HttpServer server([&](const HttpRequest& request) {
    return ranged_reply(request, text_of(test_data() + "/mnist" + request.target));
  });
  TemporaryFolder folder;
  PrepareOptions options = prepare_options("mnist", "", folder / "mnist.h5");
  options.cache = folder / "cache";
  options.mirror = server.url();
  prepare(options);
  options.out = folder / "again.h5";
  options.offline = true;
  EXPECT_EQ(prepare(options).rows.at("train"), 60000);
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(Catalogue, FindsDebiansPackage) {
  if (!std::filesystem::is_directory("/usr/share/datasets/fashion-mnist")) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  TemporaryFolder folder;
  PrepareOptions options = prepare_options("fashion-mnist", "", folder / "out.h5");
  options.cache = folder / "cache";
  options.offline = true;
  const PrepareSummary summary = prepare(options);
  EXPECT_EQ(summary.rows.at("train"), 60000);
  EXPECT_EQ(summary.class_names[9], "Ankle boot");
  EXPECT_THAT(summary.notes, ElementsAre("files from /usr/share/datasets/fashion-mnist"));
}

}  // namespace
}  // namespace mica::data
