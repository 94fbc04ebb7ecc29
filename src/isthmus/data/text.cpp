// SPDX-License-Identifier: MIT
#include "isthmus/data/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "isthmus/core/error.h"
#include "isthmus/data/content_reader.h"
#include "isthmus/data/file_kind.h"
#include "isthmus/data/packed_file.h"

namespace isthmus {
namespace {

constexpr std::size_t chunk = std::size_t{64} * 1024;
constexpr std::size_t longest_word = 4096;

bool is_blank(std::uint8_t byte) {
  return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\v' || byte == '\f';
}

// Cuts a file into words and ends of lines. `visit(word, line)` sees them in order, lines from 1.
template <typename Visit>
class WordScanner {
 public:
  WordScanner(const std::filesystem::path& path, const Visit& visit) : path_(path), visit_(visit) {}

  SourceFile scan() {
    ContentReader reader(path_);
    std::vector<std::uint8_t> buffer(chunk);
    std::size_t got = buffer.size();
    bool first = true;
    while (got == buffer.size()) {
      got = reader.read(buffer);
      const std::span<const std::uint8_t> bytes(buffer.data(), got);
      for (const std::uint8_t byte : first ? check_start(bytes) : bytes) {
        take(byte);
      }
      first = false;
    }
    end_word();
    if (line_ == 1 && returns_ > 1) {
      throw DataError(fmt::format(
          "{}: expected lines that end in a line feed, found carriage returns alone ({}). Convert "
          "it, for example with tr '\\r' '\\n'.",
          path_.string(),
          returns_));
    }
    if (words_in_line_ > 0) {
      end_line();
    }
    if (words_ == 0) {
      throw DataError(
          fmt::format("{}: expected a text, found no word. Get it again.", path_.string()));
    }
    return {path_.filename().string(), reader.sha256()};
  }

 private:
  // Refuses what is no text in UTF-8, and skips the byte order mark of one.
  std::span<const std::uint8_t> check_start(std::span<const std::uint8_t> start) const {
    const std::string_view bytes(reinterpret_cast<const char*>(start.data()), start.size());
    if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) {
      throw DataError(
          fmt::format("{}: expected a text in UTF-8, found the byte order mark of UTF-16 or "
                      "UTF-32. Convert it with iconv -f UTF-16 -t UTF-8 (or -f UTF-32).",
                      path_.string()));
    }
    if (const std::string kind = kind_of_text(bytes); !kind.empty()) {
      throw DataError(fmt::format("{}: expected a text. {}", path_.string(), kind));
    }
    return bytes.starts_with("\xef\xbb\xbf") ? start.subspan(3) : start;
  }

  void take(std::uint8_t byte) {
    returns_ += byte == '\r' ? 1 : 0;
    if (byte == '\n') {
      end_word();
      end_line();
    } else if (is_blank(byte)) {
      end_word();
    } else if (byte < ' ' || byte == 0x7f) {
      throw DataError(
          fmt::format("{}: expected a text, found the control character {:02x} in line {}. {}",
                      path_.string(),
                      byte,
                      line_,
                      byte == 0 ? "Is it UTF-16? Convert it with iconv -f UTF-16LE -t UTF-8."
                                : "Is it another kind of file?"));
    } else {
      word_ += static_cast<char>(byte);
      if (word_.size() > longest_word) {
        throw DataError(fmt::format(
            "{}: expected words separated by blanks, found one of more than {} bytes in line {}. "
            "Is it another kind of file?",
            path_.string(),
            longest_word,
            line_));
      }
    }
  }

  // Every line has one end: also one whose last word is its mark already.
  void end_line() {
    if (!marked_) {
      visit_(end_of_line_word, line_);
    }
    marked_ = false;
    ++line_;
    words_in_line_ = 0;
  }

  void end_word() {
    if (!word_.empty()) {
      visit_(word_, line_);
      marked_ = word_ == end_of_line_word;
      word_.clear();
      ++words_in_line_;
      ++words_;
    }
  }

  const std::filesystem::path& path_;
  const Visit& visit_;
  std::string word_;
  std::size_t line_ = 1;
  std::size_t words_in_line_ = 0;
  bool marked_ = false;      // the last word of the line is <eos>
  std::size_t returns_ = 0;  // carriage returns
  std::size_t words_ = 0;
};

bool comes_before(const Vocabulary::Entry& a, const Vocabulary::Entry& b) {
  return a.count != b.count ? a.count > b.count : a.word < b.word;
}

}  // namespace

Vocabulary::Vocabulary(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::sort(entries_.begin(), entries_.end(), comes_before);
  tokens_.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    const auto token = static_cast<std::int32_t>(tokens_.size());
    if (!tokens_.emplace(entry.word, token).second) {
      throw UsageError(
          fmt::format("vocabulary: expected different words, got '{}' twice", entry.word));
    }
  }
}

const std::string& Vocabulary::word(std::int32_t token) const {
  return entries_.at(static_cast<std::size_t>(token)).word;
}

std::uint64_t Vocabulary::count(std::int32_t token) const {
  return entries_.at(static_cast<std::size_t>(token)).count;
}

std::optional<std::int32_t> Vocabulary::find(std::string_view word) const {
  const auto found = tokens_.find(word);
  return found == tokens_.end() ? std::nullopt : std::optional(found->second);
}

TrainingText read_training_text(const std::filesystem::path& path) {
  // Words are numbered as they come, and renumbered once their counts are known.
  Text text;
  std::vector<Vocabulary::Entry> entries;
  std::unordered_map<std::string, std::int32_t> first_seen;
  const auto visit = [&](std::string_view word, std::size_t) {
    const auto [place, is_new] =
        first_seen.try_emplace(std::string(word), static_cast<std::int32_t>(entries.size()));
    if (is_new) {
      entries.push_back({place->first, 0});
    }
    ++entries[static_cast<std::size_t>(place->second)].count;
    text.tokens.push_back(place->second);
  };
  text.source = WordScanner(path, visit).scan();

  TrainingText training{Vocabulary(std::move(entries)), std::move(text)};
  std::vector<std::int32_t> renumbered(first_seen.size());
  for (const auto& [word, token] : first_seen) {
    renumbered[static_cast<std::size_t>(token)] = *training.vocabulary.find(word);
  }
  for (std::int32_t& token : training.text.tokens) {
    token = renumbered[static_cast<std::size_t>(token)];
  }
  return training;
}

Text read_text(const std::filesystem::path& path, const Vocabulary& vocabulary) {
  const std::optional<std::int32_t> stand_in = vocabulary.find(unknown_word);
  Text text;
  const auto visit = [&](std::string_view word, std::size_t line) {
    std::optional<std::int32_t> token = vocabulary.find(word);
    if (!token && (!stand_in || word == end_of_line_word)) {
      throw DataError(fmt::format(
          "{}: expected words of the training text, which has no {} for others, found '{}' in line "
          "{}. Do the files belong together?",
          path.string(),
          word == end_of_line_word ? end_of_line_word : unknown_word,
          word,
          line));
    }
    if (!token) {
      token = stand_in;
      ++text.unknown;
    }
    text.tokens.push_back(*token);
  };
  text.source = WordScanner(path, visit).scan();
  return text;
}

TextCorpus load_ptb(const std::filesystem::path& folder) {
  const std::filesystem::path train = require_file(folder, "ptb.train.txt");
  const std::filesystem::path valid = require_file(folder, "ptb.valid.txt");
  const std::filesystem::path test = require_file(folder, "ptb.test.txt");
  TrainingText training = read_training_text(train);
  TextCorpus corpus;
  corpus.name = "ptb";
  corpus.vocabulary = std::move(training.vocabulary);
  corpus.train = std::move(training.text);
  corpus.valid = read_text(valid, corpus.vocabulary);
  corpus.test = read_text(test, corpus.vocabulary);
  return corpus;
}

}  // namespace isthmus
