// Runs workloads on request, so that processes of several frameworks can take turns.
//
//   echo 'setup softmax
//   time 5 2' | workloads --threads 2
//
// Reads commands from stdin and answers each with a line of JSON:
//   list                the names of all workloads
//   setup NAME          makes the workload and runs it once, in place of the one before
//   time COUNT INNER    seconds per step, COUNT times the mean of INNER steps
//   memory              peak resident memory of this process, MiB
//   peak                float32 operations a second that the machine's cores reach
//   bandwidth R W B     bytes a second where R arrays of B bytes are read and W written
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "benchmarks/workloads/workload.h"
#include "core/base/error.h"
#include "core/cpu/measure.h"
#include "core/runtime/buffer.h"
#include "core/runtime/parallel.h"

namespace mica::benchmarks {
namespace {

using Json = nlohmann::json;

// The kernel's own high-water mark; getrusage would inherit that of the parent process.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  fail("/proc/self/status has no VmHWM");
}

std::vector<double> time_steps(const Step& step, int count, int inner) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    const Clock::time_point begin = Clock::now();
    for (int j = 0; j < inner; ++j) step();
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count() / inner);
  }
  return seconds;
}

class Server {
 public:
  Json answer(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "list") {
      Json names = Json::array();
      for (const Workload& workload : workloads_) names.push_back(workload.name);
      return {{"names", names}};
    }
    if (command == "setup") {
      std::string name;
      words >> name;
      setup(name);
      return {{"ready", name}};
    }
    if (command == "time") {
      int count = 0, inner = 0;
      words >> count >> inner;
      if (!step_ || count < 1 || inner < 1) fail("time wants a setup before, and two counts");
      return {{"seconds", time_steps(step_, count, inner)}};
    }
    if (command == "memory") return {{"peak_mib", peak_memory()}};
    if (command == "peak") return {{"flops", measure_peak_flops()}};
    if (command == "bandwidth") {
      MemoryTraffic traffic;
      words >> traffic.reads >> traffic.writes >> traffic.bytes;
      return {{"bytes", measure_bandwidth(traffic)}};
    }
    fail("unknown command '{}'", command);
  }

 private:
  void setup(const std::string& name) {
    step_ = nullptr;
    clear_memory_cache();
    for (const Workload& workload : workloads_) {
      if (workload.name != name) continue;
      step_ = workload.make();
      step_();
      return;
    }
    fail("unknown workload '{}'", name);
  }

  Workloads workloads_ = all_workloads();
  Step step_;
};

int serve() {
  Server server;
  for (std::string line; std::getline(std::cin, line);) {
    Json answer;
    try {
      answer = server.answer(line);
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace mica::benchmarks

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--threads") mica::set_threads(std::stoi(argv[2]));
  return mica::benchmarks::serve();
}
