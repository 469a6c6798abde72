#include "trainers/cli/sweep_runs.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/runtime/parallel.h"
#include "trainers/config.h"
#include "trainers/progress.h"
#include "trainers/run_folder.h"
#include "trainers/signals.h"

namespace mica::trainers {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> overrides_of(const SweepRuns& runs, const Trial& trial) {
  std::vector<std::string> all = runs.overrides;
  for (const auto& [key, value] : trial.values) all.push_back(fmt::format("{}={}", key, value));
  return all;
}

// Everything that a trial's config may have wrong shows before the first run starts.
void check_configs(const SweepRuns& runs, const std::vector<Trial>& trials) {
  std::string problems;
  for (size_t i = 0; i < trials.size(); ++i) {
    try {
      load_config(runs.config, overrides_of(runs, trials[i]));
    } catch (const Error& error) {
      if (problems.find(error.what()) != std::string::npos) continue;
      problems += fmt::format("{}{}\n  in run {} ({})", problems.empty() ? "" : "\n", error.what(),
                              trial_name(i), trials[i].text());
    }
  }
  if (!problems.empty()) throw Error(ErrorKind::kUsage, problems);
}

// sweep.txt says which runs the folder is for.
void check_folder(const SweepRuns& runs, const std::vector<Trial>& trials) {
  std::string plan =
      fmt::format("config {}\n", fs::absolute(runs.config).lexically_normal().string());
  for (const std::string& each : runs.overrides) plan += fmt::format("set {}\n", each);
  for (size_t i = 0; i < trials.size(); ++i) {
    plan += fmt::format("{} {}\n", trial_name(i), trials[i].text());
  }
  const fs::path file = runs.folder / "sweep.txt";
  if (fs::exists(file)) {
    if (read_text(file) == plan) return;
    fail("{} holds another sweep (its runs are listed in {}); name another folder with --out",
         runs.folder.string(), file.string());
  }
  make_folder(runs.folder);
  write_file(file.string(), plan);
}

std::vector<std::string> command_of(const SweepRuns& runs, const Trial& trial, size_t index) {
  const RunFolder folder{runs.folder / trial_name(index)};
  std::vector<std::string> command = {"mica", "train", runs.config, "--out", folder.path.string()};
  for (const std::string& each : overrides_of(runs, trial)) {
    const bool file = each.starts_with('@');
    command.push_back(file ? "--set-file" : "--set");
    command.push_back(file ? each.substr(1) : each);
  }
  const bool resumes = fs::exists(folder.last()) && read_result(folder.path).status != "failed";
  if (fs::exists(folder.path)) command.push_back(resumes ? "--resume" : "--force");
  const int share = std::max(threads() / runs.jobs, 1);
  command.push_back("--threads");
  command.push_back(fmt::format("{}", runs.threads > 0 ? runs.threads : share));
  return command;
}

// Starts this program with its output in a file.
pid_t start(const std::vector<std::string>& command, const fs::path& output) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::string file = output.string();
  // What is sent to the run before it is the program would set the sweep's flag in it and be lost.
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, &before);
  const pid_t child = fork();
  if (child != 0) pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) fail(ErrorKind::kRuntime, "cannot start a run: no more processes");
  if (child > 0) return child;
  // Only calls that are safe after a fork of a program with threads. Ctrl-C reaches the sweep,
  // which passes it on; should the sweep be killed, its runs save and stop.
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int out = open(file.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  if (out >= 0) {
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    close(out);
  }
  execv("/proc/self/exe", arguments.data());
  _exit(127);
}

// The last line that a run wrote: why it failed.
std::string last_line(const fs::path& output) {
  std::ifstream file(output);
  std::string last;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

std::string status_of(int code) {
  if (code == 0) return "done";
  if (code == static_cast<int>(ErrorKind::kDiverged)) return "diverged";
  return code == 130 || code == 143 ? "stopped" : "failed";
}

class Sweep {
 public:
  Sweep(const SweepRuns& runs, const std::vector<Trial>& trials) : runs_(runs), trials_(trials) {
    for (size_t i = 0; i < trials.size(); ++i) {
      outcome_.results.push_back(read_result(runs.folder / trial_name(i)));
    }
  }

  SweepOutcome run() {
    const StopSignals signals;
    size_t next = 0;
    while (true) {
      while (!stopping_ && !signals.received() && next < trials_.size() &&
             running_.size() < static_cast<size_t>(runs_.jobs)) {
        begin(next++);
      }
      if (running_.empty()) break;
      if (signals.received() && !passed_on_) pass_on(signals.received());
      if (!reap()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    if (signals.received()) outcome_.code = 128 + signals.received();
    write_leaderboard();
    return std::move(outcome_);
  }

 private:
  // Sees to a run that has ended; false if none has.
  bool reap() {
    for (const auto& [child, index] : running_) {
      int status = 0;
      if (waitpid(child, &status, WNOHANG) != child) continue;
      const size_t ended = index;
      running_.erase(child);
      end(ended, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      return true;
    }
    return false;
  }

  fs::path output(size_t index) const { return runs_.folder / (trial_name(index) + ".txt"); }

  void tell(size_t index, const std::string& text) const {
    if (runs_.quiet) return;
    fmt::print(stderr, "[{}/{}] {}: {}\n", index + 1, trials_.size(), trials_[index].text(), text);
  }

  void begin(size_t index) {
    const std::string& status = outcome_.results[index].status;
    if (status == "done" || status == "diverged") {
      tell(index, status + " before");
      return;
    }
    const std::vector<std::string> command = command_of(runs_, trials_[index], index);
    const bool resumes = std::find(command.begin(), command.end(), "--resume") != command.end();
    tell(index, resumes ? "goes on" : "starts");
    running_[start(command, output(index))] = index;
  }

  void end(size_t index, int code) {
    TrialResult& result = outcome_.results[index];
    result = read_result(runs_.folder / trial_name(index));
    result.status = status_of(code);
    // A run that was told to stop is not followed by others.
    if (code == 130 || code == 143) {
      stopping_ = true;
      outcome_.code = code;
    }
    std::string text = result.status;
    if (result.best) {
      text += fmt::format(", best {} {:.6g} (epoch {}), {}", result.metric, *result.best,
                          result.best_epoch, Progress::duration(result.seconds));
    }
    if (result.status == "failed" || result.status == "diverged") {
      text += fmt::format(" (exit code {}): {}", code, last_line(output(index)));
    }
    tell(index, text);
    write_leaderboard();
  }

  void pass_on(int signal) {
    passed_on_ = true;
    for (const auto& [child, index] : running_) kill(child, signal);
  }

  void write_leaderboard() const {
    write_file((runs_.folder / "leaderboard.csv").string(),
               leaderboard_csv(trials_, outcome_.results));
  }

  const SweepRuns& runs_;
  const std::vector<Trial>& trials_;
  std::map<pid_t, size_t> running_;
  bool stopping_ = false;   // a run was told to stop
  bool passed_on_ = false;  // the sweep was, and told its runs
  SweepOutcome outcome_;
};

}  // namespace

SweepOutcome run_trials(const SweepRuns& runs, const std::vector<Trial>& trials) {
  check_configs(runs, trials);
  check_folder(runs, trials);
  return Sweep(runs, trials).run();
}

}  // namespace mica::trainers
