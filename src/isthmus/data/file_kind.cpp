// SPDX-License-Identifier: MIT
#include "isthmus/data/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <vector>

#include "isthmus/core/error.h"
#include "isthmus/data/content_reader.h"

namespace isthmus {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t looked_at = 4096;

constexpr std::string_view save_with_torch =
    "write it anew in Python: safetensors.torch.save_file(state_dict, 'model.safetensors'), where "
    "state_dict = torch.load('model.pt', weights_only=True), or model.state_dict() once the model "
    "is loaded.";

struct Kind {
  std::string_view start;  ///< the first bytes
  std::string_view what;
  std::string_view mend;
};

// What the first bytes alone tell.
constexpr std::array kinds{
    Kind{"version https://git-lfs",
         "a Git LFS pointer, not the content",
         "fetch the content with 'git lfs pull'."},
    Kind{"\x93NUMPY"sv,
         "a NumPy array (.npy)",
         "write the tensors with safetensors.numpy.save_file."},
    Kind{"\x89HDF\r\n\x1a\n"sv,
         "an HDF5 file (Keras, .h5)",
         "write the tensors with safetensors.numpy.save_file, in PyTorch's shapes."},
    Kind{"GGUF"sv, "a GGUF file", "write the tensors with safetensors.torch.save_file."},
    Kind{"\x1f\x8b"sv, "packed with gzip", "unpack it with gunzip."},
    Kind{"\xfd"
         "7zXZ\0"sv,
         "packed with xz",
         "unpack it with unxz."},
    Kind{"BZh"sv, "packed with bzip2", "unpack it with bunzip2."},
    Kind{"\x28\xb5\x2f\xfd"sv, "packed with zstd", "unpack it with unzstd."},
    Kind{"7z\xbc\xaf\x27\x1c"sv, "a 7z archive", "unpack it."},
    Kind{"%PDF"sv, "a PDF", "give the file that was meant."},
    Kind{"\x89PNG"sv, "a PNG image", "give the file that was meant."},
    Kind{"\xff\xd8\xff"sv, "a JPEG image", "give the file that was meant."},
    Kind{
        "\0\0\x08"sv, "an IDX file of images or labels", "give it as a data set, with --data DIR."},
    Kind{"\xff\xfe"sv, "a text in UTF-16", "convert it with iconv -f UTF-16 -t UTF-8."},
    Kind{"\xfe\xff"sv, "a text in UTF-16", "convert it with iconv -f UTF-16 -t UTF-8."},
};

std::string say(std::string_view what, std::string_view mend) {
  return fmt::format("It is {}: {}", what, mend);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Archives of PyTorch and NumPy are zip files; the names of their entries tell them apart.
std::string kind_of_zip(std::string_view start) {
  if (contains(start, "constants.pkl")) {
    return say("a TorchScript archive (zip)",
               "in Python: safetensors.torch.save_file(torch.jit.load(FILE).state_dict(), "
               "'model.safetensors').");
  }
  if (contains(start, "data.pkl") || contains(start, ".data/serialization_id")) {
    return say("a PyTorch archive (zip, as torch.save writes it)", save_with_torch);
  }
  if (contains(start, ".npy")) {
    return say("a NumPy archive (zip, .npz)",
               "write it anew in Python: safetensors.numpy.save_file(dict(numpy.load(FILE)), "
               "'model.safetensors').");
  }
  return say("a zip archive (a PyTorch or NumPy file, or packed)",
             "unpack it, or write the tensors with safetensors.torch.save_file.");
}

// Whatever begins with a brace, once blanks are skipped.
std::string kind_of_json(std::string_view text) {
  if (contains(text, "\"weight_map\"")) {
    return say("the index of a sharded model, not its tensors",
               "join the shards it lists into one file, in Python: tensors = {} , "
               "tensors.update(safetensors.torch.load_file(shard)) for each, then "
               "safetensors.torch.save_file(tensors, 'model.safetensors').");
  }
  return say("JSON", "give the file that holds the tensors.");
}

std::string kind_of_markup(std::string_view text) {
  std::string lower(text.substr(0, 64));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  for (const char* start : {"<!doctype", "<html", "<head", "<body", "<!--"}) {
    if (lower.starts_with(start)) {
      return say("an HTML page, as a server sends it for an error or a login",
                 "download the file itself again.");
    }
  }
  if (lower.starts_with("<?xml")) {
    return say("an XML page, as a server sends it for an error", "download the file itself again.");
  }
  return {};
}

// Blanks before a page, and the byte order mark before those.
std::string_view skip_blanks(std::string_view start) {
  if (start.starts_with("\xef\xbb\xbf")) {
    start.remove_prefix(3);
  }
  const std::size_t first = start.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : start.substr(first);
}

// Eight bytes with a length, then JSON: whatever is wrong with it, it is no other kind of file.
bool is_safetensors(std::string_view start) {
  return start.size() > 10 && start[8] == '{' && contains(start.substr(9, 8), "\"") &&
         (contains(start, "\"dtype\"") || contains(start, "\"__metadata__\""));
}

bool is_pickle(std::string_view start) {
  return start.size() > 2 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5;
}

bool is_tar(std::string_view start) {
  constexpr std::size_t magic_place = 257;
  return start.size() > magic_place && start.substr(magic_place).starts_with("ustar");
}

// A protobuf that begins with the version of ONNX's format and the name of the program that wrote
// it.
bool is_onnx(std::string_view start) {
  return start.size() > 4 && start[0] == 0x08 && start[1] > 0 && start[1] < 0x20 &&
         (start[2] == 0x12 || start[2] == 0x3a);
}

}  // namespace

std::string kind_of_text(std::string_view start) {
  if (start.starts_with(kinds.front().start)) {
    return say(kinds.front().what, kinds.front().mend);
  }
  return kind_of_markup(skip_blanks(start));
}

std::string kind_of_bytes(std::string_view start) {
  if (start.empty()) {
    return "It is empty: the copy or download did not finish; get it again.";
  }
  if (is_safetensors(start)) {
    return {};
  }
  for (const Kind& kind : kinds) {
    if (start.starts_with(kind.start)) {
      return say(kind.what, kind.mend);
    }
  }
  if (start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06")) {
    return kind_of_zip(start);
  }
  if (is_pickle(start)) {
    return say("a pickle (an older PyTorch file, or Python data)", save_with_torch);
  }
  if (is_tar(start)) {
    return say("a tar archive", "unpack it with tar -xf.");
  }
  if (is_onnx(start)) {
    return say("an ONNX model", "write the tensors with safetensors.torch.save_file.");
  }
  const std::string_view text = skip_blanks(start);
  return text.starts_with('{') || text.starts_with('[') ? kind_of_json(text) : kind_of_markup(text);
}

std::string kind_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(looked_at, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  if (file.bad() || !file.is_open()) {
    return {};
  }
  start.resize(static_cast<std::size_t>(file.gcount()));
  return kind_of_bytes(start);
}

std::string kind_of_content(const std::filesystem::path& path) {
  try {
    std::vector<std::uint8_t> start(looked_at);
    start.resize(ContentReader(path).read(start));
    return kind_of_bytes({reinterpret_cast<const char*>(start.data()), start.size()});
  } catch (const Error&) {
    return {};  // whoever asks has something to say of the file already
  }
}

}  // namespace isthmus
