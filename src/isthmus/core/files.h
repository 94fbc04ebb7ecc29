// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "isthmus/core/json_fwd.h"

namespace isthmus {

/// The bytes of a file. Throws MissingInput if it is not there, DataError if it cannot be read.
std::string read_file(const std::filesystem::path& path);

/// Writes `content` under a temporary name beside `path`, flushes it to the disk and renames it
/// into place: a reader, or a crash, sees the old file or the new one, never a part. Throws
/// WriteError with the reason (no permission, no space, ...), leaving the old file as it was.
void write_file(const std::filesystem::path& path, std::string_view content);

/// Makes a folder and those above it. Throws WriteError.
void make_folder(const std::filesystem::path& path);

/// The JSON value in a file. Throws as read_file, and DataError with the place of a syntax error,
/// or for a nesting of more than 100 levels.
Json read_json(const std::filesystem::path& path);

/// Writes JSON, indented, ending in a newline, as write_file does.
void write_json(const std::filesystem::path& path, const Json& value);

/// A finite double in the shortest form that reads back as the same number; "nan", "inf", "-inf".
std::string format_number(double value);

/// A value as texts show it: the sign of a NaN says nothing, and none is printed.
double shown(double value);

/// SHA-256 of some bytes, 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

}  // namespace isthmus
