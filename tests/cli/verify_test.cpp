// SPDX-License-Identifier: MIT
// `isthmus verify`: the grid of a run is that of its paths.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "command.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

Json verified(const TemporaryFolder& folder, const Arguments& more) {
  Arguments arguments{"verify"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.emplace_back("--json");
  return Json::parse(expect_run(folder.path(), arguments, 0).out)[0];
}

TEST(Verify, TellsWhatARunOfThePaperProtocolTold) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             {"connect",
              "quadratic",
              "--protocol",
              "paper",
              "--threshold",
              "0.1",
              "--pairs",
              "1",
              "--out",
              "run"},
             0);
  const double told = std::stod(cell_of(folder / "run/cells.csv", "max_metric"));
  const Json cell = Json::parse(bytes_of(folder / "run/cells/0.1_0.json"));
  const double largest = std::max(told, cell["details"]["metric_b"].get<double>());
  const auto expect_as_told = [&](const std::string& target) {
    const Json seen = verified(folder, {target});
    EXPECT_EQ(seen["points"], 100);
    EXPECT_EQ(seen["include_end"], false);
    EXPECT_EQ(seen["max_metric"].get<double>(), largest) << target;
    EXPECT_EQ(seen["metric_b"], cell["details"]["metric_b"]);
    EXPECT_EQ(seen["below"], true);
    const Outcome words = expect_run(folder.path(), {"verify", target}, 0);
    EXPECT_NE(words.out.find("(100 points a segment, t = k / 100 without 1, and end point B)"),
              std::string::npos)
        << words.out;
  };
  expect_as_told("run");
  const std::string file = "run/paths/0.1_0.safetensors";
  expect_as_told(file);
  std::filesystem::copy(folder / file, folder / "moved.safetensors");
  expect_as_told("moved.safetensors");
  // The same places by number, with the ends; other places have other values.
  EXPECT_EQ(verified(folder, {"run", "--points", "101"})["max_metric"].get<double>(), largest);
  const Json other = verified(folder, {"run", "--points", "100"});
  EXPECT_EQ(other["include_end"], true);
  EXPECT_NE(other["max_metric"].get<double>(), largest);
  EXPECT_NE(expect_run(folder.path(), {"verify", "run", "--points", "100"}, 0)
                .out.find("(100 points a segment, t = k / 99)"),
            std::string::npos);
  // As an earlier version wrote it: the run knows, the file alone does not.
  replace_in(folder / file, "\"include_end\":", "\"include_enX\":");
  expect_as_told("run");
  expect_as_told(file);
  std::filesystem::copy(folder / file, folder / "old.safetensors");
  EXPECT_EQ(verified(folder, {"old.safetensors"}), [&] {
    Json expected = other;
    expected["file"] = "old.safetensors";
    return expected;
  }());
}

}  // namespace
}  // namespace isthmus::testing
