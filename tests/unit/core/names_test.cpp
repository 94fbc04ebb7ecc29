// SPDX-License-Identifier: MIT
#include "isthmus/core/names.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "isthmus/core/error.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

enum class Fruit { apple, pear, quince };
enum class Nameless { some };

}  // namespace

template <>
inline constexpr auto enum_names<Fruit> = name_table<Fruit>(
    "fruit", {{Fruit::pear, "pear"}, {Fruit::apple, "apple"}, {Fruit::quince, "quince"}});

namespace {

static_assert(HasNames<Fruit> && !HasNames<Nameless>);

TEST(Names, ReadBack) {
  for (const Fruit fruit : {Fruit::apple, Fruit::pear, Fruit::quince}) {
    EXPECT_EQ(named<Fruit>(name_of(fruit)), fruit);
    EXPECT_EQ(find_named<Fruit>(name_of(fruit)), fruit);
  }
  EXPECT_FALSE(find_named<Fruit>("Pear"));
  EXPECT_EQ(name_of(static_cast<Fruit>(7)), "?");
}

TEST(Names, OfNoValueAreRefusedWithThoseThatAre) {
  testing::expect_error<UsageError>([] { named<Fruit>("plum"); },
                                    {"fruit: expected pear, apple or quince, got 'plum'"});
}

TEST(Names, AlternativesReadAsASentenceDoes) {
  using Texts = std::vector<std::string_view>;
  EXPECT_EQ(alternatives(Texts{}), "");
  EXPECT_EQ(alternatives(Texts{"a"}), "a");
  EXPECT_EQ(alternatives(Texts{"a", "b"}), "a or b");
  EXPECT_EQ(alternatives(Texts{"a", "b", "c"}), "a, b or c");
}

}  // namespace
}  // namespace isthmus
