// SPDX-License-Identifier: MIT
#include "isthmus/data/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

#include "isthmus/core/error.h"
#include "isthmus/core/files.h"
#include "isthmus/core/reason.h"
#include "isthmus/data/content_reader.h"
#include "isthmus/data/download.h"
#include "isthmus/data/packed_file.h"
#include "isthmus/data/tar.h"

namespace isthmus {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t unpack_buffer = std::size_t{256} * 1024;
// Headers, padding and small files besides the wanted ones.
constexpr std::uint64_t archive_allowance = std::uint64_t{64} * 1024;

// Why the content of a file is not the published one; nothing if it is.
std::optional<std::string> content_problem(const fs::path& path, const KnownFile& file) {
  try {
    ContentReader reader(path);
    const std::uint64_t size = reader.drain();
    if (size != file.bytes) {
      return fmt::format("wrong content: expected {} bytes unpacked, found {}", file.bytes, size);
    }
    const std::string hash = reader.sha256();
    if (hash != file.sha256) {
      return fmt::format("wrong content: expected the SHA-256 {}, found {}", file.sha256, hash);
    }
  } catch (const DataError& error) {
    return fmt::format("wrong content: {}", reason_of(error, path.string()));
  }
  return std::nullopt;
}

// Whether the file is there with the published content. Throws DataError if it is unpacked with
// another: readers would take it before what is fetched.
bool is_present(const KnownFile& file, const fs::path& folder) {
  const std::optional<fs::path> path = find_file(folder, file.name);
  if (!path) {
    return false;
  }
  const std::optional<std::string> problem = content_problem(*path, file);
  if (problem && path->filename() == file.name) {
    throw DataError(
        fmt::format("{}: {}. It hides a downloaded file: remove it, then repeat the command.",
                    path->string(),
                    *problem));
  }
  return !problem;
}

void fetch_file(const KnownFile& file,
                std::span<const std::string> mirrors,
                const fs::path& folder,
                const FetchOptions& options) {
  const std::string packed = fmt::format("{}.gz", file.name);
  PartialFile partial(folder / packed);
  download({file.name,
            packed,
            file.bytes,
            [&](const fs::path& path) { return content_problem(path, file); }},
           mirrors,
           options,
           partial);
  partial.publish();
}

// Writes the current file of an archive. Why it is not the published one; nothing if it is.
std::optional<std::string> unpack(TarReader& archive,
                                  const KnownFile& file,
                                  const fs::path& folder) {
  PartialFile partial(folder / file.name);
  partial.clear();
  std::vector<std::uint8_t> buffer(unpack_buffer);
  std::size_t got = buffer.size();
  while (got == buffer.size()) {
    got = archive.read(buffer);
    partial.append(std::as_bytes(std::span(buffer).first(got)));
  }
  std::optional<std::string> problem = content_problem(partial.path(), file);
  if (problem) {
    partial.clear();
    return fmt::format("{}: {}", file.name, *problem);
  }
  partial.publish();
  return std::nullopt;
}

// Takes the `missing` files out of an archive. Why that is not possible; nothing if all are there.
// Throws DataError for a damaged archive.
std::optional<std::string> unpack_missing(const fs::path& path,
                                          std::vector<KnownFile> missing,
                                          const fs::path& folder) {
  TarReader archive(path);
  while (const auto entry = archive.next()) {
    const auto found = std::find_if(missing.begin(), missing.end(), [&](const KnownFile& file) {
      return file.name == entry->name && file.bytes == entry->bytes;
    });
    if (found == missing.end()) {
      continue;
    }
    if (auto problem = unpack(archive, *found, folder)) {
      return problem;
    }
    missing.erase(found);
  }
  if (!missing.empty()) {
    return fmt::format("wrong content: expected a file {} of {} bytes in the archive, found none",
                       missing.front().name,
                       missing.front().bytes);
  }
  return std::nullopt;
}

// Why a downloaded archive does not give the missing files; nothing if it did.
std::optional<std::string> archive_problem(const fs::path& path,
                                           const std::vector<KnownFile>& missing,
                                           const fs::path& folder) {
  try {
    return unpack_missing(path, missing, folder);
  } catch (const DataError& error) {
    return fmt::format("wrong content: {}", reason_of(error, path.string()));
  }
}

void fetch_archive(const KnownSet& set,
                   const std::vector<KnownFile>& missing,
                   std::span<const std::string> mirrors,
                   const fs::path& folder,
                   const FetchOptions& options) {
  std::uint64_t bytes = archive_allowance;
  for (const KnownFile& file : set.files) {
    bytes += file.bytes;
  }
  PartialFile partial(folder / set.archive);
  download({set.archive,
            std::string(set.archive),
            bytes,
            [&](const fs::path& path) { return archive_problem(path, missing, folder); }},
           mirrors,
           options,
           partial);
  partial.clear();  // it has been unpacked
}

std::vector<std::string> mirrors_of(const KnownSet& set, const FetchOptions& options) {
  if (options.mirrors.empty() && set.mirrors.empty()) {
    throw UsageError(
        fmt::format("data set {}: expected a mirror, got none: it is not freely licensed, so none "
                    "is built in. Put its files into a folder and name that with --data DIR.",
                    set.name));
  }
  return options.mirrors.empty() ? std::vector<std::string>(set.mirrors.begin(), set.mirrors.end())
                                 : options.mirrors;
}

}  // namespace

FetchSummary fetch_dataset(const KnownSet& set,
                           const fs::path& folder,
                           const FetchOptions& options) {
  const std::vector<std::string> mirrors = mirrors_of(set, options);
  make_folder(folder);
  std::vector<KnownFile> missing;
  FetchSummary summary;
  for (const KnownFile& file : set.files) {
    if (is_present(file, folder)) {
      ++summary.present;
      continue;
    }
    if (set.archive.empty()) {
      fetch_file(file, mirrors, folder, options);
    }
    missing.push_back(file);
  }
  if (!set.archive.empty() && !missing.empty()) {
    fetch_archive(set, missing, mirrors, folder, options);
  }
  summary.downloaded = missing.size();
  return summary;
}

FetchSummary fetch_dataset(std::string_view name,
                           const fs::path& folder,
                           const FetchOptions& options) {
  return fetch_dataset(known_set(name), folder, options);
}

}  // namespace isthmus
