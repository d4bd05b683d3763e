// A separable layer of MobileStyleGAN and its gradient, a few rows at a time: what lies between two layers' features stays in a
// core's cache, where torch's operations write it to memory and read it again.
//
// Features are float32 [H, W, C]. A layer: its pixels times a style for each channel, a 3x3 convolution of each channel, a
// product with a matrix [inputs, outputs], noise, bias, leaky ReLU. Where it doubles the side, its input is four bands
// [H / 2, W / 2, 4 C] times a style each, and a Haar step comes first (core.generator.haar).

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <thread>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16, ROWS = 12;  // floats of a vector; pixels of a tile of a product: as many as there are registers for
#elif defined(__AVX__)
constexpr int LANES = 8, ROWS = 6;
#else
constexpr int LANES = 4, ROWS = 4;
#endif
constexpr int COLUMNS = 2 * LANES;
constexpr int TILE = 64;  // pixels of a product at least, where there are as many: each reads the whole matrix
constexpr float SLOPE = 0.2f;

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

Vector& at(float* p) { return *reinterpret_cast<Vector*>(p); }
const Vector& at(const float* p) { return *reinterpret_cast<const Vector*>(p); }

struct Layer {
    int side, inputs, outputs;   // pixels a side after it; channels
    const float* depthwise;      // [9, inputs]
    const float* pointwise;      // packed [outputs / COLUMNS, inputs, COLUMNS]
    const float* back;           // the same transposed: packed [inputs / COLUMNS, outputs, COLUMNS]
    const float* bias;           // [outputs]
    const float* noise;          // [side, side]
};

// Multiply a tile of N pixels: a [N, k] by one panel b [k, COLUMNS], into left and right [N]. It is no part of what calls it,
// since there the sums would not all stay in registers: half the speed.
template <int N>
__attribute__((noinline)) void multiply(const float* a, int k, const float* b, Vector* left, Vector* right) {
    Vector lefts[N] = {}, rights[N] = {};
    for (int i = 0; i < k; ++i, b += COLUMNS) {
        const Vector one = at(b), other = at(b + LANES);
        for (int n = 0; n < N; ++n) {
            const float factor = a[n * k + i];
            lefts[n] += factor * one;
            rights[n] += factor * other;
        }
    }
    for (int n = 0; n < N; ++n) left[n] = lefts[n], right[n] = rights[n];
}

// The same, handing each pixel's two vectors to `end`.
template <int N, class End>
inline void tile(const float* a, int k, const float* b, const End& end) {
    Vector left[N], right[N];
    multiply<N>(a, k, b, left, right);
    for (int n = 0; n < N; ++n) end(n, left[n], right[n]);
}

template <int N, class End>
inline void rest(int pixels, const float* a, int k, const float* b, const End& end) {
    if constexpr (N > 0) {
        if (pixels == N) tile<N>(a, k, b, end);
        else rest<N - 1>(pixels, a, k, b, end);
    }
}

// Multiply a [pixels, k] by a packed matrix b, calling end(pixel, column, left, right).
template <class End>
void product(const float* a, int pixels, int k, const float* b, int columns, const End& end) {
    for (int column = 0; column < columns; column += COLUMNS, b += size_t(k) * COLUMNS) {
        int pixel = 0;
        auto put = [&](int n, const Vector& left, const Vector& right) { end(pixel + n, column, left, right); };
        for (; pixel + ROWS <= pixels; pixel += ROWS) tile<ROWS>(a + size_t(pixel) * k, k, b, put);
        rest<ROWS - 1>(pixels - pixel, a + size_t(pixel) * k, k, b, put);
    }
}

// Convolve each channel of a row, given it and its neighbours [width, channels], with `taps` [9, channels].
void convolve(const float* const rows[3], int width, int channels, const float* taps, float* out) {
    const int wide = std::max(4, 2048 / channels / 4 * 4);  // pixels whose three rows stay in the first cache
    auto edge = [&](int x) {
        for (int c = 0; c < channels; c += LANES) {
            Vector sum = {};
            for (int t = 0; t < 9; ++t) {
                const int from = x + t % 3 - 1;
                if (from < 0 || from >= width) continue;
                sum += at(rows[t / 3] + size_t(from) * channels + c) * at(taps + t * channels + c);
            }
            at(out + size_t(x) * channels + c) = sum;
        }
    };
    edge(0);
    int x = 1;
    for (; x + 4 < width; ) {
        const int end = std::min(x + wide, x + (width - 1 - x) / 4 * 4);
        for (int c = 0; c < channels; c += LANES) {
            Vector k[9];
            for (int t = 0; t < 9; ++t) k[t] = at(taps + t * channels + c);
            for (int i = x; i < end; i += 4) {
                Vector sums[4] = {};
                for (int r = 0; r < 3; ++r) {
                    const float* p = rows[r] + size_t(i - 1) * channels + c;
                    for (int s = 0; s < 6; ++s, p += channels) {
                        const Vector v = at(p);
                        if (s < 4) sums[s] += v * k[3 * r];
                        if (s > 0 && s < 5) sums[s - 1] += v * k[3 * r + 1];
                        if (s > 1) sums[s - 2] += v * k[3 * r + 2];
                    }
                }
                for (int s = 0; s < 4; ++s) at(out + size_t(i + s) * channels + c) = sums[s];
            }
        }
        x = end;
    }
    for (; x < width; ++x) edge(x);
}

// The gradient of pixels [width, channels] times `style`: from `slopes`, those after it, in their place; adds those of `style`.
void styled(const float* pixels, int width, int channels, const float* style, float* slopes, float* sums) {
    for (int x = 0; x < width; ++x, pixels += channels, slopes += channels)
        for (int c = 0; c < channels; c += LANES) {
            const Vector slope = at(slopes + c);
            at(sums + c) += slope * at(pixels + c);
            at(slopes + c) = slope * at(style + c);
        }
}

// Do the inverse Haar step (twice the orthonormal one) of a row of bands [width, 4 channels] times `up`: two rows of pixels.
void to_pixels(const float* bands, int width, int channels, const float* up, float* above, float* below) {
    for (int x = 0; x < width; ++x, bands += 4 * channels, above += 2 * channels, below += 2 * channels)
        for (int c = 0; c < channels; c += LANES) {
            Vector b[4];
            for (int i = 0; i < 4; ++i) b[i] = at(bands + i * channels + c) * at(up + i * channels + c);
            const Vector top = b[0] + b[1], bottom = b[0] - b[1], high = b[2] + b[3], low = b[2] - b[3];
            at(above + c) = top + high;
            at(above + channels + c) = top - high;
            at(below + c) = bottom + low;
            at(below + channels + c) = bottom - low;
        }
}

// The gradient of `to_pixels`: from those of two rows of pixels, of the bands; adds those of `up` to `sums` [4 channels].
void to_bands(const float* above, const float* below, const float* bands, int width, int channels, const float* up, float* out,
              float* sums) {
    for (int x = 0; x < width; ++x, bands += 4 * channels, out += 4 * channels, above += 2 * channels, below += 2 * channels)
        for (int c = 0; c < channels; c += LANES) {
            const Vector a = at(above + c), b = at(above + channels + c), d = at(below + c), e = at(below + channels + c);
            const Vector left = a + d, right = b + e, lefts = a - d, rights = b - e;
            const Vector of[4] = {left + right, lefts + rights, left - right, lefts - rights};
            for (int i = 0; i < 4; ++i) {
                at(sums + i * channels + c) += of[i] * at(bands + i * channels + c);
                at(out + i * channels + c) = of[i] * at(up + i * channels + c);
            }
        }
}

// Run work(first, end, which) on `threads` threads over the rows 0..count, in steps of two rows; false if memory runs out.
// What no thread can be started for is done by this one.
template <class Work>
bool parallel(int count, int threads, const Work& work) {
    threads = std::max(1, std::min(threads, count / 2));
    auto border = [&](int i) { return i == threads ? count : int(int64_t(count / 2) * i / threads) * 2; };
    std::atomic<bool> enough{true};
    auto part = [&](int i) {
        try {
            work(border(i), border(i + 1), i);
        } catch (const std::bad_alloc&) {
            enough = false;
        }
    };
    std::vector<std::thread> others;
    int begun = 1;
    try {
        for (others.reserve(threads); begun < threads; ++begun) others.emplace_back(part, begun);
    } catch (const std::exception&) {  // the limit of threads, or of memory for their stacks
    }
    part(0);
    for (; begun < threads; ++begun) part(begun);
    for (auto& one : others) one.join();
    return enough;
}

// The rows of a layer's input, pixels [width, channels] each: those of x, or what the Haar step makes of its bands.
class Source {
  public:
    Source(const Layer& layer, const float* x, const float* up)
        : layer(layer), x(x), up(up), size(size_t(layer.side) * layer.inputs), nothing(size), made(up ? 6 * size : 0) {
        std::fill(std::begin(held), std::end(held), -1);
    }
    const float* row(int y) {
        if (y < 0 || y >= layer.side) return nothing.data();
        if (!up) return x + y * size;
        const int pair = y / 2, place = pair % 3;
        float* both = made.data() + 2 * place * size;
        if (held[place] != pair) to_pixels(x + 2 * pair * size, layer.side / 2, layer.inputs, up, both, both + size);
        held[place] = pair;
        return both + y % 2 * size;
    }

  private:
    const Layer& layer;
    const float *x, *up;
    const size_t size;
    std::vector<float> nothing, made;
    int held[3];  // the pair of rows at each place of `made`
};

// The gradients of a layer's convolved rows, pixels [side, inputs] each, from `of_out`, those of what it makes of them. A few
// rows are computed at a time and kept in a ring.
class Slopes {
  public:
    Slopes(const Layer& layer, const float* out, const float* of_out, int first, int at_once)
        : layer(layer), out(out), of_out(of_out), size(size_t(layer.side) * layer.inputs), places(at_once + 2),
          next(std::max(0, first)), nothing(size), kept(places * size), before(size_t(at_once) * layer.side * layer.outputs) {}
    // Compute the rows before `end`. The last of them and at_once + 1 before it are there then.
    void until(int end) {
        while (next < end) {
            const int wrap = next - next % places + places, last = std::min({end, next + places - 2, wrap});
            compute(last - next);
            next = last;
        }
    }
    const float* row(int y) { return y < 0 || y >= layer.side ? nothing.data() : place(y); }

  private:
    float* place(int y) { return kept.data() + size_t(y % places) * size; }
    void compute(int rows) {
        const int pixels = rows * layer.side, inputs = layer.inputs;
        const size_t from = size_t(next) * layer.side * layer.outputs, numbers = size_t(pixels) * layer.outputs;
        for (size_t i = 0; i < numbers; i += LANES) {
            const Vector slope = at(of_out + from + i);
            at(before.data() + i) = at(out + from + i) > 0 ? slope : slope * SLOPE;
        }
        float* to = place(next);
        product(before.data(), pixels, layer.outputs, layer.back, inputs,
                [&](int pixel, int column, const Vector& left, const Vector& right) {
                    float* p = to + size_t(pixel) * inputs + column;
                    at(p) = left;
                    at(p + LANES) = right;
                });
    }
    const Layer& layer;
    const float *out, *of_out;
    const size_t size;
    const int places;
    int next;  // the next row to be computed
    std::vector<float> nothing, kept, before;
};

int rows_at_once(int side) { return std::max(2, TILE / side); }

}  // namespace

extern "C" {

int separable_columns() { return COLUMNS; }

// These return false if memory runs out.

// out [side, side, outputs] of x; `up` [4 inputs] is null where the side stays, and then x is [side, side, inputs].
bool separable_forward(const Layer* given, const float* x, const float* up, const float* style, float* out, int threads) try {
    const Layer layer = *given;
    const int side = layer.side, inputs = layer.inputs, outputs = layer.outputs, at_once = rows_at_once(side);
    std::vector<float> taps(9 * inputs);
    for (int i = 0; i < 9 * inputs; ++i) taps[i] = layer.depthwise[i] * style[i % inputs];
    return parallel(side, threads, [&](int first, int end, int) {
        Source source(layer, x, up);
        std::vector<float> convolved(size_t(at_once) * side * inputs);
        for (int y = first; y < end; y += at_once) {
            const int rows = std::min(at_once, end - y);
            for (int r = 0; r < rows; ++r) {
                const float* three[3] = {source.row(y + r - 1), source.row(y + r), source.row(y + r + 1)};
                convolve(three, side, inputs, taps.data(), convolved.data() + size_t(r) * side * inputs);
            }
            const float* noise = layer.noise + size_t(y) * side;
            float* to = out + size_t(y) * side * outputs;
            product(convolved.data(), rows * side, inputs, layer.pointwise, outputs,
                    [&](int pixel, int column, Vector left, Vector right) {
                        left += at(layer.bias + column) + noise[pixel];
                        right += at(layer.bias + column + LANES) + noise[pixel];
                        float* p = to + size_t(pixel) * outputs + column;
                        at(p) = left > 0 ? left : left * SLOPE;
                        at(p + LANES) = right > 0 ? right : right * SLOPE;
                    });
        }
    });
} catch (const std::bad_alloc&) {
    return false;
}

// From the gradient of out: that of x, of `style` [inputs], and of `up` [4 inputs] if it is not null.
bool separable_backward(const Layer* given, const float* x, const float* up, const float* style, const float* out,
                        const float* of_out, float* of_x, float* of_style, float* of_up, int threads) try {
    const Layer layer = *given;
    const int side = layer.side, inputs = layer.inputs, outputs = layer.outputs, at_once = rows_at_once(side);
    threads = std::max(1, threads);
    const size_t size = size_t(side) * inputs;
    std::vector<float> turned(9 * inputs);
    for (int t = 0; t < 9; ++t) std::copy_n(layer.depthwise + (8 - t) * inputs, inputs, turned.data() + t * inputs);
    const int sums = up ? 5 * inputs : inputs;
    std::vector<double> totals(size_t(threads) * sums);
    const bool done = parallel(side, threads, [&](int first, int end, int which) {
        Source source(layer, x, up);
        Slopes slopes(layer, out, of_out, first - 1, at_once);
        std::vector<float> after(size_t(at_once) * size), sum(sums);
        for (int y = first; y < end; y += at_once) {
            const int rows = std::min(at_once, end - y);
            slopes.until(std::min(side, y + rows + 1));
            std::fill(sum.begin(), sum.end(), 0.0f);
            for (int r = 0; r < rows; ++r) {
                const int row = y + r;
                const float* three[3] = {slopes.row(row - 1), slopes.row(row), slopes.row(row + 1)};
                float* to = up ? after.data() + r * size : of_x + row * size;
                convolve(three, side, inputs, turned.data(), to);
                styled(source.row(row), side, inputs, style, to, sum.data());
                if (up && r % 2)
                    to_bands(to - size, to, x + (row - 1) * size, side / 2, inputs, up, of_x + (row - 1) * size,
                             sum.data() + inputs);
            }
            for (int i = 0; i < sums; ++i) totals[size_t(which) * sums + i] += sum[i];
        }
    });
    for (int i = 0; i < sums; ++i) {
        double total = 0;
        for (int t = 0; t < threads; ++t) total += totals[size_t(t) * sums + i];
        (i < inputs ? of_style[i] : of_up[i - inputs]) = float(total);
    }
    return done;
} catch (const std::bad_alloc&) {
    return false;
}

}  // extern "C"
