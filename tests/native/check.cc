// Checks the kernels by themselves, for one instruction set: against double precision at all sizes around tiles' edges,
// for bits that don't depend on threads, for reads and writes out of bounds, and for the accuracy of the gates' functions.
//
// `check SIZES FLOATS SEED`: every how many of the sizes, and of the 2^32 floats, is tried; another seed brings other sizes
// together. Under sanitizers the same program finds what they find.
#include <algorithm>
#include <cstdio>
#include <string>
#include "guarded.h"
#include "pools.h"
#include "reference.h"

namespace {

const char *const KIND_NAMES[KINDS] = {"GRU after", "GRU before", "GRU none", "LSTM", "LSTM peepholes", "RNN tanh", "RNN relu"};
constexpr double MOST_PRODUCTS = 3e5, TOLERANCE = 2e-5;

struct Random {
  uint64_t state;
  uint32_t bits() {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33);
  }
  float operator()() { return (float)((int)(bits() & 0xffffff) - 0x800000) / 0x800000; }  // from -1 to 1
  int below(int n) { return (int)(bits() % (unsigned)n); }
  bool chance(int percent) { return below(100) < percent; }
};

int failures = 0, cases = 0, at_kinks = 0;
double worst = 0;

struct Shape {
  Kind kind;
  int T, B, D, H;
  bool reverse, batch_major, real, resets, d_ys, d_x;
};

Shape current;
const char *at_work = "";  // what is done with it

void fail(const Shape &s, const std::string &what) {
  std::printf("FAILED: %s, T=%d B=%d D=%d H=%d%s%s%s%s%s%s: %s\n", KIND_NAMES[s.kind], s.T, s.B, s.D, s.H,
              s.reverse ? " reverse" : "", s.batch_major ? " batch-major" : "", s.real ? " mask" : "",
              s.resets ? " resets" : "", s.d_ys ? " d_ys" : "", s.d_x ? " d_x" : "", what.c_str());
  if (++failures >= 20) std::exit(1);
}
struct sigaction before_fault;
void on_fault(int) {
  fail(current, std::string("memory out of bounds, ") + at_work);
  std::fflush(stdout);
  sigaction(SIGSEGV, &before_fault, nullptr);  // the instruction is tried again: a sanitizer says where it is
}

// A layer whose arrays each end, or begin, at a guard page, and what is made of them.
struct Arrays {
  struct Result {
    std::string name;
    float *data;
    size_t size;
  };
  Layer l{};
  std::vector<Result> forward, backward;

  Arrays(Guarded &memory, const Shape &s, Random &random) : memory_(memory), random_(random) {
    size_t T = s.T, B = s.B, D = s.D, H = s.H, BH = B * H;
    l.kind = s.kind, l.T = s.T, l.B = s.B, l.D = s.D, l.H = s.H, l.reverse = s.reverse, l.parts = 1;
    if (s.real) l.real = booleans(T * B, 70);
    if (s.resets) l.resets = booleans(T * B, 15);
    auto over_time = [&](auto *data, size_t n) {
      return s.batch_major ? Rows<std::remove_pointer_t<decltype(data)>>{data, n, n * T}
                           : Rows<std::remove_pointer_t<decltype(data)>>{data, n * B, n};
    };
    float *x = floats(T * B * D, 1), *d_ys = s.d_ys ? floats(T * BH, 1) : nullptr;
    l.x = over_time((const float *)x, D);
    if (s.d_ys) l.d_ys = over_time((const float *)d_ys, H);
    spoil(over_time(x, D), D);
    if (s.d_ys) spoil(over_time(d_ys, H), H);
    float spread = 1.5f / std::sqrt((float)H), into = 1.5f / std::sqrt((float)D);
    for (int g = 0; g < gates_of(s.kind); g++) l.W[g] = floats(D * H, into), l.U[g] = floats(H * H, spread), l.b[g] = floats(H, .5f);
    if (s.kind == GRU_AFTER) l.hidden_bias = floats(H, .5f);
    for (int k = 0; k < (s.kind == LSTM_PEEPHOLES ? 3 : 0); k++) l.peephole[k] = floats(H, .5f);
    l.h0 = floats(BH, 1), l.d_final_h = floats(BH, 1);
    if (is_lstm(s.kind)) l.c0 = floats(BH, 1), l.d_final_c = floats(BH, 1);
    if (s.resets) l.reset_h = floats(BH, 1);
    if (s.resets && is_lstm(s.kind)) l.reset_c = floats(BH, 1);

    l.final_h = result(forward, "final h", BH);
    if (is_lstm(s.kind)) l.final_c = result(forward, "final c", BH);
    l.ys = over_time(result(forward, "ys", T * BH), H);
    l.ys_given = {l.ys.data, l.ys.step, l.ys.row};
    if (kept_of(s.kind)) l.record_given = l.record = memory_.take<float>(record_floats(l));
    if (s.d_x) l.d_x = over_time(result(backward, "d_x", T * B * D), D);
    for (int g = 0; g < gates_of(s.kind); g++) {
      l.d_W[g] = result(backward, "d_W " + std::to_string(g), D * H);
      l.d_U[g] = result(backward, "d_U " + std::to_string(g), H * H);
      l.d_b[g] = result(backward, "d_b " + std::to_string(g), H);
    }
    if (s.kind == GRU_AFTER) l.d_hidden_bias = result(backward, "d_c_n", H);
    for (int k = 0; k < (s.kind == LSTM_PEEPHOLES ? 3 : 0); k++) l.d_peephole[k] = result(backward, "d_p " + std::to_string(k), H);
    l.d_h0 = result(backward, "d_h0", BH);
    if (is_lstm(s.kind)) l.d_c0 = result(backward, "d_c0", BH);
    if (s.resets) l.d_reset_h = result(backward, "d_reset_h", BH);
    if (s.resets && is_lstm(s.kind)) l.d_reset_c = result(backward, "d_reset_c", BH);
  }
  // NaN again, so that what isn't written is seen.
  void forget(bool record = true) {
    for (auto *results : {&forward, &backward})
      for (Result &r : *results) std::memset(r.data, 0xff, r.size * sizeof(float));
    if (l.record && record) std::memset(l.record, 0xff, record_floats(l) * sizeof(float));
  }
  std::vector<float> bits(bool backward_too = true) const {
    std::vector<float> all;
    for (const Result &r : forward) all.insert(all.end(), r.data, r.data + r.size);
    if (backward_too)
      for (const Result &r : backward) all.insert(all.end(), r.data, r.data + r.size);
    return all;
  }

 private:
  bool *booleans(size_t n, int percent) {
    bool *a = memory_.take<bool>(n, 0);
    for (size_t i = 0; i < n; i++) a[i] = random_.chance(percent);
    return a;
  }
  float *floats(size_t n, float size) {
    float *a = memory_.take<float>(n);
    for (size_t i = 0; i < n; i++) a[i] = size * random_();
    return a;
  }
  float *result(std::vector<Result> &of, const std::string &name, size_t n) {
    of.push_back({name, memory_.take<float>(n), n});
    return of.back().data;
  }
  // NaN at steps that aren't taken: nothing may come of it.
  void spoil(Rows<float> rows, int n) {
    for (int t = 0; t < l.T; t++)
      for (int r = 0; r < l.B; r++)
        if (l.real && !l.real[(size_t)t * l.B + r]) std::fill(rows.at(t, r), rows.at(t, r) + n, NAN);
  }
  Guarded &memory_;
  Random &random_;
};

// `got` against want(i).
template <class Want> void compare(const Shape &s, const char *way, const std::string &name, const float *got, size_t n, Want want) {
  double scale = 1;
  for (size_t i = 0; i < n; i++) scale = std::max(scale, std::fabs(want(i)));
  for (size_t i = 0; i < n; i++) {
    double error = std::fabs(got[i] - want(i)) / scale;
    worst = std::max(worst, error);
    if (!(error <= TOLERANCE)) {
      char text[200];
      std::snprintf(text, sizeof text, "%s: %s[%zu] is %.9g, not %.9g", way, name.c_str(), i, got[i], want(i));
      return fail(s, text);
    }
  }
}

void against(const Reference &ref, const Shape &s, const char *way, const Arrays &a) {
  const Tape &tape = ref.tape;
  const Layer &l = a.l;
  size_t D = s.D, H = s.H, BH = (size_t)s.B * H;
  auto values = [&](const std::vector<Tape::Id> &of) { return [&](size_t i) { return tape.value[of[i]]; }; };
  auto gradients = [&](Tape::Id first) { return [&tape, first](size_t i) { return tape.gradient[first + i]; }; };
  compare(s, way, "final h", l.final_h, BH, values(ref.final_h));
  if (is_lstm(s.kind)) compare(s, way, "final c", l.final_c, BH, values(ref.final_c));
  for (int t = 0; t < s.T; t++)
    for (int r = 0; r < s.B; r++) {
      auto &ys = ref.ys[(size_t)t * s.B + r];
      compare(s, way, "ys", l.ys.at(t, r), H, [&](size_t u) { return ys.empty() ? 0. : tape.value[ys[u]]; });
      if (s.d_x && !ref.at_kink)
        compare(s, way, "d_x", l.d_x.at(t, r), D, gradients(ref.x + (Tape::Id)(((size_t)t * s.B + r) * D)));
    }
  if (ref.at_kink) return;
  for (int g = 0; g < gates_of(s.kind); g++) {
    compare(s, way, "d_W", l.d_W[g], D * H, gradients(ref.W[g]));
    compare(s, way, "d_U", l.d_U[g], H * H, gradients(ref.U[g]));
    compare(s, way, "d_b", l.d_b[g], H, gradients(ref.b[g]));
  }
  if (s.kind == GRU_AFTER) compare(s, way, "d_c_n", l.d_hidden_bias, H, gradients(ref.hidden_bias));
  for (int k = 0; k < (s.kind == LSTM_PEEPHOLES ? 3 : 0); k++) compare(s, way, "d_p", l.d_peephole[k], H, gradients(ref.peephole[k]));
  compare(s, way, "d_h0", l.d_h0, BH, gradients(ref.h0));
  if (is_lstm(s.kind)) compare(s, way, "d_c0", l.d_c0, BH, gradients(ref.c0));
  if (s.resets) compare(s, way, "d_reset_h", l.d_reset_h, BH, gradients(ref.reset_h));
  if (s.resets && is_lstm(s.kind)) compare(s, way, "d_reset_c", l.d_reset_c, BH, gradients(ref.reset_c));
}

// The kernels with scratch memory that ends where they say, full of NaN, in any number of parts.
void run_guarded(Guarded &memory, Layer l, bool few, int parts) {
  const Kernels *k = kernels();
  l.few = few, l.parts = parts;
  Layer back = l;
  Halves halves, back_halves;
  l.scratch = memory.take<float>(k->forward_scratch(l));
  k->forward_prepare(l);
  if (few) k->forward_few(l, halves, true);
  for (int p = 0; p < parts && !few; p++) k->forward_part(l, p);
  back.scratch = memory.take<float>(k->backward_scratch(back));
  k->backward_prepare(back);
  if (few) k->backward_few(back, back_halves, true);
  for (int p = parts; p-- > 0 && !few;) k->backward_part(back, p);
  k->backward_finish(back);
}

void run(const Layer &l, const Pool *pool) {
  std::vector<Layer> one{l};
  forward(one, pool);
  backward(one, pool);
}

bool same(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && (a.empty() || !std::memcmp(a.data(), b.data(), a.size() * sizeof(float)));
}

// One shape by every way, with `chance` percent of the kinds of helpers.
void check(Guarded &memory, Tape &tape, const Shape &s, uint64_t seed, int chance = 34) {
  current = s;
  Random random{seed * 2 + 1};
  random.bits();
  cases++;
  memory.at_end = random.chance(70);
  Arrays a(memory, s, random);
  Reference ref(tape, a.l);
  ref.backward();
  at_kinks += ref.at_kink;

  at_work = "in parts";
  run_guarded(memory, a.l, false, 1 + random.below(std::max(1, std::min(s.B, MOST_PARTS))));
  against(ref, s, "in parts", a);
  if (s.B <= 4) {
    a.forget();
    at_work = "few rows";
    run_guarded(memory, a.l, true, 1);
    against(ref, s, "few rows", a);
  }
  a.forget();
  at_work = "alone";
  run(a.l, nullptr);
  against(ref, s, "alone", a);
  std::vector<float> alone = a.bits();
  for (int how = 0; how < HELPERS; how++) {
    if (!random.chance(chance)) continue;
    int threads = 1 + random.below(8);
    at_work = "with helpers";
    a.forget();
    Helping helping((Helpers)how, threads);
    run(a.l, &helping.pool);
    if (!same(a.bits(), alone))
      fail(s, "other bits with " + std::to_string(threads) + " threads, helpers of kind " + std::to_string(how));
    at_work = "helpers after the call";
    memory.allow(false);
    helping.come_now();
    memory.allow(true);
  }
  // Outputs, and what the gradient needs, are left out where nobody wants them; the rest is the same.
  Layer last = a.l;
  std::vector<float> final_h(last.final_h, last.final_h + (size_t)s.B * s.H);
  a.forget();
  last.ys = {}, last.record = nullptr;
  std::vector<Layer> one{last};
  forward(one, nullptr);
  if (!same(final_h, {last.final_h, last.final_h + final_h.size()})) fail(s, "another final h without outputs");
  if (!memory.margins_hold()) fail(s, "something beside an array was written");
  memory.clear();
}

// Several layers at once, each with parameters of its own and all with the first one's inputs, on some threads.
void check_several(Guarded &memory, Tape &tape, const Shape &s, uint64_t seed) {
  current = s, at_work = "several layers";
  Random random{seed * 2 + 1};
  cases++;
  std::vector<Arrays> all;
  int count = 1 + random.below(5);
  for (int i = 0; i < count; i++) {
    all.emplace_back(memory, s, random);
    all[i].l.x = all[0].l.x, all[i].l.real = all[0].l.real, all[i].l.resets = all[0].l.resets;
    // Cotangents at steps that aren't taken may be NaN; here the mask is another one.
    for (int t = 0; t < s.T; t++)
      for (int r = 0; r < s.B && s.d_ys; r++)
        for (int u = 0; u < s.H; u++) const_cast<float *>(all[i].l.d_ys.at(t, r))[u] = random();
  }
  auto run_all = [&](const Pool *pool) {
    std::vector<Layer> layers;
    for (Arrays &a : all) a.forget(), layers.push_back(a.l);
    forward(layers, pool);
    backward(layers, pool);
  };
  run_all(nullptr);
  std::vector<std::vector<float>> alone;
  for (Arrays &a : all) {
    Reference ref(tape, a.l);
    ref.backward();
    against(ref, s, "side by side", a);
    alone.push_back(a.bits());
  }
  Helping helping((Helpers)random.below(HELPERS), 1 + random.below(8));
  run_all(&helping.pool);
  for (int i = 0; i < count; i++)
    if (!same(all[i].bits(), alone[i])) fail(s, "other bits of layers side by side");
  memory.allow(false);
  helping.come_now();
  memory.allow(true);
  if (!memory.margins_hold()) fail(s, "something beside an array was written");
  memory.clear();
}

// Fills in what a case leaves open: sizes near the edges of tiles and panels, few enough products.
Shape any(Random &random, Kind kind, int B, int D, int H) {
  auto near = [&](int most) {  // a multiple of 4, or one off
    int n = 4 * random.below(most / 4 + 1) + random.below(3) - 1;
    return std::min(std::max(n, 1), most);
  };
  static const int TIMES[] = {0, 1, 2, 3, 5, 8, 13, 31, 32, 33, 63, 64, 65, 70};
  Shape s{};
  s.kind = kind, s.B = B >= 0 ? B : random.chance(40) ? random.below(4) : random.below(27);
  s.D = D ? D : near(40), s.H = H ? H : near(50);
  s.T = TIMES[random.below(sizeof TIMES / sizeof *TIMES)];
  double step = (double)s.B * (s.D + s.H) * s.H * gates_of(kind);
  while (s.T > 2 && s.T * step > MOST_PRODUCTS) s.T = s.T * 2 / 3;
  s.reverse = random.chance(30), s.batch_major = random.chance(50);
  s.real = random.chance(50), s.resets = random.chance(40), s.d_ys = random.chance(70), s.d_x = random.chance(70);
  return s;
}

void check_layers(int every, uint64_t seed) {
  Guarded memory((size_t)1 << 30);
  Tape tape;
  Random random{seed};
  int number = 0;
  auto one = [&](Kind kind, int B, int D, int H) {
    Shape s = any(random, kind, B, D, H);
    uint64_t own_seed = random.bits();
    if (number++ % every == 0) check(memory, tape, s, own_seed);
  };
  for (int k = 0; k < KINDS; k++) {
    Kind kind = (Kind)k;
    for (int H = 1; H <= 50; H++) one(kind, -1, 0, H);
    for (int D = 1; D <= 40; D++) one(kind, -1, D, 0);
    for (int B = 0; B <= 26; B++) one(kind, B, 0, 0);
    for (int B = 1; B <= 3; B++)  // units divided among threads: around the ends of chunks, with helpers of all kinds
      for (int T : {0, 1, 33, 65}) {
        Shape s = any(random, kind, B, 0, 0);
        s.T = T;
        uint64_t own_seed = random.bits();
        if (number++ % every == 0) check(memory, tape, s, own_seed, 100);
      }
    for (int i = 0; i < 20; i++) {
      Shape s = any(random, kind, random.chance(30) ? random.below(4) : -1, 0, 0);
      uint64_t own_seed = random.bits();
      if (number++ % every == 0) check_several(memory, tape, s, own_seed);
    }
  }
  std::printf("%d layers, largest error %.1e (of %.0e), %d without gradients: relu at 0\n", cases, worst, TOLERANCE, at_kinks);
}

// Distance in units of the last place of `want`, where it is a normal number.
double ulps(float got, double want) {
  constexpr double LEAST = 1.17549435e-38;
  int exponent;
  std::frexp(std::max(std::fabs(want), LEAST), &exponent);
  return std::fabs(got - want) / std::ldexp(1., exponent - 24);
}

// Sigmoid and tanh of every `every`-th float. Results, and arguments, that are subnormal may be 0.
void check_functions(uint64_t every) {
  constexpr int N = 4096;
  constexpr double MOST_ULPS = 2.5, LEAST = 1.17549435e-38;
  static float in[N], sigmoids[N], tanhs[N];
  double most[2] = {};
  uint64_t checked = 0;
  auto block = [&] {
    kernels()->functions(in, sigmoids, tanhs, N);
    for (int i = 0; i < N; i++) {
      double x = in[i], want[2] = {1 / (1 + std::exp(-x)), std::tanh(x)};
      float got[2] = {sigmoids[i], tanhs[i]};
      for (int f = 0; f < 2; f++) {
        if (std::isnan(x) ? std::isnan(got[f]) : std::fabs(want[f]) < LEAST && std::fabs(got[f]) <= LEAST) continue;
        double error = ulps(got[f], want[f]);
        most[f] = std::max(most[f], error);
        if (!(error <= MOST_ULPS)) {
          std::printf("FAILED: %s(%.9g) is %.9g, not %.9g\n", f ? "tanh" : "sigmoid", x, got[f], want[f]);
          if (++failures >= 20) std::exit(1);
        }
      }
    }
    checked += N;
  };
  int n = 0;
  auto put = [&](uint32_t bits) {
    std::memcpy(in + n, &bits, sizeof bits);
    if (++n == N) block(), n = 0;
  };
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; bits += every) put((uint32_t)bits);
  for (float edge : {0.f, 9.1f, 44.f, 87.f, 88.72f, 89.f, 103.97f, INFINITY, 1.17549435e-38f, .34657f})  // and next to them
    for (int i = -2000; i <= 2000; i++) {
      uint32_t bits;
      std::memcpy(&bits, &edge, sizeof bits);
      put(bits + (uint32_t)i), put((bits + (uint32_t)i) ^ 0x80000000u);
    }
  while (n) put(0x7fc00000u);
  std::printf("%llu floats: sigmoid within %.2f, tanh within %.2f units of the last place (of %.1f)\n",
              (unsigned long long)checked, most[0], most[1], MOST_ULPS);
}

}  // namespace

int main(int count, char **arguments) {
  int sizes = count > 1 ? std::atoi(arguments[1]) : 1, floats = count > 2 ? std::atoi(arguments[2]) : 61;
  int seed = count > 3 ? std::atoi(arguments[3]) : 7;
  if (sizes < 1 || floats < 1) return std::printf("usage: check SIZES FLOATS SEED\n"), 2;
  if (!kernels()) return std::printf("no kernels for this processor\n"), 2;
  struct sigaction fault = {};
  fault.sa_handler = on_fault;
  sigaction(SIGSEGV, &fault, &before_fault);
  sigaction(SIGBUS, &fault, nullptr);  // macOS
  check_layers(sizes, (uint64_t)seed);
  check_functions((uint64_t)floats);
  if (const char *found = self_test()) std::printf("FAILED: the self-test found %s\n", found), failures++;
  std::printf("%s: %d failed\n", kernels()->name, failures);
  return failures != 0;
}
