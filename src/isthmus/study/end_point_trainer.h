// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isthmus/core/stop.h"
#include "isthmus/study/options.h"
#include "isthmus/study/run_directory.h"
#include "isthmus/train/train.h"

namespace isthmus {

/// An end point at one threshold.
struct EndPoint {
  std::vector<float> theta;
  bool reached = true;  ///< or need not: it is to train with its string
  TrainSummary summary;
};

/// End points that were trained, by pair and targets, for studies that differ in nothing that they
/// depend on. Safe to share between threads.
class EndPointCache {
 public:
  using Key = std::pair<std::size_t, std::vector<double>>;
  using Ends = std::array<std::vector<EndPoint>, 2>;  ///< [side][target]
  std::optional<Ends> find(const Key& key);
  void keep(const Key& key, const Ends& ends);

 private:
  std::mutex mutex_;
  std::map<Key, Ends> ends_;
};

/// What the training of an end point tells.
struct EndPointProgress {
  std::size_t pair = 0;
  char side = 'A';
  double threshold = 0.0;
  bool reached = false;      ///< it has reached `threshold`; else it was looked at on the way there
  TrainProgress training{};  ///< unless reached
};

/// Trains the end points of a study's pairs, and keeps those of large networks in its run as they
/// reach their targets. Safe to call for several pairs at once.
class EndPointTrainer {
 public:
  using Tell = std::function<void(const EndPointProgress&)>;
  /// All of them outlive it.
  EndPointTrainer(const StudyOptions& options,
                  RunDirectory& run,
                  const Stop* stop,
                  Tell tell,
                  EndPointCache* cache = nullptr);

  /// The two end points of a pair at each target (descending): [side][target]; initialisations
  /// where strings begin at such. Those of a target that is `finished` are not needed any more.
  /// Throws Interrupted.
  std::array<std::vector<EndPoint>, 2> of_pair(Evaluators& evaluators,
                                               std::size_t pair,
                                               const std::vector<double>& targets,
                                               const std::vector<bool>& finished);
  /// The same without the cache; of side A alone if `count` is 1.
  std::array<std::vector<EndPoint>, 2> trained(Evaluators& evaluators,
                                               std::size_t pair,
                                               const std::vector<double>& targets,
                                               const std::vector<bool>& finished,
                                               std::size_t count = 2);

 private:
  std::string name(std::size_t pair, char side, double target) const;
  std::string state_name(std::size_t pair, char side, double first_target) const;
  std::size_t find(std::size_t pair,
                   char side,
                   const std::vector<double>& targets,
                   const std::vector<bool>& finished,
                   std::vector<EndPoint>& points) const;
  TrainJob job(const Objective& objective,
               std::size_t pair,
               char side,
               const std::vector<double>& targets,
               std::vector<EndPoint>& points);

  const StudyOptions& options_;
  RunDirectory& run_;
  const Stop* stop_;
  Tell tell_;
  EndPointCache* cache_;
  bool for_all_;  // thresholds: one training passes them all
};

}  // namespace isthmus
