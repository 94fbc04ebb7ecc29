// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "isthmus/study/task.h"

namespace isthmus {

// The tasks of each family, in the order in which they are listed.
std::vector<Task> polynomial_tasks();
std::vector<Task> image_tasks();
std::vector<Task> text_tasks();
std::vector<Task> plane_tasks();

// Settings of a family under the protocol of the options. Each is explained, with the measurement
// behind it, in docs/defaults.md.
void set_generated(StudyOptions& options);
void set_images(StudyOptions& options);
void set_texts(StudyOptions& options);

}  // namespace isthmus
