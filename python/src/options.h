// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "isthmus/core/json.h"
#include "isthmus/objective/objective.h"
#include "isthmus/strings/method.h"
#include "isthmus/strings/repair.h"
#include "isthmus/strings/shorten.h"

namespace isthmus::python {

/// What connect() and shorten() are told, from keywords.
struct ConnectOptions {
  MethodOptions string{};
  RepairOptions repair{};
  bool shorten = false;
  ShortenTerms shortening{};
};

/// The defaults for an objective that another program computes, changed by `given`: a JSON object
/// whose keys are those of the option tables, or the command's flags with underscores. Throws
/// UsageError that names the keyword; a keyword that is none lists those that look like it.
ConnectOptions connect_options(const Objective& objective, const Json& given);

/// Throws UsageError for an option of shortening.
void refuse_shortening(const Json& given);

/// Every keyword of connect_options: key, type, range and help, as JSON.
Json connect_keywords();

}  // namespace isthmus::python
