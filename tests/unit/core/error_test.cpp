// SPDX-License-Identifier: MIT
#include "isthmus/core/error.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace isthmus {
namespace {

template <typename Kind>
int code_of() {
  return static_cast<int>(Kind("message").code());
}

TEST(Error, every_kind_has_the_exit_code_that_the_manual_names) {
  EXPECT_EQ(static_cast<int>(ExitCode::ok), 0);
  EXPECT_EQ(code_of<UsageError>(), 64);
  EXPECT_EQ(code_of<DataError>(), 65);
  EXPECT_EQ(code_of<MissingInput>(), 66);
  EXPECT_EQ(code_of<InternalError>(), 70);
  EXPECT_EQ(code_of<WriteError>(), 73);
  EXPECT_EQ(code_of<ConfigurationError>(), 78);
  EXPECT_EQ(code_of<Interrupted>(), 130);
}

TEST(Error, is_caught_as_the_base_with_its_message) {
  try {
    throw WriteError("the disk is full");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the disk is full");
    EXPECT_EQ(error.code(), ExitCode::cannot_write);
  }
}

TEST(Error, a_broken_invariant_says_where_what_and_why) {
  const int value = 3;
  EXPECT_NO_THROW(ISTHMUS_ASSERT(value == 3, "three is three"));
  testing::expect_error<InternalError>(
      [&] { ISTHMUS_ASSERT(value == 4, "three is not four"); },
      {"error_test.cpp:", "three is not four", "value == 4", "report it"});
}

}  // namespace
}  // namespace isthmus
