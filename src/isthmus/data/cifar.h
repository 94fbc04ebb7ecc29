// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "isthmus/data/dataset.h"

namespace isthmus {

/// Reads one batch file of CIFAR-10's binary version and appends it to `samples`, whose inputs have
/// the shape (3, 32, 32), and to `sources`. The file is plain, gzip or xz, told by its content; it
/// is a sequence of records of 3073 bytes: a label below 10, then the planes red, green and blue,
/// each row by row. `records` is how many there must be; 0 takes any number but none.
///
/// Needs the memory of the samples and a buffer of 192 KiB; while it reads a packed file of unknown
/// length, the samples grow as a vector does. Returns the number of records. Throws MissingInput,
/// and DataError, which leaves `samples` unspecified: no record, another number than `records`, a
/// record that is cut, a label out of range, a damaged stream. Safe to call from any thread.
std::size_t read_cifar_batch(const std::filesystem::path& path,
                             std::size_t records,
                             Samples& samples,
                             std::vector<SourceFile>& sources);

/// Reads CIFAR-10 from a folder with data_batch_1.bin to data_batch_5.bin, the training samples in
/// this order, and test_batch.bin, each plain or packed as .gz or .xz. The published files hold
/// 10,000 records each. Others may hold fewer or more, but all six equally many, so that a file
/// that was cut between two records is noticed; is_canonical() tells the published ones.
/// Throws as read_cifar_batch; a missing file is named. Safe to call from any thread.
///
/// Format: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
Dataset load_cifar10(const std::filesystem::path& folder);

}  // namespace isthmus
