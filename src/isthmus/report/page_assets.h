// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace isthmus {

/// What a page carries in it, made part of the library at build time: the files of the folder
/// `page`, and plotly.js (MIT), which its lock file pins. plot_library() is empty where the build
/// had no npm or no network: pages then have still pictures alone.
std::string_view page_style();
std::string_view page_script();
std::string_view plot_library();

}  // namespace isthmus
