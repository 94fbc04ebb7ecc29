// SPDX-License-Identifier: MIT
#include "isthmus/data/locations.h"

#include <gtest/gtest.h>

#include <string>

#include "isthmus/core/error.h"
#include "isthmus/data/idx_set.h"
#include "isthmus/data/known_sets.h"
#include "isthmus/data/packed_file.h"
#include "support/environment.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;
using testing::EnvironmentVariable;
using testing::expect_error;
using testing::gzip_content;
using testing::idx_content;
using testing::TemporaryFolder;
using namespace std::string_literals;

// A set of three training and two test images of 2 x 2.
void write_set(const TemporaryFolder& folder,
               const std::string& prefix,
               const std::string& suffix) {
  const auto write = [&](const std::string& name, const std::string& content) {
    folder.write(prefix + name + suffix, suffix.empty() ? content : gzip_content(content));
  };
  write("train-images-idx3-ubyte", idx_content({3, 2, 2}, "abcdefghijkl"));
  write("train-labels-idx1-ubyte", idx_content({3}, "\x02\x00\x01"s));
  write("t10k-images-idx3-ubyte", idx_content({2, 2, 2}, "abcdefgh"));
  write("t10k-labels-idx1-ubyte", idx_content({2}, "\x01\x02"));
}

// Every place named by the environment is empty.
class Locations : public ::testing::Test {
 protected:
  TemporaryFolder flag_;
  TemporaryFolder variable_;
  TemporaryFolder xdg_;
  EnvironmentVariable isthmus_data_{"ISTHMUS_DATA", variable_.path().string()};
  EnvironmentVariable xdg_data_home_{"XDG_DATA_HOME", xdg_.path().string()};
};

TEST_F(Locations, flag_then_variable_then_user_folder) {
  write_set(xdg_, "isthmus/mnist/", "");
  EXPECT_EQ(find_dataset("mnist", flag_.path()), xdg_ / "isthmus/mnist");
  write_set(variable_, "mnist/", ".gz");
  EXPECT_EQ(find_dataset("mnist", flag_.path()), variable_ / "mnist");
  write_set(flag_, "mnist/", ".gz");
  EXPECT_EQ(find_dataset("mnist", flag_.path()), flag_ / "mnist");
  EXPECT_EQ(find_dataset("mnist"), variable_ / "mnist");
}

TEST_F(Locations, a_folder_of_the_files_themselves_comes_second) {
  write_set(flag_, "", "");
  EXPECT_EQ(find_dataset("mnist", flag_.path()), flag_.path());
  write_set(flag_, "mnist/", "");
  EXPECT_EQ(find_dataset("mnist", flag_.path()), flag_ / "mnist");
}

TEST_F(Locations, a_set_with_a_missing_file_is_not_found_and_says_why) {
  write_set(flag_, "mnist/", "");
  fs::remove(flag_ / "mnist/t10k-labels-idx1-ubyte");
  expect_error<MissingInput>(
      [&] { find_dataset("mnist", flag_.path()); },
      {"data set mnist: not found",
       (flag_ / "mnist").string() + " (--data): lacks t10k-labels-idx1-ubyte",
       flag_.path().string() + " (--data): none of its files",
       (variable_ / "mnist").string() + " (ISTHMUS_DATA): no such folder",
       (xdg_ / "isthmus/mnist").string(),
       "isthmus data fetch mnist",
       "--data DIR"});
}

TEST_F(Locations, fashion_mnist_names_its_package) {
  if (fs::exists("/usr/share/datasets/fashion-mnist/t10k-labels-idx1-ubyte.gz")) {
    EXPECT_EQ(find_dataset("fashion-mnist"), "/usr/share/datasets/fashion-mnist");
  } else {
    expect_error<MissingInput>([] { find_dataset("fashion-mnist"); },
                               {"apt-get install dataset-fashion-mnist"});
  }
}

TEST_F(Locations, cifar_10_and_ptb_in_the_folders_of_their_archives) {
  for (const KnownFile& file : known_set("cifar-10").files) {
    flag_.write("cifar-10-batches-bin/" + std::string(file.name) + ".xz", "");
  }
  for (const KnownFile& file : known_set("ptb").files) {
    xdg_.write("isthmus/ptb/" + std::string(file.name), "");
  }
  EXPECT_EQ(find_dataset("cifar-10", flag_.path()), flag_ / "cifar-10-batches-bin");
  EXPECT_EQ(find_dataset("cifar-10", flag_ / "cifar-10-batches-bin"),
            flag_ / "cifar-10-batches-bin");
  EXPECT_EQ(find_dataset("ptb", flag_.path()), xdg_ / "isthmus/ptb");
  fs::remove(flag_ / "cifar-10-batches-bin/data_batch_3.bin.xz");
  expect_error<MissingInput>(
      [&] { find_dataset("cifar-10", flag_.path()); },
      {"cifar-10-batches-bin (--data): lacks data_batch_3.bin", "isthmus data fetch cifar-10"});
  fs::remove(xdg_ / "isthmus/ptb/ptb.test.txt");
  expect_error<MissingInput>(
      [&] { find_dataset("ptb"); },
      {"not freely licensed", "ptb.train.txt, ptb.valid.txt, ptb.test.txt", "--data DIR"});
}

TEST_F(Locations, packed_files_come_after_plain_ones) {
  flag_.write("file.xz", "");
  EXPECT_EQ(find_file(flag_.path(), "file"), flag_ / "file.xz");
  flag_.write("file.gz", "");
  EXPECT_EQ(find_file(flag_.path(), "file"), flag_ / "file.gz");
  flag_.write("file", "");
  EXPECT_EQ(find_file(flag_.path(), "file"), flag_ / "file");
  EXPECT_EQ(require_file(flag_.path(), "file"), flag_ / "file");
  EXPECT_FALSE(find_file(flag_.path(), "other"));
}

TEST_F(Locations, wrong_names_and_folders) {
  expect_error<MissingInput>([] { find_dataset("mist"); },
                             {"data set mist: not found", "mnist, fashion-mnist", "mist/"});
  expect_error<MissingInput>([] { find_dataset("CIFAR10"); }, {"Did you mean cifar-10?"});
  for (const char* name : {"", ".", "..", "a/b", "/tmp/letters"}) {
    expect_error<UsageError>([&] { find_dataset(name); }, {"the name of a set", "--data DIR"});
  }
  EXPECT_THROW(known_set("mist"), UsageError);
  expect_error<MissingInput>([&] { find_dataset("mnist", flag_ / "typo"); },
                             {"--data", "typo", "no such folder"});
}

TEST_F(Locations, files_of_other_spellings_and_the_folders_of_torchvision) {
  const auto write =
      [&](const std::string& train, const std::string& test, const std::string& dot) {
        for (const auto& [split, count] : {std::pair{train, 3}, std::pair{test, 2}}) {
          const auto samples = static_cast<std::uint32_t>(count);
          flag_.write(split + "-images" + dot + "idx3-ubyte", idx_content({samples, 1, 1}, "abc"));
          flag_.write(split + "-labels" + dot + "idx1-ubyte.gz", gzip_content("not read here"));
        }
      };
  write("MNIST/raw/train", "MNIST/raw/t10k", "-");
  EXPECT_EQ(find_dataset("mnist", flag_.path()), flag_ / "MNIST/raw");
  EXPECT_EQ(find_dataset("mnist", flag_ / "MNIST"), flag_ / "MNIST/raw");
  EXPECT_EQ(find_dataset("mnist", flag_ / "MNIST/raw"), flag_ / "MNIST/raw");
  write("FashionMNIST/raw/train", "FashionMNIST/raw/t10k", ".");
  EXPECT_EQ(find_dataset("fashion-mnist", flag_.path()), flag_ / "FashionMNIST/raw");
  write("letters/train", "letters/test", ".");
  EXPECT_EQ(find_dataset("letters", flag_.path()), flag_ / "letters");
  write("EMNIST/raw/emnist-digits-train", "EMNIST/raw/emnist-digits-test", "-");
  EXPECT_EQ(find_dataset("digits", flag_.path()), flag_ / "EMNIST/raw");
  EXPECT_EQ(find_dataset("emnist-digits", flag_.path()), flag_ / "EMNIST/raw");
  EXPECT_THROW(find_dataset("balanced", flag_.path()), MissingInput);
  // A known set never takes the files of another that is named after it.
  write("emnist-mnist-train", "emnist-mnist-test", "-");
  EXPECT_EQ(find_dataset("mnist", flag_.path()), flag_ / "MNIST/raw");
}

TEST_F(Locations, what_is_there_instead_is_listed) {
  flag_.write("mnist/train-images-idx3-ubyte", "");
  flag_.write("mnist/readme.txt", "");
  expect_error<MissingInput>([&] { find_dataset("mnist", flag_.path()); },
                             {"lacks train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
                              "t10k-labels-idx1-ubyte; it holds readme.txt, train-images-idx3",
                              "train-images.idx3-ubyte",
                              "it holds mnist/"});
  flag_.write("cifar-10-batches-py/data_batch_1", "");
  expect_error<MissingInput>(
      [&] { find_dataset("cifar-10", flag_.path()); },
      {"Python version of CIFAR-10", "isthmus data fetch cifar-10", "data_batch_1.bin"});
  expect_error<MissingInput>([&] { find_dataset("cifar-10", flag_ / "cifar-10-batches-py"); },
                             {"Python version of CIFAR-10"});
  variable_.write("cifar-10-binary.tar.gz", "");
  expect_error<MissingInput>([&] { find_dataset("cifar-10"); }, {"tar -xzf"});
}

TEST_F(Locations, sets_of_the_users_own_are_listed) {
  write_set(flag_, "letters/", ".gz");
  write_set(flag_, "kmnist/raw/", "");
  write_set(flag_, "MNIST/raw/", "");
  write_set(variable_, "letters/", "");
  write_set(variable_, "broken/", "");
  variable_.write("broken/train-images-idx3-ubyte", "x");
  const std::vector<OwnSet> sets = own_sets(flag_.path());
  ASSERT_EQ(sets.size(), 3U);
  EXPECT_EQ(sets[0].name, "kmnist");
  EXPECT_EQ(sets[0].folder, flag_ / "kmnist/raw");
  EXPECT_EQ(sets[1].name, "letters");
  EXPECT_EQ(sets[1].folder, flag_ / "letters");
  EXPECT_EQ(sets[1].summary.content, "3 + 2 images, 1 x 2 x 2");
  EXPECT_EQ(sets[1].summary.classes, 3U);
  EXPECT_EQ(sets[2].name, "broken");
  EXPECT_EQ(sets[2].summary.content.substr(0, 14), "cannot be read");
}

TEST_F(Locations, user_folder_without_xdg_is_below_home) {
  const EnvironmentVariable no_xdg("XDG_DATA_HOME", std::nullopt);
  {
    const EnvironmentVariable home("HOME", "/home/someone");
    EXPECT_EQ(user_data_folder(), "/home/someone/.local/share/isthmus");
  }
  const EnvironmentVariable no_home("HOME", std::nullopt);
  expect_error<MissingInput>([] { user_data_folder(); }, {"XDG_DATA_HOME or HOME"});
  EXPECT_THROW(find_dataset("mnist"), MissingInput);
}

TEST(LoadIdxDataset, any_set_in_the_names_of_mnist) {
  const TemporaryFolder folder;
  write_set(folder, "plain/", "");
  write_set(folder, "packed/", ".gz");
  const Dataset plain = load_idx_dataset(folder / "plain", "my-images");
  const Dataset packed = load_idx_dataset(folder / "packed", "my-images");
  EXPECT_EQ(plain.classes, 3U);
  EXPECT_EQ(plain.train.count, 3U);
  EXPECT_EQ(plain.test.count, 2U);
  EXPECT_EQ(plain.train.input_shape, (std::vector<std::size_t>{1, 2, 2}));
  EXPECT_EQ(plain.train.bytes, packed.train.bytes);
  EXPECT_EQ(plain.test.labels, packed.test.labels);
  ASSERT_EQ(plain.sources.size(), 4U);
  EXPECT_EQ(plain.sources[0].name, "train-images-idx3-ubyte");
  EXPECT_EQ(packed.sources[0].name, "train-images-idx3-ubyte.gz");
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(plain.sources[i].sha256, packed.sources[i].sha256);
  }
  EXPECT_FALSE(is_canonical(plain));
  // Another content under a known name is accepted, and known not to be the published one.
  EXPECT_FALSE(is_canonical(load_idx_dataset(folder / "plain", "mnist")));
}

TEST(LoadIdxDataset, labels_from_1_and_images_of_other_dimensions) {
  const TemporaryFolder folder;
  folder.write("train-images-idx4-ubyte", idx_content({3, 2, 1, 2}, "abcdefghijkl"));
  folder.write("train-labels-idx1-ubyte", idx_content({3}, "\x01\x02\x1a"s));
  folder.write("test-images.idx4-ubyte", idx_content({1, 2, 1, 2}, "abcd"));
  folder.write("test-labels-idx1-ubyte.gz", gzip_content(idx_content({1}, "\x1a")));
  // A lone file of another spelling is not mixed with those.
  folder.write("t10k-labels-idx1-ubyte", idx_content({1}, "\x01"));
  const Dataset dataset = load_idx_dataset(folder.path(), "letters");
  EXPECT_EQ(dataset.classes, 27U) << "the largest label and one";
  EXPECT_EQ(dataset.train.input_shape, (std::vector<std::size_t>{2, 1, 2}));
  EXPECT_EQ(dataset.test.labels, (std::vector<std::int32_t>{26}));
  EXPECT_EQ(dataset.sources[3].name, "test-labels-idx1-ubyte.gz");
}

TEST(LoadIdxDataset, splits_that_do_not_fit) {
  const TemporaryFolder folder;
  write_set(folder, "", "");
  folder.write("t10k-labels-idx1-ubyte", idx_content({2}, "\x01\x03"));
  expect_error<DataError>([&] { load_idx_dataset(folder.path(), "my-images"); },
                          {"labels from 0 to 2, found 3"});
  folder.write("t10k-labels-idx1-ubyte", idx_content({2}, "\x01\x02"));
  folder.write("t10k-images-idx3-ubyte", idx_content({2, 1, 2}, "abcd"));
  expect_error<DataError>([&] { load_idx_dataset(folder.path(), "my-images"); },
                          {"(1, 2, 2)", "found (1, 1, 2)"});
  fs::remove(folder / "t10k-images-idx3-ubyte");
  expect_error<MissingInput>([&] { load_idx_dataset(folder.path(), "my-images"); },
                             {"lacks t10k-images-idx3-ubyte", "holds t10k-labels-idx1-ubyte, "});
}

TEST(LoadIdxDataset, fashion_mnist_of_the_system_is_the_published_one) {
  const fs::path folder = known_set("fashion-mnist").system_folder;
  if (!fs::exists(folder)) {
    GTEST_SKIP() << "the package dataset-fashion-mnist is not installed";
  }
  const Dataset dataset = load_idx_dataset(folder, "fashion-mnist");
  EXPECT_TRUE(is_canonical(dataset));
  EXPECT_EQ(dataset.train.count, 60000U);
  EXPECT_EQ(dataset.test.count, 10000U);
  EXPECT_EQ(dataset.classes, 10U);
  EXPECT_EQ(dataset.train.input_shape, (std::vector<std::size_t>{1, 28, 28}));
  std::vector<std::size_t> counts(10);
  for (const std::int32_t label : dataset.train.labels) {
    ++counts[static_cast<std::size_t>(label)];
  }
  EXPECT_EQ(counts, std::vector<std::size_t>(10, 6000));
  // Its files carry the names of MNIST's.
  expect_error<DataError>([&] { load_idx_dataset(folder, "mnist"); },
                          {"expected the files of mnist, found those of fashion-mnist"});
}

TEST(LoadDataset, reads_each_set_in_its_format) {
  const TemporaryFolder folder;
  write_set(folder, "", ".gz");
  EXPECT_EQ(load_dataset(folder.path(), "mnist").train.count, 3U);
  EXPECT_EQ(load_dataset(folder.path(), "my-images").classes, 3U);
  expect_error<MissingInput>([&] { load_dataset(folder.path(), "cifar-10"); },
                             {"data_batch_1.bin"});
  expect_error<UsageError>([&] { load_dataset(folder.path(), "ptb"); }, {"ptb", "text"});
}

TEST(KnownSets, every_entry_is_complete) {
  for (const KnownSet& set : known_sets()) {
    EXPECT_EQ(&known_set(set.name), &set);
    EXPECT_FALSE(set.content.empty());
    for (const KnownFile& file : set.files) {
      EXPECT_EQ(file.sha256.size(), 64U) << set.name << " " << file.name;
      EXPECT_GT(file.bytes, 0U);
    }
    for (const std::string_view mirror : set.mirrors) {
      EXPECT_EQ(mirror.back(), '/');
    }
  }
}

}  // namespace
}  // namespace isthmus
