// Ops on several streams: the same values as on one, whatever depends on what.
#include "core/runtime/stream.h"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

#include "core/eval/compile.h"
#include "core/eval/eval.h"
#include "core/eval/streams.h"
#include "core/graph/node.h"
#include "core/ops/create.h"
#include "core/ops/elementwise.h"
#include "core/ops/linalg.h"
#include "core/ops/matmul.h"
#include "core/ops/random.h"
#include "core/ops/reduce.h"
#include "core/transform/grad.h"
#include "core/transform/vmap.h"
#include "tests/core/numeric.h"

namespace mica {
namespace {

using testing::error_text;

std::vector<Stream*> three_streams() {
  static Stream &a = new_stream(), &b = new_stream();
  return {&default_stream(), &a, &b};
}

TEST(Streams, ScopesNest) {
  const auto streams = three_streams();
  EXPECT_EQ(&current_stream(), &default_stream());
  {
    const StreamScope outer(*streams[1]);
    EXPECT_EQ(&current_stream(), streams[1]);
    const Array x = on(*streams[2], [] { return exp(Array(1.0f)); });
    EXPECT_EQ(x.node()->stream, streams[2]);
    EXPECT_EQ(exp(x).node()->stream, streams[1]);
  }
  EXPECT_EQ(&current_stream(), &default_stream());
}

// The same graph of random products and sums, each op on a stream drawn at random.
Arrays random_graph(uint32_t seed, const std::vector<Stream*>& streams) {
  std::mt19937 draw(seed);
  Arrays values;
  for (uint32_t i = 0; i < 3; ++i) values.push_back(random::normal({9, 9}, random::key(seed + i)));
  for (int i = 0; i < 40; ++i) {
    const Array a = values[draw() % values.size()], b = values[draw() % values.size()];
    const bool product = draw() % 3 == 0;
    const StreamScope scope(*streams[draw() % streams.size()]);
    values.push_back(product ? tanh(matmul(a, b)) : sin(a) + 0.5f * b);
  }
  return values;
}

TEST(Streams, RandomGraphsGiveTheSameBits) {
  const std::vector<Stream*> one(3, &default_stream());
  for (uint32_t seed = 0; seed < 30; ++seed) {
    const Arrays expected = random_graph(seed, one);
    eval(expected);
    const Arrays at_once = random_graph(seed, three_streams());
    eval(at_once);
    const Arrays later = random_graph(seed, three_streams());
    for (size_t i = 0; i < later.size(); i += 5) async_eval({later[i]});
    const Arrays last = {random_graph(seed, three_streams()).back()};  // the rest is nobody's
    eval(last);
    EXPECT_EQ(last[0].to_bytes(), expected.back().to_bytes()) << "seed " << seed;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(at_once[i].to_bytes(), expected[i].to_bytes()) << "seed " << seed << ", " << i;
      EXPECT_EQ(later[i].to_bytes(), expected[i].to_bytes()) << "seed " << seed << ", " << i;
    }
  }
  synchronize();
}

TEST(Streams, PiecesComeAfterWhatTheyRead) {
  const auto streams = three_streams();
  const Array x = ones({2});
  eval(x);
  const Array a = on(*streams[1], [&] { return exp(x); });
  const Array b = on(*streams[2], [&] { return sin(x); });
  const Array c = on(*streams[1], [&] { return a + b; });
  const auto pieces = pieces_by_stream({c});
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].stream, streams[2]);
  EXPECT_EQ(pieces[0].arrays[0].node(), b.node());
  EXPECT_EQ(pieces[1].stream, streams[1]);
  EXPECT_EQ(pieces[1].arrays[0].node(), c.node());
}

TEST(Streams, TransformsKeepTheStream) {
  const auto streams = three_streams();
  const auto f = [&](const Array& x) {
    const Array y = on(*streams[1], [&] { return sin(x); });
    return on(*streams[2], [&] { return y * y; });
  };
  const auto plain = [](const Array& x) {
    const Array y = sin(x);
    return y * y;
  };
  const Array x(0.3f);
  EXPECT_EQ(grad(grad(f))(x).item<float>(), grad(grad(plain))(x).item<float>());
  EXPECT_EQ(grad([&](const Array& v) { return on(*streams[1], [&] { return sin(v); }); })(x)
                .node()
                ->stream,
            streams[1]);
  const Array xs = random::normal({5}, random::key(1));
  EXPECT_EQ(vmap(grad(f))(xs).to_bytes(), vmap(grad(plain))(xs).to_bytes());
  const auto compiled = compile([&](const Arrays& in) { return Arrays{f(in[0])}; });
  EXPECT_EQ(compiled(xs)[0].to_bytes(), plain(xs).to_bytes());
}

TEST(Streams, FaultsAreThrownWhereTheResultIsWaitedFor) {
  const auto streams = three_streams();
  const Array singular = zeros({3, 3});
  const auto fault = [&] { return linalg::inv(singular); };
  for (const bool in_background : {false, true}) {
    const Array bad = on(*streams[1], fault);
    const Array depends = on(*streams[2], [&] { return bad + 1.0f; });
    const Array good = on(*streams[2], [&] { return exp(singular); });
    if (in_background) async_eval({depends, good});
    EXPECT_NE(error_text([&] { eval(depends, good); }).find("[inv]"), std::string::npos);
    EXPECT_NE(error_text([&] { bad.to_bytes(); }).find("[inv]"), std::string::npos);
    EXPECT_EQ(good.to_vector<float>()[0], 1.0f);
  }
  synchronize();
}

TEST(Streams, WorkWaitsForEventsOfOthers) {
  const auto streams = three_streams();
  const auto gate = std::make_shared<Event>();
  std::atomic<int> order = 0;
  int first = 0, second = 0, third = 0;
  const EventPtr a = streams[1]->enqueue([&] { first = ++order; }, {gate});
  const EventPtr b = streams[1]->enqueue([&] { second = ++order; });
  const EventPtr c = streams[2]->enqueue([&] { third = ++order; }, {b});
  EXPECT_FALSE(a->is_done());
  gate->finish(std::make_exception_ptr(std::runtime_error("not of interest to others")));
  c->wait();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  EXPECT_EQ(third, 3);
  EXPECT_THROW(gate->wait(), std::runtime_error);
}

}  // namespace
}  // namespace mica
