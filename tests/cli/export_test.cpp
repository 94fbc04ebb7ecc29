// SPDX-License-Identifier: MIT
// `isthmus export`: networks out of saved paths, and `sweep --part`: runs out of parts.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"

namespace isthmus::testing {
namespace {

using Json = nlohmann::json;

// The header of a safetensors file.
Json header_of(const std::filesystem::path& file) {
  const std::string content = bytes_of(file);
  std::uint64_t size = 0;
  for (int i = 7; i >= 0; --i) {
    size = size * 256 + static_cast<unsigned char>(content[static_cast<std::size_t>(i)]);
  }
  return Json::parse(content.substr(8, size));
}

std::string data_of(const std::filesystem::path& file) {
  const std::string content = bytes_of(file);
  return content.substr(
      8 + (static_cast<unsigned char>(content[0]) + 256U * static_cast<unsigned char>(content[1])));
}

// The file under other names, as another program would have written it.
void rename_tensors(const std::filesystem::path& file) {
  std::string content = bytes_of(file);
  Json header = header_of(file);
  const std::size_t size = content.size() - data_of(file).size() - 8;
  Json renamed;
  for (const auto& [name, entry] : header.items()) {
    renamed[name == "__metadata__" ? name : "net." + name] = entry;
  }
  std::string text = renamed.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    length[i] = static_cast<char>(text.size() >> (8 * i) & 255U);
  }
  std::ofstream(file, std::ios::binary) << length << text << content.substr(8 + size);
}

TEST(Export, WritesWhatTrainsAndConnectsAgain) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.1", "--out", "run"}, 0);
  const Outcome told = expect_run(
      folder.path(), {"export", "run", "--t", "0.37", "--out", "c.safetensors", "--beads", "b"}, 0);
  EXPECT_EQ(told.out.substr(0, 14), "c.safetensors\n");
  const Json header = header_of(folder / "c.safetensors");
  EXPECT_TRUE(header.contains("0.weight")) << header;
  const std::size_t beads = files_in(folder / "b", ".safetensors");
  EXPECT_GE(beads, 2U);
  // The ends are the end points: a run between the first and the last bead begins where this did.
  char last[40];
  std::snprintf(last, sizeof last, "b/bead_%04zu.safetensors", beads - 1);
  expect_run(folder.path(),
             {"connect",
              "quadratic",
              "--from",
              "b/bead_0000.safetensors",
              "--to",
              last,
              "--threshold",
              "0.1",
              "--out",
              "again"},
             0);
  expect_run(folder.path(), {"export", "again", "--t", "0", "--out", "a.safetensors"}, 0);
  EXPECT_EQ(data_of(folder / "a.safetensors"), data_of(folder / "b/bead_0000.safetensors"));
}

TEST(Export, KeepsTheNamesThatEndPointsCameWith) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.1", "--out", "run"}, 0);
  expect_run(folder.path(), {"export", "run", "--t", "0", "--out", "a.safetensors"}, 0);
  expect_run(folder.path(), {"export", "run", "--t", "1", "--out", "b.safetensors"}, 0);
  rename_tensors(folder / "a.safetensors");
  rename_tensors(folder / "b.safetensors");
  expect_run(folder.path(),
             {"connect",
              "quadratic",
              "--from",
              "a.safetensors",
              "--to",
              "b.safetensors",
              "--threshold",
              "0.1",
              "--out",
              "renamed"},
             0);
  expect_run(folder.path(), {"export", "renamed", "--t", "1", "--out", "c.safetensors"}, 0);
  EXPECT_TRUE(header_of(folder / "c.safetensors").contains("net.0.weight"));
  EXPECT_EQ(data_of(folder / "c.safetensors"), data_of(folder / "b.safetensors"));
}

TEST(Names, SayWhichTensorOfAFileIsWhich) {
  const TemporaryFolder folder;
  expect_run(folder.path(), {"connect", "quadratic", "--threshold", "0.1", "--out", "run"}, 0);
  expect_run(folder.path(), {"export", "run", "--t", "0", "--out", "a.safetensors"}, 0);
  expect_run(folder.path(), {"export", "run", "--t", "1", "--out", "b.safetensors"}, 0);
  rename_tensors(folder / "a.safetensors");
  const auto connect =
      [&](Arguments more, int code, std::initializer_list<std::string_view> parts = {}) {
        Arguments all{"connect", "quadratic", "--threshold", "0.1"};
        all.insert(all.end(), more.begin(), more.end());
        return expect_run(folder.path(), all, code, parts);
      };
  const Arguments ends{"--from", "a.safetensors", "--to", "b.safetensors", "--out", "named"};
  const auto named = [&](std::string_view content, int code, std::string_view text) {
    folder.write("names.json", content);
    Arguments all = ends;
    all.insert(all.end(), {"--names", "names.json"});
    connect(all, code, {text});
  };
  named(R"({"net.0.weight": "2.weight", "net.2.weight": "0.weight"})", 65, "cannot be 2.weight");
  named(
      R"({"net.0.weight": "2.weight", "net.2.weight": "2.weight"})", 65, "would both be 2.weight");
  named(R"({"net.0.weight": "0.weights"})", 65, "the network has no tensor 0.weights");
  named(R"({"net.9.weight": "0.weight"})", 65, "the file has no tensor net.9.weight");
  named(R"({"net.0.weight": 0})", 65, "expected an object");
  EXPECT_FALSE(std::filesystem::exists(folder / "named"));
  named(R"({"net.0.weight": "0.weight", "net.2.weight": "2.weight"})", 0, "own names");
  EXPECT_EQ(data_of(folder / "named/paths/0.1_0.safetensors"),
            data_of(folder / "run/paths/0.1_0.safetensors"));
  connect({"--names", "names.json"}, 64, {"--from and --to"});
  Arguments absent = ends;
  absent.insert(absent.end(), {"--names", "nowhere.json"});
  connect(absent, 66, {"nowhere.json"});
}

TEST(Export, SaysWhatItNeeds) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             {"connect", "quadratic", "--threshold", "0.1", "--pairs", "2", "--out", "run"},
             0);
  const auto refused = [&](Arguments more, int code, std::string_view text) {
    more.insert(more.begin(), "export");
    const Outcome outcome = expect_run(folder.path(), more, code);
    EXPECT_NE(outcome.err.find(text), std::string::npos) << outcome.err;
  };
  refused({"run"}, 64, "give --t T with --out FILE, or --beads DIR");
  refused({"run", "--t", "0.5"}, 64, "give --t T with --out FILE");
  refused({"run", "--t", "0.5", "--out", "c"}, 64, "it has 2 paths");
  refused({"run", "--pair", "7", "--beads", "b"}, 64, "no path of that --threshold and --pair");
  refused({"run", "--pair", "1", "--t", "1.5", "--out", "c"}, 64, "in [0, 1], got 1.5");
  refused({"nowhere", "--beads", "b"}, 66, "nowhere");
  expect_run(folder.path(),
             {"export", "run", "--threshold", "0.1", "--pair", "1", "--t", "0.5", "--out", "c"},
             0);
}

TEST(Parts, MakeTheRunOfOneProcess) {
  const TemporaryFolder folder;
  const Arguments sweep{"sweep", "quadratic", "--pairs", "3", "--thresholds", "0.1,0.02"};
  const auto with = [&](Arguments more) {
    Arguments all = sweep;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_run(folder.path(), with({"--out", "whole"}), 0);
  // The second part is left to the run that puts them together.
  for (const char* part : {"0/3", "2/3"}) {
    expect_run(folder.path(), with({"--out", "run", "--part", part}), 0);
  }
  expect_run(folder.path(), with({"--out", "run"}), 0);
  expect_same_runs(folder / "run", folder / "whole");
  EXPECT_FALSE(std::filesystem::exists(folder / "run.parts"));
}

TEST(Parts, AreRefusedWhereTheyAreOfAnotherRun) {
  const TemporaryFolder folder;
  expect_run(folder.path(),
             {"sweep", "quadratic", "--thresholds", "0.1", "--out", "run", "--part", "0/2"},
             0);
  expect_run(folder.path(),
             {"sweep", "quadratic", "--thresholds", "0.1", "--seed", "2", "--out", "run"},
             78);
  for (const char* part : {"2/2", "1", "a/b", "1/0", "-1/2", "/"}) {
    expect_run(folder.path(), {"sweep", "quadratic", "--out", "x", "--part", part}, 64);
  }
}

}  // namespace
}  // namespace isthmus::testing
