// A look at small layers when the library is loaded: kernels against plain loops in double precision. Milliseconds.
#include <cmath>
#include <vector>
#include "engine.h"

namespace {

struct Random {
  unsigned state = 12345;
  float operator()() { return (float)((int)((state = state * 1664525u + 1013904223u) >> 9) - (1 << 22)) / (1 << 22); }
};
double sigmoid(double a) { return 1 / (1 + std::exp(-a)); }

// A layer with arrays of its own.
struct Case {
  Layer l{};
  std::vector<std::vector<float>> arrays;
  float *array(size_t n) {
    arrays.emplace_back(n, 0.f);
    return arrays.back().data();
  }
  const float *random(size_t n, Random &next) {
    float *a = array(n);
    for (size_t i = 0; i < n; i++) a[i] = next();
    return a;
  }
  Case(Kind kind, int T, int B, int D, int H, bool reset) {
    Random next;
    arrays.reserve(64);
    size_t BH = (size_t)B * H, d = D, h = H;
    l.kind = kind, l.T = T, l.B = B, l.D = D, l.H = H;
    l.x = {random(T * B * d, next), d, d * T};
    for (int g = 0; g < gates_of(kind); g++) {
      l.W[g] = random(d * h, next), l.U[g] = random(h * h, next), l.b[g] = random(h, next);
      l.d_W[g] = array(d * h), l.d_U[g] = array(h * h), l.d_b[g] = array(h);
    }
    l.hidden_bias = random(h, next), l.d_hidden_bias = array(h);
    for (int k = 0; k < 3; k++) l.peephole[k] = random(h, next), l.d_peephole[k] = array(h);
    l.h0 = random(BH, next), l.c0 = random(BH, next);
    l.reset_h = random(BH, next), l.reset_c = random(BH, next);
    l.final_h = array(BH), l.final_c = array(BH);
    float *ys = array(T * BH);
    l.ys = {ys, h, h * T}, l.ys_given = {ys, h, h * T};
    l.record_given = l.record = array(record_floats(l) + 1);
    l.d_ys = {random(T * BH, next), h, h * T};
    l.d_final_h = random(BH, next), l.d_final_c = random(BH, next);
    l.d_x = {array(T * B * d), d, d * T};
    l.d_h0 = array(BH), l.d_c0 = array(BH), l.d_reset_h = array(BH), l.d_reset_c = array(BH);
    if (reset) {
      bool *real = reinterpret_cast<bool *>(array(T * B)), *resets = reinterpret_cast<bool *>(array(T * B));
      for (int i = 0; i < T * B; i++) real[i] = next() < .6f, resets[i] = next() < -.5f;
      l.real = real, l.resets = resets;
    }
  }
  void run(bool back) {
    std::vector<Layer> one{l};
    forward(one, nullptr);
    if (back) backward(one, nullptr);
  }
  // The sum of outputs and final carry, each times its cotangent.
  double loss() const {
    double total = 0;
    for (int r = 0; r < l.B; r++)
      for (int u = 0; u < l.H; u++) {
        size_t i = (size_t)r * l.H + u;
        total += (double)l.final_h[i] * l.d_final_h[i];
        if (is_lstm(l.kind)) total += (double)l.final_c[i] * l.d_final_c[i];
        for (int t = 0; t < l.T; t++) total += (double)l.ys.at(t, r)[u] * l.d_ys.at(t, r)[u];
      }
    return total;
  }
};

// Outputs of one step of a layer, written from the equations.
double reference(const Layer &l, int r, int u) {
  auto net = [&](int g, int unit) {
    double a = l.b[g][unit];
    for (int k = 0; k < l.D; k++) a += (double)l.x.at(0, r)[k] * l.W[g][k * l.H + unit];
    return a;
  };
  auto back = [&](int g, int unit, auto h) {
    double a = 0;
    for (int k = 0; k < l.H; k++) a += h(k) * l.U[g][k * l.H + unit];
    return a;
  };
  auto h = [&](int k) { return (double)l.h0[r * l.H + k]; };
  auto gate = [&](int g, int unit) { return sigmoid(net(g, unit) + back(g, unit, h)); };
  double c = l.c0[r * l.H + u];
  switch (l.kind) {
    case GRU_AFTER: {
      double n = std::tanh(net(2, u) + gate(0, u) * (back(2, u, h) + l.hidden_bias[u])), z = gate(1, u);
      return z * h(u) + (1 - z) * n;
    }
    case GRU_BEFORE: {
      double n = std::tanh(net(2, u) + back(2, u, [&](int k) { return gate(0, k) * h(k); })), z = gate(1, u);
      return z * h(u) + (1 - z) * n;
    }
    case GRU_NONE: {
      double n = std::tanh(net(1, u) + back(1, u, h)), z = gate(0, u);
      return z * h(u) + (1 - z) * n;
    }
    case LSTM: case LSTM_PEEPHOLES: {
      auto seen = [&](int k, double c) { return l.kind == LSTM ? 0 : l.peephole[k][u] * c; };
      double i = sigmoid(net(0, u) + back(0, u, h) + seen(0, c)), f = sigmoid(net(1, u) + back(1, u, h) + seen(1, c));
      c = f * c + i * std::tanh(net(2, u) + back(2, u, h));
      return sigmoid(net(3, u) + back(3, u, h) + seen(2, c)) * std::tanh(c);
    }
    case RNN_TANH: return std::tanh(net(0, u) + back(0, u, h));
    default: return std::fmax(0, net(0, u) + back(0, u, h));
  }
}

}  // namespace

const char *self_test() {
  if (!kernels()) return "no kernels for this processor";
  for (int k = 0; k < KINDS; k++) {
    Case one((Kind)k, 1, 5, 3, 21, false);
    one.run(false);
    for (int r = 0; r < 5; r++)
      for (int u = 0; u < 21; u++)
        if (!(std::fabs(one.l.ys.at(0, r)[u] - reference(one.l, r, u)) < 1e-5)) return "wrong outputs";
    // A gradient against the difference along it, with lengths and resets, rows apart and units apart.
    for (int B : {2, 9}) {
      Case at((Kind)k, 6, B, 3, 21, true);
      at.run(true);
      float *U = const_cast<float *>(at.l.U[0]);
      double size = 1e-3, up = 0, down = 0;
      std::vector<float> begin(U, U + 21 * 21), d(at.l.d_U[0], at.l.d_U[0] + 21 * 21);
      double norm = 0;
      for (float a : d) norm += (double)a * a;
      norm = std::sqrt(norm);
      for (double sign : {1., -1.}) {
        for (int i = 0; i < 21 * 21; i++) U[i] = (float)(begin[i] + sign * size * d[i] / norm);
        at.run(false);
        (sign > 0 ? up : down) = at.loss();
      }
      double slope = (up - down) / (2 * size);
      if (!(std::fabs(slope - norm) <= 1e-2 * norm + 1e-3)) return "a wrong gradient";
    }
  }
  return nullptr;
}
