#include "tests/fuzz/edited_file.h"

namespace mica {
namespace {

constexpr Dtype kDtypes[] = {bool_, uint8, int32, int64, float16, float32, float64, complex64};

HostTensor edited(HostTensor tensor, Input& input) {
  switch (input.number(4)) {
    case 0: {
      // An edit before may have left bytes that are no C++ bool; in a file they may stay.
      if (is_bool(tensor.dtype)) {
        for (std::byte& byte : tensor.bytes) byte = std::byte{byte != std::byte{0}};
      }
      return convert(tensor, kDtypes[input.number(std::size(kDtypes))]);
    }
    case 1: {
      Shape shape;
      for (size_t rank = input.number(5); rank > 0; --rank) {
        shape.push_back(static_cast<int64_t>(input.number(6)));
      }
      HostTensor other(tensor.dtype, shape);
      const size_t count = std::min(other.bytes.size(), tensor.bytes.size());
      std::copy_n(tensor.bytes.begin(), count, other.bytes.begin());
      return other;
    }
    default: {
      if (tensor.bytes.empty()) return tensor;
      const size_t at = input.number(std::min<size_t>(tensor.bytes.size(), 65536));
      const auto bytes = input.bytes(std::min(1 + input.number(8), tensor.bytes.size() - at));
      if (!bytes.empty()) std::memcpy(tensor.bytes.data() + at, bytes.data(), bytes.size());
      return tensor;
    }
  }
}

}  // namespace

void EditedFile::take(const std::string& path,
                      const std::vector<std::pair<std::string, std::string>>& attributes) {
  const Hdf5Reader file(path);
  for (const std::string& name : file.datasets()) {
    if (file.is_numeric("/" + name))
      objects_.push_back({"/" + name, "", file.read("/" + name)});
    else
      objects_.push_back({"/" + name, "", file.read_text("/" + name)});
  }
  for (const auto& [object, attribute] : attributes) {
    if (!file.has_attribute(object, attribute)) broken("no attribute", object + " " + attribute);
    try {
      objects_.push_back({object, attribute, file.attribute(object, attribute)});
    } catch (const Error&) {
      const Texts texts = file.attribute_texts(object, attribute);
      objects_.push_back({object, attribute, texts});
    }
  }
}

void EditedFile::edit(Input& input) {
  for (int edits = 0; edits < 20 && !input.empty() && !objects_.empty(); ++edits) {
    const size_t at = input.number(objects_.size());
    auto& value = objects_[at].value;
    if (input.number(8) == 0) {
      objects_.erase(objects_.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (auto* tensor = std::get_if<HostTensor>(&value)) {
      *tensor = edited(std::move(*tensor), input);
    } else if (auto* text = std::get_if<std::string>(&value)) {
      const size_t place = input.number(65536);
      text->insert(std::min(place, text->size()), input.text(input.number(64)));
    } else {
      Texts texts(input.number(6));
      for (std::string& each : texts) each = input.text(input.number(12));
      value = texts;
    }
  }
}

void EditedFile::save(const std::string& path) const {
  Hdf5Writer out;
  for (const Object& object : objects_) {
    if (!object.attribute.empty()) continue;
    if (const auto* text = std::get_if<std::string>(&object.value))
      out.write_text(object.name, *text);
    else
      out.write(object.name, std::get<HostTensor>(object.value));
  }
  for (const auto& [name, attribute, value] : objects_) {
    if (attribute.empty()) continue;
    if (name != "/") out.create_group(name);
    if (const auto* tensor = std::get_if<HostTensor>(&value))
      out.set_attribute(name, attribute, *tensor);
    else
      out.set_attribute(name, attribute, std::get<Texts>(value));
  }
  out.save(path);
}

}  // namespace mica
