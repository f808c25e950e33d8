// Recurrent layers in double precision, written from their equations one number at a time. A tape remembers how each
// number depends on others, so that no derivative is written by hand.
#pragma once
#include <cmath>
#include <vector>
#include "layer.h"

class Tape {
 public:
  typedef unsigned Id;
  std::vector<double> value, gradient;

  Id leaf(double v) { return begin(v); }
  // Leaves for n floats. Returns the first one's number.
  Id leaves(const float *a, size_t n) {
    Id first = (Id)value.size();
    for (size_t i = 0; i < n; i++) begin(a[i]);
    return first;
  }
  Id add(Id a, Id b) { return node(value[a] + value[b], a, 1, b, 1); }
  Id multiply(Id a, Id b) { return node(value[a] * value[b], a, value[b], b, value[a]); }
  Id one_minus(Id a) { return node(1 - value[a], a, -1); }
  Id sigmoid(Id a) {
    double s = 1 / (1 + std::exp(-value[a]));
    return node(s, a, s * (1 - s));
  }
  Id tanh(Id a) {
    double t = std::tanh(value[a]);
    return node(t, a, 1 - t * t);
  }
  Id relu(Id a) { return node(std::fmax(0, value[a]), a, value[a] > 0); }
  // a + the sum over k of left(k) * right(k).
  template <class Left, class Right> Id add_products(Id a, int count, Left left, Right right) {
    double v = value[a];
    for (int k = 0; k < count; k++) v += value[left(k)] * value[right(k)];
    Id id = begin(v);
    edge(a, 1);
    for (int k = 0; k < count; k++) edge(left(k), value[right(k)]), edge(right(k), value[left(k)]);
    return id;
  }
  void backward() {
    for (size_t id = value.size(); id-- > 0;)
      for (size_t e = first_edge_[id]; e < (id + 1 < value.size() ? first_edge_[id + 1] : parent_.size()); e++)
        gradient[parent_[e]] += partial_[e] * gradient[id];
  }
  void clear() {
    for (auto *v : {&value, &gradient, &partial_}) v->clear();
    first_edge_.clear(), parent_.clear();
  }

 private:
  Id begin(double v) {
    value.push_back(v), gradient.push_back(0), first_edge_.push_back(parent_.size());
    return (Id)value.size() - 1;
  }
  void edge(Id parent, double partial) { parent_.push_back(parent), partial_.push_back(partial); }
  Id node(double v, Id a, double by_a) {
    Id id = begin(v);
    edge(a, by_a);
    return id;
  }
  Id node(double v, Id a, double by_a, Id b, double by_b) {
    Id id = node(v, a, by_a);
    edge(b, by_b);
    return id;
  }
  std::vector<size_t> first_edge_;
  std::vector<Id> parent_;
  std::vector<double> partial_;
};

// All that a layer gives: values, and gradients of the sum of its results times their cotangents.
struct Reference {
  typedef Tape::Id Id;
  static constexpr double KINK = 1e-5;
  Tape &tape;
  const Layer &l;
  Id x, W[MOST_GATES], U[MOST_GATES], b[MOST_GATES], hidden_bias, peephole[MOST_PEEPHOLES], h0, c0, reset_h, reset_c;
  std::vector<std::vector<Id>> ys;  // [T * B][H]; none at steps that aren't taken
  std::vector<Id> final_h, final_c;
  bool at_kink = false;  // whether relu's argument came so near to 0 that float32 may see another sign

  Reference(Tape &tape, const Layer &l) : tape(tape), l(l), ys((size_t)l.T * l.B) {
    tape.clear();
    size_t D = l.D, H = l.H, BH = (size_t)l.B * l.H;
    x = (Id)tape.value.size();
    for (int t = 0; t < l.T; t++)
      for (int r = 0; r < l.B; r++) tape.leaves(l.x.at(t, r), D);
    for (int g = 0; g < gates_of(l.kind); g++)
      W[g] = tape.leaves(l.W[g], D * H), U[g] = tape.leaves(l.U[g], H * H), b[g] = tape.leaves(l.b[g], H);
    if (l.kind == GRU_AFTER) hidden_bias = tape.leaves(l.hidden_bias, H);
    for (int k = 0; k < (l.kind == LSTM_PEEPHOLES ? 3 : 0); k++) peephole[k] = tape.leaves(l.peephole[k], H);
    h0 = tape.leaves(l.h0, BH);
    if (is_lstm(l.kind)) c0 = tape.leaves(l.c0, BH);
    if (l.resets) reset_h = tape.leaves(l.reset_h, BH);
    if (l.resets && is_lstm(l.kind)) reset_c = tape.leaves(l.reset_c, BH);
    for (int r = 0; r < l.B; r++) row(r);
  }
  // `d_ys` as in Layer: null for zeros.
  void backward() {
    for (int t = 0; t < l.T; t++)
      for (int r = 0; r < l.B; r++)
        for (size_t u = 0; u < ys[(size_t)t * l.B + r].size(); u++)
          if (l.d_ys) tape.gradient[ys[(size_t)t * l.B + r][u]] += l.d_ys.at(t, r)[u];
    for (size_t i = 0; i < final_h.size(); i++) tape.gradient[final_h[i]] += l.d_final_h[i];
    for (size_t i = 0; i < final_c.size(); i++) tape.gradient[final_c[i]] += l.d_final_c[i];
    tape.backward();
  }

 private:
  void row(int r) {
    int H = l.H;
    std::vector<Id> h(H), c(H);
    auto set = [&](Id from_h, Id from_c) {
      for (int u = 0; u < H; u++) h[u] = from_h + r * H + u, c[u] = from_c + r * H + u;
    };
    set(h0, is_lstm(l.kind) ? c0 : 0);
    for (int step = 0; step < l.T; step++) {
      int t = l.reverse ? l.T - 1 - step : step;
      size_t at = (size_t)t * l.B + r;
      if (l.resets && l.resets[at]) set(reset_h, is_lstm(l.kind) ? reset_c : 0);
      if (l.real && !l.real[at]) continue;
      std::vector<Id> before = h, c_before = c;
      std::vector<Id> reset(H);  // r * h of all units
      for (int u = 0; u < H && l.kind == GRU_BEFORE; u++)
        reset[u] = tape.multiply(tape.sigmoid(sums(0, t, r, u, before)), before[u]);
      for (int u = 0; u < H; u++) h[u] = unit(t, r, u, before, reset, c_before[u], c[u]);
      ys[at] = h;
    }
    final_h.insert(final_h.end(), h.begin(), h.end());
    if (is_lstm(l.kind)) final_c.insert(final_c.end(), c.begin(), c.end());
  }
  Id from_inputs(int g, int t, int r, int u) {
    Id first = x + ((Id)t * l.B + r) * l.D;
    return tape.add_products(b[g] + u, l.D, [&](int k) { return first + k; }, [&](int k) { return W[g] + k * l.H + u; });
  }
  Id from_state(Id plus, int g, int u, const std::vector<Id> &h) {
    return tape.add_products(plus, l.H, [&](int k) { return h[k]; }, [&](int k) { return U[g] + k * l.H + u; });
  }
  Id sums(int g, int t, int r, int u, const std::vector<Id> &h) { return from_state(from_inputs(g, t, r, u), g, u, h); }
  Id blend(Id z, Id h, Id n) { return tape.add(tape.multiply(z, h), tape.multiply(tape.one_minus(z), n)); }

  Id unit(int t, int r, int u, const std::vector<Id> &h, const std::vector<Id> &reset, Id c, Id &new_c) {
    auto gate = [&](int g) { return sums(g, t, r, u, h); };
    switch (l.kind) {
      case GRU_AFTER: {
        Id seen = tape.multiply(tape.sigmoid(gate(0)), from_state(hidden_bias + u, 2, u, h));
        return blend(tape.sigmoid(gate(1)), h[u], tape.tanh(tape.add(from_inputs(2, t, r, u), seen)));
      }
      case GRU_BEFORE: return blend(tape.sigmoid(gate(1)), h[u], tape.tanh(sums(2, t, r, u, reset)));
      case GRU_NONE: return blend(tape.sigmoid(gate(0)), h[u], tape.tanh(gate(1)));
      case LSTM: case LSTM_PEEPHOLES: {
        auto seeing = [&](int g, int k, Id cell) {
          return l.kind == LSTM ? gate(g) : tape.add(gate(g), tape.multiply(peephole[k] + u, cell));
        };
        Id i = tape.sigmoid(seeing(0, 0, c)), f = tape.sigmoid(seeing(1, 1, c)), g = tape.tanh(gate(2));
        new_c = tape.add(tape.multiply(f, c), tape.multiply(i, g));
        return tape.multiply(tape.sigmoid(seeing(3, 2, new_c)), tape.tanh(new_c));
      }
      case RNN_TANH: return tape.tanh(gate(0));
      default: {
        Id a = gate(0);
        at_kink |= std::fabs(tape.value[a]) < KINK;
        return tape.relu(a);
      }
    }
  }
};
