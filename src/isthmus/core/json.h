// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json.hpp>

#include "isthmus/core/json_fwd.h"
