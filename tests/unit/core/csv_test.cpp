// SPDX-License-Identifier: MIT
#include "isthmus/core/csv.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "isthmus/core/error.h"

namespace isthmus {
namespace {

constexpr std::array<std::string_view, 2> columns{"a", "b"};

CsvTable parse(std::string_view text) {
  return CsvTable::parse(text, "t.csv", columns);
}

template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no DataError";
}

TEST(Csv, ReadsFieldsAndIgnoresColumnsBehind) {
  const CsvTable table = parse("a,b,later\r\n1.5,7,x\r\n-2e-3,18446744073709551615,\r\n");
  ASSERT_EQ(table.rows(), 2u);
  EXPECT_EQ(table.number(0, 0), 1.5);
  EXPECT_EQ(table.number(1, 0), -2e-3);
  EXPECT_EQ(table.integer(0, 1), 7u);
  EXPECT_EQ(table.integer(1, 1), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(table.text(0, 2), "x");
}

TEST(Csv, AnEmptyFieldAndNanAreNan) {
  const CsvTable table = parse("a,b\n,nan\n");
  EXPECT_TRUE(std::isnan(table.number(0, 0)));
  EXPECT_TRUE(std::isnan(table.number(0, 1)));
}

TEST(Csv, AHeadingAloneIsATableWithoutRows) {
  EXPECT_EQ(parse("a,b\n").rows(), 0u);
}

TEST(Csv, RefusesAWrongHeading) {
  EXPECT_EQ(message_of([] { parse("a,c\n"); }),
            "t.csv, line 1, column 2: expected the heading \"b\", found \"c\"");
  EXPECT_EQ(message_of([] { parse("a\n"); }),
            "t.csv, line 1, column 2: expected the heading \"b\", found the end of the line");
  EXPECT_EQ(message_of([] { parse(""); }),
            "t.csv, line 1: expected a heading, found an empty file");
}

TEST(Csv, RefusesALineThatWasCut) {
  EXPECT_EQ(
      message_of([] { parse("a,b\n1,2\n3,4"); }),
      "t.csv, line 3: expected a line feed at its end, found the end of the file: it was cut");
}

TEST(Csv, RefusesAWrongNumberOfFields) {
  EXPECT_EQ(message_of([] { parse("a,b\n1,2\n3\n"); }),
            "t.csv, line 3: expected 2 fields, found 1");
  EXPECT_EQ(message_of([] { parse("a,b\n1,2,3\n"); }), "t.csv, line 2: expected 2 fields, found 3");
  EXPECT_EQ(message_of([] { parse("a,b\n\n1,2\n"); }), "t.csv, line 2: expected 2 fields, found 1");
}

TEST(Csv, RefusesWhatIsNotANumber) {
  EXPECT_EQ(message_of([] { parse("a,b\n1,2\n1.5x,2\n").number(1, 0); }),
            "t.csv, line 3, column 1 (a): expected a finite number, \"nan\" or nothing, found "
            "\"1.5x\"");
  for (const char* field : {"inf", "-inf", "1e999", " 1", "1 ", "+1", "0x1p3z", "1;5", "-"}) {
    const std::string text = std::string("a,b\n") + field + ",0\n";
    EXPECT_THROW(parse(text).number(0, 0), DataError) << field;
  }
}

TEST(Csv, RefusesWhatIsNotAWholeNumber) {
  for (const char* field : {"", "nan", "-1", "1.0", "1e3", "18446744073709551616"}) {
    const std::string text = std::string("a,b\n") + field + ",0\n";
    EXPECT_THROW(parse(text).integer(0, 0), DataError) << field;
  }
}

TEST(Csv, ShowsDamageWithoutPrintingIt) {
  const std::string text = "a,b\n" + std::string("\x1b\0", 2) + std::string(100, 'z') + ",0\n";
  const std::string message = message_of([&] { parse(text).number(0, 0); });
  EXPECT_NE(message.find("\"\\x1b\\x00zzz"), std::string::npos) << message;
  EXPECT_NE(message.find("zzz...\""), std::string::npos) << message;
}

TEST(Csv, WritesWhatIsNotFiniteAsNan) {
  EXPECT_EQ(csv_number(std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(csv_number(-std::numeric_limits<double>::quiet_NaN()), "nan");
  EXPECT_EQ(csv_number(std::numeric_limits<double>::infinity()), "nan");
  EXPECT_EQ(csv_number(0.1), "0.1");
  EXPECT_EQ(csv_line(columns), "a,b\n");
}

}  // namespace
}  // namespace isthmus
