// SPDX-License-Identifier: MIT
#include "isthmus/study/point_values.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <mutex>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/json.h"

namespace isthmus {
namespace {

using Clock = std::chrono::steady_clock;

// What is known of the points, and where it is kept.
class Ledger {
 public:
  Ledger(std::size_t count,
         std::size_t width,
         std::filesystem::path file,
         std::string key,
         const std::function<void(std::size_t)>& progress)
      : width_(width),
        file_(std::move(file)),
        key_(std::move(key)),
        progress_(progress),
        known_(count),
        values_(count * width, std::numeric_limits<double>::quiet_NaN()) {
    take_up();
  }

  bool known(std::size_t point) const { return known_[point] != 0; }

  void keep(std::size_t point, std::span<const double> values) {
    const std::lock_guard lock(mutex_);
    std::ranges::copy(values, values_.begin() + static_cast<std::ptrdiff_t>(point * width_));
    known_[point] = 1;
    ++done_;
    if (progress_) {
      progress_(done_);
    }
    if (Clock::now() - last_ > std::chrono::seconds(5)) {
      write();
    }
  }

  void write() {
    Json rows = Json::array();
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i] == 0) {
        continue;
      }
      Json row = Json::array({i});
      for (std::size_t k = 0; k < width_; ++k) {
        row.push_back(number_or_null(values_[i * width_ + k]));
      }
      rows.push_back(std::move(row));
    }
    write_file(file_, Json{{"key", key_}, {"rows", std::move(rows)}}.dump() + "\n");
    last_ = Clock::now();
  }

  std::vector<double> finish() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
    return std::move(values_);
  }

 private:
  // A file that is damaged, or of something else, is written again.
  void take_up() {
    if (!std::filesystem::exists(file_)) {
      return;
    }
    try {
      const Json json = read_json(file_);
      if (json.at("key") != key_) {
        return;
      }
      for (const Json& row : json.at("rows")) {
        const auto point = row.at(0).get<std::size_t>();
        if (point >= known_.size() || row.size() != width_ + 1) {
          continue;
        }
        for (std::size_t k = 0; k < width_; ++k) {
          values_[point * width_ + k] = number_or_nan(row.at(k + 1));
        }
        known_[point] = 1;
      }
    } catch (const Json::exception&) {
    } catch (const DataError&) {
    }
    done_ = static_cast<std::size_t>(std::ranges::count(known_, 1));
  }

  std::size_t width_;
  std::filesystem::path file_;
  std::string key_;
  const std::function<void(std::size_t)>& progress_;
  std::vector<unsigned char> known_;
  std::vector<double> values_;
  std::size_t done_ = 0;
  std::mutex mutex_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace

std::vector<double> values_at(Evaluators& evaluators,
                              const PointSet& points,
                              std::span<const PointValue> values,
                              const std::filesystem::path& unfinished,
                              const std::string& key,
                              const Stop* stop,
                              const std::function<void(std::size_t)>& progress) {
  Ledger ledger(points.count, values.size(), unfinished, key, progress);
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < points.count; ++i) {
    if (!ledger.known(i) && points.wanted(i) > 0) {
      open.push_back(i);
    }
  }
  const std::size_t dimension = evaluators.objective().dimension();
  std::vector<std::vector<float>> thetas(evaluators.workers().size());
  try {
    evaluators.workers().for_each(open.size(), [&](std::size_t k, std::size_t worker) {
      if (stop && stop->requested()) {
        throw Interrupted("stopped on request: repeat the command to go on");
      }
      std::vector<float>& theta = thetas[worker];
      theta.resize(dimension);
      points.at(open[k], theta);
      std::vector<double> found(values.size(), std::numeric_limits<double>::quiet_NaN());
      for (std::size_t v = 0; v < points.wanted(open[k]); ++v) {
        evaluators.of(worker).metrics(values[v].split, values[v].metric, theta, {&found[v], 1});
      }
      ledger.keep(open[k], found);
    });
  } catch (const Interrupted&) {
    ledger.write();
    throw;
  }
  return ledger.finish();
}

Metric companion_of(const Objective& objective, Metric metric) {
  const Metric other = metric == Metric::cross_entropy ? Metric::error_rate : Metric::cross_entropy;
  const bool classes = metric == Metric::cross_entropy || loss_of(metric) == Loss::cross_entropy;
  return classes && objective.supports(other) ? other : metric;
}

}  // namespace isthmus
