// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "isthmus/certify/certifier.h"
#include "isthmus/core/json_fwd.h"
#include "isthmus/study/study.h"

namespace isthmus {

inline constexpr std::string_view certificate_format = "isthmus-certificate-1";

/// What is proven of a saved path: the content of a certificate file (docs/certificate.md).
struct Certificate {
  Problem problem;
  std::string path_sha256;
  Metric metric = Metric::mean_absolute_error;
  Split split = Split::test;
  Penalty penalty;            ///< that the metric counts: none for error rates and perplexity
  double threshold = 0.0;     ///< tolerance included
  std::optional<double> gap;  ///< asked for instead of the threshold
  bool proven = false;        ///< every segment, to the threshold or the gap
  double bound = 0.0;         ///< the metric is nowhere larger on the path
  double largest_seen = 0.0;  ///< and at least this large at `t` of `segment`
  std::size_t segment = 0;
  double t = 0.0;
  double evaluations = 0.0;  ///< in passes over the split
  std::vector<SegmentProof> segments;
  std::string conversion;  ///< "", or what was converted to float32: the proof is of that
};

struct CertificateOptions {
  std::optional<Split> split;
  std::optional<Metric> metric;
  std::optional<double> threshold;  ///< with tolerance 1
  std::optional<double> gap;
  double max_evaluations = 400.0;  ///< of one segment
  std::optional<std::filesystem::path> data_folder;
};

/// Proves the maximum of a metric along a saved path, from the file and the data alone. Throws as
/// verify_path, and UsageError where network or metric are not covered.
Certificate certify_path(const std::filesystem::path& file,
                         const CertificateOptions& options,
                         Workers& workers,
                         const Stop* stop = nullptr);

Json to_json(const Certificate& certificate);

}  // namespace isthmus
