// SPDX-License-Identifier: MIT
// The commands report and plane: what they write of a run, and what they refuse.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "command.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

void connect(const TemporaryFolder& folder, const std::string& threshold) {
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", threshold, "--repair", "none", "--out", "run"},
             0);
}

TEST(Report, WritesAPageThatIsTheSameAgain) {
  const TemporaryFolder folder;
  connect(folder, "0.01");
  const Outcome report = expect_run(folder.path(), {"report", "run"}, 0);
  EXPECT_NE(report.out.find("Connected, and proven."), std::string::npos);
  EXPECT_NE(report.out.find("Principal axes: "), std::string::npos);
  EXPECT_NE(report.out.find("Page:   run/report.html"), std::string::npos);
  const std::string page = content_of(folder / "run/report.html");
  EXPECT_NE(page.find("isthmus connect quadratic --threshold 0.01 --repair none --out run"),
            std::string::npos);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_EQ(page.find("<script src"), std::string::npos);
  const auto beads = read_table(folder / "run/pictures/0.01_0.beads.csv");
  const auto cell = cell_of(folder / "run/cells.csv", "beads");
  EXPECT_EQ(std::to_string(beads.size() - 1), cell);
  expect_run(folder.path(), {"report", "run"}, 0);
  EXPECT_EQ(content_of(folder / "run/report.html"), page);
  // As many threads as one likes, and from nothing: the same tables.
  const std::string along = content_of(folder / "run/pictures/0.01_0.along.csv");
  std::filesystem::remove_all(folder / "run/pictures");
  expect_run(folder.path(), {"report", "run", "--threads", "1", "--no-tables"}, 0);
  EXPECT_EQ(content_of(folder / "run/pictures/0.01_0.along.csv"), along);
}

TEST(Report, WritesNothingWhereItIsAskedTo) {
  const TemporaryFolder folder;
  connect(folder, "0.1");
  expect_run(folder.path(), {"report", "run", "--no-figure"}, 0);
  expect_run(folder.path(), {"report", "run", "--no-page"}, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "run/report.html"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run/pictures"));
}

TEST(Report, RefusesWhatARunDoesNotHave) {
  const TemporaryFolder folder;
  connect(folder, "0.1");
  const auto refused = [&](const Arguments& more, std::initializer_list<std::string_view> parts) {
    Arguments command{"report", "run"};
    command.insert(command.end(), more.begin(), more.end());
    expect_run(folder.path(), command, 64, parts);
  };
  refused({"--threshold", "0.7"}, {"no finished pair", "0.7"});
  refused({"--pair", "3"}, {"no finished pair 3"});
  refused({"--animate", "string.avi"}, {".gif, .mp4 or .apng", ".avi"});
  refused({"--evaluate", "some"}, {"some"});
  refused({"--points", "1"}, {"at least 2"});
  refused({"--animate", "string.gif", "--no-figure"}, {"--no-figure"});
}

// Runs `report run --animate FILE` where programs are found in `path` alone. Returns what it says.
std::string animate(const TemporaryFolder& folder,
                    const std::string& path,
                    const std::string& file) {
  const std::string line = "cd '" + folder.path().string() + "' && PATH='" + path + "' '" +
                           ISTHMUS_BINARY + "' report run --animate " + file + " > said";
  EXPECT_EQ(std::system(line.c_str()), 0) << line;  // NOLINT(*-mt-unsafe)
  return content_of(folder / "said");
}

void write_program(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << "#!/bin/sh\n" << text;
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
}

TEST(Report, AnimatesByFfmpegAndLeavesFramesWithoutIt) {
  const TemporaryFolder folder;
  connect(folder, "0.01");
  const std::string rounds = cell_of(folder / "run/cells.csv", "rounds");
  const std::string nowhere = (folder / "nowhere").string();
  std::string said = animate(folder, nowhere, "string.gif");
  const std::string missing = "Animation: ffmpeg is missing, or reads no SVG; the " +
                              std::to_string(std::stoi(rounds) + 1) +
                              " frames are in string.frames";
  EXPECT_NE(said.find(missing), std::string::npos) << said;
  EXPECT_FALSE(std::filesystem::exists(folder / "string.gif"));
  // One for the line, one a round, and the last one for a while.
  EXPECT_EQ(files_in(folder / "string.frames", ".svg"), std::stoul(rounds) + 5);
  EXPECT_NE(content_of(folder / "string.frames/0000.svg"),
            content_of(folder / "string.frames/0001.svg"));
  // One that fails after it wrote something: nothing half made stays.
  const std::string last = "for word; do last=$word; done\necho moving > \"$last\"\n";
  write_program(folder / "fails/ffmpeg", last + "exit 1\n");
  said = animate(folder, (folder / "fails").string(), "string.mp4");
  EXPECT_NE(said.find("frames are in string.frames"), std::string::npos) << said;
  EXPECT_EQ(files_in(folder.path(), ".mp4"), 0u);
  // One that works: its file, and no frames.
  write_program(folder / "works/ffmpeg", last);
  said = animate(folder, (folder / "works").string(), "string.apng");
  EXPECT_NE(said.find("Animation: string.apng"), std::string::npos) << said;
  EXPECT_EQ(content_of(folder / "string.apng"), "moving\n");
  EXPECT_FALSE(std::filesystem::exists(folder / "string.frames"));
}

TEST(Plane, OfARunAndOfItsPathFile) {
  const TemporaryFolder folder;
  connect(folder, "0.01");
  const Json plane =
      Json::parse(expect_run(folder.path(), {"plane", "run", "--grid", "7", "--json"}, 0).out);
  EXPECT_EQ(plane["threshold"], 0.01);
  EXPECT_EQ(plane["points_on_it"][2]["off"].get<double>() < 1e-5, true);
  EXPECT_EQ(read_table(folder / "run/pictures/0.01_0.plane.csv").size(), 50u);
  expect_run(folder.path(), {"report", "run"}, 0);
  EXPECT_NE(content_of(folder / "run/report.html").find("The plane through three networks"),
            std::string::npos);
  expect_run(folder.path(),
             {"plane", "run/paths/0.01_0.safetensors", "--grid", "5", "--bead", "1", "--out", "p"},
             0);
  EXPECT_EQ(read_table(folder / "p/0.01_0.plane.csv").size(), 26u);
  expect_run(folder.path(), {"plane", "run", "--bead", "0"}, 64, {"--bead", "between the ends"});
  expect_run(folder.path(), {"plane", "run", "--bead", "900"}, 64, {"--bead"});
  expect_run(folder.path(), {"plane", "nowhere"}, 66, {"nowhere"});
}

TEST(Plane, OfThreeFilesNotOnOneLine) {
  const TemporaryFolder folder;
  const std::string files[3]{"1.safetensors", "2.safetensors", "3.safetensors"};
  for (const char* seed : {"1", "2", "3"}) {
    expect_run(folder.path(),
               {"train",
                "quadratic",
                "--threshold",
                "0.2",
                "--seed",
                seed,
                "--out",
                std::string(seed) + ".safetensors"},
               0);
  }
  expect_run(folder.path(),
             {"plane",
              "quadratic",
              files[0],
              files[1],
              files[2],
              "--grid",
              "5",
              "--threshold",
              "0.2",
              "--out",
              "p"},
             0);
  EXPECT_EQ(files_in(folder / "p", ".svg"), 1u);
  expect_run(
      folder.path(), {"plane", "quadratic", files[0], files[1], files[0]}, 64, {"lie on one line"});
  expect_run(folder.path(), {"plane", files[0], files[1]}, 64, {"three files"});
  expect_run(folder.path(), {"plane", "quadratic", files[0], files[1]}, 66, {"quadratic"});
  expect_run(folder.path(),
             {"plane", "quadratic", files[0], files[1], files[2], "--bead", "1"},
             64,
             {"--bead"});
}

}  // namespace
}  // namespace isthmus::testing
