// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/idx_files.h"
#include "support/temporary_folder.h"

namespace isthmus::testing {

inline constexpr std::uint32_t tiny_train = 500;
inline constexpr std::uint32_t tiny_test = 200;

/// Images of ten classes, (count, 28, 28): a pattern a class under noise, so that a perceptron
/// learns them in an instant and two of them are not joined by a straight line.
inline std::string tiny_images(std::uint32_t count, std::uint32_t seed) {
  std::mt19937 patterns(7);
  std::vector<unsigned char> pattern(10 * 784);
  for (unsigned char& pixel : pattern) {
    pixel = static_cast<unsigned char>(patterns() % 64);
  }
  std::mt19937 noise(seed);
  std::string values;
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t k = 0; k < 784; ++k) {
      values += static_cast<char>(pattern[i % 10 * 784 + k] + noise() % 192);
    }
  }
  return idx_content({count, 28, 28}, values);
}

inline std::string tiny_labels(std::uint32_t count) {
  std::string values;
  for (std::uint32_t i = 0; i < count; ++i) {
    values += static_cast<char>(i % 10);
  }
  return idx_content({count}, values);
}

/// Writes a data set in MNIST's names into data/mnist of a folder.
inline void write_tiny_mnist(const TemporaryFolder& folder) {
  folder.write("data/mnist/train-images-idx3-ubyte", tiny_images(tiny_train, 1));
  folder.write("data/mnist/train-labels-idx1-ubyte", tiny_labels(tiny_train));
  folder.write("data/mnist/t10k-images-idx3-ubyte", tiny_images(tiny_test, 2));
  folder.write("data/mnist/t10k-labels-idx1-ubyte", tiny_labels(tiny_test));
}

/// Writes `samples` images of 4 x 4 of a set with labels from 1 to `classes`, packed or not: a
/// bright pixel or two a class under noise.
inline void write_letters(const TemporaryFolder& folder,
                          const std::string& prefix,
                          std::uint32_t samples,
                          std::uint32_t classes,
                          bool packed) {
  std::mt19937 noise(samples);
  std::string images;
  std::string labels;
  for (std::uint32_t i = 0; i < samples; ++i) {
    const std::uint32_t label = 1 + i % classes;
    labels += static_cast<char>(label);
    for (std::uint32_t k = 0; k < 16; ++k) {
      const bool bright = k == label % 16 || (label >= 16 && k == (label + 5) % 16);
      images += static_cast<char>((bright ? 200 : 0) + noise() % 30);
    }
  }
  const auto write = [&](const std::string& name, const std::string& content) {
    folder.write(prefix + name + (packed ? ".gz" : ""), packed ? gzip_content(content) : content);
  };
  write("-images-idx3-ubyte", idx_content({samples, 4, 4}, images));
  write("-labels-idx1-ubyte", idx_content({samples}, labels));
}

/// Writes a text in Penn Treebank's names into data/ptb of a folder: words that follow one another
/// in a ring, so that a recurrent network learns them in an instant. Its vocabulary is 6 words.
inline void write_tiny_text(const TemporaryFolder& folder) {
  const auto text = [](int lines) {
    std::string content;
    for (int i = 0; i < lines; ++i) {
      content += " one two three four five \n";
    }
    return content;
  };
  folder.write("data/ptb/ptb.train.txt", text(60));
  folder.write("data/ptb/ptb.valid.txt", text(10));
  folder.write("data/ptb/ptb.test.txt", text(20));
}

/// A tensor as it lies in a safetensors file.
struct RawTensor {
  std::string name;
  std::string dtype;
  std::string shape;  ///< "[4, 1]"
  std::string bytes;
};

/// The bytes of `count` equal numbers.
template <typename Number>
std::string repeated(Number number, std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  return bytes;
}

/// The bytes of a safetensors file.
inline std::string safetensors_content(const std::vector<RawTensor>& tensors) {
  std::string header = "{";
  std::string data;
  for (const RawTensor& tensor : tensors) {
    header += (data.empty() ? "\"" : ",\"") + tensor.name + "\":{\"dtype\":\"" + tensor.dtype +
              "\",\"shape\":" + tensor.shape + ",\"data_offsets\":[" + std::to_string(data.size()) +
              "," + std::to_string(data.size() + tensor.bytes.size()) + "]}";
    data += tensor.bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string content;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    content += static_cast<char>(header.size() >> shift & 0xffU);
  }
  return content + header + data;
}

/// The tensors of the task quadratic, all numbers equal.
template <typename Number>
std::vector<RawTensor> quadratic_tensors(Number number, const std::string& dtype) {
  return {{"0.weight", dtype, "[4, 1]", repeated(number, 4)},
          {"2.weight", dtype, "[4, 4]", repeated(number, 16)},
          {"4.weight", dtype, "[1, 4]", repeated(number, 4)}};
}

}  // namespace isthmus::testing
