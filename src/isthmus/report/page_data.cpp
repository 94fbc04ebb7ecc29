// SPDX-License-Identifier: MIT
#include "isthmus/report/page_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace isthmus {
namespace {

// As far as a picture shows it: pages stay small.
Json digits(double value) {
  return std::isfinite(value) ? Json(std::stod(fmt::format("{:.6g}", value))) : Json();
}

template <class Values, class Of>
Json list_of(const Values& values, const Of& of) {
  Json list = Json::array();
  for (const auto& value : values) {
    list.push_back(of(value));
  }
  return list;
}

Json three(const std::array<double, 3>& at) {
  return std::isfinite(at[0]) ? Json{digits(at[0]), digits(at[1]), digits(at[2])} : Json();
}

Json string_json(const PathPicture& picture) {
  Json segments = Json::object();
  for (const AlongRow& row : picture.along) {
    Json& segment = segments[fmt::format("{}-{}", row.left, row.right)];
    segment["t"].push_back(digits(row.t));
    segment["value"].push_back(digits(row.metric));
  }
  return {
      {"rounds", picture.rounds().value_or(0)},
      {"segments", std::move(segments)},
      {"beads", list_of(picture.beads, [](const BeadRow& bead) {
         return Json{{"at", three(bead.at)}, {"start", three(bead.start)}, {"round", bead.round}};
       })}};
}

Json profile_json(const AlongProfile& profile, double threshold) {
  const auto first = [](const auto& point) { return digits(point.first); };
  const auto second = [](const auto& point) { return digits(point.second); };
  return {{"threshold", threshold},
          {"second", profile.second},
          {"series",
           list_of(profile.series,
                   [&](const AlongProfile::Series& series) {
                     return Json{{"name", series.name},
                                 {"second", series.second},
                                 {"x", list_of(series.points, first)},
                                 {"y", list_of(series.points, second)}};
                   })},
          {"beads", {{"x", list_of(profile.beads, first)}, {"y", list_of(profile.beads, second)}}},
          {"bounds", list_of(profile.bounds, [](const AlongProfile::Bound& bound) {
             return Json{digits(bound.from), digits(bound.to), digits(bound.value)};
           })}};
}

Json plane_json(const PathPicture& picture) {
  std::size_t columns = 0;
  for (const PlaneRow& row : picture.plane) {
    columns = std::max(columns, row.i + 1);
  }
  Json x = Json::array();
  Json y = Json::array();
  Json z = Json::array();
  for (const PlaneRow& row : picture.plane) {
    if (row.j == 0) {
      x.push_back(digits(row.x));
    }
    if (row.i == 0) {
      y.push_back(digits(row.y));
      z.push_back(Json::array());
    }
    z.back().push_back(digits(row.metric));
  }
  std::vector<PlanePointRow> path = picture.plane_points;
  std::erase_if(path, [](const PlanePointRow& row) { return !row.name.starts_with("bead"); });
  return {{"x", std::move(x)},
          {"y", std::move(y)},
          {"z", std::move(z)},
          {"path",
           {{"x", list_of(path, [](const PlanePointRow& row) { return digits(row.x); })},
            {"y", list_of(path, [](const PlanePointRow& row) { return digits(row.y); })},
            {"z", list_of(path, [](const PlanePointRow& row) { return digits(row.metric); })},
            {"name", list_of(path, [](const PlanePointRow& row) {
               return fmt::format("{}, {} off the plane", row.name, short_number(row.off));
             })}}}};
}

Json curve_json(const FigureData& figure) {
  const auto points = [&](double CurveRow::*mean,
                          double CurveRow::*error,
                          std::vector<PublishedPoint> PublishedCurve::*published) {
    Json json{
        {"mean", list_of(figure.curve, [&](const CurveRow& row) { return digits(row.*mean); })},
        {"error", list_of(figure.curve, [&](const CurveRow& row) { return digits(row.*error); })}};
    if (figure.published) {
      const auto& theirs = *figure.published.*published;
      json["published"] = {
          {"x",
           list_of(theirs, [](const PublishedPoint& point) { return digits(point.threshold); })},
          {"y", list_of(theirs, [](const PublishedPoint& point) { return digits(point.value); })},
          {"error",
           list_of(theirs, [](const PublishedPoint& point) { return digits(point.half_width); })}};
    }
    return json;
  };
  return {
      {"log", figure.log_beads},
      {"threshold", list_of(figure.curve, [](const CurveRow& row) { return Json(row.threshold); })},
      {"of",
       list_of(
           figure.curve,
           [](const CurveRow& row) { return fmt::format("{} of {}", row.connected, row.pairs); })},
      {"length",
       points(
           &CurveRow::length_weights_mean, &CurveRow::length_weights_sem, &PublishedCurve::length)},
      {"beads", points(&CurveRow::beads_mean, &CurveRow::beads_sem, &PublishedCurve::beads)}};
}

// From the table that was evaluated for pictures.
AlongProfile evaluated_profile(const RunRecord& run, const PathPicture& picture) {
  AlongProfile profile;
  const std::string own = run.split;
  const std::string other = own == "test" ? "train" : "test";
  const std::string companion = picture.info.value("companion", Json()).is_string()
                                    ? picture.info.value("companion", std::string())
                                    : std::string();
  const std::string name = metric_label(run.metric).name;
  profile.second = companion.empty() ? "" : metric_label(companion).name;
  const auto add = [&](const std::string& label, double AlongRow::*value, bool second) {
    AlongProfile::Series series{.name = label, .points = {}, .second = second};
    for (const AlongRow& row : picture.along) {
      if (row.right == row.left + 1) {
        const double from = picture.beads[row.left].arc_length;
        const double to = picture.beads[row.right].arc_length;
        series.points.emplace_back((1.0 - row.t) * from + row.t * to, row.*value);
      }
    }
    if (std::ranges::any_of(series.points,
                            [](const auto& point) { return std::isfinite(point.second); })) {
      profile.series.push_back(std::move(series));
    }
  };
  const std::string of_second = profile.second;
  add(fmt::format("{}, {} split", name, own), &AlongRow::metric, false);
  add(fmt::format("{}, {} split", name, other), &AlongRow::metric_other, false);
  if (!companion.empty()) {
    add(fmt::format("{}, {} split", of_second, own), &AlongRow::companion, true);
    add(fmt::format("{}, {} split", of_second, other), &AlongRow::companion_other, true);
  }
  for (const AlongRow& row : picture.along) {
    if (row.right == row.left + 1 && (row.t == 0.0 || row.right + 1 == picture.beads.size()) &&
        (row.t == 0.0 || row.t == 1.0)) {
      profile.beads.emplace_back(picture.beads[row.t == 0.0 ? row.left : row.right].arc_length,
                                 row.metric);
    }
  }
  return profile;
}

// From what the run kept.
AlongProfile kept_profile(const PathProfile& kept) {
  AlongProfile profile;
  AlongProfile::Series series{.name = kept.metric.name, .points = {}};
  for (const ProfileSample& sample : kept.path) {
    series.points.emplace_back(sample.arc_length, sample.value);
    if (sample.t == 0.0 || (sample.t == 1.0 && &sample == &kept.path.back())) {
      profile.beads.emplace_back(sample.arc_length, sample.value);
    }
  }
  profile.series.push_back(std::move(series));
  return profile;
}

void add_bounds(const PageCell& cell, AlongProfile& profile) {
  const bool known = cell.details.is_object() && cell.details.contains("segment_bounds") &&
                     cell.picture &&
                     cell.details["segment_bounds"].size() + 1 == cell.picture->beads.size();
  if (!known) {
    return;
  }
  std::size_t segment = 0;
  for (const Json& bound : cell.details["segment_bounds"]) {
    if (bound.is_number()) {
      profile.bounds.push_back({.from = cell.picture->beads[segment].arc_length,
                                .to = cell.picture->beads[segment + 1].arc_length,
                                .value = bound.get<double>()});
    }
    ++segment;
  }
}

}  // namespace

std::optional<AlongProfile> along_profile(const RunRecord& run, const PageCell& cell) {
  std::optional<AlongProfile> profile;
  if (cell.picture && !cell.picture->along.empty()) {
    profile = evaluated_profile(run, *cell.picture);
  } else if (cell.profile && !cell.profile->path.empty()) {
    profile = kept_profile(*cell.profile);
  }
  if (profile) {
    add_bounds(cell, *profile);
  }
  return profile;
}

Json page_data(const RunRecord& run, const PageCell* cell) {
  const MetricLabel metric = metric_label(run.metric);
  Json data{
      {"metric",
       {{"name", metric.name},
        {"unit", metric.unit},
        {"factor", metric.factor},
        {"label",
         metric.unit.empty() ? metric.name : fmt::format("{} ({})", metric.name, metric.unit)}}},
      {"heat", nullptr},
      {"string", nullptr},
      {"profile", nullptr},
      {"plane", nullptr},
      {"curve", nullptr}};
  if (!run.curve.empty() && run.cells.size() > 1) {
    data["curve"] = curve_json(figure_data(run));
  }
  if (cell == nullptr) {
    return data;
  }
  if (const auto profile = along_profile(run, *cell)) {
    data["profile"] = profile_json(*profile, cell->row.threshold);
  }
  if (cell->picture) {
    const HeatScale scale = heat_scale(*cell->picture, cell->row.threshold);
    data["heat"] = {{"low", scale.low}, {"high", scale.high}, {"colors", heat_colors()}};
    data["string"] = string_json(*cell->picture);
    if (!cell->picture->plane.empty()) {
      data["plane"] = plane_json(*cell->picture);
    }
  }
  return data;
}

}  // namespace isthmus
