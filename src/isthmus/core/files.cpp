// SPDX-License-Identifier: MIT
#include "isthmus/core/files.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <fstream>
#include <limits>
#include <span>
#include <sstream>
#include <system_error>

#include "isthmus/core/error.h"
#include "isthmus/core/json.h"
#include "isthmus/core/output_file.h"

namespace isthmus {
namespace {

constexpr int json_depth_limit = 100;

std::string reason(int error) {
  return std::generic_category().message(error);
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw MissingInput(fmt::format("{}: no such file", path.string()));
  }
  if (std::filesystem::is_directory(path, error)) {
    throw DataError(fmt::format("{}: expected a file, found a folder", path.string()));
  }
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  if (stream.peek() != std::ifstream::traits_type::eof()) {
    content << stream.rdbuf();
  }
  if (stream.bad() || !stream.is_open()) {
    throw DataError(fmt::format("{}: cannot be read ({})", path.string(), reason(errno)));
  }
  return std::move(content).str();
}

void write_file(const std::filesystem::path& path, std::string_view content) {
  OutputFile file(path);
  file.write(std::as_bytes(std::span(content)));
  file.commit();
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || !std::filesystem::is_directory(path)) {
    throw WriteError(fmt::format("{}: the folder cannot be made ({}). Choose another place.",
                                 path.string(),
                                 error ? error.message() : "a file of that name exists"));
  }
}

Json read_json(const std::filesystem::path& path) {
  const std::string text = read_file(path);
  // The JSON library copies and prints nested values by recursion: a hostile file would overrun the
  // stack.
  const auto check_depth = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > json_depth_limit) {
      throw DataError(fmt::format(
          "{}: expected JSON of at most {} levels, found more", path.string(), json_depth_limit));
    }
    return true;
  };
  try {
    return Json::parse(text, check_depth);
  } catch (const Json::exception& error) {
    throw DataError(fmt::format("{}: not valid JSON ({})", path.string(), error.what()));
  }
}

void write_json(const std::filesystem::path& path, const Json& value) {
  write_file(path, value.dump(2) + "\n");
}

std::string format_number(double value) {
  return fmt::format("{}", shown(value));
}

double shown(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value;
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw InternalError("the SHA-256 of the system's libcrypto failed");
  }
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += fmt::format("{:02x}", digest[i]);
  }
  return text;
}

}  // namespace isthmus
