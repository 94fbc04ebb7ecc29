// SPDX-License-Identifier: MIT
// All texts but the guarded one are made up here.
#include "isthmus/data/text.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/data/known_sets.h"
#include "isthmus/data/locations.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"
#include "support/xz_files.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;
using testing::expect_error;
using testing::gzip_content;
using testing::TemporaryFolder;
using testing::xz_content;
using namespace std::string_literals;
using Tokens = std::vector<std::int32_t>;

// The tokens as words again, with a blank between them.
std::string joined(const Vocabulary& vocabulary, const Tokens& tokens) {
  std::string text;
  for (const std::int32_t token : tokens) {
    text += (text.empty() ? "" : " ") + vocabulary.word(token);
  }
  return text;
}

std::string words_of(const std::string& content) {
  const TemporaryFolder folder;
  const TrainingText training = read_training_text(folder.write("text", content));
  return joined(training.vocabulary, training.text.tokens);
}

TEST(Text, the_vocabulary_is_sorted_by_count_then_word) {
  const TemporaryFolder folder;
  const auto path = folder.write("text", " b a b \n a b c N \n");
  const auto [vocabulary, text] = read_training_text(path);
  // b 3; <eos> and a 2, '<' before letters; N and c 1, capitals first.
  ASSERT_EQ(vocabulary.size(), 5U);
  EXPECT_EQ(joined(vocabulary, {0, 1, 2, 3, 4}), "b <eos> a N c");
  EXPECT_EQ(vocabulary.count(0), 3U);
  EXPECT_EQ(vocabulary.count(1), 2U);
  EXPECT_EQ(vocabulary.count(4), 1U);
  EXPECT_EQ(text.tokens, (Tokens{0, 2, 0, 1, 2, 0, 4, 3, 1}));
  EXPECT_EQ(text.unknown, 0U);
  EXPECT_EQ(text.source.name, "text");
  EXPECT_EQ(text.source.sha256, sha256(" b a b \n a b c N \n"));
  for (std::int32_t token = 0; token < 5; ++token) {
    EXPECT_EQ(vocabulary.find(vocabulary.word(token)), token);
  }
  EXPECT_FALSE(vocabulary.find("d"));
  EXPECT_FALSE(vocabulary.find(""));
}

TEST(Text, words_lines_and_blanks) {
  EXPECT_EQ(words_of("a b\nc\n"), "a b <eos> c <eos>");
  EXPECT_EQ(words_of("  a\t b \v\f\r\n\nc \n"), "a b <eos> <eos> c <eos>");
  EXPECT_EQ(words_of("a b"), "a b <eos>");      // the last line ends with the file
  EXPECT_EQ(words_of("a b\n  "), "a b <eos>");  // ... and is none without a word
  EXPECT_EQ(words_of("\n\na"), "<eos> <eos> a <eos>");
  EXPECT_EQ(words_of("na\xc3\xafve it's <unk> $ N\n"), "na\xc3\xafve it's <unk> $ N <eos>");
}

TEST(Text, a_byte_order_mark_is_no_word) {
  EXPECT_EQ(words_of("\xef\xbb\xbf"
                     "a b\n"),
            "a b <eos>");
  EXPECT_EQ(words_of(gzip_content("\xef\xbb\xbf"
                                  "a\n")),
            "a <eos>");
}

TEST(Text, an_end_that_is_marked_already_is_no_second_one) {
  EXPECT_EQ(words_of("a b <eos>\n c <eos> \n"), words_of("a b\nc\n"));
  EXPECT_EQ(words_of("a <eos> b <eos>"), words_of("a\nb\n"));
  EXPECT_EQ(words_of("<eos>\n\na\n"), "<eos> <eos> a <eos>");
  EXPECT_EQ(words_of("a <eos> b\n"), "a <eos> b <eos>");
}

TEST(Text, words_across_the_readers_buffer_plain_gzip_and_xz) {
  const TemporaryFolder folder;
  std::string content;
  std::string expected;
  for (int i = 0; content.size() < 300000; ++i) {
    std::string word = std::to_string(i * 7919 % 1000);
    word += 'w';
    content += word + (i % 11 == 10 ? "\n" : " ");
    expected += (expected.empty() ? "" : " ") + word + (i % 11 == 10 ? " <eos>" : "");
  }
  content += '\n';
  expected += " <eos>";
  for (const std::string& file : {content, gzip_content(content), xz_content(content)}) {
    const auto path = folder.write("text", file);
    const TrainingText training = read_training_text(path);
    EXPECT_EQ(training.vocabulary.size(), 1001U);
    EXPECT_EQ(joined(training.vocabulary, training.text.tokens), expected);
    EXPECT_EQ(training.text.source.sha256, sha256(content));
    EXPECT_EQ(read_text(path, training.vocabulary).tokens, training.text.tokens);
  }
}

TEST(Text, unknown_words_become_unk) {
  const TemporaryFolder folder;
  const Vocabulary vocabulary({{"<eos>", 3}, {"a", 2}, {"<unk>", 1}});
  const Text text = read_text(folder.write("text", "a b <unk>\nccc a\n"), vocabulary);
  EXPECT_EQ(text.tokens, (Tokens{1, 2, 2, 0, 2, 1, 0}));
  EXPECT_EQ(text.unknown, 2U);
}

TEST(Text, an_unknown_word_without_unk_is_an_error) {
  const TemporaryFolder folder;
  const auto path = folder.write("text", "a\na b\n");
  expect_error<DataError>(
      [&] {
        read_text(path, Vocabulary({{"<eos>", 3}, {"a", 2}}));
      },
      {path.string(), "has no <unk> for others", "found 'b' in line 2", "belong together"});
  expect_error<DataError>(
      [&] {
        read_text(path, Vocabulary({{"<unk>", 3}, {"a", 2}}));
      },
      {"no <eos>", "line 1"});
}

TEST(Text, what_is_no_text) {
  const TemporaryFolder folder;
  const auto expect_refused = [&](const std::string& content, const std::string& part) {
    const auto path = folder.write("text", content);
    expect_error<DataError>([&] { read_training_text(path); }, {path.string(), part});
    expect_error<DataError>(
        [&] {
          read_text(path, Vocabulary({{"<eos>", 1}, {"<unk>", 1}}));
        },
        {path.string(), part});
  };
  expect_refused("", "found no word");
  expect_refused(" \n\n", "found no word");
  expect_refused("a b\nc\0d\n"s, "control character 00 in line 2");
  expect_refused(
      "\xff\xfe"
      "a\0b\0\n\0"s,
      "iconv");
  expect_refused("\xfe\xff\0a\0b"s, "UTF-16");
  expect_refused("a\0b\0\n\0"s, "UTF-16");
  expect_refused("a b\rc d\re\r", "carriage returns alone");
  expect_refused("version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull");
  expect_refused(" \n<!DOCTYPE html><html>404</html>\n", "HTML page");
  expect_refused("a\x1b[1m", "control character 1b in line 1");
  expect_refused("a \x7f", "control character 7f");
  expect_refused("a\n" + std::string(4097, 'x'), "more than 4096 bytes in line 2");
  EXPECT_NO_THROW(words_of(std::string(4096, 'x')));
  const std::string packed = xz_content("a b c\n");
  expect_refused(packed.substr(0, packed.size() - 1), "incomplete");
  expect_error<MissingInput>([&] { read_training_text(folder / "none"); }, {"no such file"});
  expect_error<MissingInput>([&] { read_text(folder / "none", {}); }, {"no such file"});
}

TEST(Vocabulary, wrong_words_and_tokens) {
  expect_error<UsageError>([] { Vocabulary({{"a", 1}, {"b", 2}, {"a", 3}}); }, {"'a' twice"});
  const Vocabulary vocabulary({{"a", 1}});
  EXPECT_THROW(vocabulary.word(1), std::out_of_range);
  EXPECT_THROW(vocabulary.word(-1), std::out_of_range);
  EXPECT_EQ(Vocabulary().size(), 0U);
}

TEST(Ptb, three_files_and_the_training_vocabulary) {
  const TemporaryFolder folder;
  folder.write("ptb.train.txt", " the cat <unk> \n the dog \n");
  folder.write("ptb.valid.txt.gz", gzip_content(" the bird \n"));
  folder.write("ptb.test.txt.xz", xz_content(" dog cat \n"));
  const TextCorpus corpus = load_ptb(folder.path());
  EXPECT_EQ(corpus.name, "ptb");
  EXPECT_EQ(corpus.vocabulary.size(), 5U);
  EXPECT_EQ(joined(corpus.vocabulary, corpus.train.tokens), "the cat <unk> <eos> the dog <eos>");
  EXPECT_EQ(joined(corpus.vocabulary, corpus.valid.tokens), "the <unk> <eos>");
  EXPECT_EQ(corpus.valid.unknown, 1U);
  EXPECT_EQ(joined(corpus.vocabulary, corpus.test.tokens), "dog cat <eos>");
  ASSERT_EQ(corpus.sources().size(), 3U);
  EXPECT_EQ(corpus.sources()[0].name, "ptb.train.txt");
  EXPECT_EQ(corpus.sources()[1].name, "ptb.valid.txt.gz");
  EXPECT_EQ(corpus.sources()[2].name, "ptb.test.txt.xz");
  EXPECT_FALSE(is_canonical("ptb", corpus.sources()));
  fs::remove(folder / "ptb.valid.txt.gz");
  expect_error<MissingInput>([&] { load_ptb(folder.path()); },
                             {folder.path().string(), "ptb.valid.txt.gz or "});
}

// The published files, where ISTHMUS_DATA or the user's data folder has them.
TEST(Ptb, the_published_set) {
  fs::path folder;
  try {
    folder = find_dataset("ptb");
  } catch (const MissingInput&) {
    GTEST_SKIP() << "the Penn Treebank is not on this machine (ISTHMUS_DATA)";
  }
  const TextCorpus corpus = load_ptb(folder);
  EXPECT_TRUE(is_canonical("ptb", corpus.sources()));
  EXPECT_EQ(corpus.vocabulary.size(), 10000U);
  EXPECT_EQ(corpus.train.tokens.size(), 929589U);
  EXPECT_EQ(corpus.valid.tokens.size(), 73760U);
  EXPECT_EQ(corpus.test.tokens.size(), 82430U);
  EXPECT_EQ(corpus.valid.unknown + corpus.test.unknown, 0U);
  // As TensorFlow's reader.py numbers them: SHA-256 of its token ids, as little-endian int32.
  const auto hash_of = [](const Text& text) {
    return sha256({reinterpret_cast<const char*>(text.tokens.data()),
                   text.tokens.size() * sizeof(std::int32_t)});
  };
  EXPECT_EQ(hash_of(corpus.train),
            "13ceaa94f7754f019f361799bfe0af70af87d2d5d704777713f8c47abbd875bf");
  EXPECT_EQ(hash_of(corpus.valid),
            "1ae16940fddcb4e7fc4bb304d67ff5c32060cd30efe6398cfe348373994685f4");
  EXPECT_EQ(hash_of(corpus.test),
            "73358916a785a35ac9c6d358423dcab4a2f43c3cefe3cd6d28951581100e80b9");
  EXPECT_EQ(joined(corpus.vocabulary, {0, 1, 2, 3}), "the <unk> <eos> N");
  EXPECT_EQ(corpus.vocabulary.count(2), 42068U);
  std::uint64_t total = 0;
  for (std::int32_t token = 0; token < 10000; ++token) {
    total += corpus.vocabulary.count(token);
  }
  EXPECT_EQ(total, corpus.train.tokens.size());
}

}  // namespace
}  // namespace isthmus
