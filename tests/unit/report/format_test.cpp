// SPDX-License-Identifier: MIT
#include "isthmus/report/format.h"

#include <gtest/gtest.h>

#include <cmath>

#include "isthmus/report/text_table.h"

namespace isthmus {
namespace {

TEST(Format, CountsHaveThreeDigits) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(999.6), "1.00 k");
  EXPECT_EQ(human_count(1000), "1.00 k");
  EXPECT_EQ(human_count(9994), "9.99 k");
  EXPECT_EQ(human_count(9996), "10.0 k");
  EXPECT_EQ(human_count(31'400'000), "31.4 M");
  EXPECT_EQ(human_count(999'499), "999 k");
  EXPECT_EQ(human_count(999'500), "1.00 M");
  EXPECT_EQ(human_count(2.05e9), "2.05 G");
  EXPECT_EQ(human_count(7e18), "7000 P");
  EXPECT_EQ(human_count(NAN), "-");
}

TEST(Format, DurationsChangeTheirUnit) {
  EXPECT_EQ(human_duration(0.004), "0.00 s");
  EXPECT_EQ(human_duration(9.994), "9.99 s");
  EXPECT_EQ(human_duration(9.996), "10.0 s");
  EXPECT_EQ(human_duration(59.96), "1 min 00 s");
  EXPECT_EQ(human_duration(245), "4 min 05 s");
  EXPECT_EQ(human_duration(3599.6), "1 h 00 min");
  EXPECT_EQ(human_duration(7380), "2 h 03 min");
}

TEST(Format, FixedNumbersHaveNoNegativeZero) {
  EXPECT_EQ(fixed(-0.001, 2), "0.00");
  EXPECT_EQ(fixed(-0.5, 0), "0");
  EXPECT_EQ(fixed(-1.005, 1), "-1.0");
  EXPECT_EQ(fixed(NAN, 3), "-");
}

TEST(Format, OnlyAllIsHundredPercent) {
  EXPECT_EQ(percentage(300, 300), "100 %");
  EXPECT_EQ(percentage(299, 300), "99 %");
  EXPECT_EQ(percentage(1, 300), "1 %");
  EXPECT_EQ(percentage(0, 300), "0 %");
  EXPECT_EQ(percentage(0, 0), "-");
}

TEST(Format, ThresholdsHaveTheirUnit) {
  EXPECT_EQ(with_unit(0.07, metric_label("error_rate")), "7 %");
  EXPECT_EQ(with_unit(0.00775, metric_label("error_rate")), "0.775 %");
  EXPECT_EQ(with_unit(0.0025, metric_label("mean_absolute_error")), "0.0025");
  EXPECT_EQ(metric_label("mean_absolute_error").name, "mean absolute error");
  EXPECT_EQ(metric_label("").name, "loss");
}

TEST(TextTable, AlignsColumns) {
  TextTable table({"name", "n"});
  table.add({"a", "1"});
  table.add({"b\u2080|", "200"});
  EXPECT_EQ(table.str(TableForm::text), "name    n\n----  ---\na       1\nb\u2080|   200\n");
  EXPECT_EQ(table.str(TableForm::markdown),
            "| name |   n |\n|------|----:|\n| a    |   1 |\n| b\u2080\\| | 200 |\n");
}

}  // namespace
}  // namespace isthmus
