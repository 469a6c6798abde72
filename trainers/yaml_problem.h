// Why text is no YAML, in words for the person who wrote it: the parser says "illegal map value" a
// line too late, this says that the blank after a ':' is missing, and where.
//
//   YamlProblem problem = explain_yaml(text, 14, 3, "illegal map value");
//   problem.line;       // 13
//   problem.message;    // "a blank is missing after ':' in 'epochs:5'"
#pragma once

#include <string>

namespace mica::trainers {

struct YamlProblem {
  int line = 0;
  int column = 0;  // both from 1
  std::string message;
};

/// `line`, `column` and `reason` are what the parser said.
YamlProblem explain_yaml(const std::string& text, int line, int column, const std::string& reason);

}  // namespace mica::trainers
