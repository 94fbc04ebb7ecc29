// SPDX-License-Identifier: MIT
#include "isthmus/core/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/core/stop.h"

namespace isthmus {
namespace {

class WorkersOf : public ::testing::TestWithParam<std::size_t> {
 protected:
  Workers workers_{GetParam()};
};

TEST_P(WorkersOf, every_index_runs_once_under_a_valid_worker) {
  EXPECT_EQ(workers_.size(), GetParam());
  std::vector<std::atomic<int>> runs(1000);
  std::atomic<bool> valid{true};
  workers_.for_each(runs.size(), [&](std::size_t index, std::size_t worker) {
    ++runs[index];
    if (worker >= workers_.size()) {
      valid = false;
    }
  });
  EXPECT_TRUE(valid);
  for (const std::atomic<int>& count : runs) {
    EXPECT_EQ(count, 1);
  }
}

TEST_P(WorkersOf, a_worker_is_one_thread) {
  std::vector<std::atomic<std::thread::id>> threads(workers_.size());
  std::atomic<bool> same{true};
  for (int round = 0; round < 20; ++round) {
    workers_.for_each(50, [&](std::size_t, std::size_t worker) {
      std::thread::id none;
      const std::thread::id self = std::this_thread::get_id();
      if (!threads[worker].compare_exchange_strong(none, self) && none != self) {
        same = false;
      }
    });
  }
  EXPECT_TRUE(same);
}

TEST_P(WorkersOf, no_index_no_work) {
  workers_.for_each(0, [](std::size_t, std::size_t) { FAIL() << "nothing was to be done"; });
}

TEST_P(WorkersOf, loops_nest) {
  std::vector<std::size_t> sums(6);
  workers_.for_each(sums.size(), [&](std::size_t i, std::size_t) {
    std::vector<std::size_t> rows(5);
    workers_.for_each(rows.size(), [&](std::size_t j, std::size_t) {
      std::vector<std::size_t> cells(4);
      workers_.for_each(cells.size(), [&](std::size_t k, std::size_t) { cells[k] = i * j * k; });
      rows[j] = std::accumulate(cells.begin(), cells.end(), std::size_t{0});
    });
    sums[i] = std::accumulate(rows.begin(), rows.end(), std::size_t{0});
  });
  for (std::size_t i = 0; i < sums.size(); ++i) {
    EXPECT_EQ(sums[i], i * 10 * 6);
  }
}

TEST_P(WorkersOf, an_iteration_keeps_its_worker_through_a_nested_loop) {
  std::atomic<bool> same{true};
  workers_.for_each(20, [&](std::size_t, std::size_t outer) {
    const std::thread::id self = std::this_thread::get_id();
    workers_.for_each(10, [&](std::size_t, std::size_t inner) {
      if (std::this_thread::get_id() == self && inner != outer) {
        same = false;
      }
    });
  });
  EXPECT_TRUE(same);
}

TEST_P(WorkersOf, an_exception_is_rethrown_and_the_pool_stays_usable) {
  for (int round = 0; round < 50; ++round) {
    try {
      workers_.for_each(100, [](std::size_t index, std::size_t) {
        if (index == 13) {
          throw DataError("thirteen");
        }
      });
      FAIL() << "expected an exception";
    } catch (const DataError& error) {
      EXPECT_STREQ(error.what(), "thirteen");
    }
    std::atomic<int> count{0};
    workers_.for_each(10, [&](std::size_t, std::size_t) { ++count; });
    EXPECT_EQ(count, 10);
  }
}

TEST_P(WorkersOf, the_exception_of_the_lowest_index_wins) {
  // All of them are under way before the first throws.
  std::latch started(static_cast<std::ptrdiff_t>(workers_.size()));
  try {
    workers_.for_each(workers_.size(), [&](std::size_t index, std::size_t) {
      started.arrive_and_wait();
      throw std::runtime_error(std::to_string(index));
    });
    FAIL() << "expected an exception";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "0");
  }
}

TEST_P(WorkersOf, no_iteration_starts_after_a_failure) {
  std::atomic<std::size_t> runs{0};
  EXPECT_THROW(workers_.for_each(100000,
                                 [&](std::size_t, std::size_t) {
                                   ++runs;
                                   throw std::runtime_error("at once");
                                 }),
               std::runtime_error);
  EXPECT_LE(runs, workers_.size());
}

TEST_P(WorkersOf, an_exception_leaves_nested_loops_to_the_outermost) {
  std::atomic<int> active{0};
  try {
    workers_.for_each(8, [&](std::size_t i, std::size_t) {
      workers_.for_each(8, [&](std::size_t j, std::size_t) {
        ++active;
        std::this_thread::yield();
        --active;
        if (i == 3 && j == 5) {
          throw std::runtime_error("inner");
        }
      });
    });
    FAIL() << "expected an exception";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "inner");
  }
  EXPECT_EQ(active, 0);  // for_each returned after all that ran had ended
}

TEST_P(WorkersOf, many_small_loops) {
  std::atomic<std::size_t> total{0};
  for (std::size_t round = 0; round < 2000; ++round) {
    workers_.for_each(round % 5, [&](std::size_t, std::size_t) { ++total; });
  }
  EXPECT_EQ(total, 2000U / 5 * 10);
}

INSTANTIATE_TEST_SUITE_P(Threads, WorkersOf, ::testing::Values(1, 2, 4, 7));

TEST(Workers, idle_workers_help_in_a_nested_loop) {
  Workers workers(3);
  // Each inner iteration waits for the others: they end only if all workers take part.
  std::latch together(3);
  workers.for_each(1, [&](std::size_t, std::size_t) {
    workers.for_each(3, [&](std::size_t, std::size_t) { together.arrive_and_wait(); });
  });
  EXPECT_TRUE(together.try_wait());
}

TEST(Workers, two_pools_are_independent) {
  Workers outer(2);
  std::vector<std::size_t> counts(4);
  outer.for_each(counts.size(), [&](std::size_t index, std::size_t) {
    Workers inner(2);
    std::atomic<std::size_t> count{0};
    inner.for_each(100, [&](std::size_t, std::size_t worker) { count += worker < 2 ? 1 : 0; });
    counts[index] = count;
  });
  EXPECT_EQ(counts, std::vector<std::size_t>(4, 100));
}

TEST(Workers, no_thread_is_a_usage_error) {
  EXPECT_THROW(Workers(0), UsageError);
}

TEST(Stop, is_seen_by_other_threads) {
  Stop stop;
  EXPECT_FALSE(stop.requested());
  std::jthread waiting([&] {
    while (!stop.requested()) {
      std::this_thread::yield();
    }
  });
  stop.request();
  waiting.join();
  EXPECT_TRUE(stop.requested());
}

}  // namespace
}  // namespace isthmus
