// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "isthmus/data/dataset.h"

namespace isthmus {

/// The token that stands for the end of every line.
inline constexpr std::string_view end_of_line_word = "<eos>";
/// The word that stands for all words that a vocabulary does not have.
inline constexpr std::string_view unknown_word = "<unk>";

/// The different words of a training text, numbered from the most frequent; words of equal count
/// come in the order of their bytes. (The order of TensorFlow's `reader.py`, which the published
/// scripts use.) Immutable, so it may be shared by threads.
class Vocabulary {
 public:
  struct Entry {
    std::string word;
    std::uint64_t count = 0;  ///< occurrences in the training text
  };

  Vocabulary() = default;
  /// From different words in any order. Throws UsageError if a word comes twice.
  explicit Vocabulary(std::vector<Entry> entries);

  std::size_t size() const { return entries_.size(); }
  /// Both throw std::out_of_range for a token outside [0, size()).
  const std::string& word(std::int32_t token) const;
  std::uint64_t count(std::int32_t token) const;
  std::optional<std::int32_t> find(std::string_view word) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view word) const {
      return std::hash<std::string_view>()(word);
    }
  };

  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> tokens_;
};

/// A text as the tokens of a vocabulary.
struct Text {
  std::vector<std::int32_t> tokens;  ///< in [0, size of the vocabulary)
  std::size_t unknown = 0;           ///< words that the vocabulary lacks, read as <unk>
  SourceFile source;
};

struct TrainingText {
  Vocabulary vocabulary;
  Text text;
};

/// Reads a text, plain, gzip or xz, and makes its vocabulary. Words are separated by blanks (space,
/// tab, carriage return, vertical tab, form feed); each line, also an empty one, ends with the
/// token <eos>, unless its last word is <eos> already. A last line without a newline counts if it
/// has a word. A byte order mark of UTF-8 at the beginning is skipped.
///
/// Throws MissingInput, and DataError for a damaged stream, a file without words, and what is not
/// text: a control character, UTF-16, carriage returns as the only ends of lines, a page of HTML,
/// or a word of more than 4096 bytes (the place is named). Bytes from 0x80 on are taken as they
/// are. Safe to call from any thread.
TrainingText read_training_text(const std::filesystem::path& path);

/// Reads a text with the vocabulary of another. A word that the vocabulary lacks becomes <unk>.
/// Throws as read_training_text, and DataError if the vocabulary lacks a word and <unk> too, or
/// <eos>.
Text read_text(const std::filesystem::path& path, const Vocabulary& vocabulary);

/// The three splits of a language-modelling set.
struct TextCorpus {
  std::string name;
  Vocabulary vocabulary;  ///< of the training split
  Text train;
  Text valid;
  Text test;

  /// The files that it was read from, in this order.
  std::vector<SourceFile> sources() const { return {train.source, valid.source, test.source}; }
};

/// Reads the Penn Treebank in T. Mikolov's preprocessing from a folder with ptb.train.txt,
/// ptb.valid.txt and ptb.test.txt, each plain or packed as .gz or .xz. The published files have
/// 929,589, 73,760 and 82,430 tokens and a vocabulary of 10,000. Other text under these names is
/// accepted: see is_canonical(). Throws as read_text; a missing file is named.
TextCorpus load_ptb(const std::filesystem::path& folder);

}  // namespace isthmus
