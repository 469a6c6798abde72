// mica doctor: what this machine has, and what it reaches.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/cpu/measure.h"
#include "core/runtime/parallel.h"
#include "trainers/cli/cli.h"
#include "trainers/machine.h"

namespace mica::trainers {
namespace {

using Json = nlohmann::ordered_json;

struct DoctorOptions {
  bool json = false;
  int threads = 0;
};

// GFLOP/s and GB/s with the current number of threads.
Json measure_all() {
  const MachineRates rates = measure_machine();
  Json json;
  json["threads"] = rates.threads;
  json["peak_gflops"] = rates.peak_flops * 1e-9;
  json["matmul_gflops"] = std::max(measure_matmul_flops(1024), measure_matmul_flops(2048)) * 1e-9;
  for (size_t i = 0; i < kMemoryLevels.size(); ++i) {
    json["bandwidth_gb_s"][kMemoryLevels[i].name] = rates.bandwidth[i] * 1e-9;
  }
  return json;
}

void print_row(const std::string& name, const std::vector<Json>& runs, const Json::json_pointer& at,
               const std::string& unit) {
  std::string line = fmt::format("{:<44}", name);
  for (const Json& run : runs) line += fmt::format(" {:>10.1f}", run[at].get<double>());
  fmt::print("{}  {}\n", line, unit);
}

void print_runs(const std::vector<Json>& runs) {
  std::string head = fmt::format("\n{:<44}", "measured with threads:");
  for (const Json& run : runs) head += fmt::format(" {:>10}", run["threads"].get<int>());
  fmt::print("{}\n", head);
  print_row("peak (multiply-add in registers)", runs, Json::json_pointer("/peak_gflops"),
            "GFLOP/s");
  print_row("matmul (1024 or 2048 squared)", runs, Json::json_pointer("/matmul_gflops"), "GFLOP/s");
  for (const MemoryLevel& level : kMemoryLevels) {
    print_row(fmt::format("read 2, write 1 in {} ({})", level.name, level.size), runs,
              Json::json_pointer("/bandwidth_gb_s") / level.name, "GB/s");
  }
  fmt::print(
      "\nShares of the peak in `mica bench` and benchmarks/run are of the first line. Bandwidth\n"
      "counts all bytes read and written. Other work on the machine lowers these figures.\n");
}

int examine(const DoctorOptions& options) {
  Json json = machine_facts();
  if (!options.json) {
    for (const auto& [name, value] : json.items()) {
      if (name == "memory_gib")
        fmt::print("{:<10} {:.1f} GiB\n", "memory", value.get<double>());
      else
        fmt::print("{:<10} {}\n", name,
                   value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  set_threads(options.threads);
  const int most = threads();
  std::vector<Json> runs;
  for (const int count : most > 1 ? std::vector<int>{1, most} : std::vector<int>{1}) {
    set_threads(count);
    runs.push_back(measure_all());
  }
  if (!options.json) {
    print_runs(runs);
    return 0;
  }
  json["measured"] = runs;
  fmt::print("{}\n", json.dump(2));
  return 0;
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* verb = app.add_subcommand(
      "doctor", "Show what this machine has, and the arithmetic and bandwidth it reaches");
  verb->add_flag("--json", options->json, "One JSON object");
  verb->add_option("--threads", options->threads, "Threads to measure with (0: all cores)")
      ->check(CLI::Range(0, 1024));
  verb->callback([&action, options] { action = [options] { return examine(*options); }; });
}

}  // namespace mica::trainers
