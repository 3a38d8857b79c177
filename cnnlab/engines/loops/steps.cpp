// The steps of a sequence, forward and back, as `by_torch.py` has torch take them one by one.
//
// Samples of a batch do not wait for each other: so a few of them are led through the whole
// sequence while all that they need stays in a core's cache, and threads meet once in a pass. All
// arrays lie whole in memory.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

// As many sums at once as fit into a processor's vector registers.
#if defined(__AVX512F__)
constexpr int LANES = 16, ROWS = 8;
#elif defined(__AVX__)
constexpr int LANES = 8, ROWS = 4;
#elif defined(__aarch64__)
constexpr int LANES = 4, ROWS = 8;
#else
constexpr int LANES = 4, ROWS = 4;
#endif
constexpr int ACROSS = 3, PANEL = ACROSS * LANES;
constexpr long MOST = 16;  // samples that are led through a sequence together

typedef float Vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

// A matrix (rows, columns) cut into panels of PANEL columns, the last one filled up with noughts.
struct Panels {
  long rows, count;
  std::vector<float> data;

  // element(i, j) is at[i * down + j * right].
  Panels(const float *at, long rows, long columns, long down, long right)
      : rows(rows), count((columns + PANEL - 1) / PANEL), data(count * rows * PANEL, 0.0f) {
    for (long j = 0; j < columns; j++)
      for (long i = 0; i < rows; i++)
        data[((j / PANEL) * rows + i) * PANEL + j % PANEL] = at[i * down + j * right];
  }
  long width() const { return count * PANEL; }
};

// c += a b for COUNT rows and one panel b.
template <int COUNT>
inline void tile(const float *a, long a_row, const float *b, long depth, float *c, long c_row) {
  Vector sums[COUNT][ACROSS];
  for (int i = 0; i < COUNT; i++)
    for (int v = 0; v < ACROSS; v++) sums[i][v] = *(const Vector *)(c + i * c_row + v * LANES);
  for (long k = 0; k < depth; k++, b += PANEL)
    for (int i = 0; i < COUNT; i++)
      for (int v = 0; v < ACROSS; v++)
        sums[i][v] += a[i * a_row + k] * *(const Vector *)(b + v * LANES);
  for (int i = 0; i < COUNT; i++)
    for (int v = 0; v < ACROSS; v++) *(Vector *)(c + i * c_row + v * LANES) = sums[i][v];
}

// c += a b; a row of c has b.width() columns.
void add_product(const float *a, long a_row, long count, const Panels &b, float *c) {
  const long c_row = b.width();
  for (long panel = 0; panel < b.count; panel++) {
    const float *columns = b.data.data() + panel * b.rows * PANEL;
    float *there = c + panel * PANEL;
    long i = 0;
    for (; i + ROWS <= count; i += ROWS)
      tile<ROWS>(a + i * a_row, a_row, columns, b.rows, there + i * c_row, c_row);
    for (; i < count; i++)
      tile<1>(a + i * a_row, a_row, columns, b.rows, there + i * c_row, c_row);
  }
}

// 1 / (1 + e^-x). e^y = 2^n e^r with |r| <= ln 2 / 2, where Taylor's series to r^7 errs by 5e-9.
inline float sigmoid(float x) {
  float y = -x;
  y = y > 88.0f ? 88.0f : y;
  y = y < -87.0f ? -87.0f : y;
  const float whole = 12582912.0f;  // 1.5 * 2^23: what is added to it is rounded
  const float n = (y * 1.44269504f + whole) - whole;
  const float r = (y - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float e = 1.0f / 5040;
  e = e * r + 1.0f / 720;
  e = e * r + 1.0f / 120;
  e = e * r + 1.0f / 24;
  e = e * r + 1.0f / 6;
  e = e * r + 0.5f;
  e = e * r + 1.0f;
  e = e * r + 1.0f;
  const int32_t bits = ((int32_t)n + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return 1.0f / (1.0f + e * power);
}

inline float tanh_of(float x) { return 2.0f * sigmoid(2.0f * x) - 1.0f; }

// Call work(begin, count) for all samples, some at a time.
template <typename Work>
void in_blocks(long batch, int threads, const Work &work) {
  const long block = batch < MOST * threads ? ROWS : MOST;
  const int busy = std::min<long>(threads, (batch + block - 1) / block);
#pragma omp parallel for num_threads(busy) schedule(static) if (busy > 1)
  for (long begin = 0; begin < batch; begin += block)
    work(begin, std::min(block, batch - begin));
}

// Of one sample, for each of its units. Arrays do not overlap: else nothing is done side by side.

void add(long units, float *__restrict sums, const float *__restrict more) {
  for (long u = 0; u < units; u++) sums[u] += more[u];
}

void gru_gates(long units, const float *__restrict sums, float *__restrict z, float *__restrict r,
               float *__restrict inner, float *__restrict n, const float *__restrict state,
               float *__restrict next) {
  for (long u = 0; u < units; u++) {
    z[u] = sigmoid(sums[u]);
    r[u] = sigmoid(sums[units + u]);
    inner[u] = sums[2 * units + u];
    n[u] = sigmoid(n[u] + r[u] * inner[u]);
    next[u] = n[u] + z[u] * (state[u] - n[u]);
  }
}

void gru_slopes(long units, float *__restrict slope, const float *__restrict z,
                const float *__restrict r, const float *__restrict inner,
                const float *__restrict n, const float *__restrict state, float *__restrict of_z,
                float *__restrict of_r, float *__restrict of_inner, float *__restrict of_n) {
  for (long u = 0; u < units; u++) {
    const float d = slope[u], rest = 1.0f - z[u];
    const float dn = d * rest * n[u] * (1.0f - n[u]);
    of_z[u] = d * (state[u] - n[u]) * z[u] * rest;
    of_r[u] = dn * inner[u] * r[u] * (1.0f - r[u]);
    of_inner[u] = dn * r[u];
    of_n[u] = dn;
    slope[u] = d * z[u];
  }
}

void simple_state(long units, const float *__restrict sums, float *__restrict next) {
  for (long u = 0; u < units; u++) next[u] = sigmoid(sums[u]);
}

void simple_slope(long units, float *__restrict slope, const float *__restrict state,
                  float *__restrict of) {
  for (long u = 0; u < units; u++) {
    of[u] = slope[u] * state[u] * (1.0f - state[u]);
    slope[u] = 0.0f;
  }
}

void lstm_gates(long units, const float *__restrict sums, float *__restrict in,
                float *__restrict forget, float *__restrict fresh, float *__restrict out,
                const float *__restrict cell, float *__restrict next, float *__restrict state) {
  for (long u = 0; u < units; u++) {
    in[u] = sigmoid(sums[u]);
    forget[u] = sigmoid(sums[units + u]);
    fresh[u] = tanh_of(sums[2 * units + u]);
    out[u] = sigmoid(sums[3 * units + u]);
    next[u] = forget[u] * cell[u] + in[u] * fresh[u];
    state[u] = out[u] * tanh_of(next[u]);
  }
}

void lstm_slopes(long units, float *__restrict slope, float *__restrict of_cell,
                 const float *__restrict in, const float *__restrict forget,
                 const float *__restrict fresh, const float *__restrict out,
                 const float *__restrict cell, const float *__restrict next,
                 float *__restrict of_in, float *__restrict of_forget,
                 float *__restrict of_fresh, float *__restrict of_out) {
  for (long u = 0; u < units; u++) {
    const float d = slope[u], bent = tanh_of(next[u]);
    const float dc = of_cell[u] + d * out[u] * (1.0f - bent * bent);
    of_in[u] = dc * fresh[u] * in[u] * (1.0f - in[u]);
    of_forget[u] = dc * cell[u] * forget[u] * (1.0f - forget[u]);
    of_fresh[u] = dc * in[u] * (1.0f - fresh[u] * fresh[u]);
    of_out[u] = d * bent * out[u] * (1.0f - out[u]);
    of_cell[u] = dc * forget[u];
    slope[u] = 0.0f;
  }
}

// Forward: step(sample, sums) is told what a step's gates are taken of, `wide` columns, once they
// have the states' part; samples are numbered through all steps.
//
// given: the sums without it, (steps, batch, row), of which the first `wide` columns count.
template <typename Step>
void walk(long steps, long batch, long units, long wide, int threads, const float *recurrent,
          const float *given, long row, const float *states, const Step &step) {
  const Panels weights(recurrent, units, wide, wide, 1);
  const long width = weights.width();
  in_blocks(batch, threads, [=, &weights, &step](long begin, long count) {
    std::vector<float> sums(count * width);
    for (long t = 0; t < steps; t++) {
      const long sample = t * batch + begin;
      for (long i = 0; i < count; i++)
        std::copy_n(given + (sample + i) * row, wide, sums.data() + i * width);
      add_product(states + sample * units, units, count, weights, sums.data());
      for (long i = 0; i < count; i++) step(sample + i, sums.data() + i * width);
    }
  });
}

// Back: step(sample, slope, carried) is told the gradient of a step's state, fills in `found` and
// leaves in `slope` what goes to the state before beside the product; `carried` is its own, from
// noughts. above (steps, batch, units) or null, and last (batch, units), are the gradients of all
// states and of the last one. found is (steps, batch, row), of which the first `wide` columns count.
template <typename Step>
void walk_back(long steps, long batch, long units, long wide, int threads, const float *recurrent,
               const float *above, const float *last, const float *found, long row,
               const Step &step) {
  const Panels weights(recurrent, wide, units, 1, wide);  // turned
  const long width = weights.width();
  in_blocks(batch, threads, [=, &weights, &step](long begin, long count) {
    std::vector<float> slopes(count * width, 0.0f), carried(count * units, 0.0f);
    for (long i = 0; i < count; i++)
      std::copy_n(last + (begin + i) * units, units, slopes.data() + i * width);
    for (long t = steps; t-- > 0;) {
      const long sample = t * batch + begin;
      for (long i = 0; i < count; i++) {
        float *slope = slopes.data() + i * width;
        if (above) add(units, slope, above + (sample + i) * units);
        step(sample + i, slope, carried.data() + i * units);
      }
      add_product(found + sample * row, row, count, weights, slopes.data());
    }
  });
}

}  // namespace

// gates (steps, batch, 4 units) come as what z, r and n's two parts are taken of, without the
// states' part, and leave as z, r, n's recurrent part, n. states (steps + 1, batch, units) have the
// first. recurrent is (units, 3 units).
extern "C" void gru_forward(long steps, long batch, long units, int threads,
                            const float *recurrent, float *gates, float *states) {
  const long row = 4 * units;
  walk(steps, batch, units, 3 * units, threads, recurrent, gates, row, states,
       [=](long sample, const float *sums) {
         float *z = gates + sample * row;
         gru_gates(units, sums, z, z + units, z + 2 * units, z + 3 * units, states + sample * units,
                   states + (sample + batch) * units);
       });
}

// found (steps, batch, 4 units) becomes the gradients of what the gates are taken of.
extern "C" void gru_backward(long steps, long batch, long units, int threads,
                             const float *recurrent, const float *gates, const float *states,
                             const float *above, const float *last, float *found) {
  const long row = 4 * units;
  walk_back(steps, batch, units, 3 * units, threads, recurrent, above, last, found, row,
            [=](long sample, float *slope, float *) {
              const float *z = gates + sample * row;
              float *of = found + sample * row;
              gru_slopes(units, slope, z, z + units, z + 2 * units, z + 3 * units,
                         states + sample * units, of, of + units, of + 2 * units, of + 3 * units);
            });
}

// states (steps + 1, batch, units) have the first, and in place of the others what they are taken
// of, without the part of the state before. recurrent is (units, units).
extern "C" void simple_forward(long steps, long batch, long units, int threads,
                               const float *recurrent, float *states) {
  float *after = states + batch * units;
  walk(steps, batch, units, units, threads, recurrent, after, units, states,
       [=](long sample, const float *sums) { simple_state(units, sums, after + sample * units); });
}

// As of a GRU; found is (steps, batch, units).
extern "C" void simple_backward(long steps, long batch, long units, int threads,
                                const float *recurrent, const float *states, const float *above,
                                const float *last, float *found) {
  const float *after = states + batch * units;
  walk_back(steps, batch, units, units, threads, recurrent, above, last, found, units,
            [=](long sample, float *slope, float *) {
              simple_slope(units, slope, after + sample * units, found + sample * units);
            });
}

// gates (steps, batch, 4 units) come as what i, f, c and o are taken of, without the states' part,
// and leave as these. states and cells (steps + 1, batch, units) have the first. recurrent is
// (units, 4 units).
extern "C" void lstm_forward(long steps, long batch, long units, int threads,
                             const float *recurrent, float *gates, float *cells, float *states) {
  const long row = 4 * units, after = batch * units;
  walk(steps, batch, units, row, threads, recurrent, gates, row, states,
       [=](long sample, const float *sums) {
         float *in = gates + sample * row, *cell = cells + sample * units;
         lstm_gates(units, sums, in, in + units, in + 2 * units, in + 3 * units, cell, cell + after,
                    states + sample * units + after);
       });
}

// As of a GRU.
extern "C" void lstm_backward(long steps, long batch, long units, int threads,
                              const float *recurrent, const float *gates, const float *cells,
                              const float *above, const float *last, float *found) {
  const long row = 4 * units;
  walk_back(steps, batch, units, row, threads, recurrent, above, last, found, row,
            [=](long sample, float *slope, float *of_cell) {
              const float *in = gates + sample * row, *cell = cells + sample * units;
              float *of = found + sample * row;
              lstm_slopes(units, slope, of_cell, in, in + units, in + 2 * units, in + 3 * units,
                          cell, cell + batch * units, of, of + units, of + 2 * units,
                          of + 3 * units);
            });
}
