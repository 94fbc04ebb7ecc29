// SPDX-License-Identifier: MIT
#include "isthmus/data/file_kind.h"

#include <gtest/gtest.h>

#include <string>

#include "isthmus/core/error.h"
#include "isthmus/data/idx.h"
#include "isthmus/data/safetensors.h"
#include "support/idx_files.h"
#include "support/temporary_folder.h"

namespace isthmus {
namespace {

using testing::expect_error;
using testing::gzip_content;
using testing::TemporaryFolder;
using namespace std::string_literals;

// The beginning of a zip archive whose first entry has this name.
std::string zip_content(const std::string& entry) {
  return "PK\x03\x04\0\0\x08\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s + entry + "\0\0FB"s;
}

const std::string pointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1064\n";

TEST(FileKind, IsSaidOfWhatIsGivenAsSafetensors) {
  const TemporaryFolder folder;
  const auto expect_kind =
      [&](const std::string& content, std::string_view kind, std::string_view mend) {
        const auto path = folder.write("model.safetensors", content);
        expect_error<DataError>([&] { SafetensorsFile file(path); },
                                {"model.safetensors: expected a safetensors file", kind, mend});
      };
  expect_kind("", "empty", "get it again");
  expect_kind(pointer, "Git LFS pointer", "git lfs pull");
  expect_kind(zip_content("model/data.pkl"), "PyTorch archive", "safetensors.torch.save_file");
  expect_kind(zip_content("archive/.data/serialization_id"), "PyTorch archive", "save_file");
  expect_kind(zip_content("m/constants.pkl") + "m/data.pkl", "TorchScript", "torch.jit.load");
  expect_kind(zip_content("1.bias.npy"), "NumPy archive", "numpy.load");
  expect_kind(zip_content("readme.txt"), "zip archive", "unpack");
  expect_kind("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.", "pickle", "torch.load");
  expect_kind("\x93NUMPY\x01\0v\0{'descr': '<f4'}"s, "NumPy array", "save_file");
  expect_kind("\x89HDF\r\n\x1a\n\0\0\0\0"s, "HDF5", "save_file");
  expect_kind("GGUF\x03\0\0\0\0\0\0\0"s, "GGUF", "save_file");
  expect_kind(
      "\x08\x07\x12\x07pytorch\x1a\x05"
      "2.13.0",
      "ONNX",
      "save_file");
  expect_kind(gzip_content("x"), "gzip", "gunzip");
  expect_kind("BZh91AY&SY", "bzip2", "bunzip2");
  expect_kind("\x28\xb5\x2f\xfd\x04\x58\x09\0"s, "zstd", "unzstd");
  expect_kind("<!DOCTYPE html><html><body>404</body></html>", "HTML page", "download");
  expect_kind("\n  <HTML lang='en'>", "HTML page", "download");
  expect_kind(
      "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "XML page", "download");
  expect_kind(R"({"metadata": {"total_size": 1}, "weight_map": {"a": "model-00001-of-00002"}})",
              "index of a sharded model",
              "join the shards");
  expect_kind(R"({"input": [1, 6, 6], "layers": []})", "JSON", "tensors");
  expect_kind(
      std::string(257, '\0') + "ustar\0"s + std::string(250, '\0'), "tar archive", "tar -xf");
  expect_kind("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x01"s, "IDX", "--data");
}

TEST(FileKind, NothingIsSaidOfWhatItDoesNotKnow) {
  EXPECT_EQ(kind_of_bytes("some words in a text\n"), "");
  EXPECT_EQ(kind_of_bytes("\x78\0\0\0\0\0\0\0{\"1.bias\":{\"dtype\":\"F32\""s), "");
  // The length of a header may begin as gzip does.
  EXPECT_EQ(kind_of_bytes("\x1f\x8b\0\0\0\0\0\0{\"1.bias\":{\"dtype\":\"F32\""s), "");
  EXPECT_EQ(kind_of_file("/nowhere"), "");
  EXPECT_EQ(kind_of_text("{\"not\": \"a page\"}"), "");
}

TEST(FileKind, AFolderIsNamedWithWhatIsInIt) {
  const TemporaryFolder folder;
  folder.write("model/model.safetensors", "");
  expect_error<DataError>([&] { SafetensorsFile file(folder / "model"); },
                          {"found a folder", "It holds model.safetensors"});
}

TEST(FileKind, IsSaidOfTheContentOfPackedImages) {
  const TemporaryFolder folder;
  expect_error<DataError>([&] { read_idx(folder.write("a", pointer)); }, {"00 00", "git lfs pull"});
  expect_error<DataError>([&] { read_idx(folder.write("a.gz", gzip_content("<html>404"))); },
                          {"00 00", "HTML page"});
  expect_error<DataError>([&] { read_idx(folder.write("a.gz", gzip_content("abcdefgh"))); },
                          {"another kind of file?"});
}

}  // namespace
}  // namespace isthmus
