#include "trainers/yaml_documents.h"

#include <yaml-cpp/eventhandler.h>

#include <sstream>

namespace mica::trainers {
namespace {

using YAML::anchor_t;
using YAML::Mark;

// Notes where a document starts.
class Start final : public YAML::EventHandler {
 public:
  Mark at;

  void OnDocumentStart(const Mark& mark) override { at = mark; }
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, anchor_t) override {}
  void OnAlias(const Mark&, anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

}  // namespace

YAML::Node load_document(const std::string& text, std::optional<Mark>& more) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Start first, second;
  if (!parser.HandleNextDocument(first)) return {};
  if (parser.HandleNextDocument(second)) more = second.at;
  return YAML::Load(text);
}

}  // namespace mica::trainers
