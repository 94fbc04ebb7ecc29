// SPDX-License-Identifier: MIT
#include <algorithm>
#include <optional>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/net/dnn/loops.h"
#include "isthmus/net/dnn/parameter.h"

namespace isthmus::dnn {
namespace {

using dnnl::memory;
using Tag = dnnl::memory::format_tag;

constexpr auto f32 = memory::data_type::f32;

// One product takes the inputs of all time steps at once, and one each their gradients; only the
// products with h go step by step. The hidden values and cells of all steps lie behind those of the
// state before the first one, so that "the step before" is always one block of memory back.
class Recurrent final : public Stage {
 public:
  Recurrent(const Site& site, const Lstm& lstm, std::size_t streams, std::size_t state_offset);

  void load(const Step& step) override;
  void forward(const Step& step) override;
  void backward(const Step& step) override;
  const Blob& output() const { return output_; }

 private:
  void build_forward(const Site& site);
  void build_backward(const Site& site);
  // The rows of one time step of a matrix of `width` columns, `first` rows from its beginning.
  static memory rows_of(const memory& matrix,
                        std::size_t first,
                        std::size_t rows,
                        std::size_t width);
  static float* numbers(const memory& matrix) {
    return static_cast<float*>(matrix.get_data_handle());
  }
  std::size_t state_numbers() const { return streams_ * width_; }
  CellStep cell_step(std::size_t time) const;

  std::size_t streams_;
  std::size_t width_;  // H
  std::size_t steps_;  // T
  std::size_t state_offset_;
  Blob input_;
  Blob output_;
  memory gates_;   // (T streams, 4 H)
  memory hidden_;  // ((T + 1) streams, H)
  memory cells_;   // ((T + 1) streams, H)
  memory gates_gradient_;
  std::vector<float> cell_gradient_;  // (streams, H)
  Parameter weight_;
  Parameter recurrent_;
  Parameter bias_;
  std::optional<Parameter> untransposed_;
  std::optional<Parameter> untransposed_recurrent_;
  std::optional<Parameter> weight_gradient_;
  std::optional<Parameter> recurrent_gradient_;
  std::size_t bias_offset_;
  memory ordered_recurrent_;  // W_hh transposed, for the many small products
  Call order_recurrent_;
  Call of_inputs_;
  std::vector<Call> of_hidden_;           // [time]
  std::vector<Call> to_hidden_gradient_;  // [time], of the step before; none for time 0
  Call backward_weight_;
  Call backward_recurrent_;
  Call backward_data_;
};

memory::desc plain(std::size_t rows, std::size_t columns) {
  return flat_desc(rows, columns);
}

memory::desc transposed(std::size_t rows, std::size_t columns) {
  return {{extent(rows), extent(columns)}, f32, Tag::ba};
}

memory Recurrent::rows_of(const memory& matrix,
                          std::size_t first,
                          std::size_t rows,
                          std::size_t width) {
  return {plain(rows, width), cpu(), numbers(matrix) + first * width};
}

Recurrent::Recurrent(const Site& site,
                     const Lstm& lstm,
                     std::size_t streams,
                     std::size_t state_offset)
    : streams_(streams),
      width_(lstm.features),
      steps_(site.input.count / streams),
      state_offset_(state_offset),
      input_(site.input),
      output_(site.input),
      weight_(site, *site.weight, transposed(site.input.channels, 4 * width_)),
      recurrent_(site, *site.recurrent, transposed(width_, 4 * width_)),
      bias_(site, *site.bias, plain(1, 4 * width_)),
      bias_offset_(site.bias->offset) {
  const std::size_t rows = input_.count;
  gates_ = site.workspace.make(plain(rows, 4 * width_));
  hidden_ = site.workspace.make(plain(rows + streams_, width_));
  cells_ = site.workspace.make(plain(rows + streams_, width_));
  output_.channels = width_;
  output_.value = rows_of(hidden_, streams_, rows, width_);
  output_.gradient = site.training() ? site.workspace.make(plain(rows, width_)) : memory();
  build_forward(site);
  if (site.training()) {
    build_backward(site);
  }
}

void Recurrent::build_forward(const Site& site) {
  Workspace& workspace = site.workspace;
  ordered_recurrent_ = workspace.make(plain(width_, 4 * width_));
  order_recurrent_ = reorder(workspace, recurrent_.bound(), ordered_recurrent_);
  of_inputs_ =
      product(workspace, attributes(), input_.value, weight_.bound(), &bias_.bound(), gates_);
  for (std::size_t time = 0; time < steps_; ++time) {
    of_hidden_.push_back(product(workspace,
                                 attributes_adding(),
                                 rows_of(hidden_, time * streams_, streams_, width_),
                                 ordered_recurrent_,
                                 nullptr,
                                 rows_of(gates_, time * streams_, streams_, 4 * width_)));
  }
}

void Recurrent::build_backward(const Site& site) {
  Workspace& workspace = site.workspace;
  const std::size_t rows = input_.count;
  const std::size_t in = input_.channels;
  gates_gradient_ = workspace.make(plain(rows, 4 * width_));
  cell_gradient_.resize(state_numbers());
  untransposed_recurrent_.emplace(site, *site.recurrent, plain(4 * width_, width_));
  weight_gradient_.emplace(site, *site.weight, plain(4 * width_, in));
  recurrent_gradient_.emplace(site, *site.recurrent, plain(4 * width_, width_));
  to_hidden_gradient_.resize(steps_);
  for (std::size_t time = 1; time < steps_; ++time) {
    to_hidden_gradient_[time] =
        product(workspace,
                attributes_adding(),
                rows_of(gates_gradient_, time * streams_, streams_, 4 * width_),
                untransposed_recurrent_->bound(),
                nullptr,
                rows_of(output_.gradient, (time - 1) * streams_, streams_, width_));
  }
  const memory gradient_transposed = workspace.view(gates_gradient_, transposed(4 * width_, rows));
  backward_weight_ = product(workspace,
                             attributes(),
                             gradient_transposed,
                             input_.value,
                             nullptr,
                             weight_gradient_->bound());
  backward_recurrent_ = product(workspace,
                                attributes(),
                                gradient_transposed,
                                rows_of(hidden_, 0, rows, width_),
                                nullptr,
                                recurrent_gradient_->bound());
  if (site.propagate) {
    untransposed_.emplace(site, *site.weight, plain(4 * width_, in));
    backward_data_ = product(
        workspace, attributes(), gates_gradient_, untransposed_->bound(), nullptr, input_.gradient);
  }
}

void Recurrent::load(const Step& step) {
  for (const Parameter* parameter : {&weight_, &recurrent_, &bias_}) {
    parameter->bind(step.theta);
  }
  for (const std::optional<Parameter>* parameter : {&untransposed_, &untransposed_recurrent_}) {
    if (*parameter) {
      (*parameter)->bind(step.theta);
    }
  }
  if (weight_gradient_) {
    weight_gradient_->bind(step.gradient);
    recurrent_gradient_->bind(step.gradient);
  }
  order_recurrent_(step.stream);
}

CellStep Recurrent::cell_step(std::size_t time) const {
  const std::size_t row = time * streams_;
  return {.streams = streams_,
          .features = width_,
          .gates = numbers(gates_) + row * 4 * width_,
          .cell_before = numbers(cells_) + row * width_,
          .cell = numbers(cells_) + (row + streams_) * width_,
          .hidden = numbers(hidden_) + (row + streams_) * width_};
}

void Recurrent::forward(const Step& step) {
  float* const state = step.state == nullptr ? nullptr : step.state + state_offset_;
  if (state != nullptr) {
    std::copy_n(state, state_numbers(), numbers(hidden_));
    std::copy_n(state + state_numbers(), state_numbers(), numbers(cells_));
  } else {
    std::fill_n(numbers(hidden_), state_numbers(), 0.0F);
    std::fill_n(numbers(cells_), state_numbers(), 0.0F);
  }
  of_inputs_(step.stream);
  for (std::size_t time = 0; time < steps_; ++time) {
    of_hidden_[time](step.stream);
    loops().cell_forward(cell_step(time));
  }
  if (state != nullptr) {
    const std::size_t last = input_.count * width_;
    std::copy_n(numbers(hidden_) + last, state_numbers(), state);
    std::copy_n(numbers(cells_) + last, state_numbers(), state + state_numbers());
  }
}

void Recurrent::backward(const Step& step) {
  std::ranges::fill(cell_gradient_, 0.0F);
  for (std::size_t time = steps_; time-- > 0;) {
    CellStep cell = cell_step(time);
    cell.hidden_gradient = output_.gradients() + time * state_numbers();
    cell.cell_gradient = cell_gradient_.data();
    cell.gates_gradient = numbers(gates_gradient_) + 4 * time * state_numbers();
    loops().cell_backward(cell);
    if (time > 0) {
      to_hidden_gradient_[time](step.stream);
    }
  }
  backward_weight_(step.stream);
  backward_recurrent_(step.stream);
  sum_rows(input_.count, 4 * width_, numbers(gates_gradient_), step.gradient + bias_offset_);
  if (backward_data_) {
    backward_data_(step.stream);
  }
}

}  // namespace

Built build_lstm(const Site& site,
                 const Lstm& lstm,
                 std::size_t streams,
                 std::size_t state_offset) {
  auto stage = std::make_unique<Recurrent>(site, lstm, streams, state_offset);
  const Blob output = stage->output();
  return {std::move(stage), output};
}

}  // namespace isthmus::dnn
