// SPDX-License-Identifier: MIT
#include "isthmus/objective/objective.h"
