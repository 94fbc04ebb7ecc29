// SPDX-License-Identifier: MIT
#include "isthmus/data/normalisation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/data/dataset.h"

namespace isthmus {
namespace {

std::string refusal(const std::string& text) {
  try {
    normalisation_of(text);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Normalisation, IsReadFromAText) {
  EXPECT_EQ(normalisation_of("0.1307:0.3081"), (Normalisation{{0.1307}, {0.3081}}));
  EXPECT_EQ(normalisation_of("-1,0,2e-1:1,2,3"), (Normalisation{{-1.0, 0.0, 0.2}, {1, 2, 3}}));
}

TEST(Normalisation, WrongOnesAreNamed) {
  for (const char* text :
       {"", "0.1", "0.1:", ":0.3", "0.1:0.3:1", "a:1", "0.1,:1,1", "0.1 : 0.3"}) {
    EXPECT_EQ(refusal(text),
              "normalise: expected MEAN:DEVIATION, each a number, or one for every channel with "
              "commas between (0.1307:0.3081), got '" +
                  std::string(text) + "'");
  }
  const std::string wrong = "normalise: expected as many finite means as deviations > 0, got ";
  EXPECT_EQ(refusal("0.1:0"), wrong + "means 0.1 and deviations 0");
  EXPECT_EQ(refusal("0.1:-1"), wrong + "means 0.1 and deviations -1");
  EXPECT_EQ(refusal("1,2:1"), wrong + "means 1, 2 and deviations 1");
  EXPECT_EQ(refusal("nan:1"), wrong + "means nan and deviations 1");
  EXPECT_EQ(refusal("0:inf"), wrong + "means 0 and deviations inf");
  EXPECT_THROW(byte_values(Normalisation{{0, 0}, {1, 1}}, 3), UsageError);
}

TEST(Normalisation, SamplesOfBytesReadTheirValuesFromTheTable) {
  Samples samples;
  samples.count = 2;
  samples.input_shape = {2, 1, 2};
  samples.bytes = {0, 255, 51, 102, 1, 2, 3, 4};
  samples.byte_values = byte_values({{0.25, 0.5}, {0.5, 0.1}}, 2);
  std::vector<float> input(4);
  samples.copy_input(0, input.data());
  // (byte / 255 - mean) / deviation in double, rounded once.
  const auto value = [](double byte, double mean, double deviation) {
    return static_cast<float>((byte / 255.0 - mean) / deviation);
  };
  EXPECT_EQ(
      input,
      (std::vector<float>{
          value(0, 0.25, 0.5), value(255, 0.25, 0.5), value(51, 0.5, 0.1), value(102, 0.5, 0.1)}));
  samples.copy_input(1, input.data());
  EXPECT_EQ(input[3], value(4, 0.5, 0.1));
}

}  // namespace
}  // namespace isthmus
