#include "trainers/schema.h"

#include "trainers/config.h"

namespace mica::trainers {
namespace {

template <class Interface>
class RowsPlace : public TypedPlace {
 public:
  explicit RowsPlace(std::span<const Row<Interface>> rows) : rows_(rows) {}
  void for_each_type(const Each& each) const override {
    for (const Row<Interface>& row : rows_) {
      const std::unique_ptr<Interface> made = row.make();
      each(row.name, row.doc, made->settings());
    }
  }

 protected:
  std::string_view doc(std::string_view type) const {
    const Row<Interface>* row = find_row(rows_, type);
    return row ? row->doc : "";
  }
  std::span<const Row<Interface>> rows_;
};

template <class Interface>
class OnePlace : public RowsPlace<Interface> {
 public:
  OnePlace(std::span<const Row<Interface>> rows, std::string& type,
           std::unique_ptr<Interface>& object)
      : RowsPlace<Interface>(rows), type_(type), object_(object) {}
  void for_each_value(const TypedPlace::Each& each) override {
    if (object_) each(type_, this->doc(type_), object_->settings());
  }
  std::optional<std::vector<Setting>> add(std::string_view type) override {
    const Row<Interface>* row = find_row(this->rows_, type);
    if (!row) return {};
    type_ = type;
    object_ = row->make();
    return object_->settings();
  }
  std::string problem() const override {
    if constexpr (requires { object_->check(); }) {
      try {
        object_->check();
      } catch (const std::exception& error) {
        return error.what();
      }
    }
    return "";
  }

 private:
  std::string& type_;
  std::unique_ptr<Interface>& object_;
};

template <class Interface>
class ListPlace : public RowsPlace<Interface> {
 public:
  ListPlace(std::span<const Row<Interface>> rows, std::vector<std::string>& types,
            std::vector<std::unique_ptr<Interface>>& objects)
      : RowsPlace<Interface>(rows), types_(types), objects_(objects) {}
  void for_each_value(const TypedPlace::Each& each) override {
    for (size_t i = 0; i < objects_.size(); ++i) {
      each(types_[i], this->doc(types_[i]), objects_[i]->settings());
    }
  }
  std::optional<std::vector<Setting>> add(std::string_view type) override {
    const Row<Interface>* row = find_row(this->rows_, type);
    if (!row) return {};
    types_.emplace_back(type);
    objects_.push_back(row->make());
    return objects_.back()->settings();
  }

 private:
  std::vector<std::string>& types_;
  std::vector<std::unique_ptr<Interface>>& objects_;
};

// data.augment.
class AugmentPlace : public RowsPlace<data::Augment> {
 public:
  explicit AugmentPlace(std::vector<data::AugmentStep>& steps)
      : RowsPlace(data::augment_rows()), steps_(steps) {}
  void for_each_value(const Each& each) override {
    for (const data::AugmentStep& step : steps_) {
      each(step.type, doc(step.type), step.augment->settings());
    }
  }
  std::optional<std::vector<Setting>> add(std::string_view type) override {
    const data::AugmentRow* row = find_row(rows_, type);
    if (!row) return {};
    steps_.push_back({std::string(type), row->make()});
    return steps_.back().augment->settings();
  }

 private:
  std::vector<data::AugmentStep>& steps_;
};

}  // namespace

std::vector<std::string> TypedPlace::names() const {
  std::vector<std::string> names;
  for_each_type([&](std::string_view type, std::string_view, const std::vector<Setting>&) {
    names.emplace_back(type);
  });
  return names;
}

void visit_config(RunConfig& config, ConfigVisitor& visitor) {
  visitor.settings(
      {{"name", &config.name, {"of the run, and of its folder; by default the file's"}},
       {"seed", &config.seed, {"decides initial weights, order, dropout", 0}},
       {"precision",
        &config.precision,
        {.doc = "of products and convolutions; weights, norms and losses stay float32",
         .choices = "float32|bf16"}}});
  visitor.begin_section("data", "what is trained on, and in which portions");
  visitor.settings(settings_of(config.data));
  AugmentPlace augment(config.augment);
  visitor.several("augment", "augmentation", "changes of training examples, one after another",
                  augment);
  visitor.end_section();
  visitor.model("layers, one after another");
  OnePlace loss(nn::loss_rows(), config.loss_type, config.loss);
  visitor.one("loss", "loss", "what is made small", loss);
  OptimizerConfig& optimizer = config.optimizer;
  visitor.begin_section("optimizer", "an optimizer, and what goes with it");
  OnePlace rule(optim::optimizer_rows(), optimizer.type, optimizer.rule);
  visitor.one("", "optimizer", "how weights follow from gradients", rule);
  ListPlace schedules(optim::schedule_rows(), optimizer.schedule_types, optimizer.schedules);
  visitor.several("schedule", "schedule", "the learning rate's course: one schedule or several",
                  schedules);
  visitor.groups("parameters with settings of their own; the first that matches holds");
  visitor.settings(
      {{"clip_norm", &optimizer.clip_norm, {"bound on the norm of all gradients; 0: none", 0}},
       {"clip_value", &optimizer.clip_value, {"bound on each element of a gradient; 0: none", 0}}});
  visitor.end_section();
  visitor.begin_section("train", "how long, and what is kept");
  visitor.settings(settings_of(config.train));
  visitor.end_section();
}

}  // namespace mica::trainers
