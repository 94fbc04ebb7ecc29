// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/verdict.h"

namespace isthmus {

/// The two tables of a run directory, as whoever writes them and whoever reads them see them.
/// docs/run_directory.md describes the whole directory.

/// The format of the run directories that this version writes, reads and resumes.
inline constexpr std::string_view run_format = "isthmus-run-1";

/// The files of a run directory.
namespace run_files {
inline constexpr std::string_view config = "config.json";
inline constexpr std::string_view manifest = "manifest.json";
inline constexpr std::string_view summary = "summary.json";
inline constexpr std::string_view cells = "cells.csv";
inline constexpr std::string_view curve = "curve.csv";
inline constexpr std::string_view figure = "figure.svg";
inline constexpr std::string_view timing = "timing.json";
inline constexpr std::string_view cell_details = "cells";   ///< a folder, one JSON file a cell
inline constexpr std::string_view paths = "paths";          ///< a folder, see path_file_name
inline constexpr std::string_view endpoints = "endpoints";  ///< a folder: states of their training
}  // namespace run_files

/// "THRESHOLD_PAIR.safetensors", e.g. "0.01_3.safetensors".
std::string path_file_name(double threshold, std::size_t pair);

/// A number that a row does not have.
inline constexpr double no_value = std::numeric_limits<double>::quiet_NaN();

/// One row of cells.csv: one pair of end points at one threshold. Real numbers may be NaN where the
/// verdict leaves none (no string was tried, or the distance of the end points is 0).
struct CellRow {
  double threshold = 0;    ///< L0, in the metric's own unit (an error rate is a fraction); finite
  std::size_t pair = 0;    ///< from 0
  std::uint64_t seed = 0;  ///< of the pair
  Verdict verdict = Verdict::not_connected;
  double max_metric = no_value;                 ///< greatest metric on the grid of the whole string
  double max_t = no_value;                      ///< where on the string that is
  double normalized_length = no_value;          ///< over all parameters; 1 is the straight line
  double normalized_length_weights = no_value;  ///< over the weights alone, as published
  std::uint64_t beads = 0;                      ///< both end points counted, as published
  std::uint64_t beads_inserted = 0;             ///< tried ones too
  std::uint64_t rounds = 0;
  std::uint64_t gradient_samples_endpoints = 0;  ///< samples that went into gradients
  std::uint64_t gradient_samples_beads = 0;
  std::uint64_t forward_samples_checks = 0;  ///< samples evaluated without a gradient
  double max_metric_train = no_value;        ///< as max_metric, on the training split
  std::string proof{};  ///< "proven", or "screened:N" or "sampled:N" with N grid points a segment
  double bound = no_value;              ///< proven: the metric is nowhere larger on the path
  double check_evaluations = no_value;  ///< forward_samples_checks in passes over the split
  /// Connected: "direct" by the method, "repaired" by a way around, "symmetry" of equal networks.
  std::string joined{};
  std::uint64_t tries = 0;     ///< of repair
  std::string aligned{"raw"};  ///< or "aligned": end point B is the copy of B that is nearest to A

  /// Equal bit for bit, NaN equal to NaN.
  bool operator==(const CellRow& other) const;
};

/// One row of curve.csv: all pairs of one threshold. Means and standard errors are over the
/// connected pairs; `connected` of `pairs` says how many those are.
struct CurveRow {
  double threshold = 0;           ///< finite
  std::size_t pairs = 0;          ///< tried, whatever came of them
  std::size_t connected = 0;      ///< of these
  double length_mean = no_value;  ///< of normalized_length
  double length_sem = no_value;   ///< sample standard deviation / sqrt(connected); NaN below 2
  double length_weights_mean = no_value;
  double length_weights_sem = no_value;
  double beads_mean = no_value;
  double beads_sem = no_value;
  std::size_t direct = 0;  ///< of the connected ones, without repair

  bool operator==(const CurveRow& other) const;
};

/// Rows in the order of the files: thresholds descending, pairs ascending.
void sort_cells(std::vector<CellRow>& cells);

/// The text of cells.csv, rows sorted as sort_cells does, so that the same cells give the same
/// bytes in whatever order they were finished.
std::string to_csv(std::vector<CellRow> cells);
/// The text of curve.csv, rows as they come.
std::string to_csv(const std::vector<CurveRow>& curve);

/// Reads what to_csv wrote; see CsvTable for how strictly. `name` is what errors call the text.
/// A pair that is there twice at one threshold is a DataError.
std::vector<CellRow> parse_cells(std::string_view text, const std::string& name);
/// A threshold that is there twice, or more connected than tried, is a DataError.
std::vector<CurveRow> parse_curve(std::string_view text, const std::string& name);

/// The curve of some cells: one row a threshold, descending. Does not depend on the cells' order.
std::vector<CurveRow> curve_of(std::vector<CellRow> cells);

/// Mean and its standard error (sample standard deviation / sqrt(n)) of the finite values; the mean
/// of none and the error of fewer than two are NaN.
struct MeanError {
  double mean = no_value;
  double error = no_value;
  std::size_t count = 0;
};
MeanError mean_error(const std::vector<double>& values);

}  // namespace isthmus
